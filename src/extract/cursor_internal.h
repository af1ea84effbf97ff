/*
 * cursor_internal.h
 *		Cursors: what they are compiled to, evaluated for one read, and how time falls into windows.
 */
#ifndef LYF_CURSOR_INTERNAL_H
#define LYF_CURSOR_INTERNAL_H

#include "extract/extract.h"

/* A point in time, or a count (in us, without an offset), with the offset (seconds east) that it was given and is printed in. */
typedef struct LyfInstant
{
	TimestampTz us;
	int32		offset;
} LyfInstant;

/* MinMaxDatetime: a time within bounds, all of one format */
typedef struct LyfMoment
{
	LyfTemplate *time;			/* NULL: there is none */
	LyfTemplate *min;			/* or NULL */
	LyfTemplate *max;
	const char *format;
} LyfMoment;

/* which boundaries windows may have (clamping) */
typedef enum LyfClamp
{
	LYF_CLAMP_NONE, LYF_CLAMP_DAY, LYF_CLAMP_WEEK, LYF_CLAMP_MONTH
} LyfClamp;

struct LyfCursor
{
	bool		counting;		/* IncrementingCountCursor: field, start.time, start_option and the keys are all that it has */
	LyfTemplate *field;
	const char *format;			/* that state and slices are printed in */
	const char **formats;		/* that values are read by, in order; the last is format */
	int			format_count;
	LyfMoment	start;
	LyfMoment	end;			/* none: now */
	LyfTemplate *step;			/* or NULL: one window */
	const LyfValue *granularity;	/* or NULL */
	LyfTemplate *lookback;		/* or NULL */
	LyfTemplate *start_key;		/* partition_field_start, or NULL: start_time */
	LyfTemplate *end_key;		/* partition_field_end, or NULL: end_time */
	LyfRequestOption *start_option;
	LyfRequestOption *end_option;
	bool		data_feed;
	bool		client_side;
	bool		global;			/* global_substream_cursor */
	bool		strict;			/* is_compare_strictly */
	LyfTemplate *clamp;			/* DAY, WEEK or MONTH, or NULL */
	int			clamp_weekday;	/* of WEEK: 0 Monday ... 6 Sunday; -1: not given */
	const char *legacy_field;	/* states in the older form are of partitions by this field; or NULL: there are none such */
};

/* A cursor evaluated with a configuration: fixed for a whole read. */
typedef struct LyfCursorRun
{
	const LyfCursor *cursor;
	char	   *field;
	char	   *start_key;
	char	   *end_key;
	LyfInstant	start;
	LyfInstant	end;
	const LyfValue *step;		/* NULL: none */
	const LyfValue *lookback;	/* NULL: none */
	LyfClamp	clamp;
	bool		restricted;		/* by low and high: */
	bool		has_low;
	bool		has_high;
	LyfInstant	low;
	LyfInstant	high;
} LyfCursorRun;

/* A stretch of time that was read, and the latest record in it. */
typedef struct LyfInterval
{
	LyfInstant	start;
	LyfInstant	end;
	LyfInstant	seen;
	bool		has_seen;
} LyfInterval;

/* Where in the sequence of windows we are: plain data, so that it can be kept. */
typedef struct LyfWindows
{
	int			range;			/* -1: before the first interval; i: after interval i */
	bool		inside;			/* lower and upper are set */
	bool		last;			/* upper is the end of it all, not another interval's start */
	bool		begun;			/* a window of this range was given */
	LyfInstant	lower;
	LyfInstant	upper;
} LyfWindows;

/* in cursor.c */
extern LyfFailure *lyf_cursor_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run);
extern bool lyf_cursor_read(const LyfCursor *cursor, const LyfValue *value, LyfInstant *instant);

/* the instant as state and slices have it, in CurrentMemoryContext */
extern LyfValue *lyf_cursor_value(const LyfCursor *cursor, LyfInstant instant);

/* in cursor_count.c: a cursor that is a number which grows */
extern LyfFailure *lyf_count_compile(const LyfComponent *c, LyfCursor *cursor);
extern LyfFailure *lyf_count_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run);
extern bool lyf_count_read(const LyfValue *value, LyfInstant *instant);
extern LyfValue *lyf_count_value(LyfInstant instant);

/* in cursor_clamp.c */
extern LyfFailure *lyf_clamp_compile(const LyfComponent *c, LyfCursor *cursor);

/* evaluate it, and clamp the end */
extern LyfFailure *lyf_clamp_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run);

/* the boundary at or after an instant; or before it, if not up */
extern LyfInstant lyf_clamp(const LyfCursorRun *run, LyfInstant instant, bool up);

/* in cursor_window.c */
extern LyfInstant lyf_instant_add(LyfInstant instant, const LyfValue *duration, int sign);
extern int	lyf_intervals_merge(const LyfCursorRun *run, LyfInterval *intervals, int count);
extern bool lyf_windows_next(LyfWindows *windows, const LyfCursorRun *run, const LyfInterval *intervals,
							 int count, LyfInstant *start, LyfInstant *end);

#endif							/* LYF_CURSOR_INTERNAL_H */
