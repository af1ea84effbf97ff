/*
 * mysql_aggregate.c
 *		Aggregates.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "fdw/mysql_term.h"

/* SUM has so many digits more than what is added */
#define SUM_DIGITS		22

/* digits of a BIGINT */
#define INTEGER_DIGITS	19

/* what an aggregate has been called with */
typedef struct Call
{
	const char *function;		/* the server's */
	LyfTerm    *arg;			/* NULL: rows are counted */
	const char *operand;		/* text of the argument, with DISTINCT and FILTER */
	Oid			type;			/* of the result */
	Oid			collation;
	bool		distinct;
} Call;

static LyfTerm *
make_result(LyfTermKind kind, const char *sql)
{
	LyfTerm    *result = lyf_mysql_term_make(kind, sql);

	result->operand = sql;
	return result;
}

static const char *
apply(const Call *call)
{
	return psprintf("%s(%s)", call->function, call->operand);
}

static LyfTerm *
count(LyfTranslation *t, const Call *call)
{
	LyfTerm    *result = make_result(LYF_TERM_INTEGER, apply(call));

	result->high = PG_INT64_MAX;
	return result;
}

/* can the server add so many digits without losing any? */
static bool
can_add(LyfTranslation *t, const LyfTerm *arg)
{
	if (arg->kind == LYF_TERM_INTEGER || (arg->kind == LYF_TERM_DECIMAL && arg->digits + arg->scale + SUM_DIGITS <= LYF_MYSQL_DIGITS))
		return true;
	lyf_mysql_term_fail(t, arg->kind == LYF_TERM_DECIMAL ? "a sum of more digits than the server has" : "a sum that the server has not");
	return false;
}

/* an integer that the server makes a DECIMAL, or a decimal */
static LyfTerm *
sum(LyfTranslation *t, const Call *call)
{
	LyfTerm    *arg = call->arg;
	LyfTerm    *result;

	if (!can_add(t, arg))
		return NULL;
	result = make_result(call->type == INT8OID ? LYF_TERM_INTEGER : LYF_TERM_DECIMAL, apply(call));
	if (result->kind == LYF_TERM_INTEGER)
	{
		result->operand = psprintf("CAST(%s AS SIGNED)", result->sql);
		result->low = PG_INT64_MIN;
		result->high = PG_INT64_MAX;
		return result;
	}
	result->digits = (arg->kind == LYF_TERM_INTEGER ? INTEGER_DIGITS : arg->digits) + SUM_DIGITS;
	result->scale = arg->scale;
	result->uneven = arg->uneven;
	return result;
}

/* sum and count, which are divided here as PostgreSQL does */
static LyfTerm *
average(LyfTranslation *t, const Call *call)
{
	if (!can_add(t, call->arg))
		return NULL;
	if (call->arg->uneven)
		return lyf_mysql_term_fail(t, "numbers of several scales");
	return lyf_mysql_term_make(LYF_TERM_OPAQUE, psprintf("CONCAT(SUM(%s), '/', COUNT(%s))", call->operand, call->operand));
}

/* the least, or the greatest */
static LyfTerm *
extreme(LyfTranslation *t, const Call *call)
{
	LyfTerm    *arg = call->arg;
	LyfTerm    *result;

	if (!lyf_mysql_sortable(t, arg, LYF_PLACE_LESS, call->collation))
		return NULL;
	result = palloc(sizeof(LyfTerm));
	*result = *arg;
	result->column = NULL;
	result->sql = result->operand = apply(call);
	if (arg->kind == LYF_TERM_TEXT)
	{
		result->sql = psprintf("CONVERT(%s USING utf8mb4)", result->sql);
		result->operand = psprintf("%s COLLATE utf8mb4_bin", result->sql);
	}
	return result;
}

static LyfTerm *
truth(LyfTranslation *t, const Call *call)
{
	return make_result(LYF_TERM_BOOLEAN, apply(call));
}

#define ANY_KIND	((1 << LYF_TERM_KINDS) - 1)
#define NUMBERS		(1 << LYF_TERM_INTEGER | 1 << LYF_TERM_DECIMAL)
#define TIMES		(1 << LYF_TERM_DATE | 1 << LYF_TERM_DATETIME | 1 << LYF_TERM_MOMENT | 1 << LYF_TERM_SPAN | 1 << LYF_TERM_CLOCK)
#define ORDERED		(NUMBERS | TIMES | 1 << LYF_TERM_DOUBLE | 1 << LYF_TERM_TEXT)

static const struct
{
	const char *name;
	int			kinds;			/* that the argument can be of */
	LyfTerm    *(*translate) (LyfTranslation *t, const Call *call);
	const char *function;
}			aggregates[] = {
	{"count", ANY_KIND, count, "COUNT"},
	{"sum", NUMBERS, sum, "SUM"},
	{"avg", NUMBERS, average, NULL},
	{"min", ORDERED, extreme, "MIN"},
	{"max", ORDERED, extreme, "MAX"},
	{"bool_and", 1 << LYF_TERM_BOOLEAN, truth, "MIN"},
	{"every", 1 << LYF_TERM_BOOLEAN, truth, "MIN"},
	{"bool_or", 1 << LYF_TERM_BOOLEAN, truth, "MAX"}
};

/* an exact term of an expression inside the aggregate, where there are no others */
static LyfTerm *
translate_inside(LyfTranslation *t, Expr *expr)
{
	LyfTerm    *term;

	t->aggregates = false;
	term = lyf_mysql_term(t, expr);
	t->aggregates = true;
	if (term != NULL && (term->superset || term->zero_dates))
		return lyf_mysql_term_fail(t, "a date that may read as NULL, in an aggregate");
	return term;
}

/* the argument, and its text without what surrounds it; "1" if rows are counted */
static const char *
translate_argument(LyfTranslation *t, const Aggref *aggref, Call *call)
{
	const char *operand;

	if (aggref->aggstar)
		return "1";
	call->arg = translate_inside(t, linitial_node(TargetEntry, aggref->args)->expr);
	if (call->arg == NULL)
		return NULL;
	if (call->distinct && !lyf_mysql_sortable(t, call->arg, LYF_PLACE_EQUAL, aggref->inputcollid))
		return NULL;
	if (call->arg->kind == LYF_TERM_TEXT && call->arg->value == NULL)
		return lyf_mysql_bytes_of(t, call->arg);
	operand = lyf_mysql_operand(t, call->arg);
	if (operand == NULL)
		lyf_mysql_term_fail(t, "a value that the server might not have");
	return operand;
}

static bool
add_filter(LyfTranslation *t, const Aggref *aggref, const char **operand)
{
	LyfTerm    *filter;
	const char *condition;

	if (aggref->aggfilter == NULL)
		return true;
	filter = translate_inside(t, aggref->aggfilter);
	condition = filter ? lyf_mysql_operand(t, filter) : NULL;
	if (condition == NULL)
		return false;
	*operand = psprintf("CASE WHEN %s THEN %s END", condition, *operand);
	return true;
}

static bool
is_plain(const Aggref *aggref)
{
	return aggref->aggfnoid < FirstGenbkiObjectId && aggref->aggkind == AGGKIND_NORMAL && aggref->agglevelsup == 0 &&
		aggref->aggsplit == AGGSPLIT_SIMPLE && aggref->aggorder == NIL && !aggref->aggvariadic && list_length(aggref->args) <= 1;
}

LyfTerm *
lyf_mysql_translate_aggregate(LyfTranslation *t, Expr *expr)
{
	Aggref	   *aggref = (Aggref *) expr;
	Call		call = {.type = aggref->aggtype,.collation = aggref->inputcollid,.distinct = aggref->aggdistinct != NIL};
	const char *name = get_func_name(aggref->aggfnoid);

	if (!t->aggregates || !is_plain(aggref))
		return lyf_mysql_term_fail(t, psprintf("aggregate %s() in this form", name));
	call.operand = translate_argument(t, aggref, &call);
	if (call.operand == NULL || !add_filter(t, aggref, &call.operand))
		return NULL;
	if (call.distinct)
		call.operand = psprintf("DISTINCT %s", call.operand);
	for (int i = 0; i < lengthof(aggregates); i++)
	{
		call.function = aggregates[i].function;
		if (strcmp(aggregates[i].name, name) == 0 && (call.arg == NULL || aggregates[i].kinds & (1 << call.arg->kind)))
			return aggregates[i].translate(t, &call);
	}
	return lyf_mysql_term_fail(t, psprintf("aggregate %s(), which the server has not", name));
}
