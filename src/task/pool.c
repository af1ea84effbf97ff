/*
 * pool.c
 *		SQL functions that make, alter and drop pools, and say how many tasks of a key may run
 *		at once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "task/board.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_create_pool);
LYF_FUNCTION_INFO_V1(lyf_alter_pool);
LYF_FUNCTION_INFO_V1(lyf_drop_pool);
LYF_FUNCTION_INFO_V1(lyf_set_concurrency);

static LyfCatalogPlan create_plan = {
	"INSERT INTO lyftron.pool (name, min_workers, max_workers, threshold, idle_timeout) VALUES ($1, $2, $3, $4, $5)"
	" ON CONFLICT DO NOTHING"
};

static LyfCatalogPlan alter_plan = {
	"UPDATE lyftron.pool SET min_workers = coalesce($2, min_workers), max_workers = coalesce($3, max_workers),"
	" threshold = coalesce($4, threshold), idle_timeout = coalesce($5, idle_timeout) WHERE name = $1"
};

static LyfCatalogPlan drop_plan = {
	"DELETE FROM lyftron.pool WHERE name = $1"
};

static LyfCatalogPlan limit_plan = {
	"INSERT INTO lyftron.concurrency (key, max_running) VALUES ($1, $2)"
	" ON CONFLICT (key) DO UPDATE SET max_running = excluded.max_running"
};

static LyfCatalogPlan unlimit_plan = {
	"DELETE FROM lyftron.concurrency WHERE key = $1"
};

static LyfCatalogPlan bounds_plan = {
	"SELECT min_workers >= 0 AND max_workers BETWEEN greatest(min_workers, 1) AND 256 AND threshold >= 0 AND idle_timeout >= interval '0' AS sound"
	" FROM (SELECT coalesce($2, min_workers, 0) AS min_workers, coalesce($3, max_workers, 2) AS max_workers, coalesce($4, threshold, 0) AS threshold,"
	"  coalesce($5, idle_timeout, interval '0') AS idle_timeout FROM (SELECT) one LEFT JOIN lyftron.pool ON name = $1) b"
};

/* tasks of one key at once, at most: each is a session */
#define MAX_RUNNING	1000

static char *
pool_name(FunctionCallInfo fcinfo)
{
	char	   *name;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the pool must be named")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("a pool's name must have from 1 to %d bytes", NAMEDATALEN - 1)));
	return name;
}

/* (name, min_workers, max_workers, threshold, idle_timeout) */
static uint64
run_for_pool(FunctionCallInfo fcinfo, LyfCatalogPlan *plan)
{
	bool		sound = false;
	LyfArgs		args = {0};

	lyf_args_text(&args, pool_name(fcinfo));
	for (int i = 1; i <= 3; i++)
		lyf_args_datum(&args, INT4OID, PG_GETARG_DATUM(i), PG_ARGISNULL(i));
	lyf_args_datum(&args, INTERVALOID, PG_GETARG_DATUM(4), PG_ARGISNULL(4));
	lyf_args_run_kept(&args, &bounds_plan, lyf_catalog_take_bool, &sound);
	if (!sound)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the bounds of pool \"%s\" are wrong", pool_name(fcinfo)),
				 errhint("0 <= min_workers <= max_workers, 1 <= max_workers <= 256, threshold and idle_timeout are not negative.")));
	lyf_wake_overseer_at_commit();
	return lyf_args_run_kept(&args, plan, NULL, NULL);
}

static void
refuse_unknown(FunctionCallInfo fcinfo)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no pool \"%s\"", pool_name(fcinfo)),
			 errhint("SELECT pool FROM lyftron.pool_health shows which there are.")));
}

/* lyftron.create_pool(name, min_workers, max_workers, threshold, idle_timeout) */
Datum
lyf_create_pool(PG_FUNCTION_ARGS)
{
	if (run_for_pool(fcinfo, &create_plan) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("pool \"%s\" already exists", pool_name(fcinfo)),
				 errhint("Use lyftron.alter_pool.")));
	PG_RETURN_VOID();
}

/* lyftron.alter_pool(name, min_workers, max_workers, threshold, idle_timeout) */
Datum
lyf_alter_pool(PG_FUNCTION_ARGS)
{
	if (run_for_pool(fcinfo, &alter_plan) == 0)
		refuse_unknown(fcinfo);
	PG_RETURN_VOID();
}

/* lyftron.drop_pool(name) */
Datum
lyf_drop_pool(PG_FUNCTION_ARGS)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pool_name(fcinfo));
	if (lyf_args_run_kept(&args, &drop_plan, NULL, NULL) == 0)
		refuse_unknown(fcinfo);
	lyf_wake_overseer_at_commit();
	PG_RETURN_VOID();
}

/* lyftron.set_concurrency(key, max_running) */
Datum
lyf_set_concurrency(PG_FUNCTION_ARGS)
{
	LyfArgs		args = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the key must be given")));
	lyf_args_datum(&args, TEXTOID, PG_GETARG_DATUM(0), false);
	if (!PG_ARGISNULL(1) && (PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > MAX_RUNNING))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("from 1 to %d tasks of a key can run at once", MAX_RUNNING),
				 errhint("Null takes the limit away; lyftron.pause_pipeline and pause_pool keep tasks from being begun.")));
	if (PG_ARGISNULL(1))
		lyf_args_run_kept(&args, &unlimit_plan, NULL, NULL);
	else
	{
		lyf_args_datum(&args, INT4OID, PG_GETARG_DATUM(1), false);
		lyf_args_run_kept(&args, &limit_plan, NULL, NULL);
	}
	lyf_wake_overseer_at_commit();
	PG_RETURN_VOID();
}
