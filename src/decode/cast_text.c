/*
 * cast_text.c
 *		Values to text, json, jsonb and uuid.
 *
 * A short string of the page becomes a Datum where it stands: the quote before it is
 * overwritten by the one-byte header that PostgreSQL has for short texts.  So it lives as
 * long as its page.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "decode/decode_internal.h"

/* the longest text with a one-byte header */
#define MAX_SHORT	(VARATT_SHORT_MAX - VARHDRSZ_SHORT)

/* jsonb has 28 bits for the length of all that is in a container */
#define MAX_JSONB	0x0FFFFFFF

/* from here on jsonb may be refused for the memory that it takes on its way */
#define LARGE_JSONB	(64 * 1024)

static Datum
make_text(const char *text, size_t len)
{
	char	   *datum;

	if (len <= MAX_SHORT)
	{
		datum = palloc(len + VARHDRSZ_SHORT);
		SET_VARSIZE_SHORT(datum, len + VARHDRSZ_SHORT);
		memcpy(VARDATA_SHORT(datum), text, len);
	}
	else
	{
		datum = palloc(len + VARHDRSZ);
		SET_VARSIZE(datum, len + VARHDRSZ);
		memcpy(VARDATA(datum), text, len);
	}
	return PointerGetDatum(datum);
}

/* UTF-8 that is to be converted to the database's encoding. */
typedef struct Conversion
{
	const char *text;
	size_t		len;
} Conversion;

static Datum
convert(void *arg)
{
	Conversion *conversion = arg;

	return PointerGetDatum(pg_any_to_server(conversion->text, conversion->len, PG_UTF8));
}

static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(text[i]))
			return false;
	}
	return true;
}

/* text in the database's encoding; a character that it does not have is a failure */
static LyfFailure *
to_server(const LyfCast *cast, const LyfValue *value, const char **text, size_t *len)
{
	Conversion	conversion = {.text = *text, .len = *len};
	Datum		converted;

	if (likely(GetDatabaseEncoding() == PG_UTF8) || GetDatabaseEncoding() == PG_SQL_ASCII ||
		is_ascii(*text, *len))
		return NULL;
	LYF_TRY(lyf_cast_guarded(cast, value, convert, &conversion, &converted));
	if (DatumGetPointer(converted) != *text)
	{
		*text = DatumGetPointer(converted);
		*len = strlen(*text);
	}
	return NULL;
}

/*
 * The text of a value: a string as it is, others as JSON.  In the database's encoding, not
 * terminated.
 */
static LyfFailure *
get_text(LyfCast *cast, const LyfValue *value, const char **text, size_t *len)
{
	StringInfoData out;

	if (value->kind == LYF_STRING)
	{
		*text = value->u.text;
		*len = value->len;
		if ((value->flags & LYF_FLAG_QUOTED) == 0 && memchr(*text, '\0', *len) != NULL)
			return lyf_cast_failure(cast, value, ERRCODE_UNTRANSLATABLE_CHARACTER,
									"has a NUL character, which cannot be stored in");
	}
	else
	{
		initStringInfo(&out);
		lyf_value_print(&out, value);
		*text = out.data;
		*len = out.len;
	}
	return to_server(cast, value, text, len);
}

LyfFailure *
lyf_cast_text(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	const char *text;
	size_t		len;

	if (likely((value->flags & LYF_FLAG_QUOTED) != 0 && value->len <= MAX_SHORT &&
			   value->kind == LYF_STRING && GetDatabaseEncoding() == PG_UTF8))
	{
		char	   *header = unconstify(char *, value->u.text) - VARHDRSZ_SHORT;

		SET_VARSIZE_SHORT(header, value->len + VARHDRSZ_SHORT);
		*datum = PointerGetDatum(header);
		return NULL;
	}
	LYF_TRY(get_text(cast, value, &text, &len));
	*datum = make_text(text, len);
	return NULL;
}

/* how many bytes of the text max characters are, if the rest is blanks; false: it is too long */
static bool
clip_blanks(const char *text, size_t *len, int max)
{
	size_t		clipped = pg_mbcharcliplen(text, *len, max);

	for (size_t i = clipped; i < *len; i++)
	{
		if (text[i] != ' ')
			return false;
	}
	*len = clipped;
	return true;
}

static LyfFailure *
too_long(LyfCast *cast, const LyfValue *value)
{
	return lyf_cast_failure(cast, value, ERRCODE_STRING_DATA_RIGHT_TRUNCATION, "is too long for");
}

LyfFailure *
lyf_cast_varchar(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	int			max = cast->typmod - VARHDRSZ;
	const char *text;
	size_t		len;

	if (cast->typmod < (int32) VARHDRSZ || (value->kind == LYF_STRING && value->len <= max))
		return lyf_cast_text(cast, value, datum);
	LYF_TRY(get_text(cast, value, &text, &len));
	if (len > max && !clip_blanks(text, &len, max))
		return too_long(cast, value);
	*datum = make_text(text, len);
	return NULL;
}

/* padded with blanks to its length in characters */
LyfFailure *
lyf_cast_bpchar(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	int			max = cast->typmod - VARHDRSZ;
	const char *text;
	size_t		len;
	size_t		padding;
	char	   *padded;

	if (cast->typmod < (int32) VARHDRSZ)
		return lyf_cast_text(cast, value, datum);
	LYF_TRY(get_text(cast, value, &text, &len));
	if (len > max && !clip_blanks(text, &len, max))
		return too_long(cast, value);
	padding = max - pg_mbstrlen_with_len(text, len);
	padded = palloc(len + padding);
	memcpy(padded, text, len);
	memset(padded + len, ' ', padding);
	*datum = make_text(padded, len + padding);
	return NULL;
}

LyfFailure *
lyf_cast_json(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	StringInfoData out;
	const char *text;
	size_t		len;

	initStringInfo(&out);
	lyf_value_print(&out, value);
	text = out.data;
	len = out.len;
	LYF_TRY(to_server(cast, value, &text, &len));
	*datum = make_text(text, len);
	return NULL;
}

/* few digits, and at most three of an exponent: far from the limits of numeric */
static bool
is_moderate(const char *digits, size_t len)
{
	size_t		behind = 0;

	while (behind < len && (digits[len - behind - 1] | 0x20) != 'e')
		behind++;
	return len < 1000 && (behind == len || behind <= 4);
}

/*
 * Can it be jsonb for certain?  False for NUL characters, for numbers that numeric may not
 * hold, and for very much text.  *size counts an upper bound of the bytes.
 */
static bool
surely_jsonb(const LyfValue *value, int64 *size)
{
	*size += (int64) value->key_len + value->len + 16;
	if (*size > MAX_JSONB)
		return false;
	switch (value->kind)
	{
		case LYF_STRING:
			return (value->flags & LYF_FLAG_QUOTED) != 0 ||
				memchr(value->u.text, '\0', value->len) == NULL;
		case LYF_NUMBER:
			return (value->flags & LYF_FLAG_TEXT) == 0 || is_moderate(value->u.text, value->len);
		case LYF_LIST:
		case LYF_MAP:
			lyf_foreach(member, value)
			{
				if (member->key != NULL && memchr(member->key, '\0', member->key_len) != NULL)
					return false;
				if (!surely_jsonb(member, size))
					return false;
			}
			return true;
		default:
			return true;
	}
}

static Datum
make_jsonb(void *arg)
{
	return JsonbPGetDatum(lyf_value_to_jsonb(arg));
}

LyfFailure *
lyf_cast_jsonb(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	int64		size = 0;

	if (GetDatabaseEncoding() != PG_UTF8 || !surely_jsonb(value, &size) || size > LARGE_JSONB)
		return lyf_cast_guarded(cast, value, make_jsonb, unconstify(LyfValue *, value), datum);
	*datum = make_jsonb(unconstify(LyfValue *, value));
	return NULL;
}

/* one more than what a byte is as a hexadecimal digit, 0: it is none */
static const int8 hex_digits[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['A'] = 11, 12, 13, 14, 15, 16,
	['a'] = 11, 12, 13, 14, 15, 16,
};

/* 16 bytes from pairs of digits; gaps: are there hyphens between groups of them? */
static inline bool
read_pairs(const char *text, bool gaps, unsigned char *out)
{
	const unsigned char *p = (const unsigned char *) text;
	int			wrong = 0;		/* negative as soon as one digit is */

	for (int i = 0; i < UUID_LEN; i++, p += 2)
	{
		int			high;
		int			low;

		if (gaps && (i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
			return false;
		high = hex_digits[p[0]] - 1;
		low = hex_digits[p[1]] - 1;
		wrong |= high | low;
		out[i] = (unsigned char) ((unsigned int) high << 4 | (unsigned int) low);
	}
	return wrong >= 0;
}

bool
lyf_read_uuid(const char *text, size_t len, unsigned char *out)
{
	unsigned char bytes[UUID_LEN];

	if (out == NULL)
		out = bytes;
	return (len == 36 && read_pairs(text, true, out)) || (len == 32 && read_pairs(text, false, out));
}

LyfFailure *
lyf_cast_uuid(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (value->kind != LYF_STRING || !lyf_read_uuid(value->u.text, value->len, uuid->data))
		return lyf_cast_wrong(cast, value);
	*datum = UUIDPGetDatum(uuid);
	return NULL;
}
