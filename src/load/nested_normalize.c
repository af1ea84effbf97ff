/*
 * nested_normalize.c
 *		Strategy normalize: as flatten, and each list becomes a table of its items,
 *		<table>__<field>, with the id of the row it belongs to and its number there.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "load/load_internal.h"

static void put_list(LyfLoad *load, LyfShape *shape, const LyfValue *list, const pg_uuid_t *parent);
static void put_lists(LyfLoad *load, List *members, const LyfValue *map, const pg_uuid_t *parent);

/* One item: an object's members, or the item itself as the column value. */
static void
put_item(LyfLoad *load, LyfTable *table, const LyfValue *item, const pg_uuid_t *parent, int64 index)
{
	TupleTableSlot *input = table->writer->input;
	LyfShape   *first = linitial(table->members);
	LyfValue   *record = lyf_value_make(LYF_MAP);
	LyfValue   *extra;
	pg_uuid_t	id;

	lyf_child_id(parent, table->name, index, &id);
	memset(input->tts_isnull, true, list_length(table->fields) * sizeof(bool));
	if (first->key != NULL && item->kind == LYF_MAP)
		extra = lyf_flatten_map(table, table->members, item);
	else
	{
		/* the member of an item that is no object has no key: it goes by itself */
		extra = first->key == NULL ? lyf_flatten_item(table, first, item) : lyf_value_alias(item);
		if (extra != NULL && extra->kind != LYF_NULL)
		{
			lyf_value_set(record, "value", extra);
			extra = record;
		}
		else
			extra = NULL;
	}
	lyf_flatten_extra(table, extra);
	if (!lyf_load_put_child(load, table, &id, parent, index))
		return;
	if (first->key != NULL && item->kind == LYF_MAP)
		put_lists(load, table->members, item, &id);
	else if (first->kind == LYF_SHAPE_LIST && item->kind == LYF_LIST)
		put_list(load, first, item, &id);
}

static void
put_list(LyfLoad *load, LyfShape *shape, const LyfValue *list, const pg_uuid_t *parent)
{
	int64		index = 0;

	lyf_foreach(item, list)
	{
		CHECK_FOR_INTERRUPTS();
		put_item(load, shape->table, item, parent, index++);
	}
}

/* The lists in an object, also those in objects in it. */
static void
put_lists(LyfLoad *load, List *members, const LyfValue *map, const pg_uuid_t *parent)
{
	ListCell   *lc;

	foreach(lc, members)
	{
		LyfShape   *shape = lfirst(lc);
		LyfValue   *value;

		if (shape->kind == LYF_SHAPE_VALUE || shape->key == NULL)
			continue;
		value = lyf_value_get(map, shape->key);
		if (shape->kind == LYF_SHAPE_LIST && lyf_value_is(value, LYF_LIST))
			put_list(load, shape, value, parent);
		else if (shape->kind == LYF_SHAPE_OBJECT && lyf_value_is(value, LYF_MAP))
			put_lists(load, shape->members, value, parent);
	}
}

static void
layout(LyfLoad *load)
{
	lyf_flatten_layout(load, true);
}

static void
record(LyfLoad *load)
{
	LyfTable   *table = linitial(load->tables);
	LyfValue  **documents = palloc(sizeof(LyfValue *) * Max(load->query->natts, 1));

	lyf_flatten_extra(table, lyf_flatten_columns(load, documents));
	if (!lyf_load_put(load, table))
		return;
	for (int i = 0; i < load->query->natts; i++)
	{
		LyfShape   *shape = load->shapes[i];

		if (documents[i] == NULL)
			continue;
		if (shape->kind == LYF_SHAPE_LIST && documents[i]->kind == LYF_LIST)
			put_list(load, shape, documents[i], &load->id);
		else if (shape->kind == LYF_SHAPE_OBJECT && documents[i]->kind == LYF_MAP)
			put_lists(load, shape->members, documents[i], &load->id);
	}
}

const LyfNested lyf_nested_normalize = {
	.name = "normalize",
	.wants_shapes = true,
	.layout = layout,
	.record = record,
};
