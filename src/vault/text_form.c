/*
 * text_form.c
 *		The text of a value, CAST(value AS varchar), under settings that never change: DateStyle ISO, TimeZone UTC, IntervalStyle
 *		postgres, extra_float_digits 1, bytea_output hex.
 *
 * Common types have a form of their own, which looks at no setting; of the others the cast, or the output function, is called while
 * the settings are the fixed ones.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "vault/hash.h"

struct LyfTextForm
{
	void		(*append) (LyfTextForm *form, Datum value, StringInfo out);
	FmgrInfo	function;		/* the cast, or output */
	int			nargs;			/* of the cast: the value, a typmod, whether it is explicit */
};

/* room for so many bytes at the end, which are not there yet */
static inline char *
room(StringInfo out, int len)
{
	if (out->maxlen - out->len <= len)
		enlargeStringInfo(out, len);
	return out->data + out->len;
}

static void
append_int2(LyfTextForm *form, Datum value, StringInfo out)
{
	out->len += pg_itoa(DatumGetInt16(value), room(out, 8));
}

static void
append_int4(LyfTextForm *form, Datum value, StringInfo out)
{
	out->len += pg_ltoa(DatumGetInt32(value), room(out, 16));
}

static void
append_int8(LyfTextForm *form, Datum value, StringInfo out)
{
	out->len += pg_lltoa(DatumGetInt64(value), room(out, 32));
}

static void
append_bool(LyfTextForm *form, Datum value, StringInfo out)
{
	appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
}

static void
append_varlena(LyfTextForm *form, Datum value, StringInfo out)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

	appendBinaryStringInfo(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	if ((Pointer) text != DatumGetPointer(value))
		pfree(text);
}

/* a cast to varchar takes the blanks at the end away */
static void
append_bpchar(LyfTextForm *form, Datum value, StringInfo out)
{
	int			start = out->len;

	append_varlena(form, value, out);
	while (out->len > start && out->data[out->len - 1] == ' ')
		out->len--;
}

static void
append_numeric(LyfTextForm *form, Datum value, StringInfo out)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, value));

	appendStringInfoString(out, text);
	pfree(text);
}

static void
append_float4(LyfTextForm *form, Datum value, StringInfo out)
{
	float4		number = DatumGetFloat4(value);

	if (isnan(number) || isinf(number))
		appendStringInfoString(out, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
	else
		out->len += float_to_shortest_decimal_bufn(number, room(out, FLOAT_SHORTEST_DECIMAL_LEN));
}

static void
append_float8(LyfTextForm *form, Datum value, StringInfo out)
{
	float8		number = DatumGetFloat8(value);

	if (isnan(number) || isinf(number))
		appendStringInfoString(out, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
	else
		out->len += double_to_shortest_decimal_bufn(number, room(out, DOUBLE_SHORTEST_DECIMAL_LEN));
}

static void
append_date(LyfTextForm *form, Datum value, StringInfo out)
{
	DateADT		date = DatumGetDateADT(value);
	char	   *place = room(out, MAXDATELEN + 1);
	struct pg_tm tm;

	if (DATE_NOT_FINITE(date))
		EncodeSpecialDate(date, place);
	else
	{
		j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, place);
	}
	out->len += strlen(place);
}

static void
append_time(Timestamp time, bool zone, StringInfo out)
{
	char	   *place = room(out, MAXDATELEN + 1);
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(time))
		EncodeSpecialTimestamp(time, place);
	else if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) == 0)
	{
		/* else it has no zone to show */
		tm.tm_isdst = zone ? 0 : -1;
		EncodeDateTime(&tm, fsec, zone, 0, NULL, USE_ISO_DATES, place);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	out->len += strlen(place);
}

static void
append_timestamp(LyfTextForm *form, Datum value, StringInfo out)
{
	append_time(DatumGetTimestamp(value), false, out);
}

static void
append_timestamptz(LyfTextForm *form, Datum value, StringInfo out)
{
	append_time(DatumGetTimestampTz(value), true, out);
}

static void
append_uuid(LyfTextForm *form, Datum value, StringInfo out)
{
	static const char digits[] = "0123456789abcdef";
	const pg_uuid_t *uuid = DatumGetUUIDP(value);
	char	   *place = room(out, 2 * UUID_LEN + 4);

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*place++ = '-';
		*place++ = digits[uuid->data[i] >> 4];
		*place++ = digits[uuid->data[i] & 0xf];
	}
	out->len += 2 * UUID_LEN + 4;
}

/* settings that texts of values hang on */
typedef struct Settings
{
	int			date_style;
	int			interval_style;
	int			float_digits;
	int			bytea_style;
	pg_tz	   *zone;
} Settings;

static Settings
swap_settings(Settings settings)
{
	Settings	before = {DateStyle, IntervalStyle, extra_float_digits, bytea_output, session_timezone};

	DateStyle = settings.date_style;
	IntervalStyle = settings.interval_style;
	extra_float_digits = settings.float_digits;
	bytea_output = settings.bytea_style;
	session_timezone = settings.zone;
	return before;
}

static Settings
fixed_settings(void)
{
	return (Settings) {USE_ISO_DATES, INTSTYLE_POSTGRES, 1, BYTEA_OUTPUT_HEX, pg_tzset("UTC")};
}

static Datum
call_cast(LyfTextForm *form, Datum value)
{
	Datum		typmod = Int32GetDatum(-1);

	switch (form->nargs)
	{
		case 1:
			return FunctionCall1(&form->function, value);
		case 2:
			return FunctionCall2(&form->function, value, typmod);
		default:
			return FunctionCall3(&form->function, value, typmod, BoolGetDatum(true));
	}
}

static void
append_cast(LyfTextForm *form, Datum value, StringInfo out)
{
	Settings	before = swap_settings(fixed_settings());

	PG_TRY();
	{
		append_varlena(form, call_cast(form, value), out);
	}
	PG_FINALLY();
	{
		(void) swap_settings(before);
	}
	PG_END_TRY();
}

static void
append_output(LyfTextForm *form, Datum value, StringInfo out)
{
	Settings	before = swap_settings(fixed_settings());

	PG_TRY();
	{
		appendStringInfoString(out, OutputFunctionCall(&form->function, value));
	}
	PG_FINALLY();
	{
		(void) swap_settings(before);
	}
	PG_END_TRY();
}

/* what a CAST to varchar would do */
static void
find_cast(LyfTextForm *form, Oid type)
{
	Oid			function;
	bool		is_varlena;

	switch (find_coercion_pathway(VARCHAROID, type, COERCION_EXPLICIT, &function))
	{
		case COERCION_PATH_FUNC:
			form->append = append_cast;
			form->nargs = get_func_nargs(function);
			fmgr_info(function, &form->function);
			break;
		case COERCION_PATH_RELABELTYPE:
			form->append = append_varlena;
			break;
		default:
			form->append = append_output;
			getTypeOutputInfo(type, &function, &is_varlena);
			fmgr_info(function, &form->function);
			break;
	}
}

LyfTextForm *
lyf_text_form_begin(Oid type, int32 typmod)
{
	static const struct
	{
		Oid			type;
		void		(*append) (LyfTextForm *form, Datum value, StringInfo out);
	}			forms[] = {
		{INT2OID, append_int2}, {INT4OID, append_int4}, {INT8OID, append_int8}, {BOOLOID, append_bool},
		{TEXTOID, append_varlena}, {VARCHAROID, append_varlena}, {BPCHAROID, append_bpchar}, {NUMERICOID, append_numeric},
		{FLOAT4OID, append_float4}, {FLOAT8OID, append_float8}, {DATEOID, append_date},
		{TIMESTAMPOID, append_timestamp}, {TIMESTAMPTZOID, append_timestamptz}, {UUIDOID, append_uuid},
	};
	LyfTextForm *form = palloc0(sizeof(LyfTextForm));

	type = getBaseType(type);
	for (int i = 0; i < lengthof(forms); i++)
		if (forms[i].type == type)
			form->append = forms[i].append;
	if (form->append == NULL)
		find_cast(form, type);
	return form;
}

void
lyf_text_form_append(LyfTextForm *form, Datum value, StringInfo out)
{
	form->append(form, value, out);
}

void
lyf_text_put(LyfText *text, LyfTextForm *form, Datum value, bool isnull, StringInfo buffer)
{
	text->null = isnull;
	text->start = buffer->len;
	if (form != NULL && !isnull)
		lyf_text_form_append(form, value, buffer);
	text->len = buffer->len - text->start;
}
