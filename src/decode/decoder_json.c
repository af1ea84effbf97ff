/*
 * decoder_json.c
 *		A page of JSON: one body, or as many as the list at its top has items.
 *
 * A body that is empty, null or no JSON counts as an empty object, so that it gives no
 * records, as in the reference engine.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

LyfFailure *
lyf_decode_json(LyfPage *page, LyfValue **bodies)
{
	LyfValue   *body = lyf_page_json(page, NULL);

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
