/*
 * item.c
 *		Expressions over a source as users write them, each as in the list of a SELECT: "c_name", "upper(c_phone) AS phone".
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "vault/vault_internal.h"

/* the one member of a SELECT's list that the text is; raises */
static ResTarget *
parse_target(const char *text)
{
	List	   *statements = pg_parse_query(psprintf("SELECT %s", text));
	SelectStmt *select = list_length(statements) == 1 ? (SelectStmt *) linitial_node(RawStmt, statements)->stmt : NULL;

	if (select == NULL || !IsA(select, SelectStmt) || list_length(select->targetList) != 1 || select->fromClause != NIL ||
		select->whereClause != NULL || select->op != SETOP_NONE || select->sortClause != NIL || select->limitCount != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not one expression of the source", text),
				 errhint("Give it as in a SELECT list: column, or expression AS name.")));
	return linitial_node(ResTarget, select->targetList);
}

static bool
is_blank(char c)
{
	return scanner_isspace(c);
}

/* where the text ends without its last word: a name, which may be quoted */
static int
before_last_word(const char *text, int len)
{
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	if (len > 0 && text[len - 1] == '"')
	{
		for (len--; len > 0; len--)
		{
			if (text[len - 1] != '"')
				continue;
			if (len > 1 && text[len - 2] == '"')
				len--;
			else
				return len - 1;
		}
		return 0;
	}
	while (len > 0 && !is_blank(text[len - 1]) && text[len - 1] != '"' && text[len - 1] != ')')
		len--;
	return len;
}

/* the expression without its "AS name" */
static char *
strip_label(const char *text)
{
	int			len = before_last_word(text, strlen(text));
	char	   *expr;

	while (len > 0 && is_blank(text[len - 1]))
		len--;
	if (len > 2 && pg_strncasecmp(text + len - 2, "as", 2) == 0 && (is_blank(text[len - 3]) || strchr(")\"'", text[len - 3]) != NULL))
		len -= 2;
	expr = pnstrdup(text, len);
	if (len == 0 || parse_target(expr)->name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the expression of \"%s\" cannot be told from its name", text),
				 errhint("Write it as: expression AS name.")));
	return expr;
}

/* the name that a SELECT would give it, NULL: none that a table can have */
static char *
implicit_name(Node *expr)
{
	ColumnRef  *column = (ColumnRef *) expr;

	if (IsA(expr, ColumnRef) && IsA(llast(column->fields), String))
		return pstrdup(strVal(llast(column->fields)));
	if (IsA(expr, TypeCast))
		return implicit_name(((TypeCast *) expr)->arg);
	return NULL;
}

LyfVaultItem *
lyf_vault_item(const char *text, bool named)
{
	LyfVaultItem *item = palloc0(sizeof(LyfVaultItem));
	ResTarget  *target = parse_target(text);

	if (target->name != NULL)
	{
		item->name = pstrdup(target->name);
		item->expr = strip_label(text);
	}
	else
	{
		item->name = implicit_name(target->val);
		item->expr = pstrdup(text);
	}
	if (named && item->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("expression \"%s\" has no name for a column", text),
				 errhint("Write it as: expression AS name.")));
	return item;
}

List *
lyf_vault_items(List *texts, bool named)
{
	List	   *items = NIL;
	ListCell   *lc;

	foreach(lc, texts)
		items = lappend(items, lyf_vault_item(lfirst(lc), named));
	return items;
}

void
lyf_vault_item_types(const LyfSource *source, List *items)
{
	StringInfoData sql;
	TupleDesc	desc;
	ListCell   *lc;
	int			i = 0;

	if (items == NIL)
		return;
	initStringInfo(&sql);
	foreach(lc, items)
	{
		appendStringInfo(&sql, "%s(%s) AS c%d", i == 0 ? "SELECT " : ", ", ((LyfVaultItem *) lfirst(lc))->expr, i);
		i++;
	}
	appendStringInfo(&sql, " FROM %s AS " LYF_VAULT_ALIAS, source->from);
	desc = lyf_source_row(sql.data);
	foreach(lc, items)
	{
		LyfVaultItem *item = lfirst(lc);

		if (item->type != NULL)
			continue;
		/* without its length: a longer value later is no reason to fail */
		item->type_oid = getBaseType(TupleDescAttr(desc, foreach_current_index(lc))->atttypid);
		if (item->type_oid == UNKNOWNOID)
			item->type_oid = TEXTOID;
		item->type = format_type_extended(item->type_oid, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
	}
}

bool
lyf_vault_is_pipeline_column(const char *name)
{
	return strcmp(name, "_record") == 0 || strncmp(name, "_lyftron_", strlen("_lyftron_")) == 0;
}
