/*
 * template_text.c
 *		Texts of templates: characters of UTF-8, their case, and formatting by %.
 */
#include "postgres.h"

#include <wctype.h>

#include "mb/pg_wchar.h"

#include "base/template_internal.h"

int64
lyf_text_length(const char *text, size_t len)
{
	int64		count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char) text[i] & 0xC0) != 0x80;
	return count;
}

/* the place behind so many characters, at most end */
const char *
lyf_text_skip(const char *text, const char *end, int64 characters)
{
	for (; characters > 0 && text < end; characters--)
		text += pg_utf_mblen((const unsigned char *) text);
	return Min(text, end);
}

void
lyf_text_case(StringInfo out, const char *text, size_t len, bool upper)
{
	const char *end = text + len;

	while (text < end)
	{
		unsigned char c = *text;
		unsigned char bytes[8];
		pg_wchar	code;

		if (c < 0x80)
		{
			appendStringInfoChar(out, upper ? pg_ascii_toupper(c) : pg_ascii_tolower(c));
			text++;
			continue;
		}
		code = utf8_to_unicode((const unsigned char *) text);
		text += pg_utf_mblen((const unsigned char *) text);
		unicode_to_utf8(upper ? towupper(code) : towlower(code), bytes);
		appendBinaryStringInfo(out, (char *) bytes, pg_utf_mblen(bytes));
	}
}

LyfFailure *
lyf_text_replace(LyfEval *ev, const LyfValue *text, const LyfValue *old, const LyfValue *new,
				 int64 count, LyfValue **result)
{
	const char *at = text->u.text;
	const char *end = at + text->len;
	StringInfoData out;

	initStringInfo(&out);
	while (count != 0)
	{
		const char *found = old->len == 0 ? at : memmem(at, end - at, old->u.text, old->len);

		if (found == NULL)
			break;
		appendBinaryStringInfo(&out, at, found - at);
		appendBinaryStringInfo(&out, new->u.text, new->len);
		if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
		count--;
		at = found + old->len;
		if (old->len == 0)
		{
			/* nothing stands between any two characters */
			if (at == end)
				break;
			appendBinaryStringInfo(&out, at, pg_utf_mblen((const unsigned char *) at));
			at += pg_utf_mblen((const unsigned char *) at);
		}
	}
	appendBinaryStringInfo(&out, at, end - at);
	*result = lyf_template_take(&out);
	return NULL;
}

/* the largest width of a conversion, and precision of a text; digits that printf gives behind a point */
#define MAX_SIZE	1000000
#define MAX_FLOAT_DIGITS	350

/* what stands between % and the conversion, bounded so that C's printf can have it */
typedef struct Conversion
{
	char		flags[8];
	int			width;
	int			precision;		/* or -1 */
	char		letter;
} Conversion;

/* digits, 0 if there are none; one more than may be asked for if it is more */
static int
read_size(const char **format, const char *end)
{
	int			size = 0;

	for (; *format < end && isdigit((unsigned char) **format); (*format)++)
		size = Min(size * 10 + (**format - '0'), MAX_SIZE + 1);
	return size;
}

static bool
read_conversion(const char **format, const char *end, Conversion *c)
{
	int			flags = 0;

	memset(c, 0, sizeof(*c));
	c->precision = -1;
	while (*format < end && **format != '\0' && strchr("-+ 0#", **format) != NULL)
	{
		if (flags < (int) sizeof(c->flags) - 1)
			c->flags[flags++] = **format;
		(*format)++;
	}
	c->width = read_size(format, end);
	if (*format < end && **format == '.')
	{
		(*format)++;
		c->precision = read_size(format, end);
	}
	if (*format >= end)
		return false;
	c->letter = *(*format)++;
	return true;
}

static void
pad_text(StringInfo out, const Conversion *c, const char *text, size_t len)
{
	int64		length;
	int			padding;

	if (c->precision >= 0)
		len = lyf_text_skip(text, text + len, c->precision) - text;
	length = lyf_text_length(text, len);
	padding = length < c->width ? c->width - length : 0;
	if (strchr(c->flags, '-') == NULL)
		appendStringInfoSpaces(out, padding);
	appendBinaryStringInfo(out, text, len);
	if (strchr(c->flags, '-') != NULL)
		appendStringInfoSpaces(out, padding);
}

static LyfFailure *
convert(LyfEval *ev, StringInfo out, const Conversion *c, const LyfValue *value)
{
	char		spec[32];
	bool		is_float = strchr("fFeEgG", c->letter) != NULL;

	if (c->width > MAX_SIZE || c->precision > (is_float ? MAX_FLOAT_DIGITS : MAX_SIZE))
		return lyf_template_fail_limit(ev, "a width or precision in a format of a template is too large");
	if (c->letter == 's' || c->letter == 'r')
	{
		StringInfoData text;

		initStringInfo(&text);
		if (c->letter == 's')
			lyf_template_print_python(&text, value);
		else
			lyf_template_repr(&text, value);
		pad_text(out, c, text.data, text.len);
		return NULL;
	}
	if (!lyf_template_is_number(value))
		return lyf_template_fail_type(ev, "%", value);
	if (strchr("di", c->letter) != NULL)
	{
		snprintf(spec, sizeof(spec), "%%%s*lld", c->flags);
		appendStringInfo(out, spec, c->width, lyf_template_is_int(value) ?
						 (long long) (value->kind == LYF_BOOL ? value->u.boolean : value->u.integer) :
						 (long long) Max(Min(lyf_value_double(value), 9e18), -9e18));
		return NULL;
	}
	if (strchr("xXo", c->letter) != NULL && value->kind == LYF_INT && value->u.integer >= 0)
	{
		snprintf(spec, sizeof(spec), "%%%s*ll%c", c->flags, c->letter);
		appendStringInfo(out, spec, c->width, (long long) value->u.integer);
		return NULL;
	}
	if (is_float)
	{
		snprintf(spec, sizeof(spec), "%%%s*.*%c", c->flags, c->letter);
		appendStringInfo(out, spec, c->width, c->precision < 0 ? 6 : c->precision, lyf_value_double(value));
		return NULL;
	}
	return lyf_template_fail_value(ev, "unsupported conversion in a format of a template");
}

/* format % args: a tuple has an argument each, anything else is the only one */
LyfFailure *
lyf_text_format(LyfEval *ev, const LyfValue *format, const LyfValue *args, LyfValue **result)
{
	bool		tuple = args->kind == LYF_LIST && (args->flags & LYF_FLAG_TUPLE) != 0;
	const LyfValue *next = tuple ? args->u.first : args;
	const char *at = format->u.text;
	const char *end = at + format->len;
	StringInfoData out;

	initStringInfo(&out);
	while (at < end)
	{
		Conversion	c;

		if (*at != '%')
		{
			appendStringInfoChar(&out, *at++);
			continue;
		}
		at++;
		if (at < end && *at == '%')
		{
			appendStringInfoChar(&out, *at++);
			continue;
		}
		if (at < end && *at == '(' && args->kind == LYF_MAP)
		{
			const char *close = memchr(at, ')', end - at);

			next = close != NULL ? lyf_value_get_len(args, at + 1, close - at - 1) : NULL;
			at = close != NULL ? close + 1 : end;
		}
		if (!read_conversion(&at, end, &c))
			return lyf_template_fail_value(ev, "incomplete format in a template");
		if (next == NULL)
			return lyf_template_fail_type(ev, "%", NULL);
		LYF_TRY(convert(ev, &out, &c, next));
		if (args->kind != LYF_MAP)
			next = tuple ? next->next : NULL;
		if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	}
	if (next != NULL && args->kind != LYF_MAP && (tuple || args->kind != LYF_LIST))
		return lyf_template_fail_type(ev, "%", NULL);
	*result = lyf_template_take(&out);
	return NULL;
}
