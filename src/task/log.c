/*
 * log.c
 *		What attempts at tasks met: the error that ended one, warnings and notices that it raised.
 *
 * Messages of a task at work are collected where the server hands them to its own log.  Nothing
 * may be raised there and no table be looked at, so they go into a buffer of a fixed
 * size, and into lyftron.log with the end of the task; where there are none, nothing is written.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/elog.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "task/task.h"

/* of an attempt; what is more is counted */
#define MAX_MESSAGES	100

/* texts that are longer are cut off */
typedef struct Message
{
	int			level;
	int			sqlstate;
	TimestampTz at;
	char		message[512];
	char		detail[256];
	char		hint[128];
	char		context[256];
} Message;

static emit_log_hook_type next_hook = NULL;
static bool watching = false;
static Message *messages = NULL;	/* made when the first task begins */
static int	count = 0;
static int64 beyond = 0;		/* messages that there was no room for */

static LyfCatalogPlan write_plan = {
	"INSERT INTO lyftron.log (task, attempt, at, level, message, detail, hint, sqlstate, context, retry_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
};

static void
put_text(char *to, size_t size, const char *from)
{
	int			len = from != NULL ? pg_mbcliplen(from, (int) strlen(from), (int) size - 1) : 0;

	if (len > 0)
		memcpy(to, from, len);
	to[len] = '\0';
}

/* must not raise */
static void
collect(ErrorData *error)
{
	Message    *message;

	if (next_hook != NULL)
		next_hook(error);
	if (!watching || error->elevel < INFO || error->elevel > WARNING)
		return;
	if (count == MAX_MESSAGES)
	{
		beyond++;
		return;
	}
	message = &messages[count++];
	message->level = error->elevel;
	message->sqlstate = error->sqlerrcode;
	message->at = GetCurrentTimestamp();
	put_text(message->message, sizeof(message->message), error->message);
	put_text(message->detail, sizeof(message->detail), error->detail);
	put_text(message->hint, sizeof(message->hint), error->hint);
	put_text(message->context, sizeof(message->context), error->context);
}

void
lyf_log_init(void)
{
	next_hook = emit_log_hook;
	emit_log_hook = collect;
}

void
lyf_log_begin(void)
{
	if (messages == NULL)
		messages = MemoryContextAlloc(TopMemoryContext, sizeof(Message) * MAX_MESSAGES);
	count = 0;
	beyond = 0;
	watching = true;
}

void
lyf_log_end(void)
{
	watching = false;
}

static const char *
given(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void
write_message(const LyfTask *task, const Message *message)
{
	LyfArgs		args = {0};

	lyf_args_int8(&args, task->id);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(task->attempt), false);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(message->at), false);
	lyf_args_text(&args, message->level == WARNING ? "warning" : "info");
	lyf_args_text(&args, message->message);
	lyf_args_text(&args, given(message->detail));
	lyf_args_text(&args, given(message->hint));
	lyf_args_text(&args, unpack_sql_state(message->sqlstate));
	lyf_args_text(&args, given(message->context));
	lyf_args_datum(&args, TIMESTAMPTZOID, (Datum) 0, true);
	lyf_args_run_kept(&args, &write_plan, NULL, NULL);
}

static void
write_beyond(const LyfTask *task)
{
	Message		more = {.level = WARNING, .at = GetCurrentTimestamp()};

	snprintf(more.message, sizeof(more.message), "and " INT64_FORMAT " messages more", beyond);
	write_message(task, &more);
}

void
lyf_log_messages(const LyfTask *task)
{
	for (int i = 0; i < count; i++)
		write_message(task, &messages[i]);
	if (beyond > 0)
		write_beyond(task);
}

void
lyf_log_error(const LyfTask *task, const ErrorData *error, TimestampTz retry_at)
{
	LyfArgs		args = {0};

	lyf_log_messages(task);
	lyf_args_int8(&args, task->id);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(task->attempt), false);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTimestamp()), false);
	lyf_args_text(&args, "error");
	lyf_args_text(&args, error->message);
	lyf_args_text(&args, error->detail);
	lyf_args_text(&args, error->hint);
	lyf_args_text(&args, unpack_sql_state(error->sqlerrcode));
	lyf_args_text(&args, error->context);
	lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(retry_at), retry_at == 0);
	lyf_args_run_kept(&args, &write_plan, NULL, NULL);
}
