/*
 * template_literal.c
 *		Python's ast.literal_eval: reads a text as a Python literal, or says that
 *		it is none.
 *
 * What Python reads but JSON cannot hold (complex numbers, bytes, sets, tuples as
 * keys) is no literal here: such a text stays a text.
 */
#include "postgres.h"

#include <math.h>

#include "base/template_internal.h"

/* brackets in each other, as many as Python's tokenizer takes */
#define MAX_BRACKETS	200

typedef struct Reader
{
	const char *at;
	const char *end;
	int			brackets;		/* open: newlines are white space inside */
	int			items;
} Reader;

static LyfValue *read_item(Reader *reader);

static int
peek(const Reader *reader)
{
	return reader->at < reader->end ? (unsigned char) *reader->at : -1;
}

/* white space and comments; newlines too within brackets */
static void
skip_space(Reader *reader)
{
	for (;;)
	{
		int			c = peek(reader);

		if (c == '#')
		{
			while (peek(reader) != -1 && peek(reader) != '\n')
				reader->at++;
		}
		else if (c == ' ' || c == '\t' || c == '\f' || (reader->brackets > 0 && (c == '\n' || c == '\r')))
			reader->at++;
		else
			return;
	}
}

static bool
skip(Reader *reader, char c)
{
	skip_space(reader);
	if (peek(reader) != c)
		return false;
	reader->at++;
	skip_space(reader);
	return true;
}

static bool
is_word_byte(int c)
{
	return c >= 0 && (isalnum(c) || c == '_' || c >= 0x80);
}

/* digits of a base without their underscores into digits; false if an underscore is misplaced */
static bool
clean_digits(const char *text, size_t len, char *digits)
{
	size_t		count = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '_' && (i == 0 || i + 1 == len || !isalnum((unsigned char) text[i - 1]) ||
							   !isalnum((unsigned char) text[i + 1])))
			return false;
		if (text[i] != '_')
			digits[count++] = text[i];
	}
	digits[count] = '\0';
	return true;
}

/* how many bits a prefix 0x, 0o, 0b stands for, else 0 */
static int
prefix_base(const char *text, size_t len)
{
	static const char letters[] = "xob";
	static const int bases[] = {16, 8, 2};
	const char *found;

	if (len < 2 || text[0] != '0')
		return 0;
	found = strchr(letters, text[1] | 0x20);
	return found != NULL && *found != '\0' ? bases[found - letters] : 0;
}

/*
 * An unsigned integer in Python's notation.  base 0: prefixes 0x 0o 0b are known,
 * and a leading zero is wrong.  One that does not fit is kept as its digits.
 */
bool
lyf_template_parse_int(const char *text, size_t len, int base, LyfValue **value)
{
	int			prefix = base == 10 ? 0 : prefix_base(text, len);
	char	   *digits;
	char	   *rest;
	uint64		number;

	if (prefix != 0 && (base == 0 || base == prefix))
	{
		text += 2;
		len -= 2;
		if (len > 1 && *text == '_')
		{
			text++;
			len--;
		}
		base = prefix;
	}
	else if (base == 0)
	{
		base = 10;
		if (len > 1 && *text == '0' && strspn(text, "0_") < len)
			return false;
	}
	if (len == 0 || len > 4300 || !isalnum((unsigned char) *text))
		return false;
	digits = palloc(len + 1);
	if (!clean_digits(text, len, digits))
		return false;
	errno = 0;
	number = strtoull(digits, &rest, base);
	if (*rest != '\0')
		return false;
	if (errno == 0 && number <= PG_INT64_MAX)
	{
		*value = lyf_value_int(number);
		return true;
	}
	if (base != 10)
		return false;
	*value = lyf_value_string(digits + strspn(digits, "0"));
	(*value)->kind = LYF_NUMBER;
	(*value)->flags = LYF_FLAG_TEXT;
	return true;
}

/* an unsigned float in Python's notation: digits, point, exponent */
bool
lyf_template_parse_float(const char *text, size_t len, double *number)
{
	char	   *digits = palloc(len + 1);
	char	   *rest;

	if (len == 0 || !clean_digits(text, len, digits) || strspn(digits, "0123456789.eE+-") != strlen(digits))
		return false;
	*number = strtod(digits, &rest);
	return rest != digits && *rest == '\0';
}

static LyfValue *
negate(LyfValue *value)
{
	LyfValue   *text;

	if (value->kind == LYF_INT)
		return lyf_value_int(-value->u.integer);
	if ((value->flags & LYF_FLAG_TEXT) == 0)
		return lyf_value_number(-value->u.number);
	text = lyf_value_string(psprintf("-%.*s", (int) value->len, value->u.text));
	text->kind = LYF_NUMBER;
	text->flags = LYF_FLAG_TEXT;
	return text;
}

/* a number, with a sign before it; spaces may stand between */
static LyfValue *
read_number(Reader *reader)
{
	bool		minus = peek(reader) == '-';
	bool		is_float = false;
	const char *start;
	size_t		len;
	double		number;
	LyfValue   *value;

	if (minus || peek(reader) == '+')
	{
		reader->at++;
		skip_space(reader);
	}
	start = reader->at;
	while (is_word_byte(peek(reader)) || peek(reader) == '.' ||
		   ((peek(reader) == '+' || peek(reader) == '-') && reader->at > start &&
			(reader->at[-1] | 0x20) == 'e' && prefix_base(start, reader->at - start) == 0))
		reader->at++;
	len = reader->at - start;
	if (len == 0 || !(isdigit((unsigned char) *start) || (*start == '.' && len > 1)))
		return NULL;
	is_float = prefix_base(start, len) == 0 &&
		(memchr(start, '.', len) != NULL || memchr(start, 'e', len) != NULL || memchr(start, 'E', len) != NULL);
	if (is_float)
	{
		if (!lyf_template_parse_float(start, len, &number) || isinf(number))
			return NULL;
		value = lyf_value_number(number);
	}
	else if (!lyf_template_parse_int(start, len, 0, &value))
		return NULL;
	return minus ? negate(value) : value;
}

/* letters before a quote: r, u, or both cases; bytes and f-strings are none of ours */
static bool
read_prefix(Reader *reader, bool *raw)
{
	*raw = false;
	if ((peek(reader) | 0x20) == 'r')
		*raw = true;
	else if ((peek(reader) | 0x20) != 'u')
		return true;
	reader->at++;
	return peek(reader) == '\'' || peek(reader) == '"';
}

static bool
at_triple(const Reader *reader, char quote)
{
	return reader->end - reader->at >= 3 && reader->at[0] == quote && reader->at[1] == quote &&
		reader->at[2] == quote;
}

/* one string into out */
static bool
read_one_text(Reader *reader, StringInfo out)
{
	bool		raw;
	bool		triple;
	char		quote;
	const char *start;
	size_t		len;

	if (!read_prefix(reader, &raw))
		return false;
	quote = *reader->at;
	triple = at_triple(reader, quote);
	reader->at += triple ? 3 : 1;
	start = reader->at;
	while (reader->at < reader->end && !(triple ? at_triple(reader, quote) : *reader->at == quote))
	{
		if (*reader->at == '\0' || (!triple && (*reader->at == '\n' || *reader->at == '\r')))
			return false;
		reader->at += *reader->at == '\\' ? 2 : 1;
	}
	if (reader->at >= reader->end)
		return false;
	len = reader->at - start;
	reader->at += triple ? 3 : 1;
	if (!raw)
		return lyf_template_unescape(out, start, len);
	appendBinaryStringInfo(out, start, len);
	return true;
}

static bool
at_text(const Reader *reader)
{
	Reader		ahead = *reader;
	int			c = peek(reader);

	if (c == '\'' || c == '"')
		return true;
	if (c == -1 || strchr("rRuU", c) == NULL || c == 0)
		return false;
	ahead.at++;
	return peek(&ahead) == '\'' || peek(&ahead) == '"';
}

/* strings side by side are one */
static LyfValue *
read_text(Reader *reader)
{
	StringInfoData out;

	initStringInfo(&out);
	while (at_text(reader))
	{
		if (!read_one_text(reader, &out))
			return NULL;
		skip_space(reader);
	}
	return lyf_template_take(&out);
}

static LyfValue *
read_word(Reader *reader)
{
	static const struct
	{
		const char *word;
		LyfKind		kind;
		bool		boolean;
	}			words[] = {
		{"None", LYF_NULL, false}, {"True", LYF_BOOL, true}, {"False", LYF_BOOL, false}
	};

	for (int i = 0; i < lengthof(words); i++)
	{
		size_t		len = strlen(words[i].word);

		if ((size_t) (reader->end - reader->at) >= len && memcmp(reader->at, words[i].word, len) == 0)
		{
			LyfValue   *value;

			reader->at += len;
			if (is_word_byte(peek(reader)))
				return NULL;
			value = lyf_value_make(words[i].kind);
			value->u.boolean = words[i].boolean;
			return value;
		}
	}
	return NULL;
}

/* the key as JSON would have it, or NULL */
static const char *
key_text(const LyfValue *key)
{
	switch (key->kind)
	{
		case LYF_STRING:
			return strlen(key->u.text) == key->len ? key->u.text : NULL;
		case LYF_NULL:
			return "null";
		case LYF_BOOL:
			return key->u.boolean ? "true" : "false";
		case LYF_INT:
		case LYF_NUMBER:
			return lyf_template_str(key);
		default:
			return NULL;
	}
}

static LyfValue *
read_map(Reader *reader)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);
	LyfValue  **end = &map->u.first;

	while (!skip(reader, '}'))
	{
		LyfValue   *key;

		if (map->u.first != NULL)
		{
			if (!skip(reader, ','))
				return NULL;
			if (skip(reader, '}'))
				break;
		}
		key = read_item(reader);
		if (key == NULL || key_text(key) == NULL || !skip(reader, ':'))
			return NULL;
		*end = read_item(reader);
		if (*end == NULL)
			return NULL;
		(*end)->key = key_text(key);
		(*end)->key_len = strlen((*end)->key);
		end = &(*end)->next;
	}
	lyf_value_unique(map);
	return map;
}

/* items up to close; *comma: was there one behind an item? */
static LyfValue *
read_list(Reader *reader, char close, bool *comma)
{
	LyfValue   *list = lyf_value_make(LYF_LIST);
	LyfValue  **end = &list->u.first;

	*comma = false;
	while (!skip(reader, close))
	{
		if (list->len > 0)
		{
			if (!skip(reader, ','))
				return NULL;
			*comma = true;
			if (skip(reader, close))
				break;
		}
		*end = read_item(reader);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
		list->len++;
	}
	return list;
}

static LyfValue *
read_bracketed(Reader *reader)
{
	char		open = *reader->at++;
	bool		comma;
	LyfValue   *value;

	if (++reader->brackets > MAX_BRACKETS)
		return NULL;
	if (open == '{')
		value = read_map(reader);
	else
		value = read_list(reader, open == '[' ? ']' : ')', &comma);
	reader->brackets--;
	if (value != NULL && open == '(')
	{
		if (value->len == 1 && !comma)
			return lyf_value_alias(value->u.first);
		value->flags |= LYF_FLAG_TUPLE;
	}
	return value;
}

static LyfValue *
read_item(Reader *reader)
{
	int			c;

	if (++reader->items > LYF_TEMPLATE_MAX_ITEMS)
		return NULL;
	skip_space(reader);
	c = peek(reader);
	if (c == '[' || c == '{' || c == '(')
		return read_bracketed(reader);
	if (at_text(reader))
		return read_text(reader);
	if (c == '+' || c == '-' || c == '.' || (c >= '0' && c <= '9'))
		return read_number(reader);
	return read_word(reader);
}

/* is nothing but space, comments and newlines left? */
static bool
at_end(Reader *reader)
{
	reader->brackets = 1;
	skip_space(reader);
	return reader->at == reader->end;
}

static LyfValue *
read_all(Reader *reader)
{
	LyfValue   *first = read_item(reader);
	LyfValue   *tuple;
	LyfValue  **end;

	if (first == NULL || !skip(reader, ','))
		return first;
	tuple = lyf_value_make(LYF_LIST);
	tuple->flags = LYF_FLAG_TUPLE;
	tuple->u.first = first;
	tuple->len = 1;
	end = &first->next;
	while (peek(reader) != -1 && peek(reader) != '\n' && peek(reader) != '\r')
	{
		*end = read_item(reader);
		if (*end == NULL)
			return NULL;
		end = &(*end)->next;
		tuple->len++;
		if (!skip(reader, ','))
			break;
	}
	return tuple;
}

LyfValue *
lyf_template_literal(const char *text, size_t len)
{
	Reader		reader = {.at = text, .end = text + len};
	LyfValue   *value;
	int			c;

	/* most texts are none, which their first character tells */
	while (reader.at < reader.end && (*reader.at == ' ' || *reader.at == '\t'))
		reader.at++;
	while (reader.at < reader.end && (*reader.at == '\n' || *reader.at == '\r'))
		reader.at++;
	c = peek(&reader);
	if (c <= 0 || strchr("+-.0123456789'\"([{TFNrRuU#", c) == NULL)
		return NULL;
	if (c == '#')
		(void) at_end(&reader), reader.brackets = 0;
	value = read_all(&reader);
	if (value == NULL || !at_end(&reader))
		return NULL;
	return value;
}
