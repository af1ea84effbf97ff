/*
 * template_function.c
 *		The functions that templates can call by name, besides those of time.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/json.h"
#include "base/template_internal.h"

const LyfBuiltin *
lyf_template_find(const LyfBuiltin *table, const char *name)
{
	for (; table->name != NULL; table++)
	{
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

LyfFailure *
lyf_arg_text(LyfEval *ev, const LyfValue *value, const char **text, size_t *len)
{
	if (value == NULL || value->kind != LYF_STRING)
		return lyf_template_fail_type(ev, "a text", value);
	*text = value->u.text;
	*len = value->len;
	return NULL;
}

LyfFailure *
lyf_arg_int(LyfEval *ev, const LyfValue *value, int64 fallback, int64 *integer)
{
	*integer = fallback;
	if (value == NULL)
		return NULL;
	if (!lyf_template_is_int(value))
		return lyf_template_fail_type(ev, "an integer", value);
	*integer = value->kind == LYF_BOOL ? value->u.boolean : value->u.integer;
	return NULL;
}

/* the largest (sign 1) or smallest (-1) of the arguments, or of the one list */
static LyfFailure *
extreme(LyfEval *ev, LyfCall *call, int sign, LyfValue **result)
{
	LyfValue   *best = NULL;
	LyfValue   *list;

	for (int i = 0; i < call->count; i++)
	{
		if (call->key[i] != NULL)
			return lyf_template_fail_type(ev, "max or min", NULL);
	}
	if (call->count == 0)
		return lyf_template_fail_type(ev, "max or min", NULL);
	if (call->count == 1)
		LYF_TRY(lyf_template_iterate(ev, call->arg[0], &list));
	else
	{
		LyfListMaker maker;

		lyf_list_begin(&maker);
		for (int i = 0; i < call->count; i++)
			LYF_TRY(lyf_list_add(ev, &maker, call->arg[i]));
		list = maker.list;
	}
	lyf_foreach(member, list)
	{
		int			order = 0;

		if (best != NULL)
			LYF_TRY(lyf_template_order(ev, member, best, &order));
		if (best == NULL || order == sign)
			best = member;
	}
	if (best == NULL)
		return lyf_template_fail_value(ev, "max or min of an empty list in a template");
	*result = best;
	return NULL;
}

static LyfFailure *
largest(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return extreme(ev, call, 1, result);
}

static LyfFailure *
smallest(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return extreme(ev, call, -1, result);
}

static LyfFailure *
sanitize_url(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData out;
	const char *text = NULL;
	size_t		len = 0;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &text, &len));
	initStringInfo(&out);
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = text[i];

		if (isalnum(c) || (c != '\0' && strchr("_.-~", c) != NULL))
			appendStringInfoChar(&out, c);
		else if (c == ' ')
			appendStringInfoChar(&out, '+');
		else
			appendStringInfo(&out, "%%%02X", c);
	}
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
camel_case_to_snake_case(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData out;
	StringInfoData lower;
	const char *text = NULL;
	size_t		len = 0;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &text, &len));
	initStringInfo(&out);
	for (size_t i = 0; i < len; i++)
	{
		if (i > 0 && text[i] >= 'A' && text[i] <= 'Z')
			appendStringInfoChar(&out, '_');
		appendStringInfoChar(&out, text[i]);
	}
	initStringInfo(&lower);
	lyf_text_case(&lower, out.data, out.len, false);
	*result = lyf_template_take(&lower);
	return NULL;
}

static LyfFailure *
json_loads(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *text = NULL;
	size_t		len = 0;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &text, &len));
	return lyf_template_pass(ev, lyf_json_parse_copy(text, len, result));
}

LyfValue *
lyf_template_json_loads(void)
{
	static const LyfBuiltin function = {"json_loads", json_loads, 1, {"s"}};
	LyfValue   *value = lyf_value_make(LYF_OPAQUE);

	value->u.opaque = unconstify(LyfBuiltin *, &function);
	return value;
}

/* a random UUID of version 4 */
static LyfFailure *
generate_uuid(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	unsigned char b[16];

	if (!pg_strong_random(b, sizeof(b)))
		return lyf_template_fail_value(ev, "no random bytes could be had");
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	*result = lyf_value_string(psprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
										b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
										b[11], b[12], b[13], b[14], b[15]));
	return NULL;
}

/* dict(map, name=value, ...) */
static LyfFailure *
make_dict(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = lyf_template_new_map();
	for (int i = 0; i < call->count; i++)
	{
		if (call->key[i] != NULL)
			lyf_template_put(*result, call->key[i], call->arg[i]);
		else if (i == 0 && call->arg[0]->kind == LYF_MAP)
		{
			lyf_foreach(member, call->arg[0])
				lyf_template_put(*result, member->key, member);
		}
		else
			return lyf_template_fail_type(ev, "a dict", call->arg[i]);
	}
	return NULL;
}

static LyfFailure *
make_namespace(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LYF_TRY(make_dict(ev, call, result));
	(*result)->flags |= LYF_FLAG_NAMESPACE;
	return NULL;
}

static const LyfBuiltin functions[] = {
	{"max", largest, -1},
	{"min", smallest, -1},
	{"sanitize_url", sanitize_url, 1, {"value"}},
	{"camel_case_to_snake_case", camel_case_to_snake_case, 1, {"value"}},
	{"generate_uuid", generate_uuid, 0},
	{"dict", make_dict, -1},
	{"namespace", make_namespace, -1},
	{NULL}
};

const LyfBuiltin *
lyf_template_function(const char *name)
{
	const LyfBuiltin *found = lyf_template_find(functions, name);

	return found != NULL ? found : lyf_template_find(lyf_time_functions, name);
}
