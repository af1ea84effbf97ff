/*
 * decoder_json.c
 *		A page of JSON: one body, or as many as the list at its top has items.
 *
 * A body that is empty or null counts as an empty object, so that it gives no records, as in
 * the reference engine.  Unlike there, one that is broken JSON, or none at all, such as a
 * page of HTML, is an error, unless the error handler ignores it: to read it as empty would
 * lose records in silence.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

/* characters of "text/html" and its like */
#define MEDIA_TYPE	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+-."

static bool
is_empty(const LyfHttpResponse *response)
{
	size_t		i = 0;

	while (i < response->body_len && strchr(" \t\r\n", response->body[i]) != NULL && response->body[i] != '\0')
		i++;
	return i == response->body_len;
}

/* a hint for what is something else from its first byte on */
static LyfFailure *
explain(LyfFailure *failure, const LyfPage *page)
{
	const char *type = lyf_http_header(page->response, "Content-Type");
	char		first = page->response->body[strspn(page->response->body, " \t\r\n")];

	if (failure->sqlstate != ERRCODE_INVALID_TEXT_REPRESENTATION || first == '{' || first == '[')
		return failure;
	if (type != NULL)
		lyf_failure_detail(failure, "The response has status %d and says that it is %.*s.", page->response->status,
						   (int) Min(strspn(type, MEDIA_TYPE), 100), type);
	return lyf_failure_hint(failure, "A page for people, such as of a login or a proxy, means that the URL or the secrets are wrong. A connector may ignore such responses with a response filter.");
}

LyfFailure *
lyf_decode_json(LyfPage *page, LyfValue **bodies)
{
	LyfFailure *failure;
	LyfValue   *body = lyf_page_json(page, &failure);

	if (failure != NULL && !page->ignored && !is_empty(page->response))
		return explain(failure, page);
	if (lyf_value_is(body, LYF_LIST) && body->len > 0)
	{
		*bodies = body;
		return NULL;
	}
	*bodies = lyf_value_make(LYF_LIST);
	lyf_value_append(*bodies, lyf_value_is(body, LYF_LIST) || lyf_value_is(body, LYF_NULL) ?
					 lyf_value_make(LYF_MAP) : lyf_value_alias(body));
	return NULL;
}
