/*
 * option.h
 *		Options of foreign servers, tables, columns and user mappings, by a table.
 */
#ifndef LYF_OPTION_H
#define LYF_OPTION_H

#include "nodes/pg_list.h"

typedef struct LyfOption
{
	const char *keyword;
	Oid			context;		/* catalog in which it stands: ForeignServerRelationId, ... */
	bool		secret;			/* its value never appears in a message */
	void		(*check) (const char *value);	/* raises if the value is wrong, or NULL */
} LyfOption;

/* raise for an unknown option, listing the valid ones; call each option's check */
extern void lyf_option_validate(List *options, Oid context, const LyfOption *table, int count);

/* the value of an option, or NULL */
extern const char *lyf_option_get(List *options, const char *keyword);

#endif							/* LYF_OPTION_H */
