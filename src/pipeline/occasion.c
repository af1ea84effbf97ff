/*
 * occasion.c
 *		What a run is for, as SQL sees it; statements executed on that occasion.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "pipeline/pipeline.h"

static void
show(const char *setting, bool given, TimestampTz time)
{
	(void) set_config_option(setting, given ? timestamptz_to_str(time) : "", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
lyf_occasion_show(const LyfOccasion *occasion)
{
	static const LyfOccasion none = {0};

	if (occasion == NULL)
		occasion = &none;
	show("lyftron.nominal_time", occasion->scheduled, occasion->nominal);
	show("lyftron.window_start", occasion->bounded, occasion->since);
	show("lyftron.window_end", occasion->bounded, occasion->until);
}

uint64
lyf_command_run(Oid owner, const char *search_path, const char *command, const LyfOccasion *occasion)
{
	LyfSourceScope scope = lyf_owner_enter(owner, search_path);
	uint64		processed;
	int			result;

	lyf_occasion_show(occasion);
	SPI_connect();
	result = SPI_execute(command, false, 0);
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a task cannot have COPY or transaction control"),
				 errdetail("The command ended with %s.", SPI_result_code_string(result))));
	processed = SPI_processed;
	SPI_finish();
	lyf_source_leave(&scope);
	return processed;
}
