/*
 * failure.h
 *		An error as a value: made deep in net/, extract/ and decode/, kept,
 *		compared and retried there, raised once at the edge.
 */
#ifndef LYF_FAILURE_H
#define LYF_FAILURE_H

#include "base/compat.h"

typedef struct LyfFailure
{
	int			sqlstate;		/* ERRCODE_... */
	const char *message;		/* lower case, no full stop */
	const char *detail;			/* a sentence, or NULL */
	const char *hint;			/* a sentence, or NULL */
	bool		retryable;		/* may the same thing succeed later? */
	int			retry_after_ms; /* not before, if the source said so, else 0 */
} LyfFailure;

/*
 * Functions that can fail return LyfFailure *: NULL is success.  A failure and
 * its texts live in the CurrentMemoryContext of the call that made it.
 * LYF_TRY hands a failure on to the caller.
 */
#define LYF_TRY(call) \
	do { \
		LyfFailure *lyf_try_failure = (call); \
		if (lyf_try_failure != NULL) \
			return lyf_try_failure; \
	} while (0)

extern LyfFailure *lyf_failure(int sqlstate, const char *fmt,...) pg_attribute_printf(2, 3);

/* add to a failure; each returns the failure it was given, so that calls nest */
extern LyfFailure *lyf_failure_detail(LyfFailure *failure, const char *fmt,...) pg_attribute_printf(2, 3);
extern LyfFailure *lyf_failure_hint(LyfFailure *failure, const char *fmt,...) pg_attribute_printf(2, 3);
extern LyfFailure *lyf_failure_retryable(LyfFailure *failure, int retry_after_ms);

/* copy into CurrentMemoryContext */
extern LyfFailure *lyf_failure_copy(const LyfFailure *failure);

/* raise it as an ERROR; does not return */
LYF_NORETURN extern void lyf_failure_raise(const LyfFailure *failure);

/*
 * The failure that was raised last, if the error is that one: what an error does not
 * carry (retryable, retry_after_ms) is in it, its texts are not.  NULL: it is another error.
 */
extern const LyfFailure *lyf_failure_raised(int sqlstate, const char *message);

/* raise if there is one */
#define LYF_CHECK(call) \
	do { \
		LyfFailure *lyf_check_failure = (call); \
		if (lyf_check_failure != NULL) \
			lyf_failure_raise(lyf_check_failure); \
	} while (0)

#endif							/* LYF_FAILURE_H */
