/*
 * router_substream.c
 *		SubstreamPartitionRouter: a partition for each record of a parent stream;
 *		several parents are read one after the other.
 *
 * A parent is an iterator that connector/ hands in.  Its records are read one
 * at a time, as partitions are asked for: a parent's own state moves on only
 * when all partitions of one of its slices were given out and another was asked for.
 */
#include "postgres.h"

#include "extract/router_internal.h"

/* extra_fields: a path into the parent's record */
typedef struct ExtraField
{
	LyfTemplate **part;
	int			count;
} ExtraField;

typedef struct ParentConfig
{
	LyfParent  *parent;
	LyfTemplate *parent_key;	/* path with slashes */
	LyfTemplate *partition_field;
	ExtraField *extra;
	int			extra_count;
	LyfRequestOption *option;
	LyfTemplate **lazy;			/* lazy_read_pointer: where the record has the first page of its partition */
	int			lazy_count;		/* 0: nowhere */
} ParentConfig;

typedef struct SubstreamRouter
{
	LyfRouter	base;
	ParentConfig *config;
	int			count;
} SubstreamRouter;

typedef struct SubstreamScan
{
	LyfRouterScan base;
	const LyfValue *state;		/* of the child stream, or NULL */
	int			current;		/* index of the parent that is read */
	void	   *reader;			/* of that parent, or NULL: not begun */
	char	   *parent_key;		/* of that parent, evaluated */
	char	   *partition_field;
	LyfValue   *done_state;		/* of the parents that were read to the end */
	MemoryContext cxt;			/* lives as long as the scan */
} SubstreamScan;

static LyfFailure *
compile_extra_field(const LyfComponent *c, const json_t *path, ExtraField *extra)
{
	extra->count = json_array_size(path);
	if (extra->count == 0)
		return lyf_component_invalid(c, "extra_fields must be lists of keys");
	extra->part = palloc(sizeof(LyfTemplate *) * extra->count);
	for (int i = 0; i < extra->count; i++)
	{
		json_t	   *part = json_array_get(path, i);

		if (!json_is_string(part))
			return lyf_component_invalid(c, "extra_fields must be lists of keys");
		LYF_TRY(lyf_template_compile(json_string_value(part), c->parameters, &extra->part[i]));
	}
	return NULL;
}

static LyfFailure *
compile_extra_fields(const LyfComponent *c, ParentConfig *config)
{
	json_t	   *list = json_object_get(c->json, "extra_fields");

	config->extra_count = json_array_size(list);
	config->extra = palloc0(sizeof(ExtraField) * (config->extra_count + 1));
	for (int i = 0; i < config->extra_count; i++)
		LYF_TRY(compile_extra_field(c, json_array_get(list, i), &config->extra[i]));
	return NULL;
}

static LyfFailure *
compile_lazy(const LyfComponent *c, ParentConfig *config)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, "lazy_read_pointer", &count));
	config->lazy = palloc(sizeof(LyfTemplate *) * (count + 1));
	config->lazy_count = count;
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent part = lyf_component_item(c, "lazy_read_pointer", i);

		if (!json_is_string(part.json) || strpbrk(json_string_value(part.json), "*?[") != NULL)
			return lyf_component_invalid(&part, "a name expected");
		LYF_TRY(lyf_component_compile(&part, json_string_value(part.json), &config->lazy[i]));
	}
	return NULL;
}

static LyfFailure *
compile_parent(const LyfComponent *c, LyfParentCompile parent, void *arg, ParentConfig *config)
{
	LyfComponent stream = lyf_component_child(c, "stream");
	LyfComponent option = lyf_component_child(c, "request_option");

	LYF_TRY(compile_lazy(c, config));
	if (stream.json == NULL)
		return lyf_component_invalid(c, "has no stream");
	LYF_TRY(lyf_component_required_template(c, "parent_key", &config->parent_key));
	LYF_TRY(lyf_component_required_template(c, "partition_field", &config->partition_field));
	LYF_TRY(lyf_request_option_compile(&option, &config->option));
	LYF_TRY(compile_extra_fields(c, config));
	LYF_TRY(parent(arg, &stream, &config->parent));
	return lyf_component_bool(c, "incremental_dependency", false, &config->parent->incremental);
}

static LyfFailure *
compile_substream(const LyfComponent *c, LyfParentCompile parent, void *arg, LyfRouter **out)
{
	SubstreamRouter *router = palloc0(sizeof(SubstreamRouter));

	router->base.kind = &lyf_router_substream;
	router->count = lyf_component_count(c, "parent_stream_configs");
	if (router->count == 0)
		return lyf_component_invalid(c, "has no parent_stream_configs");
	router->config = palloc0(sizeof(ParentConfig) * router->count);
	for (int i = 0; i < router->count; i++)
	{
		LyfComponent config = lyf_component_item(c, "parent_stream_configs", i);

		LYF_TRY(compile_parent(&config, parent, arg, &router->config[i]));
	}
	*out = &router->base;
	return NULL;
}

static void
substream_fields(const LyfRouter *base, List **names)
{
	const SubstreamRouter *router = (const SubstreamRouter *) base;

	for (int i = 0; i < router->count; i++)
	{
		LyfTemplate *field = router->config[i].partition_field;
		bool		known = !lyf_template_is_literal(field);
		ListCell   *cell;

		foreach(cell, *names)
			known = known || strcmp(lfirst(cell), lyf_template_source(field)) == 0;
		if (!known)
			*names = lappend(*names, unconstify(char *, lyf_template_source(field)));
	}
}

static LyfFailure *
substream_inject(const LyfRouter *base, LyfSession *session, const LyfSlice *slice, LyfInjectionList *list)
{
	const SubstreamRouter *router = (const SubstreamRouter *) base;

	for (int i = 0; i < router->count; i++)
	{
		char	   *field;

		if (router->config[i].option == NULL)
			continue;
		LYF_TRY(lyf_template_eval_text(router->config[i].partition_field, &session->scope, &field));
		lyf_router_add_option(list, router->config[i].option, lyf_value_get(slice->merged, field));
	}
	return NULL;
}

/* One step of a path: a key of a map, an index of a list. */
static const LyfValue *
step_into(const LyfValue *value, const char *key, size_t len)
{
	char		digits[12];

	if (lyf_value_is(value, LYF_MAP))
		return lyf_value_get_len(value, key, len);
	if (!lyf_value_is(value, LYF_LIST) || len == 0 || len >= sizeof(digits) ||
		strspn(key, "0123456789") < len)
		return NULL;
	memcpy(digits, key, len);
	digits[len] = '\0';
	return lyf_value_at(value, strtoll(digits, NULL, 10));
}

/* Follow a path with slashes; NULL if it leads nowhere, or to null. */
static const LyfValue *
follow(const LyfValue *value, const char *path)
{
	path += strspn(path, "/");
	for (;;)
	{
		size_t		len = strcspn(path, "/");

		value = step_into(value, path, len);
		if (value == NULL || path[len] == '\0')
			break;
		path += len + 1;
	}
	return lyf_value_is(value, LYF_NULL) ? NULL : value;
}

/* The extra fields of a parent's record, keyed by their paths with dots. */
static LyfFailure *
extract_extra_fields(const ParentConfig *config, const LyfScope *scope, const LyfValue *record, LyfValue **out)
{
	LyfValue   *fields = lyf_value_make(LYF_MAP);

	for (int i = 0; i < config->extra_count; i++)
	{
		const LyfValue *value = record;
		StringInfoData key;

		initStringInfo(&key);
		for (int j = 0; j < config->extra[i].count; j++)
		{
			char	   *part;

			LYF_TRY(lyf_template_eval_text(config->extra[i].part[j], scope, &part));
			appendStringInfo(&key, "%s%s", j > 0 ? "." : "", part);
			if (value != NULL)
				value = step_into(value, part, strlen(part));
		}
		lyf_value_set(fields, key.data, value != NULL ? lyf_value_copy(value) : lyf_value_make(LYF_NULL));
	}
	*out = fields;
	return NULL;
}

/* the page of its children that the record has in it: an empty list if it has none */
static LyfFailure *
extract_first_page(const ParentConfig *config, const LyfScope *scope, const LyfValue *record, LyfValue **page)
{
	const LyfValue *value = record;

	*page = NULL;
	if (config->lazy_count == 0)
		return NULL;
	for (int i = 0; i < config->lazy_count && value != NULL; i++)
	{
		char	   *part;

		LYF_TRY(lyf_template_eval_text(config->lazy[i], scope, &part));
		value = step_into(value, part, strlen(part));
	}
	*page = value != NULL ? lyf_value_copy(value) : lyf_value_make(LYF_LIST);
	return NULL;
}

static bool
substream_is_lazy(const LyfRouter *base)
{
	const SubstreamRouter *router = (const SubstreamRouter *) base;

	for (int i = 0; i < router->count; i++)
	{
		if (router->config[i].lazy_count > 0)
			return true;
	}
	return false;
}

static LyfRouterScan *
substream_begin(LyfRouter *router, LyfSession *session, const LyfValue *state)
{
	SubstreamScan *scan = palloc0(sizeof(SubstreamScan));

	scan->state = state;
	scan->cxt = CurrentMemoryContext;
	scan->done_state = lyf_value_make(LYF_MAP);
	return &scan->base;
}

static ParentConfig *
current_config(const SubstreamScan *scan)
{
	return &((const SubstreamRouter *) scan->base.router)->config[scan->current];
}

/* Start to read the current parent. */
static LyfFailure *
begin_parent(SubstreamScan *scan)
{
	ParentConfig *config = current_config(scan);
	LyfSession *session = scan->base.session;
	MemoryContext old = MemoryContextSwitchTo(scan->cxt);
	LyfFailure *failure;

	failure = lyf_template_eval_text(config->parent_key, &session->scope, &scan->parent_key);
	if (failure == NULL)
		failure = lyf_template_eval_text(config->partition_field, &session->scope, &scan->partition_field);
	if (failure == NULL)
		failure = config->parent->begin(config->parent, session,
										config->parent->incremental ? scan->state : NULL, &scan->reader);
	MemoryContextSwitchTo(old);
	return failure;
}

/* The current parent was read to the end: keep its state, go on to the next one. */
static void
end_parent(SubstreamScan *scan)
{
	LyfParent  *parent = current_config(scan)->parent;
	MemoryContext old = MemoryContextSwitchTo(scan->cxt);

	if (parent->incremental)
		lyf_value_set(scan->done_state, parent->name, parent->state(scan->reader));
	MemoryContextSwitchTo(old);
	parent->end(scan->reader);
	scan->reader = NULL;
	scan->current++;
}

/* The partition of a parent's record; *slice is NULL where it has no key. */
static LyfFailure *
make_partition(const SubstreamScan *scan, const LyfValue *record, const LyfSlice *parent_slice, LyfSlice **slice)
{
	const LyfValue *key = follow(record, scan->parent_key);
	LyfValue   *partition;
	LyfValue   *extra;

	*slice = NULL;
	if (key == NULL)
		return NULL;
	partition = lyf_value_make(LYF_MAP);
	lyf_value_set(partition, scan->partition_field, lyf_value_copy(key));
	lyf_value_set(partition, "parent_slice", lyf_value_copy(parent_slice->partition));
	LYF_TRY(extract_extra_fields(current_config(scan), &scan->base.session->scope, record, &extra));
	*slice = lyf_slice_make(partition, NULL, extra);
	return extract_first_page(current_config(scan), &scan->base.session->scope, record, &(*slice)->first_page);
}

static LyfFailure *
substream_next(LyfRouterScan *base, LyfSlice **slice)
{
	SubstreamScan *scan = (SubstreamScan *) base;
	const SubstreamRouter *router = (const SubstreamRouter *) base->router;

	*slice = NULL;
	while (scan->current < router->count && *slice == NULL)
	{
		LyfValue   *record;
		const LyfSlice *parent_slice;

		if (scan->reader == NULL)
			LYF_TRY(begin_parent(scan));
		LYF_TRY(current_config(scan)->parent->next(scan->reader, &record, &parent_slice));
		if (record == NULL)
			end_parent(scan);
		else
			LYF_TRY(make_partition(scan, record, parent_slice, slice));
	}
	return NULL;
}

/* Of the parent's records that came already; those without a key do not count. */
static LyfSlice *
substream_peek(LyfRouterScan *base, int place)
{
	SubstreamScan *scan = (SubstreamScan *) base;

	for (int i = 0; scan->reader != NULL; i++)
	{
		LyfValue   *record;
		const LyfSlice *parent_slice;
		LyfSlice   *slice;

		current_config(scan)->parent->peek(scan->reader, i, &record, &parent_slice);
		if (record == NULL || make_partition(scan, record, parent_slice, &slice) != NULL)
			return NULL;
		if (slice != NULL && place-- == 0)
			return slice;
	}
	return NULL;
}

static void
substream_ahead(LyfRouterScan *base)
{
	SubstreamScan *scan = (SubstreamScan *) base;

	if (scan->reader != NULL)
		current_config(scan)->parent->ahead(scan->reader);
}

/* States of the parents that the child depends on; those not begun yet keep what they had. */
static LyfValue *
substream_parent_state(LyfRouterScan *base)
{
	SubstreamScan *scan = (SubstreamScan *) base;
	const SubstreamRouter *router = (const SubstreamRouter *) base->router;
	const LyfValue *given = lyf_value_get(scan->state, "parent_state");
	LyfValue   *states = lyf_value_make(LYF_MAP);

	for (int i = 0; i < router->count; i++)
	{
		LyfParent  *parent = router->config[i].parent;
		LyfValue   *state = NULL;

		if (!parent->incremental)
			continue;
		if (i < scan->current)
			state = lyf_value_get(scan->done_state, parent->name);
		else if (i == scan->current && scan->reader != NULL)
			state = parent->state(scan->reader);
		else
			state = lyf_value_get(given, parent->name);
		if (state != NULL)
			lyf_value_set(states, parent->name, lyf_value_alias(state));
	}
	return states;
}

static void
substream_end(LyfRouterScan *base)
{
	SubstreamScan *scan = (SubstreamScan *) base;

	if (scan->reader != NULL)
		current_config(scan)->parent->end(scan->reader);
	scan->reader = NULL;
}

/* a record of a parent each; few parents are short */
static double
substream_guess(const LyfRouter *router)
{
	return 1000;
}

const LyfRouterKind lyf_router_substream = {
	.type = "SubstreamPartitionRouter",
	.compile = compile_substream,
	.fields = substream_fields,
	.guess = substream_guess,
	.inject = substream_inject,
	.is_lazy = substream_is_lazy,
	.begin = substream_begin,
	.next = substream_next,
	.peek = substream_peek,
	.ahead = substream_ahead,
	.parent_state = substream_parent_state,
	.end = substream_end,
};
