/*
 * json.c
 *		JSON text to values, in one pass, in place.
 *
 * The parser is a loop over three states (a value comes, a value is over, a key
 * comes) with a stack of open containers, so depth costs no C stack.  Strings
 * stay where they are in the text: the closing quote becomes their NUL, escapes
 * are decoded over themselves.  Bytes are looked at 16 or 8 at a time where they
 * are plain.  The text is checked to be UTF-8 once, before.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"
#include "utils/float.h"

#include "base/json.h"
#include "base/memory.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Nodes allocated at a time: the first block fits the text's size, up to this.  A
 * memory context gives larger chunks back to the system with each reset.
 */
#define NODES_PER_BLOCK	((int) (8192 / sizeof(LyfValue)))

typedef struct Parser
{
	char	   *start;
	char	   *end;			/* there stands a NUL */
	LyfValue   *node;			/* next free one of the block */
	LyfValue   *node_end;
	size_t		block_size;		/* in nodes */
	size_t		left;			/* nodes that may be made yet */
} Parser;

/* A container that is not closed yet. */
typedef struct Open
{
	LyfValue   *container;
	LyfValue  **end;			/* where its next member hangs */
	uint32		count;
} Open;

static pg_noinline LyfFailure *
fail(const Parser *parser, const char *at, const char *what)
{
	return lyf_failure(ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid JSON at byte %zu: %s",
					   (size_t) (at - parser->start), what);
}

/* false: there would be too many */
static pg_noinline bool
add_block(Parser *parser)
{
	if (parser->left < parser->block_size)
		return false;
	parser->left -= parser->block_size;
	parser->node = palloc(parser->block_size * sizeof(LyfValue));
	parser->node_end = parser->node + parser->block_size;
	parser->block_size = NODES_PER_BLOCK;
	return true;
}

/* NULL: there would be too many */
static inline LyfValue *
make_node(Parser *parser)
{
	if (unlikely(parser->node == parser->node_end) && !add_block(parser))
		return NULL;
	return parser->node++;
}

/*
 * The first byte from p on that is a quote, a backslash or a control character.
 * The NUL at the end is one, so there always is one.
 */
static inline char *
skip_plain(char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) p);
		__m128i		hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
													_mm_cmpeq_epi8(bytes, slash)),
									   _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
		int			mask = _mm_movemask_epi8(hit);

		if (mask != 0)
			return p + pg_rightmost_one_pos32(mask);
		p += 16;
	}
#else
	const uint64 ones = UINT64CONST(0x0101010101010101);
	const uint64 highs = UINT64CONST(0x8080808080808080);

	while (end - p >= 8)
	{
		uint64		bytes;
		uint64		quote;
		uint64		slash;

		memcpy(&bytes, p, 8);
		quote = bytes ^ (ones * '"');
		slash = bytes ^ (ones * '\\');
		if ((((bytes - ones * 0x20) | (quote - ones) | (slash - ones)) & ~bytes & highs) != 0)
			break;
		p += 8;
	}
#endif
	while ((unsigned char) *p >= 0x20 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* four hexadecimal digits, or -1 */
static int
read_hex4(const char *p)
{
	int			code = 0;

	for (int i = 0; i < 4; i++)
	{
		unsigned char c = p[i];

		if (c >= '0' && c <= '9')
			code = code * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			code = code * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return code;
}

/* decode \uXXXX (p is at the u) to *out; both move on */
static LyfFailure *
read_unicode_escape(Parser *parser, char **p, char **out)
{
	char	   *at = *p - 1;
	int			code = read_hex4(*p + 1);

	if (code < 0)
		return fail(parser, at, "\\u must be followed by four hexadecimal digits");
	*p += 5;
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		int			low = (*p)[0] == '\\' && (*p)[1] == 'u' ? read_hex4(*p + 2) : -1;

		if (low < 0xDC00 || low > 0xDFFF)
			return fail(parser, at, "high surrogate without a low one");
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		*p += 6;
	}
	else if (code >= 0xDC00 && code <= 0xDFFF)
		return fail(parser, at, "low surrogate without a high one");
	unicode_to_utf8(code, (unsigned char *) *out);
	*out += pg_utf_mblen((unsigned char *) *out);
	return NULL;
}

/* the byte that \c stands for, or 0 */
static inline char
simple_escape(char c)
{
	switch (c)
	{
		case '"':
		case '\\':
		case '/':
			return c;
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return 0;
	}
}

/* the rest of a string from its first backslash (*p) on; *end is set to where it ends decoded */
static LyfFailure *
read_escaped(Parser *parser, char **p, char **end)
{
	char	   *in = *p;
	char	   *out = in;

	while (*in == '\\')
	{
		char		c = simple_escape(in[1]);
		char	   *run;

		in++;
		if (c != 0)
		{
			*out++ = c;
			in++;
		}
		else if (*in == 'u')
			LYF_TRY(read_unicode_escape(parser, &in, &out));
		else
			return fail(parser, in - 1, "unknown escape");
		run = in;
		in = skip_plain(in, parser->end);
		memmove(out, run, in - run);
		out += in - run;
	}
	*p = in;
	*end = out;
	return NULL;
}

/*
 * A string: *p is behind the opening quote, and comes to stand behind the
 * closing one.  *flags keeps its value only if there was no escape.
 */
static inline LyfFailure *
read_string(Parser *parser, char **p, const char **text, uint32 *len, uint8 *flags)
{
	char	   *start = *p;
	char	   *in = skip_plain(start, parser->end);
	char	   *out = in;

	if (unlikely(*in != '"'))
	{
		*flags = 0;
		if (*in == '\\')
			LYF_TRY(read_escaped(parser, &in, &out));
		if (in >= parser->end)
			return fail(parser, in, "the text ends inside a string");
		if (*in != '"')
			return fail(parser, in, "control character inside a string");
	}
	*out = '\0';
	*text = start;
	*len = out - start;
	*p = in + 1;
	return NULL;
}

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') <= 9;
}

/* a number at *p into node: int64 where it fits, else its digits */
static inline LyfFailure *
read_number(Parser *parser, char **p, LyfValue *node)
{
	char	   *start = *p;
	char	   *in = start;
	bool		negative = *in == '-';
	uint64		integer = 0;
	char	   *digits;
	bool		fraction = false;

	if (negative)
		in++;
	digits = in;
	while (is_digit(*in))
		integer = integer * 10 + (*in++ - '0');
	if (in == digits || (*digits == '0' && in > digits + 1))
		return fail(parser, start, in == digits ? "unexpected character" : "number with a leading zero");
	if (*in == '.')
	{
		fraction = true;
		in++;
		if (!is_digit(*in))
			return fail(parser, in, "digit expected");
		while (is_digit(*in))
			in++;
	}
	if ((*in | 0x20) == 'e')
	{
		fraction = true;
		in++;
		if (*in == '+' || *in == '-')
			in++;
		if (!is_digit(*in))
			return fail(parser, in, "digit expected");
		while (is_digit(*in))
			in++;
	}
	*p = in;

	/* 19 digits cannot wrap around uint64 */
	if (likely(!fraction && in - digits <= 19 && integer <= (uint64) PG_INT64_MAX + negative))
	{
		node->kind = LYF_INT;
		node->u.integer = negative ? (int64) (0 - integer) : (int64) integer;
		return NULL;
	}
	node->kind = LYF_NUMBER;
	node->flags = LYF_FLAG_TEXT;
	node->u.text = start;
	node->len = in - start;
	return NULL;
}

static inline LyfFailure *
read_word(Parser *parser, char **p, const char *word, size_t len)
{
	if ((size_t) (parser->end - *p) < len || memcmp(*p, word, len) != 0)
		return fail(parser, *p, "unexpected character");
	*p += len;
	return NULL;
}

static inline char *
skip_space(char *p)
{
	while (unlikely(*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* NaN, Infinity and -Infinity are no JSON, but Python's parser takes them, and so some sources send them */
static pg_noinline LyfFailure *
read_not_finite(Parser *parser, char **p, LyfValue *node)
{
	bool		negative = **p == '-';

	node->kind = LYF_NUMBER;
	if (**p == 'N')
	{
		node->u.number = get_float8_nan();
		return read_word(parser, p, "NaN", 3);
	}
	*p += negative;
	node->u.number = negative ? -get_float8_infinity() : get_float8_infinity();
	return read_word(parser, p, "Infinity", 8);
}

/* a scalar at *p into node */
static inline LyfFailure *
read_scalar(Parser *parser, char **p, LyfValue *node)
{
	switch (**p)
	{
		case '"':
			++*p;
			node->kind = LYF_STRING;
			node->flags = LYF_FLAG_QUOTED;
			return read_string(parser, p, &node->u.text, &node->len, &node->flags);
		case 't':
			node->kind = LYF_BOOL;
			node->u.boolean = true;
			return read_word(parser, p, "true", 4);
		case 'f':
			node->kind = LYF_BOOL;
			node->u.boolean = false;
			return read_word(parser, p, "false", 5);
		case 'n':
			node->kind = LYF_NULL;
			return read_word(parser, p, "null", 4);
		case 'N':
		case 'I':
			return read_not_finite(parser, p, node);
		default:
			if (*p >= parser->end)
				return fail(parser, *p, "the text ends too early");
			if (unlikely((*p)[0] == '-' && (*p)[1] == 'I'))
				return read_not_finite(parser, p, node);
			return read_number(parser, p, node);
	}
}

/* a key and its colon into node; *p comes to stand at the value */
static inline LyfFailure *
read_key(Parser *parser, char **p, LyfValue *node)
{
	char	   *in = skip_space(*p);

	if (unlikely(*in != '"'))
		return fail(parser, in, "a key in quotes expected");
	in++;
	LYF_TRY(read_string(parser, &in, &node->key, &node->key_len, &node->flags));
	in = skip_space(in);
	if (unlikely(*in != ':'))
		return fail(parser, in, "colon expected");
	*p = skip_space(in + 1);
	return NULL;
}

static inline void
clear_node(LyfValue *node)
{
	node->flags = 0;
	node->key_len = 0;
	node->len = 0;
	node->key = NULL;
	node->next = NULL;
}

static LyfFailure *
parse(Parser *parser, char *p, LyfValue **root)
{
	Open		stack[LYF_JSON_MAX_DEPTH + 1];	/* the first stands for the document */
	Open	   *top = stack;
	Open	   *limit = stack + LYF_JSON_MAX_DEPTH;
	LyfValue   *node = make_node(parser);

	if (node == NULL)
		return lyf_memory_failure();
	clear_node(node);
	*root = node;
	p = skip_space(p);
	for (;;)
	{
		/* a value comes: into node, which has its key and place already */
		if (*p == '{' || *p == '[')
		{
			if (top == limit)
				return fail(parser, p, "nested too deeply");
			top++;
			top->container = node;
			top->end = &node->u.first;
			top->count = 0;
			node->kind = *p == '{' ? LYF_MAP : LYF_LIST;
			node->u.first = NULL;
			p = skip_space(p + 1);
			if (*p == ']' || *p == '}')
				goto close;
			goto member;
		}
		LYF_TRY(read_scalar(parser, &p, node));

		/* a value is over: the next one, or the end of its container */
over:
		p = skip_space(p);
		if (unlikely(top == stack))
			break;
		if (likely(*p == ','))
		{
			p = skip_space(p + 1);
			goto member;
		}
close:
		if (unlikely(*p != (top->container->kind == LYF_MAP ? '}' : ']')))
			return fail(parser, p, p >= parser->end ? "the text ends too early" :
						"comma or closing bracket expected");
		p++;
		top->container->len = top->count;
		top--;
		goto over;

member:
		node = make_node(parser);
		if (unlikely(node == NULL))
			return lyf_memory_failure();
		clear_node(node);
		*top->end = node;
		top->end = &node->next;
		top->count++;
		if (top->container->kind == LYF_MAP)
			LYF_TRY(read_key(parser, &p, node));
	}
	if (p < parser->end)
		return fail(parser, p, "text after the end of the document");
	return NULL;
}

LyfFailure *
lyf_json_parse(char *text, size_t len, LyfValue **value)
{
	Parser		parser;
	size_t		valid = pg_encoding_verifymbstr(PG_UTF8, text, len);

	parser.start = text;
	parser.end = text + len;
	parser.node = parser.node_end = NULL;
	parser.block_size = Min(len / 16 + 2, NODES_PER_BLOCK);
	parser.left = lyf_memory_limit() / sizeof(LyfValue);
	if (valid != len)
		return fail(&parser, text + valid, "not valid UTF-8");
	text[len] = '\0';
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		text += 3;
	return parse(&parser, text, value);
}

LyfFailure *
lyf_json_parse_copy(const char *text, size_t len, LyfValue **value)
{
	char	   *copy = MemoryContextAllocHuge(CurrentMemoryContext, len + 1);

	memcpy(copy, text, len);
	return lyf_json_parse(copy, len, value);
}
