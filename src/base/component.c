/*
 * component.c
 *		One component of a resolved manifest, read field by field.
 *
 * Scalars are taken as loosely as the reference engine takes them: a number
 * where text is due, "5" where a number is, "yes" where a boolean is.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"

#include "base/component.h"

static LyfComponent
make_component(json_t *json, const char *path)
{
	LyfComponent c = {.json = json, .type = "", .path = path};
	json_t	   *parameters;

	if (json_is_null(json))
		c.json = NULL;
	if (!json_is_object(json))
		return c;
	if (json_is_string(json_object_get(json, "type")))
		c.type = json_string_value(json_object_get(json, "type"));
	parameters = json_object_get(json, "$parameters");
	if (json_is_object(parameters))
		c.parameters = lyf_document_to_value(parameters);
	return c;
}

LyfComponent
lyf_component(json_t *json, const char *path)
{
	return make_component(json, pstrdup(path));
}

static char *
child_path(const LyfComponent *parent, const char *field)
{
	return parent->path[0] == '\0' ? pstrdup(field) : psprintf("%s.%s", parent->path, field);
}

/* a list, a number or a text under a component keeps the parameters that surround it */
static LyfComponent
make_child(const LyfComponent *parent, json_t *json, char *path)
{
	LyfComponent child = make_component(json, path);

	if (child.parameters == NULL)
		child.parameters = parent->parameters;
	return child;
}

LyfComponent
lyf_component_child(const LyfComponent *parent, const char *field)
{
	return make_child(parent, json_object_get(parent->json, field), child_path(parent, field));
}

/* field NULL: the component itself is the list */
LyfComponent
lyf_component_item(const LyfComponent *parent, const char *field, size_t index)
{
	json_t	   *list = field != NULL ? json_object_get(parent->json, field) : parent->json;
	const char *path = field != NULL ? child_path(parent, field) : parent->path;

	return make_child(parent, json_array_get(list, index), psprintf("%s[%zu]", path, index));
}

size_t
lyf_component_count(const LyfComponent *parent, const char *field)
{
	return json_array_size(field != NULL ? json_object_get(parent->json, field) : parent->json);
}

/* a field that is there and not null, else NULL */
static json_t *
get_field(const LyfComponent *c, const char *field)
{
	json_t	   *json = json_object_get(c->json, field);

	return json_is_null(json) ? NULL : json;
}

static LyfFailure *
wrong_type(const LyfComponent *c, const char *field, const char *expected)
{
	return lyf_failure(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, "%s must be %s",
					   child_path(c, field), expected);
}

LyfFailure *
lyf_component_list(const LyfComponent *c, const char *field, size_t *count)
{
	json_t	   *json = get_field(c, field);

	*count = json_array_size(json);
	return json == NULL || json_is_array(json) ? NULL : wrong_type(c, field, "a list");
}

/* a scalar as text the way Python prints it, or NULL */
static const char *
scalar_text(json_t *json)
{
	switch (json_typeof(json))
	{
		case JSON_STRING:
			return json_string_value(json);
		case JSON_TRUE:
			return "True";
		case JSON_FALSE:
			return "False";
		case JSON_INTEGER:
		case JSON_REAL:
			return lyf_value_to_text(lyf_document_to_value(json));
		default:
			return NULL;
	}
}

LyfFailure *
lyf_component_text(const LyfComponent *c, const char *field, const char *fallback, const char **out)
{
	json_t	   *json = get_field(c, field);

	*out = fallback;
	if (json == NULL)
		return NULL;
	*out = scalar_text(json);
	return *out == NULL ? wrong_type(c, field, "a text") : NULL;
}

LyfFailure *
lyf_component_int(const LyfComponent *c, const char *field, int64 fallback, int64 *out)
{
	json_t	   *json = get_field(c, field);
	double		number;
	char	   *end;

	*out = fallback;
	if (json == NULL)
		return NULL;
	if (json_is_integer(json))
	{
		*out = json_integer_value(json);
		return NULL;
	}
	if (json_is_string(json) && json_string_length(json) > 0)
	{
		errno = 0;
		*out = strtoll(json_string_value(json), &end, 10);
		if (errno == 0 && *end == '\0')
			return NULL;
	}
	number = json_real_value(json);
	if (json_is_real(json) && number == rint(number) && fabs(number) < 9e15)
	{
		*out = (int64) number;
		return NULL;
	}
	return wrong_type(c, field, "an integer");
}

LyfFailure *
lyf_component_bool(const LyfComponent *c, const char *field, bool fallback, bool *out)
{
	json_t	   *json = get_field(c, field);

	*out = fallback;
	if (json == NULL)
		return NULL;
	if (json_is_boolean(json))
	{
		*out = json_is_true(json);
		return NULL;
	}
	if (json_is_integer(json) && (json_integer_value(json) | 1) == 1)
	{
		*out = json_integer_value(json) == 1;
		return NULL;
	}
	if (json_is_string(json) && json_string_length(json) > 0 &&
		parse_bool(json_string_value(json), out))
		return NULL;
	return wrong_type(c, field, "a boolean");
}

LyfFailure *
lyf_component_value(const LyfComponent *c, const char *field, LyfValue **out)
{
	json_t	   *json = get_field(c, field);

	*out = json != NULL ? lyf_document_to_value(json) : NULL;
	return NULL;
}

/* say where the template stands, behind what the failure says of it */
static LyfFailure *
add_path(LyfFailure *failure, const char *path)
{
	if (failure == NULL)
		return NULL;
	if (failure->detail == NULL)
		return lyf_failure_detail(failure, "The template is at %s.", path);
	return lyf_failure_detail(failure, "%s, at %s", failure->detail, path);
}

LyfFailure *
lyf_component_compile(const LyfComponent *c, const char *text, LyfTemplate **out)
{
	return add_path(lyf_template_compile(text, c->parameters, out), c->path);
}

LyfFailure *
lyf_component_template(const LyfComponent *c, const char *field, LyfTemplate **out)
{
	json_t	   *json = get_field(c, field);
	const char *text;

	*out = NULL;
	if (json == NULL)
		return NULL;
	text = scalar_text(json);
	if (text == NULL)
		return wrong_type(c, field, "a text, a number or a boolean");
	return add_path(lyf_template_compile(text, c->parameters, out), child_path(c, field));
}

LyfFailure *
lyf_component_required_template(const LyfComponent *c, const char *field, LyfTemplate **out)
{
	LYF_TRY(lyf_component_template(c, field, out));
	if (*out == NULL)
		return lyf_component_invalid(c, "field \"%s\" is missing", field);
	return NULL;
}

LyfFailure *
lyf_component_unsupported(const LyfComponent *c)
{
	const char *class_name = json_string_value(json_object_get(c->json, "class_name"));
	LyfFailure *failure;

	if (c->type[0] == '\0')
		return lyf_component_invalid(c, "its type is missing");
	if (class_name != NULL)
		failure = lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED,
							  "component \"%s\" (Python class \"%s\") is not supported", c->type, class_name);
	else
		failure = lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "component \"%s\" is not supported", c->type);
	return lyf_failure_detail(failure, "It stands at %s.", c->path);
}

LyfFailure *
lyf_component_invalid(const LyfComponent *c, const char *fmt,...)
{
	StringInfoData problem;

	initStringInfo(&problem);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&problem, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&problem, needed);
	}
	return lyf_failure_detail(lyf_failure(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
										  "%s: %s", c->path, problem.data),
							  "The component is a %s.", c->type[0] != '\0' ? c->type : "value without a type");
}
