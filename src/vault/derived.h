/*
 * derived.h
 *		What views, point-in-time tables, bridges and checks have in common: the satellites' tables as SQL looks at them.
 */
#ifndef LYF_VAULT_DERIVED_H
#define LYF_VAULT_DERIVED_H

#include "vault/vault_internal.h"

/* in derived.c */

/* the kinds of tables that have versions, by how these are told from each other */
typedef enum LyfVersions
{
	LYF_VERSIONS_NONE,
	LYF_VERSIONS_ROW,			/* each row is one: key, load_date, load_seq */
	LYF_VERSIONS_SET,			/* all rows of one key and load_date are one */
	LYF_VERSIONS_SEEN			/* each row says when a key was seen in a source: key, load_date, record_source */
} LyfVersions;

extern LyfVersions lyf_vault_versions(const LyfVaultTable *table);

/* the names of a table's columns as they are now; NIL: it is gone */
extern List *lyf_vault_columns(const LyfVault *vault, const char *table);
extern bool lyf_vault_has_name(List *names, const char *name);

/* names, each after a prefix, as a list for SQL, with this between them */
extern char *lyf_vault_list(List *names, const char *prefix, const char *between);

/* ARRAY['a', 'b'], of type text[] */
extern char *lyf_vault_text_array(List *texts);

/* relation: as SQL has it */
extern void lyf_vault_comment_column(const char *relation, const char *column, const char *text);

/* "one.a = other.a AND one.b = other.b" */
extern char *lyf_vault_same(List *names, const char *one, const char *other);

/* the columns that say whose version a row is: the hash key; of a reference table, its key; of one that tracks records, the source, too */
extern List *lyf_vault_version_key(const LyfVaultTable *table);

/* a hash of the vault as SQL; unknown: all bits are set, else none is */
extern char *lyf_vault_ghost_key(const LyfVault *vault, bool unknown);

/* the load date of ghosts, as SQL */
#define LYF_GHOST_DATE	"'0001-01-01 00:00:01+00'::pg_catalog.timestamptz"

/* be the vault's owner, with nothing but pg_catalog to find by itself, until lyf_source_leave */
extern LyfSourceScope lyf_vault_enter(const LyfVault *vault);

/* run a statement as whoever we are, and read its rows, into CurrentMemoryContext; args: NULL, none */
extern List *lyf_vault_select(const char *sql, const LyfArgs *args, LyfRowReader read);

/* a text argument, or NULL */
extern char *lyf_vault_optional(FunctionCallInfo fcinfo, int number);

#endif							/* LYF_VAULT_DERIVED_H */
