/*
 * decoder_json.c
 *		A page of JSON: one body, or as many as the list at its top has items.
 *
 * A body that is empty or null counts as an empty object, so that it gives no records, as in
 * the reference engine.  Unlike there, one that is broken JSON, or none at all, such as a
 * page of HTML, is an error, unless the error handler ignores it: to read it as empty would
 * lose records in silence.
 *
 * JsonItemsDecoder gives the items of a list inside of the document.
 */
#include "postgres.h"

#include "base/json.h"
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

/* the page as JSON; what is none is no failure where it is empty, or its error was ignored */
static LyfFailure *
page_json(LyfPage *page, LyfValue **body)
{
	LyfFailure *failure;

	*body = lyf_page_json(page, &failure);
	return failure != NULL && !page->ignored && !is_empty(page->response) ? explain(failure, page) : NULL;
}

/* a list's items; they hang on the list that they came in still */
static void
add_items(LyfBodies *bodies, LyfValue *list)
{
	lyf_foreach(item, list)
	{
		bodies->list->len++;
		*bodies->tail = item;
		bodies->tail = &item->next;
	}
}

static LyfFailure *
decode_json(const void *state, LyfPage *page, LyfBodies *bodies)
{
	LyfValue   *body;

	LYF_TRY(page_json(page, &body));
	if (lyf_value_is(body, LYF_LIST) && body->len > 0)
		add_items(bodies, body);
	else if (lyf_value_is(body, LYF_LIST) || lyf_value_is(body, LYF_NULL))
		lyf_bodies_add(bodies, lyf_value_make(LYF_MAP));
	else
		lyf_bodies_add(bodies, lyf_value_alias(body));
	return NULL;
}

/* in an archive */
static LyfFailure *
parse_json(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	LyfValue   *body;

	LYF_TRY(lyf_json_parse(bytes, len, &body));
	if (body->kind == LYF_LIST)
		add_items(bodies, body);
	else
		lyf_bodies_add(bodies, body);
	return NULL;
}

/* the list at the keys of state, a list of texts: its items */
static LyfFailure *
add_items_at(const LyfValue *keys, LyfValue *body, LyfBodies *bodies)
{
	lyf_foreach(key, keys)
	{
		body = lyf_value_get(body, key->u.text);
		if (body == NULL)
			return NULL;
	}
	if (body->kind == LYF_LIST)
		add_items(bodies, body);
	return NULL;
}

static LyfFailure *
decode_items(const void *state, LyfPage *page, LyfBodies *bodies)
{
	LyfValue   *body;

	LYF_TRY(page_json(page, &body));
	return add_items_at(state, body, bodies);
}

static LyfFailure *
parse_items(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	LyfValue   *body;

	LYF_TRY(lyf_json_parse(bytes, len, &body));
	return add_items_at(state, body, bodies);
}

/* items_path: keys with dots between them */
static LyfFailure *
compile_items(const LyfComponent *c, void **state)
{
	LyfValue   *keys = lyf_value_make(LYF_LIST);
	const char *path;
	const char *encoding;

	LYF_TRY(lyf_component_text(c, "items_path", "", &path));
	LYF_TRY(lyf_component_text(c, "encoding", "utf-8", &encoding));
	if (*path == '\0')
		return lyf_component_invalid(c, "field \"items_path\" is missing");
	if (pg_strcasecmp(encoding, "utf-8") != 0 && pg_strcasecmp(encoding, "utf8") != 0)
		return lyf_component_invalid(c, "encoding must be utf-8");
	for (const char *end; *path != '\0'; path = *end == '.' ? end + 1 : end)
	{
		end = path + strcspn(path, ".");
		lyf_value_append(keys, lyf_value_string_len(path, end - path));
	}
	*state = keys;
	return NULL;
}

const LyfDecoderKind lyf_decoder_json = {"JsonDecoder", NULL, decode_json, parse_json};
const LyfDecoderKind lyf_decoder_json_items = {"JsonItemsDecoder", compile_items, decode_items, parse_items};
