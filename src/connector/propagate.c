/*
 * propagate.c
 *		Types and parameters of a manifest's components, filled in.
 *
 * A component without `type` gets the one that its place calls for.  Parameters
 * go down: those of a component, over them those of the components inside of it;
 * each is written as a field where that is missing or empty, and kept as
 * $parameters for templates.  JSON schemas are no components, and left alone.
 */
#include "postgres.h"

#include "connector/manifest_internal.h"

typedef struct DefaultType
{
	const char *place;			/* parent's type, field */
	const char *type;
} DefaultType;

/* the type of a component that names none */
static const DefaultType default_types[] = {
	{"AddFields.fields", "AddedFieldDefinition"},
	{"CompositeErrorHandler.error_handlers", "DefaultErrorHandler"},
	{"ConfigComponentsResolver.components_mapping", "ComponentMappingDefinition"},
	{"ConfigComponentsResolver.stream_config", "StreamConfig"},
	{"CursorPagination.decoder", "JsonDecoder"},
	{"CustomPartitionRouter.parent_stream_configs", "ParentStreamConfig"},
	{"DatetimeBasedCursor.end_datetime", "MinMaxDatetime"},
	{"DatetimeBasedCursor.end_time_option", "RequestOption"},
	{"DatetimeBasedCursor.start_datetime", "MinMaxDatetime"},
	{"DatetimeBasedCursor.start_time_option", "RequestOption"},
	{"DeclarativeSource.check", "CheckStream"},
	{"DeclarativeSource.spec", "Spec"},
	{"DeclarativeSource.streams", "DeclarativeStream"},
	{"DeclarativeStream.retriever", "SimpleRetriever"},
	{"DeclarativeStream.schema_loader", "JsonFileSchemaLoader"},
	{"DefaultErrorHandler.response_filters", "HttpResponseFilter"},
	{"DefaultPaginator.decoder", "JsonDecoder"},
	{"DefaultPaginator.page_size_option", "RequestOption"},
	{"DpathExtractor.decoder", "JsonDecoder"},
	{"DpathExtractor.record_expander", "RecordExpander"},
	{"DynamicDeclarativeStream.components_resolver", "ConfigComponentResolver"},
	{"DynamicDeclarativeStream.stream_template", "DeclarativeStream"},
	{"DynamicSchemaLoader.retriever", "SimpleRetriever"},
	{"HttpComponentsResolver.components_mapping", "ComponentMappingDefinition"},
	{"HttpComponentsResolver.retriever", "SimpleRetriever"},
	{"HttpRequester.error_handler", "DefaultErrorHandler"},
	{"ListPartitionRouter.request_option", "RequestOption"},
	{"ParentStreamConfig.request_option", "RequestOption"},
	{"ParentStreamConfig.stream", "DeclarativeStream"},
	{"RecordExpander.parent_fields", "ParentFieldPath"},
	{"RecordSelector.extractor", "DpathExtractor"},
	{"RecordSelector.record_filter", "RecordFilter"},
	{"SchemaTypeIdentifier.types_map", "TypesMap"},
	{"SimpleRetriever.paginator", "NoPagination"},
	{"SimpleRetriever.record_selector", "RecordSelector"},
	{"SimpleRetriever.requester", "HttpRequester"},
	{"SubstreamPartitionRouter.parent_stream_configs", "ParentStreamConfig"},
};

/* the same where a component names a Python class */
static const DefaultType custom_types[] = {
	{"CompositeErrorHandler.backoff_strategies", "CustomBackoffStrategy"},
	{"DeclarativeStream.retriever", "CustomRetriever"},
	{"DeclarativeStream.transformations", "CustomTransformation"},
	{"DefaultErrorHandler.backoff_strategies", "CustomBackoffStrategy"},
	{"DefaultPaginator.pagination_strategy", "CustomPaginationStrategy"},
	{"HttpRequester.authenticator", "CustomAuthenticator"},
	{"HttpRequester.error_handler", "CustomErrorHandler"},
	{"RecordSelector.extractor", "CustomRecordExtractor"},
	{"SimpleRetriever.partition_router", "CustomPartitionRouter"},
};

static bool
is_truthy(const json_t *json)
{
	switch (json == NULL ? JSON_NULL : json_typeof(json))
	{
		case JSON_OBJECT:
			return json_object_size(json) > 0;
		case JSON_ARRAY:
			return json_array_size(json) > 0;
		case JSON_STRING:
			return json_string_length(json) > 0;
		case JSON_INTEGER:
		case JSON_REAL:
			return json_number_value(json) != 0;
		case JSON_TRUE:
			return true;
		default:
			return false;
	}
}

/* Give a component its type, from where it stands ("ParentType.field"), if it has none. */
static void
infer_type(LyfResolver *resolver, json_t *component, const char *standing)
{
	bool		custom = json_object_get(component, "class_name") != NULL;
	const DefaultType *types = custom ? custom_types : default_types;
	size_t		count = custom ? lengthof(custom_types) : lengthof(default_types);

	if (json_object_get(component, "type") != NULL)
		return;
	for (size_t i = 0; i < count; i++)
	{
		if (strcmp(types[i].place, standing) == 0)
			lyf_resolver_set_member(component, "type", lyf_resolver_keep(resolver, json_string(types[i].type)));
	}
}

/* a JSON schema, not a component: its type is "object", a list of types, or a property of that name */
static bool
is_schema(const json_t *type)
{
	return json_is_array(type) || json_is_object(type) ||
		(json_is_string(type) && strcmp(json_string_value(type), "object") == 0);
}

/* the parameters in force inside a component: those from outside, over them its own, or the other way round */
static LyfFailure *
merge_parameters(LyfResolver *resolver, json_t *component, json_t *outer, const LyfPlace *place, json_t **out)
{
	json_t	   *own = json_object_get(component, "$parameters");

	*out = lyf_resolver_keep(resolver, json_copy(outer));
	if (own == NULL)
		return NULL;
	if (!json_is_object(own))
		return lyf_place_failure(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "$parameters must be a map"), place);
	if ((resolver->outer_first ? json_object_update_missing(*out, own) : json_object_update(*out, own)) != 0)
		lyf_resolver_checked(NULL);
	json_object_del(component, "$parameters");
	return NULL;
}

static LyfFailure *propagate(LyfResolver *resolver, const char *standing, json_t *component,
							 json_t *parameters, const LyfPlace *place, json_t **out);

/* a map that is no component may still hold some */
static LyfFailure *
propagate_untyped(LyfResolver *resolver, const char *standing, json_t *map, json_t *parameters, const LyfPlace *place)
{
	const char *key;
	json_t	   *value;

	json_object_foreach(map, key, value)
	{
		LyfPlace	inner = lyf_place_key(place, key);

		if (!json_is_object(value) || !is_truthy(json_object_get(value, "type")))
			continue;
		LYF_TRY(propagate(resolver, standing, value, parameters, &inner, &value));
		lyf_resolver_set_member(map, key, value);
	}
	return NULL;
}

/* the maps of a list; the list is copied, since it may be shared */
static LyfFailure *
propagate_list(LyfResolver *resolver, const char *standing, json_t *list, json_t *parameters,
			   const LyfPlace *place, json_t **out)
{
	json_t	   *value;
	size_t		i;

	*out = lyf_resolver_keep(resolver, json_array());
	json_array_foreach(list, i, value)
	{
		LyfPlace	inner = lyf_place_item(place, i);

		LYF_TRY(lyf_resolver_grow(resolver, 1, place));
		if (json_is_object(value))
			LYF_TRY(propagate(resolver, standing, value, parameters, &inner, &value));
		lyf_resolver_append_item(*out, value);
	}
	return NULL;
}

/*
 * The fields of a component that may hold others.  A field does not get the
 * parameter of its own name: that may be what it was made from, and would go on
 * for ever.  A parameter that was left out so comes back as the last one.
 */
static LyfFailure *
propagate_fields(LyfResolver *resolver, json_t *component, json_t *parameters, const LyfPlace *place)
{
	json_t	   *type = json_object_get(component, "type");
	const char *key;
	json_t	   *value;

	json_object_foreach(component, key, value)
	{
		LyfPlace	inner = lyf_place_key(place, key);
		json_t	   *left_out = json_object_get(parameters, key);
		bool		is_parameter = left_out == value;
		char	   *standing;

		LYF_TRY(lyf_resolver_grow(resolver, 1, place));
		if (!json_is_object(value) && !json_is_array(value))
			continue;
		if (left_out != NULL)
		{
			lyf_resolver_keep(resolver, json_incref(left_out));
			json_object_del(parameters, key);
		}
		standing = psprintf("%s.%s", json_is_string(type) ? json_string_value(type) : "", key);
		if (json_is_object(value))
			LYF_TRY(propagate(resolver, standing, value, parameters, &inner, &value));
		else
			LYF_TRY(propagate_list(resolver, standing, value, parameters, &inner, &value));
		lyf_resolver_set_member(component, key, value);
		/* a list that came from the parameter is one with it, also in what became of it */
		if (is_parameter && json_is_array(value))
			left_out = value;
		if (is_truthy(left_out))
			lyf_resolver_set_member(parameters, key, left_out);
	}
	return NULL;
}

/* A component with types and parameters filled in, down to its leaves; a new node. */
static LyfFailure *
propagate(LyfResolver *resolver, const char *standing, json_t *component,
		  json_t *parameters, const LyfPlace *place, json_t **out)
{
	const char *name;
	json_t	   *value;

	LYF_TRY(lyf_resolver_grow(resolver, 1, place));
	component = lyf_resolver_keep(resolver, json_copy(component));
	*out = component;
	infer_type(resolver, component, standing);
	LYF_TRY(merge_parameters(resolver, component, parameters, place, &parameters));
	if (is_schema(json_object_get(component, "type")))
		return NULL;
	if (json_object_get(component, "type") == NULL)
		return propagate_untyped(resolver, standing, component, parameters, place);

	json_object_foreach(parameters, name, value)
	{
		if (!is_truthy(json_object_get(component, name)))
			lyf_resolver_set_member(component, name, value);
	}
	LYF_TRY(propagate_fields(resolver, component, parameters, place));
	if (json_object_size(parameters) > 0)
		lyf_resolver_set_member(component, "$parameters", parameters);
	return NULL;
}

LyfFailure *
lyf_manifest_propagate(LyfResolver *resolver, json_t *manifest, const LyfPlace *place, json_t **out)
{
	return propagate(resolver, "", manifest, lyf_resolver_keep(resolver, lyf_document_object()), place, out);
}
