/*
 * nested_flatten.c
 *		Strategy flatten: the members of objects become columns, a_b for b in a; lists
 *		stay jsonb.
 *
 * Which members there are is fixed by the shape that the pipeline keeps.  What does
 * not fit it, a member that the shape does not know or a value of another
 * type, is kept under its path in the column _lyftron_extra.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "base/json.h"
#include "load/load_internal.h"

/* a destination may have 1600 columns; some are ours, some the user's */
#define MAX_FIELDS	1200
#define MAX_TABLES	200

static char *
join_names(const char *prefix, const char *separator, const char *key)
{
	return lyf_column_name(prefix == NULL ? key : psprintf("%s%s%s", prefix, separator, key));
}

static void flatten_members(LyfTable *table, List *members, const char *prefix, bool tables, List **children);

/* A list's items get a table of their own. */
static void
layout_items(LyfTable *table, LyfShape *shape, const char *key, List **children)
{
	LyfTable   *child = lyf_table_make(join_names(table->name, "__", key), table);
	ListCell   *lc;

	foreach(lc, *children)
	{
		if (strcmp(((LyfTable *) lfirst(lc))->name, child->name) == 0)
			child->name = join_names(child->name, "_", psprintf("%d", list_length(*children) + 1));
	}
	shape->table = child;
	child->members = shape->members;
	*children = lappend(*children, child);
	flatten_members(child, child->members, NULL, true, children);
	child->extra = lyf_table_add_field(child, LYF_EXTRA_COLUMN, JSONBOID, -1, InvalidOid);
}

/* Say where each of an object's members goes: a field, or (tables) a child table. */
static void
flatten_members(LyfTable *table, List *members, const char *prefix, bool tables, List **children)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		LyfShape   *shape = lfirst(lc);
		const char *key = shape->key ? shape->key : "value";
		char	   *name = join_names(prefix, "_", key);

		if (shape->kind == LYF_SHAPE_OBJECT && list_length(table->fields) < MAX_FIELDS)
			flatten_members(table, shape->members, name, tables, children);
		else if (shape->kind == LYF_SHAPE_LIST && tables && list_length(*children) < MAX_TABLES)
			layout_items(table, shape, name, children);
		else
		{
			/* what is not taken apart is kept whole */
			if (shape->kind != LYF_SHAPE_VALUE)
				shape->type = JSONBOID;
			shape->kind = LYF_SHAPE_VALUE;
			if (list_length(table->fields) < MAX_FIELDS)
				shape->field = lyf_table_add_field(table, name, shape->type, -1, get_typcollation(shape->type));
		}
	}
}

/* The destination's fields, in the order of the query's columns; JSON columns as their shapes say. */
void
lyf_flatten_layout(LyfLoad *load, bool tables)
{
	LyfTable   *table = lyf_table_make(load->spec->table, NULL);
	List	   *children = NIL;
	int			natts = load->query->natts;

	load->columns = palloc0(sizeof(int) * natts);
	load->shapes = palloc0(sizeof(LyfShape *) * natts);
	for (int i = 0; i < natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(load->query, i);
		char	   *name = NameStr(attribute->attname);
		ListCell   *lc;

		load->columns[i] = -1;
		/* a foreign table's copy of the record as a whole is not taken apart a second time */
		if (strcmp(name, "_record") == 0)
			continue;
		foreach(lc, load->spec->shapes)
		{
			LyfShape   *shape = lfirst(lc);

			if (strcmp(shape->key, name) == 0)
				load->shapes[i] = shape;
		}
		if (load->shapes[i] != NULL)
			flatten_members(table, list_make1(load->shapes[i]), NULL, tables, &children);
		else
			load->columns[i] = lyf_table_add_field(table, name, attribute->atttypid,
												   attribute->atttypmod, attribute->attcollation);
	}
	table->extra = lyf_table_add_field(table, LYF_EXTRA_COLUMN, JSONBOID, -1, InvalidOid);
	load->tables = lcons(table, children);
}

static void
add_extra(LyfValue **extra, const char *key, LyfValue *value)
{
	if (*extra == NULL)
		*extra = lyf_value_make(LYF_MAP);
	lyf_value_set(*extra, key ? key : "value", value);
}

/* Put a value where its shape says.  What does not fit comes back, else NULL. */
LyfValue *
lyf_flatten_item(LyfTable *table, LyfShape *shape, const LyfValue *value)
{
	TupleTableSlot *input = table->writer->input;

	if (value->kind == LYF_NULL)
		return NULL;
	if (shape->kind == LYF_SHAPE_OBJECT && value->kind == LYF_MAP)
		return lyf_flatten_map(table, shape->members, value);
	if (shape->kind == LYF_SHAPE_LIST && value->kind == LYF_LIST)
		return NULL;
	if (shape->kind == LYF_SHAPE_VALUE && shape->field >= 0 &&
		lyf_value_cast(value, shape->type, -1, &input->tts_values[shape->field],
					   &input->tts_isnull[shape->field]) == NULL)
		return NULL;
	if (shape->field >= 0)
		input->tts_isnull[shape->field] = true;
	return lyf_value_alias(value);
}

static LyfShape *
find_member(List *members, const LyfValue *value, int *next)
{
	/* members mostly come in the order of the shape */
	for (int i = 0; i < list_length(members); i++)
	{
		int			at = (*next + i) % list_length(members);
		LyfShape   *shape = list_nth(members, at);

		if (shape->key != NULL && strcmp(shape->key, value->key) == 0)
		{
			*next = at + 1;
			return shape;
		}
	}
	return NULL;
}

/*
 * The members of an object into the table's row; its fields must be null before.
 * A map of what does not fit comes back, or NULL.  Lists that have a table are left out.
 */
LyfValue *
lyf_flatten_map(LyfTable *table, List *members, const LyfValue *map)
{
	LyfValue   *extra = NULL;
	int			next = 0;

	lyf_foreach(value, map)
	{
		LyfShape   *shape = find_member(members, value, &next);
		LyfValue   *rest = shape ? lyf_flatten_item(table, shape, value) : lyf_value_alias(value);

		if (rest != NULL)
			add_extra(&extra, value->key, rest);
	}
	return extra;
}

/* A value of a JSON column of the source. */
static LyfValue *
read_document(Datum datum, Oid type)
{
	LyfValue   *value;
	char	   *json;

	if (type == JSONBOID)
		return lyf_value_from_jsonb(DatumGetJsonbP(datum));
	json = TextDatumGetCString(datum);
	LYF_CHECK(lyf_json_parse_copy(json, strlen(json), &value));
	return value;
}

/*
 * The record's columns into the destination's row.  documents (one a column of
 * the query) get the values of its JSON columns.  A map of what does not fit comes back, or NULL.
 */
LyfValue *
lyf_flatten_columns(LyfLoad *load, LyfValue **documents)
{
	LyfTable   *table = linitial(load->tables);
	TupleTableSlot *input = table->writer->input;
	TupleTableSlot *source = load->source;
	LyfValue   *extra = NULL;

	memset(input->tts_isnull, true, list_length(table->fields) * sizeof(bool));
	for (int i = 0; i < load->query->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(load->query, i);
		LyfValue   *rest;

		documents[i] = NULL;
		if (load->columns[i] >= 0)
		{
			input->tts_values[load->columns[i]] = source->tts_values[i];
			input->tts_isnull[load->columns[i]] = source->tts_isnull[i];
		}
		else if (load->shapes[i] != NULL && !source->tts_isnull[i])
		{
			documents[i] = read_document(source->tts_values[i], getBaseType(attribute->atttypid));
			rest = lyf_flatten_item(table, load->shapes[i], documents[i]);
			if (rest != NULL)
				add_extra(&extra, NameStr(attribute->attname), rest);
		}
	}
	return extra;
}

void
lyf_flatten_extra(LyfTable *table, LyfValue *extra)
{
	TupleTableSlot *input = table->writer->input;

	input->tts_isnull[table->extra] = extra == NULL;
	if (extra != NULL)
		input->tts_values[table->extra] = JsonbPGetDatum(lyf_value_to_jsonb(extra));
}

static void
layout(LyfLoad *load)
{
	lyf_flatten_layout(load, false);
}

static void
record(LyfLoad *load)
{
	LyfTable   *table = linitial(load->tables);
	LyfValue  **documents = palloc(sizeof(LyfValue *) * Max(load->query->natts, 1));

	lyf_flatten_extra(table, lyf_flatten_columns(load, documents));
	lyf_load_put(load, table);
}

const LyfNested lyf_nested_flatten = {
	.name = "flatten",
	.wants_shapes = true,
	.layout = layout,
	.record = record,
};
