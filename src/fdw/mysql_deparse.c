/*
 * mysql_deparse.c
 *		A query as the server reads it.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/prep.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "access/stratnum.h"
#include "base/compat.h"
#include "fdw/mysql_plan.h"

/* OFFSET needs a LIMIT */
#define ALL_ROWS	"18446744073709551615"

static LyfMysqlRel *
rel_of(const RelOptInfo *rel)
{
	return rel->fdw_private;
}

/* a base or a join relation */
static RelOptInfo *
scan_of(RelOptInfo *rel)
{
	return IS_UPPER_REL(rel) ? rel_of(rel)->source : rel;
}

void
lyf_mysql_translation(LyfTranslation *t, PlannerInfo *root, RelOptInfo *rel)
{
	RelOptInfo *scan = scan_of(rel);

	memset(t, 0, sizeof(LyfTranslation));
	t->root = root;
	t->relids = scan->relids;
	t->qualify = IS_JOIN_REL(scan);
	t->aggregates = IS_UPPER_REL(rel) && rel_of(rel)->grouped;
}

/* a term of what was found to be for the server before */
static LyfTerm *
known_term(LyfTranslation *t, Expr *expr)
{
	LyfTerm    *term = lyf_mysql_term(t, expr);

	if (term == NULL)
		elog(ERROR, "an expression is no longer for the server: %s", lyf_mysql_reason(t));
	return term;
}

void
lyf_mysql_table_name(StringInfo sql, const LyfMysqlTable *table)
{
	lyf_mysql_quote_name(sql, table->database);
	appendStringInfoChar(sql, '.');
	lyf_mysql_quote_name(sql, table->name);
}

void
lyf_mysql_conditions(StringInfo sql, LyfTranslation *t, List *conditions)
{
	ListCell   *lc;

	foreach(lc, conditions)
	{
		LyfTerm    *term = known_term(t, lfirst(lc));

		appendStringInfo(sql, "%s%s", foreach_current_index(lc) > 0 ? " AND " : "", lyf_mysql_operand(t, term));
	}
}

static void append_all_conditions(StringInfo sql, LyfTranslation *t, const char *keyword, List *conditions, List *exists);

/* FROM, with joins one inside the other */
static void
append_from(StringInfo sql, LyfTranslation *t, RelOptInfo *rel)
{
	const LyfMysqlRel *mine = rel_of(rel);

	if (mine->table != NULL)
	{
		lyf_mysql_table_name(sql, mine->table);
		if (t->qualify)
			appendStringInfo(sql, " %s", lyf_mysql_alias(rel->relid));
		return;
	}
	if (mine->jointype == JOIN_SEMI || mine->jointype == JOIN_ANTI)
	{
		append_from(sql, t, mine->outer);
		return;
	}
	appendStringInfoChar(sql, '(');
	append_from(sql, t, mine->outer);
	appendStringInfoString(sql, mine->jointype == JOIN_LEFT ? " LEFT JOIN " : " INNER JOIN ");
	append_from(sql, t, mine->inner);
	append_all_conditions(sql, t, " ON ", mine->clauses, mine->clause_exists);
	if (mine->clauses == NIL && mine->clause_exists == NIL)
		appendStringInfoString(sql, " ON TRUE");
	appendStringInfoChar(sql, ')');
}

/* a semi or anti join */
static void
append_exists(StringInfo sql, LyfTranslation *t, const LyfMysqlRel *join)
{
	const LyfMysqlRel *inner = rel_of(join->inner);

	appendStringInfoString(sql, join->jointype == JOIN_ANTI ? "(NOT EXISTS (SELECT 1 FROM " : "(EXISTS (SELECT 1 FROM ");
	append_from(sql, t, join->inner);
	append_all_conditions(sql, t, " WHERE ", list_concat_copy(inner->remote, join->clauses), inner->exists);
	appendStringInfoString(sql, "))");
}

/* a keyword and what it needs, if that is anything */
static void
append_all_conditions(StringInfo sql, LyfTranslation *t, const char *keyword, List *conditions, List *exists)
{
	ListCell   *lc;

	if (conditions != NIL)
		appendStringInfoString(sql, keyword);
	lyf_mysql_conditions(sql, t, conditions);
	foreach(lc, exists)
	{
		appendStringInfoString(sql, conditions == NIL && foreach_current_index(lc) == 0 ? keyword : " AND ");
		append_exists(sql, t, lfirst(lc));
	}
}

/* a column all of whose value comes */
static void
append_column(StringInfo sql, LyfTranslation *t, const Var *var)
{
	const LyfMysqlTable *table = rel_of(t->root->simple_rel_array[var->varno])->table;

	lyf_mysql_select_column(sql, t->qualify ? lyf_mysql_alias(var->varno) : NULL, &table->columns[var->varattno - 1]);
}

static void
append_outputs(StringInfo sql, LyfTranslation *t, List *outputs)
{
	ListCell   *lc;

	if (outputs == NIL)
		appendStringInfoString(sql, "NULL");
	foreach(lc, outputs)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(sql, ", ");
		if (IsA(lfirst(lc), Var))
			append_column(sql, t, lfirst(lc));
		else
			appendStringInfoString(sql, known_term(t, lfirst(lc))->sql);
	}
}

static void
append_groups(StringInfo sql, LyfTranslation *t, List *groups)
{
	ListCell   *lc;

	foreach(lc, groups)
		appendStringInfo(sql, "%s%s", foreach_current_index(lc) > 0 ? ", " : " GROUP BY ",
						 lyf_mysql_bytes_of(t, known_term(t, lfirst(lc))));
}

/* without casts that change nothing; what collation a text is sorted by does not say the expression */
static const Node *
strip_relabel(const void *expr)
{
	const Node *node = expr;

	while (IsA(node, RelabelType))
		node = (const Node *) ((const RelabelType *) node)->arg;
	return node;
}

static bool
is_output(const LyfMysqlRel *mine, const void *expr)
{
	ListCell   *lc;

	foreach(lc, mine->outputs)
	{
		if (equal(strip_relabel(lfirst(lc)), strip_relabel(expr)))
			return true;
	}
	return false;
}

/* a relation's expressions: those that it is made of, where it is an upper one; else of its columns */
static bool
has_member(const RelOptInfo *rel, const EquivalenceMember *member)
{
	if (member->em_is_const || member->em_is_child)
		return false;
	if (IS_UPPER_REL(rel))
		return is_output(rel_of(rel), member->em_expr);
	return !bms_is_empty(member->em_relids) && bms_is_subset(member->em_relids, rel->relids) &&
		!bms_overlap(member->em_relids, rel_of(rel)->hidden);
}

/* by the type's own order, and not another one's */
static bool
is_usual_order(const PathKey *pathkey, const EquivalenceMember *member)
{
	return lookup_type_cache(exprType((Node *) member->em_expr), TYPECACHE_BTREE_OPFAMILY)->btree_opf == pathkey->pk_opfamily;
}

Expr *
lyf_mysql_sort_expression(PlannerInfo *root, RelOptInfo *rel, PathKey *pathkey)
{
	ListCell   *lc;

	if (pathkey->pk_eclass->ec_has_volatile)
		return NULL;
	foreach(lc, pathkey->pk_eclass->ec_members)
	{
		EquivalenceMember *member = lfirst(lc);
		LyfTranslation t;
		LyfTerm    *term;

		if (!has_member(rel, member) || !is_usual_order(pathkey, member))
			continue;
		lyf_mysql_translation(&t, root, rel);
		term = lyf_mysql_term(&t, member->em_expr);
		if (term != NULL && lyf_mysql_sortable(&t, term, LYF_PLACE_LESS, pathkey->pk_eclass->ec_collation))
			return member->em_expr;
	}
	return NULL;
}

/* NULL is less than all else at the server */
static void
append_sort_key(StringInfo sql, LyfTranslation *t, LyfTerm *term, const PathKey *pathkey)
{
	const char *key = lyf_mysql_bytes_of(t, term);
	bool		descends = lyf_pathkey_descends(pathkey);
	bool		not_null = term->column != NULL && term->column->not_null && !t->qualify;

	if (!not_null && pathkey->pk_nulls_first == descends)
		appendStringInfo(sql, "(%s IS NULL)%s, ", key, descends ? " DESC" : "");
	appendStringInfo(sql, "%s%s", key, descends ? " DESC" : "");
}

static void
append_order(StringInfo sql, LyfTranslation *t, RelOptInfo *rel, List *pathkeys)
{
	ListCell   *lc;

	foreach(lc, pathkeys)
	{
		Expr	   *expr = lyf_mysql_sort_expression(t->root, rel, lfirst(lc));

		if (expr == NULL)
			elog(ERROR, "an order is no longer for the server");
		appendStringInfoString(sql, foreach_current_index(lc) > 0 ? ", " : " ORDER BY ");
		append_sort_key(sql, t, known_term(t, expr), lfirst(lc));
	}
}

static void
append_count(StringInfo sql, LyfTranslation *t, const char *keyword, LyfPlaceUse use, Node *count)
{
	LyfPlace	place = {.use = use,.kind = LYF_TERM_INTEGER,.before = "",.after = ""};

	appendStringInfo(sql, " %s %s", keyword, lyf_mysql_use_value(t, lyf_mysql_value_term(t, (Expr *) count), &place));
}

static void
append_limit(StringInfo sql, LyfTranslation *t)
{
	const Query *parse = t->root->parse;

	if (parse->limitCount != NULL)
		append_count(sql, t, "LIMIT", LYF_PLACE_LIMIT, parse->limitCount);
	else
		appendStringInfoString(sql, " LIMIT " ALL_ROWS);
	if (parse->limitOffset != NULL)
		append_count(sql, t, "OFFSET", LYF_PLACE_OFFSET, parse->limitOffset);
}

/* GROUP BY and HAVING */
static void
append_grouping(StringInfo sql, LyfTranslation *t, const LyfMysqlRel *grouped)
{
	append_groups(sql, t, grouped->groups);
	append_all_conditions(sql, t, " HAVING ", grouped->remote, NIL);
}

/* rows that this statement writes, or locks, stay as they are read */
static void
append_lock(StringInfo sql, PlannerInfo *root, const RelOptInfo *rel)
{
	PlanRowMark *mark = get_plan_rowmark(root->rowMarks, rel->relid);

	if (bms_is_member(rel->relid, root->all_result_relids) || (mark != NULL && mark->strength >= LCS_FORNOKEYUPDATE))
		appendStringInfoString(sql, " FOR UPDATE");
	else if (mark != NULL && mark->strength >= LCS_FORKEYSHARE)
		appendStringInfoString(sql, " LOCK IN SHARE MODE");
}

char *
lyf_mysql_deparse(LyfTranslation *t, const LyfMysqlQuery *query)
{
	RelOptInfo *scan = scan_of(query->rel);
	bool		simple = scan == query->rel && rel_of(scan)->table != NULL;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	append_outputs(&sql, t, query->outputs);
	appendStringInfoString(&sql, " FROM ");
	append_from(&sql, t, scan);
	append_all_conditions(&sql, t, " WHERE ", simple ? query->where : rel_of(scan)->remote, rel_of(scan)->exists);
	if (scan != query->rel)
		append_grouping(&sql, t, rel_of(query->rel));
	append_order(&sql, t, query->rel, query->pathkeys);
	if (query->limited)
		append_limit(&sql, t);
	if (IS_SIMPLE_REL(query->rel))
		append_lock(&sql, t->root, query->rel);
	return sql.data;
}
