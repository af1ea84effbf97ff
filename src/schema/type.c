/*
 * type.c
 *		How types relate: which holds all values of which.
 *
 * boolean < smallint < integer < bigint < numeric, real < double precision, date < timestamp < timestamptz; a text of any length
 * holds whatever can be printed, jsonb everything.  double precision holds a numeric of 15 digits at most: more would be
 * lost; an unbounded numeric takes no double, whose cast keeps 15 digits.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "schema/schema.h"

#define DOUBLE_DIGITS	15
#define FLOAT_DIGITS	6

/* the families of types whose values are of one nature, each from its narrowest to its widest */
typedef enum Family
{
	FAMILY_NONE, FAMILY_NUMBER, FAMILY_TIME, FAMILY_TEXT, FAMILY_JSON
} Family;

static Family
family_of(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
			return FAMILY_NUMBER;
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return FAMILY_TIME;
		case BPCHAROID:
		case VARCHAROID:
		case TEXTOID:
			return FAMILY_TEXT;
		case JSONOID:
		case JSONBOID:
			return FAMILY_JSON;
		default:
			return FAMILY_NONE;
	}
}

/* digits before the point of an integer type, 0 for others */
static int
integer_digits(Oid type)
{
	switch (type)
	{
		case BOOLOID:
			return 1;
		case INT2OID:
			return 5;
		case INT4OID:
			return 10;
		case INT8OID:
			return 19;
		default:
			return 0;
	}
}

/* digits before and behind the point; false: there is no bound */
static bool
digits_of(LyfType type, int *before, int *behind)
{
	int			precision;

	*behind = 0;
	*before = integer_digits(type.oid);
	if (*before > 0)
		return true;
	if (type.oid != NUMERICOID || type.typmod < (int32) VARHDRSZ)
		return false;
	precision = ((type.typmod - VARHDRSZ) >> 16) & 0xffff;
	/* a scale has 11 bits and a sign */
	*behind = (((type.typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	*before = precision - *behind;
	return true;
}

static bool
number_holds(LyfType a, LyfType b)
{
	int			before_a;
	int			behind_a;
	int			before_b;
	int			behind_b;
	bool		bounded_b = digits_of(b, &before_b, &behind_b);

	if (a.oid == FLOAT8OID)
		return b.oid == FLOAT4OID || (bounded_b && before_b + Max(behind_b, 0) <= DOUBLE_DIGITS);
	if (a.oid == FLOAT4OID)
		return bounded_b && before_b + Max(behind_b, 0) <= FLOAT_DIGITS;
	if (b.oid == FLOAT4OID || b.oid == FLOAT8OID)
		return false;
	if (a.oid == NUMERICOID && a.typmod < (int32) VARHDRSZ)
		return true;
	return bounded_b && digits_of(a, &before_a, &behind_a) && before_a >= before_b && behind_a >= behind_b;
}

/* of texts: a typmod is the length, and none is any */
static bool
text_holds(LyfType a, LyfType b)
{
	if (a.oid == TEXTOID || (a.oid == VARCHAROID && a.typmod < 0))
		return true;
	return a.oid == b.oid && b.typmod >= 0 && a.typmod >= b.typmod;
}

static bool
time_holds(LyfType a, LyfType b)
{
	static const Oid order[] = {DATEOID, TIMESTAMPOID, TIMESTAMPTZOID};
	int			rank_a = 0;
	int			rank_b = 0;

	for (int i = 0; i < lengthof(order); i++)
	{
		rank_a = order[i] == a.oid ? i : rank_a;
		rank_b = order[i] == b.oid ? i : rank_b;
	}
	return rank_a >= rank_b && (a.typmod < 0 || b.oid == DATEOID || (b.typmod >= 0 && a.typmod >= b.typmod));
}

static bool
same_type(LyfType a, LyfType b)
{
	return a.oid == b.oid && a.typmod == b.typmod;
}

/* does a take every value of b, as one of the same nature? */
bool
lyf_type_takes(LyfType a, LyfType b)
{
	if (same_type(a, b) || (a.oid == b.oid && a.typmod < 0))
		return true;
	if (family_of(a.oid) != family_of(b.oid))
		return false;
	switch (family_of(a.oid))
	{
		case FAMILY_NUMBER:
			/* true is no number, as what the destination shows */
			return b.oid != BOOLOID && a.oid != BOOLOID && number_holds(a, b);
		case FAMILY_TIME:
			return time_holds(a, b);
		case FAMILY_TEXT:
			return text_holds(a, b);
		case FAMILY_JSON:
			return true;
		case FAMILY_NONE:
			break;
	}
	return false;
}

static bool
holds(LyfType a, LyfType b)
{
	if (lyf_type_takes(a, b))
		return true;
	if (a.oid == JSONBOID)
		return true;
	if (a.oid == TEXTOID || (a.oid == VARCHAROID && a.typmod < 0))
		return family_of(b.oid) != FAMILY_JSON;
	return b.oid == BOOLOID && family_of(a.oid) == FAMILY_NUMBER && a.oid != BOOLOID && number_holds(a, b);
}

LyfTypeStep
lyf_type_step(LyfType from, LyfType to)
{
	if (same_type(from, to))
		return LYF_TYPE_SAME;
	if (holds(to, from))
		return LYF_TYPE_WIDER;
	return holds(from, to) ? LYF_TYPE_NARROWER : LYF_TYPE_OTHER;
}

char *
lyf_type_sql(LyfType type)
{
	return format_type_extended(type.oid, type.typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

char *
lyf_type_widening(const char *column, LyfType from, LyfType to)
{
	if (to.oid == JSONBOID && family_of(from.oid) != FAMILY_JSON)
		return psprintf("pg_catalog.to_jsonb(%s)", column);
	if (from.oid == BOOLOID && family_of(to.oid) == FAMILY_NUMBER)
		return psprintf("%s::pg_catalog.int4::%s", column, lyf_type_sql(to));
	if (to.oid == TIMESTAMPTZOID && from.oid != TIMESTAMPTZOID)
		return psprintf("pg_catalog.timezone('UTC', %s::pg_catalog.timestamp)", column);
	if (family_of(to.oid) == FAMILY_TEXT && family_of(from.oid) != FAMILY_TEXT)
		return psprintf("%s::pg_catalog.text", column);
	return NULL;
}

/* as ALTER TABLE finds it out: what the cast comes to, once it is simplified, is the column itself */
bool
lyf_type_rewrites(LyfType from, LyfType to)
{
	Node	   *expr = (Node *) makeVar(1, 1, from.oid, from.typmod, get_typcollation(from.oid), 0);

	if (lyf_type_widening("c", from, to) != NULL)
		return true;
	expr = coerce_to_target_type(NULL, expr, from.oid, to.oid, to.typmod, COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	if (expr == NULL)
		return true;
	expr = (Node *) expression_planner((Expr *) expr);
	while (IsA(expr, RelabelType))
		expr = (Node *) ((RelabelType *) expr)->arg;
	return !IsA(expr, Var);
}

LyfType
lyf_type_parse(const char *text)
{
	LyfType		type;

	/* 0: of older versions that the type must be there, of newer ones that errors are raised */
	parseTypeString(text, &type.oid, &type.typmod, 0);
	return type;
}
