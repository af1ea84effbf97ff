/*
 * mysql_column.c
 *		Columns as terms.
 *
 * What a column is at the server decides what may be done with it there, and only where
 * the foreign table declares a type that takes all that the server's can be: else reading
 * a row might fail, or say something else, where a condition at the server does not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#include "fdw/mysql_term.h"

#define ANY_TYPMOD	(-1)

/* numeric(precision, scale) of a typmod */
#define NUMERIC_PRECISION(typmod)	((((typmod) - VARHDRSZ) >> 16) & 0xffff)
#define NUMERIC_SCALE(typmod)		(((((typmod) - VARHDRSZ) & 0x7ff) ^ 1024) - 1024)

/* fills in a term of the column, whose kind and sql are set; false: the declared type is not fit */
typedef bool (*Describe) (LyfTerm *term, const LyfMysqlColumn *column);

/* the least and the greatest of an integer type */
static void
set_bounds(LyfTerm *term, const LyfMysqlRemoteType *remote)
{
	int			bits = remote->bytes * BITS_PER_BYTE;

	term->low = remote->is_unsigned ? 0 : -((int64) (UINT64CONST(1) << (bits - 1)) - 1) - 1;
	term->high = (int64) ((UINT64CONST(1) << (remote->is_unsigned ? bits : bits - 1)) - 1);
}

static bool
is_huge(const LyfMysqlColumn *column)
{
	return column->remote.bytes == 8 && column->remote.is_unsigned;
}

static bool
describe_integer(LyfTerm *term, const LyfMysqlColumn *column)
{
	int64		high = column->type == INT2OID ? PG_INT16_MAX : column->type == INT4OID ? PG_INT32_MAX : PG_INT64_MAX;

	if (is_huge(column))
		return false;
	set_bounds(term, &column->remote);
	term->operand = column->remote.is_unsigned ? psprintf("CAST(%s AS SIGNED)", term->sql) : term->sql;
	return term->high <= high;
}

/* an integer, or a decimal, as numeric */
static bool
describe_numeric(LyfTerm *term, const LyfMysqlColumn *column)
{
	static const int digits[] = {[1] = 3,[2] = 5,[3] = 8,[4] = 10,[8] = 20};
	bool		integer = column->remote.kind == LYF_MY_INTEGER;
	int			precision = integer ? digits[column->remote.bytes] : column->remote.precision;

	term->scale = integer ? 0 : column->remote.scale;
	term->digits = precision - term->scale;
	term->operand = integer ? psprintf("CAST(%s AS DECIMAL(%d,0))", term->sql, precision) : term->sql;
	if (column->typmod < (int32) VARHDRSZ)
		return true;
	return NUMERIC_SCALE(column->typmod) == term->scale && NUMERIC_PRECISION(column->typmod) >= precision;
}

static bool
describe_truth(LyfTerm *term, const LyfMysqlColumn *column)
{
	term->sql = psprintf("(%s <> 0)", term->sql);
	return column->remote.precision == 1;
}

/* a YEAR compares with numbers as if they were years of two digits */
static bool
describe_year(LyfTerm *term, const LyfMysqlColumn *column)
{
	term->sql = term->operand = psprintf("CAST(%s AS SIGNED)", term->sql);
	term->low = 0;
	term->high = 2155;
	return true;
}

/* one of so many digits, as in DOUBLE(7,2), rounds what it is compared with */
static bool
describe_double(LyfTerm *term, const LyfMysqlColumn *column)
{
	term->operand = psprintf("(%s + 0e0)", term->sql);
	if (column->remote.precision > 0)
		term->sql = term->operand;
	return true;
}

static bool
describe_bits(LyfTerm *term, const LyfMysqlColumn *column)
{
	term->sql = psprintf("CAST(%s AS UNSIGNED)", term->sql);
	term->scale = column->remote.precision;
	return column->typmod == column->remote.precision;
}

static bool
describe_date(LyfTerm *term, const LyfMysqlColumn *column)
{
	return true;
}

static bool
describe_time(LyfTerm *term, const LyfMysqlColumn *column)
{
	int			digits = column->typmod < 0 ? MAX_TIMESTAMP_PRECISION : column->typmod;

	if (column->type == INTERVALOID && column->typmod >= 0)
	{
		if (INTERVAL_RANGE(column->typmod) != INTERVAL_FULL_RANGE)
			return false;
		digits = INTERVAL_PRECISION(column->typmod);
	}
	term->scale = column->remote.precision;
	return digits >= column->remote.precision;
}

/* without a name of its character set it is converted, whatever it is */
static bool
describe_text(LyfTerm *term, const LyfMysqlColumn *column)
{
	bool		utf8 = column->remote.kind == LYF_MY_TEXT && column->remote.charset != NULL &&
		strcmp(column->remote.charset, "utf8mb4") == 0;
	int			length = column->remote.precision;

	term->length = length;
	term->operand = psprintf(utf8 ? "%s COLLATE utf8mb4_bin" : "CONVERT(%s USING utf8mb4) COLLATE utf8mb4_bin", term->sql);
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return false;
	return column->typmod < 0 || (length > 0 && column->typmod - VARHDRSZ >= length);
}

static bool
describe_bytes(LyfTerm *term, const LyfMysqlColumn *column)
{
	term->length = column->remote.precision;
	term->operand = term->sql;
	return true;
}

static bool
describe_other(LyfTerm *term, const LyfMysqlColumn *column)
{
	return true;
}

static const struct
{
	LyfMysqlKind remote;
	Oid			type;
	LyfTermKind kind;
	Describe	describe;
}			column_types[] = {
	{LYF_MY_INTEGER, INT4OID, LYF_TERM_INTEGER, describe_integer},
	{LYF_MY_INTEGER, INT8OID, LYF_TERM_INTEGER, describe_integer},
	{LYF_MY_INTEGER, INT2OID, LYF_TERM_INTEGER, describe_integer},
	{LYF_MY_INTEGER, NUMERICOID, LYF_TERM_DECIMAL, describe_numeric},
	{LYF_MY_INTEGER, BOOLOID, LYF_TERM_BOOLEAN, describe_truth},
	{LYF_MY_TEXT, TEXTOID, LYF_TERM_TEXT, describe_text},
	{LYF_MY_TEXT, VARCHAROID, LYF_TERM_TEXT, describe_text},
	{LYF_MY_DECIMAL, NUMERICOID, LYF_TERM_DECIMAL, describe_numeric},
	{LYF_MY_FLOAT, FLOAT4OID, LYF_TERM_DOUBLE, describe_double},
	{LYF_MY_FLOAT, FLOAT8OID, LYF_TERM_DOUBLE, describe_double},
	{LYF_MY_DOUBLE, FLOAT8OID, LYF_TERM_DOUBLE, describe_double},
	{LYF_MY_DATE, DATEOID, LYF_TERM_DATE, describe_date},
	{LYF_MY_DATETIME, TIMESTAMPOID, LYF_TERM_DATETIME, describe_time},
	{LYF_MY_TIMESTAMP, TIMESTAMPTZOID, LYF_TERM_MOMENT, describe_time},
	{LYF_MY_TIME, INTERVALOID, LYF_TERM_SPAN, describe_time},
	{LYF_MY_TIME, TIMEOID, LYF_TERM_CLOCK, describe_time},
	{LYF_MY_YEAR, INT2OID, LYF_TERM_INTEGER, describe_year},
	{LYF_MY_YEAR, INT4OID, LYF_TERM_INTEGER, describe_year},
	{LYF_MY_ENUM, TEXTOID, LYF_TERM_TEXT, describe_text},
	{LYF_MY_BYTES, BYTEAOID, LYF_TERM_BYTES, describe_bytes},
	{LYF_MY_BIT, BITOID, LYF_TERM_BITS, describe_bits},
	{LYF_MY_BIT, BOOLOID, LYF_TERM_BOOLEAN, describe_truth},
	{LYF_MY_UUID, UUIDOID, LYF_TERM_UUID, describe_other},
	{LYF_MY_SET, TEXTARRAYOID, LYF_TERM_OPAQUE, describe_other},
	{LYF_MY_JSON, JSONBOID, LYF_TERM_OPAQUE, describe_other},
	{LYF_MY_JSON, JSONOID, LYF_TERM_OPAQUE, describe_other},
	{LYF_MY_GEOMETRY, BYTEAOID, LYF_TERM_OPAQUE, describe_other},
	{LYF_MY_INET, INETOID, LYF_TERM_OPAQUE, describe_other}
};

static const char *
column_name(const LyfMysqlColumn *column, const char *qualifier)
{
	StringInfoData sql;

	initStringInfo(&sql);
	if (qualifier != NULL)
		appendStringInfo(&sql, "%s.", qualifier);
	lyf_mysql_quote_name(&sql, column->remote_name);
	return sql.data;
}

static bool
is_dated(LyfMysqlKind kind)
{
	return kind == LYF_MY_DATE || kind == LYF_MY_DATETIME || kind == LYF_MY_TIMESTAMP;
}

LyfTerm *
lyf_mysql_column_term(LyfTranslation *t, const LyfMysqlTable *table, const LyfMysqlColumn *column, const char *qualifier)
{
	for (int i = 0; i < lengthof(column_types); i++)
	{
		LyfTerm    *term;

		if (column_types[i].remote != column->remote.kind || column_types[i].type != column->type)
			continue;
		term = lyf_mysql_term_make(column_types[i].kind, column_name(column, qualifier));
		term->column = column;
		term->zero_dates = table->zero_dates == LYF_ZERO_DATES_NULL && is_dated(column->remote.kind);
		if (column_types[i].describe(term, column))
			return term;
	}
	return lyf_mysql_term_fail(t, psprintf("column \"%s\" is not declared as an import would", column->name));
}
