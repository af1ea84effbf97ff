/*
 * mysql_literal.c
 *		Datums, names and columns as MySQL reads them.
 *
 * Sessions run with NO_BACKSLASH_ESCAPES, utf8mb4 and in UTC: in a quoted text only the
 * quote itself is special, and a wall clock's time is a moment.  A literal has all of the
 * value; where the server has no such value, or the column would take only a part of it,
 * there is none.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/varbit.h"

#include "base/compat.h"
#include "fdw/mysql_internal.h"

/* decimals of MySQL and MariaDB both */
#define MAX_DIGITS		65
#define MAX_SCALE		30

/* TIME ends with this hour */
#define MAX_HOURS		838

#define MAX_BITS		64

/* a value on its way; the functions below return false where the server has none such, column is NULL for operands */
typedef bool (*AppendLiteral) (StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column);

static void
append_quoted(StringInfo sql, const char *text, size_t len, char quote)
{
	const char *end = text + len;
	const char *p;

	appendStringInfoChar(sql, quote);
	while ((p = memchr(text, quote, end - text)) != NULL)
	{
		appendBinaryStringInfo(sql, text, p + 1 - text);
		appendStringInfoChar(sql, quote);
		text = p + 1;
	}
	appendBinaryStringInfo(sql, text, end - text);
	appendStringInfoChar(sql, quote);
}

void
lyf_mysql_quote_text(StringInfo sql, const char *text, size_t len)
{
	append_quoted(sql, text, len, '\'');
}

/* the name is in the database's encoding */
void
lyf_mysql_quote_name(StringInfo sql, const char *name)
{
	const char *utf8 = pg_server_to_any(name, strlen(name), PG_UTF8);

	append_quoted(sql, utf8, strlen(utf8), '`');
}

/* FLOAT is printed with six digits: as a DOUBLE it has all of them */
void
lyf_mysql_select_column(StringInfo sql, const char *qualifier, const LyfMysqlColumn *column)
{
	bool		widen = column->remote.kind == LYF_MY_FLOAT;

	if (widen)
		appendStringInfoChar(sql, '(');
	if (qualifier != NULL)
	{
		lyf_mysql_quote_name(sql, qualifier);
		appendStringInfoChar(sql, '.');
	}
	lyf_mysql_quote_name(sql, column->remote_name);
	if (widen)
		appendStringInfoString(sql, " + 0e0)");
}

static bool
is_kind(const LyfMysqlColumn *column, LyfMysqlKind kind)
{
	return column != NULL && column->remote.kind == kind;
}

static void
append_text(StringInfo sql, const char *text, size_t len)
{
	char	   *utf8 = pg_server_to_any(text, len, PG_UTF8);

	lyf_mysql_quote_text(sql, utf8, utf8 == text ? len : strlen(utf8));
}

void
lyf_mysql_write_text(StringInfo sql, const char *text)
{
	append_text(sql, text, strlen(text));
}

static bool
is_number(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '\0' || strchr(" +-0123456789", text[i]) == NULL)
			return false;
	}
	return len > 0 && len <= MAXINT8LEN;
}

/*
 * An ENUM or SET takes a number for the label of that number, or for bits of labels, where no label looks like it.
 * The label '12' stands between a comma or a parenthesis on each side, since a quote in a label is doubled.
 */
static bool
is_mistaken(const char *text, size_t len, const LyfMysqlColumn *column)
{
	const char *labels = column != NULL ? column->remote.labels : NULL;
	char	   *quoted;
	const char *found;

	if (labels == NULL || !is_number(text, len))
		return false;
	quoted = psprintf("'%.*s'", (int) len, text);
	for (found = strstr(labels, quoted); found != NULL; found = strstr(found + 1, quoted))
	{
		if (strchr("(,", found[-1]) != NULL && strchr(",)", found[len + 2]) != NULL)
			return false;
	}
	return true;
}

/* digits, in parentheses where a minus might meet another */
static void
append_number(StringInfo sql, const char *digits, size_t len, const LyfMysqlColumn *column)
{
	bool		enclosed = column == NULL && *digits == '-';

	if (enclosed)
		appendStringInfoChar(sql, '(');
	appendBinaryStringInfo(sql, digits, len);
	if (enclosed)
		appendStringInfoChar(sql, ')');
}

static bool
append_bool(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	appendStringInfoChar(sql, DatumGetBool(value) ? '1' : '0');
	return true;
}

/* a YEAR would take 26 for 2026 */
static bool
append_integer(StringInfo sql, int64 integer, const LyfMysqlColumn *column)
{
	char		digits[MAXINT8LEN + 1];

	if (is_kind(column, LYF_MY_YEAR) && integer > 0 && integer < 100)
		return false;
	append_number(sql, digits, pg_lltoa(integer, digits), column);
	return true;
}

static bool
append_int2(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	return append_integer(sql, DatumGetInt16(value), column);
}

static bool
append_int4(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	return append_integer(sql, DatumGetInt32(value), column);
}

static bool
append_int8(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	return append_integer(sql, DatumGetInt64(value), column);
}

/* with an exponent: without, the server would take it for a DECIMAL */
static bool
append_double(StringInfo sql, double number, const LyfMysqlColumn *column)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN + 2];

	if (isnan(number) || isinf(number))
		return false;
	double_to_shortest_decimal_buf(number, digits);
	if (strchr(digits, 'e') == NULL)
		strcat(digits, "e0");
	append_number(sql, digits, strlen(digits), column);
	return true;
}

static bool
append_float8(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	return append_double(sql, DatumGetFloat8(value), column);
}

static bool
append_float4(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	return append_double(sql, DatumGetFloat4(value), column);
}

/* how many digits stand behind the point; where they are too many, zeros at the end are cut off before */
static int
trim_scale(char *digits, int max)
{
	char	   *point = strchr(digits, '.');
	char	   *end = digits + strlen(digits);

	if (point == NULL || end - point - 1 <= max)
		return point ? end - point - 1 : 0;
	while (end[-1] == '0')
		*--end = '\0';
	if (end - 1 == point)
		*point = '\0';
	return end - point - 1;
}

static int
count_digits(const char *digits)
{
	return strlen(digits) - (*digits == '-') - (strchr(digits, '.') != NULL);
}

static bool
append_numeric(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	int			max_scale = is_kind(column, LYF_MY_DECIMAL) ? column->remote.scale : MAX_SCALE;

	/* NaN, Infinity */
	if (strspn(digits, "-0123456789.") != strlen(digits))
		return false;
	if (trim_scale(digits, max_scale) > max_scale || count_digits(digits) > MAX_DIGITS)
		return false;
	append_number(sql, digits, strlen(digits), column);
	return true;
}

/* The server refuses a text that is longer than its column, but cuts off blanks. */
static bool
would_be_cut(const char *text, size_t len, const LyfMysqlColumn *column)
{
	return is_kind(column, LYF_MY_TEXT) && column->remote.precision > 0 && len > (size_t) column->remote.precision &&
		text[len - 1] == ' ' && pg_mbstrlen_with_len(text, len) > column->remote.precision;
}

static bool
append_varlena_text(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	text	   *varlena = DatumGetTextPP(value);
	size_t		len = VARSIZE_ANY_EXHDR(varlena);

	if (is_mistaken(VARDATA_ANY(varlena), len, column) || would_be_cut(VARDATA_ANY(varlena), len, column))
		return false;
	append_text(sql, VARDATA_ANY(varlena), len);
	return true;
}

/* blanks at its end are no part of a character(n) */
static bool
append_bpchar(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	BpChar	   *padded = DatumGetBpCharPP(value);

	append_text(sql, VARDATA_ANY(padded), bpchartruelen(VARDATA_ANY(padded), VARSIZE_ANY_EXHDR(padded)));
	return true;
}

static void
append_hex(StringInfo sql, const void *bytes, size_t len)
{
	enlargeStringInfo(sql, len * 2);
	sql->len += hex_encode(bytes, len, sql->data + sql->len);
	sql->data[sql->len] = '\0';
}

/* a geometry is stored with its SRID before the WKB */
static bool
append_bytea(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	appendStringInfoString(sql, "_binary x'");
	if (is_kind(column, LYF_MY_GEOMETRY))
	{
		unsigned char srid[4];

		for (int i = 0; i < lengthof(srid); i++)
			srid[i] = (unsigned char) (column->remote.precision >> (i * BITS_PER_BYTE));
		append_hex(sql, srid, sizeof(srid));
	}
	append_hex(sql, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	appendStringInfoChar(sql, '\'');
	return true;
}

/* so many digits, and what comes behind them; where the next go */
static inline char *
put_digits(char *out, int number, int digits, char behind)
{
	out = pg_ultostr_zeropad(out, number, digits);
	*out = behind;
	return out + 1;
}

static char *
put_date(char *out, int year, int month, int day, char behind)
{
	out = put_digits(out, year, 4, '-');
	out = put_digits(out, month, 2, '-');
	return put_digits(out, day, 2, behind);
}

/* with the digits of the second only where they are not 0 */
static char *
put_clock(char *out, int hour, int minute, int second, int us)
{
	out = put_digits(out, hour, 2, ':');
	out = put_digits(out, minute, 2, ':');
	out = put_digits(out, second, 2, us != 0 ? '.' : '\'');
	return us != 0 ? put_digits(out, us, 6, '\'') : out;
}

static bool
append_date(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	DateADT		date = DatumGetDateADT(value);
	char		text[MAXDATELEN] = "DATE'";
	int			year;
	int			month;
	int			day;

	if (DATE_NOT_FINITE(date))
		return false;
	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	if (year < 1 || year > 9999)
		return false;
	appendBinaryStringInfo(sql, text, put_date(text + strlen(text), year, month, day, '\'') - text);
	return true;
}

/* would a column of times lose digits of the second? */
static bool
is_cut(int us, const LyfMysqlColumn *column)
{
	static const int units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	LyfMysqlKind kind = column != NULL ? column->remote.kind : LYF_MY_OTHER;

	if (kind != LYF_MY_DATETIME && kind != LYF_MY_TIMESTAMP && kind != LYF_MY_TIME)
		return false;
	return column->remote.precision < lengthof(units) && us % units[column->remote.precision] != 0;
}

/* with and without time zone: in UTC */
static bool
append_timestamp(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	char		text[MAXDATELEN] = "TIMESTAMP'";
	char	   *end;
	struct pg_tm tm;
	fsec_t		us;

	if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)) || timestamp2tm(DatumGetTimestamp(value), NULL, &tm, &us, NULL, NULL) != 0)
		return false;
	if (tm.tm_year < 1 || tm.tm_year > 9999 || is_cut(us, column))
		return false;
	if (is_kind(column, LYF_MY_DATE) && (tm.tm_hour | tm.tm_min | tm.tm_sec | us) != 0)
		return false;
	end = put_date(text + strlen(text), tm.tm_year, tm.tm_mon, tm.tm_mday, ' ');
	end = put_clock(end, tm.tm_hour, tm.tm_min, tm.tm_sec, us);
	appendBinaryStringInfo(sql, text, end - text);
	return true;
}

static bool
append_span(StringInfo sql, int64 span, const LyfMysqlColumn *column)
{
	int64		seconds = llabs(span) / USECS_PER_SEC;
	int			us = llabs(span) % USECS_PER_SEC;
	char		text[MAXDATELEN];
	char	   *end = text;

	if (seconds / SECS_PER_HOUR > MAX_HOURS || is_cut(us, column))
		return false;
	end = put_clock(end, seconds / SECS_PER_HOUR, seconds / SECS_PER_MINUTE % MINS_PER_HOUR, seconds % SECS_PER_MINUTE, us);
	appendStringInfoString(sql, span < 0 ? "TIME'-" : "TIME'");
	appendBinaryStringInfo(sql, text, end - text);
	return true;
}

static bool
append_time(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	return append_span(sql, DatumGetTimeADT(value), column);
}

/* months have no length; days have 24 hours */
static bool
append_interval(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	Interval   *interval = DatumGetIntervalP(value);

	if (interval->month != 0 || llabs((int64) interval->day) > MAX_HOURS || interval->time / USECS_PER_HOUR > MAX_HOURS * 100 ||
		interval->time / USECS_PER_HOUR < -MAX_HOURS * 100)
		return false;
	return append_span(sql, interval->day * USECS_PER_DAY + interval->time, column);
}

static bool
append_bits(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	VarBit	   *bits = DatumGetVarBitP(value);
	int			count = VARBITLEN(bits);

	if (count > MAX_BITS || (is_kind(column, LYF_MY_BIT) && count > column->remote.precision))
		return false;
	appendStringInfoString(sql, "b'");
	for (int i = 0; i < count; i++)
		appendStringInfoChar(sql, VARBITS(bits)[i / BITS_PER_BYTE] >> (7 - i % BITS_PER_BYTE) & 1 ? '1' : '0');
	appendStringInfoChar(sql, '\'');
	return true;
}

static bool
append_output(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	Oid			output;
	bool		varlena;
	char	   *text;

	getTypeOutputInfo(type, &output, &varlena);
	text = OidOutputFunctionCall(output, value);
	if (is_mistaken(text, strlen(text), column))
		return false;
	lyf_mysql_write_text(sql, text);
	return true;
}

/* labels of a SET with commas between them */
static bool
append_text_array(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	StringInfoData labels;
	Datum	   *items;
	bool	   *nulls;
	int			count;

	if (!is_kind(column, LYF_MY_SET))
		return append_output(sql, type, value, column);
	if (ARR_NDIM(array) > 1)
		return false;
	initStringInfo(&labels);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *label = nulls[i] ? "" : TextDatumGetCString(items[i]);

		if (*label == '\0' || strchr(label, ',') != NULL)
			return false;
		appendStringInfo(&labels, "%s%s", i > 0 ? "," : "", label);
	}
	if (is_mistaken(labels.data, labels.len, column))
		return false;
	append_text(sql, labels.data, labels.len);
	return true;
}

static bool
append_uuid(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	if (!is_kind(column, LYF_MY_BYTES))
		return append_output(sql, type, value, column);
	appendStringInfoString(sql, "_binary x'");
	append_hex(sql, DatumGetUUIDP(value)->data, UUID_LEN);
	appendStringInfoChar(sql, '\'');
	return true;
}

/* an address, and no network */
static bool
append_inet(StringInfo sql, Oid type, Datum value, const LyfMysqlColumn *column)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(inet_out, value));

	if (strchr(text, '/') != NULL)
		return false;
	lyf_mysql_write_text(sql, text);
	return true;
}

static const struct
{
	Oid			type;
	AppendLiteral append;
}			literals[] = {
	{BOOLOID, append_bool},
	{INT2OID, append_int2},
	{INT4OID, append_int4},
	{INT8OID, append_int8},
	{FLOAT4OID, append_float4},
	{FLOAT8OID, append_float8},
	{NUMERICOID, append_numeric},
	{TEXTOID, append_varlena_text},
	{VARCHAROID, append_varlena_text},
	{BPCHAROID, append_bpchar},
	{BYTEAOID, append_bytea},
	{DATEOID, append_date},
	{TIMEOID, append_time},
	{TIMESTAMPOID, append_timestamp},
	{TIMESTAMPTZOID, append_timestamp},
	{INTERVALOID, append_interval},
	{BITOID, append_bits},
	{VARBITOID, append_bits},
	{TEXTARRAYOID, append_text_array},
	{UUIDOID, append_uuid},
	{INETOID, append_inet}
};

static AppendLiteral
find_literal(Oid type)
{
	for (int i = 0; i < lengthof(literals); i++)
	{
		if (literals[i].type == type)
			return literals[i].append;
	}
	return NULL;
}

bool
lyf_mysql_literal(StringInfo sql, Oid type, int32 typmod, Datum value, bool isnull, const LyfMysqlColumn *column)
{
	int			len = sql->len;
	AppendLiteral append;

	if (isnull)
	{
		appendStringInfoString(sql, "NULL");
		return true;
	}
	append = find_literal(type);
	if (append == NULL)
		append = find_literal(getBaseType(type));
	if (append == NULL)
		append = append_output;
	if (append(sql, type, value, column))
		return true;
	sql->len = len;
	sql->data[len] = '\0';
	return false;
}
