/*
 * decoder_gzip.c
 *		A page that is a gzip file, or is not compressed after all: either way what is in it
 *		is for another decoder.
 *
 * (That a response is compressed on its way is none of this: it comes decompressed.)
 */
#include "postgres.h"

#include "decode/decode_internal.h"

static LyfFailure *
parse_gzip(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	LyfInflated inflated = {0};

	if (!lyf_is_gzip(bytes, len))
		return lyf_decoder_parse(state, bytes, len, bodies);
	LYF_TRY(lyf_gunzip(bytes, len, &inflated));
	return lyf_decoder_parse(state, inflated.bytes, inflated.len, bodies);
}

const LyfDecoderKind lyf_decoder_gzip = {"GzipDecoder", lyf_decoder_compile_inner, NULL, parse_gzip};
