/*
 * check.c
 *		lyftron.check: does a server's configuration work?
 *
 * As the reference engine does, the first slice of each stream that the manifest
 * names for it is read up to its first record; none is fine, too.  What goes
 * wrong becomes a row, also what is raised on the way: each step runs in a
 * subtransaction of its own.  Only a cancelled statement ends it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/guard.h"
#include "connector/connector.h"

LYF_FUNCTION_INFO_V1(lyf_check);

typedef struct Check
{
	ReturnSetInfo *result;
	Oid			server;
	LyfAccount *account;		/* once it is there */
	const char *mapping;		/* whose, or NULL */
	List	   *streams;		/* names of those to be checked */
} Check;

/* a step: what it found to be right, or why it is not */
typedef LyfFailure *(*CheckStep) (Check *check, const char *stream, char **found);

static void
put_row(Check *check, bool ok, const char *stream, const char *message)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	values[0] = BoolGetDatum(ok);
	nulls[1] = stream == NULL;
	if (stream != NULL)
		values[1] = CStringGetTextDatum(stream);
	values[2] = CStringGetTextDatum(message);
	nulls[3] = check->mapping == NULL;
	if (check->mapping != NULL)
		values[3] = CStringGetTextDatum(check->mapping);
	tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

/* one more sentence, after what is there */
static void
add_sentence(StringInfo text, const char *sentence)
{
	if (sentence == NULL)
		return;
	if (text->len > 0 && strchr(".!?", text->data[text->len - 1]) == NULL)
		appendStringInfoChar(text, '.');
	appendStringInfo(text, "%s%s", text->len > 0 ? " " : "", sentence);
}

/* all that a failure says, in one line, without what is secret */
static char *
describe(const Check *check, const char *message, const char *detail, const char *hint)
{
	StringInfoData text;

	initStringInfo(&text);
	add_sentence(&text, message);
	add_sentence(&text, detail);
	add_sentence(&text, hint);
	if (check->account == NULL)
		return text.data;
	return lyf_redact_text(text.data, check->account->secrets, check->account->secret_count);
}

static bool
must_stop(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION;
}

/* a step being taken */
typedef struct Attempt
{
	Check	   *check;
	CheckStep	step;
	const char *stream;
	char	  **found;
	LyfFailure *failure;
} Attempt;

static bool
attempt(void *arg)
{
	Attempt    *a = arg;

	a->failure = a->step(a->check, a->stream, a->found);
	return true;
}

/*
 * Take one step, with all that may be raised in it.  False: it went wrong, and
 * there is a row that says so.
 */
static bool
take_step(Check *check, CheckStep step, const char *stream, char **found)
{
	Attempt		taken = {.check = check, .step = step, .stream = stream, .found = found};
	ErrorData  *error = lyf_guarded(attempt, &taken);
	LyfFailure *failure = taken.failure;

	if (error != NULL && must_stop(error))
		ReThrowError(error);
	if (error != NULL)
		put_row(check, false, stream, describe(check, error->message, error->detail, error->hint));
	else if (failure != NULL)
		put_row(check, false, stream, describe(check, failure->message, failure->detail, failure->hint));
	return error == NULL && failure == NULL;
}

static LyfFailure *
find_account(Check *check, const char *stream, char **found)
{
	LyfAccount *account = lyf_account_open(check->server, GetUserId());

	check->account = account;
	if (account->has_mapping)
		check->mapping = OidIsValid(account->mapping_user) ? GetUserNameFromId(account->mapping_user, false) : "public";
	LYF_TRY(lyf_spec_check(account->connector, account->given, true));
	return lyf_config_validate(account->connector, account->config);
}

/* the first records of the first slice */
static LyfFailure *
read_first(LyfReader *reader, int *count)
{
	LyfRecords *records;
	TimestampTz extracted_at;

	*count = 0;
	do
	{
		LYF_TRY(lyf_reader_next(reader, &records, &extracted_at));
		if (records == NULL)
			return NULL;
		*count = records->count;
	} while (*count == 0 && !lyf_reader_slice_done(reader));
	return NULL;
}

static LyfFailure *
read_stream(Check *check, const char *name, char **found)
{
	LyfReadOptions options = {.full_refresh = true};
	LyfStream  *stream;
	LyfReader  *reader;
	LyfFailure *failure;
	int			count;

	LYF_TRY(lyf_account_stream(check->account, name, &stream));
	LYF_TRY(lyf_reader_begin(check->account, stream, &options, &reader));
	failure = read_first(reader, &count);
	if (failure != NULL)
		failure = lyf_failure_copy(failure);
	lyf_reader_end(reader);
	*found = count > 0 ? "connected, records can be read" : "connected, there are no records";
	return failure;
}

/* some of the streams that an account has: the first count ones, of a dynamic stream if one is named */
static List *
add_first(List *streams, const char *definition, int64 count, List *names)
{
	ListCell   *lc;

	foreach(lc, streams)
	{
		const LyfListedStream *listed = lfirst(lc);

		if (definition != NULL && (listed->definition == NULL || strcmp(listed->definition, definition) != 0))
			continue;
		if (count-- <= 0)
			break;
		names = lappend(names, unconstify(char *, listed->name));
	}
	return names;
}

/* how many of the streams that only an account shows the manifest wants to be checked (CheckDynamicStream, and part of CheckStream) */
static LyfFailure *
add_dynamic(const LyfComponent *check, const LyfAccount *account, List **names)
{
	size_t		count = lyf_component_count(check, "dynamic_streams_check_configs");
	int64		wanted;

	if (strcmp(check->type, "CheckDynamicStream") == 0)
	{
		LYF_TRY(lyf_component_int(check, "stream_count", 1, &wanted));
		*names = add_first(lyf_account_streams(account), NULL, wanted, *names);
	}
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent one = lyf_component_item(check, "dynamic_streams_check_configs", i);
		const char *definition;

		LYF_TRY(lyf_component_text(&one, "dynamic_stream_name", "", &definition));
		LYF_TRY(lyf_component_int(&one, "stream_count", 0, &wanted));
		/* none, or all of them */
		*names = add_first(lyf_account_streams(account), definition, wanted > 0 ? wanted : PG_INT64_MAX, *names);
	}
	return NULL;
}

/* the streams that the manifest wants to be checked; if it does not say, the first one */
static LyfFailure *
find_streams(const LyfAccount *account, List **names)
{
	LyfComponent manifest = lyf_component(account->connector->manifest, "");
	LyfComponent check = lyf_component_child(&manifest, "check");
	json_t	   *name;
	size_t		i;

	json_array_foreach(json_object_get(check.json, "stream_names"), i, name)
	{
		if (json_is_string(name))
			*names = lappend(*names, pstrdup(json_string_value(name)));
	}
	if (check.json != NULL)
		LYF_TRY(add_dynamic(&check, account, names));
	if (*names == NIL)
		*names = add_first(lyf_account_streams(account), NULL, 1, NIL);
	return NULL;
}

static LyfFailure *
choose_streams(Check *check, const char *stream, char **found)
{
	return find_streams(check->account, &check->streams);
}

Datum
lyf_check(PG_FUNCTION_ARGS)
{
	Check		check = {(ReturnSetInfo *) fcinfo->resultinfo};
	ListCell   *lc;

	check.server = lyf_server_get(NameStr(*PG_GETARG_NAME(0)));
	InitMaterializedSRF(fcinfo, 0);
	if (!take_step(&check, find_account, NULL, NULL) || !take_step(&check, choose_streams, NULL, NULL))
		return (Datum) 0;
	foreach(lc, check.streams)
	{
		char	   *found;

		if (take_step(&check, read_stream, lfirst(lc), &found))
			put_row(&check, true, lfirst(lc), found);
	}
	return (Datum) 0;
}
