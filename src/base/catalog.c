/*
 * catalog.c
 *		Lyftron's own tables, reached by SPI.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
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
	return owner;
}

uint64
lyf_catalog_run(const char *sql, int nargs, const Oid *types,
				const Datum *values, const bool *nulls,
				LyfCatalogRow row, void *arg)
{
	char		null_flags[LYF_CATALOG_ARGS];
	Oid			caller;
	int			sec_context;
	int			guc_level;
	int			result;
	uint64		processed;

	Assert(nargs <= LYF_CATALOG_ARGS);
	for (int i = 0; i < nargs; i++)
		null_flags[i] = nulls != NULL && nulls[i] ? 'n' : ' ';

	GetUserIdAndSecContext(&caller, &sec_context);
	guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(catalog_owner(), sec_context | SECURITY_LOCAL_USERID_CHANGE);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	result = SPI_execute_with_args(sql, nargs, (Oid *) types, (Datum *) values,
								   null_flags, false, 0);
	if (result < 0)
		elog(ERROR, "catalog statement failed with %s: %s", SPI_result_code_string(result), sql);
	processed = SPI_processed;
	if (row != NULL && SPI_tuptable != NULL)
	{
		SPITupleTable *table = SPI_tuptable;

		for (uint64 i = 0; i < table->numvals; i++)
			row(arg, table->vals[i], table->tupdesc);
	}
	PopActiveSnapshot();
	SPI_finish();

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(caller, sec_context);
	return processed;
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
