/*
 * router.c
 *		Partition routers: into which partitions a stream falls, and how the
 *		partition gets into the requests.  One file a kind; this one has the table
 *		of kinds and what all kinds share.
 */
#include "postgres.h"

#include "extract/router_internal.h"

static const LyfRouterKind *const router_kinds[] = {
	&lyf_router_list,
	&lyf_router_substream,
	&lyf_router_grouping,
	&lyf_router_union,
};

void
lyf_router_add_option(LyfInjectionList *list, const LyfRequestOption *option, LyfValue *value)
{
	if (option == NULL || !lyf_value_truth(value))
		return;
	if (list->count == list->room)
	{
		list->room = list->room == 0 ? 4 : list->room * 2;
		list->item = list->item == NULL ? palloc(sizeof(LyfInjection) * list->room) :
			repalloc(list->item, sizeof(LyfInjection) * list->room);
	}
	list->item[list->count].option = option;
	list->item[list->count].value = value;
	list->count++;
}

/*
 * c may be a router, or hold a list of routers (their cartesian product), or
 * nothing at all.  parent compiles the streams that substreams hang on.
 */
LyfFailure *
lyf_router_compile(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out)
{
	*out = NULL;
	if (c->json == NULL || json_is_null(c->json))
		return NULL;
	if (json_is_array(c->json))
		return lyf_router_cartesian.compile(c, parent, arg, out);
	for (int i = 0; i < lengthof(router_kinds); i++)
	{
		if (strcmp(c->type, router_kinds[i]->type) == 0)
			return router_kinds[i]->compile(c, parent, arg, out);
	}
	return lyf_component_unsupported(c);
}

double
lyf_router_guess(const LyfRouter *router)
{
	return router != NULL ? router->kind->guess(router) : 1;
}

int
lyf_router_fields(const LyfRouter *router, const char ***names)
{
	List	   *list = NIL;
	ListCell   *cell;
	int			count = 0;

	*names = NULL;
	if (router == NULL)
		return 0;
	router->kind->fields(router, &list);
	*names = palloc(sizeof(char *) * (list_length(list) + 1));
	foreach(cell, list)
		(*names)[count++] = lfirst(cell);
	return count;
}

/* The options of a slice, an array in CurrentMemoryContext; router may be NULL. */
LyfFailure *
lyf_router_injections(const LyfRouter *router, LyfSession *session, const LyfSlice *slice,
					  LyfInjection **injections, int *count)
{
	LyfInjectionList list = {0};

	if (router != NULL)
		LYF_TRY(router->kind->inject(router, session, slice, &list));
	*count = list.count;
	*injections = list.item;
	return NULL;
}

bool
lyf_router_is_lazy(const LyfRouter *router)
{
	return router != NULL && router->kind->is_lazy != NULL && router->kind->is_lazy(router);
}

/* The scan lives in CurrentMemoryContext. */
LyfRouterScan *
lyf_router_begin(LyfRouter *router, LyfSession *session, const LyfValue *state)
{
	LyfRouterScan *scan = router->kind->begin(router, session, state);

	scan->router = router;
	scan->session = session;
	return scan;
}

LyfFailure *
lyf_router_next(LyfRouterScan *scan, LyfSlice **slice)
{
	return scan->router->kind->next(scan, slice);
}

LyfSlice *
lyf_router_peek(LyfRouterScan *scan, int place)
{
	const LyfRouterKind *kind = scan->router->kind;

	return kind->peek != NULL ? kind->peek(scan, place) : NULL;
}

void
lyf_router_ahead(LyfRouterScan *scan)
{
	const LyfRouterKind *kind = scan->router->kind;

	if (kind->ahead != NULL)
		kind->ahead(scan);
}

/* Of what was given out so far, all but the last partition's parent slice is in it. */
LyfValue *
lyf_router_parent_state(LyfRouterScan *scan)
{
	return scan->router->kind->parent_state(scan);
}

void
lyf_router_end(LyfRouterScan *scan)
{
	scan->router->kind->end(scan);
}
