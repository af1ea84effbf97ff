/*
 * candidates.c
 *		Rows for a table that a statement takes: collected, and then named like a table, as the transition tables of triggers are.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "vault/load_internal.h"

void
lyf_candidates_begin(LyfFeed *feed)
{
	feed->candidates = tuplestore_begin_heap(false, false, feed->stage->memory_kb);
}

void
lyf_candidates_put(LyfFeed *feed, TupleTableSlot *row)
{
	/* by its values: those of a slot may be others than its tuple has */
	slot_getallattrs(row);
	tuplestore_putvalues(feed->candidates, row->tts_tupleDescriptor, row->tts_values, row->tts_isnull);
}

int64
lyf_candidates_run(LyfFeed *feed, const char *sql)
{
	EphemeralNamedRelationData candidates = {0};
	LyfSourceScope scope = lyf_owner_enter(feed->table->vault->owner, "pg_catalog, pg_temp");
	int64		processed;
	int			result;

	candidates.md.name = LYF_CANDIDATES;
	candidates.md.tupdesc = feed->row->tts_tupleDescriptor;
	candidates.md.enrtype = ENR_NAMED_TUPLESTORE;
	candidates.md.enrtuples = tuplestore_tuple_count(feed->candidates);
	candidates.reldata = feed->candidates;
	/* as everywhere: compiling costs such statements more than it saves */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	if ((result = SPI_register_relation(&candidates)) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation: %s", SPI_result_code_string(result));
	if ((result = SPI_execute(sql, false, 0)) != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute: %s", SPI_result_code_string(result));
	processed = SPI_processed;
	SPI_finish();
	lyf_source_leave(&scope);
	return processed;
}

void
lyf_candidates_end(LyfFeed *feed)
{
	tuplestore_end(feed->candidates);
	feed->candidates = NULL;
}

/* can a statement give it a value? */
static bool
is_written(Form_pg_attribute attribute)
{
	return !attribute->attisdropped && attribute->attgenerated == '\0';
}

char *
lyf_feed_column_list(const LyfFeed *feed, const char *prefix)
{
	TupleDesc	desc = RelationGetDescr(feed->rel);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
		if (is_written(TupleDescAttr(desc, i)))
			appendStringInfo(&list, "%s%s%s", list.len > 0 ? ", " : "", prefix, quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));
	return list.data;
}

char *
lyf_feed_columns_with(const LyfFeed *feed, const char *column, const char *expr)
{
	TupleDesc	desc = RelationGetDescr(feed->rel);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (!is_written(TupleDescAttr(desc, i)))
			continue;
		if (strcmp(name, column) == 0)
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", expr);
		else
			appendStringInfo(&list, "%sc.%s", list.len > 0 ? ", " : "", quote_identifier(name));
	}
	return list.data;
}
