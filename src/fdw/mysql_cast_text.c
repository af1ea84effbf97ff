/*
 * mysql_cast_text.c
 *		Text and bytes of MySQL's text protocol to Datums.
 *
 * The session speaks utf8mb4.  Which bytes that allows is not what PostgreSQL allows: no
 * server stops NUL characters, and some let surrogates in.  So all text is verified.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "fdw/mysql_cast.h"

/* the longest text with a one-byte header */
#define MAX_SHORT	(VARATT_SHORT_MAX - VARHDRSZ_SHORT)

/* what the server puts before a geometry */
#define SRID_BYTES	4

static inline bool
has_zero_or_high_byte(uint64 word)
{
	return (((word - UINT64CONST(0x0101010101010101)) | word) & UINT64CONST(0x8080808080808080)) != 0;
}

/* is it all of ASCII, without a NUL?  May say no for what is. */
static inline bool
is_plain(const char *text, size_t len)
{
	const char *last = text + len - sizeof(uint64);
	uint64		word;

	if (len < sizeof(word))
	{
		for (size_t i = 0; i < len; i++)
		{
			if (text[i] == '\0' || IS_HIGHBIT_SET(text[i]))
				return false;
		}
		return true;
	}
	for (; text < last; text += sizeof(word))
	{
		memcpy(&word, text, sizeof(word));
		if (has_zero_or_high_byte(word))
			return false;
	}
	memcpy(&word, last, sizeof(word));
	return !has_zero_or_high_byte(word);
}

static pg_noinline LyfFailure *
invalid_text(const LyfMysqlCastField *field, const char *text, size_t len, size_t valid)
{
	LyfFailure *failure;

	if (text[valid] == '\0')
		return lyf_failure(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "the text has a NUL character, which PostgreSQL cannot keep");
	failure = lyf_failure(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "the bytes are no text in UTF-8: 0x%02x at offset %zu",
						  (unsigned char) text[valid], valid);
	if (field->kind == LYF_MY_BYTES)
		lyf_failure_hint(failure, "Declare the column as bytea.");
	return failure;
}

static void
name_converted(void *arg)
{
	const LyfMysqlCastField *field = arg;

	errcontext("column \"%s\"", field->name);
}

/* a character that the database's encoding does not have is an error that PostgreSQL raises */
static void
convert(LyfMysqlCastField *field, const char **text, size_t *len)
{
	ErrorContextCallback context = {.previous = error_context_stack, .callback = name_converted, .arg = field};
	const char *converted;

	error_context_stack = &context;
	converted = pg_any_to_server(*text, *len, PG_UTF8);
	error_context_stack = context.previous;
	if (converted != *text)
	{
		*text = converted;
		*len = strlen(converted);
	}
}

static pg_noinline LyfFailure *
verify(LyfMysqlCastField *field, const char **text, size_t *len)
{
	size_t		valid = pg_encoding_verifymbstr(PG_UTF8, *text, *len);

	if (valid < *len)
		return invalid_text(field, *text, *len, valid);
	if (GetDatabaseEncoding() != PG_UTF8 && GetDatabaseEncoding() != PG_SQL_ASCII)
		convert(field, text, len);
	return NULL;
}

/* verified, and in the database's encoding */
static inline LyfFailure *
to_server(LyfMysqlCastField *field, const char **text, size_t *len)
{
	return likely(is_plain(*text, *len)) ? NULL : verify(field, text, len);
}

/* bytes with the shortest header */
static inline Datum
make_varlena(LyfMysqlCast *cast, const char *bytes, size_t len)
{
	char	   *datum = lyf_mysql_cast_room(cast, len + VARHDRSZ);

	if (len <= MAX_SHORT)
	{
		SET_VARSIZE_SHORT(datum, len + VARHDRSZ_SHORT);
		memcpy(VARDATA_SHORT(datum), bytes, len);
	}
	else
	{
		SET_VARSIZE(datum, len + VARHDRSZ);
		memcpy(VARDATA(datum), bytes, len);
	}
	return PointerGetDatum(datum);
}

LyfFailure *
lyf_mysql_cast_text(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	LYF_TRY(to_server(field, &text, &len));
	*datum = make_varlena(cast, text, len);
	return NULL;
}

/* blanks too many are no less of a loss than letters */
LyfFailure *
lyf_mysql_cast_varchar(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int			max = field->typmod - VARHDRSZ;

	LYF_TRY(to_server(field, &text, &len));
	if (unlikely(len > max && max >= 0 && pg_mbstrlen_with_len(text, len) > max))
		return lyf_mysql_cast_failure(field, text, len, ERRCODE_STRING_DATA_RIGHT_TRUNCATION, "is too long for");
	*datum = make_varlena(cast, text, len);
	return NULL;
}

LyfFailure *
lyf_mysql_cast_bytes(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	*datum = make_varlena(cast, text, len);
	return NULL;
}

/* not by ST_AsWKB, which turns the axes of some coordinate systems */
LyfFailure *
lyf_mysql_cast_wkb(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	if (len < SRID_BYTES)
		return lyf_failure(ERRCODE_INVALID_BINARY_REPRESENTATION, "%zu bytes are no geometry", len);
	*datum = make_varlena(cast, text + SRID_BYTES, len - SRID_BYTES);
	return NULL;
}

/* labels of a SET have no comma */
LyfFailure *
lyf_mysql_cast_set(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	Datum	   *labels;
	int			count = 0;
	const char *end;

	LYF_TRY(to_server(field, &text, &len));
	end = text + len;
	labels = palloc((len + 1) * sizeof(Datum));
	while (len > 0)
	{
		const char *comma = memchr(text, ',', end - text);
		size_t		label = (comma ? comma : end) - text;

		labels[count++] = make_varlena(cast, text, label);
		if (comma == NULL)
			break;
		text = comma + 1;
	}
	*datum = PointerGetDatum(construct_array(labels, count, TEXTOID, -1, false, TYPALIGN_INT));
	return NULL;
}

LyfFailure *
lyf_mysql_cast_uuid(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	pg_uuid_t  *uuid;

	if (len != UUID_LEN)
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	uuid = lyf_mysql_cast_room(cast, sizeof(pg_uuid_t));
	memcpy(uuid->data, text, UUID_LEN);
	*datum = UUIDPGetDatum(uuid);
	return NULL;
}

static void
look_up_input(LyfMysqlCast *cast, LyfMysqlCastField *field)
{
	Oid			input;

	getTypeInputInfo(field->type, &input, &field->typioparam);
	fmgr_info_cxt(input, &field->input, cast->cxt);
}

/* what the input function raises gets the column's name as its context */
LyfFailure *
lyf_mysql_cast_other(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	ErrorContextCallback context = {.previous = error_context_stack, .callback = name_converted, .arg = field};

	LYF_TRY(to_server(field, &text, &len));
	error_context_stack = &context;
	if (!OidIsValid(field->input.fn_oid))
		look_up_input(cast, field);
	*datum = InputFunctionCall(&field->input, unconstify(char *, text), field->typioparam, field->typmod);
	error_context_stack = context.previous;
	return NULL;
}
