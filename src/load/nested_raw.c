/*
 * nested_raw.c
 *		Strategy raw: one column, record, with all of it.  The query's first column
 *		is the record; those after it are there for the key and the cursor.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "load/load_internal.h"

static void
layout(LyfLoad *load)
{
	LyfTable   *table = lyf_table_make(load->spec->table, NULL);

	lyf_table_add_field(table, "record", JSONBOID, -1, InvalidOid);
	load->tables = list_make1(table);
}

static void
record(LyfLoad *load)
{
	LyfTable   *table = linitial(load->tables);
	TupleTableSlot *input = table->writer->input;

	input->tts_values[0] = load->source->tts_values[0];
	input->tts_isnull[0] = load->source->tts_isnull[0];
	lyf_load_put(load, table);
}

const LyfNested lyf_nested_raw = {
	.name = "raw",
	.wants_record = true,
	.layout = layout,
	.record = record,
};
