/*
 * wait.c
 *		Waiting for the server and for interrupts, from inside the client library.
 *
 * The library's frames are below us: an error may not leave here.  It is kept,
 * and lyf_client_rethrow raises it when the library has returned.
 */
#include "postgres.h"

#include <poll.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "client.h"

/* until when all waiting may last: as long as it may in all, but no longer than the server may be silent; 0: for ever */
static int64
wait_until(LyfMysql *mysql)
{
	if (mysql->options.network_timeout_ms <= 0 || mysql->quiet || mysql->id == 0)
		return mysql->deadline;
	if (mysql->silent_until == 0)
		mysql->silent_until = lyf_monotonic_us() + (int64) mysql->options.network_timeout_ms * 1000;
	return mysql->deadline != 0 ? Min(mysql->deadline, mysql->silent_until) : mysql->silent_until;
}

/* milliseconds, -1: for ever */
static long
time_left(int64 until)
{
	int64		now;

	if (until == 0)
		return -1;
	now = lyf_monotonic_us();
	return until <= now ? 0 : (long) Min((until - now + 999) / 1000, PG_INT32_MAX);
}

/* no longer than a turn */
static long
turn_left(int64 until, int turn_ms)
{
	long		left = time_left(until);

	return turn_ms >= 0 && (left < 0 || left > turn_ms) ? turn_ms : left;
}

static bool
wait_quietly(LyfMysql *mysql, pgsocket fd, int events, int turn_ms)
{
	struct pollfd entry = {.fd = fd, .events = events & WL_SOCKET_WRITEABLE ? POLLOUT : POLLIN};
	int			rc;

	do
		rc = poll(&entry, 1, (int) turn_left(mysql->deadline, turn_ms));
	while (rc < 0 && errno == EINTR && time_left(mysql->deadline) != 0);
	return rc > 0 || (turn_ms >= 0 && time_left(mysql->deadline) != 0);
}

/* one wait on latch and socket: WL_... of what happened, 0: time is up.  May raise */
static int
wait_once(LyfMysql *mysql, pgsocket fd, int events, long timeout)
{
	static uint32 wait_event = 0;
	WaitEvent	event;

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronMysql");
	if (mysql->set == NULL)
		return WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0) | events,
								 fd, timeout, wait_event) & ~WL_TIMEOUT;
	if (mysql->events != events)
		ModifyWaitEvent(mysql->set, 0, events, NULL);
	mysql->events = events;
	return WaitEventSetWait(mysql->set, timeout, &event, 1, wait_event) == 1 ? event.events : 0;
}

/* true: the socket is ready, or the turn is over; false: time is up.  Interrupts raise */
static bool
wait_raising(LyfMysql *mysql, pgsocket fd, int events, int turn_ms)
{
	int64		until = wait_until(mysql);

	for (;;)
	{
		int			happened = wait_once(mysql, fd, events, turn_left(until, turn_ms));

		if (happened & WL_LATCH_SET)
			ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (happened & WL_SOCKET_MASK)
		{
			mysql->silent_until = 0;
			return true;
		}
		if (happened == 0 && time_left(until) == 0)
			return false;
		if (happened == 0 && turn_ms >= 0)
			return true;
	}
}

bool
lyf_client_wait(LyfMysql *mysql, pgsocket fd, int events, int turn_ms)
{
	MemoryContext old = CurrentMemoryContext;
	int64		began = lyf_monotonic_us();
	volatile bool ready = false;

	if (mysql->error != NULL || mysql->timed_out)
		return false;
	if (mysql->quiet)
		ready = wait_quietly(mysql, fd, events, turn_ms);
	else
	{
		PG_TRY();
		{
			ready = wait_raising(mysql, fd, events, turn_ms);
		}
		PG_CATCH();
		{
			MemoryContextSwitchTo(old);
			mysql->error = CopyErrorData();
			FlushErrorState();
		}
		PG_END_TRY();
	}
	mysql->stats.wait_us += lyf_monotonic_us() - began;
	mysql->timed_out = !ready && mysql->error == NULL;
	return ready;
}

void
lyf_client_rethrow(LyfMysql *mysql)
{
	ErrorData  *error = mysql->error;

	if (error == NULL)
		return;
	mysql->error = NULL;
	mysql->dead = true;
	ReThrowError(error);
}

void
lyf_client_watch(LyfMysql *mysql)
{
	WaitEventSet *set = LYF_CREATE_WAIT_EVENT_SET(3);

	/* the socket first: its place is 0 */
	mysql->set = set;
	mysql->events = WL_SOCKET_READABLE;
	AddWaitEventToSet(set, mysql->events, mysql->fd, NULL, NULL);
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	if (IsUnderPostmaster)
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
}

void
lyf_client_unwatch(LyfMysql *mysql)
{
	WaitEventSet *set = mysql->set;

	mysql->set = NULL;
	if (set != NULL)
		FreeWaitEventSet(set);
}
