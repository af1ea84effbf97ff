/*
 * cursor_clamp.c
 *		Clamping: windows that begin and end with a day, a week or a month, for sources that
 *		only tell what whole ones of these sum up to.
 *
 * As the reference engine has it, in the offset that an instant is given in: the end of all windows
 * is the last boundary, less the granularity, so that a period that has not ended yet is left out.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "extract/cursor_internal.h"

#define DAYS_PER_WEEK	7

static const char *const weekdays[DAYS_PER_WEEK] = {
	"MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"
};

LyfFailure *
lyf_clamp_compile(const LyfComponent *c, LyfCursor *cursor)
{
	LyfComponent clamping = lyf_component_child(c, "clamping");
	LyfComponent details;
	const char *weekday;

	cursor->clamp_weekday = -1;
	if (clamping.json == NULL || json_is_null(clamping.json))
		return NULL;
	LYF_TRY(lyf_component_required_template(&clamping, "target", &cursor->clamp));
	details = lyf_component_child(&clamping, "target_details");
	if (details.json == NULL)
		return NULL;
	LYF_TRY(lyf_component_text(&details, "weekday", NULL, &weekday));
	for (int i = 0; weekday != NULL && i < lengthof(weekdays); i++)
	{
		if (strcmp(weekday, weekdays[i]) == 0)
			cursor->clamp_weekday = i;
	}
	if (weekday != NULL && cursor->clamp_weekday < 0)
		return lyf_component_invalid(&details, "weekday must be MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY or SUNDAY");
	return NULL;
}

static LyfFailure *
eval_target(const LyfCursor *cursor, LyfSession *session, LyfClamp *clamp)
{
	static const char *const targets[] = {
		[LYF_CLAMP_DAY] = "DAY", [LYF_CLAMP_WEEK] = "WEEK", [LYF_CLAMP_MONTH] = "MONTH"
	};
	char	   *target;

	LYF_TRY(lyf_template_eval_text(cursor->clamp, &session->scope, &target));
	for (*clamp = LYF_CLAMP_DAY; *clamp <= LYF_CLAMP_MONTH; (*clamp)++)
	{
		if (strcmp(target, targets[*clamp]) == 0)
			break;
	}
	if (*clamp > LYF_CLAMP_MONTH)
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "a cursor's clamping must be DAY, WEEK or MONTH, not \"%s\"", target);
	if (*clamp == LYF_CLAMP_WEEK && cursor->clamp_weekday < 0)
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "a cursor's clamping by WEEK needs a weekday in its target_details");
	return NULL;
}

LyfFailure *
lyf_clamp_evaluate(const LyfCursor *cursor, LyfSession *session, LyfCursorRun *run)
{
	if (cursor->clamp == NULL)
		return NULL;
	LYF_TRY(eval_target(cursor, session, &run->clamp));
	run->end = lyf_clamp(run, run->end, false);
	if (cursor->granularity != NULL)
		run->end = lyf_instant_add(run->end, cursor->granularity, -1);
	else
		run->end.us -= run->clamp == LYF_CLAMP_DAY ? USECS_PER_SEC : USECS_PER_DAY;
	return NULL;
}

/* the first of the month that a day is in, or of the next one; days since 2000-01-01 */
static int64
clamp_month(int64 day, bool up)
{
	int			year;
	int			month;
	int			day_of_month;

	j2date((int) day + POSTGRES_EPOCH_JDATE, &year, &month, &day_of_month);
	if (up && day_of_month != 1)
		return date2j(month == 12 ? year + 1 : year, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE;
	return date2j(year, month, 1) - POSTGRES_EPOCH_JDATE;
}

/*
 * Of a week and a month up is the day itself where it begins one, whatever its hour.
 */
LyfInstant
lyf_clamp(const LyfCursorRun *run, LyfInstant instant, bool up)
{
	int64		local = instant.us + instant.offset * USECS_PER_SEC;
	int64		day = local / USECS_PER_DAY - (local % USECS_PER_DAY < 0 ? 1 : 0);
	int			ahead;

	switch (run->clamp)
	{
		case LYF_CLAMP_DAY:
			if (up && day * USECS_PER_DAY != local)
				day++;
			break;
		case LYF_CLAMP_WEEK:
			/* days until the week begins; 2000-01-01 was a Saturday */
			ahead = (int) ((run->cursor->clamp_weekday - (day + 5)) % DAYS_PER_WEEK);
			if (ahead < 0)
				ahead += DAYS_PER_WEEK;
			if (ahead > 0)
				day += up ? ahead : ahead - DAYS_PER_WEEK;
			break;
		case LYF_CLAMP_MONTH:
			day = clamp_month(day, up);
			break;
		case LYF_CLAMP_NONE:
			return instant;
	}
	instant.us = day * USECS_PER_DAY - instant.offset * USECS_PER_SEC;
	return instant;
}
