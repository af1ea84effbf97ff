/*
 * lineage.c
 *		Which columns an expression over a source reads.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "vault/derived.h"

LYF_FUNCTION_INFO_V1(lyf_expression_columns);

/* the column that a name with its qualifiers ends in; "*" where it is all of them */
static char *
last_name(const ColumnRef *column)
{
	Node	   *last = llast(column->fields);

	return IsA(last, String) ? pstrdup(strVal(last)) : pstrdup("*");
}

static bool
collect(Node *node, void *context)
{
	List	  **names = context;

	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		char	   *name = last_name((ColumnRef *) node);

		if (!lyf_vault_has_name(*names, name))
			*names = lappend(*names, name);
		return false;
	}
	return raw_expression_tree_walker(node, collect, context);
}

/* lyftron.expression_columns(expression text) */
Datum
lyf_expression_columns(PG_FUNCTION_ARGS)
{
	char	   *sql = psprintf("SELECT (%s)", text_to_cstring(PG_GETARG_TEXT_PP(0)));
	List	   *names = NIL;
	Datum	   *members;
	ListCell   *lc;

	/* an error is one in the expression, not in the query that asks */
	lyf_source_check_statements(sql);
	foreach(lc, pg_parse_query(sql))
		(void) collect(lfirst_node(RawStmt, lc)->stmt, &names);
	members = palloc(sizeof(Datum) * (list_length(names) + 1));
	foreach(lc, names)
		members[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	PG_RETURN_ARRAYTYPE_P(construct_array(members, list_length(names), TEXTOID, -1, false, TYPALIGN_INT));
}
