/*
 * cast_number.c
 *		Values to booleans, integers, floats and numerics.
 *
 * A text is taken where it is a number and nothing else; a number with a fraction of
 * zeros is an integer.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/numeric.h"
#include "decode/decode_internal.h"

/* what numeric can hold */
#define MAX_DIGITS_BEFORE	131072
#define MAX_DIGITS_AFTER	16383

/* room for an int64 */
#define DIGITS	24

/* A number taken apart: 0.digits * 10^point */
typedef struct Decimal
{
	bool		negative;
	const char *digits;			/* from the first to the last that is not zero, maybe with a point among them */
	int			count;			/* of digits; 0: it is zero */
	int64		point;
	int64		after;			/* digits behind the point as written */
} Decimal;

/* is it a number as JSON has it (a + before it, or a point without digits on one side is fine too)? */
static bool
is_number(const char *text, size_t len)
{
	const char *p = text;
	const char *end = text + len;
	int			digits = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		digits++;
	if (p < end && *p == '.')
	{
		for (p++; p < end && *p >= '0' && *p <= '9'; p++)
			digits++;
	}
	if (digits == 0)
		return false;
	if (p < end && (*p | 0x20) == 'e')
	{
		p++;
		if (p < end && (*p == '-' || *p == '+'))
			p++;
		if (p == end)
			return false;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
	}
	return p == end && (end[-1] | 0x20) != 'e';
}

/* the digits of a number as the source has them (INT printed into buf); NULL: neither a number nor a text of one */
static const char *
get_digits(const LyfValue *value, char *buf, size_t *len)
{
	switch (value->kind)
	{
		case LYF_INT:
			*len = pg_lltoa(value->u.integer, buf);
			return buf;
		case LYF_NUMBER:
			*len = value->len;
			if ((value->flags & LYF_FLAG_TEXT) != 0)
				return value->u.text;
			if (!isfinite(value->u.number))
				return NULL;
			buf = lyf_value_to_text(value);
			*len = strlen(buf);
			return buf;
		case LYF_STRING:
			*len = value->len;
			return is_number(value->u.text, value->len) ? value->u.text : NULL;
		default:
			return NULL;
	}
}

/* the exponent behind an e, kept within bounds that are far beyond any type's */
static int64
read_exponent(const char *p, const char *end)
{
	bool		negative = p < end && *p == '-';
	int64		exponent = 0;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
		exponent = Min(exponent * 10 + (*p - '0'), 1000000000);
	return negative ? -exponent : exponent;
}

static void
read_decimal(const char *text, size_t len, Decimal *decimal)
{
	const char *end = text + len;
	const char *p = text;
	int64		before = 0;		/* digits before the point, leading zeros left out */
	int64		zeros = 0;		/* behind the last digit that is not zero */
	bool		point = false;

	memset(decimal, 0, sizeof(Decimal));
	decimal->negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	for (; p < end && (*p | 0x20) != 'e'; p++)
	{
		if (*p == '.')
		{
			point = true;
			continue;
		}
		if (point)
			decimal->after++;
		if (*p == '0' && decimal->count == 0)
		{
			before -= point;
			continue;
		}
		before += !point;
		if (decimal->count == 0)
			decimal->digits = p;
		decimal->count++;
		zeros = *p == '0' ? zeros + 1 : 0;
	}
	decimal->count -= zeros;
	decimal->point = before;
	if (p < end)
	{
		int64		exponent = read_exponent(p + 1, end);

		decimal->point += exponent;
		decimal->after = Max(decimal->after - exponent, 0);
	}
}

typedef enum Fit
{
	FITS, WRONG, TOO_LARGE
} Fit;

/* the integer that the digits are */
static Fit
decimal_to_int(const char *text, size_t len, int64 *integer)
{
	Decimal		decimal;
	uint64		size = 0;
	const char *p;

	read_decimal(text, len, &decimal);
	*integer = 0;
	if (decimal.count == 0)
		return FITS;
	if (decimal.point < decimal.count)
		return WRONG;
	if (decimal.point > 19)
		return TOO_LARGE;
	p = decimal.digits;
	for (int i = 0; i < decimal.point; i++)
	{
		if (i < decimal.count && *p == '.')
			p++;
		size = size * 10 + (i < decimal.count ? *p++ - '0' : 0);
	}
	if (size > (uint64) PG_INT64_MAX + decimal.negative)
		return TOO_LARGE;
	*integer = decimal.negative ? (int64) (0 - size) : (int64) size;
	return FITS;
}

static inline LyfFailure *
read_int(LyfCast *cast, const LyfValue *value, int64 min, int64 max, int64 *integer)
{
	char		buf[DIGITS];
	size_t		len;
	const char *digits;
	Fit			fit = FITS;

	if (likely(value->kind == LYF_INT))
		*integer = value->u.integer;
	else
	{
		digits = get_digits(value, buf, &len);
		fit = digits != NULL ? decimal_to_int(digits, len, integer) : WRONG;
	}
	if (fit == WRONG)
		return lyf_cast_wrong(cast, value);
	if (fit == TOO_LARGE || *integer < min || *integer > max)
		return lyf_cast_range(cast, value);
	return NULL;
}

LyfFailure *
lyf_cast_int2(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	int64		integer;

	LYF_TRY(read_int(cast, value, PG_INT16_MIN, PG_INT16_MAX, &integer));
	*datum = Int16GetDatum((int16) integer);
	return NULL;
}

LyfFailure *
lyf_cast_int4(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	int64		integer;

	LYF_TRY(read_int(cast, value, PG_INT32_MIN, PG_INT32_MAX, &integer));
	*datum = Int32GetDatum((int32) integer);
	return NULL;
}

LyfFailure *
lyf_cast_int8(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	int64		integer;

	LYF_TRY(read_int(cast, value, PG_INT64_MIN, PG_INT64_MAX, &integer));
	*datum = Int64GetDatum(integer);
	return NULL;
}

LyfFailure *
lyf_cast_bool(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	bool		boolean;

	if (value->kind == LYF_BOOL)
		boolean = value->u.boolean;
	else if (value->kind == LYF_INT && (value->u.integer | 1) == 1)
		boolean = value->u.integer == 1;
	else if (value->kind != LYF_STRING || value->len == 0 ||
			 !parse_bool_with_len(value->u.text, value->len, &boolean))
		return lyf_cast_wrong(cast, value);
	*datum = BoolGetDatum(boolean);
	return NULL;
}

/* has a number, of digits maybe with an exponent, a digit that is not 0? */
static bool
is_nonzero(const char *digits, size_t len)
{
	for (size_t i = 0; i < len && (digits[i] | 0x20) != 'e'; i++)
		if (digits[i] >= '1' && digits[i] <= '9')
			return true;
	return false;
}

/* a number too large or too small for a double is out of range, as for PostgreSQL's own input */
static LyfFailure *
read_float(LyfCast *cast, const LyfValue *value, double *number)
{
	LyfValue	digits = {.kind = LYF_NUMBER, .flags = LYF_FLAG_TEXT};
	char		buf[DIGITS];
	size_t		len;

	if (value->kind == LYF_NUMBER && (value->flags & LYF_FLAG_TEXT) == 0)
	{
		/* it may be not finite, and may stay so */
		*number = value->u.number;
		return NULL;
	}
	if (value->kind == LYF_INT)
	{
		*number = (double) value->u.integer;
		return NULL;
	}
	digits.u.text = get_digits(value, buf, &len);
	if (digits.u.text == NULL)
		return lyf_cast_wrong(cast, value);
	digits.len = len;
	*number = lyf_value_double(&digits);
	if (!isfinite(*number) || (*number == 0 && is_nonzero(digits.u.text, len)))
		return lyf_cast_range(cast, value);
	return NULL;
}

LyfFailure *
lyf_cast_float8(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	double		number;

	LYF_TRY(read_float(cast, value, &number));
	*datum = Float8GetDatum(number);
	return NULL;
}

LyfFailure *
lyf_cast_float4(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	double		number;

	LYF_TRY(read_float(cast, value, &number));
	if (isfinite(number) && (!isfinite((float4) number) || (number != 0 && (float4) number == 0)))
		return lyf_cast_range(cast, value);
	*datum = Float4GetDatum((float4) number);
	return NULL;
}

/* What numeric_in is called with, where it may raise. */
typedef struct NumericInput
{
	char	   *digits;
	int32		typmod;
} NumericInput;

static Datum
call_numeric_in(void *arg)
{
	NumericInput *input = arg;

	return DirectFunctionCall3(numeric_in, CStringGetDatum(input->digits),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(input->typmod));
}

/*
 * Does it surely fit a numeric(precision, scale)?  There is less than the digits that are
 * allowed before the point, so that rounding cannot make one too many.
 */
static bool
surely_fits(const Decimal *decimal, int32 typmod)
{
	int			precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	int			scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;

	return typmod < (int32) VARHDRSZ || decimal->point < precision - scale;
}

/* a value that is too large for the column is found by numeric_in; no other raises in it */
LyfFailure *
lyf_cast_numeric(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	char		buf[DIGITS];
	size_t		len;
	const char *digits;
	Decimal		decimal;
	NumericInput input;
	void	   *numeric;

	if (value->kind == LYF_INT && cast->typmod < (int32) VARHDRSZ)
	{
		*datum = NumericGetDatum(int64_to_numeric(value->u.integer));
		return NULL;
	}
	digits = get_digits(value, buf, &len);
	if (digits == NULL)
		return lyf_cast_wrong(cast, value);
	numeric = palloc(LYF_NUMERIC_ROOM(len));
	if (lyf_numeric_make(digits, len, cast->typmod, numeric) > 0)
	{
		*datum = PointerGetDatum(numeric);
		return NULL;
	}
	read_decimal(digits, len, &decimal);
	if (decimal.point > MAX_DIGITS_BEFORE || decimal.after > MAX_DIGITS_AFTER)
	{
		if (decimal.count > 0)
			return lyf_cast_range(cast, value);
		/* no exponent makes more of zero */
		*datum = NumericGetDatum(int64_to_numeric(0));
		return NULL;
	}
	input.digits = pnstrdup(digits, len);
	input.typmod = cast->typmod;
	if (!surely_fits(&decimal, cast->typmod))
		return lyf_cast_guarded(cast, value, call_numeric_in, &input, datum);
	*datum = call_numeric_in(&input);
	return NULL;
}
