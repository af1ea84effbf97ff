/*
 * router_internal.h
 *		What the kinds of partition routers share.
 */
#ifndef LYF_ROUTER_INTERNAL_H
#define LYF_ROUTER_INTERNAL_H

#include "nodes/pg_list.h"
#include "extract/extract_internal.h"

/* The options of a slice, in the making; in a request a later one replaces an earlier one of its name. */
typedef struct LyfInjectionList
{
	LyfInjection *item;
	int			count;
	int			room;
} LyfInjectionList;

typedef struct LyfRouterKind LyfRouterKind;

struct LyfRouter
{
	const LyfRouterKind *kind;
	/* the kind's own fields follow */
};

struct LyfRouterScan
{
	LyfRouter  *router;
	LyfSession *session;
	/* the kind's own fields follow */
};

/* A kind of router: all members MUST be there, but for three. */
struct LyfRouterKind
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out);
	/* append the partition fields whose names are known without a configuration */
	void		(*fields) (const LyfRouter *router, List **names);
	/* how many partitions there may be, for the planner: a guess that asks nobody */
	double		(*guess) (const LyfRouter *router);
	/* add the slice's options */
	LyfFailure *(*inject) (const LyfRouter *router, LyfSession *session, const LyfSlice *slice,
						   LyfInjectionList *list);
	/* does it give first pages with its partitions?  MAY be absent: no */
	bool		(*is_lazy) (const LyfRouter *router);
	LyfRouterScan *(*begin) (LyfRouter *router, LyfSession *session, const LyfValue *state);
	LyfFailure *(*next) (LyfRouterScan *scan, LyfSlice **slice);
	/* the place-th partition after the one given last, NULL if that is not known yet.  MAY be absent */
	LyfSlice   *(*peek) (LyfRouterScan *scan, int place);
	/* let a parent ask for its next page.  MAY be absent */
	void		(*ahead) (LyfRouterScan *scan);
	LyfValue   *(*parent_state) (LyfRouterScan *scan);
	void		(*end) (LyfRouterScan *scan);
};

extern const LyfRouterKind lyf_router_list;
extern const LyfRouterKind lyf_router_substream;
extern const LyfRouterKind lyf_router_cartesian;
extern const LyfRouterKind lyf_router_grouping;
extern const LyfRouterKind lyf_router_union;

/* add an option, if there is one, unless value is falsy */
extern void lyf_router_add_option(LyfInjectionList *list, const LyfRequestOption *option, LyfValue *value);

#endif							/* LYF_ROUTER_INTERNAL_H */
