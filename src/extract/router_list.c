/*
 * router_list.c
 *		ListPartitionRouter: a partition for each value of a list.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "extract/router_internal.h"

typedef struct ListRouter
{
	LyfRouter	base;
	LyfValue   *values;			/* a list of texts, or */
	LyfTemplate *values_template;	/* what gives the list */
	LyfTemplate *field;			/* the partition's key */
	LyfRequestOption *option;
} ListRouter;

typedef struct ListScan
{
	LyfRouterScan base;
	bool		started;
	char	   *field;
	LyfValue   *next;
} ListScan;

/* Append without walking the list: *end is where its next member hangs. */
static void
add(LyfValue *list, LyfValue ***end, LyfValue *member)
{
	**end = member;
	*end = &member->next;
	list->len++;
}

/* Plain values are texts, whatever the manifest writes. */
static LyfValue *
as_texts(const LyfValue *values)
{
	LyfValue   *texts = lyf_value_make(LYF_LIST);
	LyfValue  **end = &texts->u.first;

	lyf_foreach(value, values)
		add(texts, &end, lyf_value_string(lyf_template_str(value)));
	return texts;
}

/*
 * What a template gave, as a list: the reference engine goes through it as
 * Python does, a text by characters and a map by keys.
 */
static LyfValue *
as_list(LyfValue *value)
{
	LyfValue   *list;
	LyfValue  **end;

	if (lyf_value_is(value, LYF_LIST))
		return value;
	if (!lyf_value_is(value, LYF_STRING) && !lyf_value_is(value, LYF_MAP))
		return NULL;
	list = lyf_value_make(LYF_LIST);
	end = &list->u.first;
	if (value->kind == LYF_MAP)
	{
		lyf_foreach(member, value)
			add(list, &end, lyf_value_string_len(member->key, member->key_len));
		return list;
	}
	for (uint32 at = 0; at < value->len;)
	{
		int			len = Min(pg_utf_mblen((const unsigned char *) value->u.text + at), value->len - at);

		add(list, &end, lyf_value_string_len(value->u.text + at, len));
		at += len;
	}
	return list;
}

static LyfFailure *
compile_list(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out)
{
	ListRouter *router = palloc0(sizeof(ListRouter));
	LyfComponent option = lyf_component_child(c, "request_option");
	LyfValue   *values;

	router->base.kind = &lyf_router_list;
	LYF_TRY(lyf_component_value(c, "values", &values));
	if (values == NULL)
		return lyf_component_invalid(c, "has no values");
	if (lyf_value_is(values, LYF_LIST))
		router->values = as_texts(values);
	else
		LYF_TRY(lyf_component_required_template(c, "values", &router->values_template));
	LYF_TRY(lyf_component_required_template(c, "cursor_field", &router->field));
	LYF_TRY(lyf_request_option_compile(&option, &router->option));
	*out = &router->base;
	return NULL;
}

static void
list_fields(const LyfRouter *base, List **names)
{
	const ListRouter *router = (const ListRouter *) base;

	if (lyf_template_is_literal(router->field))
		*names = lappend(*names, unconstify(char *, lyf_template_source(router->field)));
}

static LyfFailure *
list_inject(const LyfRouter *base, LyfSession *session, const LyfSlice *slice, LyfInjectionList *list)
{
	const ListRouter *router = (const ListRouter *) base;
	char	   *field;

	if (router->option == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(router->field, &session->scope, &field));
	lyf_router_add_option(list, router->option, lyf_value_get(slice->merged, field));
	return NULL;
}

static LyfRouterScan *
list_begin(LyfRouter *router, LyfSession *session, const LyfValue *state)
{
	return palloc0(sizeof(ListScan));
}

/* Evaluate field and values, into memory that lasts as long as the scan. */
static LyfFailure *
list_start(ListScan *scan)
{
	const ListRouter *router = (const ListRouter *) scan->base.router;
	LyfSession *session = scan->base.session;
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(scan));
	LyfValue   *values = router->values;
	LyfFailure *failure;

	failure = lyf_template_eval_text(router->field, &session->scope, &scan->field);
	if (failure == NULL && values == NULL)
		failure = lyf_template_eval_string(router->values_template, &session->scope, &values);
	if (failure == NULL)
		values = as_list(values);
	if (failure == NULL && values == NULL)
		failure = lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							  "the values of the list of partitions \"%s\" are not a list", scan->field);
	if (failure == NULL)
		scan->next = values->u.first;
	scan->started = true;
	MemoryContextSwitchTo(old);
	return failure;
}

static LyfSlice *
make_partition(const ListScan *scan, const LyfValue *value)
{
	LyfValue   *partition = lyf_value_make(LYF_MAP);

	lyf_value_set(partition, scan->field, lyf_value_copy(value));
	return lyf_slice_make(partition, NULL, NULL);
}

static LyfFailure *
list_next(LyfRouterScan *base, LyfSlice **slice)
{
	ListScan   *scan = (ListScan *) base;

	*slice = NULL;
	if (!scan->started)
		LYF_TRY(list_start(scan));
	if (scan->next == NULL)
		return NULL;
	*slice = make_partition(scan, scan->next);
	scan->next = scan->next->next;
	return NULL;
}

static LyfSlice *
list_peek(LyfRouterScan *base, int place)
{
	const ListScan *scan = (const ListScan *) base;
	const LyfValue *value = scan->next;

	while (value != NULL && place-- > 0)
		value = value->next;
	return value != NULL ? make_partition(scan, value) : NULL;
}

static LyfValue *
list_parent_state(LyfRouterScan *scan)
{
	return NULL;
}

static void
list_end(LyfRouterScan *scan)
{
}

/* a list that the configuration gives is mostly short */
static double
list_guess(const LyfRouter *router)
{
	const LyfValue *values = ((const ListRouter *) router)->values;

	return values != NULL ? Max(values->len, 1) : 10;
}

const LyfRouterKind lyf_router_list = {
	.type = "ListPartitionRouter",
	.compile = compile_list,
	.fields = list_fields,
	.guess = list_guess,
	.inject = list_inject,
	.begin = list_begin,
	.next = list_next,
	.peek = list_peek,
	.parent_state = list_parent_state,
	.end = list_end,
};
