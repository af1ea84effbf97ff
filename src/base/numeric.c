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

/* the short form's header */
#define SHORT_FORM		0x8000
#define SHORT_NEGATIVE	0x2000
#define SCALE_SHIFT		7
#define MAX_SCALE		63
#define MAX_WEIGHT		63
#define WEIGHT_BITS		0x7F

#define DIGIT_WIDTH		4		/* decimal digits in one of base 10000 */

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

Size
lyf_numeric_make(const char *text, size_t len, int32 typmod, void *room)
{
	uint16	   *header = (uint16 *) ((char *) room + VARHDRSZ);
	int16	   *digits = (int16 *) (header + 1);
	int16	   *first = digits;
	int16	   *end;
	Plain		plain;
	int			scale;
	int			weight;

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
	if (first == end)
		*header = SHORT_FORM | scale << SCALE_SHIFT;
	else
		*header = SHORT_FORM | (plain.negative ? SHORT_NEGATIVE : 0) | scale << SCALE_SHIFT | (weight & WEIGHT_BITS);
	if (first != digits)
		memmove(digits, first, (char *) end - (char *) first);
	SET_VARSIZE(room, VARHDRSZ + sizeof(uint16) + ((char *) end - (char *) first));
	return VARSIZE(room);
}
