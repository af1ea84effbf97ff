/*
 * template_filter.c
 *		Filters on texts and numbers, and the table of all filters.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"

#include "base/template_internal.h"

/* call a method of the text that the input is or prints as */
static LyfFailure *
text_method(LyfEval *ev, LyfCall *call, const char *name, int arguments, LyfValue **result)
{
	LyfCall		method = {.self = lyf_template_to_string(call->self)};

	for (int i = 0; i < arguments && call->arg[i] != NULL; i++)
		method.arg[method.count++] = call->arg[i];
	return lyf_template_invoke(ev, lyf_template_method(method.self, name), &method, result);
}

static LyfFailure *
filter_lower(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return text_method(ev, call, "lower", 0, result);
}

static LyfFailure *
filter_upper(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return text_method(ev, call, "upper", 0, result);
}

static LyfFailure *
filter_capitalize(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return text_method(ev, call, "capitalize", 0, result);
}

static LyfFailure *
filter_trim(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return text_method(ev, call, "strip", 1, result);
}

/* words begin behind white space, hyphens and opening brackets */
static LyfFailure *
filter_title(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *text = lyf_template_to_string(call->self);
	const char *at = text->u.text;
	const char *end = at + text->len;
	bool		start = true;
	StringInfoData out;

	initStringInfo(&out);
	while (at < end)
	{
		int			len = pg_utf_mblen((const unsigned char *) at);

		lyf_text_case(&out, at, len, start);
		start = lyf_text_is_space(*at) || (*at != '\0' && strchr("-({[<", *at) != NULL);
		at += len;
	}
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
filter_replace(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	int64		count = -1;

	if (call->arg[2] != NULL && call->arg[2]->kind != LYF_NULL)
		LYF_TRY(lyf_arg_int(ev, call->arg[2], -1, &count));
	return lyf_text_replace(ev, lyf_template_to_string(call->self), lyf_template_to_string(call->arg[0]),
							lyf_template_to_string(call->arg[1]), count, result);
}

static LyfFailure *
filter_format(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfListMaker args;

	lyf_list_begin(&args);
	args.list->flags |= LYF_FLAG_TUPLE;
	for (int i = 0; i < call->count; i++)
		LYF_TRY(lyf_list_add(ev, &args, call->arg[i]));
	return lyf_text_format(ev, lyf_template_to_string(call->self), args.list, result);
}

/* a value as text in a URL; query: / is quoted too, and a space is + */
static void
quote_url(StringInfo out, const LyfValue *value, bool query)
{
	const LyfValue *text = lyf_template_to_string(value);

	for (uint32 i = 0; i < text->len; i++)
	{
		unsigned char c = text->u.text[i];

		if (isalnum(c) || (c != '\0' && strchr("_.-~", c) != NULL) || (c == '/' && !query))
			appendStringInfoChar(out, c);
		else if (c == ' ' && query)
			appendStringInfoChar(out, '+');
		else
			appendStringInfo(out, "%%%02X", c);
	}
}

static LyfFailure *
filter_urlencode(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *self = call->self;
	StringInfoData out;

	initStringInfo(&out);
	if (self->kind == LYF_MAP || self->kind == LYF_LIST)
	{
		lyf_foreach(member, self)
		{
			LyfValue   *key = lyf_value_at(member, 0);
			const LyfValue *value = member;

			if (self->kind == LYF_MAP)
				key = lyf_value_string_len(member->key, member->key_len);
			else if (key == NULL || member->len != 2)
				return lyf_template_fail_value(ev, "urlencode of a list that is not made of pairs");
			else
				value = key->next;
			if (out.len > 0)
				appendStringInfoChar(&out, '&');
			quote_url(&out, key, true);
			appendStringInfoChar(&out, '=');
			quote_url(&out, value, true);
		}
	}
	else
		quote_url(&out, self, false);
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
filter_escape(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	static const char special[] = "&<>'\"";
	static const char *const escapes[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
	const LyfValue *text = lyf_template_to_string(call->self);
	StringInfoData out;

	initStringInfo(&out);
	for (uint32 i = 0; i < text->len; i++)
	{
		char		c = text->u.text[i];
		const char *found = c != '\0' ? strchr(special, c) : NULL;

		if (found != NULL)
			appendStringInfoString(&out, escapes[found - special]);
		else
			appendStringInfoChar(&out, c);
	}
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
filter_safe(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = lyf_template_to_string(call->self);
	return NULL;
}

static LyfFailure *
filter_wordcount(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *text = lyf_template_to_string(call->self);
	int64		count = 0;
	bool		inside = false;

	for (uint32 i = 0; i < text->len; i++)
	{
		unsigned char c = text->u.text[i];
		bool		word = isalnum(c) || c == '_' || c >= 0x80;

		count += word && !inside;
		inside = word;
	}
	*result = lyf_value_int(count);
	return NULL;
}

/* a text without the white space around it; *minus: it had a sign */
static void
strip_number(const LyfValue *value, const char **text, size_t *len, bool *minus)
{
	*text = value->u.text;
	*len = value->len;
	while (*len > 0 && lyf_text_is_space(**text))
	{
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && lyf_text_is_space((*text)[*len - 1]))
		(*len)--;
	*minus = *len > 0 && **text == '-';
	if (*len > 1 && (**text == '-' || **text == '+'))
	{
		(*text)++;
		(*len)--;
	}
}

/* float() of a text; false if it is none */
static bool
float_of_text(const LyfValue *value, double *number)
{
	const char *text;
	size_t		len;
	bool		minus;

	strip_number(value, &text, &len, &minus);
	if ((len == 3 && (pg_strncasecmp(text, "nan", 3) == 0 || pg_strncasecmp(text, "inf", 3) == 0)) ||
		(len == 8 && pg_strncasecmp(text, "infinity", 8) == 0))
		*number = strtod(text, NULL);
	else if (!lyf_template_parse_float(text, len, number))
		return false;
	if (minus)
		*number = -*number;
	return true;
}

static LyfFailure *
filter_float(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	double		number;

	if (call->self->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	if (lyf_template_is_number(call->self))
		*result = lyf_value_number(lyf_value_double(call->self));
	else if (call->self->kind == LYF_STRING && float_of_text(call->self, &number))
		*result = lyf_value_number(number);
	else
		*result = call->arg[0] != NULL ? call->arg[0] : lyf_value_number(0);
	return NULL;
}

/* int() of a text in a base; false if it is none */
static LyfFailure *
int_of_text(LyfEval *ev, const LyfValue *value, int base, LyfValue **result)
{
	const char *text;
	size_t		len;
	bool		minus;

	*result = NULL;
	strip_number(value, &text, &len, &minus);
	if (!lyf_template_parse_int(text, len, base, result))
		return NULL;
	return minus ? lyf_op_negate(ev, *result, *result, result) : NULL;
}

static LyfFailure *
filter_int(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *self = call->self;
	double		number = NAN;
	int64		base;

	LYF_TRY(lyf_arg_int(ev, call->arg[1], 10, &base));
	if (self->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	if (lyf_template_is_int(self))
		return lyf_op_plus(ev, self, self, result);
	if (lyf_number_is_big_int(self))
	{
		*result = unconstify(LyfValue *, self);
		return NULL;
	}
	if (self->kind == LYF_STRING && base >= 2 && base <= 36)
	{
		LYF_TRY(int_of_text(ev, self, base, result));
		if (*result != NULL)
			return NULL;
		if (!float_of_text(self, &number))
			number = NAN;
	}
	else if (self->kind == LYF_NUMBER)
		number = lyf_value_double(self);
	if (number > -9.2e18 && number < 9.2e18)
		*result = lyf_value_int((int64) number);
	else if (isfinite(number))
		return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
								 "a number in a template is out of range");
	else
		*result = call->arg[0] != NULL ? call->arg[0] : lyf_value_int(0);
	return NULL;
}

/* round(precision, 'common' | 'ceil' | 'floor'); common rounds halves to even, as the decimals are */
static LyfFailure *
filter_round(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *method = "common";
	size_t		len;
	int64		precision;
	double		number;
	double		scale;

	if (!lyf_template_is_number(call->self))
		return lyf_template_fail_type(ev, "round", call->self);
	LYF_TRY(lyf_arg_int(ev, call->arg[0], 0, &precision));
	if (call->arg[1] != NULL)
		LYF_TRY(lyf_arg_text(ev, call->arg[1], &method, &len));
	precision = Max(Min(precision, 100), -100);
	number = lyf_value_double(call->self);
	scale = pow(10, precision);
	if (strcmp(method, "ceil") == 0)
		number = ceil(number * scale) / scale;
	else if (strcmp(method, "floor") == 0)
		number = floor(number * scale) / scale;
	else if (strcmp(method, "common") != 0)
		return lyf_template_fail_value(ev, "method of round must be common, ceil or floor");
	else if (lyf_template_is_int(call->self) && precision >= 0)
		return lyf_op_plus(ev, call->self, call->self, result);
	else if (precision >= 0)
		number = isfinite(number) ? strtod(psprintf("%.*f", (int) precision, number), NULL) : number;
	else
		number = rint(number * scale) / scale;
	*result = lyf_template_is_int(call->self) && strcmp(method, "common") == 0 ?
		lyf_value_int((int64) number) : lyf_value_number(number);
	return NULL;
}

static LyfFailure *
filter_abs(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	if (!lyf_template_is_number(call->self))
		return lyf_template_fail_type(ev, "abs", call->self);
	if (lyf_value_double(call->self) < 0)
		return lyf_op_negate(ev, call->self, call->self, result);
	return lyf_op_plus(ev, call->self, call->self, result);
}

/* JSON that is safe in HTML, as Jinja's */
static LyfFailure *
filter_tojson(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData json;
	StringInfoData out;
	int64		indent = 0;

	if (call->arg[0] != NULL && call->arg[0]->kind != LYF_NULL)
		LYF_TRY(lyf_arg_int(ev, call->arg[0], 0, &indent));
	initStringInfo(&json);
	if (!lyf_template_dump_json(&json, call->self, true, indent))
		return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
								 "a value in a template cannot be written as JSON");
	initStringInfo(&out);
	for (int i = 0; i < json.len; i++)
	{
		if (json.data[i] != '\0' && strchr("<>&'", json.data[i]) != NULL)
			appendStringInfo(&out, "\\u%04x", json.data[i]);
		else
			appendStringInfoChar(&out, json.data[i]);
	}
	*result = lyf_template_take(&out);
	return NULL;
}

/* what is no text becomes JSON in quotes that the literal step takes off, and no more */
static LyfFailure *
filter_string(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData out;

	*result = unconstify(LyfValue *, call->self);
	if (call->self->kind == LYF_STRING)
		return NULL;
	initStringInfo(&out);
	appendStringInfoString(&out, "\"\"\"");
	if (!lyf_template_dump_json(&out, call->self, false, 0))
		return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
								 "a value in a template cannot be written as JSON");
	appendStringInfoString(&out, "\"\"\"");
	*result = lyf_template_take(&out);
	return NULL;
}

static const LyfBuiltin filters[] = {
	{"string", filter_string, 0},
	{"regex_search", lyf_regex_search, 1, {"regex"}},
	{"regex_replace", lyf_regex_replace, 2, {"regex", "replacement"}},
	{"int", filter_int, 0, {"default", "base"}},
	{"float", filter_float, 0, {"default"}},
	{"round", filter_round, 0, {"precision", "method"}},
	{"abs", filter_abs, 0},
	{"lower", filter_lower, 0},
	{"upper", filter_upper, 0},
	{"capitalize", filter_capitalize, 0},
	{"title", filter_title, 0},
	{"trim", filter_trim, 0, {"chars"}},
	{"replace", filter_replace, 2, {"old", "new", "count"}},
	{"format", filter_format, -1},
	{"urlencode", filter_urlencode, 0},
	{"tojson", filter_tojson, 0, {"indent"}},
	{"escape", filter_escape, 0},
	{"e", filter_escape, 0},
	{"safe", filter_safe, 0},
	{"wordcount", filter_wordcount, 0},
	{NULL}
};

const LyfBuiltin *
lyf_template_find_filter(const char *name)
{
	const LyfBuiltin *found = lyf_template_find(filters, name);

	if (found == NULL)
		found = lyf_template_find(lyf_crypto_filters, name);
	return found != NULL ? found : lyf_template_find(lyf_list_filters, name);
}
