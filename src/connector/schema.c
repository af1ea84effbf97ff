/*
 * schema.c
 *		The schema of a stream: in the manifest, or from the source itself
 *		(DynamicSchemaLoader), which is asked when the schema is needed.
 */
#include "postgres.h"

#include "base/json.h"
#include "connector/read_internal.h"

/* a type as the source calls it, and what it is */
typedef struct TypesMap
{
	const LyfValue *current;
	const LyfValue *target;
	LyfTemplate *condition;		/* or NULL */
} TypesMap;

/* DynamicSchemaLoader: the first record that its retriever gives lists the properties */
typedef struct Dynamic
{
	LyfStream  *stream;
	LyfPathTemplate schema_pointer;
	LyfPathTemplate key_pointer;
	LyfPathTemplate type_pointer;	/* no parts: all are texts */
	TypesMap   *types;
	size_t		type_count;
	LyfTemplate *filter;		/* or NULL */
	LyfTransform **transforms;
	size_t		transform_count;
} Dynamic;

/* one loader of a stream: a schema, or who is asked for it */
typedef struct Loader
{
	LyfValue   *schema;			/* or NULL */
	Dynamic    *dynamic;		/* or NULL */
} Loader;

struct LyfSchemaSource
{
	Loader	   *loader;
	size_t		count;
};

/* --- compiling --- */

typedef struct Compile
{
	json_t	   *manifest;
	LyfBudget  *budget;
} Compile;

/* the manifest holds it */
static LyfFailure *
compile_inline(const Compile *compile, const LyfComponent *c, Loader *loader)
{
	LYF_TRY(lyf_component_value(c, "schema", &loader->schema));
	if (loader->schema != NULL && loader->schema->kind != LYF_MAP)
		return lyf_component_invalid(c, "schema must be a map");
	return NULL;
}

/* in a file of the connector's package, which is not here: as if there were none */
static LyfFailure *
compile_file(const Compile *compile, const LyfComponent *c, Loader *loader)
{
	return NULL;
}

static LyfFailure *
compile_types(const LyfComponent *c, Dynamic *dynamic)
{
	LYF_TRY(lyf_component_list(c, "types_mapping", &dynamic->type_count));
	dynamic->types = palloc0(sizeof(TypesMap) * (dynamic->type_count + 1));
	for (size_t i = 0; i < dynamic->type_count; i++)
	{
		LyfComponent map = lyf_component_item(c, "types_mapping", i);
		LyfValue   *current;
		LyfValue   *target;

		LYF_TRY(lyf_component_value(&map, "current_type", &current));
		LYF_TRY(lyf_component_value(&map, "target_type", &target));
		if (current == NULL || target == NULL)
			return lyf_component_invalid(&map, "current_type and target_type must be given");
		dynamic->types[i].current = current;
		dynamic->types[i].target = target;
		LYF_TRY(lyf_component_template(&map, "condition", &dynamic->types[i].condition));
	}
	return NULL;
}

static LyfFailure *
compile_identifier(const LyfComponent *c, Dynamic *dynamic)
{
	LYF_TRY(lyf_path_template_compile(c, "schema_pointer", &dynamic->schema_pointer));
	LYF_TRY(lyf_path_template_compile(c, "key_pointer", &dynamic->key_pointer));
	LYF_TRY(lyf_path_template_compile(c, "type_pointer", &dynamic->type_pointer));
	return compile_types(c, dynamic);
}

static LyfFailure *
compile_transforms(const LyfComponent *c, Dynamic *dynamic)
{
	LYF_TRY(lyf_component_list(c, "schema_transformations", &dynamic->transform_count));
	dynamic->transforms = palloc(sizeof(LyfTransform *) * (dynamic->transform_count + 1));
	for (size_t i = 0; i < dynamic->transform_count; i++)
	{
		LyfComponent transform = lyf_component_item(c, "schema_transformations", i);

		LYF_TRY(lyf_transform_compile(&transform, &dynamic->transforms[i]));
	}
	return NULL;
}

static LyfFailure *
compile_dynamic(const Compile *compile, const LyfComponent *c, Loader *loader)
{
	Dynamic    *dynamic = palloc0(sizeof(Dynamic));
	LyfComponent retriever = lyf_component_child(c, "retriever");
	LyfComponent identifier = lyf_component_child(c, "schema_type_identifier");
	LyfComponent filter = lyf_component_child(c, "schema_filter");

	if (retriever.json == NULL || identifier.json == NULL)
		return lyf_component_invalid(c, "retriever and schema_type_identifier must be given");
	LYF_TRY(lyf_retriever_compile(&retriever, c->path, "dynamic_properties", compile->manifest, compile->budget, &dynamic->stream));
	dynamic->stream->router = NULL; /* one answer is enough */
	LYF_TRY(compile_identifier(&identifier, dynamic));
	if (filter.json != NULL && strcmp(filter.type, "RecordFilter") != 0)
		return lyf_component_unsupported(&filter);
	LYF_TRY(lyf_component_template(&filter, "condition", &dynamic->filter));
	loader->dynamic = dynamic;
	return compile_transforms(c, dynamic);
}

static const struct
{
	const char *type;
	LyfFailure *(*compile) (const Compile *compile, const LyfComponent *c, Loader *loader);
}			kinds[] =
{
	{"InlineSchemaLoader", compile_inline},
	{"JsonFileSchemaLoader", compile_file},
	{"DynamicSchemaLoader", compile_dynamic},
};

static LyfFailure *
compile_loader(const Compile *compile, const LyfComponent *c, Loader *loader)
{
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(c->type, kinds[i].type) == 0)
			return kinds[i].compile(compile, c, loader);
	}
	return lyf_component_unsupported(c);
}

/* a list of schemas: the properties of all of them, the first one's win; one that says nothing is none */
static LyfValue *
merge(LyfValue *const *schemas, size_t count, bool is_list)
{
	LyfValue   *properties = lyf_value_make(LYF_MAP);
	LyfValue   *merged = count > 0 ? schemas[0] : NULL;

	for (size_t i = 0; i < count; i++)
	{
		LyfValue   *more = lyf_value_get(schemas[i], "properties");

		if (lyf_value_is(more, LYF_MAP))
			properties = lyf_value_merge(more, properties);
	}
	if (properties->len == 0)
		return NULL;
	if (is_list)
	{
		merged = lyf_value_make(LYF_MAP);
		lyf_value_set(merged, "type", lyf_value_string("object"));
		lyf_value_set(merged, "properties", properties);
	}
	return merged;
}

LyfFailure *
lyf_schema_compile(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfStream *stream)
{
	Compile		compile = {manifest, budget};
	LyfComponent single = lyf_component_child(c, "schema_loader");
	size_t		listed = lyf_component_count(c, "schema_loader");
	struct LyfSchemaSource *source = palloc0(sizeof(struct LyfSchemaSource));
	LyfValue  **schemas = palloc0(sizeof(LyfValue *) * (listed + 1));
	bool		dynamic = false;

	source->count = listed > 0 ? listed : single.json != NULL && !json_is_array(single.json);
	source->loader = palloc0(sizeof(Loader) * (source->count + 1));
	for (size_t i = 0; i < source->count; i++)
	{
		LyfComponent item = listed > 0 ? lyf_component_item(c, "schema_loader", i) : single;

		LYF_TRY(compile_loader(&compile, &item, &source->loader[i]));
		schemas[i] = source->loader[i].schema;
		dynamic = dynamic || source->loader[i].dynamic != NULL;
	}
	if (dynamic)
		stream->schema_source = source;
	else
		stream->schema = merge(schemas, source->count, listed > 0);
	return NULL;
}

/* --- asking --- */

static const struct
{
	const char *name;
	const char *schema;
}			airbyte_types[] =
{
	{"string", "{\"type\": [\"null\", \"string\"]}"},
	{"boolean", "{\"type\": [\"null\", \"boolean\"]}"},
	{"date", "{\"type\": [\"null\", \"string\"], \"format\": \"date\"}"},
	{"timestamp_without_timezone", "{\"type\": [\"null\", \"string\"], \"format\": \"date-time\", \"airbyte_type\": \"timestamp_without_timezone\"}"},
	{"timestamp_with_timezone", "{\"type\": [\"null\", \"string\"], \"format\": \"date-time\"}"},
	{"time_without_timezone", "{\"type\": [\"null\", \"string\"], \"format\": \"time\", \"airbyte_type\": \"time_without_timezone\"}"},
	{"time_with_timezone", "{\"type\": [\"null\", \"string\"], \"format\": \"time\", \"airbyte_type\": \"time_with_timezone\"}"},
	{"integer", "{\"type\": [\"null\", \"integer\"]}"},
	{"number", "{\"type\": [\"null\", \"number\"]}"},
	{"array", "{\"type\": [\"null\", \"array\"]}"},
	{"object", "{\"type\": [\"null\", \"object\"]}"},
};

static LyfFailure *
unknown_type(const LyfValue *type)
{
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_INVALID_DATA_TYPE, "the source's schema has a type that is not known: %.100s",
										lyf_value_to_text(type)),
							"The types_mapping of the connector's DynamicSchemaLoader should say what it is.");
}

static LyfFailure *
simple_type(const LyfValue *type, LyfValue **schema)
{
	for (int i = 0; i < lengthof(airbyte_types) && lyf_value_is(type, LYF_STRING); i++)
	{
		if (strcmp(airbyte_types[i].name, type->u.text) == 0)
			return lyf_json_parse_copy(airbyte_types[i].schema, strlen(airbyte_types[i].schema), schema);
	}
	return unknown_type(type);
}

/* a type's name, or {field_type, items} */
static LyfFailure *
complex_type(const LyfValue *type, LyfValue **schema)
{
	const LyfValue *items;
	LyfValue   *inner;

	if (!lyf_value_is(type, LYF_MAP))
		return simple_type(type, schema);
	items = lyf_value_get(type, "items");
	LYF_TRY(simple_type(lyf_value_get(type, "field_type"), schema));
	if (items == NULL || items->kind == LYF_NULL)
		return NULL;
	LYF_TRY(complex_type(items, &inner));
	lyf_value_set(*schema, "items", inner);
	return NULL;
}

/* two types are alternatives */
static LyfFailure *
any_type(const LyfValue *type, LyfValue **schema)
{
	LyfValue   *alternatives;

	if (!lyf_value_is(type, LYF_LIST))
		return complex_type(type, schema);
	if (type->len != 2)
		return unknown_type(type);
	alternatives = lyf_value_make(LYF_LIST);
	lyf_foreach(one, type)
	{
		LyfValue   *alternative;

		LYF_TRY(simple_type(one, &alternative));
		lyf_value_append(alternatives, alternative);
	}
	*schema = lyf_value_make(LYF_MAP);
	lyf_value_set(*schema, "oneOf", alternatives);
	return NULL;
}

/* what the manifest calls a type of the source */
static LyfFailure *
map_type(const Dynamic *dynamic, const LyfScope *scope, LyfValue *definition, const LyfValue **type)
{
	LyfScope	inner;

	lyf_scope_init(&inner, scope);
	lyf_scope_set(&inner, "raw_schema", definition);
	for (size_t i = 0; i < dynamic->type_count; i++)
	{
		const TypesMap *map = &dynamic->types[i];
		bool		holds = true;

		if (map->condition != NULL)
			LYF_TRY(lyf_template_eval_bool(map->condition, &inner, &holds));
		if (!holds || !lyf_value_equal(*type, map->current))
			continue;
		*type = map->target;
		return NULL;
	}
	return NULL;
}

/* one property, as a member of properties */
static LyfFailure *
add_property(const Dynamic *dynamic, const LyfScope *scope, LyfValue *definition, LyfValue *properties)
{
	const LyfValue *type = NULL;
	LyfValue   *key;
	LyfValue   *found;
	LyfValue   *schema;
	LyfPath		path;

	LYF_TRY(lyf_path_template_eval(&dynamic->key_pointer, scope, &path));
	LYF_TRY(lyf_path_get_sole(definition, &path, &key));
	if (!lyf_value_is(key, LYF_STRING))
		return lyf_failure(ERRCODE_FDW_INVALID_DATA_TYPE, "the source's schema has a property whose name is no text");
	if (dynamic->type_pointer.len > 0)
	{
		LYF_TRY(lyf_path_template_eval(&dynamic->type_pointer, scope, &path));
		LYF_TRY(lyf_path_get_sole(definition, &path, &found));
		type = found;
	}
	if (type == NULL)
		type = lyf_value_string("string");
	LYF_TRY(map_type(dynamic, scope, definition, &type));
	LYF_TRY(any_type(type, &schema));
	lyf_value_set(properties, key->u.text, schema);
	return NULL;
}

/* the properties that the filter keeps: it sees each as a record of its own */
static LyfFailure *
filter_properties(const Dynamic *dynamic, const LyfScope *scope, LyfValue **properties)
{
	LyfValue   *kept = lyf_value_make(LYF_MAP);
	LyfScope	inner;

	if (dynamic->filter == NULL)
		return NULL;
	lyf_foreach(property, *properties)
	{
		LyfValue   *record = lyf_value_make(LYF_MAP);
		bool		keep;

		lyf_value_set(record, property->key, lyf_value_alias(property));
		lyf_scope_init(&inner, scope);
		lyf_scope_set(&inner, "record", record);
		LYF_TRY(lyf_template_eval_bool(dynamic->filter, &inner, &keep));
		if (keep)
			lyf_value_set(kept, property->key, lyf_value_alias(property));
	}
	*properties = kept;
	return NULL;
}

/* the retriever's first record, in CurrentMemoryContext; NULL: there is none */
static LyfFailure *
first_record(LyfStream *stream, LyfSession *session, LyfValue **record)
{
	LyfParent	parent = {.stream = stream};
	const LyfSlice *slice;
	LyfFailure *failure;
	void	   *reader;

	*record = NULL;
	lyf_parent_bind(&parent);
	LYF_TRY(parent.begin(&parent, session, NULL, &reader));
	failure = parent.next(reader, record, &slice);
	if (failure == NULL && *record != NULL)
		*record = lyf_value_copy(*record);
	if (failure != NULL)
		failure = lyf_failure_copy(failure);
	parent.end(reader);
	return failure;
}

static LyfFailure *
load_dynamic(const Dynamic *dynamic, LyfSession *session, LyfValue **schema)
{
	LyfValue   *properties = lyf_value_make(LYF_MAP);
	LyfValue   *definitions = NULL;
	LyfValue   *record;
	LyfScope	scope;
	LyfPath		path;

	LYF_TRY(first_record(dynamic->stream, session, &record));
	LYF_TRY(lyf_path_template_eval(&dynamic->schema_pointer, &session->scope, &path));
	if (record != NULL)
		LYF_TRY(lyf_path_get_sole(record, &path, &definitions));
	if (record != NULL && !lyf_value_is(definitions, LYF_LIST))
		return lyf_failure(ERRCODE_FDW_INVALID_DATA_TYPE, "the source's schema is no list where schema_pointer leads");
	for (LyfValue *one = definitions != NULL ? definitions->u.first : NULL; one != NULL; one = one->next)
		LYF_TRY(add_property(dynamic, &session->scope, one, properties));
	LYF_TRY(filter_properties(dynamic, &session->scope, &properties));
	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set(&scope, "record", properties);
	for (size_t i = 0; i < dynamic->transform_count; i++)
		LYF_TRY(lyf_transform_apply(dynamic->transforms[i], &scope, properties));
	*schema = lyf_value_make(LYF_MAP);
	lyf_value_set(*schema, "type", lyf_value_string("object"));
	lyf_value_set(*schema, "properties", properties);
	return NULL;
}

LyfFailure *
lyf_schema_load(const LyfStream *stream, LyfSession *session, LyfValue **schema)
{
	const struct LyfSchemaSource *source = stream->schema_source;
	LyfValue  **schemas = palloc0(sizeof(LyfValue *) * (source->count + 1));

	for (size_t i = 0; i < source->count; i++)
	{
		schemas[i] = source->loader[i].schema;
		if (source->loader[i].dynamic != NULL)
			LYF_TRY(load_dynamic(source->loader[i].dynamic, session, &schemas[i]));
	}
	*schema = merge(schemas, source->count, source->count > 1);
	return NULL;
}

LyfFailure *
lyf_stream_columns(const LyfAccount *account, LyfStream *stream, List **columns)
{
	LyfReadOptions options = {.full_refresh = true};
	LyfValue   *schema = stream->schema;
	LyfReader  *reader;
	LyfFailure *failure;

	if (stream->schema_source != NULL)
	{
		LYF_TRY(lyf_reader_begin(account, stream, &options, &reader));
		failure = lyf_reader_redact(reader, lyf_schema_load(stream, reader->session, &schema));
		lyf_reader_end(reader);
		if (failure != NULL)
			return failure;
	}
	*columns = schema != NULL ? lyf_columns_from_schema(schema) : NIL;
	return NULL;
}
