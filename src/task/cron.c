/*
 * cron.c
 *		Entries of pg_cron that work for a pool, where a host lets nobody run background
 *		workers.
 *
 * Each entry is one worker: a session that takes tasks, waits for more, is woken when there
 * are some, and ends when there were none for about as long as it takes the next one to begin.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "load/load.h"

LYF_FUNCTION_INFO_V1(lyf_schedule_with_pg_cron);
LYF_FUNCTION_INFO_V1(lyf_unschedule_from_pg_cron);

#define MAX_ENTRIES		64

static char *
entry_name(const char *pool, int number)
{
	return psprintf("lyftron %s %d", pool, number);
}

static char *
entry_command(const char *pool)
{
	return psprintf("CALL lyftron.work(%s, wait => '55 seconds')", quote_literal_cstr(pool));
}

/* pg_cron is in one database of the cluster: elsewhere, say what is to be done there. */
static void
require_pg_cron(const char *pool, const char *schedule)
{
	const char *home = GetConfigOption("cron.database_name", true, false);

	if (OidIsValid(get_namespace_oid("cron", true)) && OidIsValid(get_relname_relid("job", get_namespace_oid("cron", true))))
		return;
	if (home == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron is not there"),
				 errhint("Add pg_cron to shared_preload_libraries, restart the server, and CREATE EXTENSION pg_cron.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the extension pg_cron is not in this database"),
			 errdetail("It can be in one database of a cluster: that is \"%s\".", home),
			 errhint("Execute there: SELECT cron.schedule_in_database(%s, %s, %s, %s);",
					 quote_literal_cstr(entry_name(pool, 1)), quote_literal_cstr(schedule),
					 quote_literal_cstr(entry_command(pool)), quote_literal_cstr(get_database_name(MyDatabaseId)))));
}

/* As the caller, who needs USAGE on the schema cron. */
static void
execute(const char *sql, const char *first, const char *second, const char *third)
{
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};
	const char *texts[3] = {first, second, third};
	int			count = 0;

	while (count < 3 && texts[count] != NULL)
	{
		values[count] = CStringGetTextDatum(texts[count]);
		count++;
	}
	SPI_connect();
	if (SPI_execute_with_args(sql, count, types, values, nulls, false, 0) < 0)
		elog(ERROR, "a statement for pg_cron failed: %s", sql);
	SPI_finish();
}

/* Entries of a pool whose number is greater than that; the user's own, which is all that the view shows. */
static void
remove_entries(const char *pool, int above)
{
	execute("SELECT cron.unschedule(jobname) FROM cron.job"
			" WHERE jobname LIKE replace(replace($1, '_', '\\_'), '%', '\\%') || ' %' AND jobname ~ ' [0-9]+$'"
			" AND substring(jobname FROM '[0-9]+$')::integer > $2::integer AND username = current_user",
			psprintf("lyftron %s", pool), psprintf("%d", above), NULL);
}

static void
put_entry(ReturnSetInfo *result, const char *name, const char *schedule, const char *command)
{
	Datum		values[3] = {CStringGetTextDatum(name), CStringGetTextDatum(schedule), CStringGetTextDatum(command)};
	bool		nulls[3] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* lyftron.schedule_with_pg_cron(pool, workers, every) */
Datum
lyf_schedule_with_pg_cron(PG_FUNCTION_ARGS)
{
	char	   *pool = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			workers = PG_GETARG_INT32(1);
	char	   *schedule = text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (workers < 1 || workers > MAX_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there can be from 1 to %d workers", MAX_ENTRIES)));
	require_pg_cron(pool, schedule);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= workers; i++)
	{
		execute("SELECT cron.schedule($1, $2, $3)", entry_name(pool, i), schedule, entry_command(pool));
		put_entry((ReturnSetInfo *) fcinfo->resultinfo, entry_name(pool, i), schedule, entry_command(pool));
	}
	remove_entries(pool, workers);
	return (Datum) 0;
}

/* lyftron.unschedule_from_pg_cron(pool) */
Datum
lyf_unschedule_from_pg_cron(PG_FUNCTION_ARGS)
{
	char	   *pool = text_to_cstring(PG_GETARG_TEXT_PP(0));

	require_pg_cron(pool, "* * * * *");
	remove_entries(pool, 0);
	PG_RETURN_VOID();
}
