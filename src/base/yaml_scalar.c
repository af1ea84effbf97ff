/*
 * yaml_scalar.c
 *		What a scalar of YAML 1.1 is: the forms of PyYAML's resolver.
 *
 * Each form has a function that reads the whole text or says that it is of
 * another form.  Dates and times become the text that Python prints them as.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "utils/datetime.h"

#include "base/document_internal.h"

/* what a function of a form answers */
typedef enum Form
{
	NO_MATCH,
	MATCH,
	BROKEN						/* the form, but no value: 2024-13-45 */
} Form;

/* longer ones are no numbers or dates that anybody meant */
#define MAX_SCALAR	400

static Form
done(json_t **json, json_t *value)
{
	*json = value;
	return value != NULL ? MATCH : BROKEN;
}

static bool
is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static Form
read_bool(const char *text, json_t **json)
{
	static const char *const yes[] = {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL};
	static const char *const no[] = {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", NULL};

	if (is_one_of(text, yes))
		return done(json, json_true());
	if (is_one_of(text, no))
		return done(json, json_false());
	return NO_MATCH;
}

static Form
read_null(const char *text, json_t **json)
{
	static const char *const words[] = {"~", "null", "Null", "NULL", "", NULL};

	return is_one_of(text, words) ? done(json, json_null()) : NO_MATCH;
}

/* the digits without underscores */
static char *
strip_underscores(const char *text, char *out)
{
	char	   *end = out;

	for (; *text != '\0'; text++)
	{
		if (*text != '_')
			*end++ = *text;
	}
	*end = '\0';
	return out;
}

/* digits of a base; beyond int64 it becomes a double */
static Form
make_int(const char *digits, int base, bool negative, json_t **json)
{
	double		approximate = base == 10 ? strtod(digits, NULL) : 0;
	int64		exact = 0;
	bool		overflow = false;

	if (*digits == '\0')
		return BROKEN;
	for (; *digits != '\0'; digits++)
	{
		int			digit = *digits <= '9' ? *digits - '0' : (*digits | 0x20) - 'a' + 10;

		if (base != 10)
			approximate = approximate * base + digit;
		overflow = overflow || exact > (PG_INT64_MAX - digit) / base;
		if (!overflow)
			exact = exact * base + digit;
	}
	if (overflow)
		return done(json, json_real(negative ? -approximate : approximate));
	return done(json, json_integer(negative ? -exact : exact));
}

/* 1:30:00, with a fraction in the last part if fraction; -1 if it is not in that form */
static double
read_sexagesimal(const char *text, bool fraction)
{
	double		total = 0;
	bool		first = true;

	for (;;)
	{
		size_t		digits = strspn(text, first ? "0123456789_" : "0123456789");
		char		part[MAX_SCALAR + 1];
		double		number;

		if (digits == 0 || *text == '_' || (!first && digits > 2) ||
			(!first && digits == 2 && *text > '5'))
			return -1;
		memcpy(part, text, digits);
		part[digits] = '\0';
		number = strtod(strip_underscores(part, part), NULL);
		total = total * 60 + number;
		text += digits;
		if (*text != ':')
			break;
		text++;
		first = false;
	}
	if (first)
		return -1;
	if (fraction && *text == '.')
	{
		char		digits[MAX_SCALAR + 1];

		if (text[1 + strspn(text + 1, "0123456789_")] != '\0')
			return -1;
		return total + strtod(strip_underscores(text, digits), NULL);
	}
	return *text == '\0' && !fraction ? total : -1;
}

static Form
read_int(const char *text, json_t **json)
{
	bool		negative = *text == '-';
	char		digits[MAX_SCALAR + 1];
	double		total;

	if (*text == '-' || *text == '+')
		text++;
	if (strcmp(text, "0") == 0)
		return done(json, json_integer(0));
	if (text[0] == '0' && (text[1] == 'b' || text[1] == 'x'))
	{
		const char *allowed = text[1] == 'b' ? "01_" : "0123456789abcdefABCDEF_";

		if (text[2] == '\0' || text[2 + strspn(text + 2, allowed)] != '\0')
			return NO_MATCH;
		return make_int(strip_underscores(text + 2, digits), text[1] == 'b' ? 2 : 16, negative, json);
	}
	if (text[0] == '0')
	{
		if (text[strspn(text, "01234567_")] != '\0')
			return NO_MATCH;
		return make_int(strip_underscores(text, digits), 8, negative, json);
	}
	if (*text < '1' || *text > '9')
		return NO_MATCH;
	if (text[strspn(text, "0123456789_")] == '\0')
		return make_int(strip_underscores(text, digits), 10, negative, json);
	total = read_sexagesimal(text, false);
	if (total < 0)
		return NO_MATCH;
	return done(json, total < 9e18 ? json_integer(negative ? -(int64) total : (int64) total) :
				json_real(negative ? -total : total));
}

/* not finite: JSON has no number for it, so Python's text of it */
static Form
make_float(double number, json_t **json)
{
	if (isnan(number))
		return done(json, json_string("nan"));
	if (isinf(number))
		return done(json, json_string(number < 0 ? "-inf" : "inf"));
	return done(json, json_real(number));
}

/* [0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?, or beginning with the point */
static bool
is_decimal(const char *text)
{
	if (*text == '.')
	{
		if (!isdigit((unsigned char) text[1]))
			return false;
	}
	else if (!isdigit((unsigned char) *text))
		return false;
	text += strspn(text, "0123456789_");
	if (*text != '.')
		return false;
	text++;
	text += strspn(text, "0123456789_");
	if (*text == 'e' || *text == 'E')
	{
		text++;
		if ((*text != '-' && *text != '+') || !isdigit((unsigned char) text[1]))
			return false;
		text++;
		text += strspn(text, "0123456789");
	}
	return *text == '\0';
}

static Form
read_float(const char *text, json_t **json)
{
	static const char *const infinity[] = {".inf", ".Inf", ".INF", NULL};
	static const char *const not_a_number[] = {".nan", ".NaN", ".NAN", NULL};
	bool		negative = *text == '-';
	bool		sign = negative || *text == '+';
	char		digits[MAX_SCALAR + 1];
	double		number;

	if (!sign && is_one_of(text, not_a_number))
		return make_float(NAN, json);
	if (sign)
		text++;
	if (is_one_of(text, infinity))
		return make_float(negative ? -INFINITY : INFINITY, json);
	if (is_decimal(text) && !(sign && *text == '.'))
		number = strtod(strip_underscores(text, digits), NULL);
	else
	{
		number = read_sexagesimal(text, true);
		if (number < 0)
			return NO_MATCH;
	}
	return make_float(negative ? -number : number, json);
}

/* between min and max digits at *text as a number, *text moves on; -1 if there are not so many */
static int
read_digits(const char **text, int min, int max)
{
	int			count = 0;
	int			number = 0;

	while (count < max && isdigit((unsigned char) **text))
	{
		number = number * 10 + (*(*text)++ - '0');
		count++;
	}
	return count < min ? -1 : number;
}

static bool
read_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

typedef struct Moment
{
	int			year,
				month,
				day;
	int			hour,
				minute,
				second;
	int			microsecond;
	char		sign;			/* of the zone, 'Z', or 0: none */
	int			zone_hour,
				zone_minute;
} Moment;

static bool
read_fraction(const char **text, int *microsecond)
{
	int			weight = 100000;

	if (!read_char(text, '.'))
		return true;
	for (; isdigit((unsigned char) **text); (*text)++)
	{
		*microsecond += (**text - '0') * weight;
		weight /= 10;
	}
	return true;
}

/* Z, +h, +hh, +hh:mm, with blanks before, or nothing; then the end */
static bool
read_zone(const char *text, Moment *t)
{
	const char *start = text;

	text += strspn(text, " \t");
	if (*text == '\0')
		return text == start;
	t->sign = *text++;
	if (t->sign == 'Z')
		return *text == '\0';
	if (t->sign != '+' && t->sign != '-')
		return false;
	t->zone_hour = read_digits(&text, 1, 2);
	if (t->zone_hour < 0)
		return false;
	if (read_char(&text, ':') && (t->zone_minute = read_digits(&text, 2, 2)) < 0)
		return false;
	return *text == '\0';
}

static bool
read_time(const char *text, Moment *t)
{
	if (*text == 'T' || *text == 't')
		text++;
	else if (*text == ' ' || *text == '\t')
		text += strspn(text, " \t");
	else
		return false;
	return (t->hour = read_digits(&text, 1, 2)) >= 0 && read_char(&text, ':') &&
		(t->minute = read_digits(&text, 2, 2)) >= 0 && read_char(&text, ':') &&
		(t->second = read_digits(&text, 2, 2)) >= 0 &&
		read_fraction(&text, &t->microsecond) && read_zone(text, t);
}

static bool
is_valid_time(const Moment *t)
{
	return t->year >= 1 && t->month >= 1 && t->month <= MONTHS_PER_YEAR && t->day >= 1 &&
		t->day <= day_tab[isleap(t->year)][t->month - 1] &&
		t->hour < 24 && t->minute < 60 && t->second < 60 &&
		t->zone_hour * 60 + t->zone_minute < 24 * 60;
}

static Form
read_timestamp(const char *text, json_t **json)
{
	Moment	t = {0};
	const char *start = text;
	char		out[80];
	int			len;

	t.year = read_digits(&text, 4, 4);
	if (t.year < 0 || !read_char(&text, '-') ||
		(t.month = read_digits(&text, 1, 2)) < 0 || !read_char(&text, '-') ||
		(t.day = read_digits(&text, 1, 2)) < 0)
		return NO_MATCH;
	if (*text == '\0')
	{
		if (text - start != 10)
			return NO_MATCH;
		return is_valid_time(&t) ? done(json, json_string(start)) : BROKEN;
	}
	if (!read_time(text, &t))
		return NO_MATCH;
	if (!is_valid_time(&t))
		return BROKEN;
	len = snprintf(out, sizeof(out), "%04d-%02d-%02d %02d:%02d:%02d",
				   t.year, t.month, t.day, t.hour, t.minute, t.second);
	if (t.microsecond != 0)
		len += snprintf(out + len, sizeof(out) - len, ".%06d", t.microsecond);
	if (t.zone_hour == 0 && t.zone_minute == 0 && t.sign != 0)
		t.sign = '+';
	if (t.sign != 0)
		snprintf(out + len, sizeof(out) - len, "%c%02d:%02d", t.sign,
				 t.zone_hour + t.zone_minute / 60, t.zone_minute % 60);
	return done(json, json_string(out));
}

/* !!float says so, so that 1 and 1e3 are floats too */
static Form
read_tagged_float(const char *text, json_t **json)
{
	char		digits[MAX_SCALAR + 1];
	char	   *end;
	double		number;
	Form		form = read_float(text, json);

	if (form != NO_MATCH)
		return form;
	number = strtod(strip_underscores(text, digits), &end);
	return *digits == '\0' || *end != '\0' ? NO_MATCH : make_float(number, json);
}

static Form
read_any_as_null(const char *text, json_t **json)
{
	return done(json, json_null());
}

typedef Form (*ReadForm) (const char *text, json_t **json);

/* in the order in which they are tried for a plain scalar */
static const ReadForm plain_forms[] = {read_bool, read_float, read_int, read_null, read_timestamp};

static const ReadForm tagged_forms[] = {
	[LYF_YAML_INT] = read_int,
	[LYF_YAML_FLOAT] = read_tagged_float,
	[LYF_YAML_BOOL] = read_bool,
	[LYF_YAML_NULL] = read_any_as_null,
	[LYF_YAML_TIMESTAMP] = read_timestamp
};

json_t *
lyf_yaml_scalar(const char *text, size_t len, LyfYamlTag tag)
{
	json_t	   *json = NULL;
	bool		maybe_typed = len <= MAX_SCALAR && strlen(text) == len;

	if (tag == LYF_YAML_STR || (tag == LYF_YAML_PLAIN && !maybe_typed))
		return json_stringn(text, len);
	if (tag != LYF_YAML_PLAIN)
		return maybe_typed && tagged_forms[tag] (text, &json) == MATCH ? json : NULL;
	for (int i = 0; i < lengthof(plain_forms); i++)
	{
		Form		form = plain_forms[i] (text, &json);

		if (form != NO_MATCH)
			return form == MATCH ? json : NULL;
	}
	return json_stringn(text, len);
}
