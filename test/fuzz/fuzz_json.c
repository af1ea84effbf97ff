/*
 * fuzz_json.c
 *		A document through parser, printer, jsonb, the casts and inference, compared with jsonb_in.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "fuzz.h"
#include "base/json.h"
#include "decode/decode.h"

LYF_FUNCTION_INFO_V1(fuzz_json);

/* columns a, b, c ... of these types; a record's field of that name is cast to it */
static const struct
{
	Oid			type;
	int32		typmod;
}			columns[] = {
	{BOOLOID, -1}, {INT2OID, -1}, {INT4OID, -1}, {INT8OID, -1}, {FLOAT4OID, -1}, {FLOAT8OID, -1},
	{NUMERICOID, -1}, {NUMERICOID, ((10 << 16) | 2) + VARHDRSZ}, {TEXTOID, -1}, {VARCHAROID, 5 + VARHDRSZ},
	{BPCHAROID, 5 + VARHDRSZ}, {JSONOID, -1}, {JSONBOID, -1}, {UUIDOID, -1}, {DATEOID, -1}, {TIMEOID, -1},
	{TIMESTAMPOID, -1}, {TIMESTAMPOID, 3}, {TIMESTAMPTZOID, -1}, {INT8ARRAYOID, -1}, {TEXTARRAYOID, -1},
	{INTERVALOID, -1}, {BYTEAOID, -1}, {INETOID, -1}
};

#define COLUMNS	((int) lengthof(columns))

static LyfRowCast *row_cast;
static FmgrInfo output[lengthof(columns)];

static void
prepare(void)
{
	static const char *path[lengthof(columns)];
	LyfRowColumn *wanted = palloc0(sizeof(LyfRowColumn) * COLUMNS);
	TupleDesc	desc = CreateTemplateTupleDesc(COLUMNS);

	for (int i = 0; i < COLUMNS; i++)
	{
		Oid			function;
		bool		varlena;

		path[i] = psprintf("%c", 'a' + i);
		TupleDescInitEntry(desc, i + 1, path[i], columns[i].type, columns[i].typmod, 0);
		wanted[i].attno = i + 1;
		wanted[i].path = &path[i];
		wanted[i].path_len = 1;
		getTypeOutputInfo(columns[i].type, &function, &varlena);
		fmgr_info(function, &output[i]);
	}
	row_cast = lyf_row_cast_begin(desc, wanted, COLUMNS);
}

/* what jsonb_in does not take and we do, as the reference engine does */
static bool
has_extension(const char *text, size_t len)
{
	return strncmp(text, "\xEF\xBB\xBF", 3) == 0 || strstr(text, "NaN") != NULL || strstr(text, "Infinity") != NULL;
}

/* the verdict of the server's own parser, and ours */
static void
compare(const char *text, size_t len, const LyfFailure *failure, const LyfValue *value)
{
	Jsonb	   *theirs;
	Jsonb	   *ours;

	if (memchr(text, '\0', len) != NULL || pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
	{
		fuzz_expect(failure != NULL, "takes what is not valid text");
		return;
	}
	theirs = fuzz_jsonb_in(text);
	if (failure != NULL)
	{
		fuzz_expect(theirs == NULL || strstr(failure->message, "nested too deeply") != NULL,
					"refuses what jsonb takes: %s", failure->message);
		return;
	}
	if (has_extension(text, len))
		return;
	ours = fuzz_to_jsonb(value);
	fuzz_expect((ours == NULL) == (theirs == NULL), "jsonb %s this, we do not", theirs == NULL ? "refuses" : "takes");
	fuzz_expect(ours == NULL || fuzz_same_jsonb(ours, theirs), "jsonb has another value");
}

/* casts raise nothing, and what they make can be shown */
static void
cast_record(const LyfValue *record)
{
	Datum		values[lengthof(columns)];
	bool		nulls[lengthof(columns)];
	MemoryContext caller = CurrentMemoryContext;
	LyfFailure *failure;

	PG_TRY();
	{
		failure = lyf_row_cast(row_cast, record, values, nulls);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		fuzz_expect(geterrcode() == ERRCODE_QUERY_CANCELED, "a cast raises: %s", CopyErrorData()->message);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (failure != NULL)
		return;
	for (int i = 0; i < COLUMNS; i++)
	{
		if (!nulls[i])
			OutputFunctionCall(&output[i], values[i]);
	}
}

static void
infer(const LyfValue *records)
{
	LyfInference *inference = lyf_infer_begin();

	lyf_foreach(record, records)
	{
		if (record->kind == LYF_MAP)
			lyf_infer_record(inference, record);
	}
	lyf_infer_columns(inference);
}

static void
try_json(const char *data, size_t size)
{
	char	   *text = palloc(size + 1);
	LyfValue   *value;
	LyfFailure *failure;

	memcpy(text, data, size);
	text[size] = '\0';
	failure = lyf_json_parse_copy(text, size, &value);
	compare(text, size, failure, value);
	if (failure != NULL)
		return;
	fuzz_print(value);
	lyf_value_copy(value);
	if (value->kind == LYF_MAP)
	{
		cast_record(value);
		lyf_columns_from_schema(value);
	}
	else if (value->kind == LYF_LIST)
	{
		infer(value);
		lyf_foreach(record, value)
			cast_record(record);
	}
}

Datum
fuzz_json(PG_FUNCTION_ARGS)
{
	MemoryContextSwitchTo(TopMemoryContext);
	prepare();
	fuzz_run(PG_GETARG_ARRAYTYPE_P(0), try_json);
	PG_RETURN_VOID();
}
