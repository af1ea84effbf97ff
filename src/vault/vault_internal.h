/*
 * vault_internal.h
 *		What the files of vault/ share: vaults and their tables as they stand in the catalog.
 */
#ifndef LYF_VAULT_INTERNAL_H
#define LYF_VAULT_INTERNAL_H

#include "pipeline/pipeline.h"
#include "vault/hash.h"

typedef struct LyfVault
{
	char	   *name;
	Oid			owner;
	char	   *schema;
	LyfValue   *hash;			/* settings of its hashes */
	bool		ghosts;
	char	   *null_keys;		/* zero_key, skip or fail */
} LyfVault;

typedef enum LyfVaultClass
{
	LYF_VAULT_HUB,
	LYF_VAULT_LINK,
	LYF_VAULT_SATELLITE,
	LYF_VAULT_REFERENCE,
	LYF_VAULT_DERIVED			/* made of the others: not loaded from sources */
} LyfVaultClass;

/* What there is about a kind of table: a const table of these in kind.c. */
typedef struct LyfVaultKind
{
	const char *name;
	LyfVaultClass class;
} LyfVaultKind;

/* A hub in a link. */
typedef struct LyfVaultRole
{
	char	   *hub;			/* the table */
	char	   *column;			/* of the link, with the hub's hash key */
} LyfVaultRole;

/* A table of a vault; lists are of char *, names of columns, unless said otherwise. */
typedef struct LyfVaultTable
{
	const LyfVault *vault;
	char	   *name;
	const LyfVaultKind *kind;
	char	   *parent;			/* of a satellite or point-in-time table, else NULL */
	char	   *hash_key;		/* column; NULL: a reference table */
	List	   *key;			/* of a hub: the business key, led by collision_code and tenant where it has them; of a reference table */
	List	   *hubs;			/* of a link: of LyfVaultRole * */
	List	   *dependent;		/* of a link */
	List	   *columns;		/* what it describes */
	List	   *sub_key;		/* of a multi-active satellite */
	List	   *driving;		/* of an effectivity satellite: columns of its link */
	bool		history;		/* of a reference table: has it versions? */
	LyfValue   *definition;
} LyfVaultTable;

/* columns that tables of a vault have by these names */
#define LYF_LOAD_DATE		"load_date"
#define LYF_LOAD_SEQ		"load_seq"
#define LYF_DIFF_COLUMN		"hash_diff"
#define LYF_RECORD_SOURCE	"record_source"
#define LYF_COLLISION_CODE	"collision_code"
#define LYF_TENANT			"tenant"

/* what a source is called in the queries that read it */
#define LYF_VAULT_ALIAS		"_lyftron_source"

/* in item.c: expressions over a source, each as in the list of a SELECT */

typedef struct LyfVaultItem
{
	char	   *name;			/* NULL: none, where it need not have one */
	char	   *expr;
	Oid			type_oid;
	char	   *type;			/* as SQL has it; both once lyf_vault_item_types has looked */
} LyfVaultItem;

extern LyfVaultItem *lyf_vault_item(const char *text, bool named);	/* named: raises where it has no name */
extern List *lyf_vault_items(List *texts, bool named);	/* of LyfVaultItem * */
extern void lyf_vault_item_types(const LyfSource *source, List *items);	/* of those that have none yet */
extern bool lyf_vault_is_pipeline_column(const char *name); /* one that streams and pipelines add to what a source has */

/* in define.c: a table being defined */

typedef struct LyfVaultDefine
{
	LyfVault   *vault;
	LyfVaultTable *table;		/* what it is to be; its definition is made at the end */
	LyfSource  *source;
	char	   *source_text;	/* as it is kept: qualified, or a query */
	char	   *search_path;	/* that it is read with */
	LyfSourceScope scope;
	/* of LyfVaultItem *: what fills the columns of the table's lists of the same names */
	List	   *key;			/* of a hub, or reference table; of a satellite's parent or link: of all its hubs, and the dependent key */
	List	   *dependent;
	List	   *columns;
	List	   *sub_key;
	/* expressions, or NULL */
	char	   *load_date;
	char	   *record_source;
	char	   *tenant;
	char	   *collision_code; /* a literal */
	char	   *sequence;
	char	   *operation;
	char	   *increment;
	char	   *lookback;
	bool		full_load;
} LyfVaultDefine;

/* a text argument that is not null; raises */
extern char *lyf_vault_required(FunctionCallInfo fcinfo, int number, const char *name);

/*
 * Begin: find vault and source, and be the vault's owner until lyf_vault_define_end, which makes the table where it is not there, and
 * has the source fill it.
 */
extern LyfVaultDefine *lyf_vault_define_begin(FunctionCallInfo fcinfo, const char *vault, const char *name, const char *kind, const char *source);
extern void lyf_vault_define_end(LyfVaultDefine *define);

/* in table.c */

/* make the table, with its ghosts; the items' types are known */
extern void lyf_vault_table_make(const LyfVaultDefine *define);

/* in kind.c */

extern const LyfVaultKind *lyf_vault_kind(const char *name);	/* raises, naming those there are */

/* in catalog.c; all in CurrentMemoryContext, raising where there is none, or the caller may not use it */

extern LyfVault *lyf_vault_get(const char *name);
extern LyfVaultTable *lyf_vault_table_get(const LyfVault *vault, const char *name);
extern LyfVaultTable *lyf_vault_table_find(const LyfVault *vault, const char *name);	/* NULL: there is none */
extern List *lyf_vault_tables(const LyfVault *vault);	/* of LyfVaultTable *: hubs first, then links, then satellites, then others */
extern void lyf_vault_table_insert(const LyfVaultTable *table);	/* by its definition */
extern char *lyf_vault_relation(const LyfVault *vault, const char *name);	/* quoted and qualified */

/* "hub_customer" -> "customer": what columns are named after */
extern char *lyf_vault_stem(const char *table);

/* a list of texts (char *) as a value, and back */
extern LyfValue *lyf_vault_names(List *names);
extern List *lyf_vault_name_list(const LyfValue *names);

/* the type of a column of one of its tables as SQL has it, with typmod; raises where it is gone */
extern char *lyf_vault_column_type(const LyfVault *vault, const char *table, const char *column);

#endif							/* LYF_VAULT_INTERNAL_H */
