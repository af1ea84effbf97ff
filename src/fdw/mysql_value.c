/*
 * mysql_value.c
 *		Values in the text of a query, as constants or at places that are filled when it runs.
 *
 * A place behind a comparison has the operator with the value, since the server cannot be given
 * every value.  One that lies beyond all that the other side can be (NaN, infinity, dates
 * BC) makes the comparison true, or false, whatever is there.  One that lies between two
 * neighbours of the other side (1.5 for an integer, a half second for a DATETIME(0)) is
 * replaced by the lower one and an operator that says the same: the server would round it
 * where an index serves.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/varbit.h"

#include "fdw/mysql_term.h"

#define PLACE_MARK		'\xFF'

/* TIME goes so far, MariaDB's with parts of the second up to the next one */
#define MAX_SPAN		((838 * 60 + 59) * (int64) 60 + 59) * USECS_PER_SEC

/* Where a value lies among those that the other side can be. */
typedef enum Position
{
	EXACT,						/* it is one of them */
	BETWEEN,					/* it was replaced by the next lower one */
	BELOW,						/* of all */
	ABOVE,						/* of all */
	MISSING						/* only some servers have it */
} Position;

/* find it; may change the type with the value */
typedef Position (*Locate) (const LyfPlace *place, Oid *type, Datum *value);

static const char *const operators[] = {
	[LYF_PLACE_OPERAND] = "",
	[LYF_PLACE_EQUAL] = "= ",
	[LYF_PLACE_UNEQUAL] = "<> ",
	[LYF_PLACE_LESS] = "< ",
	[LYF_PLACE_LESS_EQUAL] = "<= ",
	[LYF_PLACE_GREATER] = "> ",
	[LYF_PLACE_GREATER_EQUAL] = ">= ",
	[LYF_PLACE_SAME] = "<=> ",
	[LYF_PLACE_IN] = "IN (",
	[LYF_PLACE_NOT_IN] = "NOT IN (",
	[LYF_PLACE_LIMIT] = "",
	[LYF_PLACE_OFFSET] = ""
};

static Position
locate_float8(const LyfPlace *place, Oid *type, Datum *value)
{
	double		number = DatumGetFloat8(*value);

	if (isnan(number))
		return ABOVE;
	return isinf(number) ? (number < 0 ? BELOW : ABOVE) : EXACT;
}

static Position
locate_float4(const LyfPlace *place, Oid *type, Datum *value)
{
	*value = Float8GetDatum((double) DatumGetFloat4(*value));
	*type = FLOAT8OID;
	return locate_float8(place, type, value);
}

/* the greatest number of this scale that is not above the value */
static Datum
floor_numeric(Datum value, int scale)
{
	Datum		result = DirectFunctionCall2(numeric_trunc, value, Int32GetDatum(scale));
	Datum		unit;

	if (!DatumGetBool(DirectFunctionCall2(numeric_gt, result, value)))
		return result;
	unit = DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("1e-%d", scale)), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return DirectFunctionCall2(numeric_sub, result, unit);
}

static Position
locate_numeric(const LyfPlace *place, Oid *type, Datum *value)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, *value));
	bool		negative = digits[0] == '-';
	int			before = strspn(digits + negative, "0123456789");
	const char *point = strchr(digits, '.');
	int			scale = Min(Min(place->scale, point ? strlen(point + 1) : 0), Min(LYF_MYSQL_SCALE, LYF_MYSQL_DIGITS - before));
	Datum		floor;
	bool		exact;

	/* Infinity and NaN have no digits */
	if (before == 0 || before > LYF_MYSQL_DIGITS)
		return negative ? BELOW : ABOVE;
	floor = floor_numeric(*value, scale);
	exact = DatumGetBool(DirectFunctionCall2(numeric_eq, floor, *value));
	*value = floor;
	return exact ? EXACT : BETWEEN;
}

/* the greatest multiple of unit that is not above the value */
static int64
floor_to(int64 value, int64 unit)
{
	int64		rest = value % unit;

	return value - (rest < 0 ? rest + unit : rest);
}

/* in microseconds */
static int64
time_unit(const LyfPlace *place)
{
	int64		unit = USECS_PER_SEC;

	if (place->kind == LYF_TERM_DATE)
		return USECS_PER_DAY;
	for (int i = 0; i < Min(place->scale, MAX_TIMESTAMP_PRECISION); i++)
		unit /= 10;
	return unit;
}

static Position
locate_date(const LyfPlace *place, Oid *type, Datum *value)
{
	DateADT		date = DatumGetDateADT(*value);

	if (DATE_IS_NOBEGIN(date) || date < date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE)
		return BELOW;
	return DATE_IS_NOEND(date) || date >= date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE ? ABOVE : EXACT;
}

static Position
locate_timestamp(const LyfPlace *place, Oid *type, Datum *value)
{
	Timestamp	moment = DatumGetTimestamp(*value);
	Timestamp	floor;

	if (moment < (date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)
		return BELOW;
	if (moment >= (date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)
		return ABOVE;
	floor = floor_to(moment, time_unit(place));
	*value = TimestampGetDatum(floor);
	return floor == moment ? EXACT : BETWEEN;
}

static Position
locate_time(const LyfPlace *place, Oid *type, Datum *value)
{
	TimeADT		time = DatumGetTimeADT(*value);
	TimeADT		floor = floor_to(time, time_unit(place));

	*value = TimeADTGetDatum(floor);
	return floor == time ? EXACT : BETWEEN;
}

/* intervals compare as if months had 30 days and days 24 hours */
static Position
locate_interval(const LyfPlace *place, Oid *type, Datum *value)
{
	Interval   *interval = DatumGetIntervalP(*value);
	double		days = interval->day + interval->month * (double) DAYS_PER_MONTH;
	double		about = days * USECS_PER_DAY + interval->time;
	Interval   *floor = palloc0(sizeof(Interval));
	int64		span;

	if (fabs(about) > MAX_SPAN + USECS_PER_DAY)
		return about < 0 ? BELOW : ABOVE;
	span = (int64) days * USECS_PER_DAY + interval->time;
	if (llabs(span) >= MAX_SPAN + USECS_PER_SEC)
		return span < 0 ? BELOW : ABOVE;
	floor->time = llabs(span) > MAX_SPAN ? span : floor_to(span, time_unit(place));
	*value = IntervalPGetDatum(floor);
	if (llabs(span) > MAX_SPAN)
		return MISSING;
	return floor->time == span ? EXACT : BETWEEN;
}

static const struct
{
	Oid			type;
	LyfTermKind kind;
	Locate		locate;			/* NULL: the server has all values of the type */
	int			scale;			/* digits of a second */
	int64		low;
	int64		high;
}			value_types[] = {
	{BOOLOID, LYF_TERM_BOOLEAN},
	{INT2OID, LYF_TERM_INTEGER, .low = PG_INT16_MIN,.high = PG_INT16_MAX},
	{INT4OID, LYF_TERM_INTEGER, .low = PG_INT32_MIN,.high = PG_INT32_MAX},
	{INT8OID, LYF_TERM_INTEGER, .low = PG_INT64_MIN,.high = PG_INT64_MAX},
	{NUMERICOID, LYF_TERM_DECIMAL, locate_numeric},
	{FLOAT4OID, LYF_TERM_DOUBLE, locate_float4},
	{FLOAT8OID, LYF_TERM_DOUBLE, locate_float8},
	{TEXTOID, LYF_TERM_TEXT},
	{VARCHAROID, LYF_TERM_TEXT},
	{BYTEAOID, LYF_TERM_BYTES},
	{DATEOID, LYF_TERM_DATE, locate_date},
	{TIMESTAMPOID, LYF_TERM_DATETIME, locate_timestamp, MAX_TIMESTAMP_PRECISION},
	{TIMESTAMPTZOID, LYF_TERM_MOMENT, locate_timestamp, MAX_TIMESTAMP_PRECISION},
	{INTERVALOID, LYF_TERM_SPAN, locate_interval, MAX_TIMESTAMP_PRECISION},
	{TIMEOID, LYF_TERM_CLOCK, locate_time, MAX_TIMESTAMP_PRECISION},
	{BITOID, LYF_TERM_BITS},
	{UUIDOID, LYF_TERM_UUID}
};

/* its number, -1: there is none */
static int
find_type(Oid type)
{
	for (int i = 0; i < lengthof(value_types); i++)
	{
		if (value_types[i].type == type)
			return i;
	}
	return -1;
}

List *
lyf_mysql_place_save(const LyfPlace *place)
{
	return list_make3(list_make4_int(place->value, place->use, place->kind, place->scale),
					  makeString(pstrdup(place->before)), makeString(pstrdup(place->after)));
}

LyfPlace
lyf_mysql_place_load(const List *saved)
{
	const List *numbers = linitial(saved);
	LyfPlace	place;

	place.value = linitial_int(numbers);
	place.use = (LyfPlaceUse) lsecond_int(numbers);
	place.kind = (LyfTermKind) lthird_int(numbers);
	place.scale = lfourth_int(numbers);
	place.before = strVal(lsecond(saved));
	place.after = strVal(lthird(saved));
	return place;
}

static Position
locate(const LyfPlace *place, Oid *type, Datum *value)
{
	int			i = find_type(*type);

	if (i < 0 || value_types[i].locate == NULL)
		return EXACT;
	return value_types[i].locate(place, type, value);
}

/* the value with what stands around it */
static bool
append_value(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	appendStringInfoString(sql, place->before);
	if (!lyf_mysql_literal(sql, type, -1, value, isnull, NULL))
		return false;
	appendStringInfoString(sql, place->after);
	return true;
}

/* the comparison is true, or false, with all that is not NULL */
static void
append_truth(StringInfo sql, bool truth)
{
	appendStringInfoString(sql, truth ? "IS NOT NULL OR NULL" : "IS NULL AND NULL");
}

/* a TIME as a number, which all servers compare: hours, minutes and seconds are two digits each */
static void
append_missing(StringInfo sql, const LyfPlace *place, Datum value)
{
	int64		span = DatumGetIntervalP(value)->time;

	appendStringInfo(sql, "+ 0 %s%s8385959.%06d", operators[place->use], span < 0 ? "-" : "", (int) (llabs(span) % USECS_PER_SEC));
}

static bool
fill_operand(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	if (!isnull && locate(place, &type, &value) != EXACT)
		return false;
	return append_value(sql, place, type, value, isnull);
}

static bool
fill_comparison(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	Position	position = isnull ? EXACT : locate(place, &type, &value);
	bool		less = place->use == LYF_PLACE_LESS || place->use == LYF_PLACE_LESS_EQUAL;
	bool		greater = place->use == LYF_PLACE_GREATER || place->use == LYF_PLACE_GREATER_EQUAL;

	if (position == EXACT)
	{
		appendStringInfoString(sql, operators[place->use]);
		return append_value(sql, place, type, value, isnull);
	}
	if (position == MISSING)
		append_missing(sql, place, value);
	else if (place->use == LYF_PLACE_SAME)
		appendStringInfoString(sql, "IS NULL AND FALSE");
	else if (position == BETWEEN && (less || greater))
	{
		appendStringInfoString(sql, less ? "<= " : "> ");
		return append_value(sql, place, type, value, false);
	}
	else
		append_truth(sql, place->use == LYF_PLACE_UNEQUAL || (less && position == ABOVE) || (greater && position == BELOW));
	return true;
}

/* members of an array that the other side cannot be are left out; false: it might be one that not all servers have */
static bool
fill_members(StringInfo sql, const LyfPlace *place, Oid type, Datum *members, bool *nulls, int count)
{
	int			taken = 0;
	int			start = sql->len;

	appendStringInfoString(sql, operators[place->use]);
	for (int i = 0; i < count; i++)
	{
		Oid			member_type = type;
		Position	position = nulls[i] ? EXACT : locate(place, &member_type, &members[i]);

		if (position == MISSING)
			return false;
		if (position != EXACT)
			continue;
		if (taken++ > 0)
			appendStringInfoString(sql, ", ");
		if (!append_value(sql, place, member_type, members[i], nulls[i]))
			return false;
	}
	appendStringInfoChar(sql, ')');
	if (taken > 0)
		return true;
	sql->len = start;
	append_truth(sql, place->use == LYF_PLACE_NOT_IN);
	return true;
}

static bool
fill_array(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	Oid			member = get_element_type(type);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *members;
	bool	   *nulls;
	int			count;

	if (isnull)
	{
		appendStringInfo(sql, "%sNULL)", operators[place->use]);
		return true;
	}
	get_typlenbyvalalign(member, &typlen, &typbyval, &typalign);
	deconstruct_array(DatumGetArrayTypeP(value), member, typlen, typbyval, typalign, &members, &nulls, &count);
	if (count > 0)
		return fill_members(sql, place, member, members, nulls, count);

	/* not even NULL is (not) in an empty array */
	appendStringInfoString(sql, place->use == LYF_PLACE_IN ? "IS NULL AND FALSE" : "IS NULL OR TRUE");
	return true;
}

/* errors as the executor has them */
static bool
fill_limit(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	if (!isnull && DatumGetInt64(value) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_ROW_COUNT_IN_LIMIT_CLAUSE),
				 errmsg("LIMIT must not be negative")));
	appendStringInfo(sql, UINT64_FORMAT, isnull ? PG_UINT64_MAX : (uint64) DatumGetInt64(value));
	return true;
}

static bool
fill_offset(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	if (!isnull && DatumGetInt64(value) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE),
				 errmsg("OFFSET must not be negative")));
	appendStringInfo(sql, INT64_FORMAT, isnull ? 0 : DatumGetInt64(value));
	return true;
}

bool
lyf_mysql_place_fill(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull)
{
	static bool (*const fill[]) (StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull) = {
		[LYF_PLACE_OPERAND] = fill_operand,
		[LYF_PLACE_EQUAL] = fill_comparison,
		[LYF_PLACE_UNEQUAL] = fill_comparison,
		[LYF_PLACE_LESS] = fill_comparison,
		[LYF_PLACE_LESS_EQUAL] = fill_comparison,
		[LYF_PLACE_GREATER] = fill_comparison,
		[LYF_PLACE_GREATER_EQUAL] = fill_comparison,
		[LYF_PLACE_SAME] = fill_comparison,
		[LYF_PLACE_IN] = fill_array,
		[LYF_PLACE_NOT_IN] = fill_array,
		[LYF_PLACE_LIMIT] = fill_limit,
		[LYF_PLACE_OFFSET] = fill_offset
	};

	return fill[place->use] (sql, place, type, value, isnull);
}

void
lyf_mysql_place_show(StringInfo sql, const LyfPlace *place)
{
	bool		any = place->use == LYF_PLACE_IN || place->use == LYF_PLACE_NOT_IN;

	appendStringInfo(sql, "%s%s$%d%s%s", operators[place->use], place->before, place->value + 1, place->after, any ? ")" : "");
}

/* digits of a constant number */
static void
measure_number(LyfTerm *term, const Const *constant)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, constant->constvalue));
	char	   *point = strchr(digits, '.');

	term->scale = point ? strlen(point + 1) : 0;
	term->digits = strspn(digits + (digits[0] == '-'), "0123456789");
}

static void
measure_constant(LyfTerm *term, const Const *constant)
{
	if (constant->constisnull)
		return;
	if (constant->consttype == NUMERICOID)
		measure_number(term, constant);
	else if (term->kind == LYF_TERM_TEXT)
		term->length = Max(VARSIZE_ANY_EXHDR(DatumGetPointer(constant->constvalue)), 1);
	else if (term->kind == LYF_TERM_BITS)
		term->scale = VARBITLEN(DatumGetVarBitP(constant->constvalue));
	else if (constant->consttype == INT2OID)
		term->low = term->high = DatumGetInt16(constant->constvalue);
	else if (constant->consttype == INT4OID)
		term->low = term->high = DatumGetInt32(constant->constvalue);
	else if (constant->consttype == INT8OID)
		term->low = term->high = DatumGetInt64(constant->constvalue);
}

bool
lyf_mysql_kind_of(Oid type, LyfTermKind *kind)
{
	int			i = find_type(type);

	if (i >= 0)
		*kind = value_types[i].kind;
	return i >= 0;
}

LyfTerm *
lyf_mysql_value_term(LyfTranslation *t, Expr *value)
{
	int			i = find_type(exprType((Node *) value));
	LyfTerm    *term;

	if (i < 0)
		return lyf_mysql_term_fail(t, "a value of a type that the server has not");
	term = palloc0(sizeof(LyfTerm));
	term->kind = value_types[i].kind;
	term->value = value;
	term->scale = value_types[i].scale;
	term->low = value_types[i].low;
	term->high = value_types[i].high;
	if (IsA(value, Const))
		measure_constant(term, (Const *) value);
	return term;
}

/* the index of a value among those that are needed */
static int
add_value(LyfTranslation *t, Expr *value)
{
	ListCell   *lc;

	foreach(lc, t->values)
	{
		if (equal(lfirst(lc), value))
			return foreach_current_index(lc);
	}
	t->values = lappend(t->values, value);
	return list_length(t->values) - 1;
}

/* can a place get every value of the type? */
static bool
is_total(const LyfPlace *place, Oid type)
{
	int			i = find_type(type);

	if (place->use == LYF_PLACE_OPERAND)
		return i >= 0 && value_types[i].locate == NULL;
	return get_element_type(type) != INTERVALOID;
}

const char *
lyf_mysql_use_value(LyfTranslation *t, LyfTerm *value, const LyfPlace *place)
{
	Oid			type = exprType((Node *) value->value);
	LyfPlace	mine = *place;
	StringInfoData sql;

	initStringInfo(&sql);
	if (IsA(value->value, Const))
	{
		const Const *constant = (const Const *) value->value;

		return lyf_mysql_place_fill(&sql, place, type, constant->constvalue, constant->constisnull) ? sql.data : NULL;
	}
	if (!is_total(place, type))
		return NULL;
	mine.value = add_value(t, value->value);
	t->places = lappend(t->places, lyf_mysql_place_save(&mine));
	return psprintf("%c%d%c", PLACE_MARK, list_length(t->places) - 1, PLACE_MARK);
}

void
lyf_mysql_fill_places(StringInfo sql, const char *text, LyfPlaceFill fill, void *arg)
{
	const char *mark;

	while ((mark = strchr(text, PLACE_MARK)) != NULL)
	{
		appendBinaryStringInfo(sql, text, mark - text);
		fill(arg, sql, atoi(mark + 1));
		text = strchr(mark + 1, PLACE_MARK) + 1;
	}
	appendStringInfoString(sql, text);
}
