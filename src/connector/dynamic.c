/*
 * dynamic.c
 *		DynamicDeclarativeStream: a template of a stream, and values to fill in, a stream
 *		for each.
 *
 * The values come from the manifest, from the configuration, or from the source, which
 * a retriever asks for them.  A mapping says where in the template a value goes, and how
 * it is made: from the values (components_values), the configuration and the slice.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "connector/read_internal.h"

/* streams of one definition, and bytes of all their templates; more is a mistake, or an attempt at the memory */
#define MAX_STREAMS	10000
#define MAX_BYTES	((Size) 64 * 1024 * 1024)

/* ComponentMappingDefinition */
typedef struct Mapping
{
	LyfPathTemplate path;
	LyfTypedTemplate value;
	LyfTemplate *condition;		/* or NULL */
	bool		create;			/* where the template has nothing, too */
} Mapping;

/* a definition that is being resolved */
typedef struct Resolution
{
	const struct ResolverKind *kind;
	const LyfAccount *account;
	Mapping    *mapping;
	size_t		mapping_count;
	LyfValue   *template;
	Size		template_bytes;
	bool		outer_first;
	LyfScope	scope;
	List	   *streams;		/* of json_t * */
} Resolution;

typedef struct ResolverKind
{
	const char *type;
	bool		reads_yaml;		/* a value that is a text is what it says as YAML */
	bool		has_conditions;
	/* why it cannot be resolved, whatever the account.  MAY be NULL */
	LyfFailure *(*check) (const LyfComponent *c, const LyfConnector *connector);
	/* call add_stream for each set of values */
	LyfFailure *(*resolve) (const LyfComponent *c, Resolution *resolution);
} ResolverKind;

/* --- a stream of the template --- */

/* a text that is YAML becomes what it says; others stay */
static LyfValue *
read_yaml(LyfValue *value)
{
	json_t	   *document;

	if (value->kind != LYF_STRING)
		return value;
	if (value->len == 0)
		return lyf_value_make(LYF_NULL);
	return lyf_document_from_yaml(value->u.text, value->len, &document) == NULL ? lyf_document_to_value(document) : value;
}

static LyfFailure *
apply_mapping(const Resolution *resolution, const Mapping *mapping, LyfValue *stream)
{
	LyfMatches	matches = {0};
	LyfValue   *value;
	LyfPath		path;
	bool		holds = true;

	if (mapping->condition != NULL)
		LYF_TRY(lyf_template_eval_bool(mapping->condition, &resolution->scope, &holds));
	if (!holds)
		return NULL;
	LYF_TRY(lyf_typed_template_eval(&mapping->value, &resolution->scope, &value));
	LYF_TRY(lyf_path_template_eval(&mapping->path, &resolution->scope, &path));
	if (resolution->kind->reads_yaml && mapping->value.types != LYF_AS_STRING)
		value = read_yaml(value);
	lyf_path_find(stream, &path, &matches);
	for (int i = 0; i < matches.count; i++)
		lyf_match_set(&matches.match[i], lyf_value_copy(value));
	if (matches.count == 0 && mapping->create && path.len > 0 && lyf_value_truth(value))
		return lyf_path_set(stream, &path, lyf_value_copy(value));
	return NULL;
}

/* the template filled in with a set of values */
static LyfFailure *
add_stream(Resolution *resolution, LyfValue *values)
{
	LyfValue   *stream = lyf_value_copy(resolution->template);
	json_t	   *document;
	json_t	   *filled;

	CHECK_FOR_INTERRUPTS();
	if (list_length(resolution->streams) >= MAX_STREAMS ||
		list_length(resolution->streams) * resolution->template_bytes >= MAX_BYTES)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "there are more than %d dynamic streams",
						   list_length(resolution->streams));
	lyf_scope_set(&resolution->scope, "components_values", values);
	for (size_t i = 0; i < resolution->mapping_count; i++)
		LYF_TRY(apply_mapping(resolution, &resolution->mapping[i], stream));
	LYF_TRY(lyf_document_from_value(stream, &document));
	LYF_TRY(lyf_manifest_fill(document, resolution->outer_first, &filled));
	if (!json_is_string(json_object_get(filled, "name")) || json_string_length(json_object_get(filled, "name")) == 0)
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "a dynamic stream has no name");
	resolution->streams = lappend(resolution->streams, filled);
	return NULL;
}

/* --- HttpComponentsResolver: a set of values for each record --- */

static LyfFailure *
compile_retriever(const LyfComponent *c, const LyfConnector *connector, LyfStream **stream)
{
	LyfComponent retriever = lyf_component_child(c, "retriever");

	if (retriever.json == NULL)
		return lyf_component_invalid(c, "field \"retriever\" is missing");
	return lyf_retriever_compile(&retriever, c->path, "components", connector->manifest, connector->budget, stream);
}

static LyfFailure *
check_http(const LyfComponent *c, const LyfConnector *connector)
{
	LyfStream  *stream;

	return compile_retriever(c, connector, &stream);
}

static LyfFailure *
add_records(LyfReader *reader, Resolution *resolution)
{
	LyfRecords *records;
	TimestampTz extracted_at;

	for (;;)
	{
		LYF_TRY(lyf_reader_next(reader, &records, &extracted_at));
		if (records == NULL)
			return NULL;
		lyf_scope_set_slice(&resolution->scope, reader->slice->merged);
		for (int i = 0; i < records->count; i++)
			LYF_TRY(add_stream(resolution, lyf_value_copy(records->record[i])));
	}
}

static LyfFailure *
resolve_http(const LyfComponent *c, Resolution *resolution)
{
	LyfReadOptions options = {.full_refresh = true};
	LyfStream  *stream;
	LyfReader  *reader;
	LyfFailure *failure;

	LYF_TRY(compile_retriever(c, resolution->account->connector, &stream));
	LYF_TRY(lyf_reader_begin(resolution->account, stream, &options, &reader));
	failure = lyf_reader_redact(reader, add_records(reader, resolution));
	lyf_reader_end(reader);
	return failure;
}

/* --- ConfigComponentsResolver: a set of values for each combination of what lists of the configuration hold --- */

/* what one StreamConfig gives: the values at its pointer, and more */
static LyfFailure *
list_choices(const LyfComponent *c, Resolution *resolution, LyfValue **out)
{
	LyfPathTemplate pointer;
	LyfPath		path;
	LyfValue   *found;
	LyfValue   *more;

	LYF_TRY(lyf_path_template_compile(c, "configs_pointer", &pointer));
	LYF_TRY(lyf_path_template_eval(&pointer, &resolution->scope, &path));
	LYF_TRY(lyf_path_get_sole(resolution->account->config, &path, &found));
	LYF_TRY(lyf_component_value(c, "default_values", &more));
	*out = lyf_value_make(LYF_LIST);
	if (lyf_value_is(found, LYF_LIST))
		*out = lyf_value_copy(found);
	else if (found != NULL)
		lyf_value_append(*out, lyf_value_copy(found));
	if (lyf_value_is(more, LYF_LIST))
	{
		lyf_foreach(value, more)
			lyf_value_append(*out, lyf_value_alias(value));
	}
	return NULL;
}

/* one more choice in a combination: a map's members, or anything else with its place under a name of its own */
static LyfValue *
combine(const LyfValue *values, const LyfValue *choice, size_t list, int64 place)
{
	LyfValue   *pair;
	LyfValue   *combined;
	char	   *name;

	if (choice->kind == LYF_MAP)
		return lyf_value_merge(values, choice);
	combined = lyf_value_merge(values, NULL);
	name = psprintf("source_config_%zu", list);
	if (lyf_value_get(combined, name) == NULL)
	{
		pair = lyf_value_make(LYF_LIST);
		lyf_value_append(pair, lyf_value_int(place));
		lyf_value_append(pair, lyf_value_alias(choice));
		lyf_value_set(combined, name, pair);
	}
	return combined;
}

/* the combinations that begin with values; the last list changes fastest */
static LyfFailure *
add_combinations(Resolution *resolution, LyfValue *const *lists, size_t count, size_t list, LyfValue *values)
{
	int64		place = 0;

	if (list == count)
		return add_stream(resolution, values);
	lyf_foreach(choice, lists[list])
		LYF_TRY(add_combinations(resolution, lists, count, list + 1, combine(values, choice, list, place++)));
	return NULL;
}

static LyfFailure *
resolve_config(const LyfComponent *c, Resolution *resolution)
{
	LyfComponent single = lyf_component_child(c, "stream_config");
	size_t		count = json_is_array(single.json) ? lyf_component_count(c, "stream_config") : 1;
	LyfValue  **lists;

	if (single.json == NULL)
		return lyf_component_invalid(c, "field \"stream_config\" is missing");
	if (count > LYF_PATH_MAX)
		return lyf_component_invalid(c, "stream_config has more than %d items", LYF_PATH_MAX);
	lists = palloc(sizeof(LyfValue *) * (count + 1));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = json_is_array(single.json) ? lyf_component_item(c, "stream_config", i) : single;

		LYF_TRY(list_choices(&item, resolution, &lists[i]));
	}
	return add_combinations(resolution, lists, count, 0, lyf_value_make(LYF_MAP));
}

/* --- ParametrizedComponentsResolver: the manifest has the sets of values --- */

static LyfFailure *
resolve_parametrized(const LyfComponent *c, Resolution *resolution)
{
	LyfComponent parameters = lyf_component_child(c, "stream_parameters");
	LyfValue   *list;

	LYF_TRY(lyf_component_value(&parameters, "list_of_parameters_for_stream", &list));
	if (!lyf_value_is(list, LYF_LIST))
		return lyf_component_invalid(c, "stream_parameters.list_of_parameters_for_stream must be a list");
	lyf_foreach(values, list)
		LYF_TRY(add_stream(resolution, lyf_value_alias(values)));
	return NULL;
}

static const ResolverKind kinds[] = {
	{"HttpComponentsResolver", false, false, check_http, resolve_http},
	{"ConfigComponentsResolver", true, true, NULL, resolve_config},
	{"ParametrizedComponentsResolver", true, false, NULL, resolve_parametrized}
};

/* --- all of them --- */

static LyfFailure *
compile_mapping(const LyfComponent *c, const ResolverKind *kind, Mapping *mapping)
{
	const char *condition;

	LYF_TRY(lyf_path_template_compile(c, "field_path", &mapping->path));
	LYF_TRY(lyf_typed_template_compile(c, &mapping->value));
	LYF_TRY(lyf_component_bool(c, "create_or_update", false, &mapping->create));
	LYF_TRY(lyf_component_text(c, "condition", "", &condition));
	if (*condition == '\0')
		return NULL;
	if (!kind->has_conditions)
		return lyf_component_invalid(c, "only a ConfigComponentsResolver may have a condition");
	return lyf_component_compile(c, condition, &mapping->condition);
}

static LyfFailure *
compile_mappings(const LyfComponent *c, Resolution *resolution)
{
	LYF_TRY(lyf_component_list(c, "components_mapping", &resolution->mapping_count));
	resolution->mapping = palloc0(sizeof(Mapping) * (resolution->mapping_count + 1));
	for (size_t i = 0; i < resolution->mapping_count; i++)
	{
		LyfComponent mapping = lyf_component_item(c, "components_mapping", i);

		LYF_TRY(compile_mapping(&mapping, resolution->kind, &resolution->mapping[i]));
	}
	return NULL;
}

/* the definition's parts that do not depend on an account */
static LyfFailure *
compile_definition(const LyfComponent *c, LyfComponent *resolver, Resolution *resolution)
{
	*resolver = lyf_component_child(c, "components_resolver");
	if (strcmp(c->type, "DynamicDeclarativeStream") != 0)
		return lyf_component_unsupported(c);
	if (resolver->json == NULL)
		return lyf_component_invalid(c, "field \"components_resolver\" is missing");
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].type, resolver->type) == 0)
			resolution->kind = &kinds[i];
	}
	if (resolution->kind == NULL)
		return lyf_component_unsupported(resolver);
	LYF_TRY(lyf_component_value(c, "stream_template", &resolution->template));
	if (!lyf_value_is(resolution->template, LYF_MAP))
		return lyf_component_invalid(c, "stream_template must be a map");
	LYF_TRY(lyf_component_bool(c, "use_parent_parameters", true, &resolution->outer_first));
	return compile_mappings(resolver, resolution);
}

LyfFailure *
lyf_dynamic_check(const LyfComponent *c, const LyfConnector *connector)
{
	Resolution	resolution = {0};
	LyfComponent resolver;

	LYF_TRY(compile_definition(c, &resolver, &resolution));
	return resolution.kind->check != NULL ? resolution.kind->check(&resolver, connector) : NULL;
}

LyfFailure *
lyf_dynamic_resolve(const LyfComponent *c, const LyfAccount *account, List **streams)
{
	Resolution	resolution = {.account = account};
	LyfComponent resolver;

	LYF_TRY(compile_definition(c, &resolver, &resolution));
	resolution.template_bytes = strlen(lyf_value_to_text(resolution.template));
	lyf_scope_init(&resolution.scope, NULL);
	lyf_scope_set(&resolution.scope, "config", account->config);
	lyf_scope_set(&resolution.scope, "stream_template_config", resolution.template);
	LYF_TRY(resolution.kind->resolve(&resolver, &resolution));
	*streams = resolution.streams;
	return NULL;
}
