/*
 * nested_jsonb.c
 *		Strategy jsonb: a column is a column.
 */
#include "postgres.h"

#include "load/load_internal.h"

static void
layout(LyfLoad *load)
{
	LyfTable   *table = lyf_table_make(load->spec->table, NULL);

	for (int i = 0; i < load->query->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(load->query, i);

		/* a number after the name would change with the order of columns: names must differ as they are */
		if (lyf_table_add_field(table, NameStr(attribute->attname), attribute->atttypid,
								attribute->atttypmod, attribute->attcollation) != i ||
			strcmp(((LyfField *) llast(table->fields))->name, NameStr(attribute->attname)) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("the source has more than one column \"%s\"", NameStr(attribute->attname)),
					 errhint("Give the columns different names in the pipeline's source query.")));
	}
	load->tables = list_make1(table);
}

static void
record(LyfLoad *load)
{
	LyfTable   *table = linitial(load->tables);
	TupleTableSlot *input = table->writer->input;
	int			natts = load->query->natts;

	memcpy(input->tts_values, load->source->tts_values, sizeof(Datum) * natts);
	memcpy(input->tts_isnull, load->source->tts_isnull, sizeof(bool) * natts);
	lyf_load_put(load, table);
}

const LyfNested lyf_nested_jsonb = {
	.name = "jsonb",
	.layout = layout,
	.record = record,
};
