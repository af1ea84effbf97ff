/*
 * mysql_cast.c
 *		Rows of MySQL's text protocol to tuples.
 *
 * How a field becomes a Datum is looked up once for a result, by what the field is at the
 * server and what the attribute is here.  Where those are not what IMPORT FOREIGN SCHEMA
 * would make of each other, the value counts: it is taken if the type has it, all of it.
 *
 * Values of a row are laid side by side into a piece of memory; large ones get their own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "decode/decode.h"
#include "fdw/mysql_cast.h"

/* how much is taken at once for values of a row */
#define PIECE		1024

/* bytes of a value that a message shows */
#define MAX_SHOWN	64

/* sets of kinds */
#define A(kind)		(1 << LYF_MY_##kind)
#define NUMBERS		(A(INTEGER) | A(DECIMAL) | A(FLOAT) | A(DOUBLE) | A(YEAR))
#define MOMENTS		(A(DATE) | A(DATETIME) | A(TIMESTAMP))
#define NOT_TEXT	(A(BIT) | A(BYTES) | A(GEOMETRY))
#define AS_TEXT		(((1 << (LYF_MY_OTHER + 1)) - 1) & ~NOT_TEXT)	/* kinds that come as text */
#define COMPUTED	(1 << 30)		/* with others: only for what is no column */

#define ANY_TYPE	InvalidOid

/* the first that fits is taken */
static const struct
{
	int			kinds;
	Oid			type;
	LyfMysqlCastFunction function;
}			casts[] = {
	{AS_TEXT, INT4OID, lyf_mysql_cast_int4},
	{AS_TEXT, INT8OID, lyf_mysql_cast_int8},
	{AS_TEXT, INT2OID, lyf_mysql_cast_int2},
	{COMPUTED | A(TEXT) | A(BYTES), NUMERICOID, lyf_mysql_cast_quotient},
	{AS_TEXT, NUMERICOID, lyf_mysql_cast_numeric},
	{NUMBERS, FLOAT8OID, lyf_mysql_cast_float8},
	{NUMBERS, FLOAT4OID, lyf_mysql_cast_float4},
	{A(INTEGER), BOOLOID, lyf_mysql_cast_truth},
	{AS_TEXT | A(BYTES), TEXTOID, lyf_mysql_cast_text},
	{AS_TEXT | A(BYTES), VARCHAROID, lyf_mysql_cast_varchar},
	{MOMENTS, DATEOID, lyf_mysql_cast_date},
	{MOMENTS, TIMESTAMPOID, lyf_mysql_cast_timestamp},
	{MOMENTS, TIMESTAMPTZOID, lyf_mysql_cast_timestamp},
	{A(TIME), INTERVALOID, lyf_mysql_cast_interval},
	{A(TIME), TIMEOID, lyf_mysql_cast_time},
	{AS_TEXT | A(BYTES) | A(BIT), BYTEAOID, lyf_mysql_cast_bytes},
	{A(GEOMETRY), BYTEAOID, lyf_mysql_cast_wkb},
	{A(SET), TEXTARRAYOID, lyf_mysql_cast_set},
	{A(BYTES), UUIDOID, lyf_mysql_cast_uuid},
	{A(BIT), BITOID, lyf_mysql_cast_bits},
	{A(BIT), VARBITOID, lyf_mysql_cast_bits},
	{A(BIT), BOOLOID, lyf_mysql_cast_bits_truth},
	{A(BIT), INT2OID, lyf_mysql_cast_bits_number},
	{A(BIT), INT4OID, lyf_mysql_cast_bits_number},
	{A(BIT), INT8OID, lyf_mysql_cast_bits_number},
	{A(BIT), NUMERICOID, lyf_mysql_cast_bits_number},

	/* not the type that an import would declare */
	{AS_TEXT, BOOLOID, lyf_mysql_cast_string},
	{AS_TEXT, FLOAT8OID, lyf_mysql_cast_string},
	{AS_TEXT, FLOAT4OID, lyf_mysql_cast_string},
	{AS_TEXT, BPCHAROID, lyf_mysql_cast_string},
	{AS_TEXT, UUIDOID, lyf_mysql_cast_string},
	{AS_TEXT, DATEOID, lyf_mysql_cast_string},
	{AS_TEXT, TIMEOID, lyf_mysql_cast_string},
	{AS_TEXT, TIMESTAMPOID, lyf_mysql_cast_string},
	{AS_TEXT, TIMESTAMPTZOID, lyf_mysql_cast_string},
	{AS_TEXT | A(BYTES), ANY_TYPE, lyf_mysql_cast_other}
};

/* what a field of no column is */
static const LyfMysqlKind field_kinds[] = {
	[LYF_MYSQL_TINY] = LYF_MY_INTEGER,
	[LYF_MYSQL_SHORT] = LYF_MY_INTEGER,
	[LYF_MYSQL_INT24] = LYF_MY_INTEGER,
	[LYF_MYSQL_LONG] = LYF_MY_INTEGER,
	[LYF_MYSQL_LONGLONG] = LYF_MY_INTEGER,
	[LYF_MYSQL_DECIMAL] = LYF_MY_DECIMAL,
	[LYF_MYSQL_FLOAT] = LYF_MY_FLOAT,
	[LYF_MYSQL_DOUBLE] = LYF_MY_DOUBLE,
	[LYF_MYSQL_DATE] = LYF_MY_DATE,
	[LYF_MYSQL_TIME] = LYF_MY_TIME,
	[LYF_MYSQL_DATETIME] = LYF_MY_DATETIME,
	[LYF_MYSQL_TIMESTAMP] = LYF_MY_TIMESTAMP,
	[LYF_MYSQL_YEAR] = LYF_MY_YEAR,
	[LYF_MYSQL_BIT] = LYF_MY_BIT,
	[LYF_MYSQL_JSON] = LYF_MY_JSON,
	[LYF_MYSQL_STRING] = LYF_MY_TEXT,
	[LYF_MYSQL_BLOB] = LYF_MY_TEXT,
	[LYF_MYSQL_GEOMETRY] = LYF_MY_GEOMETRY,
	[LYF_MYSQL_NULL] = LYF_MY_TEXT
};

/* nouns of the kinds that are not text, for a message */
static const char *
kind_name(LyfMysqlKind kind)
{
	return kind == LYF_MY_BIT ? "bits" : kind == LYF_MY_GEOMETRY ? "a geometry" : "bytes";
}

void *
lyf_mysql_cast_more_room(LyfMysqlCast *cast, Size size)
{
	if (size > PIECE / 4)
		return palloc(size);
	cast->next = palloc(PIECE);
	cast->end = cast->next + PIECE;
	return lyf_mysql_cast_room(cast, size);
}

/* a value as a message can have it */
static const char *
show(const LyfMysqlCastField *field, const char *text, size_t len)
{
	size_t		shown = Min(len, MAX_SHOWN);
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;
	char	   *copy;

	if ((A(BIT) | A(BYTES) | A(GEOMETRY)) & (1 << field->kind) || pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
		return psprintf("of %zu bytes", len);
	if (shown < len)
		shown = pg_encoding_mbcliplen(PG_UTF8, text, len, shown);
	copy = pnstrdup(text, shown);
	for (char *p = copy; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || (IS_HIGHBIT_SET(*p) && !utf8))
			*p = '?';
	}
	return psprintf("\"%s%s\"", copy, shown < len ? "..." : "");
}

pg_noinline LyfFailure *
lyf_mysql_cast_failure(const LyfMysqlCastField *field, const char *text, size_t len, int sqlstate, const char *what)
{
	return lyf_failure(sqlstate, "value %s %s type %s", show(field, text, len), what,
					   format_type_with_typemod(field->type, field->typmod));
}

pg_noinline LyfFailure *
lyf_mysql_cast_string(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)
{
	if (pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
		return lyf_mysql_cast_failure(field, text, len, ERRCODE_INVALID_TEXT_REPRESENTATION, "is not valid for");
	return lyf_value_cast(lyf_value_string_len(text, len), field->type, field->typmod, datum, isnull);
}

static LyfMysqlCastFunction
find_function(const LyfMysqlCastField *field, bool computed)
{
	for (int i = 0; i < lengthof(casts); i++)
	{
		if ((casts[i].kinds & (1 << field->kind)) != 0 && (casts[i].type == field->type || casts[i].type == ANY_TYPE) &&
			(computed || (casts[i].kinds & COMPUTED) == 0))
			return casts[i].function;
	}
	return NULL;
}

static void
set_source(LyfMysqlCastField *field, const LyfMysqlColumn *column, const LyfMysqlField *source)
{
	if (column != NULL)
	{
		field->kind = column->remote.kind;
		field->precision = column->remote.precision;
		return;
	}
	field->kind = field_kinds[source->type];
	if (field->kind == LYF_MY_TEXT && source->is_binary)
		field->kind = LYF_MY_BYTES;
	field->precision = source->length;
}

static void
init_field(LyfMysqlCastField *field, Form_pg_attribute attribute, const LyfMysqlColumn *column, const LyfMysqlField *source)
{
	field->place = attribute->attnum - 1;
	field->name = column != NULL ? column->name : pstrdup(NameStr(attribute->attname));
	field->typmod = attribute->atttypmod;
	field->type = getBaseTypeAndTypmod(attribute->atttypid, &field->typmod);
	if (field->type != attribute->atttypid)
		field->domain = attribute->atttypid;
	set_source(field, column, source);
	field->function = find_function(field, column == NULL);
	if (field->function == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" is %s at the server, which cannot be had as type %s",
						field->name, kind_name(field->kind), format_type_be(field->type)),
				 errhint("Declare the column as IMPORT FOREIGN SCHEMA does.")));
}

LyfMysqlCast *
lyf_mysql_cast_begin(TupleDesc desc, const int *attnos, const LyfMysqlColumn *const *columns,
					 int count, const LyfMysqlField *fields, LyfZeroDates zero_dates)
{
	LyfMysqlCast *cast = palloc0(offsetof(LyfMysqlCast, fields) + count * sizeof(LyfMysqlCastField));

	cast->count = count;
	cast->cxt = CurrentMemoryContext;
	for (int i = 0; i < count; i++)
	{
		init_field(&cast->fields[i], TupleDescAttr(desc, attnos[i] - 1), columns[i], &fields[i]);
		cast->fields[i].zero_dates = zero_dates;
	}
	return cast;
}

static pg_noinline LyfFailure *
name_column(LyfFailure *failure, const LyfMysqlCastField *field)
{
	failure->message = psprintf("column \"%s\": %s", field->name, failure->message);
	return failure;
}

LyfFailure *
lyf_mysql_cast_row(LyfMysqlCast *cast, const LyfMysqlRow *row, Datum *values, bool *nulls)
{
	cast->next = cast->end = NULL;
	for (int i = 0; i < cast->count; i++)
	{
		LyfMysqlCastField *field = &cast->fields[i];
		const char *text = row->value[i];
		Datum	   *value = &values[field->place];
		bool	   *isnull = &nulls[field->place];
		LyfFailure *failure = NULL;

		*isnull = text == NULL;
		*value = (Datum) 0;
		if (text != NULL)
			failure = field->function(cast, field, text, row->length[i], value, isnull);
		if (unlikely(failure != NULL))
			return name_column(failure, field);
		if (unlikely(OidIsValid(field->domain)))
			domain_check(*value, *isnull, field->domain, &field->domain_cache, cast->cxt);
	}
	return NULL;
}
