/*
 * encode.c
 *		Values as the bytes of a request, the way Python's requests and json print
 *		them: APIs and recorded tests see the same bytes from both engines.
 *
 * A URL is first made valid (each byte that may not stand there is encoded; a
 * percent sign too, unless all of them in that part begin an escape), then the
 * parameters are added, then escapes of unreserved characters are undone.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "extract/extract_internal.h"

#define UNRESERVED	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
#define PATH_CHARS	UNRESERVED "!$&'()*+,;=:@/"
#define QUERY_CHARS PATH_CHARS "?"

static inline int
hex_value(unsigned char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static inline bool
is_escape(const char *text, const char *end)
{
	return end - text >= 3 && text[0] == '%' &&
		hex_value((unsigned char) text[1]) >= 0 && hex_value((unsigned char) text[2]) >= 0;
}

static inline bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* make a part of a URL valid */
static void
append_valid(StringInfo out, const char *text, const char *end, const char *allowed)
{
	bool		keep_escapes = true;

	for (const char *p = text; p < end; p++)
		if (*p == '%' && !is_escape(p, end))
			keep_escapes = false;

	for (const char *p = text; p < end; p++)
	{
		if (*p == '%' && keep_escapes)
		{
			int			c = hex_value((unsigned char) p[1]) * 16 + hex_value((unsigned char) p[2]);

			if (is_one_of((char) c, UNRESERVED))
				appendStringInfoChar(out, (char) c);
			else
				appendStringInfo(out, "%%%02X", c);
			p += 2;
		}
		else if (is_one_of(*p, allowed))
			appendStringInfoChar(out, *p);
		else
			appendStringInfo(out, "%%%02X", (unsigned char) *p);
	}
}

static void
append_pair(StringInfo out, const LyfValue *key, const LyfValue *value)
{
	char	   *text = lyf_template_str(value);

	if (out->len > 0)
		appendStringInfoChar(out, '&');
	appendStringInfoString(out, lyf_url_encode_form(key->key, key->key_len));
	appendStringInfoChar(out, '=');
	appendStringInfoString(out, lyf_url_encode_form(text, strlen(text)));
}

/*
 * name=value&..., lists repeating their name, nulls left out; what a list in a
 * list holds stands there too, and of a map its keys.
 */
char *
lyf_encode_form(const LyfValue *map)
{
	StringInfoData out;

	initStringInfo(&out);
	lyf_foreach(member, map)
	{
		if (member->kind == LYF_LIST)
			lyf_foreach(item, member)
			{
				if (item->kind == LYF_LIST)
					lyf_foreach(inner, item)
						append_pair(&out, member, inner);
				else if (item->kind != LYF_NULL)
					append_pair(&out, member, item);
			}
		else if (member->kind == LYF_MAP)
			lyf_foreach(inner, member)
				append_pair(&out, member, lyf_value_string_len(inner->key, inner->key_len));
		else if (member->kind != LYF_NULL)
			append_pair(&out, member, member);
	}
	return out.data;
}

static char *
decode_form(const char *text, const char *end)
{
	char	   *plain = pnstrdup(text, end - text);

	for (char *p = plain; *p; p++)
		*p = *p == '+' ? ' ' : *p;
	return lyf_url_decode(plain, strlen(plain));
}

/* The first value of a name (key's key) in a URL's query; NULL if it is not there or empty. */
char *
lyf_query_value(const char *url, const LyfValue *key)
{
	const char *end = url + strcspn(url, "#");
	const char *query = memchr(url, '?', end - url);

	while (query != NULL && query < end)
	{
		const char *name = query + 1;
		const char *stop = memchr(name, '&', end - name);
		const char *equals;

		stop = stop ? stop : end;
		equals = memchr(name, '=', stop - name);
		if (equals != NULL && equals + 1 < stop && strcmp(decode_form(name, equals), key->key) == 0)
			return decode_form(equals + 1, stop);
		query = stop;
	}
	return NULL;
}

/* parameters that the URL has already, with the same value, are not added again */
static LyfValue *
without_duplicates(const LyfValue *parameters, const char *url)
{
	LyfValue   *kept = lyf_value_make(LYF_MAP);

	lyf_foreach(member, parameters)
	{
		char	   *there = lyf_query_value(url, member);

		if (there == NULL || strcmp(there, lyf_template_str(member)) != 0)
			lyf_value_set(kept, member->key, lyf_value_alias(member));
	}
	return kept;
}

char *
lyf_encode_url(const char *url, const LyfValue *parameters)
{
	StringInfoData out;
	const char *authority;
	const char *path;
	const char *query;
	const char *end;
	char	   *added;

	while (*url == ' ' || *url == '\t' || *url == '\n' || *url == '\r')
		url++;
	end = url + strcspn(url, "#");
	authority = strstr(url, "://");
	authority = authority != NULL && authority < end ? authority + 3 : url;
	path = authority + strcspn(authority, "/?#");
	query = memchr(path, '?', end - path);

	initStringInfo(&out);
	appendBinaryStringInfo(&out, url, path - url);
	if (path == end || *path != '/')
		appendStringInfoChar(&out, '/');
	append_valid(&out, path, query ? query : end, PATH_CHARS);

	added = lyf_encode_form(query ? without_duplicates(parameters, url) : parameters);
	if (query != NULL && query + 1 < end)
	{
		appendStringInfoChar(&out, '?');
		append_valid(&out, query + 1, end, QUERY_CHARS);
		if (added[0] != '\0')
			appendStringInfo(&out, "&%s", added);
	}
	else if (added[0] != '\0')
		appendStringInfo(&out, "?%s", added);
	return out.data;
}

/* one character of UTF-8; bytes that are none are taken as Latin-1, so that nothing is read past the end */
static uint32
next_character(const unsigned char **p, const unsigned char *end)
{
	const unsigned char *s = *p;
	int			len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32		c = len == 1 ? s[0] : s[0] & (0xff >> (len + 1));

	if (end - s < len)
		len = 1, c = s[0];
	for (int i = 1; i < len; i++)
		c = (c << 6) | (s[i] & 0x3f);
	*p = s + len;
	return c;
}

static void
append_json_string(StringInfo out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + len;
	static const char escapes[] = "\"\"\\\\\nn\rr\tt\ff\bb";

	appendStringInfoChar(out, '"');
	while (p < end)
	{
		uint32		c = next_character(&p, end);
		const char *escape = NULL;

		for (const char *e = escapes; *e && escape == NULL; e += 2)
			if ((unsigned char) *e == c)
				escape = e + 1;
		if (escape != NULL)
			appendStringInfo(out, "\\%c", *escape);
		else if (c >= ' ' && c <= '~')
			appendStringInfoChar(out, (char) c);
		else if (c < 0x10000)
			appendStringInfo(out, "\\u%04x", c);
		else
			appendStringInfo(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
	appendStringInfoChar(out, '"');
}

static void
append_json(StringInfo out, const LyfValue *value)
{
	char	   *text;

	check_stack_depth();
	switch ((LyfKind) value->kind)
	{
		case LYF_UNDEFINED:
		case LYF_NULL:
			appendStringInfoString(out, "null");
			break;
		case LYF_BOOL:
			appendStringInfoString(out, value->u.boolean ? "true" : "false");
			break;
		case LYF_INT:
		case LYF_NUMBER:
			appendStringInfoString(out, lyf_template_str(value));
			break;
		case LYF_LIST:
		case LYF_MAP:
			appendStringInfoChar(out, value->kind == LYF_MAP ? '{' : '[');
			lyf_foreach(member, value)
			{
				if (member != value->u.first)
					appendStringInfoString(out, ", ");
				if (value->kind == LYF_MAP)
				{
					append_json_string(out, member->key, member->key_len);
					appendStringInfoString(out, ": ");
				}
				append_json(out, member);
			}
			appendStringInfoChar(out, value->kind == LYF_MAP ? '}' : ']');
			break;
		case LYF_STRING:
			append_json_string(out, value->u.text, value->len);
			break;
		default:
			text = lyf_template_str(value);
			append_json_string(out, text, strlen(text));
			break;
	}
}

char *
lyf_encode_json(const LyfValue *value)
{
	StringInfoData out;

	initStringInfo(&out);
	append_json(&out, value);
	return out.data;
}
