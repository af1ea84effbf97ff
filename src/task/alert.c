/*
 * alert.c
 *		Alerts: who is told when a pipeline failed, is well again, or is late, or when a source has changed its shape.
 *
 * What is told is JSON: a notification on the channel lyftron_alert and, for an alert with a
 * webhook, a task that brings it there; both in the transaction in which it came about.  An alert hears of
 * the pipelines that its owner may use, at the time when something happens.
 */
#include "postgres.h"

#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/compat.h"
#include "task/task.h"

LYF_FUNCTION_INFO_V1(lyf_create_alert);
LYF_FUNCTION_INFO_V1(lyf_drop_alert);

static LyfCatalogPlan create_plan = {
	"INSERT INTO lyftron.alert (name, owner, events, pipeline, webhook, headers, late_after)"
	" VALUES ($1, $2::regrole, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
};

static LyfCatalogPlan drop_plan = {
	"DELETE FROM lyftron.alert WHERE name = $1 RETURNING owner::oid AS owner"
};

/* does alert a hear of pipeline p? */
#define HEARS		" (a.pipeline IS NULL OR a.pipeline = p.name) AND pg_has_role(a.owner, p.owner, 'USAGE')"

/* has it succeeded since that time? */
#define SUCCEEDED_SINCE(pipeline, due_at) \
	" EXISTS (SELECT FROM lyftron.run r WHERE r.pipeline = " pipeline " AND r.started_at >= " due_at " AND r.state = 'succeeded')"

/* what is told; a notification has room for 8000 bytes, a name is no longer than 200 */
#define PAYLOAD(event, task, run, error, sqlstate, at) \
	" json_build_object('event', " event ", 'pipeline', p.name, 'task', " task ", 'run', " run "," \
	" 'error', left(" error ", 1000), 'sqlstate', " sqlstate ", 'at', " at ")::text AS payload"

/* of a CTE told (name, owner and webhook of the alert, payload); then lyf_wake_row */
#define TELL \
	", queued AS (INSERT INTO lyftron.queue (state, kind, name, command, owner, pool, priority, max_attempts)" \
	" SELECT 'ready', 'webhook', name, payload, owner, 'default', -1, 10 FROM told WHERE webhook IS NOT NULL)" \
	" SELECT pg_notify('lyftron_alert', payload), 'default' AS pool, owner::oid AS owner," \
	" CASE WHEN webhook IS NOT NULL THEN 'ready' ELSE 'none' END AS state FROM told"

static LyfCatalogPlan ended_plan = {
	"WITH ended AS (SELECT h.*, CASE WHEN h.state = 'failed' THEN 'failed'"
	"  WHEN h.state = 'succeeded' AND 'failed' = (SELECT b.state FROM lyftron.history b WHERE b.name = h.name AND b.kind = 'pipeline'"
	"   AND b.id <> h.id AND b.state IN ('failed', 'succeeded') ORDER BY b.finished_at DESC LIMIT 1) THEN 'recovered' END AS event"
	"  FROM lyftron.history h WHERE h.id = $1 AND h.kind = 'pipeline'),"
	" told AS (SELECT a.name, a.owner, a.webhook,"
	PAYLOAD("e.event", "e.id", "(SELECT max(r.id) FROM lyftron.run r WHERE r.pipeline = e.name AND r.started_at >= e.started_at)",
			"e.error", "e.sqlstate", "e.finished_at")
	"  FROM ended e, lyftron.pipeline p, lyftron.alert a WHERE p.name = e.name AND e.event = ANY (a.events) AND" HEARS ")" TELL
};

/* where one waits for an earlier time, that one counts, unless it was met */
static LyfCatalogPlan expect_plan = {
	"INSERT INTO lyftron.expected AS x (alert, pipeline, due_at) SELECT a.name, p.name, $2 FROM lyftron.alert a, lyftron.pipeline p"
	" WHERE p.name = $1 AND 'late' = ANY (a.events) AND a.late_after IS NOT NULL AND" HEARS
	" ON CONFLICT (alert, pipeline) DO UPDATE SET due_at = excluded.due_at WHERE" SUCCEEDED_SINCE("x.pipeline", "x.due_at")
};

static LyfCatalogPlan late_plan = {
	"WITH due AS (SELECT x.alert, x.pipeline FROM lyftron.expected x JOIN lyftron.alert a ON a.name = x.alert"
	"  WHERE x.due_at + a.late_after <= $1 FOR UPDATE OF x SKIP LOCKED),"
	" over AS (DELETE FROM lyftron.expected x USING due d WHERE x.alert = d.alert AND x.pipeline = d.pipeline RETURNING x.*),"
	" told AS (SELECT a.name, a.owner, a.webhook,"
	PAYLOAD("'late'", "NULL", "NULL", "'it has not succeeded since it was due at ' || x.due_at", "NULL", "$1")
	"  FROM over x, lyftron.pipeline p, lyftron.alert a WHERE p.name = x.pipeline AND a.name = x.alert"
	"  AND p.schedule IS NOT NULL AND NOT p.paused AND" HEARS " AND NOT" SUCCEEDED_SINCE("x.pipeline", "x.due_at") ")" TELL
};

/* changes of sources since the last tick: of pipelines, and of servers that the alert's owner may use */
static LyfCatalogPlan changed_plan = {
	"WITH changed AS (UPDATE lyftron.schema_change SET alerted = true WHERE NOT alerted RETURNING *),"
	" told AS (SELECT a.name, a.owner, a.webhook, json_build_object('event', 'schema', 'pipeline', c.pipeline, 'server', c.server,"
	"  'stream', c.stream, 'change', c.kind, 'column', c.column_name, 'severity', c.severity, 'evidence', c.evidence, 'answer', c.answer,"
	"  'id', c.id, 'run', c.run, 'at', c.noticed_at)::text AS payload"
	"  FROM changed c CROSS JOIN lyftron.alert a LEFT JOIN lyftron.pipeline p ON p.name = c.pipeline"
	"  LEFT JOIN pg_catalog.pg_foreign_server f ON f.srvname = c.server"
	"  WHERE 'schema' = ANY (a.events) AND CASE WHEN c.pipeline IS NULL"
	"   THEN a.pipeline IS NULL AND has_server_privilege(a.owner::oid, f.oid, 'USAGE') ELSE" HEARS " END)" TELL
};

void
lyf_alert_ended(int64 task)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, task);
	lyf_args_run_kept(&args, &ended_plan, lyf_wake_row, NULL);
}

void
lyf_alert_expect(const char *pipeline, TimestampTz due)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, pipeline);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(due), false);
	lyf_args_run_kept(&args, &expect_plan, NULL, NULL);
}

void
lyf_alerts_tick(void)
{
	LyfArgs		args = {0};

	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(lyf_now()), false);
	lyf_args_run_kept(&args, &late_plan, lyf_wake_row, NULL);
	args.count = 0;
	lyf_args_run_kept(&args, &changed_plan, lyf_wake_row, NULL);
}

static void
refuse(const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", what),
			 errhint("%s", hint)));
}

static void
check_events(List *events)
{
	static const char *const words[] = {"failed", "recovered", "late", "schema"};
	bool		known = events != NIL;
	ListCell   *lc;

	foreach(lc, events)
	{
		bool		found = false;

		for (int i = 0; i < lengthof(words); i++)
			found = found || strcmp(lfirst(lc), words[i]) == 0;
		known = known && found;
	}
	if (!known)
		refuse("an alert's events are wrong", "There are failed, recovered, late and schema; give one of them or several.");
}

/* Nothing of what may be secret is in a message. */
static void
check_webhook(const char *webhook, const LyfValue *headers)
{
	if (webhook != NULL && pg_strncasecmp(webhook, "http://", 7) != 0 && pg_strncasecmp(webhook, "https://", 8) != 0)
		refuse("an alert's webhook must be a URL", "It begins with https:// or http://.");
	if (headers == NULL)
		return;
	if (webhook == NULL)
		refuse("an alert's headers are of no use without a webhook", "Give the webhook, too.");
	if (headers->kind != LYF_MAP)
		refuse("an alert's headers must be an object", "As in {\"Authorization\": \"Bearer ...\"}.");
	lyf_foreach(header, headers)
		if (header->kind != LYF_STRING)
			refuse("an alert's headers must be texts", "As in {\"Authorization\": \"Bearer ...\"}.");
}

/* Requests to any host are for those who could as well make a server there. */
static void
check_may_send(void)
{
	AclResult	result = lyf_wrapper_aclcheck(get_foreign_data_wrapper_oid("lyftron_rest", false), GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FDW, "lyftron_rest");
}

static void
check_late_after(FunctionCallInfo fcinfo, int number)
{
	Interval	zero = {0};

	if (!PG_ARGISNULL(number) &&
		DatumGetInt32(DirectFunctionCall2(interval_cmp, PG_GETARG_DATUM(number), IntervalPGetDatum(&zero))) < 0)
		refuse("late_after must not be negative", "It is how long after a time of its schedule a pipeline is late.");
}

/* lyftron.create_alert(name, events, pipeline, webhook, headers, late_after) */
Datum
lyf_create_alert(PG_FUNCTION_ARGS)
{
	char	   *pipeline = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	char	   *webhook = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	LyfValue   *headers = PG_ARGISNULL(4) ? NULL : lyf_value_from_jsonb(PG_GETARG_JSONB_P(4));
	LyfArgs		args = {0};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the alert must be named")));
	check_events(lyf_text_list(PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1), PG_ARGISNULL(1)));
	if (pipeline != NULL)
		(void) lyf_pipeline_get(pipeline);
	check_webhook(webhook, headers);
	if (webhook != NULL)
		check_may_send();
	check_late_after(fcinfo, 5);
	lyf_args_datum(&args, TEXTOID, PG_GETARG_DATUM(0), false);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(GetUserId()), false);
	lyf_args_datum(&args, TEXTARRAYOID, PG_GETARG_DATUM(1), false);
	lyf_args_text(&args, pipeline);
	lyf_args_text(&args, webhook);
	lyf_args_value(&args, headers);
	lyf_args_datum(&args, INTERVALOID, PG_ARGISNULL(5) ? (Datum) 0 : PG_GETARG_DATUM(5), PG_ARGISNULL(5));
	if (lyf_args_run_kept(&args, &create_plan, NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("alert \"%s\" already exists", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_VOID();
}

static void
take_owner(void *arg, HeapTuple tuple, TupleDesc desc)
{
	*(Oid *) arg = lyf_catalog_oid(tuple, desc, "owner");
}

/* lyftron.drop_alert(name) */
Datum
lyf_drop_alert(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			owner = InvalidOid;
	LyfArgs		args = {0};

	lyf_args_text(&args, name);
	if (lyf_args_run_kept(&args, &drop_plan, take_owner, &owner) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no alert \"%s\"", name),
				 errhint("The view lyftron.alerts shows yours.")));
	/* the error takes the deletion back */
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for alert \"%s\"", name),
				 errhint("Only its owner, and members of that role, may drop it.")));
	PG_RETURN_VOID();
}
