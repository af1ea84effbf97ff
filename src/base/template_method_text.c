/*
 * template_method_text.c
 *		Methods of texts in templates, which count in characters.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/template_internal.h"

static LyfFailure *
text_split_space(LyfEval *ev, const LyfValue *text, int64 limit, LyfValue **result)
{
	const char *at = text->u.text;
	const char *end = at + text->len;
	LyfListMaker maker;

	lyf_list_begin(&maker);
	for (;;)
	{
		const char *start;

		while (at < end && lyf_text_is_space(*at))
			at++;
		if (at == end)
			break;
		start = at;
		if (limit-- == 0)
		{
			while (end > at && lyf_text_is_space(end[-1]))
				end--;
			at = end;
		}
		while (at < end && !lyf_text_is_space(*at))
			at++;
		LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(start, at - start)));
	}
	*result = maker.list;
	return NULL;
}

static LyfFailure *
text_split(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *at = call->self->u.text;
	const char *end = at + call->self->len;
	const char *separator;
	size_t		len;
	int64		limit;
	LyfListMaker maker;

	LYF_TRY(lyf_arg_int(ev, call->arg[1], -1, &limit));
	if (call->arg[0] == NULL || call->arg[0]->kind == LYF_NULL)
		return text_split_space(ev, call->self, limit, result);
	LYF_TRY(lyf_arg_text(ev, call->arg[0], &separator, &len));
	if (len == 0)
		return lyf_template_fail_value(ev, "split by an empty text in a template");
	lyf_list_begin(&maker);
	while (limit-- != 0)
	{
		const char *found = memmem(at, end - at, separator, len);

		if (found == NULL)
			break;
		LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(at, found - at)));
		at = found + len;
	}
	LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(at, end - at)));
	*result = maker.list;
	return NULL;
}

/* the last place of what in text[0..len), or NULL */
static const char *
find_last(const char *text, size_t len, const char *what, size_t what_len)
{
	for (const char *at = text + len - Min(what_len, len); len >= what_len && at >= text; at--)
	{
		if (memcmp(at, what, what_len) == 0)
			return at;
	}
	return NULL;
}

static LyfFailure *
text_rsplit(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *start = call->self->u.text;
	size_t		left = call->self->len;
	const char *separator;
	size_t		len;
	int64		limit;
	LyfValue   *list = lyf_value_make(LYF_LIST);

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &separator, &len));
	LYF_TRY(lyf_arg_int(ev, call->arg[1], -1, &limit));
	if (len == 0)
		return lyf_template_fail_value(ev, "split by an empty text in a template");
	list->flags = LYF_FLAG_OWN;
	for (;;)
	{
		const char *found = limit-- != 0 ? find_last(start, left, separator, len) : NULL;
		const char *piece = found != NULL ? found + len : start;
		LyfValue   *member = lyf_value_string_len(piece, start + left - piece);

		LYF_TRY(lyf_template_step(ev));
		member->next = list->u.first;
		list->u.first = member;
		list->len++;
		if (found == NULL)
			break;
		left = found - start;
	}
	*result = list;
	return NULL;
}

static LyfFailure *
text_join(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData out;
	LyfValue   *list;

	LYF_TRY(lyf_template_iterate(ev, call->arg[0], &list));
	initStringInfo(&out);
	lyf_foreach(member, list)
	{
		if (member->kind != LYF_STRING)
			return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
									 "join of what is no text in a template");
		if (member != list->u.first)
			appendBinaryStringInfo(&out, call->self->u.text, call->self->len);
		appendBinaryStringInfo(&out, member->u.text, member->len);
		if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	}
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
text_replace(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *unused;
	size_t		len;
	int64		count;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &unused, &len));
	LYF_TRY(lyf_arg_text(ev, call->arg[1], &unused, &len));
	LYF_TRY(lyf_arg_int(ev, call->arg[2], -1, &count));
	return lyf_text_replace(ev, call->self, call->arg[0], call->arg[1], count, result);
}

/* is the character at `at` one of set (NULL: white space)? */
static bool
strippable(const char *at, const char *set, size_t set_len)
{
	if (set == NULL)
		return lyf_text_is_space(*at);
	return memmem(set, set_len, at, pg_utf_mblen((const unsigned char *) at)) != NULL;
}

static LyfFailure *
strip(LyfEval *ev, LyfCall *call, bool from_left, bool from_right, LyfValue **result)
{
	const char *start = call->self->u.text;
	const char *end = start + call->self->len;
	const char *set = NULL;
	size_t		len = 0;

	if (call->arg[0] != NULL && call->arg[0]->kind != LYF_NULL)
		LYF_TRY(lyf_arg_text(ev, call->arg[0], &set, &len));
	while (from_left && start < end && strippable(start, set, len))
		start += pg_utf_mblen((const unsigned char *) start);
	while (from_right && end > start)
	{
		const char *last = end - 1;

		while (last > start && ((unsigned char) *last & 0xC0) == 0x80)
			last--;
		if (!strippable(last, set, len))
			break;
		end = last;
	}
	*result = lyf_value_string_len(start, end - start);
	return NULL;
}

static LyfFailure *
text_strip(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return strip(ev, call, true, true, result);
}

static LyfFailure *
text_lstrip(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return strip(ev, call, true, false, result);
}

static LyfFailure *
text_rstrip(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return strip(ev, call, false, true, result);
}

static LyfFailure *
change_case(LyfEval *ev, const LyfValue *text, bool upper, LyfValue **result)
{
	StringInfoData out;

	initStringInfo(&out);
	lyf_text_case(&out, text->u.text, text->len, upper);
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
text_lower(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return change_case(ev, call->self, false, result);
}

static LyfFailure *
text_upper(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return change_case(ev, call->self, true, result);
}

static LyfFailure *
text_capitalize(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *text = call->self->u.text;
	const char *end = text + call->self->len;
	const char *rest = lyf_text_skip(text, end, 1);
	StringInfoData out;

	initStringInfo(&out);
	lyf_text_case(&out, text, rest - text, true);
	lyf_text_case(&out, rest, end - rest, false);
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
text_title(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *at = call->self->u.text;
	const char *end = at + call->self->len;
	bool		inside = false;
	StringInfoData out;

	initStringInfo(&out);
	while (at < end)
	{
		int			len = pg_utf_mblen((const unsigned char *) at);

		lyf_text_case(&out, at, len, !inside);
		inside = isalpha((unsigned char) *at) || (unsigned char) *at >= 0x80;
		at += len;
	}
	*result = lyf_template_take(&out);
	return NULL;
}

/* does self begin (or end) with the argument, or one of a tuple of them? */
static LyfFailure *
has_affix(LyfEval *ev, LyfCall *call, bool at_end, LyfValue **result)
{
	const LyfValue *self = call->self;
	LyfValue	one = *call->arg[0];
	const LyfValue *affix = &one;
	bool		found = false;

	if (one.kind == LYF_LIST && (one.flags & LYF_FLAG_TUPLE) != 0)
		affix = one.u.first;
	else
		one.next = NULL;
	for (; affix != NULL && !found; affix = affix->next)
	{
		const char *text;
		size_t		len;

		LYF_TRY(lyf_arg_text(ev, affix, &text, &len));
		found = len <= self->len &&
			memcmp(at_end ? self->u.text + self->len - len : self->u.text, text, len) == 0;
	}
	*result = lyf_value_bool(found);
	return NULL;
}

static LyfFailure *
text_startswith(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return has_affix(ev, call, false, result);
}

static LyfFailure *
text_endswith(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return has_affix(ev, call, true, result);
}

static LyfFailure *
text_find(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *what;
	size_t		len;
	const char *found;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &what, &len));
	found = len == 0 ? call->self->u.text : memmem(call->self->u.text, call->self->len, what, len);
	*result = lyf_value_int(found == NULL ? -1 : lyf_text_length(call->self->u.text, found - call->self->u.text));
	return NULL;
}

static LyfFailure *
text_count(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *at = call->self->u.text;
	const char *end = at + call->self->len;
	const char *what;
	size_t		len;
	int64		count = 0;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &what, &len));
	if (len == 0)
		count = lyf_text_length(at, call->self->len) + 1;
	while (len > 0 && (at = memmem(at, end - at, what, len)) != NULL)
	{
		at += len;
		count++;
	}
	*result = lyf_value_int(count);
	return NULL;
}

static LyfFailure *
text_zfill(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *self = call->self;
	int64		width;
	StringInfoData out;
	bool		sign = self->len > 0 && (self->u.text[0] == '-' || self->u.text[0] == '+');

	LYF_TRY(lyf_arg_int(ev, call->arg[0], 0, &width));
	if (width > LYF_TEMPLATE_MAX_OUTPUT)
		return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	initStringInfo(&out);
	appendBinaryStringInfo(&out, self->u.text, sign);
	for (int64 i = lyf_text_length(self->u.text, self->len); i < width; i++)
		appendStringInfoChar(&out, '0');
	appendBinaryStringInfo(&out, self->u.text + sign, self->len - sign);
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
all_bytes(LyfCall *call, bool (*holds) (unsigned char c), LyfValue **result)
{
	bool		all = call->self->len > 0;

	for (uint32 i = 0; i < call->self->len && all; i++)
		all = holds(call->self->u.text[i]);
	*result = lyf_value_bool(all);
	return NULL;
}

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(unsigned char c)
{
	return c >= 0x80 || isalpha(c);
}

static LyfFailure *
text_isdigit(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return all_bytes(call, is_digit, result);
}

static LyfFailure *
text_isalpha(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return all_bytes(call, is_letter, result);
}

/* the argument that a field of str.format names: a place or a keyword */
static const LyfValue *
format_argument(const LyfCall *call, const char *name, size_t len, int *next)
{
	int			place = 0;

	if (len == 0)
		place = (*next)++;
	else if (isdigit((unsigned char) *name))
		place = len <= 4 ? atoi(name) : call->count;
	else
	{
		for (int i = 0; i < call->count; i++)
		{
			if (call->key[i] != NULL && strlen(call->key[i]) == len && memcmp(call->key[i], name, len) == 0)
				return call->arg[i];
		}
		return NULL;
	}
	return place < call->count && call->key[place] == NULL ? call->arg[place] : NULL;
}

/* {}, {0} and {name}, without format specifications */
static LyfFailure *
text_format(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *at = call->self->u.text;
	const char *end = at + call->self->len;
	int			next = 0;
	StringInfoData out;

	initStringInfo(&out);
	while (at < end)
	{
		const char *close;
		const LyfValue *value;

		if (at + 1 < end && (*at == '{' || *at == '}') && at[1] == *at)
			at++;
		else if (*at == '{')
		{
			close = memchr(at, '}', end - at);
			value = close != NULL ? format_argument(call, at + 1, close - at - 1, &next) : NULL;
			if (value == NULL)
				return lyf_template_fail_value(ev, "a field of format in a template has no argument");
			lyf_template_print_python(&out, value);
			if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
				return lyf_template_fail_limit(ev, "the text that a template makes is too long");
			at = close + 1;
			continue;
		}
		else if (*at == '}')
			return lyf_template_fail_value(ev, "single \"}\" in a format of a template");
		appendStringInfoChar(&out, *at++);
	}
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
text_partition(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *text = call->self->u.text;
	const char *separator;
	size_t		len;
	const char *found;
	size_t		before;
	LyfListMaker maker;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &separator, &len));
	if (len == 0)
		return lyf_template_fail_value(ev, "partition by an empty text in a template");
	found = memmem(text, call->self->len, separator, len);
	before = found != NULL ? found - text : call->self->len;
	if (found == NULL)
		len = 0;
	lyf_list_begin(&maker);
	maker.list->flags |= LYF_FLAG_TUPLE;
	LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(text, before)));
	LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(separator, len)));
	LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(text + before + len, call->self->len - before - len)));
	*result = maker.list;
	return NULL;
}

const LyfBuiltin lyf_text_methods[] = {
	{"split", text_split, 0, {"sep", "maxsplit"}},
	{"rsplit", text_rsplit, 1, {"sep", "maxsplit"}},
	{"partition", text_partition, 1, {"sep"}},
	{"join", text_join, 1, {"iterable"}},
	{"replace", text_replace, 2, {"old", "new", "count"}},
	{"strip", text_strip, 0, {"chars"}},
	{"lstrip", text_lstrip, 0, {"chars"}},
	{"rstrip", text_rstrip, 0, {"chars"}},
	{"lower", text_lower, 0},
	{"upper", text_upper, 0},
	{"capitalize", text_capitalize, 0},
	{"title", text_title, 0},
	{"startswith", text_startswith, 1, {"prefix"}},
	{"endswith", text_endswith, 1, {"suffix"}},
	{"find", text_find, 1, {"sub"}},
	{"count", text_count, 1, {"sub"}},
	{"zfill", text_zfill, 1, {"width"}},
	{"isdigit", text_isdigit, 0},
	{"isnumeric", text_isdigit, 0},
	{"isalpha", text_isalpha, 0},
	{"format", text_format, -1},
	{NULL}
};
