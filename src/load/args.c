/*
 * args.c
 *		Arguments of catalog statements, and statements of the user's own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

#include "load/load.h"

void
lyf_args_datum(LyfArgs *args, Oid type, Datum value, bool isnull)
{
	Assert(args->count < LYF_CATALOG_ARGS);
	args->types[args->count] = type;
	args->values[args->count] = value;
	args->nulls[args->count] = isnull;
	args->count++;
}

void
lyf_args_text(LyfArgs *args, const char *text)
{
	lyf_args_datum(args, TEXTOID, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

void
lyf_args_int8(LyfArgs *args, int64 number)
{
	lyf_args_datum(args, INT8OID, Int64GetDatum(number), false);
}

void
lyf_args_texts(LyfArgs *args, List *texts, bool isnull)
{
	Datum	   *members = palloc(sizeof(Datum) * (list_length(texts) + 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, texts)
		members[n++] = CStringGetTextDatum((char *) lfirst(lc));
	lyf_args_datum(args, TEXTARRAYOID,
				  PointerGetDatum(construct_array(members, n, TEXTOID, -1, false, TYPALIGN_INT)),
				  isnull);
}

void
lyf_args_value(LyfArgs *args, const LyfValue *value)
{
	lyf_args_datum(args, JSONBOID,
				  value ? JsonbPGetDatum(lyf_value_to_jsonb(value)) : (Datum) 0, value == NULL);
}

uint64
lyf_args_run(const LyfArgs *args, const char *sql, LyfCatalogRow row, void *arg)
{
	return lyf_catalog_run(sql, args->count, args->types, args->values, args->nulls, row, arg);
}

uint64
lyf_args_run_kept(const LyfArgs *args, LyfCatalogPlan *plan, LyfCatalogRow row, void *arg)
{
	return lyf_catalog_run_kept(plan, args->count, args->types, args->values, args->nulls, row, arg);
}

typedef struct Collected
{
	MemoryContext cxt;
	LyfRowReader read;
	List	   *items;
} Collected;

static void
collect(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Collected  *collected = arg;
	MemoryContext old = MemoryContextSwitchTo(collected->cxt);

	collected->items = lappend(collected->items, collected->read(tuple, desc));
	MemoryContextSwitchTo(old);
}

List *
lyf_args_collect(const LyfArgs *args, LyfCatalogPlan *plan, LyfRowReader read)
{
	Collected	collected = {CurrentMemoryContext, read, NIL};

	lyf_args_run_kept(args, plan, collect, &collected);
	return collected.items;
}

List *
lyf_text_list(Datum array, bool isnull)
{
	List	   *result = NIL;
	Datum	   *members;
	bool	   *nulls;
	int			n;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &members, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a list of names must not contain nulls")));
		result = lappend(result, TextDatumGetCString(members[i]));
	}
	return result;
}

LyfValue *
lyf_catalog_value(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		datum = lyf_catalog_column(tuple, desc, name, &isnull);

	return isnull ? NULL : lyf_value_from_jsonb(DatumGetJsonbPCopy(datum));
}

uint64
lyf_load_execute_with(const char *sql, Oid type, Datum value)
{
	uint64		processed;
	int			level;
	int			result;

	/* compiling such statements costs more memory than their data, and saves no time */
	level = NewGUCNestLevel();
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	result = SPI_execute_with_args(sql, OidIsValid(type) ? 1 : 0, &type, &value, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "statement failed with %s: %s", SPI_result_code_string(result), sql);
	processed = SPI_processed;
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(false, level);
	return processed;
}

uint64
lyf_load_execute(const char *fmt,...)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&sql, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	return lyf_load_execute_with(sql.data, InvalidOid, (Datum) 0);
}
