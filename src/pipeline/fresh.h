/*
 * fresh.h
 *		What a foreign server has now, see fresh.c.
 */
#ifndef LYF_FRESH_H
#define LYF_FRESH_H

#include "pipeline/pipeline.h"

typedef struct LyfFreshStream
{
	char	   *identity;		/* its name among all of the server's, with the schema of the remote side where it has one */
	char	   *name;
	char	   *remote;			/* that schema */
	LyfValue   *columns;		/* as a schema has them */
} LyfFreshStream;

/*
 * The streams of a server, a List of LyfFreshStream *, in CurrentMemoryContext; remote: of this schema of its, NULL: of those
 * that tables were imported from.  As the current user, who must be allowed to make a schema and to use the server.
 */
extern List *lyf_fresh_streams(Oid server, const char *remote);

#endif							/* LYF_FRESH_H */
