/*
 * convert.c
 *		Values of the source as the destination wants them, where the one's type does not fit into the other: by
 *		way of what the value is in JSON, so that a value that does not fit is a failure, and not an error.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "base/datetime.h"
#include "base/json.h"
#include "load/load_internal.h"

struct LyfConversion
{
	int			field;
	const char *name;
	Oid			from;
	FmgrInfo	output;			/* of it */
	LyfType		to;
	const char *format;			/* of times, or NULL */
	struct LyfConversion *next;
};

/* Note that a field is to be converted to what its column is. */
void
lyf_convert_add(LyfTable *table, int number, LyfField *field, LyfType to)
{
	LyfConversion *conversion = palloc0(sizeof(LyfConversion));
	Oid			function;
	bool		varlena;

	conversion->field = number;
	conversion->name = field->source;
	conversion->from = field->type;
	getTypeOutputInfo(field->type, &function, &varlena);
	fmgr_info(function, &conversion->output);
	conversion->to = to;
	conversion->format = field->format;
	conversion->next = table->conversions;
	table->conversions = conversion;
	field->type = to.oid;
	field->typmod = to.typmod;
	field->collation = get_typcollation(to.oid);
}

static LyfValue *
value_of(LyfConversion *conversion, Datum datum)
{
	char	   *text;
	LyfValue   *value;

	if (conversion->from == BOOLOID)
		return lyf_value_bool(DatumGetBool(datum));
	if (conversion->from == JSONBOID)
		return lyf_value_from_jsonb(DatumGetJsonbP(datum));
	/* as ISO 8601 has it, whatever the session's DateStyle */
	if (conversion->from == DATEOID || conversion->from == TIMESTAMPOID || conversion->from == TIMESTAMPTZOID)
		return lyf_value_string(JsonEncodeDateTime(palloc(MAXDATELEN + 1), datum, conversion->from, NULL));
	text = OutputFunctionCall(&conversion->output, datum);
	text = pg_server_to_any(text, strlen(text), PG_UTF8);
	switch (conversion->from)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case JSONOID:
			/* NaN and the like are texts */
			if (lyf_json_parse_copy(text, strlen(text), &value) == NULL)
				return value;
			break;
		default:
			break;
	}
	return lyf_value_string(text);
}

static LyfFailure *
convert(LyfConversion *conversion, Datum *datum, bool *isnull)
{
	LyfValue   *value = value_of(conversion, *datum);

	if (conversion->format != NULL)
		LYF_TRY(lyf_datetime_parse(value, conversion->format, &value));
	return lyf_value_cast(value, conversion->to.oid, conversion->to.typmod, datum, isnull);
}

LyfFailure *
lyf_convert(const LyfTable *table, Datum *values, bool *nulls)
{
	for (LyfConversion *conversion = table->conversions; conversion != NULL; conversion = conversion->next)
	{
		int			field = conversion->field;
		LyfFailure *failure;

		if (nulls[field])
			continue;
		failure = convert(conversion, &values[field], &nulls[field]);
		if (failure != NULL)
			return lyf_failure_detail(failure, "It is in column \"%s\".", conversion->name);
	}
	return NULL;
}

/* how many values of the row at hand have no column to go to */
int
lyf_count_left_out(const LyfTable *table, const bool *nulls)
{
	int			number = 0;
	int			count = 0;
	ListCell   *lc;

	foreach(lc, table->fields)
	{
		if (((LyfField *) lfirst(lc))->left_out && !nulls[number])
			count++;
		number++;
	}
	return count;
}
