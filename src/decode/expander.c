/*
 * expander.c
 *		RecordExpander: a record that holds a list becomes the list's items, each with what
 *		is to be kept of the record around it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/memory.h"
#include "decode/decode_internal.h"

/* ParentFieldPath: a field of the record, and where it goes in each item */
typedef struct ParentField
{
	LyfPathTemplate from;
	LyfPathTemplate to;
} ParentField;

struct LyfExpander
{
	LyfPathTemplate path;		/* of the list */
	ParentField *field;
	size_t		field_count;
	bool		keep_original;	/* the record itself, as original_record */
	bool		merge;			/* its fields go below the item's own */
	bool		emit_parent;	/* the record itself, where there are no items */
};

static LyfFailure *
compile_parent_fields(const LyfComponent *c, LyfExpander *expander)
{
	LYF_TRY(lyf_component_list(c, "parent_fields", &expander->field_count));
	expander->field = palloc(sizeof(ParentField) * (expander->field_count + 1));
	for (size_t i = 0; i < expander->field_count; i++)
	{
		LyfComponent field = lyf_component_item(c, "parent_fields", i);

		LYF_TRY(lyf_path_template_compile(&field, "parent_path", &expander->field[i].from));
		LYF_TRY(lyf_path_template_compile(&field, "record_path", &expander->field[i].to));
		if (expander->field[i].from.len == 0 || expander->field[i].to.len == 0)
			return lyf_component_invalid(&field, "parent_path and record_path must be given");
	}
	return NULL;
}

LyfFailure *
lyf_expander_compile(const LyfComponent *c, LyfExpander **out)
{
	LyfComponent retriever = lyf_component_child(c, "truncated_list_retriever");
	LyfExpander *expander;
	const char *without;

	*out = NULL;
	if (c->json == NULL)
		return NULL;
	if (strcmp(c->type, "RecordExpander") != 0)
		return lyf_component_unsupported(c);
	if (retriever.json != NULL)
		return lyf_failure_detail(lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "not supported: truncated_list_retriever"),
								  "It stands at %s.", c->path);
	expander = palloc0(sizeof(LyfExpander));
	LYF_TRY(lyf_path_template_compile(c, "expand_records_from_field", &expander->path));
	LYF_TRY(compile_parent_fields(c, expander));
	LYF_TRY(lyf_component_bool(c, "remain_original_record", false, &expander->keep_original));
	LYF_TRY(lyf_component_bool(c, "merge_parent", false, &expander->merge));
	LYF_TRY(lyf_component_text(c, "on_no_records", "skip", &without));
	expander->emit_parent = strcmp(without, "emit_parent") == 0;
	if (!expander->emit_parent && strcmp(without, "skip") != 0)
		return lyf_component_invalid(c, "on_no_records must be skip or emit_parent");
	*out = expander;
	return NULL;
}

/* the record without the lists that are taken apart: what items are merged with */
static LyfValue *
without_lists(const LyfValue *record, const LyfPath *path)
{
	LyfValue   *rest = lyf_value_copy_nodes(record);
	LyfMatches	matches = {0};

	lyf_path_find(rest, path, &matches);
	for (int i = matches.count - 1; i >= 0; i--)
	{
		if (matches.match[i].value->kind == LYF_LIST && lyf_match_holds(&matches.match[i]))
			lyf_match_remove(&matches.match[i]);
	}
	return rest;
}

static LyfFailure *
copy_parent_fields(const LyfExpander *expander, const LyfSession *session, LyfValue *record, LyfValue *item)
{
	for (size_t i = 0; i < expander->field_count; i++)
	{
		LyfPath		from;
		LyfPath		to;
		LyfValue   *value;

		LYF_TRY(lyf_path_template_eval(&expander->field[i].from, &session->scope, &from));
		LYF_TRY(lyf_path_template_eval(&expander->field[i].to, &session->scope, &to));
		value = lyf_path_get(record, &from);
		LYF_TRY(lyf_path_set(item, &to, value != NULL ? lyf_value_copy_nodes(value) : lyf_value_make(LYF_NULL)));
	}
	return NULL;
}

/* an item as a record; rest: what it is merged with, or NULL.  An item that is no map becomes one where something goes with it */
static LyfFailure *
make_record(const LyfExpander *expander, const LyfSession *session, LyfValue *record, const LyfValue *rest,
			LyfValue *item, LyfValue **out)
{
	*out = item;
	if (rest == NULL && expander->field_count == 0 && !expander->keep_original)
		return NULL;
	if (item->kind == LYF_MAP)
		*out = lyf_value_merge(item, NULL);
	else
	{
		*out = lyf_value_make(LYF_MAP);
		lyf_value_set(*out, "value", lyf_value_alias(item));
	}
	if (rest != NULL)
		*out = lyf_value_merge(lyf_value_copy_nodes(rest), *out);
	LYF_TRY(copy_parent_fields(expander, session, record, *out));
	if (expander->keep_original)
		lyf_value_set(*out, "original_record", lyf_value_copy_nodes(record));
	return lyf_memory_check(0);
}

LyfFailure *
lyf_expand(const LyfExpander *expander, const LyfSession *session, LyfValue *record, LyfRecords *records)
{
	LyfMatches	matches = {0};
	LyfValue   *rest = NULL;
	bool		found = false;
	LyfPath		path;

	if (record->kind != LYF_MAP || expander->path.len == 0)
	{
		lyf_records_add(records, record);
		return NULL;
	}
	LYF_TRY(lyf_path_template_eval(&expander->path, &session->scope, &path));
	if (expander->merge)
		rest = without_lists(record, &path);
	lyf_path_find(record, &path, &matches);
	for (int i = 0; i < matches.count; i++)
	{
		if (matches.match[i].value->kind != LYF_LIST)
			continue;
		lyf_foreach(item, matches.match[i].value)
		{
			LyfValue   *made;

			LYF_TRY(make_record(expander, session, record, rest, item, &made));
			lyf_records_add(records, made);
			found = true;
		}
	}
	if (!found && expander->emit_parent)
		lyf_records_add(records, record);
	return NULL;
}
