/*
 * request_template.c
 *		What the manifest itself puts into every request: parameters, headers and
 *		body, each a map of templates or one template that gives a map (a body:
 *		also a text).
 */
#include "postgres.h"

#include "extract/extract_internal.h"

typedef struct Input
{
	LyfTemplate *text;			/* one of the two, or neither */
	LyfTemplateTree *tree;
	const char *properties;		/* the member that has the properties asked for, or NULL */
} Input;

struct LyfRequestTemplates
{
	Input		parameters;
	Input		headers;
	Input		body_data;
	Input		body_json;
};

/* QueryProperties, which who reads the stream makes lists of (see lyf_fetch_set_chunks) */
static bool
is_properties(const char *field, const LyfValue *member)
{
	const char *type = lyf_value_text(lyf_value_get(member, "type"));

	return strcmp(field, "request_parameters") == 0 && type != NULL && strcmp(type, "QueryProperties") == 0;
}

/* the format knows only texts there: 100 is "100", true is "True" */
static LyfFailure *
values_to_texts(const LyfComponent *c, const char *field, const LyfValue *map, LyfValue **texts, const char **properties)
{
	*texts = lyf_value_make(LYF_MAP);
	lyf_foreach(member, map)
	{
		if (is_properties(field, member))
		{
			*properties = member->key;
			continue;
		}
		if (member->kind == LYF_MAP)
		{
			LyfComponent inner = lyf_component_child(c, field);
			char	   *key = pnstrdup(member->key, member->key_len);

			inner = lyf_component_child(&inner, key);
			return lyf_component_unsupported(&inner);
		}
		if (member->kind == LYF_LIST)
			lyf_value_set(*texts, member->key, lyf_value_copy(member));
		else if (member->kind != LYF_NULL)
			lyf_value_set(*texts, member->key, lyf_value_string(lyf_template_str(member)));
	}
	return NULL;
}

static LyfFailure *
compile_input(const LyfComponent *c, const char *field, const LyfValue *value, bool texts, Input *input)
{
	LyfValue   *map;

	if (value == NULL || value->kind == LYF_NULL || (value->kind == LYF_MAP && value->len == 0))
		return NULL;
	if (value->kind == LYF_STRING)
		return value->len == 0 ? NULL :
			lyf_template_compile(lyf_value_text(value), c->parameters, &input->text);
	if (value->kind != LYF_MAP)
		return lyf_component_invalid(c, "%s must be a map or a text", field);
	if (!texts)
		return lyf_template_tree_compile(value, c->parameters, &input->tree);
	LYF_TRY(values_to_texts(c, field, value, &map, &input->properties));
	return lyf_template_tree_compile(map, c->parameters, &input->tree);
}

static LyfFailure *
compile_field(const LyfComponent *c, const char *field, bool texts, Input *input)
{
	LyfValue   *value;

	LYF_TRY(lyf_component_value(c, field, &value));
	return compile_input(c, field, value, texts, input);
}

/* request_body: the newer form, whose type says what it is */
static LyfFailure *
compile_typed_body(const LyfComponent *c, LyfRequestTemplates *templates)
{
	static const struct
	{
		const char *type;
		bool		json;
		bool		texts;
	}			kinds[] = {
		{"RequestBodyJsonObject", true, false},
		{"RequestBodyGraphQL", true, false},
		{"RequestBodyUrlEncodedForm", false, true},
		{"RequestBodyPlainText", false, true},
	};
	LyfComponent body = lyf_component_child(c, "request_body");
	LyfValue   *value;

	if (body.json == NULL)
		return NULL;
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(body.type, kinds[i].type) != 0)
			continue;
		LYF_TRY(lyf_component_value(&body, "value", &value));
		return compile_input(c, "request_body.value", value, kinds[i].texts,
							 kinds[i].json ? &templates->body_json : &templates->body_data);
	}
	return lyf_component_unsupported(&body);
}

LyfFailure *
lyf_request_templates_compile(const LyfComponent *c, LyfRequestTemplates **out)
{
	LyfRequestTemplates *templates = palloc0(sizeof(LyfRequestTemplates));

	LYF_TRY(compile_field(c, "request_parameters", true, &templates->parameters));
	LYF_TRY(compile_field(c, "request_headers", true, &templates->headers));
	LYF_TRY(compile_field(c, "request_body_data", true, &templates->body_data));
	LYF_TRY(compile_field(c, "request_body_json", false, &templates->body_json));
	LYF_TRY(compile_typed_body(c, templates));
	if ((templates->body_data.text || templates->body_data.tree) &&
		(templates->body_json.text || templates->body_json.tree))
		return lyf_component_invalid(c, "only one of request_body_data and request_body_json can be given");
	*out = templates;
	return NULL;
}

bool
lyf_request_templates_are_empty(const LyfRequestTemplates *templates)
{
	const Input *inputs[] = {&templates->parameters, &templates->headers, &templates->body_data, &templates->body_json};

	for (int i = 0; i < lengthof(inputs); i++)
	{
		if (inputs[i]->text != NULL || inputs[i]->tree != NULL)
			return false;
	}
	return true;
}

/* does any of it depend on that member of the slice? */
bool
lyf_request_templates_use_slice(const LyfRequestTemplates *templates, const char *member)
{
	const Input *inputs[] = {&templates->parameters, &templates->headers, &templates->body_data, &templates->body_json};

	for (int i = 0; i < lengthof(inputs); i++)
	{
		if ((inputs[i]->text != NULL && lyf_template_uses_slice(inputs[i]->text, member)) ||
			(inputs[i]->tree != NULL && lyf_template_tree_uses_slice(inputs[i]->tree, member)))
			return true;
	}
	return false;
}

static LyfValue *
without_nulls(const LyfValue *map)
{
	LyfValue   *kept = lyf_value_make(LYF_MAP);

	lyf_foreach(member, map)
		if (member->kind != LYF_NULL)
			lyf_value_set(kept, member->key, lyf_value_alias(member));
	return kept;
}

/* *value is a map, a text if one was made, or NULL */
static LyfFailure *
eval_input(const Input *input, const LyfScope *scope, unsigned types, bool nested, LyfValue **value)
{
	*value = NULL;
	if (input->tree != NULL)
		LYF_TRY(lyf_template_tree_eval(input->tree, scope, types, nested, value));
	else if (input->text != NULL)
		LYF_TRY(lyf_template_eval_string(input->text, scope, value));
	if (lyf_value_is(*value, LYF_MAP))
		*value = without_nulls(*value);
	else if (!lyf_value_is(*value, LYF_STRING))
		*value = NULL;
	return NULL;
}

/* the properties that this request asks for, with commas between them */
static LyfValue *
listed_properties(const LyfScope *scope)
{
	const LyfValue *list = NULL;
	StringInfoData text;

	for (; scope != NULL && list == NULL; scope = scope->outer)
		list = lyf_value_get(scope->extra, "query_properties");
	initStringInfo(&text);
	for (LyfValue *one = list != NULL ? list->u.first : NULL; one != NULL; one = one->next)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "," : "", lyf_template_str(one));
	return lyf_value_string_len(text.data, text.len);
}

static LyfFailure *
not_a_text(const char *what)
{
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the request's %s came out as a text, not as a map", what),
							"The template in the connector's manifest must give a map.");
}

/* Evaluate into parts, made here. */
LyfFailure *
lyf_request_templates_eval(const LyfRequestTemplates *templates, const LyfScope *scope, LyfRequestParts *parts)
{
	LyfValue   *value;

	lyf_parts_init(parts);
	LYF_TRY(eval_input(&templates->parameters, scope, LYF_AS_STRING | LYF_AS_LIST, false, &value));
	if (lyf_value_is(value, LYF_MAP))
		parts->parameters = value;
	if (templates->parameters.properties != NULL)
		lyf_value_set(parts->parameters, templates->parameters.properties, listed_properties(scope));

	LYF_TRY(eval_input(&templates->headers, scope, 0, false, &value));
	if (lyf_value_is(value, LYF_STRING))
		return not_a_text("headers");
	if (value != NULL)
		parts->headers = value;

	LYF_TRY(eval_input(&templates->body_data, scope, LYF_AS_STRING | LYF_AS_LIST, false, &value));
	if (value != NULL && value->len > 0)
		parts->body_data = value;

	LYF_TRY(eval_input(&templates->body_json, scope, 0, true, &value));
	if (lyf_value_is(value, LYF_STRING))
		return not_a_text("JSON body");
	parts->body_json = value;
	return NULL;
}
