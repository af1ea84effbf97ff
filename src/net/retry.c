/*-------------------------------------------------------------------------
 *
 * retry.c
 *		How long to wait before trying again, and the waiting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "base/compat.h"
#include "net/net_internal.h"

/* some 30,000 years: beyond any wait, and far from overflow */
#define LONGEST_MS	INT64CONST(1000000000000000)

void
lyf_net_sleep(int64 milliseconds, LyfNetStats *stats)
{
	static uint32 wait_event = 0;
	int64		start = lyf_monotonic_us();
	int64		last = start;
	int64		end = start + Min(milliseconds, LONGEST_MS) * 1000;

	if (wait_event == 0)
		wait_event = LYF_WAIT_EVENT("LyftronRetry");
	CHECK_FOR_INTERRUPTS();
	for (int64 now = start; now < end; now = lyf_monotonic_us())
	{
		lyf_http_drive((end - now + 999) / 1000, wait_event);

		/* Counted as it passes: an interrupt may end it */
		if (stats != NULL)
			stats->wait_us += lyf_monotonic_us() - last;
		last = lyf_monotonic_us();
		CHECK_FOR_INTERRUPTS();
	}
}

/* the three forms of RFC 9110: now used, RFC 850's, asctime's; all are GMT */
static bool
parse_http_date(const char *text, TimestampTz *result)
{
	static const char *const months = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct pg_tm tm = {0};
	char		month[4] = "";
	const char *at;
	int			utc = 0;
	int			end = 0;

	if (sscanf(text, "%*[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
			   &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) == 6 && end > 0)
		;
	else if (sscanf(text, "%*[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm.tm_mday, month,
					&tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) == 6 && end > 0)
		tm.tm_year += tm.tm_year < 70 ? 2000 : 1900;
	else if (sscanf(text, "%*[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday,
					&tm.tm_hour, &tm.tm_min, &tm.tm_sec, &tm.tm_year, &end) != 6 || end == 0)
		return false;

	at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (at == NULL || (at - months) % 3 != 0 || text[end + strspn(text + end, " \t")] != '\0')
		return false;
	tm.tm_mon = (at - months) / 3 + 1;
	if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 ||
		tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	return tm2timestamp(&tm, 0, &utc, result) == 0;
}

int64
lyf_retry_after_ms(const char *value, TimestampTz now)
{
	TimestampTz date;
	size_t		digits;
	char	   *end;
	double		seconds;

	value += strspn(value, " \t");
	digits = strspn(value, "0123456789.");
	seconds = strtod(value, &end);
	if (digits > 0 && end == value + digits && end[strspn(end, " \t")] == '\0')
		return (int64) ceil(Min(seconds * 1000, (double) LONGEST_MS));
	if (parse_http_date(value, &date))
		return date <= now ? 0 : (date - now + 999) / 1000;
	return -1;
}

int64
lyf_backoff_ms(int64 base_ms, double factor, int attempt, int64 cap_ms, bool jitter)
{
	double		ms = base_ms <= 0 ? 0 : (double) base_ms * pow(factor, attempt);

	/* Written so that a power which is no number is the cap, too */
	if (!(ms < (double) cap_ms))
		ms = (double) cap_ms;
	ms = Max(ms, 0);
	if (jitter)
		ms *= pg_prng_double(&pg_global_prng_state);
	return (int64) Min(ms, (double) LONGEST_MS);
}
