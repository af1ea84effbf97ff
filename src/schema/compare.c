/*
 * compare.c
 *		Two schemas, and what is different in the later one.
 *
 * A column that is gone and one that is new may be one that was renamed: it is if both have the number that the
 * relation gave it, and it is taken for that where the only one gone and the only one new stand at the same place
 * and have one type.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/json.h"
#include "schema/schema.h"

LYF_FUNCTION_INFO_V1(lyf_compare_schemas);

static const struct
{
	const char *name;
	const char *severity;
}			kinds[LYF_CHANGE_KINDS] = {
	[LYF_STREAM_ADDED] = {"stream_added", "info"},
	[LYF_STREAM_REMOVED] = {"stream_removed", "error"},
	[LYF_COLUMN_ADDED] = {"column_added", "info"},
	[LYF_COLUMN_REMOVED] = {"column_removed", "warning"},
	[LYF_COLUMN_RENAMED] = {"column_renamed", "warning"},
	[LYF_TYPE_WIDENED] = {"type_widened", "info"},
	[LYF_TYPE_NARROWED] = {"type_narrowed", "warning"},
	[LYF_TYPE_CHANGED] = {"type_changed", "error"},
	[LYF_NULLABLE] = {"nullable", "info"},
	[LYF_NOT_NULL] = {"not_null", "info"},
	[LYF_DEFAULT_CHANGED] = {"default_changed", "info"},
	[LYF_ENUM_CHANGED] = {"enum_changed", "info"},
	[LYF_KEY_CHANGED] = {"key_changed", "error"},
	[LYF_CURSOR_CHANGED] = {"cursor_changed", "error"},
};

const char *
lyf_change_name(LyfChangeKind kind)
{
	return kinds[kind].name;
}

const char *
lyf_change_severity(LyfChangeKind kind)
{
	return kinds[kind].severity;
}

static const LyfValue *
columns_of(const LyfValue *schema)
{
	const LyfValue *columns = lyf_value_get(schema, "columns");

	return lyf_value_is(columns, LYF_LIST) ? columns : lyf_value_make(LYF_LIST);
}

static const char *
text_of(const LyfValue *column, const char *key)
{
	const char *text = lyf_value_text(lyf_value_get(column, key));

	return text != NULL ? text : "";
}

static const LyfValue *
find_column(const LyfValue *columns, const char *name)
{
	lyf_foreach(column, columns)
	{
		if (strcmp(text_of(column, "name"), name) == 0)
			return column;
	}
	return NULL;
}

static LyfChange *
add_change(List **changes, LyfChangeKind kind, const char *column, const LyfValue *before, const LyfValue *after)
{
	LyfChange  *change = palloc0(sizeof(LyfChange));

	change->kind = kind;
	change->column = column;
	change->before = before;
	change->after = after;
	*changes = lappend(*changes, change);
	return change;
}

static bool
same(const LyfValue *a, const LyfValue *b)
{
	bool		none_a = a == NULL || a->kind == LYF_NULL;
	bool		none_b = b == NULL || b->kind == LYF_NULL;

	return none_a || none_b ? none_a == none_b : lyf_value_equal(a, b);
}

/* a change of one member of a column's map, where there is one */
static void
compare_member(List **changes, LyfChangeKind kind, const char *key, const LyfValue *before, const LyfValue *after)
{
	const LyfValue *a = lyf_value_get(before, key);
	const LyfValue *b = lyf_value_get(after, key);

	if (!same(a, b))
		add_change(changes, kind, text_of(after, "name"), a, b);
}

static void
compare_types(List **changes, const LyfValue *before, const LyfValue *after)
{
	const char *from = text_of(before, "type");
	const char *to = text_of(after, "type");
	LyfChangeKind kind = LYF_TYPE_CHANGED;

	if (strcmp(from, to) == 0)
		return;
	switch (lyf_type_step(lyf_type_parse(from), lyf_type_parse(to)))
	{
		case LYF_TYPE_SAME:
			return;
		case LYF_TYPE_WIDER:
			kind = LYF_TYPE_WIDENED;
			break;
		case LYF_TYPE_NARROWER:
			kind = LYF_TYPE_NARROWED;
			break;
		case LYF_TYPE_OTHER:
			break;
	}
	add_change(changes, kind, text_of(after, "name"), lyf_value_get(before, "type"), lyf_value_get(after, "type"));
}

static void
compare_column(List **changes, const LyfValue *before, const LyfValue *after)
{
	bool		was = lyf_value_truth(lyf_value_get(before, "not_null"));
	bool		is = lyf_value_truth(lyf_value_get(after, "not_null"));

	compare_types(changes, before, after);
	if (was != is)
		add_change(changes, is ? LYF_NOT_NULL : LYF_NULLABLE, text_of(after, "name"), NULL, NULL);
	compare_member(changes, LYF_DEFAULT_CHANGED, "default", before, after);
	compare_member(changes, LYF_ENUM_CHANGED, "enum", before, after);
}

/* the names of the columns that have a mark, in their order */
static LyfValue *
marked(const LyfValue *columns, const char *mark)
{
	LyfValue   *names = lyf_value_make(LYF_LIST);

	lyf_foreach(column, columns)
	{
		if (lyf_value_truth(lyf_value_get(column, mark)))
			lyf_value_append(names, lyf_value_alias(lyf_value_get(column, "name")));
	}
	return names;
}

static void
compare_marks(List **changes, LyfChangeKind kind, const char *mark, const LyfValue *before, const LyfValue *after)
{
	LyfValue   *a = marked(before, mark);
	LyfValue   *b = marked(after, mark);

	if (!lyf_value_equal(a, b))
		add_change(changes, kind, NULL, a, b);
}

static int
place_of(const LyfValue *columns, const LyfValue *column)
{
	int			place = 0;

	lyf_foreach(other, columns)
	{
		if (other == column)
			return place;
		place++;
	}
	return -1;
}

/* why a column that is gone may be one that is new; NULL: it is none */
static const char *
evidence_of(const LyfValue *gone, const LyfValue *new, bool alone, int place_before, int place_after)
{
	const LyfValue *number = lyf_value_get(gone, "number");

	if (number != NULL && lyf_value_get(new, "number") != NULL)
		return lyf_value_equal(number, lyf_value_get(new, "number")) ?
			psprintf("it is still column number %s of the relation", lyf_value_to_text(number)) : NULL;
	if (alone && place_before == place_after && strcmp(text_of(gone, "type"), text_of(new, "type")) == 0)
		return "the only column that is gone and the only new one stand at the same place, and have one type";
	return NULL;
}

/* columns that only one of two schemas has */
static List *
only_in(const LyfValue *columns, const LyfValue *others)
{
	List	   *list = NIL;

	lyf_foreach(column, columns)
	{
		CHECK_FOR_INTERRUPTS();
		if (find_column(others, text_of(column, "name")) == NULL)
			list = lappend(list, column);
	}
	return list;
}

static void
compare_names(List **changes, const LyfValue *before, const LyfValue *after)
{
	List	   *gone = only_in(before, after);
	List	   *new = only_in(after, before);
	bool		alone = list_length(gone) == 1 && list_length(new) == 1;
	ListCell   *g;
	ListCell   *n;

	foreach(g, gone)
	{
		const LyfValue *was = lfirst(g);
		const char *evidence = NULL;

		foreach(n, new)
		{
			const LyfValue *is = lfirst(n);

			evidence = evidence_of(was, is, alone, place_of(before, was), place_of(after, is));
			if (evidence == NULL)
				continue;
			add_change(changes, LYF_COLUMN_RENAMED, text_of(is, "name"), lyf_value_get(was, "name"),
					   lyf_value_get(is, "name"))->evidence = evidence;
			compare_column(changes, was, is);
			new = foreach_delete_current(new, n);
			break;
		}
		if (evidence == NULL)
			add_change(changes, LYF_COLUMN_REMOVED, text_of(was, "name"), was, NULL);
	}
	foreach(n, new)
		add_change(changes, LYF_COLUMN_ADDED, text_of(lfirst(n), "name"), NULL, lfirst(n));
}

List *
lyf_schema_compare(const LyfValue *before, const LyfValue *after)
{
	const LyfValue *a = columns_of(before);
	const LyfValue *b = columns_of(after);
	List	   *changes = NIL;

	compare_names(&changes, a, b);
	lyf_foreach(column, b)
	{
		const LyfValue *was = find_column(a, text_of(column, "name"));

		if (was != NULL)
			compare_column(&changes, was, column);
	}
	compare_marks(&changes, LYF_KEY_CHANGED, "key", a, b);
	compare_marks(&changes, LYF_CURSOR_CHANGED, "cursor", a, b);
	return changes;
}

/* lyftron.compare_schemas(before jsonb, after jsonb) */
Datum
lyf_compare_schemas(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LyfValue   *before = lyf_value_from_jsonb(PG_GETARG_JSONB_P(0));
	LyfValue   *after = lyf_value_from_jsonb(PG_GETARG_JSONB_P(1));
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, lyf_schema_compare(before, after))
	{
		const LyfChange *change = lfirst(lc);
		Datum		values[6];
		bool		nulls[6];

		values[0] = lyf_text_or_null(lyf_change_name(change->kind), &nulls[0]);
		values[1] = lyf_text_or_null(change->column, &nulls[1]);
		values[2] = lyf_jsonb_or_null(change->before, &nulls[2]);
		values[3] = lyf_jsonb_or_null(change->after, &nulls[3]);
		values[4] = lyf_text_or_null(lyf_change_severity(change->kind), &nulls[4]);
		values[5] = lyf_text_or_null(change->evidence, &nulls[5]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
