/*
 * catalog.c
 *		Lyftron's own tables, reached by SPI.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/version.h"

Oid
lyf_schema_oid(void)
{
	return get_namespace_oid("lyftron", false);
}

/* what was found of the extension, and when, by the count of changes */
typedef struct Known
{
	uint64		at;
	Oid			owner;			/* of its tables: who ran the install script */
	Oid			extension;		/* InvalidOid: the tables are no extension's */
} Known;

static Known
look_up(void)
{
	Known		known = {.at = lyf_version_changes()};
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(get_relname_relid("connector", lyf_schema_oid())));

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the lyftron extension's tables are not there"),
				 errhint("Run CREATE EXTENSION lyftron in this database.")));
	known.owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	known.extension = get_extension_oid("lyftron", true);
	return known;
}

/*
 * Who drops the extension locks it first, and then table after table: without a lock on it, he and we could wait for each
 * other's.
 */
Oid
lyf_catalog_owner(void)
{
	static Known known;

	if (known.at != lyf_version_changes())
		known = look_up();
	if (OidIsValid(known.extension))
		LockDatabaseObject(ExtensionRelationId, known.extension, 0, AccessShareLock);
	/* it may have gone while we waited */
	if (known.at != lyf_version_changes())
		known = look_up();
	lyf_version_require();
	return known.owner;
}

/* what entering puts aside */
typedef struct Scope
{
	Oid			caller;
	int			sec_context;
	int			guc_level;
} Scope;

static void
set_for_now(const char *setting, const char *value)
{
	(void) set_config_option(setting, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Be the tables' owner, with only pg_catalog in the search_path.  A plan that is kept goes by the indexes: it
 * may have been made when a table was empty, and be used when it is not.
 */
static Scope
enter(bool keep)
{
	Scope		scope;

	GetUserIdAndSecContext(&scope.caller, &scope.sec_context);
	scope.guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(lyf_catalog_owner(), scope.sec_context | SECURITY_LOCAL_USERID_CHANGE);
	set_for_now("search_path", "pg_catalog, pg_temp");
	if (keep)
	{
		set_for_now("enable_seqscan", "off");
		set_for_now("enable_bitmapscan", "off");	/* the first row of an index is wanted, not all of them, sorted */
		set_for_now("jit", "off");	/* what is off costs so much that it would seem worth it */
		set_for_now("enable_hashjoin", "off");
		set_for_now("enable_mergejoin", "off");
	}
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	return scope;
}

static void
leave(const Scope *scope)
{
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->caller, scope->sec_context);
}

static uint64
hand_out(int result, const char *sql, LyfCatalogRow row, void *arg)
{
	SPITupleTable *table = SPI_tuptable;
	uint64		processed = SPI_processed;

	if (result < 0)
		elog(ERROR, "catalog statement failed with %s: %s", SPI_result_code_string(result), sql);
	for (uint64 i = 0; row != NULL && table != NULL && i < table->numvals; i++)
		row(arg, table->vals[i], table->tupdesc);
	return processed;
}

static void
set_null_flags(char *flags, int nargs, const bool *nulls)
{
	Assert(nargs <= LYF_CATALOG_ARGS);
	for (int i = 0; i < nargs; i++)
		flags[i] = nulls != NULL && nulls[i] ? 'n' : ' ';
}

static SPIPlanPtr
prepare(const char *sql, int nargs, const Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, nargs, (Oid *) types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "catalog statement failed with %s: %s", SPI_result_code_string(SPI_result), sql);
	return plan;
}

/* keep: the plan is made by the first call, for all that come */
static uint64
run(LyfCatalogPlan *statement, bool keep, int nargs, const Oid *types, const Datum *values, const bool *nulls,
	LyfCatalogRow row, void *arg)
{
	char		null_flags[LYF_CATALOG_ARGS];
	Scope		scope;
	uint64		processed;
	int			result;

	set_null_flags(null_flags, nargs, nulls);
	scope = enter(keep);
	if (keep && statement->plan == NULL)
		statement->plan = prepare(statement->sql, nargs, types);
	if (keep)
		result = SPI_execute_plan(statement->plan, (Datum *) values, null_flags, false, 0);
	else
		result = SPI_execute_with_args(statement->sql, nargs, (Oid *) types, (Datum *) values, null_flags, false, 0);
	processed = hand_out(result, statement->sql, row, arg);
	leave(&scope);
	return processed;
}

uint64
lyf_catalog_run(const char *sql, int nargs, const Oid *types,
				const Datum *values, const bool *nulls,
				LyfCatalogRow row, void *arg)
{
	LyfCatalogPlan once = {.sql = sql};

	return run(&once, false, nargs, types, values, nulls, row, arg);
}

uint64
lyf_catalog_run_kept(LyfCatalogPlan *kept, int nargs, const Oid *types,
					 const Datum *values, const bool *nulls,
					 LyfCatalogRow row, void *arg)
{
	return run(kept, true, nargs, types, values, nulls, row, arg);
}

Datum
lyf_catalog_column(HeapTuple tuple, TupleDesc desc, const char *name, bool *isnull)
{
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		elog(ERROR, "column \"%s\" is missing in a row of lyftron's tables", name);
	return SPI_getbinval(tuple, desc, number, isnull);
}

char *
lyf_catalog_text(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

int64
lyf_catalog_integer(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	if (isnull)
		return 0;
	return SPI_gettypeid(desc, SPI_fnumber(desc, name)) == INT8OID ? DatumGetInt64(value) : DatumGetInt32(value);
}

Oid
lyf_catalog_oid(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

bool
lyf_catalog_bool(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, name, &isnull);

	return !isnull && DatumGetBool(value);
}

void
lyf_catalog_take_id(void *arg, HeapTuple tuple, TupleDesc desc)
{
	*(int64 *) arg = lyf_catalog_integer(tuple, desc, "id");
}

void
lyf_catalog_take_bool(void *arg, HeapTuple tuple, TupleDesc desc)
{
	*(bool *) arg = lyf_catalog_bool(tuple, desc, NameStr(TupleDescAttr(desc, 0)->attname));
}

Datum
lyf_text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}
