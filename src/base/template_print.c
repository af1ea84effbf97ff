/*
 * template_print.c
 *		Values as text: Python's str and repr, and json.dumps.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "base/template_internal.h"

/* the text of a StringInfo becomes that of a value; a byte of its own is not copied */
LyfValue *
lyf_template_take(StringInfo text)
{
	LyfValue   *value = lyf_value_make(LYF_STRING);

	value->u.text = text->data;
	value->len = text->len;
	return value;
}

LyfValue *
lyf_template_to_string(const LyfValue *value)
{
	StringInfoData out;

	if (value->kind == LYF_STRING)
		return unconstify(LyfValue *, value);
	initStringInfo(&out);
	lyf_template_print_python(&out, value);
	return lyf_template_take(&out);
}

char *
lyf_template_str(const LyfValue *value)
{
	StringInfoData out;

	initStringInfo(&out);
	lyf_template_print_python(&out, value);
	return out.data;
}

/* digits and exponent of the shortest text that reads back as number */
static int
shortest_digits(double number, char *digits, int *exponent)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];
	int			count = 0;
	int			point = -1;
	int			scale = 0;

	double_to_shortest_decimal_buf(number, text);
	for (const char *p = text; *p != '\0'; p++)
	{
		if (*p == '.')
			point = count;
		else if (*p == 'e')
		{
			scale = atoi(p + 1);
			break;
		}
		else
			digits[count++] = *p;
	}
	*exponent = (point < 0 ? count : point) + scale;
	while (count > 1 && digits[0] == '0')
	{
		memmove(digits, digits + 1, --count);
		(*exponent)--;
	}
	while (count > 1 && digits[count - 1] == '0')
		count--;
	return count;
}

/* value is 0.digits * 10^exponent; Python writes an exponent from 1e16 on and below 1e-4 */
static void
print_float(StringInfo out, double number)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];
	int			exponent;
	int			count;

	if (isnan(number) || isinf(number))
	{
		appendStringInfoString(out, isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
		return;
	}
	if (signbit(number))
		appendStringInfoChar(out, '-');
	if (number == 0)
	{
		appendStringInfoString(out, "0.0");
		return;
	}
	count = shortest_digits(fabs(number), digits, &exponent);
	if (exponent > 16 || exponent < -3)
	{
		appendStringInfoChar(out, digits[0]);
		if (count > 1)
		{
			appendStringInfoChar(out, '.');
			appendBinaryStringInfo(out, digits + 1, count - 1);
		}
		appendStringInfo(out, "e%c%02d", exponent > 0 ? '+' : '-', abs(exponent - 1));
		return;
	}
	if (exponent <= 0)
		appendStringInfoChar(out, '0');
	for (int i = Min(exponent, 0); i < Max(count, exponent + 1); i++)
	{
		if (i == exponent)
			appendStringInfoChar(out, '.');
		appendStringInfoChar(out, i >= 0 && i < count ? digits[i] : '0');
	}
}

/* digits without point and exponent: an integer of more than 64 bits */
bool
lyf_number_is_big_int(const LyfValue *value)
{
	if (value->kind != LYF_NUMBER || (value->flags & LYF_FLAG_TEXT) == 0)
		return false;
	for (uint32 i = 0; i < value->len; i++)
	{
		if (value->u.text[i] == '.' || (value->u.text[i] | 0x20) == 'e')
			return false;
	}
	return true;
}

/* what Python does not print as it is: controls, spaces other than ' ', private use */
static bool
is_printable(pg_wchar c)
{
	static const struct
	{
		pg_wchar	first;
		pg_wchar	last;
	}			hidden[] = {
		{0x00, 0x1f}, {0x7f, 0xa0}, {0xad, 0xad}, {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f},
		{0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xd800, 0xf8ff}, {0xfeff, 0xfeff},
		{0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0x10ffff},
	};

	for (int i = 0; i < lengthof(hidden); i++)
	{
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	}
	return true;
}

static void
repr_text(StringInfo out, const LyfValue *value)
{
	const char *end = value->u.text + value->len;
	bool		has_single = memchr(value->u.text, '\'', value->len) != NULL;
	bool		has_double = memchr(value->u.text, '"', value->len) != NULL;
	char		quote = has_single && !has_double ? '"' : '\'';

	appendStringInfoChar(out, quote);
	for (const char *at = value->u.text; at < end;)
	{
		int			len = pg_utf_mblen((const unsigned char *) at);
		pg_wchar	c = utf8_to_unicode((const unsigned char *) at);

		if (*at == quote || *at == '\\')
			appendStringInfo(out, "\\%c", *at);
		else if (*at == '\n')
			appendStringInfoString(out, "\\n");
		else if (*at == '\r')
			appendStringInfoString(out, "\\r");
		else if (*at == '\t')
			appendStringInfoString(out, "\\t");
		else if (is_printable(c))
			appendBinaryStringInfo(out, at, len);
		else
			appendStringInfo(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
		at += len;
	}
	appendStringInfoChar(out, quote);
}

static void
repr_members(StringInfo out, const LyfValue *value)
{
	bool		tuple = (value->flags & LYF_FLAG_TUPLE) != 0;
	const char *separator = "";

	check_stack_depth();
	appendStringInfoChar(out, value->kind == LYF_MAP ? '{' : tuple ? '(' : '[');
	lyf_foreach(member, value)
	{
		appendStringInfoString(out, separator);
		separator = ", ";
		if (value->kind == LYF_MAP)
		{
			LyfValue	key = {.kind = LYF_STRING, .len = member->key_len};

			key.u.text = member->key;
			repr_text(out, &key);
			appendStringInfoString(out, ": ");
		}
		lyf_template_repr(out, member);
	}
	if (tuple && value->len == 1)
		appendStringInfoChar(out, ',');
	appendStringInfoChar(out, value->kind == LYF_MAP ? '}' : tuple ? ')' : ']');
}

void
lyf_template_repr(StringInfo out, const LyfValue *value)
{
	switch (value->kind)
	{
		case LYF_UNDEFINED:
			appendStringInfoString(out, "Undefined");
			break;
		case LYF_NULL:
			appendStringInfoString(out, "None");
			break;
		case LYF_BOOL:
			appendStringInfoString(out, value->u.boolean ? "True" : "False");
			break;
		case LYF_INT:
			appendStringInfo(out, INT64_FORMAT, value->u.integer);
			break;
		case LYF_NUMBER:
			if (lyf_number_is_big_int(value))
				appendBinaryStringInfo(out, value->u.text, value->len);
			else
				print_float(out, lyf_value_double(value));
			break;
		case LYF_STRING:
			repr_text(out, value);
			break;
		case LYF_LIST:
			if ((value->flags & LYF_FLAG_VIEW) != 0)
			{
				appendStringInfoString(out, "dict_view(");
				repr_members(out, value);
				appendStringInfoChar(out, ')');
				break;
			}
			/* FALLTHROUGH */
		case LYF_MAP:
			if ((value->flags & LYF_FLAG_NAMESPACE) != 0)
				appendStringInfoString(out, "<Namespace ");
			repr_members(out, value);
			if ((value->flags & LYF_FLAG_NAMESPACE) != 0)
				appendStringInfoChar(out, '>');
			break;
		case LYF_DATETIME:
		case LYF_DATE:
		case LYF_DURATION:
			lyf_time_repr(out, value);
			break;
		default:
			appendStringInfoString(out, "<function>");
			break;
	}
}

void
lyf_template_print_python(StringInfo out, const LyfValue *value)
{
	if (value->kind == LYF_STRING)
		appendBinaryStringInfo(out, value->u.text, value->len);
	else if (value->kind == LYF_DATETIME || value->kind == LYF_DATE || value->kind == LYF_DURATION)
		lyf_time_print(out, value, ' ');
	else if (value->kind != LYF_UNDEFINED)
		lyf_template_repr(out, value);
}

static void
dump_text(StringInfo out, const char *text, size_t len)
{
	static const char named[] = "\"\\\n\r\t\f\b";
	static const char names[] = "\"\\nrtfb";
	const char *end = text + len;

	appendStringInfoChar(out, '"');
	while (text < end)
	{
		pg_wchar	c = utf8_to_unicode((const unsigned char *) text);
		const char *name = *text != '\0' ? strchr(named, *text) : NULL;

		if (name != NULL)
			appendStringInfo(out, "\\%c", names[name - named]);
		else if (c >= 0x20 && c < 0x7f)
			appendStringInfoChar(out, *text);
		else if (c < 0x10000)
			appendStringInfo(out, "\\u%04x", c);
		else
			appendStringInfo(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
		text += pg_utf_mblen((const unsigned char *) text);
	}
	appendStringInfoChar(out, '"');
}

static void
dump_break(StringInfo out, int indent, int depth)
{
	if (indent <= 0)
		return;
	appendStringInfoChar(out, '\n');
	appendStringInfoSpaces(out, Min(indent, 16) * depth);
}

static bool
dump(StringInfo out, const LyfValue *value, bool sorted, int indent, int depth)
{
	const LyfValue **members;
	uint32		count = 0;
	bool		map = value->kind == LYF_MAP;
	bool		known = true;

	check_stack_depth();
	if (value->kind == LYF_STRING)
		dump_text(out, value->u.text, value->len);
	else if (value->kind == LYF_NULL)
		appendStringInfoString(out, "null");
	else if (value->kind == LYF_BOOL)
		appendStringInfoString(out, value->u.boolean ? "true" : "false");
	else if (value->kind == LYF_INT || value->kind == LYF_NUMBER)
	{
		double		number = lyf_value_double(value);

		if (isnan(number) || isinf(number))
			appendStringInfoString(out, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
		else
			lyf_template_repr(out, value);
	}
	if (value->kind != LYF_LIST && !map)
		return value->kind > LYF_UNDEFINED && value->kind <= LYF_STRING;

	members = palloc((value->len + 1) * sizeof(LyfValue *));
	lyf_foreach(member, value)
	{
		if (count < value->len)
			members[count++] = member;
	}
	if (map && sorted)
		qsort(members, count, sizeof(LyfValue *), lyf_value_compare_keys);
	appendStringInfoChar(out, map ? '{' : '[');
	for (uint32 i = 0; i < count && known; i++)
	{
		if (i > 0)
			appendStringInfoString(out, indent > 0 ? "," : ", ");
		dump_break(out, indent, depth + 1);
		if (map)
		{
			dump_text(out, members[i]->key, members[i]->key_len);
			appendStringInfoString(out, ": ");
		}
		known = dump(out, members[i], sorted, indent, depth + 1);
	}
	if (count > 0)
		dump_break(out, indent, depth);
	appendStringInfoChar(out, map ? '}' : ']');
	pfree(members);
	return known;
}

bool
lyf_template_dump_json(StringInfo out, const LyfValue *value, bool sorted, int indent)
{
	return dump(out, value, sorted, indent, 0);
}
