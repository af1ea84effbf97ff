/*
 * failure.c
 *		An error as a value.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "common/hashfn.h"

#include "base/failure.h"

static char *vformat(const char *fmt, va_list args) pg_attribute_printf(1, 0);

static char *
vformat(const char *fmt, va_list args)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		copy;
		int			needed;

		va_copy(copy, args);
		needed = appendStringInfoVA(&buf, fmt, copy);
		va_end(copy);
		if (needed == 0)
			return buf.data;
		enlargeStringInfo(&buf, needed);
	}
}

LyfFailure *
lyf_failure(int sqlstate, const char *fmt,...)
{
	LyfFailure *failure = palloc0(sizeof(LyfFailure));
	va_list		args;

	failure->sqlstate = sqlstate;
	va_start(args, fmt);
	failure->message = vformat(fmt, args);
	va_end(args);
	return failure;
}

LyfFailure *
lyf_failure_detail(LyfFailure *failure, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	failure->detail = vformat(fmt, args);
	va_end(args);
	return failure;
}

LyfFailure *
lyf_failure_hint(LyfFailure *failure, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	failure->hint = vformat(fmt, args);
	va_end(args);
	return failure;
}

LyfFailure *
lyf_failure_retryable(LyfFailure *failure, int retry_after_ms)
{
	failure->retryable = true;
	failure->retry_after_ms = retry_after_ms;
	return failure;
}

LyfFailure *
lyf_failure_copy(const LyfFailure *failure)
{
	LyfFailure *copy = palloc(sizeof(LyfFailure));

	*copy = *failure;
	copy->message = pstrdup(failure->message);
	copy->detail = failure->detail ? pstrdup(failure->detail) : NULL;
	copy->hint = failure->hint ? pstrdup(failure->hint) : NULL;
	return copy;
}

/* the last one that was raised in this process, without its texts, and what tells its message */
static LyfFailure raised;
static uint32 raised_message;

static uint32
message_hash(const char *message)
{
	return hash_bytes((const unsigned char *) message, (int) strlen(message));
}

const LyfFailure *
lyf_failure_raised(int sqlstate, const char *message)
{
	return raised.sqlstate == sqlstate && message != NULL && raised_message == message_hash(message) ? &raised : NULL;
}

void
lyf_failure_raise(const LyfFailure *failure)
{
	raised = *failure;
	raised.message = raised.detail = raised.hint = NULL;
	raised_message = message_hash(failure->message);
	ereport(ERROR,
			(errcode(failure->sqlstate),
			 errmsg_internal("%s", failure->message),
			 failure->detail ? errdetail_internal("%s", failure->detail) : 0,
			 failure->hint ? errhint("%s", failure->hint) : 0));
	pg_unreachable();
}
