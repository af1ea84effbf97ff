/*
 * mysql_import_default.c
 *		Defaults of columns at MySQL and MariaDB as expressions of PostgreSQL.
 *
 * MySQL has the value as it is, MariaDB a literal; both have expressions, too, of which only
 * the current time is one here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"

#include "decode/decode.h"
#include "fdw/mysql_import.h"

/* kinds whose values can be told as a text that the type here reads as well */
#define A(kind)		(1 << LYF_MY_##kind)
#define SIMPLE		(A(INTEGER) | A(DECIMAL) | A(FLOAT) | A(DOUBLE) | A(YEAR) | A(DATE) | A(TIME) | A(DATETIME) | \
					 A(TIMESTAMP) | A(TEXT) | A(ENUM) | A(UUID) | A(INET))

/* what stands for a character that MariaDB prints with a backslash */
static char
unescape(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c;
}

/* 'it''s' to it's; NULL: it is no quoted text, or has a NUL */
static char *
unquote(const char *quoted)
{
	size_t		len = strlen(quoted);
	char	   *text = palloc(len + 1);
	char	   *out = text;

	if (len < 2 || quoted[0] != '\'' || quoted[len - 1] != '\'')
		return NULL;
	for (size_t i = 1; i < len - 1; i++)
	{
		if (quoted[i] == '\'' && quoted[++i] != '\'')
			return NULL;
		if (quoted[i] != '\\')
			*out++ = quoted[i];
		else if (quoted[++i] != '0')
			*out++ = unescape(quoted[i]);
		else
			return NULL;
	}
	*out = '\0';
	return text;
}

/* the default's value as text; NULL: it is an expression */
static char *
default_value(const LyfMysqlRemoteColumn *column, bool mariadb)
{
	const char *text = column->default_text;

	if (column->default_computed)
		return NULL;
	if (!mariadb)
		return pstrdup(text);
	if (text[0] != '\0' && strspn(text, "-+.0123456789eE") == strlen(text))
		return pstrdup(text);
	return unquote(text);
}

static bool
is_current_time(const char *text)
{
	return pg_strncasecmp(text, "current_timestamp", strlen("current_timestamp")) == 0;
}

/* sessions there are in UTC */
static char *
current_time(LyfMysqlKind kind)
{
	if (kind == LYF_MY_TIMESTAMP)
		return pstrdup("CURRENT_TIMESTAMP");
	return kind == LYF_MY_DATETIME ? pstrdup("(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')") : NULL;
}

/* a bit(3) has b'101' */
static char *
bit_default(const char *text, const char *type)
{
	size_t		len = strlen(text);

	if (strncmp(text, "b'", 2) != 0 || strspn(text + 2, "01") != len - 3)
		return NULL;
	if (strcmp(type, "boolean") == 0)
		return pstrdup(strchr(text, '1') ? "true" : "false");
	return psprintf("B%s::%s", text + 1, type);
}

char *
lyf_mysql_import_default(const LyfMysqlRemoteColumn *column, const LyfMysqlRemoteType *remote, const char *type, bool mariadb)
{
	char	   *value;
	Oid			oid;
	int32		typmod;
	Datum		datum;
	bool		isnull;

	if (column->default_text == NULL || column->generated)
		return NULL;
	if (is_current_time(column->default_text))
		return current_time(remote->kind);
	if (remote->kind == LYF_MY_BIT)
		return bit_default(column->default_text, type);
	value = (SIMPLE & (1 << remote->kind)) != 0 ? default_value(column, mariadb) : NULL;
	if (value == NULL)
		return NULL;

	/* 0000-00-00 and such are none here */
	parseTypeString(type, &oid, &typmod, 0);
	if (lyf_value_cast(lyf_value_string(value), oid, typmod, &datum, &isnull) != NULL)
		return NULL;
	return quote_literal_cstr(pg_any_to_server(value, strlen(value), PG_UTF8));
}
