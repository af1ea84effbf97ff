/*
 * cast.c
 *		A record to the values of a tuple.
 *
 * Records of a source have their keys in the same order, mostly.  So the keys of the
 * last record are kept with the columns that they belong to, and each key of the next
 * one is compared with the one that stood there; only where it differs is it looked up.
 *
 * How a value becomes a Datum of a type is in the table below; types that are not there
 * go through their input function.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "decode/decode_internal.h"

/* how many keys of the last record are kept, and how far ahead a key is looked for in them */
#define MAX_SEQUENCE	1024
#define LOOK_AHEAD		4

/* bytes of a value that a message shows */
#define MAX_SHOWN		64

static const struct
{
	Oid			type;
	LyfCastFunction function;
}			casts[] = {
	{BOOLOID, lyf_cast_bool},
	{INT2OID, lyf_cast_int2},
	{INT4OID, lyf_cast_int4},
	{INT8OID, lyf_cast_int8},
	{FLOAT4OID, lyf_cast_float4},
	{FLOAT8OID, lyf_cast_float8},
	{NUMERICOID, lyf_cast_numeric},
	{TEXTOID, lyf_cast_text},
	{VARCHAROID, lyf_cast_varchar},
	{BPCHAROID, lyf_cast_bpchar},
	{JSONOID, lyf_cast_json},
	{JSONBOID, lyf_cast_jsonb},
	{UUIDOID, lyf_cast_uuid},
	{DATEOID, lyf_cast_date},
	{TIMEOID, lyf_cast_time},
	{TIMESTAMPOID, lyf_cast_timestamp},
	{TIMESTAMPTZOID, lyf_cast_timestamptz}
};

/* A column that is wanted. */
typedef struct Column
{
	int			attno;			/* from 0 */
	const char *const *path;
	int			path_len;
	LyfCast		cast;
	struct Column *next;		/* with the same top-level key */
} Column;

/* A top-level key that columns look at. */
typedef struct Field
{
	const char *key;
	uint32		key_len;
	Column	   *columns;
} Field;

/* A key of the last record, and whose it is. */
typedef struct Seen
{
	char	   *key;			/* room bytes of our own */
	uint32		key_len;
	uint32		room;
	Field	   *field;			/* NULL: nobody's */
} Seen;

struct LyfRowCast
{
	int			natts;
	Column	   *whole;			/* columns that hold the whole record */
	Field	   *fields;			/* a hash table, key NULL: free */
	uint32		mask;
	Seen	   *sequence;
	int			sequence_len;
	MemoryContext cxt;			/* in which it was made */
};

static void
init_cast(LyfCast *cast, Oid type, int32 typmod)
{
	Oid			element;
	Oid			input;

	cast->type = type;
	cast->typmod = typmod;
	get_typlenbyvalalign(type, &cast->typlen, &cast->typbyval, &cast->typalign);
	for (int i = 0; i < lengthof(casts); i++)
	{
		if (casts[i].type == type)
		{
			cast->function = casts[i].function;
			return;
		}
	}
	element = get_element_type(type);
	if (OidIsValid(element))
	{
		cast->function = lyf_cast_array;
		cast->element = palloc0(sizeof(LyfCast));
		init_cast(cast->element, element, typmod);
		return;
	}
	cast->function = lyf_cast_other;
	getTypeInputInfo(type, &input, &cast->typioparam);
	fmgr_info_cxt(input, &cast->input, CurrentMemoryContext);
}

/* UTF-8 as a message of this database can hold it */
static void
append_shown(StringInfo out, const char *text, size_t len)
{
	size_t		shown = len <= MAX_SHOWN ? len :
		pg_encoding_mbcliplen(PG_UTF8, text, len, MAX_SHOWN);
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	for (size_t i = 0; i < shown; i++)
	{
		unsigned char c = text[i];

		appendStringInfoChar(out, c < 0x20 || (c >= 0x80 && !utf8) ? '?' : c);
	}
	if (shown < len)
		appendStringInfoString(out, "...");
}

static char *
show_value(const LyfValue *value)
{
	StringInfoData out;

	initStringInfo(&out);
	if (value->kind == LYF_LIST || value->kind == LYF_MAP)
		appendStringInfoString(&out, value->kind == LYF_LIST ? "a list" : "an object");
	else if (value->kind == LYF_STRING)
	{
		appendStringInfoChar(&out, '"');
		append_shown(&out, value->u.text, value->len);
		appendStringInfoChar(&out, '"');
	}
	else
	{
		char	   *text = lyf_value_to_text(value);

		append_shown(&out, text, strlen(text));
	}
	return out.data;
}

LyfFailure *
lyf_cast_failure(const LyfCast *cast, const LyfValue *value, int sqlstate, const char *what)
{
	return lyf_failure(sqlstate, "value %s %s type %s", show_value(value), what,
					   format_type_with_typemod(cast->type, cast->typmod));
}

LyfFailure *
lyf_cast_wrong(const LyfCast *cast, const LyfValue *value)
{
	return lyf_cast_failure(cast, value, ERRCODE_INVALID_TEXT_REPRESENTATION, "is not valid for");
}

LyfFailure *
lyf_cast_range(const LyfCast *cast, const LyfValue *value)
{
	return lyf_cast_failure(cast, value, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "is out of range for");
}

/* dates and times that an expression made are cast as the text that they print */
static LyfFailure *
cast_from_expression(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	char	   *quoted = lyf_value_to_text(value);

	return cast->function(cast, lyf_value_string_len(quoted + 1, strlen(quoted) - 2), datum);
}

static inline LyfFailure *
cast_value(LyfCast *cast, const LyfValue *value, Datum *datum, bool *isnull)
{
	*isnull = value->kind <= LYF_NULL || value->kind == LYF_OPAQUE;
	if (*isnull)
	{
		*datum = (Datum) 0;
		return NULL;
	}
	if (unlikely(value->kind > LYF_MAP))
		return cast_from_expression(cast, value, datum);
	return cast->function(cast, value, datum);
}

LyfFailure *
lyf_value_cast(const LyfValue *value, Oid type, int32 typmod, Datum *datum, bool *isnull)
{
	LyfCast		cast = {0};

	init_cast(&cast, type, typmod);
	return cast_value(&cast, value, datum, isnull);
}

/* the slot of a key in the hash table: its own, or a free one */
static Field *
find_slot(const LyfRowCast *cast, const char *key, uint32 key_len)
{
	uint32		i = hash_bytes((const unsigned char *) key, key_len) & cast->mask;

	for (;; i = (i + 1) & cast->mask)
	{
		Field	   *field = &cast->fields[i];

		if (field->key == NULL ||
			(field->key_len == key_len && memcmp(field->key, key, key_len) == 0))
			return field;
	}
}

static void
add_column(LyfRowCast *cast, Column *column)
{
	Field	   *field;

	if (column->path_len == 0)
	{
		column->next = cast->whole;
		cast->whole = column;
		return;
	}
	field = find_slot(cast, column->path[0], strlen(column->path[0]));
	field->key = column->path[0];
	field->key_len = strlen(field->key);
	column->next = field->columns;
	field->columns = column;
}

/* desc and the columns' paths must live as long as the result; memory: CurrentMemoryContext */
LyfRowCast *
lyf_row_cast_begin(TupleDesc desc, const LyfRowColumn *columns, int count)
{
	LyfRowCast *cast = palloc0(sizeof(LyfRowCast));
	uint32		slots = pg_nextpower2_32(count * 2 + 2);

	cast->natts = desc->natts;
	cast->cxt = CurrentMemoryContext;
	cast->fields = palloc0(sizeof(Field) * slots);
	cast->mask = slots - 1;
	cast->sequence = palloc0(sizeof(Seen) * MAX_SEQUENCE);
	for (int i = 0; i < count; i++)
	{
		Column	   *column = palloc0(sizeof(Column));
		Form_pg_attribute attribute = TupleDescAttr(desc, columns[i].attno - 1);

		column->attno = columns[i].attno - 1;
		column->path = columns[i].path;
		column->path_len = columns[i].path_len;
		init_cast(&column->cast, attribute->atttypid, attribute->atttypmod);
		add_column(cast, column);
	}
	return cast;
}

/* "address.city", for a message */
static char *
describe_path(const Column *column)
{
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < column->path_len; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? "." : "", column->path[i]);
	return out.data;
}

static pg_noinline LyfFailure *
name_field(LyfFailure *failure, const Column *column)
{
	failure->message = column->path_len == 0 ? psprintf("record: %s", failure->message) :
		psprintf("field \"%s\": %s", describe_path(column), failure->message);
	return failure;
}

static const LyfValue *
look_down(const LyfValue *value, const Column *column)
{
	for (int i = 1; i < column->path_len && value != NULL; i++)
		value = lyf_value_get(value, column->path[i]);
	return value;
}

static inline LyfFailure *
cast_column(Column *column, const LyfValue *value, Datum *values, bool *nulls)
{
	LyfFailure *failure;

	if (column->path_len > 1)
	{
		value = look_down(value, column);
		if (value == NULL)
			return NULL;
	}
	failure = cast_value(&column->cast, value, &values[column->attno], &nulls[column->attno]);
	return unlikely(failure != NULL) ? name_field(failure, column) : NULL;
}

static inline bool
is_seen(const Seen *seen, const LyfValue *member)
{
	return seen->key != NULL && seen->key_len == member->key_len &&
		memcmp(seen->key, member->key, member->key_len) == 0;
}

/* look a key up, and keep it in its place of the sequence */
static Field *
find_and_keep(LyfRowCast *cast, const LyfValue *member, int place)
{
	Field	   *field = find_slot(cast, member->key, member->key_len);
	Seen	   *seen;

	if (field->key == NULL)
		field = NULL;
	if (place >= MAX_SEQUENCE || member->key_len > NAMEDATALEN * 4)
		return field;
	seen = &cast->sequence[place];
	if (seen->room < member->key_len + 1)
	{
		seen->room = member->key_len + NAMEDATALEN;
		seen->key = MemoryContextAlloc(cast->cxt, seen->room);
	}
	memcpy(seen->key, member->key, member->key_len);
	seen->key_len = member->key_len;
	seen->field = field;
	cast->sequence_len = Max(cast->sequence_len, place + 1);
	return field;
}

/* whose key is it?  *place is where it is expected to stand in the sequence, and moves on */
static inline Field *
find_field(LyfRowCast *cast, const LyfValue *member, int *place)
{
	int			last = Min(*place + LOOK_AHEAD, cast->sequence_len);

	for (int i = *place; i < last; i++)
	{
		if (likely(is_seen(&cast->sequence[i], member)))
		{
			*place = i + 1;
			return cast->sequence[i].field;
		}
	}
	return find_and_keep(cast, member, (*place)++);
}

static LyfFailure *
cast_members(LyfRowCast *cast, const LyfValue *record, Datum *values, bool *nulls)
{
	int			place = 0;

	lyf_foreach(member, record)
	{
		Field	   *field = find_field(cast, member, &place);

		if (field == NULL)
			continue;
		for (Column *column = field->columns; column != NULL; column = column->next)
			LYF_TRY(cast_column(column, member, values, nulls));
	}
	return NULL;
}

LyfFailure *
lyf_row_cast(LyfRowCast *cast, const LyfValue *record, Datum *values, bool *nulls)
{
	memset(values, 0, cast->natts * sizeof(Datum));
	memset(nulls, true, cast->natts * sizeof(bool));
	for (Column *column = cast->whole; column != NULL; column = column->next)
		LYF_TRY(cast_column(column, record, values, nulls));
	if (record->kind == LYF_MAP)
		return cast_members(cast, record, values, nulls);
	if (cast->whole == NULL)
		return lyf_failure(ERRCODE_INVALID_TEXT_REPRESENTATION,
						   "record is %s, not an object", show_value(record));
	return NULL;
}
