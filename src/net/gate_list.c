/*
 * gate_list.c
 *		What holds requests back, as people see it: copied under the lock, put into
 *		words and clock times after it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "net/gate_internal.h"

/* two times of now, by the clock that the table has and by the one that people have */
typedef struct Now
{
	int64		monotonic;
	TimestampTz shown;
} Now;

static TimestampTz
shown_time(const Now *now, int64 monotonic)
{
	return now->shown + (monotonic - now->monotonic);
}

static const char *
words_for(GateHold hold)
{
	return hold == GATE_RETRY_AFTER ? "Retry-After" : "header";
}

static int
count_waiting(const GateTable *table, int account)
{
	int			count = 0;

	for (int i = 0; i < GATE_WAITERS; i++)
		if (table->waiters[i].process.pid != 0 && table->waiters[i].account == account)
			count++;
	return count;
}

static void
list_account(const GateTable *table, int number, const Now *now, LyfGateRow *row)
{
	const GateAccount *account = &table->accounts[number];

	row->policy = -1;
	row->calls = account->max_requests;
	row->used = row->in_flight = account->in_flight;
	row->waiting = count_waiting(table, number);
	row->updated_at = shown_time(now, account->used_at);
	if (account->held_until > now->monotonic)
	{
		row->held_until = shown_time(now, account->held_until);
		row->held_by = words_for(account->hold);
	}
	else if (account->max_requests > 0 && account->in_flight >= account->max_requests)
		row->held_by = "max_requests";
}

static void
list_rate(GateRate *rate, const Now *now, LyfGateRow *row)
{
	int64		wait_us = lyf_rate_wait(&rate->rate, 1, now->monotonic);

	row->policy = rate->limit.policy;
	row->fixed = rate->limit.fixed;
	row->calls = rate->limit.calls;
	row->interval_ms = rate->limit.interval_ms;
	row->used = lyf_rate_used(&rate->rate, now->monotonic);
	row->in_flight = (int) rate->rate.pending;
	row->updated_at = shown_time(now, rate->used_at);
	if (wait_us > 0)
	{
		row->held_until = shown_time(now, now->monotonic + wait_us);
		row->held_by = rate->rate.held_until > now->monotonic ? words_for(GATE_HEADER) :
			row->policy == 0 ? "rate_limit" : "api_budget";
	}
}

/* the rows of a table that is a copy */
static int
list_table(GateTable *table, bool shared, const Now *now, LyfGateRow *rows)
{
	int			count = 0;

	for (int a = 0; a < GATE_ACCOUNTS; a++)
	{
		const GateAccount *account = &table->accounts[a];

		if (account->key == 0 || account->database != MyDatabaseId)
			continue;
		for (int r = -1; r < GATE_RATES; r++)
		{
			LyfGateRow *row = &rows[count];

			if (r >= 0 && (table->rate_keys[r] == 0 || table->rates[r].account != a))
				continue;
			row->server = account->server;
			row->user = account->user;
			row->shared = shared;
			if (r < 0)
				list_account(table, a, now, row);
			else
				list_rate(&table->rates[r], now, row);
			count++;
		}
	}
	return count;
}

LyfGateRow *
lyf_gate_list(int *count)
{
	GateTable  *tables[] = {lyf_gate_shared(), lyf_gate_own(false)};
	GateTable  *copy = palloc(sizeof(GateTable));
	LyfGateRow *rows = palloc0(sizeof(LyfGateRow) * lengthof(tables) * (GATE_ACCOUNTS + GATE_RATES));
	Now			now = {lyf_monotonic_us(), GetCurrentTimestamp()};

	*count = 0;
	for (int i = 0; i < lengthof(tables); i++)
	{
		if (tables[i] == NULL)
			continue;
		lyf_gate_lock(tables[i], LW_SHARED);
		memcpy(copy, tables[i], sizeof(GateTable));
		lyf_gate_unlock(tables[i]);
		*count += list_table(copy, i == 0, &now, rows + *count);
	}
	return rows;
}
