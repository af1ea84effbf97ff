/*
 * router_union.c
 *		UnionPartitionRouter: the partitions of several routers, one after the other, each value of
 *		one field once.
 *
 * A partition has that field alone, so that it is the same whoever gave it; what else it had is in its
 * extra fields.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"

#include "extract/router_internal.h"

typedef struct UnionRouter
{
	LyfRouter	base;
	const char *field;
	LyfRouter **member;
	int			count;
} UnionRouter;

/* A value that was given, printed. */
typedef struct Given
{
	const char *value;
	uint32		hash;
	char		status;
} Given;

#define SH_PREFIX given
#define SH_ELEMENT_TYPE Given
#define SH_KEY_TYPE const char *
#define SH_KEY value
#define SH_HASH_KEY(tb, a) string_hash(a, strlen(a) + 1)
#define SH_EQUAL(tb, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) ((a)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct UnionScan
{
	LyfRouterScan base;
	MemoryContext cxt;
	LyfRouterScan **member;		/* of those that were begun; each is kept for its parents' state */
	int			begun;
	const LyfValue *state;
	given_hash *given;
} UnionScan;

static LyfFailure *
compile_union(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out)
{
	UnionRouter *router = palloc0(sizeof(UnionRouter));
	size_t		count;

	router->base.kind = &lyf_router_union;
	LYF_TRY(lyf_component_text(c, "partition_field", NULL, &router->field));
	if (router->field == NULL)
		return lyf_component_invalid(c, "has no partition_field");
	LYF_TRY(lyf_component_list(c, "partition_routers", &count));
	if (count == 0)
		return lyf_component_invalid(c, "has no partition_routers");
	router->field = pstrdup(router->field);
	router->member = palloc(sizeof(LyfRouter *) * count);
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent member = lyf_component_item(c, "partition_routers", i);

		LYF_TRY(lyf_router_compile(&member, parent, arg, &router->member[i]));
		if (router->member[i] == NULL)
			return lyf_component_invalid(&member, "is no partition router");
		router->count++;
	}
	*out = &router->base;
	return NULL;
}

static void
union_fields(const LyfRouter *router, List **names)
{
	*names = lappend(*names, unconstify(char *, ((const UnionRouter *) router)->field));
}

/* options of its routers are not heeded */
static LyfFailure *
union_inject(const LyfRouter *router, LyfSession *session, const LyfSlice *slice, LyfInjectionList *list)
{
	return NULL;
}

static double
union_guess(const LyfRouter *base)
{
	const UnionRouter *router = (const UnionRouter *) base;
	double		sum = 0;

	for (int i = 0; i < router->count; i++)
		sum += lyf_router_guess(router->member[i]);
	return sum;
}

static LyfRouterScan *
union_begin(LyfRouter *base, LyfSession *session, const LyfValue *state)
{
	UnionScan  *scan = palloc0(sizeof(UnionScan));

	scan->cxt = CurrentMemoryContext;
	scan->member = palloc0(sizeof(LyfRouterScan *) * ((UnionRouter *) base)->count);
	scan->state = state;
	scan->given = given_create(CurrentMemoryContext, 64, NULL);
	return &scan->base;
}

/* the next partition of any router, NULL behind the last */
static LyfFailure *
next_of_any(UnionScan *scan, LyfSlice **slice)
{
	const UnionRouter *router = (const UnionRouter *) scan->base.router;

	*slice = NULL;
	for (;;)
	{
		if (scan->begun > 0)
			LYF_TRY(lyf_router_next(scan->member[scan->begun - 1], slice));
		if (*slice != NULL || scan->begun == router->count)
			return NULL;
		else
		{
			MemoryContext old = MemoryContextSwitchTo(scan->cxt);

			scan->member[scan->begun] = lyf_router_begin(router->member[scan->begun], scan->base.session, scan->state);
			scan->begun++;
			MemoryContextSwitchTo(old);
		}
	}
}

/* is it the first partition with this value? */
static bool
is_new(UnionScan *scan, const LyfValue *value)
{
	StringInfoData printed;
	bool		found;
	Given	   *given;

	initStringInfo(&printed);
	lyf_value_print_sorted(&printed, value);
	given = given_insert(scan->given, printed.data, &found);
	if (!found)
		given->value = MemoryContextStrdup(scan->cxt, printed.data);
	pfree(printed.data);
	return !found;
}

/* the field alone; the others join the extra fields */
static LyfSlice *
make_slice(const UnionRouter *router, const LyfSlice *one, LyfValue *value)
{
	LyfValue   *partition = lyf_value_make(LYF_MAP);
	LyfValue   *extra = lyf_value_make(LYF_MAP);

	lyf_value_set(partition, router->field, lyf_value_alias(value));
	lyf_foreach(member, one->partition)
	{
		if (member != value)
			lyf_value_set(extra, member->key, lyf_value_alias(member));
	}
	return lyf_slice_make(partition, NULL, lyf_value_merge(one->extra_fields, extra));
}

static LyfFailure *
union_next(LyfRouterScan *base, LyfSlice **slice)
{
	UnionScan  *scan = (UnionScan *) base;
	const UnionRouter *router = (const UnionRouter *) base->router;
	LyfSlice   *one;

	*slice = NULL;
	do
	{
		LyfValue   *value;

		CHECK_FOR_INTERRUPTS();
		LYF_TRY(next_of_any(scan, &one));
		if (one == NULL)
			return NULL;
		value = lyf_value_get(one->partition, router->field);
		if (value == NULL)
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							   "a partition of a union has no field \"%s\"", router->field);
		if (value->kind == LYF_LIST || value->kind == LYF_MAP)
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							   "field \"%s\" of a union's partition must be a single value", router->field);
		if (is_new(scan, value))
			*slice = make_slice(router, one, value);
	} while (*slice == NULL);
	return NULL;
}

/* of two routers with one parent the last one's counts */
static LyfValue *
union_parent_state(LyfRouterScan *base)
{
	UnionScan  *scan = (UnionScan *) base;
	LyfValue   *states = NULL;

	for (int i = 0; i < scan->begun; i++)
	{
		LyfValue   *state = lyf_router_parent_state(scan->member[i]);

		if (state != NULL)
			states = states == NULL ? state : lyf_value_merge(states, state);
	}
	return states;
}

static void
union_end(LyfRouterScan *base)
{
	UnionScan  *scan = (UnionScan *) base;

	for (int i = 0; i < scan->begun; i++)
		lyf_router_end(scan->member[i]);
}

const LyfRouterKind lyf_router_union = {
	.type = "UnionPartitionRouter",
	.compile = compile_union,
	.fields = union_fields,
	.guess = union_guess,
	.inject = union_inject,
	.begin = union_begin,
	.next = union_next,
	.parent_state = union_parent_state,
	.end = union_end,
};
