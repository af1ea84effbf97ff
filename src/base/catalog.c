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
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/catalog.h"

Oid
lyf_schema_oid(void)
{
	return get_namespace_oid("lyftron", false);
}

/*
 * Keep the extension from being dropped until the transaction ends.  Who drops it locks it first, and then table after
 * table: without this, he and we could wait for each other's.
 */
static void
lock_extension(Oid relid)
{
	static Oid	known_relid = InvalidOid;
	static Oid	extension = InvalidOid;

	if (relid != known_relid)
		extension = get_extension_oid("lyftron", true);
	known_relid = relid;
	if (OidIsValid(extension))
		LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
}

/* The owner of the extension's tables: who ran the install script. */
static Oid
catalog_owner(void)
{
	Oid			relid = get_relname_relid("connector", lyf_schema_oid());
	HeapTuple	tuple;
	Oid			owner;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the lyftron extension's tables are not there"),
				 errhint("Run CREATE EXTENSION lyftron in this database.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	lock_extension(relid);
	return owner;
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
enter(bool keep, bool plain)
{
	Scope		scope;

	GetUserIdAndSecContext(&scope.caller, &scope.sec_context);
	scope.guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(catalog_owner(), scope.sec_context | SECURITY_LOCAL_USERID_CHANGE);
	if (!plain)
		set_for_now("search_path", "pg_catalog, pg_temp");
	if (keep && !plain)
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
	scope = enter(keep, statement->plain && statement->plan != NULL);
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
