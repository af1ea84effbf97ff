/*
 * compile.c
 *		A stream's component to the parts that run: requester, paginator, router,
 *		cursor, decoder and selector, each compiled by the room that knows it.
 *
 * What is not supported is found here, before anything is read: each compile
 * function refuses a component that it does not know.
 */
#include "postgres.h"

#include "connector/read_internal.h"

/* What all streams of a manifest have in common, on the way down to the parents */
typedef struct CompileContext
{
	json_t	   *manifest;
	LyfBudget  *budget;			/* or NULL */
} CompileContext;

/* Fields that change what is read and that nothing here knows: refused if they are there */
static const char *const unknown_stream_fields[] = {"file_uploader"};
static const char *const unknown_retriever_fields[] = {
	"page_size_reduction", "request_window_splitting"
};

static LyfFailure *
refuse_fields(const LyfComponent *c, const char *const *fields, int count)
{
	for (int i = 0; i < count; i++)
	{
		LyfComponent child = lyf_component_child(c, fields[i]);

		if (child.json != NULL)
			return lyf_component_unsupported(&child);
	}
	return NULL;
}

static LyfFailure *
expect_type(const LyfComponent *c, const char *type)
{
	if (c->json == NULL)
		return lyf_component_invalid(c, "it is missing");
	return strcmp(c->type, type) == 0 ? NULL : lyf_component_unsupported(c);
}

/*
 * A key is a name, a list of names, or a list of paths; here always the last.
 */
static LyfFailure *
compile_primary_key(const LyfComponent *c, LyfValue **out)
{
	LyfValue   *given;

	LYF_TRY(lyf_component_value(c, "primary_key", &given));
	*out = lyf_value_make(LYF_LIST);
	if (given == NULL)
		return NULL;
	if (given->kind != LYF_LIST)
	{
		LyfValue   *list = lyf_value_make(LYF_LIST);

		lyf_value_append(list, lyf_value_alias(given));
		given = list;
	}
	lyf_foreach(part, given)
	{
		LyfValue   *path = part;

		if (part->kind == LYF_STRING && part->len == 0)
			continue;
		if (part->kind == LYF_STRING)
		{
			path = lyf_value_make(LYF_LIST);
			lyf_value_append(path, lyf_value_alias(part));
		}
		if (path->kind != LYF_LIST || path->len == 0)
			return lyf_component_invalid(c, "primary_key must be a name, a list of names or a list of paths");
		lyf_foreach(step, path)
		{
			if (step->kind != LYF_STRING)
				return lyf_component_invalid(c, "primary_key has a part that is no name");
		}
		lyf_value_append(*out, lyf_value_alias(path));
	}
	return NULL;
}

/*
 * Migrations turn states that older versions of a connector wrote into today's.
 * The one that the format itself has matters to such a state only, which is then
 * taken for none: all is read once more.  One in Python may do anything.
 */
static LyfFailure *
check_state_migrations(const LyfComponent *c)
{
	size_t		count = lyf_component_count(c, "state_migrations");

	for (size_t i = 0; i < count; i++)
	{
		LyfComponent migration = lyf_component_item(c, "state_migrations", i);

		LYF_TRY(expect_type(&migration, "LegacyToPerPartitionStateMigration"));
	}
	return NULL;
}

/* a migration takes states of partitions by one field; of anything else there are none */
static void
migrate_states(const LyfComponent *c, LyfStream *stream)
{
	const char **fields;

	if (lyf_component_count(c, "state_migrations") > 0 && stream->cursor != NULL &&
		lyf_router_fields(stream->router, &fields) == 1)
		lyf_cursor_take_legacy(stream->cursor, fields[0]);
}

static LyfFailure *compile_stream(CompileContext *context, const LyfComponent *c, bool is_parent, LyfStream **out);

static LyfFailure *
compile_parent(void *arg, const LyfComponent *c, LyfParent **out)
{
	LyfParent  *parent = palloc0(sizeof(LyfParent));
	LyfStream  *stream;

	LYF_TRY(compile_stream((CompileContext *) arg, c, true, &stream));
	parent->stream = stream;
	lyf_parent_bind(parent);
	*out = parent;
	return NULL;
}

static LyfFailure *
compile_reset(const LyfComponent *c, LyfStream *stream)
{
	LyfComponent limits = lyf_component_child(c, "limits");
	const char *action;

	if (c->json == NULL)
		return NULL;
	LYF_TRY(expect_type(c, "PaginationReset"));
	LYF_TRY(lyf_component_text(c, "action", "", &action));
	stream->resets = true;
	stream->reset_by_cursor = strcmp(action, "SPLIT_USING_CURSOR") == 0;
	if (!stream->reset_by_cursor && strcmp(action, "RESET") != 0)
		return lyf_component_invalid(c, "action must be RESET or SPLIT_USING_CURSOR");
	return lyf_component_int(&limits, "number_of_records", 0, &stream->reset_records);
}

static LyfFailure *
compile_simple(CompileContext *context, const LyfComponent *retriever, bool is_parent, LyfStream *stream)
{
	LyfComponent requester = lyf_component_child(retriever, "requester");
	LyfComponent paginator = lyf_component_child(retriever, "paginator");
	LyfComponent decoder = lyf_component_child(retriever, "decoder");
	LyfComponent reset = lyf_component_child(retriever, "pagination_reset");

	LYF_TRY(compile_reset(&reset, stream));
	LYF_TRY(refuse_fields(retriever, unknown_retriever_fields, lengthof(unknown_retriever_fields)));
	LYF_TRY(lyf_component_bool(retriever, "ignore_stream_slicer_parameters_on_paginated_requests",
							   false, &stream->slice_options_once));
	if (requester.json == NULL)
		return lyf_component_invalid(retriever, "field \"requester\" is missing");
	LYF_TRY(lyf_requester_compile(&requester, context->manifest, is_parent, &stream->requester));
	lyf_requester_set_budget(stream->requester, context->budget);
	LYF_TRY(lyf_properties_compile(&requester, context->manifest, context->budget, &stream->properties));
	LYF_TRY(lyf_paginator_compile(&paginator, &requester, &stream->paginator));
	return lyf_decoder_compile(&decoder, &stream->decoder);
}

/* what its pages are is what the download gives */
static LyfFailure *
compile_async(CompileContext *context, const LyfComponent *retriever, bool is_parent, LyfStream *stream)
{
	LyfComponent requester = lyf_component_child(retriever, "download_requester");
	LyfComponent paginator = lyf_component_child(retriever, "download_paginator");
	LyfComponent decoder = lyf_component_child(retriever, "download_decoder");
	LyfComponent extractor = lyf_component_child(retriever, "download_extractor");

	LYF_TRY(lyf_jobs_compile(retriever, context->manifest, context->budget, &stream->jobs));
	stream->requester = lyf_jobs_creation(stream->jobs);
	LYF_TRY(lyf_paginator_compile(&paginator, &requester, &stream->paginator));
	LYF_TRY(lyf_extractor_compile(&extractor, &stream->extractor));
	return lyf_decoder_compile(&decoder, &stream->decoder);
}

static const struct
{
	const char *type;
	LyfFailure *(*compile) (CompileContext *context, const LyfComponent *retriever, bool is_parent, LyfStream *stream);
}			retrievers[] =
{
	{"SimpleRetriever", compile_simple},
	{"AsyncRetriever", compile_async},
};

static LyfFailure *
compile_retriever(CompileContext *context, const LyfComponent *retriever, bool is_parent, LyfStream *stream)
{
	LyfComponent router = lyf_component_child(retriever, "partition_router");

	if (retriever->json == NULL)
		return lyf_component_invalid(retriever, "it is missing");
	if (json_is_array(router.json) && json_array_size(router.json) == 0)
		router.json = NULL;		/* no routers are as good as none */
	for (int i = 0; i < lengthof(retrievers); i++)
	{
		if (strcmp(retrievers[i].type, retriever->type) != 0)
			continue;
		LYF_TRY(retrievers[i].compile(context, retriever, is_parent, stream));
		return lyf_router_compile(&router, compile_parent, context, &stream->router);
	}
	return lyf_component_unsupported(retriever);
}

static LyfFailure *
compile_declarative(CompileContext *context, const LyfComponent *c, bool is_parent, LyfStream **out)
{
	LyfStream  *stream = palloc0(sizeof(LyfStream));
	LyfComponent retriever = lyf_component_child(c, "retriever");
	LyfComponent cursor = lyf_component_child(c, "incremental_sync");

	LYF_TRY(refuse_fields(c, unknown_stream_fields, lengthof(unknown_stream_fields)));
	LYF_TRY(check_state_migrations(c));
	LYF_TRY(lyf_component_text(c, "name", "", &stream->name));
	stream->name = pstrdup(stream->name);
	LYF_TRY(compile_primary_key(c, &stream->primary_key));
	LYF_TRY(lyf_schema_compile(c, context->manifest, context->budget, stream));
	LYF_TRY(compile_retriever(context, &retriever, is_parent, stream));
	LYF_TRY(lyf_cursor_compile(&cursor, &stream->cursor));
	migrate_states(c, stream);
	if (stream->cursor != NULL && lyf_cursor_is_count(stream->cursor) && stream->router != NULL)
		return lyf_component_invalid(&cursor, "a stream with partitions cannot have an IncrementingCountCursor");
	if (stream->cursor != NULL && lyf_cursor_has_steps(stream->cursor) && lyf_router_is_lazy(stream->router))
		return lyf_component_invalid(&cursor, "a stream whose parent has a lazy_read_pointer must have no step");
	LYF_TRY(lyf_selector_compile(c, stream->schema,
								 stream->cursor != NULL && lyf_cursor_is_client_side(stream->cursor),
								 stream->extractor, &stream->selector));
	*out = stream;
	return NULL;
}

/* two streams of one name: which is read depends on the state */
static LyfFailure *
compile_delegating(CompileContext *context, const LyfComponent *c, bool is_parent, LyfStream **out)
{
	LyfComponent first = lyf_component_child(c, "full_refresh_stream");
	LyfComponent later = lyf_component_child(c, "incremental_stream");
	const char *name;

	LYF_TRY(lyf_component_text(c, "name", "", &name));
	LYF_TRY(expect_type(&first, "DeclarativeStream"));
	LYF_TRY(expect_type(&later, "DeclarativeStream"));
	LYF_TRY(compile_stream(context, &later, is_parent, out));
	LYF_TRY(compile_stream(context, &first, is_parent, &(*out)->first));
	if (strcmp((*out)->name, name) != 0 || strcmp((*out)->first->name, name) != 0)
		return lyf_component_invalid(c, "its name and those of its two streams must be the same");
	return lyf_component_template(c, "api_retention_period", &(*out)->retention);
}

static const struct
{
	const char *type;
	LyfFailure *(*compile) (CompileContext *context, const LyfComponent *c, bool is_parent, LyfStream **out);
}			stream_kinds[] =
{
	{"DeclarativeStream", compile_declarative},
	{"StateDelegatingStream", compile_delegating},
};

static LyfFailure *
compile_stream(CompileContext *context, const LyfComponent *c, bool is_parent, LyfStream **out)
{
	if (c->json == NULL)
		return lyf_component_invalid(c, "it is missing");
	for (int i = 0; i < lengthof(stream_kinds); i++)
	{
		if (strcmp(stream_kinds[i].type, c->type) == 0)
			return stream_kinds[i].compile(context, c, is_parent, out);
	}
	return lyf_component_unsupported(c);
}

/* budget: what the manifest's api_budget allows, or NULL; both must outlive the stream */
LyfFailure *
lyf_stream_compile(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfStream **out)
{
	CompileContext context = {manifest, budget};

	return compile_stream(&context, c, false, out);
}

LyfFailure *
lyf_retriever_compile(const LyfComponent *c, const char *path, const char *name,
					  json_t *manifest, LyfBudget *budget, LyfStream **out)
{
	CompileContext context = {manifest, budget};
	json_t	   *stream = json_pack("{s:s, s:s, s:O}", "type", "DeclarativeStream", "name", name, "retriever", c->json);
	LyfComponent around;

	if (stream == NULL)
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	around = lyf_component(lyf_document_own(stream), path);
	return compile_stream(&context, &around, true, out);
}
