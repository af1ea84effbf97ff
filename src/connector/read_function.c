/*
 * read_function.c
 *		lyftron.read: the records of a stream as JSON, and its state between them.
 *
 * Rows go into a tuplestore page by page: what is more than work_mem goes to disk.
 * A row with a state says that all rows before it need not be read again.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/settings.h"
#include "connector/connector.h"

/* a state up to this many bytes is given after each slice, a larger one only now and then */
#define SMALL_STATE	65536

LYF_FUNCTION_INFO_V1(lyf_read);

typedef struct ReadOutput
{
	ReturnSetInfo *rsinfo;
	LyfAccount *account;
	LyfStream  *stream;
	LyfReader  *reader;			/* NULL: not begun */
	MemoryContext state_cxt;
	char	   *last_state;		/* as text, in state_cxt */
	int64		last_us;		/* when it was given */
} ReadOutput;

static void
put_row(ReadOutput *output, LyfValue *record, LyfValue *state)
{
	Datum		values[2] = {0};
	bool		nulls[2] = {record == NULL, state == NULL};

	if (record != NULL)
		values[0] = JsonbPGetDatum(lyf_value_to_jsonb(record));
	if (state != NULL)
		values[1] = JsonbPGetDatum(lyf_value_to_jsonb(state));
	tuplestore_putvalues(output->rsinfo->setResult, output->rsinfo->setDesc, values, nulls);
}

/* A row with the state, unless it is the same as before. */
static void
put_state(ReadOutput *output)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "lyftron state", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	LyfValue   *state;
	char	   *text;

	LYF_CHECK(lyf_reader_state(output->reader, &state));
	text = lyf_value_to_text(state);
	if (output->last_state == NULL || strcmp(text, output->last_state) != 0)
	{
		put_row(output, NULL, state);
		MemoryContextReset(output->state_cxt);
		output->last_state = MemoryContextStrdup(output->state_cxt, text);
	}
	output->last_us = lyf_monotonic_us();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}

/* Is it worth it to give the state now? */
static bool
state_due(const ReadOutput *output)
{
	if (output->last_state == NULL || strlen(output->last_state) <= SMALL_STATE)
		return true;
	return lyf_monotonic_us() - output->last_us >= lyf_checkpoint_interval * INT64CONST(1000);
}

static void
describe_read(void *arg)
{
	ReadOutput *output = arg;

	if (output->reader != NULL)
		errcontext("reading %s", lyf_reader_describe(output->reader));
	else
		errcontext("reading server \"%s\", stream \"%s\"", output->account->server_name, output->stream->name);
}

static void
read_all(ReadOutput *output, bool has_cursor)
{
	MemoryContext row_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron row", ALLOCSET_DEFAULT_SIZES);

	for (;;)
	{
		LyfRecords *records;
		TimestampTz extracted_at;
		MemoryContext caller;

		CHECK_FOR_INTERRUPTS();
		LYF_CHECK(lyf_reader_next(output->reader, &records, &extracted_at));
		if (records == NULL)
			break;
		lyf_reader_ahead(output->reader, INT_MAX);
		caller = MemoryContextSwitchTo(row_cxt);
		for (int i = 0; i < records->count; i++)
		{
			put_row(output, records->record[i], NULL);
			MemoryContextReset(row_cxt);
		}
		MemoryContextSwitchTo(caller);
		if (lyf_reader_slice_done(output->reader) && has_cursor && state_due(output))
			put_state(output);
	}
	put_state(output);
}

Datum
lyf_read(PG_FUNCTION_ARGS)
{
	ReadOutput	output = {.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo};
	LyfReadOptions options = {0};
	LyfNetStats stats = {0};
	ErrorContextCallback context;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("server and stream must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	output.account = lyf_account_get(lyf_server_get(text_to_cstring(PG_GETARG_TEXT_PP(0))), GetUserId());
	LYF_CHECK(lyf_account_stream(output.account, text_to_cstring(PG_GETARG_TEXT_PP(1)), &output.stream));
	if (!PG_ARGISNULL(2))
		options.state = lyf_value_from_jsonb(PG_GETARG_JSONB_P(2));
	options.stats = &stats;

	context.callback = describe_read;
	context.arg = &output;
	context.previous = error_context_stack;
	error_context_stack = &context;
	LYF_CHECK(lyf_reader_begin(output.account, output.stream, &options, &output.reader));
	output.state_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron last state", ALLOCSET_SMALL_SIZES);
	read_all(&output, output.stream->cursor != NULL);
	error_context_stack = context.previous;
	lyf_reader_end(output.reader);
	return (Datum) 0;
}
