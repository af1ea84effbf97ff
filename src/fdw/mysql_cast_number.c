/*
 * mysql_cast_number.c
 *		Numbers and bits of MySQL's text protocol to Datums.
 *
 * What does not look as the server sends numbers goes to lyf_mysql_cast_string, which reads
 * more and finds the words for what is wrong.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/varbit.h"

#include "base/numeric.h"
#include "fdw/mysql_cast.h"

/* a number of so many digits is an int64 */
#define SURE_DIGITS		18

/* an integer of few digits; false: it is another */
static inline bool
read_int(const char *text, size_t len, int64 *integer)
{
	const char *p = text;
	const char *end = text + len;
	bool		negative = *p == '-';
	int64		number = 0;

	p += negative;
	if (unlikely(p == end || end - p > SURE_DIGITS))
		return false;
	for (; p < end; p++)
	{
		unsigned char digit = (unsigned char) (*p - '0');

		if (unlikely(digit > 9))
			return false;
		number = number * 10 + digit;
	}
	*integer = negative ? -number : number;
	return true;
}

LyfFailure *
lyf_mysql_cast_int2(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		integer;

	if (unlikely(!read_int(text, len, &integer) || integer != (int16) integer))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	*datum = Int16GetDatum((int16) integer);
	return NULL;
}

LyfFailure *
lyf_mysql_cast_int4(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		integer;

	if (unlikely(!read_int(text, len, &integer) || integer != (int32) integer))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	*datum = Int32GetDatum((int32) integer);
	return NULL;
}

LyfFailure *
lyf_mysql_cast_int8(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		integer;

	if (unlikely(!read_int(text, len, &integer)))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	*datum = Int64GetDatum(integer);
	return NULL;
}

/* a number too large for the type is told by the slow way */
LyfFailure *
lyf_mysql_cast_float8(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	double		number = lyf_number_double(text, len);

	if (unlikely(!isfinite(number)))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	*datum = Float8GetDatum(number);
	return NULL;
}

/* the source's own FLOAT comes as a double that is one */
LyfFailure *
lyf_mysql_cast_float4(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	double		number = lyf_number_double(text, len);

	if (unlikely(!isfinite((float4) number) || ((float4) number == 0 && number != 0)))
		return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
	*datum = Float4GetDatum((float4) number);
	return NULL;
}

/* would a numeric(precision, scale) round the number?  Zeros behind it are no loss, nor are digits of what is not exact anyway. */
static bool
is_rounded(const char *text, size_t len, int32 typmod)
{
	const char *point = memchr(text, '.', len);
	int			scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;

	if (typmod < (int32) VARHDRSZ || point == NULL || memchr(text, 'e', len) != NULL)
		return false;
	for (const char *p = point + 1; p < text + len; p++)
	{
		if (*p != '0' && p - point > scale)
			return true;
	}
	return false;
}

LyfFailure *
lyf_mysql_cast_numeric(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	void	   *numeric = lyf_mysql_cast_room(cast, LYF_NUMERIC_ROOM(len));

	if (likely(lyf_numeric_make(text, len, field->typmod, numeric) > 0))
	{
		*datum = PointerGetDatum(numeric);
		return NULL;
	}
	if (field->kind != LYF_MY_DOUBLE && field->kind != LYF_MY_FLOAT && is_rounded(text, len, field->typmod))
		return lyf_mysql_cast_failure(field, text, len, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "has more digits behind the point than");
	return lyf_mysql_cast_string(cast, field, text, len, datum, isnull);
}

/* avg() is divided here, so that its digits are PostgreSQL's */
LyfFailure *
lyf_mysql_cast_quotient(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	const char *slash = memchr(text, '/', len);
	const char *count = slash + 1;
	Datum		operands[2];

	if (slash == NULL)
		return lyf_mysql_cast_numeric(cast, field, text, len, datum, isnull);
	LYF_TRY(lyf_mysql_cast_numeric(cast, field, text, slash - text, &operands[0], isnull));
	LYF_TRY(lyf_mysql_cast_numeric(cast, field, count, text + len - count, &operands[1], isnull));
	*datum = DirectFunctionCall2(numeric_div, operands[0], operands[1]);
	return NULL;
}

LyfFailure *
lyf_mysql_cast_truth(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int64		integer;

	if (likely(read_int(text, len, &integer) && (integer | 1) == 1))
	{
		*datum = BoolGetDatum(integer == 1);
		return NULL;
	}
	return lyf_failure_hint(lyf_mysql_cast_failure(field, text, len, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "is out of range for"),
							"Declare the column as smallint, as IMPORT FOREIGN SCHEMA does with the option tinyint1 'smallint'.");
}

/* the bits of a BIT, up to 64, the last one lowest */
static uint64
read_bits(const char *bytes, size_t len)
{
	uint64		bits = 0;

	for (size_t i = 0; i < len; i++)
		bits = bits << BITS_PER_BYTE | (unsigned char) bytes[i];
	return bits;
}

LyfFailure *
lyf_mysql_cast_bits_truth(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	*datum = BoolGetDatum(read_bits(text, len) != 0);
	return NULL;
}

LyfFailure *
lyf_mysql_cast_bits_number(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	char		digits[MAXINT8LEN + 1];

	return lyf_mysql_cast_string(cast, field, digits, pg_ulltoa_n(read_bits(text, len), digits), datum, isnull);
}

/* the server sends whole bytes with the bits at their end, PostgreSQL keeps them at the start */
LyfFailure *
lyf_mysql_cast_bits(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	int			width = field->precision;
	bool		fits = field->typmod < 0 || width == field->typmod || (width < field->typmod && field->type == VARBITOID);
	VarBit	   *varbit;
	uint64		bits;

	if (!fits || width <= 0 || width > len * BITS_PER_BYTE || len > sizeof(uint64))
		return lyf_failure(ERRCODE_STRING_DATA_LENGTH_MISMATCH, "%d bits do not fit type %s", width,
						   format_type_with_typemod(field->type, field->typmod));
	varbit = lyf_mysql_cast_room(cast, VARBITHDRSZ + sizeof(uint64));
	SET_VARSIZE(varbit, VARBITTOTALLEN(width));
	VARBITLEN(varbit) = width;
	bits = pg_hton64(read_bits(text, len) << (64 - width));
	memcpy(VARBITS(varbit), &bits, VARBITBYTES(varbit));
	*datum = VarBitPGetDatum(varbit);
	return NULL;
}
