/*
 * option.c
 *		Options of lyftron_rest's servers, user mappings, tables and columns: what
 *		is valid, and a foreign table with all that they say.
 *
 * A server's configuration is checked against the connector when it is made or
 * changed.  A connector that is not there is only a warning: a restored dump
 * has its servers before the rows of lyftron's tables.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/json.h"
#include "base/option.h"
#include "fdw/fdw_internal.h"

/* how deep a column's path may go */
#define MAX_PATH_DEPTH	64

#define RECORD_COLUMN	"_record"

/* an option's text as a JSON value; NULL if it is no JSON */
static LyfValue *
parse_json_option(const char *text)
{
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	LyfValue   *value;

	if (lyf_json_parse_copy(utf8, strlen(utf8), &value) != NULL)
		return NULL;
	return value;
}

static void
check_connector(const char *text)
{
	if (text[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"connector\" must not be empty")));
}

static void
check_config(const char *text)
{
	if (!lyf_value_is(parse_json_option(text), LYF_MAP))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"config\" must be a JSON object"),
				 errhint("For example: config '{\"base_url\": \"https://example.com\"}'.")));
}

static void
check_max_requests(const char *text)
{
	if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 4 || atoi(text) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"max_requests\" must be a number from 1 to 9999")));
}

static void
check_rate_limit(const char *text)
{
	LyfLimit	limits[LYF_MAX_OPTION_LIMITS];

	if (lyf_limits_parse(text, limits) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"rate_limit\" must be up to %d rates with commas between them", LYF_MAX_OPTION_LIMITS),
				 errhint("A rate is requests in a time (ms, s, min, h, d): '100/min', or '20/10s, 5000/h'.")));
}

static void
refuse_server_secrets(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("secrets are not kept in a server's options"),
			 errdetail("Everybody can read the options of a server."),
			 errhint("Use CREATE USER MAPPING FOR CURRENT_USER SERVER ... OPTIONS (secrets '...').")));
}

static void
check_secrets(const char *text)
{
	if (!lyf_value_is(parse_json_option(text), LYF_MAP))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"secrets\" must be a JSON object"),
				 errhint("For example: secrets '{\"api_key\": \"...\"}'.")));
}

static void
check_name(const char *text)
{
	if (text[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("a name in the options must not be empty")));
}

static void
invalid_path(const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid path \"%s\"", text),
			 errhint("A path is keys with dots between them, as in a.b, or a JSON array of keys, as in [\"a\", \"b.c\"].")));
}

/* keys of a path option in UTF-8, palloc'd; raises if it is none */
static const char **
parse_path(const char *text, int *len)
{
	const char **keys = palloc(MAX_PATH_DEPTH * sizeof(char *));
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	char	   *key;

	*len = 0;
	if (text[0] == '[')
	{
		LyfValue   *list = parse_json_option(text);

		if (!lyf_value_is(list, LYF_LIST) || list->len == 0 || list->len > MAX_PATH_DEPTH)
			invalid_path(text);
		lyf_foreach(member, list)
		{
			if (member->kind != LYF_STRING || strlen(member->u.text) != member->len)
				invalid_path(text);
			keys[(*len)++] = member->u.text;
		}
		return keys;
	}

	key = pstrdup(utf8);
	while (key != NULL)
	{
		char	   *dot = strchr(key, '.');

		if (dot != NULL)
			*dot++ = '\0';
		if (*key == '\0' || *len == MAX_PATH_DEPTH)
			invalid_path(text);
		keys[(*len)++] = key;
		key = dot;
	}
	return keys;
}

static void
check_path(const char *text)
{
	int			len;

	(void) parse_path(text, &len);
}

static const LyfOption rest_options[] = {
	{"connector", ForeignServerRelationId, false, check_connector},
	{"config", ForeignServerRelationId, false, check_config},
	{"max_requests", ForeignServerRelationId, false, check_max_requests},
	{"rate_limit", ForeignServerRelationId, false, check_rate_limit},
	{"secrets", UserMappingRelationId, true, check_secrets},
	{"stream", ForeignTableRelationId, false, check_name},
	{"name", AttributeRelationId, false, check_name},
	{"path", AttributeRelationId, false, check_path},
	{"partition", AttributeRelationId, false, check_name},
};

static bool
connector_exists(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};

	return lyf_catalog_run("SELECT 1 FROM lyftron.connector WHERE name OPERATOR(pg_catalog.=) $1",
						   1, types, values, NULL, NULL, NULL) > 0;
}

static void
validate_server(List *options)
{
	const char *connector = lyf_option_get(options, "connector");
	const char *config = lyf_option_get(options, "config");
	LyfValue   *value;

	if (connector == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"connector\" is required"),
				 errhint("The view lyftron.connectors lists the connectors that are there.")));
	if (!connector_exists(connector))
	{
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("connector \"%s\" does not exist", connector),
				 errdetail("The configuration cannot be checked, and the server cannot be used yet."),
				 errhint("Add it with lyftron.add_connector, or choose one from the view lyftron.connectors.")));
		return;
	}
	value = config ? parse_json_option(config) : lyf_value_make(LYF_MAP);

	/* what only the secrets complete may not be ready for it yet, and stays as it is then */
	(void) lyf_config_migrate(lyf_connector_get(connector), &value);
	LYF_CHECK(lyf_spec_check(lyf_connector_get(connector), value, false));
	if (lyf_spec_secrets(lyf_connector_get(connector), value, NIL) != NIL)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("option \"config\" holds what connector \"%s\" calls a secret", connector),
				 errdetail("Every role can see the options of a server."),
				 errhint("Drop the server, and put secrets into a user mapping: "
						 "CREATE USER MAPPING FOR CURRENT_USER SERVER ... OPTIONS (secrets '{...}').")));
}

static void
validate_table(List *options)
{
	if (lyf_option_get(options, "stream") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("option \"stream\" is required"),
				 errhint("The function lyftron.streams lists the streams of a connector.")));
}

static void
validate_column(List *options)
{
	if (lyf_option_get(options, "path") != NULL && lyf_option_get(options, "name") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("a column has either the option \"name\" or the option \"path\"")));
}

LYF_FUNCTION_INFO_V1(lyf_rest_validator);
Datum
lyf_rest_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			context = PG_GETARG_OID(1);

	if (context == ForeignServerRelationId && lyf_option_get(options, "secrets") != NULL)
		refuse_server_secrets();
	lyf_option_validate(options, context, rest_options, lengthof(rest_options));
	if (context == ForeignServerRelationId)
		validate_server(options);
	else if (context == ForeignTableRelationId)
		validate_table(options);
	else if (context == AttributeRelationId)
		validate_column(options);
	PG_RETURN_VOID();
}

bool
lyf_table_handler_is(Oid relid, const char *handler)
{
	ForeignDataWrapper *wrapper;
	char	   *name;

	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return false;
	wrapper = GetForeignDataWrapper(GetForeignServer(GetForeignTable(relid)->serverid)->fdwid);
	if (!OidIsValid(wrapper->fdwhandler) ||
		get_func_namespace(wrapper->fdwhandler) != lyf_schema_oid())
		return false;
	name = get_func_name(wrapper->fdwhandler);
	return name != NULL && strcmp(name, handler) == 0;
}

bool
lyf_rest_table(Oid relid, Oid *server, char **stream)
{
	ForeignTable *table;

	if (!lyf_table_handler_is(relid, "rest_handler"))
		return false;
	table = GetForeignTable(relid);
	*server = table->serverid;
	*stream = pstrdup(lyf_option_get(table->options, "stream"));
	return true;
}

Oid
lyf_rest_user(Oid check_as_user)
{
	return OidIsValid(check_as_user) ? check_as_user : GetUserId();
}

void
lyf_rest_session(LyfSession *session, const LyfAccount *account)
{
	memset(session, 0, sizeof(LyfSession));
	lyf_scope_init(&session->scope, NULL);
	lyf_scope_set(&session->scope, "config", account->config);
	session->config = account->config;
	session->gate = &account->gate;
	session->started = lyf_now();
	session->cxt = CurrentMemoryContext;
	session->secrets = account->secrets;
	session->secret_count = account->secret_count;
}

/* where a column's value stands: its path, else its name at the source, else its own name */
static void
set_path(LyfRestColumn *column, List *options)
{
	const char *path = lyf_option_get(options, "path");
	const char *name = lyf_option_get(options, "name");

	if (path != NULL)
	{
		column->path = parse_path(path, &column->path_len);
		return;
	}
	if (name == NULL && strcmp(column->name, RECORD_COLUMN) == 0)
		return;
	if (name == NULL)
		name = column->name;
	column->path = palloc(sizeof(char *));
	column->path[0] = pstrdup(pg_server_to_any(name, strlen(name), PG_UTF8));
	column->path_len = 1;
}

/* the partition field that a column holds: said by its option, or by the manifest */
static const char *
find_partition(const LyfRestTable *table, const LyfRestColumn *column, const char *option)
{
	const char **fields;
	int			count = 0;

	if (table->stream->router != NULL)
		count = lyf_router_fields(table->stream->router, &fields);
	for (int i = 0; i < count; i++)
	{
		const char *top = lyf_selector_partition_field(table->stream->selector, fields[i]);

		if (option != NULL
			? strcmp(option, fields[i]) == 0
			: top != NULL && column->path_len == 1 && strcmp(top, column->path[0]) == 0)
			return fields[i];
	}
	return NULL;
}

/* what a condition on the column may do to the requests, or why nothing */
static void
set_use(LyfRestTable *table, LyfRestColumn *column, const char *cursor_field, List *options)
{
	const LyfCursor *cursor = table->stream->cursor;
	const char *option = lyf_option_get(options, "partition");

	if (table->stream->first != NULL)
	{
		column->local = "the stream is read in another way where there is no state";
		return;
	}
	if (option != NULL)
		option = pg_server_to_any(option, strlen(option), PG_UTF8);
	column->partition = find_partition(table, column, option);
	if (column->partition != NULL)
		return;
	if (cursor_field == NULL || column->path_len != 1 || strcmp(column->path[0], cursor_field) != 0)
		column->local = "neither the cursor nor a partition field";
	else if (lyf_cursor_is_client_side(cursor) || lyf_cursor_is_data_feed(cursor) ||
			 !lyf_cursor_restrictable(cursor, table->stream->requester))
		column->local = "the source cannot be asked for a range of its cursor";
	else if (column->type != TIMESTAMPTZOID && column->type != TIMESTAMPOID && column->type != DATEOID)
		column->local = "a cursor of this type cannot be compared with the source's";
	else
		column->is_cursor = true;
}

/* what stands in the way of reading a table is told with its name */
static void
describe_table(void *arg)
{
	const LyfRestTable *table = arg;

	errcontext("foreign table \"%s\", stream \"%s\"", get_rel_name(table->relid), table->stream_name);
}

static void
open_columns(LyfRestTable *table, TupleDesc desc)
{
	char	   *cursor_field = NULL;

	if (table->stream->cursor != NULL)
		LYF_CHECK(lyf_account_redact(table->account,
									 lyf_cursor_field(table->stream->cursor, &table->session, &cursor_field)));
	table->natts = desc->natts;
	table->columns = palloc0(desc->natts * sizeof(LyfRestColumn));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		LyfRestColumn *column = &table->columns[i];
		List	   *options;

		column->attno = att->attnum;
		column->dropped = att->attisdropped;
		if (att->attisdropped)
			continue;
		column->name = pstrdup(NameStr(att->attname));
		column->type = att->atttypid;
		column->typmod = att->atttypmod;
		options = GetForeignColumnOptions(table->relid, att->attnum);
		set_path(column, options);
		set_use(table, column, cursor_field, options);
	}
}

LyfRestTable *
lyf_rest_table_open(Relation rel, Oid user)
{
	LyfRestTable *table = palloc0(sizeof(LyfRestTable));
	ForeignTable *foreign = GetForeignTable(RelationGetRelid(rel));
	ErrorContextCallback context;
	const char *name;

	table->relid = RelationGetRelid(rel);
	table->stream_name = lyf_option_get(foreign->options, "stream");
	context.callback = describe_table;
	context.arg = table;
	context.previous = error_context_stack;
	error_context_stack = &context;

	table->account = lyf_account_get(foreign->serverid, user);
	lyf_rest_session(&table->session, table->account);
	name = pg_server_to_any(table->stream_name, strlen(table->stream_name), PG_UTF8);
	LYF_CHECK(lyf_account_stream(table->account, name, &table->stream));
	open_columns(table, RelationGetDescr(rel));

	error_context_stack = context.previous;
	return table;
}
