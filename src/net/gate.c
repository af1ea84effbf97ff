/*-------------------------------------------------------------------------
 *
 * gate.c
 *		What holds requests back: rates, requests in flight, and what the source
 *		itself says, counted over all sessions that use the same account.
 *
 * A request gets a permit, under one lock and for all of its limits at once.
 * Permits of a process end with it at the latest; a crash of the server clears
 * them all.  Nobody waits with the lock held: who has to wait stands in line
 * (a list of latches) and asks again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "base/settings.h"
#include "net/gate_internal.h"

/* a source's word is not believed for longer: one try an hour finds out */
#define MAX_HOLD_US		(INT64CONST(3600) * 1000000)

/* who waits for a place is woken; this is for a wake-up that went to one who gave up */
#define LOOK_AGAIN_US	(INT64CONST(1) * 1000000)

/* in a permit's number: it is of the process' own table */
#define LOCAL_BIT		(UINT64CONST(1) << 15)

typedef enum Reason
{
	HELD,						/* by the source's word */
	USED_UP,
	NO_PLACE
} Reason;

/* what a request asks for, and the answer */
typedef struct Asking
{
	const LyfGate *gate;
	const LyfLimit *limits;
	int			count;
	bool		ahead;			/* nobody waits for it */
	/* the answer */
	int64		wait_us;		/* 0: it may go */
	Reason		reason;
	uint64		permit;
	int			in_flight;
} Asking;

static uint64 loose = 0;		/* a permit that no transfer has taken yet */

/* all of a request's limits, as numbers in the order of the gate's, then the others'; false: no room */
static bool
find_rates(GateTable *table, int account, const Asking *asking, int *numbers, uint64 *found, int64 now)
{
	const LyfGate *gate = asking->gate;

	*found = 0;
	for (int i = 0; i < gate->limit_count + asking->count; i++)
	{
		const LyfLimit *limit = i < gate->limit_count ? &gate->limits[i] : &asking->limits[i - gate->limit_count];

		numbers[i] = lyf_gate_rate(table, account, gate, limit, *found, now);
		if (numbers[i] < 0)
			return false;
		*found |= UINT64CONST(1) << numbers[i];
	}
	return true;
}

/* how long until it may pass, and why not now; the longest of all that holds it back */
static void
judge(GateTable *table, int number, Asking *asking, const int *numbers, int64 now)
{
	const GateAccount *account = &table->accounts[number];
	int			max = account->max_requests;

	asking->wait_us = Max(account->held_until - now, 0);
	asking->reason = HELD;
	for (int i = 0; i < asking->gate->limit_count + asking->count; i++)
	{
		GateRate   *rate = &table->rates[numbers[i]];
		int			weight = i < asking->gate->limit_count ? 1 : asking->limits[i - asking->gate->limit_count].weight;
		int64		wait_us = lyf_rate_wait(&rate->rate, weight, now);

		if (wait_us > asking->wait_us)
		{
			asking->wait_us = wait_us;
			asking->reason = rate->rate.held_until > now ? HELD : USED_UP;
		}
	}
	if (asking->wait_us > 0)
		return;
	/* one place is left for requests that somebody waits for, so that an idle cursor's do not block them */
	if ((max > 0 && account->in_flight + (asking->ahead ? 1 : 0) >= max) || (asking->ahead && lyf_gate_anybody_waits(table, number)))
	{
		asking->wait_us = LOOK_AGAIN_US;
		asking->reason = NO_PLACE;
		asking->in_flight = account->in_flight;
	}
}

/* it may go.  Where it has no limits, it goes without a permit if there is none left */
static bool
give_permit(GateTable *table, int account, Asking *asking, const int *numbers, uint64 found, int64 now)
{
	int			place = 0;
	GatePermit *permit;

	while (place < GATE_PERMITS && table->permits[place].pid != 0)
		place++;
	if (place == GATE_PERMITS)
		return found == 0 && asking->gate->max_requests == 0;
	permit = &table->permits[place];
	permit->serial++;
	permit->pid = MyProcPid;
	permit->account = account;
	permit->weight = asking->count > 0 ? asking->limits[0].weight : 1;
	permit->rates = found;
	permit->since = now;
	table->accounts[account].in_flight++;
	for (int i = 0; i < asking->gate->limit_count + asking->count; i++)
		lyf_rate_begin(&table->rates[numbers[i]].rate, lyf_gate_weight(&table->rates[numbers[i]], permit->weight));
	asking->permit = ((uint64) permit->serial << 16) | (table == lyf_gate_own(false) ? LOCAL_BIT : 0) | place;
	return true;
}

/* false: the table has no room for the account and its limits */
static bool
ask_table(GateTable *table, Asking *asking)
{
	int			numbers[LYF_MAX_OPTION_LIMITS + LYF_MAX_POLICY_LIMITS];
	uint64		found;
	int64		now;
	int			account;
	bool		room;

	lyf_gate_lock(table, LW_EXCLUSIVE);
	now = lyf_monotonic_us();
	account = lyf_gate_account(table, asking->gate, now);
	room = account >= 0 && find_rates(table, account, asking, numbers, &found, now);
	if (room)
	{
		judge(table, account, asking, numbers, now);
		if (asking->wait_us > 0)
			lyf_gate_settle_old(table, now);
		else if (!give_permit(table, account, asking, numbers, found, now))
		{
			asking->wait_us = LOOK_AGAIN_US;
			asking->reason = NO_PLACE;
			asking->in_flight = table->accounts[account].in_flight;
		}
	}
	if (room && asking->wait_us > 0 && !asking->ahead)
		lyf_gate_stand_in_line(table, account, asking->reason == NO_PLACE, now);
	else
		lyf_gate_leave_line(table);
	lyf_gate_unlock(table);
	return room;
}

static void
ask(Asking *asking)
{
	GateTable  *shared = lyf_gate_shared();

	if (shared != NULL && ask_table(shared, asking))
		return;
	(void) ask_table(lyf_gate_own(true), asking);
}

static void
give_up_waiting(void)
{
	GateTable  *shared = lyf_gate_shared();

	if (shared == NULL)
		return;
	lyf_gate_lock(shared, LW_EXCLUSIVE);
	lyf_gate_leave_line(shared);
	lyf_gate_unlock(shared);
}

/* is that too long to wait? */
static LyfFailure *
refuse(const Asking *asking, int64 waited_us)
{
	int64		limit_us = INT64CONST(1000000) * lyf_max_retry_wait;
	int64		wait_ms = asking->wait_us / 1000;
	LyfFailure *failure;

	if (asking->reason == NO_PLACE ? waited_us <= limit_us : asking->wait_us <= limit_us)
		return NULL;
	if (asking->reason == NO_PLACE)
		failure = lyf_failure(ERRCODE_FDW_ERROR, "no request to server \"%s\" could begin for %d s, %d are in flight",
							  asking->gate->server_name, lyf_max_retry_wait, asking->in_flight);
	else if (asking->reason == HELD)
		failure = lyf_failure(ERRCODE_FDW_ERROR, "the source of server \"%s\" wants no requests for another %lld s",
							  asking->gate->server_name, (long long) (wait_ms / 1000));
	else
		failure = lyf_failure(ERRCODE_FDW_ERROR, "the API's call budget is used up for another %lld s",
							  (long long) (wait_ms / 1000));
	lyf_failure_hint(failure, "Try again later, or allow a longer wait with lyftron.max_retry_wait (now %d s). "
					 "The view lyftron.rate_limits shows what is held back.", lyf_max_retry_wait);
	return lyf_failure_retryable(failure, (int) Min(wait_ms, PG_INT32_MAX));
}

/* wait for a time, or for being woken; the line is left where that raises */
static void
wait_in_line(int64 wait_us, LyfNetStats *stats)
{
	static uint32 wait_event = 0;
	int64		began = lyf_monotonic_us();

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronRateLimit");
	PG_TRY();
	{
		lyf_http_drive((wait_us + 999) / 1000, wait_event);
	}
	PG_CATCH();
	{
		give_up_waiting();
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (stats != NULL)
		stats->wait_us += lyf_monotonic_us() - began;
}

/* a permit that an error kept from being used */
static void
end_loose(void)
{
	if (loose != 0)
		lyf_permit_end(loose, 0, 0);
	loose = 0;
}

LyfFailure *
lyf_gate_pass(const LyfGate *gate, const LyfLimit *limits, int count, LyfHttpRequest *request, LyfNetStats *stats)
{
	Asking		asking = {.gate = gate, .limits = limits, .count = count};
	int64		began = lyf_monotonic_us();

	request->permit = 0;
	end_loose();
	for (;;)
	{
		LyfFailure *failure;

		ask(&asking);
		if (asking.wait_us == 0)
			break;
		failure = refuse(&asking, lyf_monotonic_us() - began);
		if (failure != NULL)
		{
			give_up_waiting();
			return failure;
		}
		wait_in_line(asking.wait_us, stats);
	}
	loose = request->permit = asking.permit;
	return NULL;
}

bool
lyf_gate_try(const LyfGate *gate, const LyfLimit *limits, int count, LyfHttpRequest *request)
{
	Asking		asking = {.gate = gate, .limits = limits, .count = count, .ahead = true};

	request->permit = 0;
	end_loose();
	ask(&asking);
	loose = request->permit = asking.permit;
	return asking.wait_us == 0;
}

void
lyf_permit_use(uint64 permit)
{
	if (permit == loose)
		loose = 0;
}

void
lyf_permit_end(uint64 number, int requests, int64 answered)
{
	GateTable  *table = (number & LOCAL_BIT) != 0 ? lyf_gate_own(false) : lyf_gate_shared();
	GatePermit *permit;

	if (number == 0 || table == NULL)
		return;
	permit = &table->permits[number & (LOCAL_BIT - 1)];
	lyf_gate_lock(table, LW_EXCLUSIVE);
	/* it may have ended before */
	if (permit->pid == MyProcPid && permit->serial == (uint32) (number >> 16))
		lyf_gate_end(table, permit, requests, answered, lyf_monotonic_us());
	lyf_gate_unlock(table);
}

/* the table that the account is in, locked */
static GateTable *
lock_table_of(const LyfGate *gate, int *account, int64 now)
{
	GateTable  *table = lyf_gate_shared();

	if (table != NULL)
	{
		lyf_gate_lock(table, LW_EXCLUSIVE);
		*account = lyf_gate_account(table, gate, now);
		if (*account >= 0)
			return table;
		lyf_gate_unlock(table);
	}
	table = lyf_gate_own(true);
	*account = lyf_gate_account(table, gate, now);
	return table;
}

void
lyf_gate_hold(const LyfGate *gate, int64 milliseconds, bool by_retry_after)
{
	int64		now = lyf_monotonic_us();
	int64		until = now + Min(milliseconds, MAX_HOLD_US / 1000) * 1000;
	int			number;
	GateTable  *table;

	if (milliseconds <= 0)
		return;
	table = lock_table_of(gate, &number, now);
	if (until > table->accounts[number].held_until)
	{
		table->accounts[number].held_until = until;
		table->accounts[number].hold = by_retry_after ? GATE_RETRY_AFTER : GATE_HEADER;
	}
	lyf_gate_unlock(table);
}

void
lyf_gate_update(const LyfGate *gate, const LyfLimit *limits, int count, int remaining, TimestampTz reset)
{
	int64		now = lyf_monotonic_us();
	int64		reset_us = reset == 0 ? 0 : Max(reset - GetCurrentTimestamp() + now, 1);
	int			number;
	GateTable  *table = lock_table_of(gate, &number, now);

	for (int i = 0; i < count; i++)
	{
		int			rate = lyf_gate_rate(table, number, gate, &limits[i], 0, now);

		if (rate >= 0)
			lyf_rate_update(&table->rates[rate].rate, remaining, reset_us, now);
	}
	lyf_gate_unlock(table);
}
