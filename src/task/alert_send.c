/*
 * alert_send.c
 *		Tasks of the kind webhook: what an alert tells, brought to its webhook by HTTP.
 *
 * The URL and the headers may be secret: they are looked up when the task is done, and
 * taken out of whatever is said about its failure.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "net/net.h"
#include "task/task.h"

#define TIMEOUT_MS			30000

/* a service that asks for a longer wait before the next attempt is not heeded */
#define LONGEST_WAIT_MS		INT64CONST(3600000)

static LyfCatalogPlan find_plan = {
	"SELECT webhook, headers FROM lyftron.alert WHERE name = $1 AND owner = $2::regrole AND webhook IS NOT NULL"
};

typedef struct Webhook
{
	MemoryContext cxt;
	char	   *url;
	LyfValue   *headers;		/* a map of texts, or NULL */
} Webhook;

static void
take_webhook(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Webhook    *webhook = arg;
	MemoryContext old = MemoryContextSwitchTo(webhook->cxt);

	webhook->url = lyf_catalog_text(tuple, desc, "webhook");
	webhook->headers = lyf_catalog_value(tuple, desc, "headers");
	MemoryContextSwitchTo(old);
}

static void
find_webhook(const LyfTask *task, Webhook *webhook)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, task->name);
	lyf_args_datum(&args, OIDOID, ObjectIdGetDatum(task->owner), false);
	if (lyf_args_run_kept(&args, &find_plan, take_webhook, webhook) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no alert \"%s\" with a webhook any more", task->name)));
}

/* its own Content-Type goes before ours */
static void
set_headers(LyfHttpRequest *request, const LyfValue *headers)
{
	LyfHeader  *list = palloc(sizeof(LyfHeader) * ((headers != NULL ? headers->len : 0) + 1));
	bool		typed = false;
	int			count = 0;

	if (headers != NULL)
		lyf_foreach(header, headers)
		{
			list[count].name = header->key;
			list[count++].value = header->u.text;
			typed = typed || pg_strcasecmp(header->key, "Content-Type") == 0;
		}
	if (!typed)
	{
		list[count].name = "Content-Type";
		list[count++].value = "application/json";
	}
	request->headers = list;
	request->header_count = count;
}

static LyfFailure *
judge(const LyfHttpResponse *response)
{
	int			status = response->status;
	const char *wait = lyf_http_header(response, "Retry-After");
	LyfFailure *failure;

	if (status >= 200 && status < 300)
		return NULL;
	failure = lyf_failure(ERRCODE_FDW_ERROR, "the webhook answered with status %d", status);
	if (status >= 400 && status < 500 && status != 408 && status != 425 && status != 429)
		return lyf_failure_hint(failure, "Make the alert anew with what the webhook asks for; lyftron.retry_task sends this again.");
	return lyf_failure_retryable(failure, wait == NULL ? 0 : (int) Max(0, Min(lyf_retry_after_ms(wait, lyf_now()), LONGEST_WAIT_MS)));
}

/* A redirect is not followed: it would turn into a GET, or lead the headers elsewhere. */
static LyfFailure *
post(const Webhook *webhook, const char *payload)
{
	LyfHttpRequest request = {.method = "POST", .url = webhook->url, .timeout_ms = TIMEOUT_MS, .no_redirects = true};
	LyfTransfer *transfer;
	LyfHttpResponse *response;

	set_headers(&request, webhook->headers);
	request.body = (char *) pg_server_to_any(payload, (int) strlen(payload), PG_UTF8);
	request.body_len = strlen(request.body);
	LYF_TRY(lyf_http_start(&request, &transfer));
	LYF_TRY(lyf_http_wait(transfer, NULL, &response));
	return judge(response);
}

/* what must not be shown */
static LyfFailure *
redact(const Webhook *webhook, const LyfFailure *failure)
{
	List	   *secrets = lyf_redact_url_parts(webhook->url, NIL);
	const char **texts;
	int			count = 0;
	ListCell   *lc;

	if (webhook->headers != NULL)
		lyf_foreach(header, webhook->headers)
			secrets = lappend(secrets, (char *) header->u.text);
	texts = palloc(sizeof(char *) * (list_length(secrets) + 1));
	foreach(lc, secrets)
		texts[count++] = lfirst(lc);
	return lyf_redact_failure(failure, texts, count);
}

void
lyf_alert_send(const LyfTask *task)
{
	Webhook		webhook = {.cxt = CurrentMemoryContext};
	LyfSourceScope scope;
	LyfFailure *failure;

	find_webhook(task, &webhook);
	/* which hosts: those that the alert's owner may be connected to */
	scope = lyf_owner_enter(task->owner, "pg_catalog, pg_temp");
	failure = post(&webhook, task->command);
	lyf_source_leave(&scope);
	LYF_CHECK(redact(&webhook, failure));
}
