/*
 * check_internal.h
 *		What the files of a vault's check share.
 */
#ifndef LYF_VAULT_CHECK_INTERNAL_H
#define LYF_VAULT_CHECK_INTERNAL_H

#include "nodes/execnodes.h"

#include "vault/derived.h"

typedef enum LyfCheckSeverity
{
	LYF_CHECK_ERROR,
	LYF_CHECK_NOTICE
} LyfCheckSeverity;

/* The table at hand. */
typedef struct LyfVaultCheck
{
	const LyfVaultTable *table;
	char	   *relation;		/* quoted and qualified */
	bool		sources;		/* may sources be read? */
	ReturnSetInfo *result;
} LyfVaultCheck;

/* in check.c: report the rows that a SELECT gives, if it gives any */
extern void lyf_vault_check(LyfVaultCheck *check, LyfCheckSeverity severity, const char *problem, const char *hint, const char *sql);

/* in check_key.c: hash keys, business keys, and rows without a parent */
extern void lyf_check_keys(LyfVaultCheck *check);

/* in check_version.c: what satellites and reference tables say over time */
extern void lyf_check_versions(LyfVaultCheck *check);
extern bool lyf_check_has_diff(const LyfVaultTable *table); /* has it hash differences? */

/* in check_key.c: a row's key is no ghost's, as SQL */
extern char *lyf_check_not_ghost(const LyfVault *vault, const char *column);

/* in check_key.c: a hash of columns (as SQL, with commas) as a vault has it */
extern char *lyf_check_hash(const LyfVault *vault, const char *kind, const char *columns);

#endif							/* LYF_VAULT_CHECK_INTERNAL_H */
