/*
 * decoder.c
 *		A page to bodies: the kinds of decoders.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

struct LyfDecoder
{
	const LyfDecoderKind *kind;
};

/* the first one is what a stream has that names none */
static const LyfDecoderKind kinds[] = {
	{"JsonDecoder", lyf_decode_json},
	{"JsonlDecoder", lyf_decode_json_lines},
	{"IterableDecoder", lyf_decode_lines}
};

static const LyfDecoderKind *
find_kind(const LyfComponent *c)
{
	if (c->json == NULL)
		return &kinds[0];
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].type, c->type) == 0)
			return &kinds[i];
	}
	return NULL;
}

LyfFailure *
lyf_decoder_compile(const LyfComponent *c, LyfDecoder **out)
{
	const LyfDecoderKind *kind = find_kind(c);

	if (kind == NULL)
		return lyf_component_unsupported(c);
	*out = palloc(sizeof(LyfDecoder));
	(*out)->kind = kind;
	return NULL;
}

/* a page whose error was ignored has no bodies */
LyfFailure *
lyf_decode_page(LyfDecoder *decoder, LyfPage *page, LyfValue **bodies)
{
	if (page->no_records)
	{
		*bodies = lyf_value_make(LYF_LIST);
		return NULL;
	}
	return decoder->kind->decode(page, bodies);
}
