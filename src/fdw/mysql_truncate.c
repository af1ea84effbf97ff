/*
 * mysql_truncate.c
 *		TRUNCATE of foreign tables.
 *
 * It can be rolled back here, so it must not become the server's own TRUNCATE, which
 * commits the transaction that it comes in: rows are deleted.  As here, a table that others
 * refer to by foreign keys is refused unless they are truncated with it; else deleting rows
 * could delete theirs.  For the same reason AUTO_INCREMENT goes on: to set it back
 * commits, too.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_modify.h"
#include "fdw/mysql_plan.h"

/* A table that is referred to by another. */
typedef struct Reference
{
	char	   *from_database;
	char	   *from;
	char	   *database;
	char	   *name;
} Reference;

static void
check_options(DropBehavior behavior, bool restart)
{
	if (behavior == DROP_CASCADE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("TRUNCATE ... CASCADE is not supported for foreign tables of lyftron_mysql"),
				 errhint("Name all tables in one TRUNCATE.")));
	if (restart)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("TRUNCATE ... RESTART IDENTITY is not supported for foreign tables of lyftron_mysql"),
				 errdetail("The server would commit the transaction."),
				 errhint("Use TRUNCATE without it, then ALTER TABLE ... AUTO_INCREMENT = 1 at the server.")));
}

static char *
copy_name(const LyfMysqlRow *row, int field)
{
	return pstrdup(pg_any_to_server(row->value[field], row->length[field], PG_UTF8));
}

/* LyfMysqlRowFunction */
static void
add_reference(void *arg, const LyfMysqlRow *row)
{
	List	  **references = arg;
	Reference  *reference = palloc(sizeof(Reference));

	reference->from_database = copy_name(row, 0);
	reference->from = copy_name(row, 1);
	reference->database = copy_name(row, 2);
	reference->name = copy_name(row, 3);
	*references = lappend(*references, reference);
}

/* foreign keys that refer to the tables; a table's own do no harm */
static List *
read_references(LyfMysqlSession *session, List *tables)
{
	StringInfoData sql;
	List	   *references = NIL;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT DISTINCT table_schema, table_name, referenced_table_schema, referenced_table_name "
						   "FROM information_schema.key_column_usage WHERE (referenced_table_schema, referenced_table_name) IN (");
	for (int i = 0; i < list_length(tables); i++)
	{
		const LyfMysqlTable *table = list_nth(tables, i);

		appendStringInfoString(&sql, i > 0 ? ", (" : "(");
		lyf_mysql_write_text(&sql, table->database);
		appendStringInfoString(&sql, ", ");
		lyf_mysql_write_text(&sql, table->name);
		appendStringInfoChar(&sql, ')');
	}
	appendStringInfoString(&sql, ") AND (table_schema, table_name) <> (referenced_table_schema, referenced_table_name)");
	lyf_mysql_each_row(session, sql.data, add_reference, &references);
	return references;
}

static bool
is_table(const LyfMysqlTable *table, const char *database, const char *name)
{
	return strcmp(table->database, database) == 0 && strcmp(table->name, name) == 0;
}

static const LyfMysqlTable *
find_table(List *tables, const char *database, const char *name)
{
	ListCell   *lc;

	foreach(lc, tables)
		if (is_table(lfirst(lc), database, name))
			return lfirst(lc);
	return NULL;
}

static void
refuse_referenced(List *tables, List *references)
{
	ListCell   *lc;

	foreach(lc, references)
	{
		Reference  *reference = lfirst(lc);

		if (find_table(tables, reference->from_database, reference->from) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot truncate a table referenced in a foreign key constraint"),
					 errdetail("Table \"%s\" of the server references \"%s\".", reference->from, reference->name),
					 errhint("Truncate foreign tables for both in one command, or use DELETE.")));
	}
}

/* is the table referred to by another of those? */
static bool
is_referenced(const LyfMysqlTable *table, List *tables, List *references)
{
	ListCell   *lc;

	foreach(lc, references)
	{
		Reference  *reference = lfirst(lc);

		if (is_table(table, reference->database, reference->name) &&
			find_table(tables, reference->from_database, reference->from) != NULL)
			return true;
	}
	return false;
}

static void
delete_rows(LyfMysqlSession *session, const LyfMysqlTable *table)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "DELETE FROM ");
	lyf_mysql_table_name(&sql, table);
	lyf_mysql_execute(session, sql.data, sql.len);
}

/* a table to begin with: one that no other refers to, if there is one */
static const LyfMysqlTable *
next_table(List *tables, List *references)
{
	ListCell   *lc;

	foreach(lc, tables)
		if (!is_referenced(lfirst(lc), tables, references))
			return lfirst(lc);
	return linitial(tables);
}

/* FdwRoutine.ExecForeignTruncate: relations of one server */
static void
truncate_tables(List *relations, DropBehavior behavior, bool restart)
{
	List	   *tables = NIL;
	List	   *references;
	LyfMysqlSession *session;
	ListCell   *lc;

	check_options(behavior, restart);
	foreach(lc, relations)
	{
		Relation	rel = lfirst(lc);
		const LyfMysqlTable *table = lyf_mysql_table_open(rel, GetUserId());

		if (!table->updatable)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("foreign table \"%s\" does not allow truncating", RelationGetRelationName(rel)),
					 errdetail("Its option \"updatable\", or its server's, is false.")));
		tables = lappend(tables, unconstify(LyfMysqlTable *, table));
	}
	session = lyf_mysql_session(((LyfMysqlTable *) linitial(tables))->server, GetUserId(), false);
	references = read_references(session, tables);
	refuse_referenced(tables, references);
	while (tables != NIL)
	{
		const LyfMysqlTable *table = next_table(tables, references);

		delete_rows(session, table);
		tables = list_delete_ptr(tables, unconstify(LyfMysqlTable *, table));
	}
}

void
lyf_mysql_truncate_routine(FdwRoutine *routine)
{
	routine->ExecForeignTruncate = truncate_tables;
}
