/*
 * numeric.c
 *		Decimal digits straight to PostgreSQL's numeric, as it is stored.
 *
 * A numeric on disk is a header and digits of base 10000, the first one worth
 * 10000^weight, without zeros at either end.  All that comes from a decimal column of any
 * database fits the short form of the header: sign, digits to show behind the point, and
 * weight in 16 bits.  The form is what pg_upgrade keeps from one version to the next.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/numeric.h"
#include "base/value.h"

/* the short form's header */
#define SHORT_FORM		0x8000
#define SHORT_NEGATIVE	0x2000
#define SCALE_SHIFT		7
#define MAX_SCALE		63
#define MAX_WEIGHT		63
#define WEIGHT_BITS		0x7F

#define DIGIT_WIDTH		4		/* decimal digits in one of base 10000 */
#define BASE			10000

/* numbers of so many digits are made of an int64, which holds three more */
#define SMALL_DIGITS	15

static const int64 powers[SMALL_DIGITS + 1] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, INT64CONST(1000000000), INT64CONST(10000000000),
	INT64CONST(100000000000), INT64CONST(1000000000000), INT64CONST(10000000000000), INT64CONST(100000000000000),
	INT64CONST(1000000000000000)
};

/* A text taken apart. */
typedef struct Plain
{
	bool		negative;
	const char *before;			/* digits before the point, without leading zeros */
	int			before_len;
	const char *after;
	int			after_len;
} Plain;

static inline const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && (unsigned char) (*p - '0') <= 9)
		p++;
	return p;
}

static inline bool
take_apart(const char *text, size_t len, Plain *plain)
{
	const char *p = text;
	const char *end = text + len;
	int			digits;

	plain->negative = len > 0 && *p == '-';
	p += plain->negative;
	digits = end - p;
	while (p < end && *p == '0')
		p++;
	plain->before = p;
	p = skip_digits(p, end);
	plain->before_len = p - plain->before;
	plain->after = p;
	plain->after_len = 0;
	if (p < end && *p == '.')
	{
		plain->after = ++p;
		digits--;
		p = skip_digits(p, end);
		plain->after_len = p - plain->after;
	}
	return p == end && digits > 0;
}

/* does it fit the type without a digit lost?  *scale is how many are shown behind the point */
static inline bool
fits(Plain *plain, int32 typmod, int *scale)
{
	int			precision;

	*scale = plain->after_len;
	if (typmod < (int32) VARHDRSZ)
		return true;
	precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	*scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	if (*scale < 0 || plain->before_len > precision - *scale)
		return false;
	for (; plain->after_len > *scale; plain->after_len--)
	{
		if (plain->after[plain->after_len - 1] != '0')
			return false;
	}
	return true;
}

/* up to four digits as a number */
static inline int16
read_digits(const char *p, int count)
{
	int			number = 0;

	for (int i = 0; i < count; i++)
		number = number * 10 + (p[i] - '0');
	return number;
}

/* digits of base 10000, zeros at the ends included; the end */
static inline int16 *
make_digits(const Plain *plain, int16 *out)
{
	static const int16 missing[] = {1, 1000, 100, 10};
	int			first = plain->before_len % DIGIT_WIDTH;
	int			last = plain->after_len % DIGIT_WIDTH;
	int			i;

	if (first > 0)
		*out++ = read_digits(plain->before, first);
	for (i = first; i < plain->before_len; i += DIGIT_WIDTH)
		*out++ = read_digits(plain->before + i, DIGIT_WIDTH);
	for (i = 0; i < plain->after_len - last; i += DIGIT_WIDTH)
		*out++ = read_digits(plain->after + i, DIGIT_WIDTH);
	if (last > 0)
		*out++ = read_digits(plain->after + i, last) * missing[last];
	return out;
}

/* header and length of the digits from first to end, which are moved to their place */
static inline Size
finish(void *room, int16 *first, int16 *end, int weight, int scale, bool negative)
{
	uint16	   *header = (uint16 *) ((char *) room + VARHDRSZ);
	int16	   *digits = (int16 *) (header + 1);
	Size		size = (char *) end - (char *) first;

	*header = SHORT_FORM | scale << SCALE_SHIFT;
	if (size > 0)
		*header |= (negative ? SHORT_NEGATIVE : 0) | (weight & WEIGHT_BITS);
	if (first != digits)
		memmove(digits, first, size);
	SET_VARSIZE(room, VARHDRSZ + sizeof(uint16) + size);
	return VARHDRSZ + sizeof(uint16) + size;
}

/* does digits * 10^-scale fit numeric(typmod) without a change?  *shown: digits behind its point.  May say no for what does. */
static inline bool
small_fits(int64 digits, int scale, int32 typmod, int *shown)
{
	int			precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	int			before;

	*shown = scale;
	if (typmod < (int32) VARHDRSZ)
		return true;
	*shown = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	before = precision - *shown;
	if (scale > *shown || before < 0)
		return false;
	return before + scale >= SMALL_DIGITS || digits < powers[before + scale];
}

/* a number of few digits, not zero: by dividing an integer */
static inline Size
make_small(int64 integer, int scale, int32 typmod, void *room)
{
	int16		digits[SMALL_DIGITS / DIGIT_WIDTH + 2];
	int16	   *end = digits + lengthof(digits);
	int16	   *first = end;
	int64		rest = llabs(integer);
	int			weight = -((scale + DIGIT_WIDTH - 1) / DIGIT_WIDTH);
	int			shown;

	if (!small_fits(rest, scale, typmod, &shown) || shown > MAX_SCALE)
		return 0;
	rest *= powers[-weight * DIGIT_WIDTH - scale];
	for (; rest > 0; rest /= BASE, weight++)
		*--first = rest % BASE;
	while (end > first && end[-1] == 0)
		end--;
	return finish(room, first, end, weight - 1, shown, integer < 0);
}

Size
lyf_numeric_make(const char *text, size_t len, int32 typmod, void *room)
{
	int16	   *digits = (int16 *) ((char *) room + VARHDRSZ + sizeof(uint16));
	int16	   *first = digits;
	int16	   *end;
	int64		integer;
	Plain		plain;
	int			scale;
	int			weight;
	Size		size;

	if (lyf_plain_decimal(text, len, &integer, &scale) && integer != 0 && llabs(integer) < powers[SMALL_DIGITS])
	{
		size = make_small(integer, scale, typmod, room);
		if (likely(size > 0))
			return size;
	}
	if (!take_apart(text, len, &plain) || !fits(&plain, typmod, &scale))
		return 0;
	weight = (plain.before_len + DIGIT_WIDTH - 1) / DIGIT_WIDTH - 1;
	if (scale > MAX_SCALE || weight > MAX_WEIGHT)
		return 0;

	end = make_digits(&plain, digits);
	while (end > first && end[-1] == 0)
		end--;
	for (; first < end && *first == 0; first++)
		weight--;
	return finish(room, first, end, weight, scale, plain.negative);
}
