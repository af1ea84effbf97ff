/*
 * discover.c
 *		lyftron.discover: what a server offers, a row a column.
 *
 * Columns are those of the stream's schema.  A stream without one is read, a few
 * records of it, to see.  A stream that cannot be read is a row with a note.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "connector/connector.h"

LYF_FUNCTION_INFO_V1(lyf_discover);

/* how many records tell what a stream without a schema looks like */
#define SAMPLE_RECORDS	100

typedef struct Discovery
{
	ReturnSetInfo *result;
	const LyfAccount *account;
	LyfSession	session;		/* enough of one for a cursor's name */
} Discovery;

static void
put_note(Discovery *discovery, const char *stream, const LyfFailure *failure)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false, true, true, true, true, true, false};
	char	   *note = psprintf("%s%s%s", failure->message,
								failure->detail != NULL ? ". " : "",
								failure->detail != NULL ? failure->detail : "");

	values[0] = CStringGetTextDatum(stream);
	values[6] = CStringGetTextDatum(lyf_redact_text(note, discovery->account->secrets,
													discovery->account->secret_count));
	tuplestore_putvalues(discovery->result->setResult, discovery->result->setDesc, values, nulls);
}

/* a key's part that is a field of its own, not one inside of another */
static bool
is_in_key(const LyfValue *primary_key, const char *column)
{
	lyf_foreach(path, primary_key)
	{
		if (path->len == 1 && strcmp(path->u.first->u.text, column) == 0)
			return true;
	}
	return false;
}

static void
put_column(Discovery *discovery, const LyfStream *stream, const LyfColumn *column,
		   const char *cursor, const char *note)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false};

	values[0] = CStringGetTextDatum(stream->name);
	values[1] = CStringGetTextDatum(column->name);
	values[2] = CStringGetTextDatum(format_type_with_typemod(column->type, column->typmod));
	values[3] = BoolGetDatum(column->nullable || note != NULL); /* records to come may lack it */
	values[4] = BoolGetDatum(is_in_key(stream->primary_key, column->name));
	values[5] = BoolGetDatum(cursor != NULL && strcmp(cursor, column->name) == 0);
	nulls[6] = note == NULL;
	if (note != NULL)
		values[6] = CStringGetTextDatum(note);
	tuplestore_putvalues(discovery->result->setResult, discovery->result->setDesc, values, nulls);
}

static LyfFailure *
sample_pages(LyfReader *reader, LyfInference *inference)
{
	int			seen = 0;

	while (seen < SAMPLE_RECORDS)
	{
		LyfRecords *records;
		TimestampTz extracted_at;

		LYF_TRY(lyf_reader_next(reader, &records, &extracted_at));
		if (records == NULL)
			return NULL;
		for (int i = 0; i < records->count && seen < SAMPLE_RECORDS; i++, seen++)
			lyf_infer_record(inference, records->record[i]);
	}
	return NULL;
}

static LyfFailure *
sample_columns(Discovery *discovery, LyfStream *stream, List **columns)
{
	LyfReadOptions options = {.full_refresh = true};
	LyfInference *inference = lyf_infer_begin();
	LyfReader  *reader;
	LyfFailure *failure;

	LYF_TRY(lyf_reader_begin(discovery->account, stream, &options, &reader));
	failure = sample_pages(reader, inference);
	if (failure != NULL)
		failure = lyf_failure_copy(failure);
	else
		*columns = lyf_infer_columns(inference);
	lyf_reader_end(reader);
	return failure;
}

static LyfFailure *
put_stream(Discovery *discovery, const char *name)
{
	const char *note = NULL;
	char	   *cursor = NULL;
	LyfStream  *stream;
	List	   *columns = NIL;
	ListCell   *lc;

	LYF_TRY(lyf_account_stream(discovery->account, name, &stream));
	if (stream->cursor != NULL)
		LYF_TRY(lyf_cursor_field(stream->cursor, &discovery->session, &cursor));
	LYF_TRY(lyf_stream_columns(discovery->account, stream, &columns));
	if (columns == NIL)
	{
		LYF_TRY(sample_columns(discovery, stream, &columns));
		note = "from the first records";
	}
	if (columns == NIL)
		return lyf_failure(ERRCODE_FDW_NO_SCHEMAS, "it has no schema, and no records that would show one");
	foreach(lc, columns)
		put_column(discovery, stream, lfirst(lc), cursor, note);
	return NULL;
}

Datum
lyf_discover(PG_FUNCTION_ARGS)
{
	Discovery	discovery = {(ReturnSetInfo *) fcinfo->resultinfo};
	LyfListedStream asked = {0};
	MemoryContext cxt;
	List	   *streams;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	discovery.account = lyf_account_get(lyf_server_get(NameStr(*PG_GETARG_NAME(0))), GetUserId());
	discovery.session.config = discovery.account->config;
	lyf_scope_init(&discovery.session.scope, NULL);
	lyf_scope_set(&discovery.session.scope, "config", discovery.account->config);
	if (!PG_ARGISNULL(1))
		asked.name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	streams = PG_ARGISNULL(1) ? lyf_account_streams(discovery.account) : list_make1(&asked);

	cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron stream", ALLOCSET_DEFAULT_SIZES);
	foreach(lc, streams)
	{
		const LyfListedStream *listed = lfirst(lc);
		MemoryContext old = MemoryContextSwitchTo(cxt);
		LyfFailure *failure = listed->failure != NULL ? listed->failure : put_stream(&discovery, listed->name);

		CHECK_FOR_INTERRUPTS();
		if (failure != NULL && failure->sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND)
			lyf_failure_raise(failure);
		if (failure != NULL)
			put_note(&discovery, listed->name, failure);
		MemoryContextSwitchTo(old);
		MemoryContextReset(cxt);
	}
	MemoryContextDelete(cxt);
	return (Datum) 0;
}
