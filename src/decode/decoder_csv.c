/*
 * decoder_csv.c
 *		A page of CSV: a body a row, its members named by the first row.
 *
 * Fields are what Python's csv module makes of them in its usual dialect: quotes that do
 * not begin a field are part of it, text behind a closing quote is, too, and an open
 * quote at the end is closed.  Rows without any field are no rows.  A row that is too
 * short has nulls; what a row has too much of is a list named "null".
 *
 * Fields stay where they are in the text: the byte behind each becomes its NUL, doubled
 * quotes are taken out in place.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "base/memory.h"
#include "decode/decode_internal.h"

/* nodes that are made between two looks at the memory that they take */
#define NODES_PER_CHECK	65536

/* each name is compared with those before it */
#define MAX_COLUMNS		16384

/* nodes that are allocated at a time, unless a row needs more */
#define NODES_PER_BLOCK	128

/* bytes that a byte of another encoding can become in UTF-8 */
#define MAX_GROWTH	4

typedef struct Csv
{
	int			encoding;		/* PostgreSQL's number of it */
	bool		skip_mark;		/* a byte order mark is none of the text */
	const char *delimiter;
	size_t		delimiter_len;
	const LyfValue *nulls;		/* texts that are null, a list, or NULL */
} Csv;

/* one row as it is being read: its fields, reused for the next one */
typedef struct Row
{
	LyfValue   *field;			/* texts */
	int			count;
	int			room;
} Row;

/* the first row, and which member of a body each column is: two of one name are one */
typedef struct Header
{
	Row			names;
	int		   *member;
	int			members;
} Header;

typedef struct Nodes
{
	LyfValue   *next;
	int			left;
	int			unchecked;		/* taken since memory was looked at */
} Nodes;

/* --- compiling --- */

/* escapes as \t may stand for the delimiter */
static const struct
{
	const char *text;
	const char *delimiter;
}			escapes[] =
{
	{"\\t", "\t"},
	{"\\\\", "\\"},
	{"\\x01", "\001"},
	{"\\u0001", "\001"},
	{"\\x09", "\t"},
	{"\\u0009", "\t"}
};

static LyfFailure *
compile_delimiter(const LyfComponent *c, Csv *csv)
{
	LYF_TRY(lyf_component_text(c, "delimiter", ",", &csv->delimiter));
	if (*csv->delimiter == '\0')
		csv->delimiter = ",";
	for (int i = 0; i < lengthof(escapes); i++)
	{
		if (strcmp(csv->delimiter, escapes[i].text) == 0)
			csv->delimiter = escapes[i].delimiter;
	}
	csv->delimiter_len = strlen(csv->delimiter);
	if (pg_encoding_verifymbstr(PG_UTF8, csv->delimiter, csv->delimiter_len) != csv->delimiter_len ||
		pg_utf_mblen((const unsigned char *) csv->delimiter) != csv->delimiter_len || strchr("\"\r\n", *csv->delimiter) != NULL)
		return lyf_component_invalid(c, "delimiter must be one character, and neither a quote nor the end of a line");
	return NULL;
}

static LyfFailure *
compile_encoding(const LyfComponent *c, Csv *csv)
{
	const char *name;

	LYF_TRY(lyf_component_text(c, "encoding", "utf-8", &name));
	csv->skip_mark = pg_strcasecmp(name, "utf-8-sig") == 0 || pg_strcasecmp(name, "utf_8_sig") == 0;
	csv->encoding = csv->skip_mark ? PG_UTF8 : pg_char_to_encoding(name);
	if (pg_strcasecmp(name, "ascii") == 0 || pg_strcasecmp(name, "us-ascii") == 0)
		csv->encoding = PG_UTF8;
	if (csv->encoding < 0)
		return lyf_component_invalid(c, "encoding \"%s\" is not known", name);
	return NULL;
}

static LyfFailure *
compile_csv(const LyfComponent *c, void **state)
{
	Csv		   *csv = palloc0(sizeof(Csv));
	LyfValue   *nulls;
	size_t		count;

	LYF_TRY(compile_delimiter(c, csv));
	LYF_TRY(compile_encoding(c, csv));
	LYF_TRY(lyf_component_list(c, "set_values_to_none", &count));
	LYF_TRY(lyf_component_value(c, "set_values_to_none", &nulls));
	csv->nulls = nulls;
	*state = csv;
	return NULL;
}

/* --- text --- */

/* *bytes may become others, with a 0 behind them */
static LyfFailure *
to_utf8(const Csv *csv, char **bytes, size_t *len)
{
	Oid			function;
	char	   *out;
	int			room;

	if (csv->encoding != PG_UTF8)
	{
		function = FindDefaultConversionProc(csv->encoding, PG_UTF8);
		if (!OidIsValid(function))
			return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "text in %s cannot be converted",
							   pg_encoding_to_char(csv->encoding));
		if (*len >= INT_MAX / MAX_GROWTH)
			return lyf_memory_failure();
		LYF_TRY(lyf_memory_check(*len * MAX_GROWTH));
		room = *len * MAX_GROWTH + 1;
		out = MemoryContextAllocHuge(CurrentMemoryContext, room);
		if (pg_do_encoding_conversion_buf(function, csv->encoding, PG_UTF8, (unsigned char *) *bytes, *len,
										  (unsigned char *) out, room, true) != *len)
			return lyf_failure(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "text is not valid %s",
							   pg_encoding_to_char(csv->encoding));
		*bytes = out;
		*len = strlen(out);
	}
	if (pg_encoding_verifymbstr(PG_UTF8, *bytes, *len) != *len)
		return lyf_failure(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "text is not valid UTF-8");
	if (csv->skip_mark && *len >= 3 && memcmp(*bytes, "\xEF\xBB\xBF", 3) == 0)
	{
		*bytes += 3;
		*len -= 3;
	}
	return NULL;
}

/* --- rows --- */

static void
add_field(Row *row, const char *text, size_t len)
{
	LyfValue   *field;

	if (row->count == row->room)
	{
		row->room = Max(32, row->room * 2);
		row->field = row->field == NULL ? palloc(row->room * sizeof(LyfValue)) :
			repalloc_huge(row->field, row->room * sizeof(LyfValue));
	}
	field = &row->field[row->count++];
	memset(field, 0, sizeof(LyfValue));
	field->kind = LYF_STRING;
	field->u.text = text;
	field->len = len;
}

static inline bool
is_delimiter(const Csv *csv, const char *p, const char *end)
{
	return *p == *csv->delimiter && p < end &&
		(csv->delimiter_len == 1 ||
		 (end - p >= csv->delimiter_len && memcmp(p, csv->delimiter, csv->delimiter_len) == 0));
}

static inline bool
is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

/*
 * The field that begins at *p; *p is then at what ends it.  All ends of lines within
 * quotes become \n, as in a text that is read line by line.
 */
static void
read_field(const Csv *csv, char **p, char *end, Row *row)
{
	char	   *in = *p;
	char	   *start = in;
	char	   *out = in;
	bool		quoted = in < end && *in == '"';

	if (quoted)
		in++;
	while (in < end)
	{
		if (quoted && *in == '"')
		{
			if (in + 1 < end && in[1] == '"')
				in++;
			else
			{
				quoted = false;
				in++;
				continue;
			}
		}
		else if (quoted && *in == '\r')
		{
			in += in + 1 < end && in[1] == '\n' ? 2 : 1;
			*out++ = '\n';
			continue;
		}
		else if (!quoted && (is_line_end(*in) || is_delimiter(csv, in, end)))
			break;
		*out++ = *in++;
	}
	add_field(row, start, out - start);
	*p = in;
}

/* the row that begins at *p, which goes to the next one; without fields if nothing stands there */
static void
read_row(const Csv *csv, char **p, char *end, Row *row)
{
	row->count = 0;
	if (*p < end && !is_line_end(**p))
	{
		bool		more = true;

		while (more)
		{
			read_field(csv, p, end, row);
			more = *p < end && is_delimiter(csv, *p, end);
			if (more)
				*p += csv->delimiter_len;
		}
	}
	if (*p < end)
		*p += **p == '\r' && *p + 1 < end && (*p)[1] == '\n' ? 2 : 1;

	/* now what ended each field is not needed any more */
	for (int i = 0; i < row->count; i++)
		((char *) row->field[i].u.text)[row->field[i].len] = '\0';
}

static LyfFailure *
read_header(const Csv *csv, char **p, char *end, Header *header)
{
	Row		   *names = &header->names;

	while (names->count == 0 && *p < end)
		read_row(csv, p, end, names);
	if (names->count > MAX_COLUMNS)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "CSV has more than %d columns", MAX_COLUMNS);
	header->member = palloc(sizeof(int) * (names->count + 1));
	for (int i = 0; i < names->count; i++)
	{
		int			same = 0;

		while (same < i && strcmp(names->field[same].u.text, names->field[i].u.text) != 0)
			same++;
		header->member[i] = same < i ? header->member[same] : header->members++;
	}
	return NULL;
}

static LyfValue *
take_nodes(Nodes *nodes, int count)
{
	if (nodes->left < count)
	{
		nodes->left = Max(count, NODES_PER_BLOCK);
		nodes->next = palloc_extended(nodes->left * sizeof(LyfValue), MCXT_ALLOC_HUGE);
	}
	nodes->next += count;
	nodes->left -= count;
	nodes->unchecked += count;
	return nodes->next - count;
}

static void
set_member(const Csv *csv, LyfValue *member, const LyfValue *name, const LyfValue *field)
{
	if (field != NULL)
		*member = *field;
	else
	{
		memset(member, 0, sizeof(LyfValue));
		member->kind = LYF_NULL;
	}
	member->key = name->u.text;
	member->key_len = name->len;
	if (csv->nulls == NULL || field == NULL)
		return;
	lyf_foreach(null, csv->nulls)
	{
		if (null->kind == LYF_STRING && null->len == field->len && memcmp(null->u.text, field->u.text, field->len) == 0)
			member->kind = LYF_NULL;
	}
}

/* what a row has too much of */
static LyfValue *
make_rest(const Row *row, int from, Nodes *nodes)
{
	int			count = row->count - from;
	LyfValue   *rest = lyf_value_make(LYF_LIST);
	LyfValue   *items = take_nodes(nodes, count);

	memcpy(items, row->field + from, count * sizeof(LyfValue));
	for (int i = 0; i + 1 < count; i++)
		items[i].next = &items[i + 1];
	rest->u.first = items;
	rest->len = count;
	return rest;
}

static LyfValue *
make_body(const Csv *csv, const Header *header, const Row *row, Nodes *nodes)
{
	LyfValue   *body = take_nodes(nodes, header->members + 1);
	LyfValue   *members = body + 1;

	memset(body, 0, sizeof(LyfValue));
	body->kind = LYF_MAP;
	body->len = header->members;
	for (int i = 0; i < header->names.count; i++)
		set_member(csv, &members[header->member[i]], &header->names.field[i], i < row->count ? &row->field[i] : NULL);
	for (int i = 0; i < header->members; i++)
		members[i].next = i + 1 < header->members ? &members[i + 1] : NULL;
	if (header->members > 0)
		body->u.first = members;
	if (row->count > header->names.count)
		lyf_value_set(body, "null", make_rest(row, header->names.count, nodes));
	return body;
}

static LyfFailure *
parse_csv(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	const Csv  *csv = state;
	Header		header = {0};
	Row			row = {0};
	Nodes		nodes = {0};
	char	   *end;

	LYF_TRY(to_utf8(csv, &bytes, &len));
	end = bytes + len;
	LYF_TRY(read_header(csv, &bytes, end, &header));
	while (bytes < end)
	{
		if (nodes.unchecked >= NODES_PER_CHECK)
		{
			CHECK_FOR_INTERRUPTS();
			LYF_TRY(lyf_memory_check(0));
			nodes.unchecked = 0;
		}
		read_row(csv, &bytes, end, &row);
		if (row.count > 0)
			lyf_bodies_add(bodies, make_body(csv, &header, &row, &nodes));
	}
	return NULL;
}

const LyfDecoderKind lyf_decoder_csv = {"CsvDecoder", compile_csv, NULL, parse_csv};
