/*
 * mode.c
 *		The sync modes: swap.c has the full refresh, merge.c the incremental ones.
 */
#include "postgres.h"

#include "load/load_internal.h"

static const LyfMode *const modes[] = {
	&lyf_mode_full_refresh,
	&lyf_mode_incremental,
	&lyf_mode_incremental_append,
};

const LyfMode *
lyf_mode_get(const char *name)
{
	for (int i = 0; i < lengthof(modes); i++)
	{
		if (strcmp(modes[i]->name, name) == 0)
			return modes[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no sync mode \"%s\"", name),
			 errhint("Sync modes are: full_refresh, incremental, incremental_append.")));
}

bool
lyf_mode_wants_key(const LyfMode *mode)
{
	return mode->wants_key;
}

bool
lyf_mode_is_full_refresh(const LyfMode *mode)
{
	return mode->full_refresh;
}

List *
lyf_mode_id_columns(const LyfMode *mode, List *primary_key)
{
	return mode->key_is_record ? NIL : primary_key;
}
