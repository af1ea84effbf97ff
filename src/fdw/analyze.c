/*
 * analyze.c
 *		ANALYZE of a foreign table: the stream is read once, and a sample of its
 *		rows, each as likely as any other, goes into the statistics.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"

void
lyf_sample_begin(LyfSample *sample, HeapTuple *rows, int target)
{
	memset(sample, 0, sizeof(LyfSample));
	sample->rows = rows;
	sample->target = target;
	sample->to_skip = -1;
	reservoir_init_selection_state(&sample->reservoir, target);
}

int
lyf_sample_place(LyfSample *sample)
{
	int			place = -1;

	if (sample->count < sample->target)
		place = sample->count++;
	else
	{
		if (sample->to_skip < 0)
			sample->to_skip = reservoir_get_next_S(&sample->reservoir, sample->seen, sample->target);
		if (sample->to_skip <= 0)
		{
			place = (int) (sample->target * sampler_random_fract(&sample->reservoir.randstate));
			heap_freetuple(sample->rows[place]);
		}
		sample->to_skip -= 1;
	}
	sample->seen += 1;
	return place;
}

static void
sample_page(LyfSample *sample, LyfReader *reader, const LyfRecords *records,
			LyfRowCast *cast, TupleDesc desc, Datum *values, bool *nulls)
{
	for (int i = 0; i < records->count; i++)
	{
		int			place = lyf_sample_place(sample);
		MemoryContext caller;

		if (place < 0)
			continue;
		caller = MemoryContextSwitchTo(lyf_reader_page_context(reader));
		LYF_CHECK(lyf_reader_redact(reader, lyf_row_cast(cast, records->record[i], values, nulls)));
		MemoryContextSwitchTo(caller);
		sample->rows[place] = heap_form_tuple(desc, values, nulls);
	}
}

static List *
all_columns(const LyfRestTable *table)
{
	List	   *attrs = NIL;

	for (int i = 0; i < table->natts; i++)
	{
		if (!table->columns[i].dropped)
			attrs = lappend_int(attrs, i + 1);
	}
	return attrs;
}

static int
acquire_sample(Relation rel, int elevel, HeapTuple *rows, int target,
			   double *total, double *dead)
{
	LyfRestTable *table = lyf_rest_table_open(rel, lyf_rest_user(InvalidOid));
	TupleDesc	desc = RelationGetDescr(rel);
	LyfRowCast *cast = lyf_rest_row_cast(table, desc, all_columns(table));
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	LyfReadOptions options = {.full_refresh = true};
	LyfSample	sample;
	LyfReader  *reader;
	LyfRecords *records;
	TimestampTz extracted_at;

	lyf_sample_begin(&sample, rows, target);
	LYF_CHECK(lyf_reader_begin(table->account, table->stream, &options, &reader));
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		LYF_CHECK(lyf_reader_next(reader, &records, &extracted_at));
		if (records == NULL)
			break;
		sample_page(&sample, reader, records, cast, desc, values, nulls);
	}
	lyf_reader_end(reader);

	*total = sample.seen;
	*dead = 0;
	ereport(elevel,
			(errmsg("\"%s\": %.0f records read, %d rows in sample",
					RelationGetRelationName(rel), sample.seen, sample.count)));
	return sample.count;
}

bool
lyf_rest_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages)
{
	/* a table that a foreign one inherits from is analyzed by itself, too: not over the network */
	if (lyf_is_autovacuum_worker())
		return false;
	*func = acquire_sample;

	/* a stream has no pages of ours; any number says that it is not empty */
	*pages = 1;
	return true;
}
