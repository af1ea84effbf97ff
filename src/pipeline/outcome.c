/*
 * outcome.c
 *		Which errors of a run may pass by themselves.
 */
#include "postgres.h"

#include "base/failure.h"
#include "pipeline/pipeline.h"

/* whole classes of SQLSTATE, and single ones, that may be gone on the next attempt */
static const char *const transient_classes[] = {"08", "40", "53", "58"};
static const int transient_errors[] = {
	ERRCODE_QUERY_CANCELED, ERRCODE_LOCK_NOT_AVAILABLE, ERRCODE_OBJECT_IN_USE, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
	ERRCODE_ADMIN_SHUTDOWN, ERRCODE_CRASH_SHUTDOWN, ERRCODE_CANNOT_CONNECT_NOW, ERRCODE_IDLE_SESSION_TIMEOUT,
};

/* A source's own failure says itself whether it is worth another try. */
bool
lyf_error_is_transient(const ErrorData *error)
{
	const char *state = unpack_sql_state(error->sqlerrcode);
	const LyfFailure *failure = lyf_failure_raised(error->sqlerrcode, error->message);

	if (failure != NULL)
		return failure->retryable;
	for (int i = 0; i < lengthof(transient_classes); i++)
		if (strncmp(state, transient_classes[i], 2) == 0)
			return true;
	for (int i = 0; i < lengthof(transient_errors); i++)
		if (error->sqlerrcode == transient_errors[i])
			return true;
	return false;
}

int64
lyf_error_retry_after_ms(const ErrorData *error)
{
	const LyfFailure *failure = lyf_failure_raised(error->sqlerrcode, error->message);

	return failure != NULL ? failure->retry_after_ms : 0;
}
