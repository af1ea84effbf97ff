/*
 * process.h
 *		The background processes: one coordinator of the cluster, an overseer of each
 *		database, workers of a pool and an owner.
 */
#ifndef LYF_PROCESS_H
#define LYF_PROCESS_H

#include "postmaster/bgworker.h"

#include "task/board.h"

/* What a process is told when it starts.  The first two stay where they are: their reader may be of another version. */
typedef struct LyfOrders
{
	char		version[16];	/* of who starts it, set by lyf_process_start, */
	int			starter;		/* and its pid */
	Oid			database;
	Oid			owner;			/* of a worker */
	int			number;			/* of its entry on the board */
	int			generation;
	NameData	pool;
} LyfOrders;

/*
 * Register a process: function is its main function, name what ps shows.  It is started again after so
 * many seconds when it ends other than by itself, BGW_NEVER_RESTART: not.  This process is told when it starts and ends if
 * notify.  False: no slot is free.
 */
extern bool lyf_process_start(const char *function, const char *type, const char *name, const LyfOrders *orders,
							  int restart_s, bool notify, BackgroundWorkerHandle **handle);

/* the same for one that starts with the server; while it loads shared_preload_libraries */
extern void lyf_process_preload(const char *function, const char *type, const char *name, int restart_s);

/*
 * The orders of this process.  Where its starter has another version of the library loaded, that one is told to begin anew,
 * and this process ends.
 */
extern void lyf_process_orders(LyfOrders *orders);

/* the beginning of each process: signals, and a connection to the database as this role, InvalidOid: none, or as nobody */
extern void lyf_process_begin(Oid database, Oid role);

/* Reread the configuration if that was asked for; end if that was. */
extern void lyf_process_interrupts(void);

/* wait for the latch, at most so long; then lyf_process_interrupts */
extern void lyf_process_wait(int64 ms, const char *wait_event, uint32 *wait_event_number);

/* Does somebody want to drop, rename, move or copy this database, and waits for all to be gone? */
extern bool lyf_database_is_wanted(Oid database);

/* end workers of a database, now; true: there were some, or some are about to come up, and then end */
extern bool lyf_workers_terminate(Oid database);

/* in service.c: is this database to be served, as it says itself?  In a transaction. */
extern bool lyf_service_is_enabled(void);
extern void lyf_service_init(void);

/* in demand.c: put on the board how many workers this database wants; true: that has changed */
extern bool lyf_demand_post(void);
extern void lyf_demand_withdraw(Oid database);

/* in allocate.c */

/* What is wanted by one owner's tasks in a pool, and what they get. */
typedef struct LyfClaimOnSlots
{
	Oid			database;
	int			wanted;
	int			have;
	int			granted;
} LyfClaimOnSlots;

/* Share slots out, one at a time, to the database that has the fewest and wants more. */
extern void lyf_allocate(LyfClaimOnSlots *claims, int count, int slots);

#endif							/* LYF_PROCESS_H */
