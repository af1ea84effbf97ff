/*
 * cursor_internal.h
 *		DatetimeBasedCursor: what it is compiled to, evaluated for one read, and
 *		how time falls into windows.
 */
#ifndef LYF_CURSOR_INTERNAL_H
#define LYF_CURSOR_INTERNAL_H

#include "extract/extract.h"

/* A point in time, with the offset (seconds east) that it was given and is printed in. */
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

struct LyfCursor
{
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
	LyfInstant	lower;
	LyfInstant	upper;
} LyfWindows;

/* in cursor.c */
extern LyfFailure *lyf_cursor_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run);
extern bool lyf_cursor_read(const LyfCursor *cursor, const LyfValue *value, LyfInstant *instant);
extern char *lyf_cursor_print(const LyfCursor *cursor, LyfInstant instant);

/* in cursor_window.c */
extern LyfInstant lyf_instant_add(LyfInstant instant, const LyfValue *duration, int sign);
extern int	lyf_intervals_merge(const LyfCursorRun *run, LyfInterval *intervals, int count);
extern bool lyf_windows_next(LyfWindows *windows, const LyfCursorRun *run, const LyfInterval *intervals,
							 int count, LyfInstant *start, LyfInstant *end);

#endif							/* LYF_CURSOR_INTERNAL_H */
