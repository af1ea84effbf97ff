/*
 * import.c
 *		A stream of a server as a relation: its shape, and IMPORT FOREIGN SCHEMA.
 *
 * An import always finishes: names are cut and made unique, a stream that
 * cannot be read is skipped with a NOTICE, one without a usable schema has its
 * whole record as its only column.  Keys and cursors are not written into the
 * tables: they are the connector's to say (lyf_rest_shape).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/heap.h"
#include "commands/defrem.h"
#include "common/hashfn.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"

#define REMOTE_SCHEMA	"default"
#define RECORD_COLUMN	"_record"

/* a name cut so that the suffix still fits */
static char *
name_with_suffix(const char *name, const char *suffix)
{
	int			room = NAMEDATALEN - 1 - strlen(suffix);

	return psprintf("%.*s%s", pg_mbcliplen(name, strlen(name), room), name, suffix);
}

char *
lyf_column_name(const char *source_name)
{
	size_t		len = strlen(source_name);
	char	   *name = pg_any_to_server(source_name, len, PG_UTF8);
	char		suffix[12];

	if (len == 0)
		return pstrdup("_");
	if (strlen(name) >= NAMEDATALEN)
	{
		snprintf(suffix, sizeof(suffix), "_%08x",
				 hash_bytes((const unsigned char *) source_name, len));
		return name_with_suffix(name, suffix);
	}
	if (SystemAttributeByName(name) != NULL)
		return name_with_suffix(name, "_");
	return pstrdup(name);
}

/* names of the fields of the primary key; NIL if one of them is nested */
static List *
key_fields(const LyfValue *key)
{
	List	   *fields = NIL;

	if (!lyf_value_is(key, LYF_LIST))
		return NIL;
	lyf_foreach(path, key)
	{
		if (path->kind != LYF_LIST || path->len != 1 || lyf_value_text(path->u.first) == NULL)
			return NIL;
		fields = lappend(fields, pstrdup(path->u.first->u.text));
	}
	return fields;
}

/* name in UTF-8, as the manifest has it */
static LyfFailure *
shape_of(LyfAccount *account, const char *name, LyfStreamShape **out)
{
	LyfStreamShape *shape = palloc0(sizeof(LyfStreamShape));
	LyfSession	session;
	LyfStream  *stream;

	LYF_TRY(lyf_account_stream(account, name, &stream));
	LYF_TRY(lyf_stream_columns(account, stream, &shape->columns));
	shape->primary_key = key_fields(stream->primary_key);
	if (stream->cursor != NULL)
	{
		lyf_rest_session(&session, account);
		LYF_TRY(lyf_cursor_field(stream->cursor, &session, &shape->cursor_field));
	}
	*out = shape;
	return NULL;
}

LyfStreamShape *
lyf_rest_shape(Oid server, const char *stream)
{
	LyfAccount *account = lyf_account_get(server, GetUserId());
	LyfStreamShape *shape;

	LYF_CHECK(lyf_account_redact(account, shape_of(account, pg_server_to_any(stream, strlen(stream), PG_UTF8), &shape)));
	return shape;
}

static bool
is_taken(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

/* the name that is given out is remembered in names */
char *
lyf_unique_name(List **names, const char *source_name)
{
	char	   *base = lyf_column_name(source_name);
	char	   *name = base;
	char		suffix[12];

	for (int i = 2; is_taken(*names, name); i++)
	{
		snprintf(suffix, sizeof(suffix), "_%d", i);
		name = name_with_suffix(base, suffix);
	}
	*names = lappend(*names, name);
	return name;
}

/* the columns' definitions; those that are not named as at the source say so */
static void
append_columns(StringInfo sql, const LyfStreamShape *shape, bool record)
{
	List	   *names = NIL;
	const char *separator = "";
	ListCell   *lc;

	if (record)
	{
		appendStringInfo(sql, "\n\t%s jsonb", RECORD_COLUMN);
		names = lappend(names, RECORD_COLUMN);
		separator = ",";
	}
	foreach(lc, shape->columns)
	{
		const LyfColumn *column = lfirst(lc);
		char	   *source = pg_any_to_server(column->name, strlen(column->name), PG_UTF8);
		char	   *name = lyf_unique_name(&names, column->name);

		appendStringInfo(sql, "%s\n\t%s %s", separator, quote_identifier(name),
						 format_type_with_typemod(column->type, column->typmod));
		if (source[0] == '\0')
			appendStringInfoString(sql, " OPTIONS (path '[\"\"]')");
		else if (strcmp(name, source) != 0 || strcmp(name, RECORD_COLUMN) == 0)
			appendStringInfo(sql, " OPTIONS (name %s)", quote_literal_cstr(source));
		separator = ",";
	}
}

/* too many columns, or none at all: the whole record has to do */
static bool
needs_record(const LyfStreamShape *shape, const char *stream)
{
	int			count = list_length(shape->columns);

	if (count > 0 && count < MaxHeapAttributeNumber)
		return false;
	ereport(NOTICE,
			(errmsg("stream \"%s\" is imported with the column \"%s\" alone", stream, RECORD_COLUMN),
			 count == 0
			 ? errdetail("Its connector declares no columns.")
			 : errdetail("Its %d columns are more than a table can have.", count)));
	return true;
}

static char *
create_table(const LyfStreamShape *shape, const char *table, const char *stream,
			 const char *server, bool record)
{
	StringInfoData sql;
	LyfStreamShape bare = {0};

	if (needs_record(shape, stream))
	{
		shape = &bare;
		record = true;
	}
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(table));
	append_columns(&sql, shape, record);
	appendStringInfo(&sql, "\n) SERVER %s OPTIONS (stream %s)",
					 quote_identifier(server), quote_literal_cstr(stream));
	return sql.data;
}

/* the import's options: record, the only one */
static bool
record_wanted(List *options)
{
	bool		record = false;
	ListCell   *lc;

	foreach(lc, options)
	{
		DefElem    *def = lfirst(lc);

		if (strcmp(def->defname, "record") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\"", def->defname),
					 errhint("The valid option is: record.")));
		record = defGetBoolean(def);
	}
	return record;
}

/* the statement that makes a stream's table; NULL, with a NOTICE, if it cannot be read */
static char *
import_stream(LyfAccount *account, const LyfListedStream *listed, const char *table, bool record)
{
	char	   *shown = pg_any_to_server(listed->name, strlen(listed->name), PG_UTF8);
	LyfStreamShape *shape;
	LyfFailure *failure = listed->failure;

	if (failure == NULL)
		failure = lyf_account_redact(account, shape_of(account, listed->name, &shape));
	if (failure == NULL)
		return create_table(shape, table, shown, account->server_name, record);
	ereport(NOTICE,
			(errmsg("stream \"%s\" is skipped: %s", shown, failure->message),
			 failure->detail ? errdetail_internal("%s", failure->detail) : 0));
	return NULL;
}

List *
lyf_rest_import(ImportForeignSchemaStmt *stmt, Oid server)
{
	bool		record = record_wanted(stmt->options);
	LyfAccount *account;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext stream_cxt;
	List	   *commands = NIL;
	ListCell   *lc;

	if (strcmp(stmt->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("schema \"%s\" does not exist at the source", stmt->remote_schema),
				 errhint("All streams are in the schema \"%s\".", REMOTE_SCHEMA)));

	account = lyf_account_get(server, GetUserId());
	stream_cxt = AllocSetContextCreate(caller, "lyftron import", ALLOCSET_DEFAULT_SIZES);
	foreach(lc, lyf_account_streams(account))
	{
		const LyfListedStream *listed = lfirst(lc);
		char	   *table = lyf_column_name(listed->name);
		char	   *command;

		CHECK_FOR_INTERRUPTS();
		if (!IsImportableForeignTable(table, stmt))
			continue;
		MemoryContextSwitchTo(stream_cxt);
		command = import_stream(account, listed, table, record);
		MemoryContextSwitchTo(caller);
		if (command != NULL)
			commands = lappend(commands, pstrdup(command));
		MemoryContextReset(stream_cxt);
	}
	MemoryContextDelete(stream_cxt);
	return commands;
}
