/*
 * kind.c
 *		The kinds of tables that a data vault has.
 */
#include "postgres.h"

#include "vault/vault_internal.h"

/* in the order in which they are loaded */
static const LyfVaultKind kinds[] = {
	{"hub", LYF_VAULT_HUB},
	{"link", LYF_VAULT_LINK},
	{"non_historized", LYF_VAULT_LINK},
	{"hierarchical", LYF_VAULT_LINK},
	{"same_as", LYF_VAULT_LINK},
	{"standard", LYF_VAULT_SATELLITE},
	{"multi_active", LYF_VAULT_SATELLITE},
	{"effectivity", LYF_VAULT_SATELLITE},
	{"status_tracking", LYF_VAULT_SATELLITE},
	{"record_tracking", LYF_VAULT_SATELLITE},
	{"reference", LYF_VAULT_REFERENCE},
	{"pit", LYF_VAULT_DERIVED},
	{"bridge", LYF_VAULT_DERIVED},
};

const LyfVaultKind *
lyf_vault_kind(const char *name)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", kinds[i].name);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no kind of vault table \"%s\"", name),
			 errhint("There are: %s.", names.data)));
}
