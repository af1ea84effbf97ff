/*
 * infer.c
 *		JSON schemas, or records that were seen, to columns.
 *
 * Types are sets while they are being found out (a bit for each sort of value that is
 * possible); the narrowest type that holds all of a set is the column's.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

#include "decode/decode_internal.h"

/* sorts of values; text ones beyond SORT_TEXT are texts of one form */
#define SORT_NULL		0x0001
#define SORT_BOOL		0x0002
#define SORT_INT		0x0004
#define SORT_NUMERIC	0x0008
#define SORT_DOUBLE		0x0010
#define SORT_TEXT		0x0020
#define SORT_DATE		0x0040
#define SORT_TIMESTAMP	0x0080	/* without a zone */
#define SORT_TIMESTAMPTZ 0x0100
#define SORT_TIME		0x0200
#define SORT_TIMETZ		0x0400
#define SORT_UUID		0x0800
#define SORT_JSON		0x1000	/* objects, lists, anything */

/* more digits than these are kept as numeric, however they are written */
#define MAX_DOUBLE_DIGITS	15

/* the narrowest type first: it is the one if nothing else but these sorts is in the set */
static const struct
{
	unsigned	sorts;
	Oid			type;
}			narrowest[] = {
	{SORT_BOOL, BOOLOID},
	{SORT_INT, INT8OID},
	{SORT_INT | SORT_NUMERIC, NUMERICOID},
	{SORT_INT | SORT_NUMERIC | SORT_DOUBLE, FLOAT8OID},
	{SORT_DATE, DATEOID},
	{SORT_DATE | SORT_TIMESTAMP, TIMESTAMPOID},
	{SORT_DATE | SORT_TIMESTAMP | SORT_TIMESTAMPTZ, TIMESTAMPTZOID},
	{SORT_TIME, TIMEOID},
	{SORT_TIME | SORT_TIMETZ, TIMETZOID},
	{SORT_UUID, UUIDOID},
	{SORT_TEXT | SORT_DATE | SORT_TIMESTAMP | SORT_TIMESTAMPTZ | SORT_TIME | SORT_TIMETZ | SORT_UUID, TEXTOID}
};

/* of nothing but nulls text: it can become anything later */
static Oid
find_narrowest(unsigned sorts, Oid fallback)
{
	sorts &= ~SORT_NULL;
	if (sorts == 0)
		return TEXTOID;
	for (int i = 0; i < lengthof(narrowest); i++)
	{
		if ((sorts & ~narrowest[i].sorts) == 0)
			return narrowest[i].type;
	}
	return fallback;
}

/* how format and airbyte_type of a schema say more than its type; the first that fits counts */
static const struct
{
	const char *type;
	const char *format;			/* NULL: any */
	const char *airbyte_type;	/* NULL: any */
	unsigned	sort;
}			schema_sorts[] = {
	{"string", NULL, "big_integer", SORT_NUMERIC},
	{"string", NULL, "big_number", SORT_NUMERIC},
	{"string", NULL, "timestamp_with_timezone", SORT_TIMESTAMPTZ},
	{"string", NULL, "timestamp_without_timezone", SORT_TIMESTAMP},
	{"string", NULL, "time_with_timezone", SORT_TIMETZ},
	{"string", NULL, "time_without_timezone", SORT_TIME},
	{"string", "date", NULL, SORT_DATE},
	{"string", "date-time", NULL, SORT_TIMESTAMPTZ},
	{"string", "datetime", NULL, SORT_TIMESTAMPTZ},
	{"string", "time", NULL, SORT_TIME},
	{"string", NULL, NULL, SORT_TEXT},
	{"integer", NULL, NULL, SORT_INT},
	{"number", NULL, "integer", SORT_INT},
	{"number", NULL, NULL, SORT_NUMERIC},
	{"boolean", NULL, NULL, SORT_BOOL},
	{"null", NULL, NULL, SORT_NULL}
};

static bool
says(const LyfValue *schema, const char *key, const char *expected)
{
	const char *text = expected != NULL ? lyf_value_text(lyf_value_get(schema, key)) : NULL;

	return expected == NULL || (text != NULL && strcmp(text, expected) == 0);
}

static unsigned
sort_of_type(const char *type, const LyfValue *schema)
{
	for (int i = 0; i < lengthof(schema_sorts); i++)
	{
		if (strcmp(schema_sorts[i].type, type) == 0 &&
			says(schema, "format", schema_sorts[i].format) &&
			says(schema, "airbyte_type", schema_sorts[i].airbyte_type))
			return schema_sorts[i].sort;
	}
	return SORT_JSON;
}

static unsigned sorts_of_schema(const LyfValue *schema);

static unsigned
sorts_of_any(const LyfValue *schemas)
{
	unsigned	sorts = 0;

	lyf_foreach(schema, schemas)
		sorts |= sorts_of_schema(schema);
	return sorts;
}

/* the sorts of values that a schema allows; one that says nothing allows all */
static unsigned
sorts_of_schema(const LyfValue *schema)
{
	static const char *const unions[] = {"anyOf", "oneOf", "allOf"};
	const LyfValue *type = lyf_value_get(schema, "type");
	unsigned	sorts = 0;

	check_stack_depth();
	if (lyf_value_is(type, LYF_STRING))
		return sort_of_type(type->u.text, schema);
	if (lyf_value_is(type, LYF_LIST))
	{
		lyf_foreach(item, type)
			sorts |= item->kind == LYF_STRING ? sort_of_type(item->u.text, schema) : SORT_JSON;
		return sorts;
	}
	for (int i = 0; i < lengthof(unions); i++)
	{
		const LyfValue *schemas = lyf_value_get(schema, unions[i]);

		if (lyf_value_is(schemas, LYF_LIST) && schemas->len > 0)
			return sorts_of_any(schemas);
	}
	return SORT_JSON | SORT_NULL;
}

/* scalars of several sorts of which one is text are text; otherwise only jsonb keeps them apart */
static Oid
type_of_sorts(unsigned sorts)
{
	unsigned	texts = SORT_TEXT | SORT_DATE | SORT_TIMESTAMP | SORT_TIMESTAMPTZ | SORT_TIME | SORT_TIMETZ;

	return find_narrowest(sorts, (sorts & SORT_JSON) == 0 && (sorts & texts) != 0 ? TEXTOID : JSONBOID);
}

Oid
lyf_type_from_schema(const LyfValue *property)
{
	return type_of_sorts(sorts_of_schema(property));
}

static bool
is_required(const LyfValue *schema, const LyfValue *property)
{
	const LyfValue *required = lyf_value_get(schema, "required");

	if (!lyf_value_is(required, LYF_LIST))
		return false;
	lyf_foreach(name, required)
	{
		if (name->kind == LYF_STRING && name->len == property->key_len &&
			memcmp(name->u.text, property->key, name->len) == 0)
			return true;
	}
	return false;
}

static LyfColumn *
make_column(const char *name, Oid type, bool nullable, const LyfValue *schema)
{
	LyfColumn  *column = palloc(sizeof(LyfColumn));

	column->name = name;
	column->type = type;
	column->typmod = -1;
	column->nullable = nullable;
	column->schema = schema;
	return column;
}

List *
lyf_columns_from_schema(const LyfValue *schema)
{
	const LyfValue *properties = lyf_value_get(schema, "properties");
	List	   *columns = NIL;

	if (!lyf_value_is(properties, LYF_MAP))
		return NIL;
	lyf_foreach(property, properties)
	{
		unsigned	sorts = sorts_of_schema(property);

		columns = lappend(columns, make_column(property->key, type_of_sorts(sorts),
											   (sorts & SORT_NULL) != 0 || !is_required(schema, property),
											   property));
	}
	return columns;
}

/* A key that records had. */
typedef struct Seen
{
	char	   *key;
	uint32		key_len;
	unsigned	sorts;
	int64		count;			/* of records that had it */
} Seen;

struct LyfInference
{
	MemoryContext cxt;
	Seen	   *seen;
	int			count;
	int			room;
	int64		records;
};

LyfInference *
lyf_infer_begin(void)
{
	LyfInference *inference = palloc0(sizeof(LyfInference));

	inference->cxt = CurrentMemoryContext;
	inference->room = 64;
	inference->seen = palloc(sizeof(Seen) * inference->room);
	return inference;
}

static unsigned
sort_of_text(const LyfValue *value)
{
	LyfMoment	moment;

	if (lyf_read_iso(value->u.text, value->len, &moment))
		return moment.has_time ? SORT_TIMESTAMPTZ : SORT_DATE;
	if (value->len == 36 && lyf_read_uuid(value->u.text, value->len, NULL))
		return SORT_UUID;
	return SORT_TEXT;
}

/* digits with an exponent are a double, unless it would lose some */
static unsigned
sort_of_number(const LyfValue *value)
{
	if ((value->flags & LYF_FLAG_TEXT) == 0)
		return SORT_DOUBLE;
	for (uint32 i = 0; i < value->len; i++)
	{
		if ((value->u.text[i] | 0x20) == 'e')
			return i <= MAX_DOUBLE_DIGITS ? SORT_DOUBLE : SORT_NUMERIC;
	}
	return SORT_NUMERIC;
}

static unsigned
sort_of_value(const LyfValue *value)
{
	switch (value->kind)
	{
		case LYF_UNDEFINED:
		case LYF_NULL:
			return SORT_NULL;
		case LYF_BOOL:
			return SORT_BOOL;
		case LYF_INT:
			return SORT_INT;
		case LYF_NUMBER:
			return sort_of_number(value);
		case LYF_STRING:
			return sort_of_text(value);
		case LYF_DATE:
			return SORT_DATE;
		case LYF_DATETIME:
			return SORT_TIMESTAMPTZ;
		default:
			return SORT_JSON;
	}
}

/*
 * The entry of a key; *place is where it is expected, since records have their keys in one
 * order mostly.  NULL: there are more keys than a table can have columns, and the one too
 * many is in already, so that whoever makes the table sees it.
 */
static Seen *
find_seen(LyfInference *inference, const LyfValue *member, int *place)
{
	Seen	   *seen;

	for (int i = 0; i < inference->count; i++)
	{
		int			at = (*place + i) % inference->count;

		seen = &inference->seen[at];
		if (seen->key_len == member->key_len && memcmp(seen->key, member->key, seen->key_len) == 0)
		{
			*place = at + 1;
			return seen;
		}
	}
	if (inference->count > MaxHeapAttributeNumber)
		return NULL;
	if (inference->count == inference->room)
	{
		inference->room *= 2;
		inference->seen = repalloc(inference->seen, sizeof(Seen) * inference->room);
	}
	seen = &inference->seen[inference->count++];
	memset(seen, 0, sizeof(Seen));
	seen->key = MemoryContextAlloc(inference->cxt, member->key_len + 1);
	memcpy(seen->key, member->key, member->key_len + 1);	/* it may hold NUL bytes */
	seen->key_len = member->key_len;
	*place = inference->count;
	return seen;
}

void
lyf_infer_record(LyfInference *inference, const LyfValue *record)
{
	int			place = 0;

	CHECK_FOR_INTERRUPTS();
	if (record->kind != LYF_MAP)
		return;
	inference->records++;
	lyf_foreach(member, record)
	{
		Seen	   *seen = find_seen(inference, member, &place);

		if (seen == NULL)
			continue;
		seen->sorts |= sort_of_value(member);
		seen->count++;
	}
}

List *
lyf_infer_columns(LyfInference *inference)
{
	List	   *columns = NIL;

	for (int i = 0; i < inference->count; i++)
	{
		const Seen *seen = &inference->seen[i];
		bool		nullable = (seen->sorts & SORT_NULL) != 0 || seen->count < inference->records;

		columns = lappend(columns, make_column(seen->key, find_narrowest(seen->sorts, JSONBOID),
											   nullable, NULL));
	}
	return columns;
}
