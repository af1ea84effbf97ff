/*
 * decoder_lines.c
 *		A page of lines: each a JSON document (JsonlDecoder), or a text that becomes
 *		{"record": text} (IterableDecoder).
 *
 * Unlike the reference engine, which logs a line that is no JSON and goes on, such a line
 * fails the page: nothing gets lost.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/json.h"
#include "base/memory.h"
#include "decode/decode_internal.h"

/* a short line is a few hundred bytes of values */
#define LINES_PER_CHECK	1000

typedef LyfFailure *(*LineFunction) (char *line, size_t len, LyfValue **body);

static bool
is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (line[i] != ' ' && line[i] != '\t')
			return false;
	}
	return true;
}

static LyfFailure *
read_json_line(char *line, size_t len, LyfValue **body)
{
	*body = NULL;
	return is_blank(line, len) ? NULL : lyf_json_parse(line, len, body);
}

static LyfFailure *
read_text_line(char *line, size_t len, LyfValue **body)
{
	if (pg_encoding_verifymbstr(PG_UTF8, line, len) != len)
		return lyf_failure(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "text is not valid UTF-8");
	*body = lyf_value_make(LYF_MAP);
	lyf_value_set(*body, "record", lyf_value_string_len(line, len));
	return NULL;
}

/* the end of the line that begins at p: \n, \r\n or (text only) \r ends it; *next is behind that */
static char *
find_end(char *p, char *end, bool returns, char **next)
{
	char	   *stop = memchr(p, '\n', end - p);
	char	   *carriage = memchr(p, '\r', (stop != NULL ? stop : end) - p);

	if (carriage != NULL && (returns || carriage + 1 == stop))
	{
		*next = carriage + 1 + (carriage + 1 == stop);
		return carriage;
	}
	*next = stop != NULL ? stop + 1 : end;
	return stop != NULL ? stop : end;
}

static LyfFailure *
read_lines(char *bytes, size_t len, LineFunction read_line, bool returns, LyfBodies *bodies)
{
	char	   *end = bytes + len;
	char	   *next;
	int64		number = 0;

	for (char *p = bytes; p < end; p = next)
	{
		char	   *line_end = find_end(p, end, returns, &next);
		LyfValue   *body;
		LyfFailure *failure = read_line(p, line_end - p, &body);

		number++;
		if (failure == NULL && number % LINES_PER_CHECK == 0)
			failure = lyf_memory_check(0);
		if (failure != NULL)
			return lyf_failure_detail(failure, "It is line " INT64_FORMAT " of the page.", number);
		if (body != NULL)
			lyf_bodies_add(bodies, body);
	}
	return NULL;
}

static LyfFailure *
parse_json_lines(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	return read_lines(bytes, len, read_json_line, false, bodies);
}

static LyfFailure *
parse_lines(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	return read_lines(bytes, len, read_text_line, true, bodies);
}

static LyfFailure *
decode_json_lines(const void *state, LyfPage *page, LyfBodies *bodies)
{
	LyfHttpResponse *response = page->response;

	/* a predicate has looked at the page and so has parsed it in place: fine if it was one document */
	if (page->body_parsed && lyf_value_is(page->body, LYF_MAP) && page->body->len > 0)
	{
		lyf_bodies_add(bodies, lyf_value_alias(page->body));
		return NULL;
	}
	if (page->body_parsed && response->body_len > 0)
		return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED,
						   "JsonlDecoder together with a predicate on the response is not supported");
	LYF_TRY(parse_json_lines(state, response->body, response->body_len, bodies));
	lyf_bodies_are_response(bodies, page);
	return NULL;
}

const LyfDecoderKind lyf_decoder_json_lines = {"JsonlDecoder", NULL, decode_json_lines, parse_json_lines};
const LyfDecoderKind lyf_decoder_lines = {"IterableDecoder", NULL, NULL, parse_lines};
