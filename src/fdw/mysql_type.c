/*
 * mysql_type.c
 *		Types of columns at MySQL and MariaDB.
 *
 * What a column is there stands in its option remote_type: information_schema's
 * COLUMN_TYPE, and behind it what that leaves out:
 *
 *		int(10) unsigned
 *		varchar(20) collate utf8mb4_general_ci
 *		enum('a','it''s') collate latin1_swedish_ci
 *		point srid 4326
 */
#include "postgres.h"

#include "utils/formatting.h"

#include "fdw/mysql_internal.h"

/* words behind a type that say more of it */
#define COLLATE		" collate "
#define SRID		" srid "

/* a type that is not read as text */
#define VECTOR		"vector"

/* the digits that decimal and float have where they say none */
#define DECIMAL_PRECISION	10

static const struct
{
	const char *name;
	LyfMysqlKind kind;
	int			bytes;
}			type_names[] = {
	{"tinyint", LYF_MY_INTEGER, 1},
	{"smallint", LYF_MY_INTEGER, 2},
	{"mediumint", LYF_MY_INTEGER, 3},
	{"int", LYF_MY_INTEGER, 4},
	{"integer", LYF_MY_INTEGER, 4},
	{"bigint", LYF_MY_INTEGER, 8},
	{"decimal", LYF_MY_DECIMAL},
	{"numeric", LYF_MY_DECIMAL},
	{"float", LYF_MY_FLOAT},
	{"double", LYF_MY_DOUBLE},
	{"real", LYF_MY_DOUBLE},
	{"bit", LYF_MY_BIT},
	{"year", LYF_MY_YEAR},
	{"date", LYF_MY_DATE},
	{"time", LYF_MY_TIME},
	{"datetime", LYF_MY_DATETIME},
	{"timestamp", LYF_MY_TIMESTAMP},
	{"char", LYF_MY_TEXT},
	{"varchar", LYF_MY_TEXT},
	{"tinytext", LYF_MY_TEXT},
	{"text", LYF_MY_TEXT},
	{"mediumtext", LYF_MY_TEXT},
	{"longtext", LYF_MY_TEXT},
	{"binary", LYF_MY_BYTES},
	{"varbinary", LYF_MY_BYTES},
	{"tinyblob", LYF_MY_BYTES},
	{"blob", LYF_MY_BYTES},
	{"mediumblob", LYF_MY_BYTES},
	{"longblob", LYF_MY_BYTES},
	{"enum", LYF_MY_ENUM},
	{"set", LYF_MY_SET},
	{"json", LYF_MY_JSON},
	{"geometry", LYF_MY_GEOMETRY},
	{"point", LYF_MY_GEOMETRY},
	{"linestring", LYF_MY_GEOMETRY},
	{"polygon", LYF_MY_GEOMETRY},
	{"multipoint", LYF_MY_GEOMETRY},
	{"multilinestring", LYF_MY_GEOMETRY},
	{"multipolygon", LYF_MY_GEOMETRY},
	{"geometrycollection", LYF_MY_GEOMETRY},
	{"geomcollection", LYF_MY_GEOMETRY},
	{"uuid", LYF_MY_UUID},
	{"inet4", LYF_MY_INET},
	{"inet6", LYF_MY_INET}
};

static void
parse_name(const char *name, size_t len, LyfMysqlRemoteType *type)
{
	for (int i = 0; i < lengthof(type_names); i++)
	{
		if (strlen(type_names[i].name) == len && strncmp(type_names[i].name, name, len) == 0)
		{
			type->kind = type_names[i].kind;
			type->bytes = type_names[i].bytes;
			return;
		}
	}
}

static bool
has_labels(LyfMysqlKind kind)
{
	return kind == LYF_MY_ENUM || kind == LYF_MY_SET;
}

/* "(10,2)" */
static void
parse_numbers(const char *p, LyfMysqlRemoteType *type)
{
	const char *comma = strchr(p, ',');

	type->precision = atoi(p + 1);
	if (comma != NULL && comma < strchr(p, ')'))
		type->scale = atoi(comma + 1);
}

/* read name and numbers; where they end */
static const char *
parse_type(const char *text, LyfMysqlRemoteType *type)
{
	size_t		name = strcspn(text, "( ");
	const char *close = strrchr(text + name, ')');

	parse_name(text, name, type);
	if (text[name] != '(' || close == NULL)
		return text + name;
	if (has_labels(type->kind))
		type->labels = pnstrdup(text + name, close + 1 - text - name);
	else
		parse_numbers(text + name, type);
	return close + 1;
}

/* what stands behind `key` if it is the last word; the text is cut before it */
static const char *
cut_last_word(char *text, const char *key)
{
	char	   *blank = strrchr(text, ' ');
	char	   *start = blank + 1 - strlen(key);

	if (blank == NULL || start < text || strncmp(start, key, strlen(key)) != 0)
		return NULL;
	if (strspn(blank + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(blank + 1))
		return NULL;
	*start = '\0';
	return blank + 1;
}

/* the character set is the first word of a collation's name, unless it is one of MariaDB's for all of them */
static void
set_collation(LyfMysqlRemoteType *type, const char *collation)
{
	const char *underscore = strchr(collation, '_');

	type->collation = pstrdup(collation);
	if (strncmp(collation, "uca1400", 7) != 0)
		type->charset = pnstrdup(collation, underscore ? underscore - collation : strlen(collation));
}

void
lyf_mysql_type_parse(const char *column_type, const char *collation, LyfMysqlRemoteType *type)
{
	char	   *text = asc_tolower(column_type, strlen(column_type));
	const char *written = cut_last_word(text, COLLATE);
	const char *srid = cut_last_word(text, SRID);
	const char *more;

	memset(type, 0, sizeof(LyfMysqlRemoteType));
	type->kind = LYF_MY_OTHER;
	more = parse_type(text, type);
	type->is_unsigned = strstr(more, "unsigned") != NULL;
	type->zerofill = strstr(more, "zerofill") != NULL;
	if (collation == NULL)
		collation = written;
	if (collation != NULL && (type->kind == LYF_MY_TEXT || has_labels(type->kind)))
		set_collation(type, collation);

	if (type->kind == LYF_MY_GEOMETRY)
		type->precision = srid ? atoi(srid) : 0;
	else if (type->kind == LYF_MY_DECIMAL && type->precision == 0)
		type->precision = DECIMAL_PRECISION;
	else if (type->kind == LYF_MY_BIT && type->precision == 0)
		type->precision = 1;
	else if (type->kind == LYF_MY_OTHER && strncmp(text, VECTOR, strlen(VECTOR)) == 0)
		type->charset = "binary";
}

static const char *
declare_integer(const LyfMysqlRemoteType *type)
{
	if (type->bytes == 8)
		return type->is_unsigned ? "numeric(20,0)" : "bigint";
	if (type->bytes == 4)
		return type->is_unsigned ? "bigint" : "integer";
	if (type->bytes == 3 || (type->bytes == 2 && type->is_unsigned))
		return "integer";
	return "smallint";
}

static const char *
declare_text(const LyfMysqlRemoteType *type)
{
	return type->precision > 0 ? psprintf("character varying(%d)", type->precision) : "text";
}

static const char *
declare_decimal(const LyfMysqlRemoteType *type)
{
	return psprintf("numeric(%d,%d)", type->precision, type->scale);
}

static const char *
declare_bit(const LyfMysqlRemoteType *type)
{
	return psprintf("bit(%d)", type->precision);
}

static const char *
declare_time(const LyfMysqlRemoteType *type)
{
	return psprintf("interval(%d)", type->precision);
}

static const char *
declare_datetime(const LyfMysqlRemoteType *type)
{
	return psprintf("timestamp(%d) without time zone", type->precision);
}

static const char *
declare_timestamp(const LyfMysqlRemoteType *type)
{
	return psprintf("timestamp(%d) with time zone", type->precision);
}

static const char *
declare_other(const LyfMysqlRemoteType *type)
{
	return type->charset != NULL ? "bytea" : "text";
}

static const struct
{
	const char *name;
	const char *(*declare) (const LyfMysqlRemoteType *type);	/* where the name is not all */
}			declarations[] = {
	[LYF_MY_INTEGER] = {.declare = declare_integer},
	[LYF_MY_DECIMAL] = {.declare = declare_decimal},
	[LYF_MY_FLOAT] = {"real"},
	[LYF_MY_DOUBLE] = {"double precision"},
	[LYF_MY_BIT] = {.declare = declare_bit},
	[LYF_MY_YEAR] = {"smallint"},
	[LYF_MY_DATE] = {"date"},
	[LYF_MY_TIME] = {.declare = declare_time},
	[LYF_MY_DATETIME] = {.declare = declare_datetime},
	[LYF_MY_TIMESTAMP] = {.declare = declare_timestamp},
	[LYF_MY_TEXT] = {.declare = declare_text},
	[LYF_MY_BYTES] = {"bytea"},
	[LYF_MY_ENUM] = {"text"},
	[LYF_MY_SET] = {"text[]"},
	[LYF_MY_JSON] = {"jsonb"},
	[LYF_MY_GEOMETRY] = {"bytea"},
	[LYF_MY_UUID] = {"uuid"},
	[LYF_MY_INET] = {"inet"},
	[LYF_MY_OTHER] = {.declare = declare_other}
};

char *
lyf_mysql_type_declare(const LyfMysqlRemoteType *type, const LyfMysqlTypeChoice *choice)
{
	if (choice->tinyint1_is_boolean && type->bytes == 1 && type->precision == 1)
		return pstrdup("boolean");
	if (choice->bit1_is_boolean && type->kind == LYF_MY_BIT && type->precision == 1)
		return pstrdup("boolean");
	if (choice->time_is_time && type->kind == LYF_MY_TIME)
		return psprintf("time(%d) without time zone", type->precision);
	if (declarations[type->kind].declare != NULL)
		return pstrdup(declarations[type->kind].declare(type));
	return pstrdup(declarations[type->kind].name);
}
