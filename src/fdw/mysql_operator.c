/*
 * mysql_operator.c
 *		Operators: comparisons, arithmetic, LIKE, ||.
 *
 * PostgreSQL's integers of 2 and 4 bytes overflow, the server calculates with 8: where a
 * result may be too large, it is moved to the upper end of 8 bytes and back, so that it is out
 * of range there, too.  MySQL takes some results that are the least BIGINT for out of range
 * as well: what may give it by multiplying or dividing is not for the server.  Decimals are only calculated with where no digit can be lost.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "fdw/mysql_term.h"

#define ESCAPE_CHARACTER	'\\'

/* what an operator has been called with */
typedef struct Call
{
	LyfTerm    *left;
	LyfTerm    *right;			/* NULL: it has one argument */
	Oid			type;			/* of the result */
	Oid			collation;
} Call;

/* an integer that is known, other than 0, 1 and -1, with which division has its traps */
static bool
is_divisor(const LyfTerm *term)
{
	return term->low == term->high && term->low != 0 && term->low != 1 && term->low != -1;
}

/* the function overflows for the bounds of some type? then they are those of the largest */
static void
set_bounds(LyfTerm *result, const Call *call, bool (*calculate) (int64 a, int64 b, int64 *result))
{
	int64		ends[4];
	bool		over = false;

	over |= calculate(call->left->low, call->right->low, &ends[0]);
	over |= calculate(call->left->low, call->right->high, &ends[1]);
	over |= calculate(call->left->high, call->right->low, &ends[2]);
	over |= calculate(call->left->high, call->right->high, &ends[3]);
	result->low = over ? PG_INT64_MIN : ends[0];
	result->high = over ? PG_INT64_MAX : ends[0];
	for (int i = 1; i < lengthof(ends) && !over; i++)
	{
		result->low = Min(result->low, ends[i]);
		result->high = Max(result->high, ends[i]);
	}
}

LyfTerm *
lyf_mysql_limit_integer(LyfTerm *term, Oid type)
{
	int			bits = type == INT2OID ? 16 : type == INT4OID ? 32 : 64;
	int64		high = (int64) (PG_UINT64_MAX >> (65 - bits));
	int64		shift = bits < 64 ? (int64) 1 << (63 - bits) : 0;

	/* the odd number between keeps off the least BIGINT, which MySQL takes for out of range */
	if (bits < 64 && (term->low < -high - 1 || term->high > high))
		term->sql = psprintf("(((%s * 2 + 1) * " INT64_FORMAT " DIV " INT64_FORMAT " - 1) DIV 2)", term->sql, shift, shift);
	term->low = Max(term->low, -high - 1);
	term->high = Min(term->high, high);
	term->operand = term->sql;
	return term;
}

/* "(left operator right)", or NULL */
static const char *
join_operands(LyfTranslation *t, const Call *call, const char *operator)
{
	const char *left = lyf_mysql_operand(t, call->left);
	const char *right = lyf_mysql_operand(t, call->right);

	return left && right ? psprintf("(%s %s %s)", left, operator, right) : NULL;
}

static LyfTerm *
make_result(LyfTranslation *t, LyfTermKind kind, const char *sql)
{
	LyfTerm    *result;

	if (sql == NULL)
		return lyf_mysql_term_fail(t, "a value that the server might not have");
	result = lyf_mysql_term_make(kind, sql);
	result->operand = sql;
	return result;
}

static LyfTerm *
calculate_integers(LyfTranslation *t, const Call *call, const char *operator, bool (*calculate) (int64 a, int64 b, int64 *result))
{
	LyfTerm    *result = make_result(t, LYF_TERM_INTEGER, join_operands(t, call, operator));

	if (result == NULL)
		return NULL;
	set_bounds(result, call, calculate);
	return lyf_mysql_limit_integer(result, call->type);
}

static bool
add_overflows(int64 a, int64 b, int64 *result)
{
	return pg_add_s64_overflow(a, b, result);
}

static bool
subtract_overflows(int64 a, int64 b, int64 *result)
{
	return pg_sub_s64_overflow(a, b, result);
}

static bool
multiply_overflows(int64 a, int64 b, int64 *result)
{
	return pg_mul_s64_overflow(a, b, result);
}

static LyfTerm *
add_integers(LyfTranslation *t, const Call *call)
{
	return calculate_integers(t, call, "+", add_overflows);
}

static LyfTerm *
subtract_integers(LyfTranslation *t, const Call *call)
{
	return calculate_integers(t, call, "-", subtract_overflows);
}

static LyfTerm *
multiply_integers(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = calculate_integers(t, call, "*", multiply_overflows);

	if (result != NULL && result->low == PG_INT64_MIN)
		return lyf_mysql_term_fail(t, "a product that may be the least bigint");
	return result;
}

/* both round towards zero */
static LyfTerm *
divide_integers(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result;

	if (!is_divisor(call->right))
		return lyf_mysql_term_fail(t, "a division by what may be zero");
	result = make_result(t, LYF_TERM_INTEGER, join_operands(t, call, "DIV"));
	if (result != NULL)
	{
		int64		low = call->left->low / call->right->low;
		int64		high = call->left->high / call->right->low;

		result->low = Min(low, high);
		result->high = Max(low, high);
	}
	return result;
}

static LyfTerm *
modulo_integers(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result;

	if (!is_divisor(call->right) || call->right->low == PG_INT64_MIN)
		return lyf_mysql_term_fail(t, "a division by what may be zero");
	result = make_result(t, LYF_TERM_INTEGER, join_operands(t, call, "%"));
	if (result != NULL)
	{
		result->high = llabs(call->right->low) - 1;
		result->low = -result->high;
	}
	return result;
}

static LyfTerm *
negate_integer(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(t, LYF_TERM_INTEGER, psprintf("(- %s)", lyf_mysql_operand(t, call->left)));

	result->low = -call->left->high;
	result->high = call->left->low == PG_INT64_MIN ? PG_INT64_MAX : -call->left->low;
	return lyf_mysql_limit_integer(result, call->type);
}

/* a decimal with so many digits, if the server has that many */
static LyfTerm *
decimal_result(LyfTranslation *t, const Call *call, const char *operator, int digits, int scale)
{
	LyfTerm    *result;

	if (digits + scale > LYF_MYSQL_DIGITS || scale > LYF_MYSQL_SCALE)
		return lyf_mysql_term_fail(t, "more digits than the server has");
	result = make_result(t, LYF_TERM_DECIMAL, join_operands(t, call, operator));
	if (result == NULL)
		return NULL;
	result->digits = digits;
	result->scale = scale;
	result->uneven = call->left->uneven || call->right->uneven;
	return result;
}

static int
max_digits(const Call *call)
{
	return Max(call->left->digits, call->right->digits);
}

static int
max_scale(const Call *call)
{
	return Max(call->left->scale, call->right->scale);
}

static LyfTerm *
add_decimals(LyfTranslation *t, const Call *call)
{
	return decimal_result(t, call, "+", max_digits(call) + 1, max_scale(call));
}

static LyfTerm *
subtract_decimals(LyfTranslation *t, const Call *call)
{
	return decimal_result(t, call, "-", max_digits(call) + 1, max_scale(call));
}

static LyfTerm *
multiply_decimals(LyfTranslation *t, const Call *call)
{
	return decimal_result(t, call, "*", call->left->digits + call->right->digits, call->left->scale + call->right->scale);
}

static bool
is_nonzero_constant(const LyfTerm *term)
{
	const Const *constant = (const Const *) term->value;

	if (constant == NULL || !IsA(constant, Const) || constant->constisnull)
		return false;
	return strpbrk(DatumGetCString(DirectFunctionCall1(numeric_out, constant->constvalue)), "123456789") != NULL;
}

/* MariaDB's -3.0 % 1.5 is -0.0, which is not 0.0 there until something is added */
static LyfTerm *
modulo_decimals(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result;

	if (!is_nonzero_constant(call->right))
		return lyf_mysql_term_fail(t, "a division by what may be zero");
	result = decimal_result(t, call, "%", max_digits(call), max_scale(call));
	if (result != NULL)
		result->sql = psprintf("(%s + 0)", result->sql);
	return result;
}

static LyfTerm *
negate_number(LyfTranslation *t, const Call *call)
{
	const char *operand = lyf_mysql_operand(t, call->left);
	LyfTerm    *result;

	if (call->left->kind == LYF_TERM_DOUBLE && call->type != FLOAT8OID)
		return lyf_mysql_term_fail(t, "arithmetic of real");
	result = make_result(t, call->left->kind, operand ? psprintf("(- %s)", operand) : NULL);
	if (result != NULL)
	{
		result->digits = call->left->digits;
		result->scale = call->left->scale;
		result->uneven = call->left->uneven;
	}
	return result;
}

static LyfTerm *
calculate_doubles(LyfTranslation *t, const Call *call, const char *operator)
{
	if (call->type != FLOAT8OID)
		return lyf_mysql_term_fail(t, "arithmetic of real");
	return make_result(t, LYF_TERM_DOUBLE, join_operands(t, call, operator));
}

static LyfTerm *
add_doubles(LyfTranslation *t, const Call *call)
{
	return calculate_doubles(t, call, "+");
}

static LyfTerm *
subtract_doubles(LyfTranslation *t, const Call *call)
{
	return calculate_doubles(t, call, "-");
}

/* days between */
static LyfTerm *
subtract_dates(LyfTranslation *t, const Call *call)
{
	const char *left = lyf_mysql_operand(t, call->left);
	const char *right = lyf_mysql_operand(t, call->right);
	LyfTerm    *result = make_result(t, LYF_TERM_INTEGER, left && right ? psprintf("DATEDIFF(%s, %s)", left, right) : NULL);

	if (result != NULL)
	{
		result->high = 10000 * 366;
		result->low = -result->high;
	}
	return result;
}

static LyfTerm *
concatenate(LyfTranslation *t, const Call *call)
{
	const char *left = lyf_mysql_operand(t, call->left);
	const char *right = lyf_mysql_operand(t, call->right);
	LyfTerm    *result;

	/* where the result is longer than a packet, it is NULL */
	if (call->left->length == 0 || call->right->length == 0)
		return lyf_mysql_term_fail(t, "texts of any length together");
	result = make_result(t, LYF_TERM_TEXT, psprintf("CONCAT(%s, %s)", left, right));
	result->length = call->left->length + call->right->length;
	return result;
}

/* how much of the pattern stands before what is not an ordinary character; -1: the pattern is broken off */
static int
pattern_prefix(const char *pattern, int len)
{
	int			prefix = -1;

	for (int i = 0; i < len; i++)
	{
		if (prefix < 0 && strchr("%_\\", pattern[i]) != NULL)
			prefix = i;
		if (pattern[i] == ESCAPE_CHARACTER && ++i == len)
			return -1;
	}
	return prefix < 0 ? len : prefix;
}

/*
 * A range of the column that an index can serve, " AND " behind it, or "".  By binary collations the servers leave out
 * texts with characters below the blank behind the prefix, others have letters of several characters.
 */
static const char *
prefix_part(const LyfTerm *left, const char *pattern, int len)
{
	const LyfMysqlRemoteType *remote = left->column ? &left->column->remote : NULL;
	StringInfoData sql;
	text	   *prefix;

	if (len == 0 || remote == NULL || remote->kind != LYF_MY_TEXT || remote->collation == NULL ||
		strcmp(remote->collation, "utf8mb4_general_ci") != 0)
		return "";
	prefix = cstring_to_text(psprintf("%.*s%%", len, pattern));
	initStringInfo(&sql);
	lyf_mysql_literal(&sql, TEXTOID, -1, PointerGetDatum(prefix), false, NULL);
	return psprintf("%s LIKE %s AND ", left->sql, sql.data);
}

static LyfTerm *
match(LyfTranslation *t, const Call *call, bool negated)
{
	const Const *pattern = (const Const *) call->right->value;
	text	   *chars;
	const char *sql;
	int			prefix;

	if (call->left->value != NULL || pattern == NULL || !IsA(pattern, Const) || pattern->constisnull)
		return lyf_mysql_term_fail(t, "a pattern that is not constant");
	if (!OidIsValid(call->collation) || !get_collation_isdeterministic(call->collation))
		return lyf_mysql_term_fail(t, "the collation is not deterministic");
	chars = DatumGetTextPP(pattern->constvalue);
	prefix = pattern_prefix(VARDATA_ANY(chars), VARSIZE_ANY_EXHDR(chars));
	if (prefix < 0)
		return lyf_mysql_term_fail(t, "a pattern that ends with an escape character");
	sql = psprintf("%s %s %s ESCAPE '%c'", lyf_mysql_operand(t, call->left), negated ? "NOT LIKE" : "LIKE",
				   lyf_mysql_operand(t, call->right), ESCAPE_CHARACTER);
	return lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(%s%s)", negated ? "" : prefix_part(call->left, VARDATA_ANY(chars), prefix), sql));
}

static LyfTerm *
match_pattern(LyfTranslation *t, const Call *call)
{
	return match(t, call, false);
}

static LyfTerm *
mismatch_pattern(LyfTranslation *t, const Call *call)
{
	return match(t, call, true);
}

static const struct
{
	const char *name;
	int			nargs;
	LyfTermKind kind;			/* of all arguments */
	LyfTerm    *(*translate) (LyfTranslation *t, const Call *call);
}			operators[] = {
	{"+", 2, LYF_TERM_INTEGER, add_integers},
	{"-", 2, LYF_TERM_INTEGER, subtract_integers},
	{"*", 2, LYF_TERM_INTEGER, multiply_integers},
	{"/", 2, LYF_TERM_INTEGER, divide_integers},
	{"%", 2, LYF_TERM_INTEGER, modulo_integers},
	{"-", 1, LYF_TERM_INTEGER, negate_integer},
	{"+", 2, LYF_TERM_DECIMAL, add_decimals},
	{"-", 2, LYF_TERM_DECIMAL, subtract_decimals},
	{"*", 2, LYF_TERM_DECIMAL, multiply_decimals},
	{"%", 2, LYF_TERM_DECIMAL, modulo_decimals},
	{"-", 1, LYF_TERM_DECIMAL, negate_number},
	{"+", 2, LYF_TERM_DOUBLE, add_doubles},
	{"-", 2, LYF_TERM_DOUBLE, subtract_doubles},
	{"-", 1, LYF_TERM_DOUBLE, negate_number},
	{"-", 2, LYF_TERM_DATE, subtract_dates},
	{"~~", 2, LYF_TERM_TEXT, match_pattern},
	{"!~~", 2, LYF_TERM_TEXT, mismatch_pattern},
	{"||", 2, LYF_TERM_TEXT, concatenate}
};

/* a builtin operator that compares nothing */
static LyfTerm *
apply_operator(LyfTranslation *t, const char *name, const Call *call)
{
	int			nargs = call->right ? 2 : 1;

	for (int i = 0; i < lengthof(operators); i++)
	{
		if (strcmp(operators[i].name, name) == 0 && operators[i].nargs == nargs && operators[i].kind == call->left->kind &&
			(call->right == NULL || call->right->kind == call->left->kind))
			return operators[i].translate(t, call);
	}
	return lyf_mysql_term_fail(t, psprintf("operator %s, which the server has not, or another one", name));
}

LyfTerm *
lyf_mysql_apply_operator(LyfTranslation *t, const char *name, LyfTerm *left, LyfTerm *right, Oid type)
{
	Call		call = {.left = left,.right = right,.type = type};

	return apply_operator(t, name, &call);
}

/* DistinctExpr is the opposite of what this gives */
LyfTerm *
lyf_mysql_translate_same(LyfTranslation *t, Expr *expr)
{
	OpExpr	   *op = (OpExpr *) expr;
	LyfTerm    *left = lyf_mysql_term(t, linitial(op->args));
	LyfTerm    *right = lyf_mysql_term(t, lsecond(op->args));
	LyfPlaceUse use;

	if (left == NULL || right == NULL)
		return NULL;
	if (!lyf_mysql_comparison(op->opno, exprType(linitial(op->args)), &use))
		return lyf_mysql_term_fail(t, "an operator that the server has not");
	return lyf_mysql_compare(t, left, LYF_PLACE_SAME, right, op->inputcollid);
}

LyfTerm *
lyf_mysql_translate_distinct(LyfTranslation *t, Expr *expr)
{
	LyfTerm    *same = lyf_mysql_translate_same(t, expr);

	return same ? lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(NOT %s)", same->sql)) : NULL;
}

/* OpExpr, and the comparison of NullIfExpr, which has its fields */
LyfTerm *
lyf_mysql_translate_operator(LyfTranslation *t, Expr *expr)
{
	OpExpr	   *op = (OpExpr *) expr;
	Call		call = {.type = op->opresulttype,.collation = op->inputcollid};
	LyfPlaceUse use;

	call.left = lyf_mysql_term(t, linitial(op->args));
	if (call.left == NULL)
		return NULL;
	if (list_length(op->args) == 2)
	{
		call.right = lyf_mysql_term(t, lsecond(op->args));
		if (call.right == NULL)
			return NULL;
		if (lyf_mysql_comparison(op->opno, exprType(linitial(op->args)), &use))
			return lyf_mysql_compare(t, call.left, use, call.right, call.collation);
	}
	if (call.left->zero_dates || (call.right && call.right->zero_dates))
		return lyf_mysql_term_fail(t, "a date that reads as NULL, in more than a comparison");
	if (op->opno >= FirstGenbkiObjectId)
		return lyf_mysql_term_fail(t, "an operator that the server has not");
	return apply_operator(t, get_opname(op->opno), &call);
}
