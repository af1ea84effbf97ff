/*
 * mysql_term.c
 *		Expressions to terms: what kinds of nodes there are, boolean logic, and
 *		what chooses between values.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"

#include "base/compat.h"
#include "fdw/mysql_plan.h"
#include "fdw/mysql_term.h"

LyfTerm *
lyf_mysql_term_fail(LyfTranslation *t, const char *reason)
{
	if (t->reason == NULL)
		t->reason = reason;
	return NULL;
}

const char *
lyf_mysql_reason(const LyfTranslation *t)
{
	return t->reason != NULL ? t->reason : "an expression that the server has not";
}

LyfTerm *
lyf_mysql_term_make(LyfTermKind kind, const char *sql)
{
	LyfTerm    *term = palloc0(sizeof(LyfTerm));

	term->kind = kind;
	term->sql = sql;
	return term;
}

const char *
lyf_mysql_alias(Index varno)
{
	return psprintf("r%u", varno);
}

const char *
lyf_mysql_operand(LyfTranslation *t, LyfTerm *term)
{
	LyfPlace	place = {.use = LYF_PLACE_OPERAND,.kind = term->kind,.scale = PG_INT16_MAX,.before = "",.after = ""};

	if (term->value != NULL)
		return lyf_mysql_use_value(t, term, &place);
	return term->operand != NULL ? term->operand : term->sql;
}

/* is something in the expression that is not known before the query runs? */
static bool
depends_on_rows(Node *node, void *context)
{
	LyfTranslation *t = context;

	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varlevelsup > 0 || bms_is_member(((Var *) node)->varno, t->relids);
	if (IsA(node, Param))
		return ((Param *) node)->paramkind != PARAM_EXTERN && ((Param *) node)->paramkind != PARAM_EXEC;
	if (IsA(node, Aggref) || IsA(node, GroupingFunc) || IsA(node, WindowFunc) || IsA(node, PlaceHolderVar) ||
		IsA(node, SubLink) || IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		IsA(node, CaseTestExpr) || IsA(node, CoerceToDomainValue) || IsA(node, CurrentOfExpr))
		return true;
	return expression_tree_walker(node, depends_on_rows, context);
}

/* may its evaluation fail? */
static bool
may_fail(Node *node, void *context)
{
	if (node == NULL || IsA(node, Const) || IsA(node, Param) || IsA(node, Var) || IsA(node, SQLValueFunction))
		return false;
	if (IsA(node, RelabelType) || IsA(node, ArrayExpr) || IsA(node, List))
		return expression_tree_walker(node, may_fail, context);
	return true;
}

bool
lyf_mysql_is_value(LyfTranslation *t, Expr *expr)
{
	if (IsA(expr, Const))
		return true;
	return !depends_on_rows((Node *) expr, t) && !contain_volatile_functions((Node *) expr) &&
		(t->conditional == 0 || !may_fail((Node *) expr, NULL));
}

static LyfTerm *
translate_var(LyfTranslation *t, Expr *expr)
{
	Var		   *var = (Var *) expr;
	const LyfMysqlRel *rel;

	if (var->varattno <= 0)
		return lyf_mysql_term_fail(t, "a system column or a whole row");
	if (var->varlevelsup > 0 || !bms_is_member(var->varno, t->relids))
		return lyf_mysql_term_fail(t, "a column of another table");
	rel = t->root->simple_rel_array[var->varno]->fdw_private;
	return lyf_mysql_column_term(t, rel->table, &rel->table->columns[var->varattno - 1],
								 t->qualify ? lyf_mysql_alias(var->varno) : NULL);
}

/* a term that is true, false or NULL, the same as the expression */
static LyfTerm *
translate_exact(LyfTranslation *t, Expr *expr)
{
	LyfTerm    *term = lyf_mysql_term(t, expr);

	if (term != NULL && (term->superset || term->zero_dates))
		return lyf_mysql_term_fail(t, "a date that reads as NULL, in more than a comparison");
	return term;
}

static LyfTerm *
translate_not(LyfTranslation *t, BoolExpr *expr)
{
	LyfTerm    *term;
	const char *operand;

	if (IsA(linitial(expr->args), DistinctExpr))
		return lyf_mysql_translate_same(t, linitial(expr->args));
	term = translate_exact(t, linitial(expr->args));
	operand = term ? lyf_mysql_operand(t, term) : NULL;
	return operand ? lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(NOT %s)", operand)) : NULL;
}

static LyfTerm *
translate_bool(LyfTranslation *t, Expr *expr)
{
	BoolExpr   *bool_expr = (BoolExpr *) expr;
	LyfTerm    *result;
	StringInfoData sql;
	ListCell   *lc;

	if (bool_expr->boolop == NOT_EXPR)
		return translate_not(t, bool_expr);
	result = lyf_mysql_term_make(LYF_TERM_BOOLEAN, NULL);
	initStringInfo(&sql);
	foreach(lc, bool_expr->args)
	{
		LyfTerm    *term;
		const char *operand;

		t->conditional++;
		term = lyf_mysql_term(t, lfirst(lc));
		operand = term ? lyf_mysql_operand(t, term) : NULL;
		t->conditional--;
		if (operand == NULL)
			return NULL;
		result->superset |= term->superset;
		appendStringInfo(&sql, "%s%s", sql.len == 0 ? "(" : bool_expr->boolop == AND_EXPR ? " AND " : " OR ", operand);
	}
	appendStringInfoChar(&sql, ')');
	result->sql = sql.data;
	return result;
}

static bool
is_moment(const LyfTerm *term)
{
	return term->kind == LYF_TERM_DATE || term->kind == LYF_TERM_DATETIME || term->kind == LYF_TERM_MOMENT;
}

/* the server takes a zero date that IS NULL for NULL, where the column is NOT NULL; <=> has no such habit */
static LyfTerm *
translate_null_test(LyfTranslation *t, Expr *expr)
{
	NullTest   *test = (NullTest *) expr;
	LyfTerm    *term = test->argisrow ? NULL : lyf_mysql_term(t, test->arg);
	LyfTerm    *result;
	bool		is_null = test->nulltesttype == IS_NULL;

	if (term == NULL || term->value != NULL || term->superset || (term->zero_dates && is_null))
		return lyf_mysql_term_fail(t, "whether something is NULL that the server does not know");
	result = lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf(is_moment(term) ? (is_null ? "(%s <=> NULL)" : "(NOT (%s <=> NULL))")
															: (is_null ? "(%s IS NULL)" : "(%s IS NOT NULL)"), term->sql));
	result->superset = term->zero_dates;
	return result;
}

static LyfTerm *
translate_boolean_test(LyfTranslation *t, Expr *expr)
{
	static const char *const tests[] = {
		[IS_TRUE] = "(%s IS TRUE)",
		[IS_NOT_TRUE] = "(%s IS NOT TRUE)",
		[IS_FALSE] = "(%s IS FALSE)",
		[IS_NOT_FALSE] = "(%s IS NOT FALSE)",
		[IS_UNKNOWN] = "(%s IS UNKNOWN)",
		[IS_NOT_UNKNOWN] = "(%s IS NOT UNKNOWN)"
	};
	BooleanTest *test = (BooleanTest *) expr;
	LyfTerm    *term = translate_exact(t, test->arg);

	if (term == NULL || term->value != NULL)
		return NULL;
	return lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf(tests[test->booltesttype], term->sql));
}

/* the kinds of which the server makes one value out of several without another type */
static bool
can_be_chosen(LyfTermKind kind)
{
	return kind != LYF_TERM_BITS && kind != LYF_TERM_UUID && kind != LYF_TERM_OPAQUE;
}

static bool
is_null_constant(const LyfTerm *term)
{
	return term->value != NULL && IsA(term->value, Const) && ((Const *) term->value)->constisnull;
}

/* make result one that can be this term as well; its operand, or NULL: they do not go together */
static const char *
add_choice(LyfTranslation *t, LyfTerm *result, LyfTerm *term)
{
	bool		first = result->sql == NULL;

	if (is_null_constant(term))
		return "NULL";
	if (!can_be_chosen(term->kind) || (!first && term->kind != result->kind))
		return NULL;
	if (first)
		*result = *term;
	result->sql = "";
	result->value = NULL;
	result->column = NULL;
	result->uneven = result->uneven || term->uneven || result->scale != term->scale;
	result->low = Min(result->low, term->low);
	result->high = Max(result->high, term->high);
	result->digits = Max(result->digits, term->digits);
	result->scale = Max(result->scale, term->scale);
	result->length = result->length == 0 || term->length == 0 ? 0 : Max(result->length, term->length);
	return lyf_mysql_operand(t, term);
}

/* sql becomes that of the choice; NULL if a number may be too long, or there was no choice */
static LyfTerm *
end_choice(LyfTranslation *t, LyfTerm *result, const char *sql)
{
	if (result->sql == NULL || result->digits + result->scale > LYF_MYSQL_DIGITS)
		return lyf_mysql_term_fail(t, "values that the server has no common type for");
	result->sql = result->operand = sql;
	return result;
}

/* append " THEN x", or whatever stands before it */
static bool
append_choice(LyfTranslation *t, LyfTerm *result, StringInfo sql, const char *before, Expr *expr)
{
	LyfTerm    *term = translate_exact(t, expr);
	const char *operand = term ? add_choice(t, result, term) : NULL;

	if (operand == NULL)
		return false;
	appendStringInfo(sql, "%s%s", before, operand);
	return true;
}

static bool
append_when(LyfTranslation *t, LyfTerm *result, StringInfo sql, CaseWhen *when)
{
	LyfTerm    *condition = translate_exact(t, when->expr);
	const char *operand = condition ? lyf_mysql_operand(t, condition) : NULL;

	if (operand == NULL)
		return false;
	appendStringInfo(sql, " WHEN %s", operand);
	return append_choice(t, result, sql, " THEN ", when->result);
}

static LyfTerm *
translate_cases(LyfTranslation *t, CaseExpr *expr)
{
	LyfTerm    *result = lyf_mysql_term_make(LYF_TERM_OPAQUE, NULL);
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "(CASE");
	foreach(lc, expr->args)
	{
		if (!append_when(t, result, &sql, lfirst_node(CaseWhen, lc)))
			return lyf_mysql_term_fail(t, "values that the server has no common type for");
	}
	if (expr->defresult != NULL && !append_choice(t, result, &sql, " ELSE ", expr->defresult))
		return lyf_mysql_term_fail(t, "values that the server has no common type for");
	appendStringInfoString(&sql, " END)");
	return end_choice(t, result, sql.data);
}

static LyfTerm *
translate_case(LyfTranslation *t, Expr *expr)
{
	CaseExpr   *case_expr = (CaseExpr *) expr;
	LyfTerm    *outer = t->tested;
	LyfTerm    *result;

	if (case_expr->arg != NULL)
	{
		t->tested = translate_exact(t, case_expr->arg);
		if (t->tested == NULL)
		{
			t->tested = outer;
			return NULL;
		}
	}
	t->conditional++;
	result = translate_cases(t, case_expr);
	t->conditional--;
	t->tested = outer;
	return result;
}

static LyfTerm *
translate_case_test(LyfTranslation *t, Expr *expr)
{
	return t->tested != NULL ? t->tested : lyf_mysql_term_fail(t, "a value of an array or a domain");
}

static LyfTerm *
translate_coalesce(LyfTranslation *t, Expr *expr)
{
	LyfTerm    *result = lyf_mysql_term_make(LYF_TERM_OPAQUE, NULL);
	bool		done = true;
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	t->conditional++;
	foreach(lc, ((CoalesceExpr *) expr)->args)
		done = done && append_choice(t, result, &sql, sql.len == 0 ? "COALESCE(" : ", ", lfirst(lc));
	t->conditional--;
	appendStringInfoChar(&sql, ')');
	return done ? end_choice(t, result, sql.data) : lyf_mysql_term_fail(t, "values that the server has no common type for");
}

/* NULLIF is CASE WHEN x = y THEN NULL ELSE x END */
static LyfTerm *
translate_nullif(LyfTranslation *t, Expr *expr)
{
	LyfTerm    *equal = lyf_mysql_translate_operator(t, expr);
	LyfTerm    *first = equal ? translate_exact(t, linitial(((OpExpr *) expr)->args)) : NULL;
	LyfTerm    *result = lyf_mysql_term_make(LYF_TERM_OPAQUE, NULL);
	const char *operand;

	if (first == NULL || equal->superset)
		return NULL;
	operand = add_choice(t, result, first);
	if (operand == NULL)
		return lyf_mysql_term_fail(t, "a value that the server cannot choose");
	return end_choice(t, result, psprintf("(CASE WHEN %s THEN NULL ELSE %s END)", equal->sql, operand));
}

/* a cast that changes nothing, between types of the same kind */
static LyfTerm *
translate_relabel(LyfTranslation *t, Expr *expr)
{
	RelabelType *relabel = (RelabelType *) expr;
	LyfTerm    *term = lyf_mysql_term(t, relabel->arg);
	LyfTermKind kind;

	if (term != NULL && (!lyf_mysql_kind_of(relabel->resulttype, &kind) || kind != term->kind))
		return lyf_mysql_term_fail(t, "a cast that the server has not");
	return term;
}

static const struct
{
	NodeTag		tag;
	LyfTerm    *(*translate) (LyfTranslation *t, Expr *expr);
}			node_kinds[] = {
	{T_Var, translate_var},
	{T_OpExpr, lyf_mysql_translate_operator},
	{T_ScalarArrayOpExpr, lyf_mysql_translate_any},
	{T_FuncExpr, lyf_mysql_translate_function},
	{T_BoolExpr, translate_bool},
	{T_NullTest, translate_null_test},
	{T_RelabelType, translate_relabel},
	{T_Aggref, lyf_mysql_translate_aggregate},
	{T_DistinctExpr, lyf_mysql_translate_distinct},
	{T_BooleanTest, translate_boolean_test},
	{T_CaseExpr, translate_case},
	{T_CaseTestExpr, translate_case_test},
	{T_CoalesceExpr, translate_coalesce},
	{T_NullIfExpr, translate_nullif}
};

LyfTerm *
lyf_mysql_term(LyfTranslation *t, Expr *expr)
{
	check_stack_depth();
	if (lyf_mysql_is_value(t, expr))
		return lyf_mysql_value_term(t, expr);
	for (int i = 0; i < lengthof(node_kinds); i++)
	{
		if (node_kinds[i].tag == nodeTag(expr))
			return node_kinds[i].translate(t, expr);
	}
	return lyf_mysql_term_fail(t, "an expression that the server has not");
}

const char *
lyf_mysql_condition(LyfTranslation *t, Expr *expr, bool *superset)
{
	LyfTerm    *term = lyf_mysql_term(t, expr);

	*superset = term != NULL && term->superset;
	return term ? lyf_mysql_operand(t, term) : NULL;
}
