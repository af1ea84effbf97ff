/*
 * router_cartesian.c
 *		A list of routers: their cartesian product, the last one fastest.  Of a
 *		key or an option that two of them have, the first one's counts.
 *
 * The first router is read as partitions are asked for; those of the others are
 * kept, since they come again and again.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "extract/router_internal.h"

/* partitions that one factor of a product may have */
#define MAX_FACTOR	1000000

typedef struct CartesianRouter
{
	LyfRouter	base;
	LyfRouter **factor;
	int			count;
} CartesianRouter;

typedef struct Factor
{
	LyfSlice  **slice;
	int			count;
	int			current;
} Factor;

typedef struct CartesianScan
{
	LyfRouterScan base;
	const LyfValue *state;
	LyfRouterScan *first;		/* NULL: not begun */
	LyfSlice   *first_slice;	/* its current partition, in first_cxt */
	MemoryContext cxt;
	MemoryContext first_cxt;
	Factor	   *factor;			/* [0] is not used */
	bool		ended;
} CartesianScan;

static LyfFailure *
compile_cartesian(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out)
{
	CartesianRouter *router = palloc0(sizeof(CartesianRouter));

	router->base.kind = &lyf_router_cartesian;
	router->count = json_array_size(c->json);
	if (router->count == 0)
		return lyf_component_invalid(c, "is an empty list of partition routers");
	router->factor = palloc(sizeof(LyfRouter *) * router->count);
	for (int i = 0; i < router->count; i++)
	{
		LyfComponent item = lyf_component(json_array_get(c->json, i), psprintf("%s[%d]", c->path, i));

		LYF_TRY(lyf_router_compile(&item, parent, arg, &router->factor[i]));
		if (router->factor[i] == NULL)
			return lyf_component_invalid(&item, "is no partition router");
	}
	*out = &router->base;
	return NULL;
}

static void
cartesian_fields(const LyfRouter *base, List **names)
{
	const CartesianRouter *router = (const CartesianRouter *) base;

	for (int i = 0; i < router->count; i++)
		router->factor[i]->kind->fields(router->factor[i], names);
}

static LyfFailure *
cartesian_inject(const LyfRouter *base, LyfSession *session, const LyfSlice *slice, LyfInjectionList *list)
{
	const CartesianRouter *router = (const CartesianRouter *) base;

	/* A later option replaces an earlier one: from the last to the first */
	for (int i = router->count - 1; i >= 0; i--)
		LYF_TRY(router->factor[i]->kind->inject(router->factor[i], session, slice, list));
	return NULL;
}

static LyfRouterScan *
cartesian_begin(LyfRouter *router, LyfSession *session, const LyfValue *state)
{
	CartesianScan *scan = palloc0(sizeof(CartesianScan));

	scan->state = state;
	scan->cxt = CurrentMemoryContext;
	scan->first_cxt = AllocSetContextCreate(scan->cxt, "lyftron first factor", ALLOCSET_SMALL_SIZES);
	return &scan->base;
}

/* Read all partitions of one factor, in CurrentMemoryContext. */
static LyfFailure *
read_factor(CartesianScan *scan, LyfRouter *router, Factor *factor)
{
	LyfRouterScan *sub = lyf_router_begin(router, scan->base.session, scan->state);
	LyfFailure *failure;
	int			room = 16;

	factor->slice = palloc(sizeof(LyfSlice *) * room);
	for (;;)
	{
		LyfSlice   *slice;

		CHECK_FOR_INTERRUPTS();
		failure = lyf_router_next(sub, &slice);
		if (failure != NULL || slice == NULL)
			break;
		if (factor->count == MAX_FACTOR)
		{
			failure = lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
								  "more than %d partitions in a product of partitions", MAX_FACTOR);
			break;
		}
		if (factor->count == room)
			factor->slice = repalloc(factor->slice, sizeof(LyfSlice *) * (room *= 2));
		factor->slice[factor->count++] = slice;
	}
	lyf_router_end(sub);
	return failure;
}

/*
 * Read the other factors.  All are read, even where one of them turns out to be
 * empty, and so the product: the reference engine's requests are the same.
 */
static LyfFailure *
start(CartesianScan *scan)
{
	const CartesianRouter *router = (const CartesianRouter *) scan->base.router;
	MemoryContext old = MemoryContextSwitchTo(scan->cxt);
	LyfFailure *failure = NULL;

	scan->factor = palloc0(sizeof(Factor) * router->count);
	scan->first = lyf_router_begin(router->factor[0], scan->base.session, scan->state);
	for (int i = 1; i < router->count && failure == NULL; i++)
		failure = read_factor(scan, router->factor[i], &scan->factor[i]);
	MemoryContextSwitchTo(old);
	return failure;
}

/* The next combination of the kept factors; false: all were there, begin again. */
static bool
advance(CartesianScan *scan, int count)
{
	for (int i = count - 1; i > 0; i--)
	{
		if (++scan->factor[i].current < scan->factor[i].count)
			return true;
		scan->factor[i].current = 0;
	}
	return false;
}

static LyfFailure *
next_first(CartesianScan *scan)
{
	MemoryContext old;
	LyfFailure *failure;

	MemoryContextReset(scan->first_cxt);
	old = MemoryContextSwitchTo(scan->first_cxt);
	failure = lyf_router_next(scan->first, &scan->first_slice);
	MemoryContextSwitchTo(old);
	if (failure != NULL)
		return lyf_failure_copy(failure);
	scan->ended = scan->first_slice == NULL;
	return NULL;
}

/* The combination of the first router's current partition with the kept ones at these places. */
static LyfSlice *
combine(const CartesianScan *scan, int count, const int *places)
{
	LyfValue   *partition = lyf_value_make(LYF_MAP);
	LyfValue   *extra = partition;

	/* The first one wins: merge from the last on */
	for (int i = count - 1; i >= 0; i--)
	{
		LyfSlice   *part = i == 0 ? scan->first_slice : scan->factor[i].slice[places[i]];

		partition = lyf_value_merge(partition, part->partition);
		extra = lyf_value_merge(extra, part->extra_fields);
	}
	return lyf_slice_make(lyf_value_copy(partition), NULL, lyf_value_copy(extra));
}

static LyfFailure *
cartesian_next(LyfRouterScan *base, LyfSlice **slice)
{
	CartesianScan *scan = (CartesianScan *) base;
	const CartesianRouter *router = (const CartesianRouter *) base->router;
	bool		empty = false;
	int		   *places;

	*slice = NULL;
	if (scan->first == NULL)
		LYF_TRY(start(scan));
	for (int i = 1; i < router->count; i++)
		empty = empty || scan->factor[i].count == 0;
	if (!scan->ended && (scan->first_slice == NULL || !advance(scan, router->count)))
		LYF_TRY(next_first(scan));
	while (!scan->ended && empty)
		LYF_TRY(next_first(scan));
	if (scan->ended)
		return NULL;

	places = palloc0(sizeof(int) * router->count);
	for (int i = 1; i < router->count; i++)
		places[i] = scan->factor[i].current;
	*slice = combine(scan, router->count, places);
	return NULL;
}

/* As far as the first router's current partition goes. */
static LyfSlice *
cartesian_peek(LyfRouterScan *base, int place)
{
	const CartesianScan *scan = (const CartesianScan *) base;
	int			count = ((const CartesianRouter *) base->router)->count;
	int64		carry = (int64) place + 1;
	int		   *places;

	if (scan->first_slice == NULL || scan->ended)
		return NULL;
	places = palloc0(sizeof(int) * count);
	for (int i = count - 1; i > 0; i--)
	{
		if (scan->factor[i].count == 0)
			return NULL;
		carry += scan->factor[i].current;
		places[i] = carry % scan->factor[i].count;
		carry /= scan->factor[i].count;
	}
	return carry == 0 ? combine(scan, count, places) : NULL;
}

static void
cartesian_ahead(LyfRouterScan *base)
{
	CartesianScan *scan = (CartesianScan *) base;

	if (scan->first != NULL)
		lyf_router_ahead(scan->first);
}

static LyfValue *
cartesian_parent_state(LyfRouterScan *scan)
{
	return NULL;
}

static void
cartesian_end(LyfRouterScan *base)
{
	CartesianScan *scan = (CartesianScan *) base;

	if (scan->first != NULL)
		lyf_router_end(scan->first);
	MemoryContextDelete(scan->first_cxt);
}

static double
cartesian_guess(const LyfRouter *router)
{
	const CartesianRouter *cartesian = (const CartesianRouter *) router;
	double		product = 1;

	for (int i = 0; i < cartesian->count; i++)
		product *= lyf_router_guess(cartesian->factor[i]);
	return product;
}

const LyfRouterKind lyf_router_cartesian = {
	.type = "",
	.compile = compile_cartesian,
	.fields = cartesian_fields,
	.guess = cartesian_guess,
	.inject = cartesian_inject,
	.begin = cartesian_begin,
	.next = cartesian_next,
	.peek = cartesian_peek,
	.ahead = cartesian_ahead,
	.parent_state = cartesian_parent_state,
	.end = cartesian_end,
};
