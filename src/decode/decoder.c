/*
 * decoder.c
 *		A page to bodies: the kinds of decoders.
 *
 * Most only know how to parse bytes, which are a response's or come out of an archive;
 * the kinds of archives have another decoder inside.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

/* the first one is what a stream has that names none */
static const LyfDecoderKind *const kinds[] = {
	&lyf_decoder_json,
	&lyf_decoder_json_items,
	&lyf_decoder_json_lines,
	&lyf_decoder_lines,
	&lyf_decoder_csv,
	&lyf_decoder_xml,
	&lyf_decoder_gzip,
	&lyf_decoder_zip
};

void
lyf_bodies_init(LyfBodies *bodies)
{
	bodies->list = lyf_value_make(LYF_LIST);
	bodies->tail = &bodies->list->u.first;
}

void
lyf_bodies_add(LyfBodies *bodies, LyfValue *body)
{
	*bodies->tail = body;
	bodies->tail = &body->next;
	bodies->list->len++;
}

static const LyfDecoderKind *
find_kind(const LyfComponent *c)
{
	if (c->json == NULL)
		return kinds[0];
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i]->type, c->type) == 0)
			return kinds[i];
	}
	return NULL;
}

LyfFailure *
lyf_decoder_compile(const LyfComponent *c, LyfDecoder **out)
{
	LyfDecoder *decoder = palloc0(sizeof(LyfDecoder));

	decoder->kind = find_kind(c);
	if (decoder->kind == NULL)
		return lyf_component_unsupported(c);
	*out = decoder;
	return decoder->kind->compile != NULL ? decoder->kind->compile(c, &decoder->state) : NULL;
}

LyfFailure *
lyf_decoder_compile_inner(const LyfComponent *c, void **state)
{
	LyfComponent child = lyf_component_child(c, "decoder");
	LyfDecoder *inner;

	if (child.json == NULL)
		return lyf_component_invalid(c, "field \"decoder\" is missing");
	LYF_TRY(lyf_decoder_compile(&child, &inner));
	*state = inner;
	return NULL;
}

LyfFailure *
lyf_decoder_parse(const LyfDecoder *decoder, char *bytes, size_t len, LyfBodies *bodies)
{
	return decoder->kind->parse(decoder->state, bytes, len, bodies);
}

void
lyf_bodies_are_response(const LyfBodies *bodies, LyfPage *page)
{
	page->body = bodies->list->len > 0 ? lyf_value_alias(bodies->list->u.first) : lyf_value_make(LYF_MAP);
	page->body_parsed = true;
}

/* a page whose error was ignored has no bodies, or those that can be read */
LyfFailure *
lyf_decode_page(LyfDecoder *decoder, LyfPage *page, LyfValue **bodies)
{
	LyfFailure *failure = NULL;
	LyfBodies	found;

	lyf_bodies_init(&found);
	*bodies = found.list;
	if (page->no_records)
		return NULL;
	if (decoder->kind->decode != NULL)
		return decoder->kind->decode(decoder->state, page, &found);
	if (page->response->body_len > 0)
		failure = lyf_decoder_parse(decoder, page->response->body, page->response->body_len, &found);
	lyf_bodies_are_response(&found, page);
	return page->ignored ? NULL : failure;
}
