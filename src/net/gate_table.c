/*-------------------------------------------------------------------------
 *
 * gate_table.c
 *		The table that holds requests back: accounts, their limits, the permits of
 *		requests in flight, and the line of those who wait.
 *
 * All functions but those that find and lock a table are called with its lock held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "net/gate_internal.h"

/* what was sent so long ago has arrived, or nobody drives it: its calls need not stay reserved */
#define MAX_PENDING_US	(INT64CONST(30) * 1000000)

/* what is given up unanswered may be on its way for so long */
#define MAX_ARRIVAL_US	(INT64CONST(1) * 1000000)

static GateTable *own = NULL;	/* of this process alone */
static int	my_waiter = -1;		/* where this process stands in the shared one's line */

StaticAssertDecl(sizeof(GateTable) <= 32 * 1024, "spare shared memory is scarce");

void
lyf_gate_lock(GateTable *table, LWLockMode mode)
{
	if (table != own)
		LWLockAcquire(&table->head.lock, mode);
}

void
lyf_gate_unlock(GateTable *table)
{
	if (table != own)
		LWLockRelease(&table->head.lock);
}

static void
free_rate(GateTable *table, int number)
{
	table->rate_keys[number] = 0;
	for (int i = 0; i < GATE_PERMITS; i++)
		table->permits[i].rates &= ~(UINT64CONST(1) << number);
}

/* nothing in it has to be kept */
static bool
is_idle(GateTable *table, int number, int64 now)
{
	const GateAccount *account = &table->accounts[number];

	if (account->in_flight > 0 || account->held_until > now)
		return false;
	for (int i = 0; i < GATE_WAITERS; i++)
		if (table->waiters[i].process.pid != 0 && table->waiters[i].account == number)
			return false;
	for (int i = 0; i < GATE_RATES; i++)
		if (table->rate_keys[i] != 0 && table->rates[i].account == number && !lyf_rate_is_idle(&table->rates[i].rate, now))
			return false;
	return true;
}

/* a free entry, else one that has long been idle; of a process' own table the oldest, whatever it is.  -1: none */
static int
room_for_account(GateTable *table, int64 now)
{
	int			oldest = -1;

	for (int i = 0; i < GATE_ACCOUNTS; i++)
	{
		if (table->accounts[i].key == 0)
			return i;
		if ((oldest < 0 || table->accounts[i].used_at < table->accounts[oldest].used_at) &&
			(table == own || is_idle(table, i, now)))
			oldest = i;
	}
	for (int i = 0; oldest >= 0 && i < GATE_RATES; i++)
		if (table->rate_keys[i] != 0 && table->rates[i].account == oldest)
			free_rate(table, i);
	for (int i = 0; oldest >= 0 && i < GATE_PERMITS; i++)
		if (table->permits[i].pid != 0 && table->permits[i].account == oldest)
			table->permits[i].pid = 0;
	return oldest;
}

/* the account's entry, -1: there is no room for one */
int
lyf_gate_account(GateTable *table, const LyfGate *gate, int64 now)
{
	GateAccount *account;
	int			number;

	for (number = 0; number < GATE_ACCOUNTS; number++)
		if (table->accounts[number].key == gate->account)
			break;
	if (number == GATE_ACCOUNTS)
	{
		number = room_for_account(table, now);
		if (number >= 0)
		{
			memset(&table->accounts[number], 0, sizeof(GateAccount));
			table->accounts[number].key = gate->account;
			table->accounts[number].database = MyDatabaseId;
		}
	}
	if (number < 0)
		return -1;
	account = &table->accounts[number];
	account->server = gate->server;
	account->user = gate->user;
	account->max_requests = gate->max_requests;
	account->used_at = now;
	return number;
}

static uint64
rate_key(const LyfGate *gate, const LyfLimit *limit)
{
	uint64		key = gate->account;

	key = hash_combine64(key, hash_combine64(limit->policy, limit->place));
	key = hash_combine64(key, hash_combine64(limit->calls, limit->interval_ms));
	return Max(hash_combine64(key, limit->fixed), 1);
}

/* one that is free, or idle and not among those that were just found; -1: none */
static int
room_for_rate(GateTable *table, uint64 found, int64 now)
{
	int			oldest = -1;

	for (int i = 0; i < GATE_RATES; i++)
	{
		if (table->rate_keys[i] == 0)
			return i;
		if ((found & (UINT64CONST(1) << i)) != 0)
			continue;
		if ((oldest < 0 || table->rates[i].used_at < table->rates[oldest].used_at) &&
			(table == own || lyf_rate_is_idle(&table->rates[i].rate, now)))
			oldest = i;
	}
	if (oldest >= 0)
		free_rate(table, oldest);
	return oldest;
}

/* the count of one limit, made when it is first asked for; -1: there is no room for it */
int
lyf_gate_rate(GateTable *table, int account, const LyfGate *gate, const LyfLimit *limit, uint64 found, int64 now)
{
	uint64		key = rate_key(gate, limit);
	int			number = 0;

	while (number < GATE_RATES && table->rate_keys[number] != key)
		number++;
	if (number == GATE_RATES)
	{
		number = room_for_rate(table, found, now);
		if (number < 0)
			return -1;
		table->rate_keys[number] = key;
		table->rates[number].account = account;
		table->rates[number].limit = *limit;
		lyf_rate_init(&table->rates[number].rate, limit->fixed, limit->calls, limit->interval_ms, now);
	}
	table->rates[number].used_at = now;
	return number;
}

/* by a limit of the server's own each request is one */
int
lyf_gate_weight(const GateRate *rate, int weight)
{
	return rate->limit.policy == 0 ? 1 : weight;
}

/* its calls have arrived */
static void
settle(GateTable *table, GatePermit *permit, int requests, int64 arrived, int64 now)
{
	for (int i = 0; permit->rates != 0 && i < GATE_RATES; i++)
	{
		GateRate   *rate = &table->rates[i];
		int			weight = lyf_gate_weight(rate, permit->weight);

		if ((permit->rates & (UINT64CONST(1) << i)) == 0)
			continue;
		lyf_rate_end(&rate->rate, weight, weight * requests, arrived, now);
		permit->rates &= ~(UINT64CONST(1) << i);
	}
}

/* Requests that nobody drives for long do not keep others from their calls. */
void
lyf_gate_settle_old(GateTable *table, int64 now)
{
	for (int i = 0; i < GATE_PERMITS; i++)
		if (table->permits[i].pid != 0 && table->permits[i].rates != 0 && now - table->permits[i].since > MAX_PENDING_US)
			settle(table, &table->permits[i], 1, now, now);
}

bool
lyf_gate_anybody_waits(const GateTable *table, int account)
{
	for (int i = 0; i < GATE_WAITERS; i++)
		if (table->waiters[i].process.pid != 0 && table->waiters[i].account == account)
			return true;
	return false;
}

/* who came first of those who wait for a place of this account's */
static void
wake_first(GateTable *table, int account)
{
	GateWaiter *first = NULL;

	for (int i = 0; i < GATE_WAITERS; i++)
	{
		GateWaiter *waiter = &table->waiters[i];

		if (waiter->process.pid != 0 && waiter->account == account && waiter->for_place &&
			(first == NULL || waiter->since < first->since))
			first = waiter;
	}
	if (first != NULL)
		lyf_process_wake(&first->process);
}

/* where the line is full, one waits without standing in it; a process' own table has none */
void
lyf_gate_stand_in_line(GateTable *table, int account, bool for_place, int64 now)
{
	if (table == own)
		return;
	if (my_waiter < 0)
	{
		for (int i = 0; i < GATE_WAITERS && my_waiter < 0; i++)
			if (table->waiters[i].process.pid == 0)
				my_waiter = i;
		if (my_waiter < 0)
			return;
		table->waiters[my_waiter].process = lyf_process_self();
		table->waiters[my_waiter].since = now;
	}
	table->waiters[my_waiter].account = account;
	table->waiters[my_waiter].for_place = for_place;
}

void
lyf_gate_leave_line(GateTable *table)
{
	if (my_waiter < 0 || table == own)
		return;
	table->waiters[my_waiter].process.pid = 0;
	my_waiter = -1;
}

void
lyf_gate_end(GateTable *table, GatePermit *permit, int requests, int64 answered, int64 now)
{
	settle(table, permit, requests, answered != 0 ? answered : now + MAX_ARRIVAL_US, now);
	permit->pid = 0;
	table->accounts[permit->account].in_flight--;
	wake_first(table, permit->account);
}

/* what this process had in flight is over */
static void
end_permits_at_exit(int code, Datum arg)
{
	GateTable  *table = lyf_gate_shared();
	int64		now = lyf_monotonic_us();

	lyf_gate_lock(table, LW_EXCLUSIVE);
	for (int i = 0; i < GATE_PERMITS; i++)
	{
		GatePermit *permit = &table->permits[i];

		if (permit->pid == MyProcPid)
			lyf_gate_end(table, permit, 1, 0, now);
	}
	lyf_gate_leave_line(table);
	lyf_gate_unlock(table);
}

GateTable *
lyf_gate_shared(void)
{
	static GateTable *shared = NULL;
	static bool looked = false;

	if (!looked)
	{
		looked = true;
		shared = lyf_shared_find("lyftron limits", sizeof(GateTable));
		if (shared != NULL)
			before_shmem_exit(end_permits_at_exit, (Datum) 0);
		else
			ereport(DEBUG1, (errmsg("no shared memory is left for the limits of lyftron's servers, each session counts alone")));
	}
	return shared;
}

GateTable *
lyf_gate_own(bool make)
{
	if (own == NULL && make)
		own = MemoryContextAllocZero(TopMemoryContext, sizeof(GateTable));
	return own;
}
