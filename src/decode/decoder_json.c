/*
 * decoder_json.c
 *		A page of JSON: one body, or as many as the list at its top has items.
 *
 * A body that is empty, null or no JSON at all, such as a page of HTML, counts as an
 * empty object, so that it gives no records, as in the reference engine.  One that begins as
 * JSON and is broken is an error: to read it as empty would lose records in silence.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

static bool
begins_as_json(const LyfHttpResponse *response)
{
	const char *p = response->body;
	const char *end = p + response->body_len;

	while (p < end && strchr(" \t\r\n", *p) != NULL && *p != '\0')
		p++;
	return p < end && (*p == '{' || *p == '[');
}

LyfFailure *
lyf_decode_json(LyfPage *page, LyfValue **bodies)
{
	LyfFailure *failure;
	LyfValue   *body = lyf_page_json(page, &failure);

	if (failure != NULL && begins_as_json(page->response))
		return failure;
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
