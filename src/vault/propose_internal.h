/*
 * propose_internal.h
 *		What the files of propose_vault share: tables as a proposal sees them.
 */
#ifndef LYF_VAULT_PROPOSE_INTERNAL_H
#define LYF_VAULT_PROPOSE_INTERNAL_H

#include "vault/derived.h"

/* what becomes of a table */
typedef enum LyfProposedForm
{
	LYF_PROPOSED_NOTHING,		/* it has no key */
	LYF_PROPOSED_HUB,
	LYF_PROPOSED_LINK,			/* its key is made of keys of others */
	LYF_PROPOSED_REFERENCE		/* a code and what it means */
} LyfProposedForm;

/* A table; lists are of char *, names of columns, unless said otherwise. */
typedef struct LyfProposedTable
{
	Oid			relid;
	char	   *name;			/* what tables of the vault are named after */
	char	   *source;			/* what they are loaded from, qualified */
	bool		is_foreign;
	LyfSource  *opened;
	List	   *columns;		/* without those of ours */
	List	   *key;
	bool		key_unique;		/* it has no primary key: the key is a unique one */
	List	   *other_key;		/* a unique key beside the primary key, or NIL */
	List	   *references;		/* of LyfProposedReference * */
	LyfProposedForm form;
} LyfProposedTable;

/* A foreign key, declared or guessed, to the key of another table. */
typedef struct LyfProposedReference
{
	List	   *columns;
	LyfProposedTable *to;
	bool		guessed;
} LyfProposedReference;

/* in propose_scan.c: the tables of a server, or of a schema (the other one is NULL), with their forms; of LyfProposedTable * */
extern List *lyf_propose_scan(const char *server, const char *schema, const char *staging);

#endif							/* LYF_VAULT_PROPOSE_INTERNAL_H */
