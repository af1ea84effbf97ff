/*-------------------------------------------------------------------------
 *
 * exchange.c
 *		The two halves of an HTTP exchange, apart from how they are moved: a
 *		request that is checked, copied and turned to where a redirect points; a
 *		response whose head and body are gathered.
 *
 * The gathering half is called from inside a library's callbacks: it reports,
 * and never throws.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "net/net_internal.h"

#define FIRST_BUFFER_BYTES	8192

/* make room for that many more bytes and a terminating zero */
LyfAppend
lyf_buffer_reserve(LyfBuffer *buffer, size_t more)
{
	size_t		size = Max(buffer->size, FIRST_BUFFER_BYTES);
	char	   *data;

	if (more > buffer->limit - buffer->len)
		return LYF_APPEND_TOO_LARGE;
	if (buffer->len + more < buffer->size)
		return LYF_APPEND_OK;
	while (size <= buffer->len + more)
		size *= 2;
	data = realloc(buffer->data, size);
	if (data == NULL)
		return LYF_APPEND_NO_MEMORY;
	buffer->data = data;
	buffer->size = size;
	return LYF_APPEND_OK;
}

LyfAppend
lyf_buffer_append(LyfBuffer *buffer, const char *data, size_t len)
{
	LyfAppend	result = lyf_buffer_reserve(buffer, len);

	if (result == LYF_APPEND_OK)
	{
		memcpy(buffer->data + buffer->len, data, len);
		buffer->len += len;
	}
	return result;
}

void
lyf_buffer_free(LyfBuffer *buffer)
{
	free(buffer->data);
	buffer->data = NULL;
	buffer->len = buffer->size = 0;
}

/*
 * Lines are kept as "Name: value" and a zero byte.  A status line begins a new
 * head (after 100 Continue), an empty one ends it: what comes later are trailers,
 * which are no headers.
 */
LyfAppend
lyf_head_line(LyfBuffer *head, bool *complete, const char *line, size_t len)
{
	LyfAppend	result;

	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
		len--;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
	{
		head->len = 0;
		*complete = false;
		return LYF_APPEND_OK;
	}
	if (len == 0)
		*complete = true;
	if (*complete || memchr(line, '\0', len) != NULL)
		return LYF_APPEND_OK;

	/* A folded line goes on with the one before it */
	if (line[0] == ' ' || line[0] == '\t')
	{
		if (head->len == 0)
			return LYF_APPEND_OK;
		head->data[head->len - 1] = ' ';
		for (; len > 0 && (line[0] == ' ' || line[0] == '\t'); len--)
			line++;
	}
	result = lyf_buffer_append(head, line, len);
	return result == LYF_APPEND_OK ? lyf_buffer_append(head, "", 1) : result;
}

bool
lyf_head_lengths_agree(const LyfBuffer *head)
{
	static const char name[] = "Content-Length:";
	const char *end = head->data + head->len;
	const char *first = NULL;

	for (const char *line = head->data; line < end; line += strlen(line) + 1)
	{
		if (pg_strncasecmp(line, name, sizeof(name) - 1) != 0)
			continue;
		if (first != NULL && strcmp(first + sizeof(name) - 1, line + sizeof(name) - 1) != 0)
			return false;
		first = line;
	}
	return true;
}

/* HTTP says Latin-1 and servers send UTF-8: what is valid UTF-8 stays */
static const char *
to_utf8(const char *text)
{
	size_t		len = strlen(text);
	char	   *out;
	size_t		n = 0;

	if (pg_encoding_verifymbstr(PG_UTF8, text, len) == len)
		return text;
	out = palloc(len * 2 + 1);
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if (*p < 0x80)
			out[n++] = *p;
		else
		{
			out[n++] = 0xC0 | (*p >> 6);
			out[n++] = 0x80 | (*p & 0x3F);
		}
	}
	out[n] = '\0';
	return out;
}

LyfHeader *
lyf_head_parse(const LyfBuffer *head, int *count)
{
	char	   *copy = palloc(head->len + 1);
	char	   *end = copy + head->len;
	LyfHeader  *headers;
	int			lines = 0;

	*count = 0;
	if (head->len > 0)
		memcpy(copy, head->data, head->len);
	for (char *line = copy; line < end; line += strlen(line) + 1)
		lines++;
	headers = palloc(sizeof(LyfHeader) * Max(lines, 1));
	for (char *line = copy, *next; line < end; line = next)
	{
		char	   *colon = strchr(line, ':');
		char	   *last = line + strlen(line);

		next = last + 1;
		if (colon == NULL || colon == line)
			continue;
		while (last > colon + 1 && (last[-1] == ' ' || last[-1] == '\t'))
			*--last = '\0';
		*colon = '\0';
		headers[*count].name = to_utf8(line);
		headers[*count].value = to_utf8(colon + 1 + strspn(colon + 1, " \t"));
		(*count)++;
	}
	return headers;
}

const char *
lyf_header_find(const LyfHeader *headers, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (pg_strcasecmp(headers[i].name, name) == 0)
			return headers[i].value;
	return NULL;
}

/* only what RFC 9110 calls a token: it ends up between spaces or before a colon on the wire */
static bool
is_token(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char) *p <= ' ' || (unsigned char) *p >= 0x7F ||
			strchr("()<>@,;:\\\"/[]?={}", *p) != NULL)
			return false;
	return text[0] != '\0';
}

static LyfFailure *
check_url(const char *url)
{
	const char *authority;
	size_t		len;

	if (strlen(url) > LYF_MAX_URL_BYTES)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "URL is longer than %d bytes",
						   LYF_MAX_URL_BYTES);
	if (pg_strncasecmp(url, "http://", 7) != 0 && pg_strncasecmp(url, "https://", 8) != 0)
		return lyf_failure_hint(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
											"URL \"%s\" is neither http nor https",
											lyf_redact_url(url)),
								"Give an absolute URL, such as https://api.example.com/v1.");
	if (!lyf_url_authority(url, &authority, &len))
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "URL \"%s\" names no host",
						   lyf_redact_url(url));

	/* Two readers of an authority must not come to two hosts */
	for (size_t i = 0, at = 0; i < len; i++)
		if ((unsigned char) authority[i] <= ' ' || authority[i] == 0x7F || authority[i] == '\\' ||
			(authority[i] == '@' && at++ > 0))
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							   "host of URL \"%s\" is not valid", lyf_redact_url(url));
	return NULL;
}

/* nothing may end a line, or the rest would be a header or request of its own */
static LyfFailure *
check_headers(const LyfHttpRequest *request)
{
	if (request->header_count > LYF_MAX_REQUEST_HEADERS)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "request has more than %d headers",
						   LYF_MAX_REQUEST_HEADERS);
	for (int i = 0; i < request->header_count; i++)
	{
		const LyfHeader *h = &request->headers[i];

		if (!is_token(h->name))
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							   "\"%s\" is not a valid header name", h->name);
		if (strpbrk(h->value, "\r\n") != NULL)
			return lyf_failure_hint(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
												"value of header \"%s\" has a line break",
												h->name),
									"Remove line breaks from the value, often a secret pasted with a trailing one.");
	}
	return NULL;
}

LyfFailure *
lyf_request_copy(const LyfHttpRequest *request, LyfHttpRequest *copy)
{
	LyfHeader  *headers = palloc(sizeof(LyfHeader) * Max(request->header_count, 1));

	LYF_TRY(check_url(request->url));
	LYF_TRY(check_headers(request));
	if (!is_token(request->method))
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
						   "\"%s\" is not a valid HTTP method", request->method);
	*copy = *request;
	copy->method = pstrdup(request->method);
	copy->url = lyf_url_requote(request->url);
	for (int i = 0; i < request->header_count; i++)
	{
		headers[i].name = pstrdup(request->headers[i].name);
		headers[i].value = pstrdup(request->headers[i].value);
	}
	copy->headers = headers;
	if (request->body != NULL)
	{
		char	   *body = MemoryContextAllocHuge(CurrentMemoryContext, request->body_len + 1);

		memcpy(body, request->body, request->body_len);
		copy->body = body;
	}
	return NULL;
}

bool
lyf_is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* keep the headers whose names are (or are not) in a NULL-terminated list */
static void
filter_headers(LyfHttpRequest *request, const char *const *names, bool keep_named)
{
	LyfHeader  *headers = palloc(sizeof(LyfHeader) * Max(request->header_count, 1));
	int			n = 0;

	for (int i = 0; i < request->header_count; i++)
	{
		bool		named = false;

		for (const char *const *name = names; *name != NULL; name++)
			named |= pg_strcasecmp(*name, request->headers[i].name) == 0;
		if (named == keep_named)
			headers[n++] = request->headers[i];
	}
	request->headers = headers;
	request->header_count = n;
}

/* what redirected clients send next, as browsers and Python's requests have it */
static bool
becomes_get(const char *method, int status)
{
	if (strcmp(method, "HEAD") == 0)
		return false;
	return status == 303 || status == 302 || (status == 301 && strcmp(method, "POST") == 0);
}

LyfFailure *
lyf_request_redirect(LyfHttpRequest *request, int status, const char *location)
{
	static const char *const of_body[] = {"Content-Type", "Content-Encoding", "Transfer-Encoding", NULL};
	static const char *const harmless[] = {"Accept", "Accept-Encoding", "User-Agent", "Content-Type", NULL};
	char	   *url = lyf_url_join(request->url, location);
	LyfFailure *failure = check_url(url);

	if (failure != NULL)
		return lyf_failure_detail(failure, "It is where %s redirects to.",
								  lyf_redact_url(request->url));
	if (status != 307 && status != 308)
	{
		if (becomes_get(request->method, status))
			request->method = "GET";
		request->body = NULL;
		request->body_len = 0;
		filter_headers(request, of_body, false);
	}
	if (!lyf_url_same_origin(request->url, url))
	{
		if (request->body_len > 0)
			return lyf_failure_hint(lyf_failure_detail(lyf_failure(ERRCODE_PROTOCOL_VIOLATION,
																   "redirect from %s asks for the request's body to be sent to another host",
																   lyf_redact_url(request->url)),
													   "It points to %s.", lyf_redact_url(url)),
									"If that host is to be trusted, make it the source's URL.");
		filter_headers(request, harmless, true);
	}
	request->url = lyf_url_requote(url);
	return NULL;
}
