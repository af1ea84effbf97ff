/*
 * query.c
 *		The SELECT that reads a source, or a range of it; and what its plan promises.
 *
 * Bounds are constants of the column's own type, so that a foreign data wrapper can hand the
 * comparison on to its server.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pipeline/pipeline_internal.h"

/* The record as a whole, and after it the columns that key and cursor are taken from. */
static void
append_record(StringInfo sql, const LyfPipeline *pipeline, const LyfSource *source)
{
	bool		cursor_is_key = false;
	ListCell   *lc;

	if (lyf_source_column(source, "_record") != NULL)
		appendStringInfoString(sql, LYF_SOURCE_ALIAS "._record AS record");
	else
		appendStringInfoString(sql, "pg_catalog.to_jsonb(" LYF_SOURCE_ALIAS ") AS record");
	foreach(lc, pipeline->primary_key)
	{
		appendStringInfo(sql, ", " LYF_SOURCE_ALIAS ".%s", quote_identifier(lfirst(lc)));
		if (pipeline->cursor != NULL && strcmp(lfirst(lc), pipeline->cursor) == 0)
			cursor_is_key = true;
	}
	if (pipeline->cursor != NULL && !cursor_is_key)
		appendStringInfo(sql, ", " LYF_SOURCE_ALIAS ".%s", quote_identifier(pipeline->cursor));
}

bool
lyf_source_nullable(const LyfSource *source, const char *name)
{
	HeapTuple	tuple = OidIsValid(source->relid) ? SearchSysCacheAttName(source->relid, name) : NULL;
	bool		nullable = true;

	if (HeapTupleIsValid(tuple))
	{
		nullable = !((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
		ReleaseSysCache(tuple);
	}
	return nullable;
}

static void
append_bound(StringInfo sql, const char *column, const char *operator, const char *bound, const char *type)
{
	if (bound != NULL)
		appendStringInfo(sql, "%s%s %s %s::%s", sql->len > 0 ? " AND " : "", column, operator, quote_literal_cstr(bound), type);
}

/* " WHERE ... ORDER BY ..." */
static char *
range_clauses(const LyfSource *source, const LyfRange *range)
{
	Form_pg_attribute attribute = lyf_source_column(source, range->column);
	char	   *column = psprintf(LYF_SOURCE_ALIAS ".%s", quote_identifier(range->column));
	const char *order = range->ordered ? psprintf(" ORDER BY %s", column) : "";
	StringInfoData bounds;
	const char *type;
	int32		typmod;

	if (attribute == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the source has no column \"%s\", by which the pipeline chooses rows", range->column)));
	if (range->nulls == LYF_NULLS_ONLY)
		return psprintf(" WHERE %s IS NULL", column);
	/* what a domain checks need not hold for a bound */
	typmod = attribute->atttypmod;
	type = format_type_extended(getBaseTypeAndTypmod(attribute->atttypid, &typmod), typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	initStringInfo(&bounds);
	append_bound(&bounds, column, range->above ? ">" : ">=", range->low, type);
	append_bound(&bounds, column, "<", range->high, type);
	if (!lyf_source_nullable(source, range->column))
		return bounds.len == 0 ? pstrdup(order) : psprintf(" WHERE %s%s", bounds.data, order);
	if (bounds.len == 0)
		return range->nulls == LYF_NULLS_TOO ? pstrdup(order) : psprintf(" WHERE %s IS NOT NULL%s", column, order);
	if (range->nulls == LYF_NULLS_TOO)
		return psprintf(" WHERE (%s OR %s IS NULL)%s", bounds.data, column, order);
	return psprintf(" WHERE %s%s", bounds.data, order);
}

char *
lyf_source_sql(const LyfPipeline *pipeline, const LyfSource *source, const LyfRange *range)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	if (lyf_nested_wants_record(lyf_nested_get(pipeline->nested)))
		append_record(&sql, pipeline, source);
	else
		appendStringInfoString(&sql, LYF_SOURCE_ALIAS ".*");
	appendStringInfo(&sql, " FROM %s AS " LYF_SOURCE_ALIAS, source->from);
	if (range != NULL)
		appendStringInfoString(&sql, range_clauses(source, range));
	return sql.data;
}

bool
lyf_source_is_scan(PlannedStmt *plan, Oid relid)
{
	Plan	   *top = plan->planTree;
	Index		scanned;

	if (!OidIsValid(relid) || !IsA(top, ForeignScan) || plan->subplans != NIL)
		return false;
	scanned = ((ForeignScan *) top)->scan.scanrelid;
	return scanned > 0 && rt_fetch(scanned, plan->rtable)->relid == relid;
}

static bool sorts(Plan *plan);

static bool
any_sorts(List *plans)
{
	ListCell   *lc;

	foreach(lc, plans)
		if (sorts(lfirst(lc)))
			return true;
	return false;
}

static bool
sorts(Plan *plan)
{
	if (plan == NULL)
		return false;
	if (IsA(plan, Sort) || IsA(plan, IncrementalSort))
		return true;
	if (IsA(plan, Append))
		return any_sorts(((Append *) plan)->appendplans);
	if (IsA(plan, MergeAppend))
		return any_sorts(((MergeAppend *) plan)->mergeplans);
	if (IsA(plan, SubqueryScan))
		return sorts(((SubqueryScan *) plan)->subplan);
	return sorts(plan->lefttree) || sorts(plan->righttree);
}

bool
lyf_plan_sorts(PlannedStmt *plan)
{
	return sorts(plan->planTree);
}

/* Does the foreign table's wrapper compare as we do: since it is PostgreSQL that does, or since it takes care? */
static bool
compares_as_we_do(Oid relid)
{
	static const char *const handlers[] = {"postgres_fdw_handler", "file_fdw_handler", "rest_handler", "mysql_handler"};
	char	   *handler = get_func_name(GetForeignDataWrapper(GetForeignServer(GetForeignTable(relid)->serverid)->fdwid)->fdwhandler);

	for (int i = 0; i < lengthof(handlers); i++)
		if (handler != NULL && strcmp(handler, handlers[i]) == 0)
			return true;
	return false;
}

bool
lyf_plan_orders_as_we_do(PlannedStmt *plan)
{
	ListCell   *lc;

	foreach(lc, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_FOREIGN_TABLE && !compares_as_we_do(rte->relid))
			return false;
	}
	return true;
}
