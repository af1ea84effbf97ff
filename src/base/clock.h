/*
 * clock.h
 *		Where the time comes from.  Everything that asks for the time asks here,
 *		so that a test can put another clock in place (lyftron.now setting).
 */
#ifndef LYF_CLOCK_H
#define LYF_CLOCK_H

#include "datatype/timestamp.h"

/* now: the wall clock, or the setting lyftron.test_now where a test fixed it */
extern TimestampTz lyf_now(void);

/* microseconds of a monotonic clock, for measuring durations */
extern int64 lyf_monotonic_us(void);

#endif							/* LYF_CLOCK_H */
