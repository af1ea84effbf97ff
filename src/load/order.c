/*
 * order.c
 *		Types whose values have an order that positions and slices can go by: which values are
 *		not to be positions, steps back, and cuts between two values.
 *
 * Databases agree on the order of numbers and times.  Texts are ordered by collations, which they need not
 * share, and uuids by bytes in an order that not all of them have.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "load/load_internal.h"

struct LyfOrder
{
	Oid			type;
	bool		everywhere;		/* do all databases have this order? */
	bool		(*is_finite) (Datum value); /* NULL: all are */
	const char *back;			/* SQL: $1, a text, less the step $2; NULL: there are no steps */
	const char *is_step;		/* SQL: is $1, a text, one? */
	const char *cut;			/* SQL: the i-th of $3 parts between $1 and $2; NULL: it cannot be cut */
};

static bool
numeric_is_finite(Datum value)
{
	Numeric		number = DatumGetNumeric(value);

	return !numeric_is_nan(number) && !numeric_is_inf(number);
}

static bool
float4_is_finite(Datum value)
{
	return isfinite(DatumGetFloat4(value));
}

static bool
float8_is_finite(Datum value)
{
	return isfinite(DatumGetFloat8(value));
}

static bool
date_is_finite(Datum value)
{
	return !DATE_NOT_FINITE(DatumGetDateADT(value));
}

static bool
timestamp_is_finite(Datum value)
{
	return !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value));
}

#define NUMBER_STEP \
	"$1::numeric >= 0 AND $1::numeric < 'Infinity'"
#define TIME_STEP \
	"$1::interval >= '0'"
#define BACK_INTEGER(type, least) \
	"floor(greatest($1::numeric - $2::numeric, " least "))::" type
#define CUT_INTEGER(type) \
	"trunc($1::numeric + ($2::numeric - $1::numeric) * i / $3)::" type
#define CUT_TIME \
	"$1 + ($2 - $1) * (i::float8 / $3)"

/* of the first 60 bits */
#define UUID_NUMBER(uuid) \
	"('x' || left(replace(" uuid "::text, '-', ''), 15))::bit(60)::int8::numeric"
#define CUT_UUID \
	"rpad(lpad(to_hex(trunc(" UUID_NUMBER("$1") " + (" UUID_NUMBER("$2") " - " UUID_NUMBER("$1") ") * i / $3)::int8), 15, '0'), 32, '0')::uuid"

static const LyfOrder orders[] = {
	{INT2OID, true, NULL, BACK_INTEGER("int2", "-32768"), NUMBER_STEP, CUT_INTEGER("int2")},
	{INT4OID, true, NULL, BACK_INTEGER("int4", "-2147483648"), NUMBER_STEP, CUT_INTEGER("int4")},
	{INT8OID, true, NULL, BACK_INTEGER("int8", "-9223372036854775808"), NUMBER_STEP, CUT_INTEGER("int8")},
	{NUMERICOID, true, numeric_is_finite, "$1::numeric - $2::numeric", NUMBER_STEP, "$1 + ($2 - $1) * i / $3"},
	{FLOAT4OID, false, float4_is_finite, "$1::float4 - $2::float4", NUMBER_STEP, NULL},
	{FLOAT8OID, false, float8_is_finite, "$1::float8 - $2::float8", NUMBER_STEP, NULL},
	{DATEOID, true, date_is_finite, "($1::date - $2::interval)::date", TIME_STEP, "$1 + (($2 - $1)::int8 * i / $3)::int4"},
	{TIMESTAMPOID, true, timestamp_is_finite, "$1::timestamp - $2::interval", TIME_STEP, CUT_TIME},
	{TIMESTAMPTZOID, true, timestamp_is_finite, "$1::timestamptz - $2::interval", TIME_STEP, CUT_TIME},
	{UUIDOID, false, NULL, NULL, NULL, CUT_UUID},
};

typedef struct Values
{
	MemoryContext cxt;
	Datum	   *values;
	int			count;
} Values;

static void
take_value(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Values	   *values = arg;
	MemoryContext old = MemoryContextSwitchTo(values->cxt);
	Form_pg_attribute attribute = TupleDescAttr(desc, 0);
	bool		isnull;
	Datum		value = lyf_catalog_column(tuple, desc, "value", &isnull);

	if (!isnull)
		values->values[values->count++] = datumCopy(value, attribute->attbyval, attribute->attlen);
	MemoryContextSwitchTo(old);
}

const LyfOrder *
lyf_order_get(Oid type)
{
	Oid			base = getBaseType(type);

	for (int i = 0; i < lengthof(orders); i++)
		if (orders[i].type == base)
			return &orders[i];
	return NULL;
}

bool
lyf_order_is_everywhere(const LyfOrder *order)
{
	return order != NULL && order->everywhere;
}

bool
lyf_order_has_cuts(const LyfOrder *order)
{
	return order != NULL && order->cut != NULL;
}

bool
lyf_order_is_finite(const LyfOrder *order, Datum value)
{
	return order == NULL || order->is_finite == NULL || order->is_finite(value);
}

bool
lyf_order_has_steps(const LyfOrder *order)
{
	return order != NULL && order->back != NULL;
}

static void
take_bool(void *arg, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	*(bool *) arg = DatumGetBool(lyf_catalog_column(tuple, desc, "value", &isnull));
}

bool
lyf_order_is_step(const LyfOrder *order, const char *step)
{
	bool		forward = false;
	LyfArgs		args = {0};

	lyf_args_text(&args, step);
	lyf_args_run(&args, psprintf("SELECT %s AS value", order->is_step), take_bool, &forward);
	return forward;
}

int
lyf_order_compare(const LyfOrder *order, const char *a, const char *b)
{
	TypeCacheEntry *type = lookup_type_cache(order->type, TYPECACHE_CMP_PROC_FINFO);
	Oid			input;
	Oid			param;

	getTypeInputInfo(order->type, &input, &param);
	return DatumGetInt32(FunctionCall2Coll(&type->cmp_proc_finfo, get_typcollation(order->type),
										   OidInputFunctionCall(input, unconstify(char *, a), param, -1),
										   OidInputFunctionCall(input, unconstify(char *, b), param, -1)));
}

char *
lyf_order_back(const LyfOrder *order, const char *value, const char *step)
{
	Datum		back = (Datum) 0;
	Values		values = {CurrentMemoryContext, &back};
	LyfArgs		args = {0};

	lyf_args_text(&args, value);
	lyf_args_text(&args, step);
	lyf_args_run(&args, psprintf("SELECT %s AS value", order->back), take_value, &values);
	return lyf_cursor_text(back, order->type);
}

int
lyf_order_cut(const LyfOrder *order, Datum low, Datum high, int parts, Datum *cuts)
{
	Values		values = {CurrentMemoryContext, cuts};
	LyfArgs		args = {0};

	lyf_args_datum(&args, order->type, low, false);
	lyf_args_datum(&args, order->type, high, false);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(parts), false);
	lyf_args_run(&args,
				 psprintf("SELECT DISTINCT value FROM (SELECT %s AS value FROM generate_series(1, $3 - 1) i) v"
						  " WHERE value > $1 AND value <= $2 ORDER BY value", order->cut),
				 take_value, &values);
	return values.count;
}
