/*
 * clock.h
 *		Where the time comes from.  Everything that asks for the time asks here,
 *		so that a test can put another clock in place (lyftron.now setting).
 */
#ifndef LYF_CLOCK_H
#define LYF_CLOCK_H

#include "datatype/timestamp.h"
#include "portability/instr_time.h"

/* now: the wall clock, or the setting lyftron.test_now where a test fixed it */
extern TimestampTz lyf_now(void);

/* microseconds of a monotonic clock, for measuring durations */
static inline int64
lyf_monotonic_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

#endif							/* LYF_CLOCK_H */
