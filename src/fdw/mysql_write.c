/*
 * mysql_write.c
 *		Parts of the statements that write: names, values, and the condition that finds
 *		a row by its key.
 *
 * MySQL compares text by its column's collation: 'a' = 'A' and 'a' = 'a ' hold in most.
 * The condition for a row compares its bytes as well, so that it finds no other row
 * whatever the column is; the first comparison is there for the index.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "fdw/mysql_modify.h"

/* of a value, in an error */
#define SHOWN_BYTES		100

static void
refuse_value(const LyfMysqlColumn *column, Datum value)
{
	Oid			output;
	bool		varlena;
	char		category;
	bool		preferred;
	char	   *text;

	getTypeOutputInfo(column->type, &output, &varlena);
	get_type_category_preferred(column->type, &category, &preferred);
	text = OidOutputFunctionCall(output, value);
	text[pg_mbcliplen(text, strlen(text), SHOWN_BYTES)] = '\0';
	ereport(ERROR,
			(errcode(category == TYPCATEGORY_DATETIME ? ERRCODE_DATETIME_FIELD_OVERFLOW :
					 category == TYPCATEGORY_STRING ? ERRCODE_STRING_DATA_RIGHT_TRUNCATION : ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value \"%s\" cannot be written to column \"%s\"", text, column->name),
			 errdetail("The server has no such value, or the column there has no room for all of it.")));
}

void
lyf_mysql_write_value(StringInfo sql, const LyfMysqlColumn *column, Datum value, bool isnull)
{
	if (!lyf_mysql_literal(sql, column->type, column->typmod, value, isnull, column))
		refuse_value(column, value);
}

/* is it text to the server, which compares it by a collation? */
static bool
is_collated(const LyfMysqlColumn *column)
{
	return column->remote.kind == LYF_MY_TEXT || column->remote.kind == LYF_MY_ENUM ||
		column->remote.kind == LYF_MY_SET;
}

static void
write_equal(StringInfo sql, const LyfMysqlColumn *column, Datum value)
{
	lyf_mysql_quote_name(sql, column->remote_name);
	appendStringInfoString(sql, " = ");
	lyf_mysql_write_value(sql, column, value, false);
	if (!is_collated(column))
		return;
	appendStringInfoString(sql, " AND CAST(CONVERT(");
	lyf_mysql_quote_name(sql, column->remote_name);
	appendStringInfoString(sql, " USING utf8mb4) AS BINARY) = CAST(");
	lyf_mysql_write_value(sql, column, value, false);
	appendStringInfoString(sql, " AS BINARY)");
}

void
lyf_mysql_write_key(LyfMysqlModify *modify, StringInfo sql, const Datum *keys, const bool *nulls)
{
	for (int i = 0; i < modify->nkeys; i++)
	{
		const LyfMysqlColumn *column = modify->keys[i];

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("a row of foreign table \"%s\" cannot be found at the server: its key column \"%s\" is null",
							get_rel_name(modify->table->relid), column->name),
					 errhint("Mark columns as key that are a primary key at the server, or are unique there and never null.")));
		if (i > 0)
			appendStringInfoString(sql, " AND ");
		write_equal(sql, column, keys[i]);
	}
}

/* the same as EXPLAIN shows it */
void
lyf_mysql_write_key_described(LyfMysqlModify *modify, StringInfo sql)
{
	for (int i = 0; i < modify->nkeys; i++)
	{
		if (i > 0)
			appendStringInfoString(sql, " AND ");
		lyf_mysql_quote_name(sql, modify->keys[i]->remote_name);
		appendStringInfoString(sql, " = ?");
	}
}

void
lyf_mysql_refuse_ambiguous(const LyfMysqlModify *modify)
{
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg("the key columns of foreign table \"%s\" do not identify one row at the server", get_rel_name(modify->table->relid)),
			 errdetail("More than one row has the key of the row that was to be written."),
			 errhint("Mark all columns of a primary key, or of another unique key that is never null, with the option \"key\".")));
}
