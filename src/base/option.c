/*
 * option.c
 *		Options of foreign servers, tables, columns and user mappings, by a table.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "lib/stringinfo.h"

#include "base/option.h"

static void
unknown_option(const char *keyword, Oid context, const LyfOption *table, int count)
{
	StringInfoData valid;

	initStringInfo(&valid);
	for (int i = 0; i < count; i++)
	{
		if (table[i].context == context)
			appendStringInfo(&valid, "%s%s", valid.len > 0 ? ", " : "", table[i].keyword);
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", keyword),
			 valid.len > 0
			 ? errhint("Valid options in this context are: %s.", valid.data)
			 : errhint("There are no valid options in this context.")));
}

void
lyf_option_validate(List *options, Oid context, const LyfOption *table, int count)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = (DefElem *) lfirst(lc);
		const LyfOption *found = NULL;

		for (int i = 0; i < count && found == NULL; i++)
		{
			if (table[i].context == context && strcmp(table[i].keyword, def->defname) == 0)
				found = &table[i];
		}
		if (found == NULL)
			unknown_option(def->defname, context, table, count);
		if (found->check != NULL)
			found->check(defGetString(def));
	}
}

const char *
lyf_option_get(List *options, const char *keyword)
{
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = (DefElem *) lfirst(lc);

		if (strcmp(def->defname, keyword) == 0)
			return defGetString(def);
	}
	return NULL;
}
