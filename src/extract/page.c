/*
 * page.c
 *		A response as templates see it: its body as JSON, parsed once and in place,
 *		its headers with the Link header taken apart.
 */
#include "postgres.h"

#include "base/json.h"
#include "extract/extract_internal.h"

/* bounds of a Link header */
#define MAX_LINKS			100
#define MAX_LINK_PARAMETERS 20

/* media types of which only the first line is a JSON document: a decoder wants them whole */
static const char *const line_types[] = {"ndjson", "jsonl", "json-seq", "jsonlines", "json-lines"};

/* may the body be changed by parsing it?  Only if no decoder could want it as it is. */
static bool
is_json_document(const LyfHttpResponse *response)
{
	const char *type = lyf_http_header(response, "Content-Type");
	const char *p = response->body;
	char	   *lower;

	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	if (*p != '{' && *p != '[')
		return false;
	if (type == NULL)
		return true;
	lower = pstrdup(type);
	for (char *q = lower; *q; q++)
		*q = pg_tolower((unsigned char) *q);
	for (int i = 0; i < lengthof(line_types); i++)
		if (strstr(lower, line_types[i]) != NULL)
			return false;
	return strstr(lower, "json") != NULL;
}

LyfValue *
lyf_page_json(LyfPage *page, LyfFailure **failure)
{
	LyfHttpResponse *response = page->response;
	LyfFailure *problem = NULL;

	if (failure != NULL)
		*failure = page->body_problem;
	if (page->body_parsed)
		return page->body;

	page->body_parsed = true;
	page->body = NULL;
	if (response->body == NULL || response->body_len == 0)
		problem = lyf_failure(ERRCODE_FDW_ERROR, "the response has no body");
	else if (response->status < 400 && is_json_document(response))
		problem = lyf_json_parse(response->body, response->body_len, &page->body);
	else
		problem = lyf_json_parse_copy(response->body, response->body_len, &page->body);
	if (problem != NULL)
		page->body = lyf_value_make(LYF_MAP);
	page->body_problem = problem;
	if (failure != NULL)
		*failure = problem;
	return page->body;
}

/* text without the characters of set at both ends */
static LyfValue *
stripped(const char *text, const char *end, const char *set)
{
	while (text < end && strchr(set, *text) != NULL)
		text++;
	while (end > text && strchr(set, end[-1]) != NULL)
		end--;
	return lyf_value_string_len(text, end - text);
}

static const char *
find_in(const char *text, const char *end, char c)
{
	const char *found = memchr(text, c, end - text);

	return found ? found : end;
}

/* <url>; rel="next"; title="..."  to a map of url and its parameters */
static LyfValue *
parse_link(const char *text, const char *end)
{
	LyfValue   *link = lyf_value_make(LYF_MAP);
	const char *p = find_in(text, end, ';');

	lyf_value_set(link, "url", stripped(text, p, "<> '\""));
	for (int i = 0; p < end && i < MAX_LINK_PARAMETERS; i++)
	{
		const char *stop = find_in(p + 1, end, ';');
		const char *equals = find_in(p + 1, stop, '=');

		if (equals == stop || find_in(equals + 1, stop, '=') != stop)
			break;
		lyf_value_set(link, lyf_value_text(stripped(p + 1, equals, " '\"")), stripped(equals + 1, stop, " '\""));
		p = stop;
	}
	return link;
}

/* the end of this link: a comma (and spaces) before a "<" */
static const char *
link_end(const char *text, const char **next)
{
	for (const char *p = text; *p; p++)
	{
		const char *q = p + 1;

		if (*p != ',')
			continue;
		while (*q == ' ')
			q++;
		if (*q == '<')
		{
			*next = q + 1;
			return p;
		}
	}
	*next = NULL;
	return text + strlen(text);
}

/* RFC 8288, as requests reads it: a map by relation (or URL, where there is none) */
static LyfValue *
parse_links(const char *header)
{
	LyfValue   *links = lyf_value_make(LYF_MAP);

	if (header != NULL)
		header += strspn(header, " '\"");
	for (int i = 0; header != NULL && *header != '\0' && i < MAX_LINKS; i++)
	{
		const char *next;
		const char *end = link_end(header, &next);
		LyfValue   *link = parse_link(header, end);
		LyfValue   *name = lyf_value_get(link, "rel");

		if (name == NULL || name->len == 0)
			name = lyf_value_get(link, "url");
		lyf_value_set(links, lyf_value_text(name), link);
		header = next;
	}
	return links;
}

/* all values of a header, as one text */
static LyfValue *
joined_values(const LyfHttpResponse *response, const char *name)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < response->header_count; i++)
	{
		if (pg_strcasecmp(response->headers[i].name, name) != 0)
			continue;
		if (text.len > 0)
			appendStringInfoString(&text, ", ");
		appendStringInfoString(&text, response->headers[i].value);
	}
	return lyf_value_string_len(text.data, text.len);
}

/* Make a page; request and response must live as long as it. */
LyfPage *
lyf_page_make(const LyfHttpRequest *request, LyfHttpResponse *response)
{
	LyfPage    *page = palloc0(sizeof(LyfPage));

	page->response = response;
	page->method = request->method;
	page->url = request->url;
	page->headers = lyf_value_make(LYF_MAP);
	for (int i = 0; i < response->header_count; i++)
		if (lyf_value_get(page->headers, response->headers[i].name) == NULL)
			lyf_value_set(page->headers, response->headers[i].name, joined_values(response, response->headers[i].name));
	lyf_value_set(page->headers, "link", parse_links(lyf_value_text(joined_values(response, "Link"))));
	return page;
}

void
lyf_page_headers_for(LyfValue *map, const LyfPage *page, const LyfTemplate *compiled)
{
	const LyfHttpResponse *response = page->response;
	const char *source = lyf_template_source(compiled);

	for (int i = 0; i < response->header_count; i++)
	{
		size_t		len = strlen(response->headers[i].name);

		for (const char *p = source; len > 0 && *p != '\0'; p++)
		{
			char	   *spelling;

			if (pg_strncasecmp(p, response->headers[i].name, len) != 0)
				continue;
			spelling = pnstrdup(p, len);
			if (lyf_value_get(map, spelling) == NULL)
				lyf_value_set(map, spelling, joined_values(response, spelling));
		}
	}
}

LyfValue *
lyf_page_plain_headers(const LyfPage *page, const LyfTemplate *compiled)
{
	const LyfHttpResponse *response = page->response;
	LyfValue   *map = lyf_value_make(LYF_MAP);

	for (int i = 0; i < response->header_count; i++)
		if (lyf_value_get(map, response->headers[i].name) == NULL)
			lyf_value_set(map, response->headers[i].name, joined_values(response, response->headers[i].name));
	lyf_page_headers_for(map, page, compiled);
	return map;
}

/* What templates see as response is no longer part of what the records are made of, and changed with. */
void
lyf_page_keep_response(LyfPage *page)
{
	LyfValue   *body = lyf_page_json(page, NULL);

	if (body->kind == LYF_LIST && body->u.first != NULL)
	{
		page->body = lyf_value_make(LYF_LIST);
		lyf_value_append(page->body, lyf_value_copy_nodes(body->u.first));
	}
	else
		page->body = lyf_value_copy_nodes(body);
}

/* response is the first document of the body, as paging sees it */
void
lyf_page_bind(LyfScope *scope, LyfPage *page, const LyfPageFacts *facts)
{
	LyfValue   *body = lyf_page_json(page, NULL);

	if (body->kind == LYF_LIST)
		body = body->u.first ? body->u.first : lyf_value_make(LYF_MAP);
	lyf_scope_set(scope, "response", body);
	lyf_scope_set(scope, "headers", page->headers);
	lyf_scope_set(scope, "last_record", facts->last_record ? facts->last_record : lyf_value_make(LYF_NULL));
	lyf_scope_set(scope, "last_page_size", lyf_value_int(facts->emitted_count));
}
