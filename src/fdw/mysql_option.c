/*
 * mysql_option.c
 *		Options of lyftron_mysql's servers, user mappings, tables and columns: what is
 *		valid, and a foreign table with all that they say.
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "access/reloptions.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/hosts.h"
#include "base/option.h"
#include "base/settings.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_internal.h"

#define DEFAULT_PORT		3306
#define DEFAULT_BATCH_SIZE	1000
#define MAX_BATCH_SIZE		1000000

/* ---- values ---- */

static void
invalid_value(const char *name, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", name, value),
			 errhint("%s", hint)));
}

static int
int_value(const char *name, const char *value, int min, int max)
{
	int			number;

	if (!parse_int(value, &number, 0, NULL) || number < min || number > max)
		invalid_value(name, value, psprintf("It is a number from %d to %d.", min, max));
	return number;
}

static bool
bool_value(const char *name, const char *value)
{
	bool		result = false;

	if (!parse_bool(value, &result))
		invalid_value(name, value, "It is true or false.");
	return result;
}

/* seconds, or with a unit */
static int
time_value(const char *name, const char *value)
{
	double		seconds;

	if (!parse_real(value, &seconds, GUC_UNIT_S, NULL) || seconds < 0 || seconds * 1000 > PG_INT32_MAX)
		invalid_value(name, value, "It is a time in seconds, or with a unit, as in 500ms or 2min; 0 is no limit.");
	return (int) (seconds * 1000);
}

typedef struct Word
{
	const char *word;
	int			value;
} Word;

static const Word tls_words[] = {
	{"disable", LYF_TLS_DISABLE},
	{"prefer", LYF_TLS_PREFER},
	{"require", LYF_TLS_REQUIRE},
	{"verify-ca", LYF_TLS_VERIFY_CA},
	{"verify-full", LYF_TLS_VERIFY_FULL},
	{NULL, 0}
};

static const Word zero_dates_words[] = {
	{"error", LYF_ZERO_DATES_ERROR},
	{"null", LYF_ZERO_DATES_NULL},
	{NULL, 0}
};

static int
word_value(const char *name, const char *value, const Word *words)
{
	StringInfoData valid;

	initStringInfo(&valid);
	for (const Word *word = words; word->word != NULL; word++)
	{
		if (strcmp(word->word, value) == 0)
			return word->value;
		appendStringInfo(&valid, "%s%s", valid.len > 0 ? ", " : "", word->word);
	}
	invalid_value(name, value, psprintf("It is one of %s.", valid.data));
	return 0;
}

/* ---- checks of one option ---- */

static void
check_text(const char *value)
{
	if (value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("a text in the options must not be empty")));
}

static void
check_port(const char *value)
{
	(void) int_value("port", value, 1, 65535);
}

static void
check_socket(const char *value)
{
	if (value[0] != '/')
		invalid_value("socket", value, "It is the absolute path of a Unix socket.");
}

static void
check_tls(const char *value)
{
	(void) word_value("tls", value, tls_words);
}

/* what this database server's process may read is not everybody's to use */
static void
check_file(const char *value)
{
	check_text(value);
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to name a file of this database server in an option"),
				 errdetail("Only roles with privileges of the role \"%s\" may.", "pg_read_server_files")));
}

static void
check_compress(const char *value)
{
	(void) bool_value("compress", value);
}

static void
check_connect_timeout(const char *value)
{
	(void) time_value("connect_timeout", value);
}

static void
check_network_timeout(const char *value)
{
	(void) time_value("network_timeout", value);
}

static void
check_zero_dates(const char *value)
{
	(void) word_value("zero_dates", value, zero_dates_words);
}

static void
check_updatable(const char *value)
{
	(void) bool_value("updatable", value);
}

static void
check_batch_size(const char *value)
{
	(void) int_value("batch_size", value, 1, MAX_BATCH_SIZE);
}

static void
check_rows(const char *value)
{
	double		rows;

	if (!parse_real(value, &rows, 0, NULL) || rows < 0)
		invalid_value("rows", value, "It is the number of rows that the table is thought to have.");
}

static void
check_key(const char *value)
{
	(void) bool_value("key", value);
}

static void
check_generated(const char *value)
{
	(void) bool_value("generated", value);
}

static void
check_not_null(const char *value)
{
	(void) bool_value("not_null", value);
}

static const LyfOption mysql_options[] = {
	{"host", ForeignServerRelationId, false, check_text},
	{"port", ForeignServerRelationId, false, check_port},
	{"socket", ForeignServerRelationId, false, check_socket},
	{"database", ForeignServerRelationId, false, check_text},
	{"tls", ForeignServerRelationId, false, check_tls},
	{"tls_ca", ForeignServerRelationId, false, check_file},
	{"tls_cert", ForeignServerRelationId, false, check_file},
	{"tls_key", ForeignServerRelationId, false, check_file},
	{"compress", ForeignServerRelationId, false, check_compress},
	{"connect_timeout", ForeignServerRelationId, false, check_connect_timeout},
	{"network_timeout", ForeignServerRelationId, false, check_network_timeout},
	{"zero_dates", ForeignServerRelationId, false, check_zero_dates},
	{"updatable", ForeignServerRelationId, false, check_updatable},
	{"batch_size", ForeignServerRelationId, false, check_batch_size},
	{"username", UserMappingRelationId, false, check_text},
	{"password", UserMappingRelationId, true, NULL},
	{"database", ForeignTableRelationId, false, check_text},
	{"table", ForeignTableRelationId, false, check_text},
	{"zero_dates", ForeignTableRelationId, false, check_zero_dates},
	{"updatable", ForeignTableRelationId, false, check_updatable},
	{"batch_size", ForeignTableRelationId, false, check_batch_size},
	{"rows", ForeignTableRelationId, false, check_rows},
	{"name", AttributeRelationId, false, check_text},
	{"remote_type", AttributeRelationId, false, check_text},
	{"key", AttributeRelationId, false, check_key},
	{"generated", AttributeRelationId, false, check_generated},
	{"not_null", AttributeRelationId, false, check_not_null},
};

/* ---- the validator ---- */

static void
refuse_server_secrets(List *options)
{
	if (lyf_option_get(options, "password") == NULL && lyf_option_get(options, "username") == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("user name and password are not kept in a server's options"),
			 errdetail("Everybody can read the options of a server."),
			 errhint("Use CREATE USER MAPPING FOR CURRENT_USER SERVER ... OPTIONS (username '...', password '...').")));
}

/* a name or address of this machine, which nothing leaves */
static bool
is_this_machine(const char *host)
{
	LyfAddress	loopback = {{[15] = 1}};
	LyfAddress	loopback4 = {{[10] = 0xFF, [11] = 0xFF, [12] = 127}};
	LyfAddress	address;

	if (pg_strcasecmp(host, "localhost") == 0)
		return true;
	return lyf_address_parse(host, strlen(host), &address) &&
		(lyf_address_within(&address, &loopback, 128) || lyf_address_within(&address, &loopback4, 96 + 8));
}

static LyfMysqlTls
tls_of(List *options)
{
	const char *tls = lyf_option_get(options, "tls");
	const char *host = lyf_option_get(options, "host");

	if (tls != NULL)
		return word_value("tls", tls, tls_words);
	return host == NULL || is_this_machine(host) ? LYF_TLS_DISABLE : LYF_TLS_PREFER;
}

static void
validate_server(List *options)
{
	bool		socket = lyf_option_get(options, "socket") != NULL;

	if (socket == (lyf_option_get(options, "host") != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("a server has either the option \"host\" or the option \"socket\"")));
	if (tls_of(options) == LYF_TLS_VERIFY_CA && lyf_option_get(options, "tls_ca") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("the option \"tls\" is verify-ca, but there is no option \"tls_ca\""),
				 errhint("It is the file with the certificates of the authorities to trust.")));
	if (tls_of(options) == LYF_TLS_VERIFY_FULL && socket)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("a socket has no host name that could be verified")));
}

LYF_FUNCTION_INFO_V1(lyf_mysql_validator);
Datum
lyf_mysql_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			context = PG_GETARG_OID(1);

	if (context == ForeignServerRelationId)
		refuse_server_secrets(options);
	lyf_option_validate(options, context, mysql_options, lengthof(mysql_options));
	if (context == ForeignServerRelationId)
		validate_server(options);
	PG_RETURN_VOID();
}

/* ---- connecting ---- */

/* the server reads UTF-8; NULL for NULL */
static const char *
to_utf8(const char *text)
{
	return text != NULL ? pg_server_to_any(text, strlen(text), PG_UTF8) : NULL;
}

/*
 * Without a password it would be this server's process that is let in, by its socket or its files: only superusers
 * speak for that.
 */
static void
check_identity(const LyfMysqlOptions *options, const ForeignServer *server, Oid user)
{
	if (options->user == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("the user mapping for server \"%s\" has no user name", server->servername),
				 errhint("Use ALTER USER MAPPING ... OPTIONS (ADD username '...', ADD password '...').")));
	if ((options->password == NULL || options->password[0] == '\0') && !superuser_arg(user))
		ereport(ERROR,
				(errcode(ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED),
				 errmsg("password is required"),
				 errdetail("Those who are no superuser must give a password in the user mapping for server \"%s\".",
						   server->servername)));
}

static int
time_option(List *options, const char *name, int missing)
{
	const char *value = lyf_option_get(options, name);

	return value != NULL ? time_value(name, value) : missing;
}

void
lyf_mysql_connect_options(Oid server_oid, Oid user, LyfMysqlOptions *options)
{
	ForeignServer *server = GetForeignServer(server_oid);
	List	   *mapping = GetUserMapping(user, server_oid)->options;
	const char *port = lyf_option_get(server->options, "port");
	const char *compress = lyf_option_get(server->options, "compress");

	memset(options, 0, sizeof(*options));
	options->host = lyf_option_get(server->options, "host");
	options->port = port != NULL ? int_value("port", port, 1, 65535) : DEFAULT_PORT;
	options->socket = lyf_option_get(server->options, "socket");
	options->user = to_utf8(lyf_option_get(mapping, "username"));
	options->password = to_utf8(lyf_option_get(mapping, "password"));
	options->tls = tls_of(server->options);
	options->tls_ca = lyf_option_get(server->options, "tls_ca");
	if (options->tls_ca == NULL && lyf_ca_file != NULL && lyf_ca_file[0] != '\0')
		options->tls_ca = lyf_ca_file;
	options->tls_cert = lyf_option_get(server->options, "tls_cert");
	options->tls_key = lyf_option_get(server->options, "tls_key");
	options->compress = compress != NULL && bool_value("compress", compress);
	options->connect_timeout_ms = time_option(server->options, "connect_timeout", lyf_connect_timeout);
	options->network_timeout_ms = time_option(server->options, "network_timeout", 0);
	check_identity(options, server, user);
}

/* ---- a foreign table ---- */

bool
lyf_is_mysql_table(Oid relid)
{
	return lyf_table_handler_is(relid, "mysql_handler");
}

/* an option of the table, else of its server, else NULL */
static const char *
table_option(const ForeignTable *table, const ForeignServer *server, const char *name)
{
	const char *value = lyf_option_get(table->options, name);

	return value != NULL ? value : lyf_option_get(server->options, name);
}

static bool
column_flag(List *options, const char *name)
{
	const char *value = lyf_option_get(options, name);

	return value != NULL && bool_value(name, value);
}

static void
open_column(LyfMysqlTable *table, LyfMysqlColumn *column, Form_pg_attribute att)
{
	List	   *options;
	const char *name;
	const char *remote_type;

	column->attno = att->attnum;
	/* one that is computed here when it is read (PostgreSQL 18) is nothing to the server, either */
	column->dropped = att->attisdropped || att->attgenerated == 'v';
	if (column->dropped)
		return;
	options = GetForeignColumnOptions(table->relid, att->attnum);
	name = lyf_option_get(options, "name");
	remote_type = lyf_option_get(options, "remote_type");
	column->name = pstrdup(NameStr(att->attname));
	column->remote_name = name != NULL ? name : column->name;
	column->type = att->atttypid;
	column->typmod = att->atttypmod;
	column->collation = att->attcollation;
	column->generated = column_flag(options, "generated");
	column->key = column_flag(options, "key");
	column->not_null = column_flag(options, "not_null");
	if (remote_type != NULL)
		lyf_mysql_type_parse(remote_type, NULL, &column->remote);
	if (table->zero_dates == LYF_ZERO_DATES_NULL && lyf_mysql_is_moment(column->remote.kind))
		column->not_null = false;
}

static void
open_columns(LyfMysqlTable *table, TupleDesc desc)
{
	table->natts = desc->natts;
	table->columns = palloc0(Max(desc->natts, 1) * sizeof(LyfMysqlColumn));
	for (int i = 0; i < desc->natts; i++)
		open_column(table, &table->columns[i], TupleDescAttr(desc, i));
}

LyfMysqlTable *
lyf_mysql_table_read(Relation rel, Oid user)
{
	LyfMysqlTable *table = palloc0(sizeof(LyfMysqlTable));
	ForeignTable *foreign = GetForeignTable(RelationGetRelid(rel));
	ForeignServer *server = GetForeignServer(foreign->serverid);
	const char *name = lyf_option_get(foreign->options, "table");
	const char *zero_dates = table_option(foreign, server, "zero_dates");
	const char *updatable = table_option(foreign, server, "updatable");
	const char *batch_size = table_option(foreign, server, "batch_size");
	const char *rows = lyf_option_get(foreign->options, "rows");

	table->relid = RelationGetRelid(rel);
	table->server = server->serverid;
	table->user = user;
	table->database = table_option(foreign, server, "database");
	if (table->database == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("foreign table \"%s\" does not say in which database it is", RelationGetRelationName(rel)),
				 errhint("Set the option database of the table, or of server \"%s\".", server->servername)));
	table->name = name != NULL ? name : pstrdup(RelationGetRelationName(rel));
	table->zero_dates = zero_dates != NULL ? word_value("zero_dates", zero_dates, zero_dates_words) : LYF_ZERO_DATES_ERROR;
	table->updatable = updatable == NULL || bool_value("updatable", updatable);
	table->batch_size = batch_size != NULL ? int_value("batch_size", batch_size, 1, MAX_BATCH_SIZE) : DEFAULT_BATCH_SIZE;
	table->rows = rows != NULL ? strtod(rows, NULL) : -1;
	open_columns(table, RelationGetDescr(rel));
	return table;
}
