/*-------------------------------------------------------------------------
 *
 * url.c
 *		URLs: quoting, joining, comparing.
 *
 * A URL here is scheme://authority/path;params?query#fragment.  Joining follows
 * RFC 3986 in the way Python's urljoin does, since manifests were written
 * against that; so does the quoting of what goes on the wire (requests).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "net/net_internal.h"

typedef struct Span
{
	const char *text;
	size_t		len;
} Span;

typedef struct UrlParts
{
	Span		scheme;			/* as written */
	Span		authority;
	Span		path;
	Span		params;			/* after ';' in the last segment */
	Span		query;
	Span		fragment;
} UrlParts;

#define NO_SPAN		((Span) {"", 0})

static bool
is_alpha(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_unreserved(unsigned char c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int
hex_digit(unsigned char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* the byte that "%XX" at text stands for, or -1; text is NUL-terminated or has two more bytes */
static int
escaped_byte(const char *text)
{
	int			high = hex_digit(text[1]);
	int			low = high < 0 ? -1 : hex_digit(text[2]);

	return low < 0 ? -1 : high * 16 + low;
}

static void
append_escaped(StringInfo out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	appendStringInfoChar(out, '%');
	appendStringInfoChar(out, digits[c >> 4]);
	appendStringInfoChar(out, digits[c & 15]);
}

char *
lyf_url_encode_form(const char *text, size_t len)
{
	StringInfoData out;

	initStringInfo(&out);
	for (size_t i = 0; i < len; i++)
	{
		if (is_unreserved(text[i]))
			appendStringInfoChar(&out, text[i]);
		else if (text[i] == ' ')
			appendStringInfoChar(&out, '+');
		else
			append_escaped(&out, text[i]);
	}
	return out.data;
}

/* what is no valid escape stays as it is, and so does %00, which no C string can hold */
char *
lyf_url_decode(const char *text, size_t len)
{
	char	   *out = palloc(len + 1);
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		int			byte = text[i] == '%' && len - i > 2 ? escaped_byte(text + i) : -1;

		if (byte > 0)
		{
			out[n++] = (char) byte;
			i += 2;
		}
		else
			out[n++] = text[i] == '+' ? ' ' : text[i];
	}
	out[n] = '\0';
	return out;
}

/* cut text at the first of the separator; the rest, without it, or an empty span */
static Span
cut(Span *text, char separator)
{
	const char *at = memchr(text->text, separator, text->len);
	Span		rest = NO_SPAN;

	if (at != NULL)
	{
		rest.text = at + 1;
		rest.len = text->text + text->len - rest.text;
		text->len = at - text->text;
	}
	return rest;
}

/* cut a leading "scheme:" off, or leave an empty span */
static Span
cut_scheme(Span *text)
{
	size_t		n = 0;
	Span		scheme = NO_SPAN;

	while (n < text->len &&
		   (is_alpha(text->text[n]) ||
			(n > 0 && (is_digit(text->text[n]) || strchr("+-.", text->text[n]) != NULL))))
		n++;
	if (n > 0 && n < text->len && text->text[n] == ':')
	{
		scheme = (Span) {text->text, n};
		*text = (Span) {text->text + n + 1, text->len - n - 1};
	}
	return scheme;
}

/* parameters belong to the last segment of a path only */
static Span
cut_params(Span *path)
{
	const char *last = path->text;
	Span		segment;
	Span		params;

	for (size_t i = 0; i < path->len; i++)
		if (path->text[i] == '/')
			last = path->text + i;
	segment = (Span) {last, path->text + path->len - last};
	params = cut(&segment, ';');
	path->len = segment.text + segment.len - path->text;
	return params;
}

static UrlParts
split(const char *url)
{
	Span		rest = {url, strlen(url)};
	UrlParts	parts = {0};

	parts.scheme = cut_scheme(&rest);
	parts.authority = NO_SPAN;
	if (rest.len >= 2 && rest.text[0] == '/' && rest.text[1] == '/')
	{
		size_t		n = strcspn(rest.text + 2, "/?#");

		parts.authority = (Span) {rest.text + 2, n};
		rest = (Span) {rest.text + 2 + n, rest.len - 2 - n};
	}
	parts.fragment = cut(&rest, '#');
	parts.query = cut(&rest, '?');
	parts.path = rest;
	parts.params = cut_params(&parts.path);
	return parts;
}

static bool
span_is(Span span, const char *text)
{
	return span.len == strlen(text) && pg_strncasecmp(span.text, text, span.len) == 0;
}

static bool
span_equal(Span a, Span b)
{
	return a.len == b.len && pg_strncasecmp(a.text, b.text, a.len) == 0;
}

static void
append_span(StringInfo out, const char *before, Span span)
{
	if (span.len == 0)
		return;
	appendStringInfoString(out, before);
	appendBinaryStringInfo(out, span.text, span.len);
}

static char *
unsplit(const UrlParts *parts)
{
	StringInfoData out;

	initStringInfo(&out);
	for (size_t i = 0; i < parts->scheme.len; i++)
		appendStringInfoChar(&out, pg_ascii_tolower(parts->scheme.text[i]));
	if (parts->scheme.len > 0)
		appendStringInfoChar(&out, ':');
	if (parts->authority.len > 0 ||
		(parts->scheme.len > 0 &&
		 !(parts->path.len > 1 && parts->path.text[0] == '/' && parts->path.text[1] == '/')))
	{
		appendStringInfoString(&out, "//");
		append_span(&out, "", parts->authority);
		if (parts->path.len > 0 && parts->path.text[0] != '/')
			appendStringInfoChar(&out, '/');
	}
	append_span(&out, "", parts->path);
	append_span(&out, ";", parts->params);
	append_span(&out, "?", parts->query);
	append_span(&out, "#", parts->fragment);
	return out.data;
}

/* as a browser or Python reads it: no control characters or spaces before it, no tabs or line ends in it */
static char *
clean(const char *url)
{
	char	   *out = palloc(strlen(url) + 1);
	size_t		n = 0;

	while (*url != '\0' && (unsigned char) *url <= ' ')
		url++;
	for (; *url != '\0'; url++)
		if (strchr("\t\r\n", *url) == NULL)
			out[n++] = *url;
	out[n] = '\0';
	return out;
}

/* the segments of a path, as Spans; "" has one, empty */
static List *
segments_of(Span path, List *segments)
{
	for (;;)
	{
		const char *slash = memchr(path.text, '/', path.len);
		Span	   *segment = palloc(sizeof(Span));

		*segment = (Span) {path.text, slash == NULL ? path.len : slash - path.text};
		segments = lappend(segments, segment);
		if (slash == NULL)
			return segments;
		path.len -= segment->len + 1;
		path.text = slash + 1;
	}
}

/* base's directory, then the reference; empty segments between are dropped, as urljoin does */
static List *
relative_segments(Span base, Span path)
{
	List	   *all = segments_of(base, NIL);
	List	   *kept = NIL;
	ListCell   *cell;

	if (((Span *) llast(all))->len > 0)
		all = list_delete_last(all);
	all = segments_of(path, all);
	foreach(cell, all)
	{
		Span	   *segment = lfirst(cell);

		if (segment->len > 0 || foreach_current_index(cell) == 0 ||
			foreach_current_index(cell) == list_length(all) - 1)
			kept = lappend(kept, segment);
	}
	return kept;
}

/* resolve "." and ".." */
static Span
resolve_path(Span base, Span path)
{
	List	   *segments = path.text[0] == '/' ? segments_of(path, NIL) : relative_segments(base, path);
	Span	   *last = llast(segments);
	Span		empty = NO_SPAN;
	List	   *resolved = NIL;
	ListCell   *cell;
	StringInfoData out;

	foreach(cell, segments)
	{
		Span	   *segment = lfirst(cell);

		if (span_is(*segment, ".."))
			resolved = list_delete_last(resolved);
		else if (!span_is(*segment, "."))
			resolved = lappend(resolved, segment);
	}
	if (span_is(*last, ".") || span_is(*last, ".."))
		resolved = lappend(resolved, &empty);

	initStringInfo(&out);
	foreach(cell, resolved)
	{
		append_span(&out, "", *(Span *) lfirst(cell));
		if (lnext(resolved, cell) != NULL)
			appendStringInfoChar(&out, '/');
	}
	if (out.len == 0)
		appendStringInfoChar(&out, '/');
	return (Span) {out.data, out.len};
}

char *
lyf_url_join(const char *base, const char *reference)
{
	UrlParts	from;
	UrlParts	to;

	if (base[0] == '\0')
		return pstrdup(reference);
	if (reference[0] == '\0')
		return pstrdup(base);
	from = split(clean(base));
	to = split(clean(reference));

	/* Another scheme, or one that knows no relative references: as it is */
	if (to.scheme.len == 0)
		to.scheme = from.scheme;
	if (!span_equal(to.scheme, from.scheme) ||
		!(to.scheme.len == 0 || span_is(to.scheme, "http") || span_is(to.scheme, "https")))
		return pstrdup(reference);

	if (to.authority.len == 0)
	{
		to.authority = from.authority;
		if (to.path.len == 0 && to.params.len == 0)
		{
			to.path = from.path;
			to.params = from.params;
			if (to.query.len == 0)
				to.query = from.query;
		}
		else
			to.path = resolve_path(from.path, to.path);
	}
	return unsplit(&to);
}

bool
lyf_url_authority(const char *url, const char **start, size_t *len)
{
	UrlParts	parts = split(url);

	*start = parts.authority.text;
	*len = parts.authority.len;
	return parts.authority.len > 0;
}

/* cut userinfo off, and the port, which is the scheme's own if there is none */
static void
host_and_port(const UrlParts *parts, Span *host, Span *port)
{
	Span		rest = parts->authority;
	size_t		i;

	for (i = rest.len; i > 0 && rest.text[i - 1] != '@'; i--)
		;
	rest = (Span) {rest.text + i, rest.len - i};
	for (i = rest.len; i > 0 && is_digit(rest.text[i - 1]); i--)
		;
	*host = rest;
	*port = NO_SPAN;
	if (i > 0 && rest.text[i - 1] == ':')
	{
		host->len = i - 1;
		*port = (Span) {rest.text + i, rest.len - i};
	}
	while (port->len > 1 && port->text[0] == '0')
		*port = (Span) {port->text + 1, port->len - 1};
	if (port->len == 0)
		*port = span_is(parts->scheme, "https") ? (Span) {"443", 3} : (Span) {"80", 2};
}

typedef struct Origin
{
	Span		scheme;
	Span		host;
	Span		port;
} Origin;

static Origin
origin_of(const char *url)
{
	UrlParts	parts = split(url);
	Origin		origin = {.scheme = parts.scheme};

	host_and_port(&parts, &origin.host, &origin.port);
	return origin;
}

/* URLs without a host have no origin: they are the same as none */
bool
lyf_url_same_origin(const char *a, const char *b)
{
	Origin		first = origin_of(a);
	Origin		second = origin_of(b);

	return first.scheme.len > 0 && span_equal(first.scheme, second.scheme) &&
		first.host.len > 0 && span_equal(first.host, second.host) && span_equal(first.port, second.port);
}

bool
lyf_url_is_upgrade(const char *from, const char *to)
{
	Origin		first = origin_of(from);
	Origin		second = origin_of(to);

	return span_is(first.scheme, "http") && span_is(first.port, "80") &&
		span_is(second.scheme, "https") && span_is(second.port, "443") &&
		first.host.len > 0 && span_equal(first.host, second.host);
}

char *
lyf_url_origin(const char *url)
{
	Origin		origin = origin_of(url);
	bool		usual = span_is(origin.port, span_is(origin.scheme, "https") ? "443" : "80");

	return psprintf("%.*s://%.*s%s%.*s", (int) origin.scheme.len, origin.scheme.text,
					(int) origin.host.len, origin.host.text,
					usual ? "" : ":", usual ? 0 : (int) origin.port.len, origin.port.text);
}

char *
lyf_url_host(const char *url, int *port)
{
	Origin		origin = origin_of(url);
	Span		host = origin.host;
	char	   *copy;

	*port = origin.port.len <= 5 ? atoi(pnstrdup(origin.port.text, origin.port.len)) : 0;
	if (host.len > 2 && host.text[0] == '[' && host.text[host.len - 1] == ']')
		host = (Span) {host.text + 1, host.len - 2};
	else if (host.len > 1 && host.text[host.len - 1] == '.')
		host.len--;
	copy = pnstrdup(host.text, host.len);
	for (char *p = copy; *p != '\0'; p++)
		*p = pg_ascii_tolower(*p);
	return copy;
}

/* does each '%' begin an escape? */
static bool
is_escaped(const char *text)
{
	for (; (text = strchr(text, '%')) != NULL; text++)
		if (escaped_byte(text) < 0)
			return false;
	return true;
}

char *
lyf_url_requote(const char *url)
{
	UrlParts	parts = split(url);
	const char *rest = parts.authority.text + parts.authority.len;
	const char *end = rest + strcspn(rest, "#");
	const char *query = rest + strcspn(rest, "?#");
	bool		escaped = is_escaped(pnstrdup(rest, end - rest));
	StringInfoData out;

	initStringInfo(&out);
	appendBinaryStringInfo(&out, url, rest - url);
	for (; rest < end; rest++)
	{
		if (rest == query && rest + 1 == end)
			break;				/* nothing after the question mark */
		if (*rest == '%' && escaped)
		{
			int			byte = escaped_byte(rest);

			if (is_unreserved(byte))
				appendStringInfoChar(&out, byte);
			else
				append_escaped(&out, byte);
			rest += 2;
		}
		else if (is_unreserved(*rest) || strchr("!$&'()*+,;=:@/?", *rest) != NULL)
			appendStringInfoChar(&out, *rest);
		else
			append_escaped(&out, *rest);
	}
	return out.data;
}
