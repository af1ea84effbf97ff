/*
 * clock.c
 *		Where the time comes from.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/settings.h"

TimestampTz
lyf_now(void)
{
	if (lyf_test_now == NULL || lyf_test_now[0] == '\0')
		return GetCurrentTimestamp();
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
												   CStringGetDatum(lyf_test_now),
												   ObjectIdGetDatum(InvalidOid),
												   Int32GetDatum(-1)));
}
