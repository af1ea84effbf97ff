/*
 * request_option.c
 *		Where a value goes in a request, and requests put together from parts.
 *
 * A request is four maps until it is printed: parameters, headers, a JSON body
 * and a form.  Requester, authenticator, paginator and slice each fill a set of
 * their own; merging them finds names that two of them claim.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "extract/extract_internal.h"

/* how deep a field_path may reach, and a body be merged */
#define MAX_BODY_DEPTH	64

static const struct
{
	const char *name;
	LyfInject	into;
}			inject_names[] = {
	{"request_parameter", LYF_INJECT_PARAMETER},
	{"header", LYF_INJECT_HEADER},
	{"body_data", LYF_INJECT_BODY_DATA},
	{"body_json", LYF_INJECT_BODY_JSON},
};

static LyfFailure *
compile_field_path(const LyfComponent *c, LyfRequestOption *option)
{
	LyfValue   *path;
	int			n = 0;

	LYF_TRY(lyf_component_value(c, "field_path", &path));
	if (path == NULL)
		return NULL;
	if (path->kind != LYF_LIST || path->len == 0 || path->len > MAX_BODY_DEPTH)
		return lyf_component_invalid(c, "field_path must be a list of 1 to %d names", MAX_BODY_DEPTH);
	if (option->into != LYF_INJECT_BODY_JSON)
		return lyf_component_invalid(c, "field_path is only possible in body_json");
	option->field_path = palloc(sizeof(LyfTemplate *) * path->len);
	lyf_foreach(name, path)
		LYF_TRY(lyf_template_compile(lyf_template_str(name), c->parameters, &option->field_path[n++]));
	option->field_path_len = n;
	return NULL;
}

/* Compile a RequestOption; c->json NULL: *out is NULL. */
LyfFailure *
lyf_request_option_compile(const LyfComponent *c, LyfRequestOption **out)
{
	LyfRequestOption *option;
	const char *into;

	*out = NULL;
	if (c->json == NULL)
		return NULL;
	if (c->type[0] != '\0' && strcmp(c->type, "RequestOption") != 0)
		return lyf_component_unsupported(c);

	option = palloc0(sizeof(LyfRequestOption));
	LYF_TRY(lyf_component_text(c, "inject_into", "", &into));
	for (int i = 0; i < lengthof(inject_names); i++)
		if (strcmp(into, inject_names[i].name) == 0)
			option->into = inject_names[i].into;
	if (option->into == LYF_INJECT_NONE)
		return lyf_component_invalid(c, "inject_into must be request_parameter, header, body_data or body_json");

	LYF_TRY(lyf_component_template(c, "field_name", &option->field_name));
	LYF_TRY(compile_field_path(c, option));
	if ((option->field_name != NULL) == (option->field_path != NULL))
		return lyf_component_invalid(c, "one of field_name and field_path is needed");
	*out = option;
	return NULL;
}

void
lyf_parts_init(LyfRequestParts *parts)
{
	parts->parameters = lyf_value_make(LYF_MAP);
	parts->headers = lyf_value_make(LYF_MAP);
	parts->body_json = NULL;
	parts->body_data = NULL;
}

/* the map that an option writes to, made where it is missing; NULL if the body is a text */
static LyfValue *
part_of(LyfRequestParts *parts, LyfInject into)
{
	LyfValue  **part = into == LYF_INJECT_PARAMETER ? &parts->parameters :
		into == LYF_INJECT_HEADER ? &parts->headers :
		into == LYF_INJECT_BODY_DATA ? &parts->body_data : &parts->body_json;

	if (*part == NULL)
		*part = lyf_value_make(LYF_MAP);
	return (*part)->kind == LYF_MAP ? *part : NULL;
}

LyfFailure *
lyf_inject(const LyfRequestOption *option, const LyfValue *value, const LyfScope *config, LyfRequestParts *parts)
{
	LyfValue   *map = part_of(parts, option->into);
	char	   *name;

	for (int i = 0; i + 1 < option->field_path_len; i++)
	{
		LyfValue   *inner;

		LYF_TRY(lyf_template_eval_text(option->field_path[i], config, &name));
		inner = lyf_value_get(map, name);
		if (inner == NULL)
		{
			inner = lyf_value_make(LYF_MAP);
			lyf_value_set(map, name, inner);
		}
		map = inner->kind == LYF_MAP ? inner : NULL;
		if (map == NULL)
			break;
	}
	LYF_TRY(lyf_template_eval_text(option->field_name ? option->field_name :
								   option->field_path[option->field_path_len - 1], config, &name));
	if (map == NULL)
		return lyf_failure(ERRCODE_FDW_ERROR, "cannot put \"%s\" into a request body that is no map there", name);

	/* A copy: another option may put more into it */
	lyf_value_set(map, name, value ? lyf_value_copy(value) : lyf_value_make(LYF_NULL));
	return NULL;
}

static LyfFailure *
collision(const char *what, const LyfValue *member)
{
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the request's %s \"%s\" is given twice",
										what, pnstrdup(member->key, member->key_len)),
							"Each name may come from one of the requester, the authenticator, the paginator and the slices only.");
}

/* target owns its nodes, so that nested maps can be added to; members are aliases of source's */
static LyfFailure *
merge_maps(LyfValue *target, const LyfValue *source, const char *what, bool deep, int depth)
{
	if (depth > MAX_BODY_DEPTH)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the request's %s is nested too deeply", what);

	lyf_foreach(member, source)
	{
		LyfValue   *there = lyf_value_get_len(target, member->key, member->key_len);

		if (there == NULL)
			lyf_value_set(target, member->key, deep ? lyf_value_copy(member) : lyf_value_alias(member));
		else if (!deep)
			return collision(what, member);
		else if (there->kind == LYF_MAP && member->kind == LYF_MAP)
			LYF_TRY(merge_maps(there, member, what, deep, depth + 1));
		else if (!lyf_value_equal(there, member))
			return collision(what, member);
	}
	return NULL;
}

/* a body may be a text, but then only one of the parts may give it */
static LyfFailure *
merge_body(LyfValue **target, const LyfValue *source, const char *what, bool deep)
{
	if (source == NULL || (source->kind == LYF_MAP && source->len == 0))
		return NULL;
	if (*target == NULL || ((*target)->kind == LYF_MAP && (*target)->len == 0))
	{
		*target = source->kind == LYF_MAP ? lyf_value_make(LYF_MAP) : lyf_value_alias(source);
		if (source->kind != LYF_MAP)
			return NULL;
	}
	if ((*target)->kind != LYF_MAP || source->kind != LYF_MAP)
		return lyf_failure(ERRCODE_FDW_ERROR, "the request's %s is given as a text and cannot hold other values", what);
	return merge_maps(*target, source, what, deep, 0);
}

LyfFailure *
lyf_parts_merge(LyfRequestParts *target, const LyfRequestParts *source)
{
	LYF_TRY(merge_maps(target->parameters, source->parameters, "parameter", false, 0));
	LYF_TRY(merge_maps(target->headers, source->headers, "header", false, 0));
	LYF_TRY(merge_body(&target->body_data, source->body_data, "body", false));
	return merge_body(&target->body_json, source->body_json, "body", true);
}
