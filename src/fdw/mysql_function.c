/*
 * mysql_function.c
 *		Functions and casts.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "fdw/mysql_term.h"

#define MAX_ARGS		3

typedef struct Function Function;

/* what a function has been called with */
typedef struct Call
{
	const Function *function;
	LyfTerm    *args[MAX_ARGS];
	int			nargs;
	Oid			type;			/* of the result */
	Oid			collation;
} Call;

struct Function
{
	const char *name;
	int			nargs;
	int			subject;		/* which argument it works on */
	LyfTermKind kind;			/* of that */
	LyfTerm    *(*translate) (LyfTranslation *t, const Call *call);
	const char *sql;			/* with %s for that */
};

static LyfTerm *
subject_of(const Call *call)
{
	return call->args[call->function->subject];
}

/* the function's text around its subject */
static const char *
apply(LyfTranslation *t, const Call *call)
{
	return psprintf(call->function->sql, lyf_mysql_operand(t, subject_of(call)));
}

static LyfTerm *
make_result(LyfTermKind kind, const char *sql)
{
	LyfTerm    *result = lyf_mysql_term_make(kind, sql);

	result->operand = sql;
	return result;
}

/* an argument that is a constant integer */
static bool
get_integer(const LyfTerm *term, int64 *integer)
{
	*integer = term->low;
	return term->kind == LYF_TERM_INTEGER && term->low == term->high && term->value != NULL && IsA(term->value, Const);
}

/* an argument that is a constant word, or NULL */
static const char *
get_word(const LyfTerm *term)
{
	const Const *constant = (const Const *) term->value;

	if (term->kind != LYF_TERM_TEXT || constant == NULL || !IsA(constant, Const) || constant->constisnull)
		return NULL;
	return TextDatumGetCString(constant->constvalue);
}

/* numbers */

static LyfTerm *
absolute_integer(LyfTranslation *t, const Call *call)
{
	LyfTerm    *arg = subject_of(call);
	LyfTerm    *result = make_result(LYF_TERM_INTEGER, apply(t, call));

	result->low = 0;
	result->high = arg->low == PG_INT64_MIN ? PG_INT64_MAX : Max(-arg->low, arg->high);
	return lyf_mysql_limit_integer(result, call->type);
}

static LyfTerm *
absolute_number(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = palloc(sizeof(LyfTerm));

	*result = *subject_of(call);
	result->column = NULL;
	result->sql = result->operand = apply(t, call);
	return result;
}

/* a whole number, which the server makes a BIGINT where it fits */
static LyfTerm *
round_to_whole(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(LYF_TERM_DECIMAL, apply(t, call));

	result->digits = subject_of(call)->digits + 1;
	if (result->digits > LYF_MYSQL_DIGITS)
		return lyf_mysql_term_fail(t, "more digits than the server has");
	result->operand = psprintf("CAST(%s AS DECIMAL(%d,0))", result->sql, result->digits);
	return result;
}

/* the server shows it with as many digits as an integer has */
static LyfTerm *
round_double(LyfTranslation *t, const Call *call)
{
	return make_result(LYF_TERM_DOUBLE, apply(t, call));
}

static LyfTerm *
round_to_scale(LyfTranslation *t, const Call *call)
{
	const LyfTerm *arg = call->args[0];
	LyfTerm    *result;
	int64		scale;

	if (!get_integer(call->args[1], &scale) || scale < 0)
		return lyf_mysql_term_fail(t, "rounding to a scale that is not constant");
	if (arg->digits + 1 + arg->scale > LYF_MYSQL_DIGITS)
		return lyf_mysql_term_fail(t, "more digits than the server has");
	result = make_result(LYF_TERM_DECIMAL, psprintf("ROUND(%s, " INT64_FORMAT ")", lyf_mysql_operand(t, call->args[0]), Min(scale, arg->scale)));
	result->digits = arg->digits + 1;
	result->scale = Min(scale, arg->scale);
	result->uneven = scale > arg->scale || arg->uneven;
	return result;
}

static LyfTerm *
to_integer(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(LYF_TERM_INTEGER, lyf_mysql_operand(t, subject_of(call)));

	result->low = subject_of(call)->low;
	result->high = subject_of(call)->high;
	return lyf_mysql_limit_integer(result, call->type);
}

static LyfTerm *
truth_to_integer(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(LYF_TERM_INTEGER, lyf_mysql_operand(t, subject_of(call)));

	result->high = 1;
	return result;
}

static LyfTerm *
integer_to_truth(LyfTranslation *t, const Call *call)
{
	return make_result(LYF_TERM_BOOLEAN, apply(t, call));
}

static int
count_digits(int64 low, int64 high)
{
	return strlen(psprintf(INT64_FORMAT, Max(high, low == PG_INT64_MIN ? PG_INT64_MAX : -low)));
}

/* in comparisons it can stay an integer */
static LyfTerm *
integer_to_decimal(LyfTranslation *t, const Call *call)
{
	LyfTerm    *arg = subject_of(call);
	LyfTerm    *result = lyf_mysql_term_make(LYF_TERM_DECIMAL, arg->sql);

	result->digits = count_digits(arg->low, arg->high);
	result->operand = psprintf("CAST(%s AS DECIMAL(%d,0))", lyf_mysql_operand(t, arg), result->digits);
	return result;
}

/* an integer or a decimal that is compared with a double, the server rounds the double where an index serves */
static LyfTerm *
to_double(LyfTranslation *t, const Call *call)
{
	LyfTerm    *arg = subject_of(call);

	return arg->kind == LYF_TERM_DOUBLE ? arg : make_result(LYF_TERM_DOUBLE, psprintf("(%s + 0e0)", lyf_mysql_operand(t, arg)));
}

static LyfTerm *
as_operator(LyfTranslation *t, const Call *call)
{
	return lyf_mysql_apply_operator(t, call->function->sql, call->args[0], call->args[1], call->type);
}

/* text and bytes */

static LyfTerm *
count_characters(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(LYF_TERM_INTEGER, apply(t, call));

	result->high = PG_INT32_MAX;
	return result;
}

static LyfTerm *
count_bytes(LyfTranslation *t, const Call *call)
{
	if (subject_of(call)->kind == LYF_TERM_TEXT && GetDatabaseEncoding() != PG_UTF8)
		return lyf_mysql_term_fail(t, "bytes of another encoding");
	return count_characters(t, call);
}

/* the server counts from 1, or from the end */
static LyfTerm *
cut(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result;
	StringInfoData sql;
	int64		number;

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s(%s", call->function->sql, lyf_mysql_operand(t, call->args[0]));
	for (int i = 1; i < call->nargs; i++)
	{
		if (!get_integer(call->args[i], &number) || number < 0 || (i == 1 && number == 0 && strcmp(call->function->sql, "SUBSTRING") == 0))
			return lyf_mysql_term_fail(t, "a part of a text that is not constant, or outside of it");
		appendStringInfo(&sql, ", " INT64_FORMAT, number);
	}
	appendStringInfoChar(&sql, ')');
	result = make_result(LYF_TERM_TEXT, sql.data);
	result->length = call->args[0]->length;
	return result;
}

static LyfTerm *
trim(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(LYF_TERM_TEXT, apply(t, call));

	result->length = subject_of(call)->length;
	return result;
}

static LyfTerm *
find_text(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result;

	if (get_word(call->args[1]) == NULL || !OidIsValid(call->collation) || !get_collation_isdeterministic(call->collation))
		return lyf_mysql_term_fail(t, "a search for what is not constant");
	result = make_result(LYF_TERM_INTEGER, psprintf("LOCATE(%s, %s)", lyf_mysql_operand(t, call->args[1]), lyf_mysql_operand(t, call->args[0])));
	result->high = PG_INT32_MAX;
	return result;
}

/* dates */

static LyfTerm *
to_moment(LyfTranslation *t, const Call *call)
{
	return make_result(call->type == DATEOID ? LYF_TERM_DATE : LYF_TERM_DATETIME, apply(t, call));
}

static const struct
{
	const char *name;
	const char *sql;
	bool		of_date;
}			fields[] = {
	{"year", "YEAR(%s)", true},
	{"month", "MONTH(%s)", true},
	{"day", "DAYOFMONTH(%s)", true},
	{"hour", "HOUR(%s)"},
	{"minute", "MINUTE(%s)"},
	{"quarter", "QUARTER(%s)", true},
	{"doy", "DAYOFYEAR(%s)", true},
	{"dow", "(DAYOFWEEK(%s) - 1)", true},
	{"isodow", "(WEEKDAY(%s) + 1)", true},
	{"week", "WEEK(%s, 3)", true}
};

static LyfTerm *
extract_field(LyfTranslation *t, const Call *call)
{
	const char *word = get_word(call->args[0]);

	for (int i = 0; i < lengthof(fields) && word != NULL; i++)
	{
		const char *sql = psprintf(fields[i].sql, lyf_mysql_operand(t, call->args[1]));
		LyfTerm    *result;

		if (strcmp(fields[i].name, word) != 0 || (call->args[1]->kind == LYF_TERM_DATE && !fields[i].of_date))
			continue;
		if (call->type == FLOAT8OID)
			return make_result(LYF_TERM_DOUBLE, psprintf("(%s + 0e0)", sql));
		result = lyf_mysql_term_make(LYF_TERM_DECIMAL, sql);
		result->digits = 4;
		result->operand = psprintf("CAST(%s AS DECIMAL(4,0))", sql);
		return result;
	}
	return lyf_mysql_term_fail(t, "a field of dates that the server has not");
}

static LyfTerm *
truncate_moment(LyfTranslation *t, const Call *call)
{
	static const struct
	{
		const char *name;
		const char *format;
	}			units[] = {
		{"year", "%Y-01-01"},
		{"month", "%Y-%m-01"},
		{"day", "%Y-%m-%d"},
		{"hour", "%Y-%m-%d %H:00:00"},
		{"minute", "%Y-%m-%d %H:%i:00"},
		{"second", "%Y-%m-%d %H:%i:%s"}
	};
	const char *word = get_word(call->args[0]);

	for (int i = 0; i < lengthof(units) && word != NULL; i++)
	{
		if (strcmp(units[i].name, word) == 0)
			return make_result(LYF_TERM_DATETIME, psprintf("CAST(DATE_FORMAT(%s, '%s') AS DATETIME)",
														   lyf_mysql_operand(t, call->args[1]), units[i].format));
	}
	return lyf_mysql_term_fail(t, "a field of dates that the server has not");
}

static const Function functions[] = {
	{"abs", 1, 0, LYF_TERM_INTEGER, absolute_integer, "ABS(%s)"},
	{"abs", 1, 0, LYF_TERM_DECIMAL, absolute_number, "ABS(%s)"},
	{"ceil", 1, 0, LYF_TERM_DECIMAL, round_to_whole, "CEILING(%s)"},
	{"ceil", 1, 0, LYF_TERM_DOUBLE, round_double, "(CEILING(%s) + 0e0)"},
	{"ceiling", 1, 0, LYF_TERM_DECIMAL, round_to_whole, "CEILING(%s)"},
	{"ceiling", 1, 0, LYF_TERM_DOUBLE, round_double, "(CEILING(%s) + 0e0)"},
	{"floor", 1, 0, LYF_TERM_DECIMAL, round_to_whole, "FLOOR(%s)"},
	{"floor", 1, 0, LYF_TERM_DOUBLE, round_double, "(FLOOR(%s) + 0e0)"},
	{"round", 1, 0, LYF_TERM_DECIMAL, round_to_whole, "ROUND(%s)"},
	{"round", 2, 0, LYF_TERM_DECIMAL, round_to_scale},
	{"mod", 2, 0, LYF_TERM_INTEGER, as_operator, "%"},
	{"mod", 2, 0, LYF_TERM_DECIMAL, as_operator, "%"},
	{"trunc", 1, 0, LYF_TERM_DECIMAL, round_to_whole, "TRUNCATE(%s, 0)"},
	{"sign", 1, 0, LYF_TERM_DECIMAL, round_to_whole, "SIGN(%s)"},
	{"int2", 1, 0, LYF_TERM_INTEGER, to_integer},
	{"int4", 1, 0, LYF_TERM_INTEGER, to_integer},
	{"int8", 1, 0, LYF_TERM_INTEGER, to_integer},
	{"int4", 1, 0, LYF_TERM_BOOLEAN, truth_to_integer},
	{"bool", 1, 0, LYF_TERM_INTEGER, integer_to_truth, "(%s <> 0)"},
	{"numeric", 1, 0, LYF_TERM_INTEGER, integer_to_decimal},
	{"float8", 1, 0, LYF_TERM_INTEGER, to_double},
	{"float8", 1, 0, LYF_TERM_DECIMAL, to_double},
	{"float8", 1, 0, LYF_TERM_DOUBLE, to_double},
	{"length", 1, 0, LYF_TERM_TEXT, count_characters, "CHAR_LENGTH(%s)"},
	{"char_length", 1, 0, LYF_TERM_TEXT, count_characters, "CHAR_LENGTH(%s)"},
	{"character_length", 1, 0, LYF_TERM_TEXT, count_characters, "CHAR_LENGTH(%s)"},
	{"octet_length", 1, 0, LYF_TERM_TEXT, count_bytes, "LENGTH(%s)"},
	{"octet_length", 1, 0, LYF_TERM_BYTES, count_bytes, "LENGTH(%s)"},
	{"length", 1, 0, LYF_TERM_BYTES, count_bytes, "LENGTH(%s)"},
	{"substr", 2, 0, LYF_TERM_TEXT, cut, "SUBSTRING"},
	{"substr", 3, 0, LYF_TERM_TEXT, cut, "SUBSTRING"},
	{"substring", 2, 0, LYF_TERM_TEXT, cut, "SUBSTRING"},
	{"substring", 3, 0, LYF_TERM_TEXT, cut, "SUBSTRING"},
	{"left", 2, 0, LYF_TERM_TEXT, cut, "LEFT"},
	{"right", 2, 0, LYF_TERM_TEXT, cut, "RIGHT"},
	{"btrim", 1, 0, LYF_TERM_TEXT, trim, "TRIM(BOTH ' ' FROM %s)"},
	{"ltrim", 1, 0, LYF_TERM_TEXT, trim, "TRIM(LEADING ' ' FROM %s)"},
	{"rtrim", 1, 0, LYF_TERM_TEXT, trim, "TRIM(TRAILING ' ' FROM %s)"},
	{"strpos", 2, 0, LYF_TERM_TEXT, find_text},
	{"position", 2, 0, LYF_TERM_TEXT, find_text},
	{"date", 1, 0, LYF_TERM_DATETIME, to_moment, "CAST(%s AS DATE)"},
	{"timestamp", 1, 0, LYF_TERM_DATE, to_moment, "CAST(%s AS DATETIME)"},
	{"extract", 2, 1, LYF_TERM_DATE, extract_field},
	{"extract", 2, 1, LYF_TERM_DATETIME, extract_field},
	{"date_part", 2, 1, LYF_TERM_DATETIME, extract_field},
	{"date_trunc", 2, 1, LYF_TERM_DATETIME, truncate_moment}
};

/* the function's row, by its name and arguments */
static const Function *
find_function(const char *name, const Call *call)
{
	for (int i = 0; i < lengthof(functions); i++)
	{
		if (functions[i].nargs == call->nargs && functions[i].kind == call->args[functions[i].subject]->kind &&
			strcmp(functions[i].name, name) == 0)
			return &functions[i];
	}
	return NULL;
}

LyfTerm *
lyf_mysql_translate_function(LyfTranslation *t, Expr *expr)
{
	FuncExpr   *func = (FuncExpr *) expr;
	Call		call = {.nargs = list_length(func->args),.type = func->funcresulttype,.collation = func->inputcollid};
	const char *name = get_func_name(func->funcid);

	if (func->funcid >= FirstGenbkiObjectId || call.nargs == 0 || call.nargs > MAX_ARGS)
		return lyf_mysql_term_fail(t, psprintf("function %s(), which the server has not", name));
	for (int i = 0; i < call.nargs; i++)
	{
		call.args[i] = lyf_mysql_term(t, list_nth(func->args, i));
		if (call.args[i] == NULL)
			return NULL;
		if (call.args[i]->zero_dates || call.args[i]->superset)
			return lyf_mysql_term_fail(t, "a date that reads as NULL, in more than a comparison");
	}
	call.function = find_function(name, &call);
	if (call.function == NULL || subject_of(&call)->value != NULL)
		return lyf_mysql_term_fail(t, psprintf("function %s(), which the server has not, or another one", name));
	return call.function->translate(t, &call);
}
