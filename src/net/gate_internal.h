/*
 * gate_internal.h
 *		The table that holds requests back, as the files of the gate see it.
 *
 * One lies in shared memory.  Where there is no room, in it or for it, a process has one of
 * its own and counts alone.
 */
#ifndef LYF_GATE_INTERNAL_H
#define LYF_GATE_INTERNAL_H

#include "base/shared.h"
#include "net/net_internal.h"

#define GATE_ACCOUNTS	32
#define GATE_RATES		38		/* at most as many as bits in GatePermit's rates */
#define GATE_PERMITS	96
#define GATE_WAITERS	48

typedef enum GateHold
{
	GATE_OPEN,
	GATE_RETRY_AFTER,
	GATE_HEADER
} GateHold;

typedef struct GateAccount
{
	uint64		key;			/* 0: the entry is free */
	Oid			database;
	Oid			server;
	Oid			user;
	int			max_requests;	/* as it was said last */
	int			in_flight;
	GateHold	hold;
	int64		held_until;
	int64		used_at;
} GateAccount;

typedef struct GateRate
{
	int			account;
	LyfLimit	limit;
	int64		used_at;
	LyfRate		rate;
} GateRate;

/* A request in flight. */
typedef struct GatePermit
{
	uint32		serial;			/* counts the uses of the entry */
	int			pid;			/* 0: the entry is free */
	int			account;
	int			weight;			/* by the limits of a policy */
	uint64		rates;			/* a bit for each that it is on its way in */
	int64		since;
} GatePermit;

typedef struct GateWaiter
{
	LyfProcess	process;		/* pid 0: the entry is free */
	int			account;
	bool		for_place;		/* of the requests in flight, rather than for a time */
	int64		since;
} GateWaiter;

typedef struct GateTable
{
	LyfShared	head;
	uint64		rate_keys[GATE_RATES];	/* 0: the entry is free */
	GateAccount accounts[GATE_ACCOUNTS];
	GatePermit	permits[GATE_PERMITS];
	GateWaiter	waiters[GATE_WAITERS];
	GateRate	rates[GATE_RATES];
} GateTable;

/* in gate_table.c: the shared one, NULL: there is no room for it; this process' own, NULL: it was not needed */
extern GateTable *lyf_gate_shared(void);
extern GateTable *lyf_gate_own(bool make);

extern void lyf_gate_lock(GateTable *table, LWLockMode mode);
extern void lyf_gate_unlock(GateTable *table);

/*
 * The numbers of an account's entry, and of the count of one of its limits, both made when they are first asked for; -1: there
 * is no room.  found: a bit for each count that has to stay.
 */
extern int	lyf_gate_account(GateTable *table, const LyfGate *gate, int64 now);
extern int	lyf_gate_rate(GateTable *table, int account, const LyfGate *gate, const LyfLimit *limit, uint64 found, int64 now);

/* what a request of this weight counts there: by a limit of the server's own each is one */
extern int	lyf_gate_weight(const GateRate *rate, int weight);

/* a permit ends; as lyf_permit_end */
extern void lyf_gate_end(GateTable *table, GatePermit *permit, int requests, int64 answered, int64 now);

/* requests that nobody drives for long do not keep others from their calls */
extern void lyf_gate_settle_old(GateTable *table, int64 now);

/* the line of the shared table; where it is full, one waits without standing in it */
extern bool lyf_gate_anybody_waits(const GateTable *table, int account);
extern void lyf_gate_stand_in_line(GateTable *table, int account, bool for_place, int64 now);
extern void lyf_gate_leave_line(GateTable *table);

#endif							/* LYF_GATE_INTERNAL_H */
