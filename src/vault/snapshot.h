/*
 * snapshot.h
 *		Tables that hold what a vault said at moments, its snapshots: point-in-time tables and bridges.
 */
#ifndef LYF_VAULT_SNAPSHOT_H
#define LYF_VAULT_SNAPSHOT_H

#include "vault/derived.h"

/* the column that says which snapshot a row belongs to */
#define LYF_SNAPSHOT_DATE	"snapshot_date"

/* How such a table is filled. */
typedef struct LyfSnapshots
{
	const LyfVaultTable *table;
	char	   *relation;		/* quoted and qualified */
	List	   *watched;		/* of LyfVaultTable *: a row of these that comes late changes snapshots */
	char	   *fill;			/* statement that fills one that is empty: $1, a timestamptz */
	char	   *mend;			/* the end of a statement that puts the snapshots in $1 right, once "WITH late (key, moment) ..." has said what to
								 * look at; NULL: they are filled anew */
} LyfSnapshots;

/*
 * What a table's definition says of its snapshots: a relation or query, looked at here, and the search_path that it is read with.
 * As the vault's owner.
 */
extern void lyf_snapshots_define(LyfValue *definition, const char *name, const char *source, const char *search_path);

/*
 * Have it the snapshots that are wanted, and these hold what the vault says now; the row that the SQL function returns.  As the
 * vault's owner.
 */
extern void lyf_snapshots_refresh(const LyfSnapshots *snapshots, FunctionCallInfo fcinfo);

/* a table of that kind; raises where it is another one */
extern LyfVaultTable *lyf_snapshots_table(const LyfVault *vault, const char *name, const char *kind);

#endif							/* LYF_VAULT_SNAPSHOT_H */
