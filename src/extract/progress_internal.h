/*
 * progress_internal.h
 *		The state of a stream while it is read.
 */
#ifndef LYF_PROGRESS_INTERNAL_H
#define LYF_PROGRESS_INTERNAL_H

#include "lib/ilist.h"
#include "extract/cursor_internal.h"

/* One partition whose cursor we know. */
typedef struct LyfPartition
{
	dlist_node	node;			/* in the order in which they came */
	char	   *key;			/* the partition as sorted compact JSON */
	LyfValue   *cursor;			/* {field: value}, or NULL: not kept, only the global one is */
	bool		opened;			/* in this read */
} LyfPartition;

/* What a slice's end and the next window are worked out from; of the open partition. */
typedef struct LyfTrack
{
	LyfInterval *plan;			/* read before this read began: windows are what is missing */
	int			plan_count;
	LyfInterval *done;			/* the same, and the slices closed since */
	int			done_count;
	LyfWindows	windows;
	LyfInstant	floor;			/* records older than this are known */
	LyfInstant	seen;			/* latest record of the current slice */
	bool		has_seen;
} LyfTrack;

struct LyfProgress
{
	const LyfCursor *cursor;	/* or NULL: no state to speak of */
	LyfSession *session;
	const LyfValue *initial;	/* the state as given, or NULL */
	LyfCursorRun run;
	MemoryContext cxt;			/* lives as long as the progress */
	MemoryContext open_cxt;		/* the open partition's track */
	LyfTrack	track;
	bool		track_resumed;	/* track is what was saved: do not plan anew */
	bool		whole_given;	/* without a cursor: the one slice was given */

	LyfPartition *current;		/* the open one */
	bool		partitioned;
	struct partition_hash *table;
	dlist_head	partitions;
	int64		known;			/* partitions known since the state was made */
	bool		use_global;
	int64		lookback;		/* s that new partitions start before the global cursor */
	bool		has_global;
	LyfInstant	global;			/* what all partitions have passed */
	bool		has_new_global;
	LyfInstant	new_global;		/* that if all goes well */
	bool		synced;			/* a record with a cursor value was seen */
	bool		finished;
};

/* in progress.c */
extern LyfPartition *lyf_progress_add(LyfProgress *progress, const char *key, LyfValue *cursor);

/* in progress_state.c */
extern LyfFailure *lyf_progress_load(LyfProgress *progress);
extern LyfFailure *lyf_progress_plan(LyfProgress *progress, const LyfValue *cursor, int64 lookback);
extern void lyf_progress_note(LyfProgress *progress);
extern LyfInstant lyf_progress_reached(const LyfProgress *progress);

/* in progress_position.c: append to a list whose last member is known */
extern void lyf_progress_push(LyfValue *list, LyfValue **last, LyfValue *member);

#endif							/* LYF_PROGRESS_INTERNAL_H */
