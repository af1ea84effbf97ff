/*
 * settings.c
 *		The lyftron.* settings: one line of a table each.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "base/hosts.h"
#include "base/settings.h"

int			lyf_connect_timeout;
int			lyf_request_timeout;
int			lyf_max_response_size;
int			lyf_max_retry_wait;
int			lyf_checkpoint_interval;
int			lyf_checkpoint_size;
int			lyf_schema_lock_timeout;
int			lyf_schema_rewrite_limit;
int			lyf_max_concurrency;
int			lyf_reserved_workers;
int			lyf_keep_history;
bool		lyf_learn_schema;
bool		lyf_pushdown;
bool		lyf_background_workers;
char	   *lyf_allowed_hosts;
char	   *lyf_ca_file;
char	   *lyf_test_now;

/* not looked at here: a run sets them for the SQL that it executes */
static char *nominal_time;
static char *window_start;
static char *window_end;

typedef struct IntSetting
{
	const char *name;
	const char *description;
	int		   *variable;
	int			value;
	int			min;
	int			max;
	int			unit;
	GucContext	context;		/* 0: anybody may set it */
} IntSetting;

static const IntSetting int_settings[] = {
	{"lyftron.connect_timeout", "Longest time to wait for a connection to a source, 0 for no limit.",
	&lyf_connect_timeout, 30000, 0, INT_MAX, GUC_UNIT_MS},
	{"lyftron.request_timeout", "Longest time that one request may take in all, 0 for no limit.",
	&lyf_request_timeout, 300000, 0, INT_MAX, GUC_UNIT_MS},
	{"lyftron.max_response_size", "Largest body of one response, decompressed, that is accepted.",
	&lyf_max_response_size, 256 * 1024, 1, INT_MAX / 1024, GUC_UNIT_KB},
	{"lyftron.max_retry_wait", "Longest wait before a retry; a source that asks for more fails the run.",
	&lyf_max_retry_wait, 600, 0, INT_MAX / 1000, GUC_UNIT_S},
	{"lyftron.checkpoint_interval", "A pipeline commits at the first page boundary after this time.",
	&lyf_checkpoint_interval, 10000, 1, INT_MAX, GUC_UNIT_MS},
	{"lyftron.checkpoint_size", "A pipeline commits at the first page boundary after this much data.",
	&lyf_checkpoint_size, 64 * 1024, 1, MAX_KILOBYTES, GUC_UNIT_KB},
	{"lyftron.schema_lock_timeout", "A run gives up when a change of its table has waited so long for those who use it, 0 never.",
	&lyf_schema_lock_timeout, 10000, 0, INT_MAX, GUC_UNIT_MS},
	{"lyftron.schema_rewrite_limit", "A table larger than this gets a new version of a column, where a wider type would write each row anew.",
	&lyf_schema_rewrite_limit, 256 * 1024, 0, INT_MAX, GUC_UNIT_KB},
	{"lyftron.max_concurrency", "Most requests of one read in flight at once, where the connector allows as many.",
	&lyf_max_concurrency, 8, 1, 100, 0},
	{"lyftron.reserved_workers", "Slots of background workers that lyftron leaves free for others.",
	&lyf_reserved_workers, 2, 0, 1000, 0, PGC_SIGHUP},
	{"lyftron.keep_history", "How long tasks that are over, runs and their logs are kept, 0 for ever.",
	&lyf_keep_history, 30 * 24 * 60, 0, INT_MAX, GUC_UNIT_MIN, PGC_SIGHUP},
};

typedef struct TextSetting
{
	const char *name;
	const char *description;
	char	  **variable;
	const char *value;
	GucContext	context;
	int			flags;
	GucStringCheckHook check;
} TextSetting;

#define HOST_ENTRY	"\"%.*s\" is no host name, *.name, address, block of addresses or *, with or without a port."

/*
 * A wrong entry stands for nothing.  To refuse the whole list where it comes from a file or a
 * role's settings would leave the default, which may allow more than was meant.
 */
static bool
check_hosts(char **value, void **extra, GucSource source)
{
	const char *list = *value;
	LyfHostEntry entry;

	while (lyf_hosts_next(&list, &entry))
	{
		if (entry.valid)
			continue;
		if (source >= PGC_S_INTERACTIVE)
		{
			GUC_check_errdetail(HOST_ENTRY, (int) entry.len, entry.text);
			return false;
		}
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("wrong entry in lyftron.allowed_hosts"),
				 errdetail(HOST_ENTRY, (int) entry.len, entry.text)));
	}
	return true;
}

/* the first two bind those who are no superuser */
static const TextSetting text_settings[] = {
	{"lyftron.allowed_hosts", "Hosts that sources may be at: names, *.names, addresses, blocks of addresses, or * for all that are not guarded.",
	&lyf_allowed_hosts, "*", PGC_SUSET, GUC_LIST_INPUT, check_hosts},
	{"lyftron.ca_file", "File with the certificates of the authorities that sources are trusted by; empty for the system's.",
	&lyf_ca_file, "", PGC_SUSET, 0, NULL},
	{"lyftron.test_now", "A fixed time that expressions and cursors see as now, for tests.",
	&lyf_test_now, "", PGC_USERSET, GUC_NOT_IN_SAMPLE, NULL},
	{"lyftron.nominal_time", "In a scheduled run: the time at which it was due.",
	&nominal_time, "", PGC_USERSET, GUC_NOT_IN_SAMPLE, NULL},
	{"lyftron.window_start", "In a backfill: from when on records are to be read.",
	&window_start, "", PGC_USERSET, GUC_NOT_IN_SAMPLE, NULL},
	{"lyftron.window_end", "In a backfill: before when records are to be read.",
	&window_end, "", PGC_USERSET, GUC_NOT_IN_SAMPLE, NULL},
};

void
lyf_settings_init(void)
{
	for (int i = 0; i < lengthof(int_settings); i++)
	{
		const IntSetting *s = &int_settings[i];

		DefineCustomIntVariable(s->name, s->description, NULL, s->variable,
								s->value, s->min, s->max,
								s->context != 0 ? s->context : PGC_USERSET, s->unit, NULL, NULL, NULL);
	}
	DefineCustomBoolVariable("lyftron.learn_schema",
							 "Lets runs look at what the data shows, for lyftron.schema_columns.",
							 NULL, &lyf_learn_schema, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("lyftron.pushdown",
							 "Makes conditions part of the requests to a source where that is exact.",
							 NULL, &lyf_pushdown, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("lyftron.background_workers",
							 "Lets background workers look after pipelines and run them.",
							 NULL, &lyf_background_workers, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	for (int i = 0; i < lengthof(text_settings); i++)
	{
		const TextSetting *s = &text_settings[i];

		DefineCustomStringVariable(s->name, s->description, NULL, s->variable,
								   s->value, s->context, s->flags, s->check, NULL, NULL);
	}
	MarkGUCPrefixReserved("lyftron");
}
