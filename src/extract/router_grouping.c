/*
 * router_grouping.c
 *		GroupingPartitionRouter: the partitions of another router in batches; a
 *		batch is one partition whose values are lists.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "extract/router_internal.h"

/* partitions of a batch, which are looked through for each that is added */
#define MAX_GROUP	10000

typedef struct GroupingRouter
{
	LyfRouter	base;
	LyfRouter  *underlying;
	int64		size;
	bool		deduplicate;
} GroupingRouter;

typedef struct GroupingScan
{
	LyfRouterScan base;
	LyfRouterScan *underlying;
} GroupingScan;

static LyfFailure *
compile_grouping(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out)
{
	GroupingRouter *router = palloc0(sizeof(GroupingRouter));
	LyfComponent underlying = lyf_component_child(c, "underlying_partition_router");

	router->base.kind = &lyf_router_grouping;
	LYF_TRY(lyf_component_int(c, "group_size", 0, &router->size));
	if (router->size < 1 || router->size > MAX_GROUP)
		return lyf_component_invalid(c, "must have a group_size from 1 to %d", MAX_GROUP);
	LYF_TRY(lyf_component_bool(c, "deduplicate", true, &router->deduplicate));
	LYF_TRY(lyf_router_compile(&underlying, parent, arg, &router->underlying));
	if (router->underlying == NULL)
		return lyf_component_invalid(c, "has no underlying_partition_router");
	*out = &router->base;
	return NULL;
}

static void
grouping_fields(const LyfRouter *base, List **names)
{
	const GroupingRouter *router = (const GroupingRouter *) base;

	router->underlying->kind->fields(router->underlying, names);
}

/* A batch has no options of its own. */
static LyfFailure *
grouping_inject(const LyfRouter *router, LyfSession *session, const LyfSlice *slice, LyfInjectionList *list)
{
	return NULL;
}

static LyfRouterScan *
grouping_begin(LyfRouter *base, LyfSession *session, const LyfValue *state)
{
	GroupingScan *scan = palloc0(sizeof(GroupingScan));

	scan->underlying = lyf_router_begin(((GroupingRouter *) base)->underlying, session, state);
	return &scan->base;
}

/* The one value of a partition, its key aside; NULL if there is not exactly one. */
static LyfValue *
sole_value(const LyfValue *partition)
{
	LyfValue   *sole = NULL;

	lyf_foreach(member, partition)
	{
		if (strcmp(member->key, "parent_slice") == 0)
			continue;
		if (sole != NULL)
			return NULL;
		sole = member;
	}
	return sole;
}

/* Append each member of map to the list of that key in lists. */
static void
gather(LyfValue *lists, const LyfValue *map)
{
	lyf_foreach(member, map)
	{
		LyfValue   *list = lyf_value_get(lists, member->key);

		if (list == NULL)
		{
			list = lyf_value_make(LYF_LIST);
			lyf_value_set(lists, member->key, list);
		}
		lyf_value_append(list, lyf_value_alias(member));
	}
}

static bool
contains(const LyfValue *list, const LyfValue *value)
{
	if (list == NULL)
		return false;
	lyf_foreach(member, list)
	{
		if (lyf_value_equal(member, value))
			return true;
	}
	return false;
}

static LyfFailure *
grouping_next(LyfRouterScan *base, LyfSlice **slice)
{
	GroupingScan *scan = (GroupingScan *) base;
	const GroupingRouter *router = (const GroupingRouter *) base->router;
	LyfValue   *partition = lyf_value_make(LYF_MAP);
	LyfValue   *extra = lyf_value_make(LYF_MAP);
	int64		count = 0;

	*slice = NULL;
	while (count < router->size)
	{
		LyfSlice   *one;
		LyfValue   *sole;

		CHECK_FOR_INTERRUPTS();
		LYF_TRY(lyf_router_next(scan->underlying, &one));
		if (one == NULL)
			break;
		sole = sole_value(one->partition);
		if (sole == NULL)
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							   "partitions to be grouped must have exactly one field");
		if (router->deduplicate && contains(lyf_value_get(partition, sole->key), sole))
			continue;
		gather(partition, one->partition);
		gather(extra, one->extra_fields);
		count++;
	}
	if (count > 0)
		*slice = lyf_slice_make(partition, NULL, extra);
	return NULL;
}

static LyfValue *
grouping_parent_state(LyfRouterScan *scan)
{
	return lyf_router_parent_state(((GroupingScan *) scan)->underlying);
}

static void
grouping_end(LyfRouterScan *scan)
{
	lyf_router_end(((GroupingScan *) scan)->underlying);
}

static double
grouping_guess(const LyfRouter *router)
{
	const GroupingRouter *grouping = (const GroupingRouter *) router;

	return Max(lyf_router_guess(grouping->underlying) / grouping->size, 1);
}

const LyfRouterKind lyf_router_grouping = {
	.type = "GroupingPartitionRouter",
	.compile = compile_grouping,
	.fields = grouping_fields,
	.guess = grouping_guess,
	.inject = grouping_inject,
	.begin = grouping_begin,
	.next = grouping_next,
	.parent_state = grouping_parent_state,
	.end = grouping_end,
};
