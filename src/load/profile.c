/*
 * profile.c
 *		What the data of a source shows, learned while it is loaded: nulls, lengths, which narrower type would hold
 *		all values of a text, which integers there are, what JSON looks like.
 *
 * Nulls, lengths and ranges are of all rows.  What a text could be is looked at in the first ones, and then in a sample,
 * as long as it can still teach something: after a text that is nothing else there is no question left.  JSON is
 * looked into in a smaller sample.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "load/load_internal.h"

LYF_FUNCTION_INFO_V1(lyf_profile_type);

/* what a text may be besides a text; what a JSON document is */
#define SEEN_BOOL		0x001
#define SEEN_INT		0x002
#define SEEN_NUMERIC	0x004
#define SEEN_DATE		0x008
#define SEEN_TIMESTAMPTZ 0x010
#define SEEN_UUID		0x020
#define SEEN_TEXT		0x040
#define SEEN_OBJECT		0x080
#define SEEN_LIST		0x100
#define SEEN_SCALAR		0x200

/* rows whose texts are looked at: the first ones, then one of so many */
#define FIRST_TEXTS		1024
#define TEXTS_SHARE		16

/* and those whose JSON is looked into */
#define FIRST_SHAPES	64
#define SHAPES_SHARE	256

/* digits that a bigint surely holds */
#define BIGINT_DIGITS	18

typedef struct Column
{
	const char *name;
	Oid			type;
	void		(*look) (struct Column *column, Datum value);	/* NULL: there is nothing to see */
	int64		nulls;
	bool		sampled;		/* the row at hand is one whose texts are looked at */
	unsigned	seen;
	int64		longest;		/* bytes of a text, -1: none was seen */
	bool		has_range;
	int64		least;			/* of integers */
	int64		greatest;
	LyfShapeLearner *shape;		/* of JSON, or NULL */
} Column;

struct LyfProfile
{
	MemoryContext cxt;
	MemoryContext shape_cxt;	/* reset with each row that is looked into */
	int64		rows;
	int			count;
	Column	   *column;
};

/* the narrowest type that holds all of a set */
static const struct
{
	unsigned	seen;
	Oid			type;
}			narrowest[] = {
	{SEEN_BOOL, BOOLOID},
	{SEEN_INT, INT8OID},
	{SEEN_INT | SEEN_NUMERIC, NUMERICOID},
	{SEEN_DATE, DATEOID},
	{SEEN_DATE | SEEN_TIMESTAMPTZ, TIMESTAMPTZOID},
	{SEEN_UUID, UUIDOID}
};

static unsigned
number_or_text(const char *text, size_t len)
{
	size_t		digits = 0;
	bool		point = false;

	for (size_t i = text[0] == '-' ? 1 : 0; i < len; i++)
	{
		if (text[i] == '.' && !point && digits > 0 && i + 1 < len)
			point = true;
		else if (text[i] < '0' || text[i] > '9')
			return SEEN_TEXT;
		else
			digits++;
	}
	if (digits == 0)
		return SEEN_TEXT;
	/* a number that begins with zeros is a code: it would not be printed so */
	if (text[text[0] == '-'] == '0' && digits > 1 && text[(text[0] == '-') + 1] != '.')
		return SEEN_TEXT;
	return point || digits > BIGINT_DIGITS ? SEEN_NUMERIC : SEEN_INT;
}

static unsigned
kind_of_text(const char *text, size_t len)
{
	LyfMoment	moment;

	if (len == 0 || len > 40)
		return SEEN_TEXT;
	if ((len == 4 && memcmp(text, "true", 4) == 0) || (len == 5 && memcmp(text, "false", 5) == 0))
		return SEEN_BOOL;
	if (len == 36 && lyf_read_uuid(text, len, NULL))
		return SEEN_UUID;
	if ((text[0] < '0' || text[0] > '9') && text[0] != '-')
		return SEEN_TEXT;
	if (len >= 8 && lyf_read_iso(text, len, &moment))
		return moment.has_time ? SEEN_TIMESTAMPTZ : SEEN_DATE;
	return number_or_text(text, len);
}

/* one that is compressed or elsewhere is long, and not fetched for this */
static bool
is_far(const struct varlena *value)
{
	return VARATT_IS_EXTENDED(value) && !VARATT_IS_SHORT(value);
}

static void
look_at_text(Column *column, Datum value)
{
	struct varlena *text = (struct varlena *) DatumGetPointer(value);
	int64		len = is_far(text) ? toast_raw_datum_size(value) - VARHDRSZ : VARSIZE_ANY_EXHDR(text);

	column->longest = Max(column->longest, len);
	if (!column->sampled || (column->seen & SEEN_TEXT) != 0)
		return;
	column->seen |= is_far(text) ? SEEN_TEXT : kind_of_text(VARDATA_ANY(text), len);
}

static void
look_at_integer(Column *column, int64 number)
{
	column->least = column->has_range ? Min(column->least, number) : number;
	column->greatest = column->has_range ? Max(column->greatest, number) : number;
	column->has_range = true;
}

static void
look_at_int2(Column *column, Datum value)
{
	look_at_integer(column, DatumGetInt16(value));
}

static void
look_at_int4(Column *column, Datum value)
{
	look_at_integer(column, DatumGetInt32(value));
}

static void
look_at_int8(Column *column, Datum value)
{
	look_at_integer(column, DatumGetInt64(value));
}

static void
look_at_jsonb(Column *column, Datum value)
{
	struct varlena *document = (struct varlena *) DatumGetPointer(value);
	uint32		header;

	if (is_far(document))
		return;
	memcpy(&header, VARDATA_ANY(document), sizeof(header));
	column->seen |= (header & JB_FSCALAR) != 0 ? SEEN_SCALAR : (header & JB_FOBJECT) != 0 ? SEEN_OBJECT : SEEN_LIST;
}

static void
set_look(Column *column)
{
	switch (column->type)
	{
		case TEXTOID:
		case VARCHAROID:
			column->look = look_at_text;
			break;
		case INT2OID:
			column->look = look_at_int2;
			break;
		case INT4OID:
			column->look = look_at_int4;
			break;
		case INT8OID:
			column->look = look_at_int8;
			break;
		case JSONBOID:
			column->look = look_at_jsonb;
			column->shape = lyf_shape_learn_begin();
			break;
		default:
			break;
	}
}

LyfProfile *
lyf_profile_begin(TupleDesc desc)
{
	LyfProfile *profile = palloc0(sizeof(LyfProfile));

	profile->cxt = CurrentMemoryContext;
	profile->shape_cxt = AllocSetContextCreate(profile->cxt, "lyftron profile", ALLOCSET_SMALL_SIZES);
	profile->count = desc->natts;
	profile->column = palloc0(sizeof(Column) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Column	   *column = &profile->column[i];

		column->name = pstrdup(NameStr(TupleDescAttr(desc, i)->attname));
		column->type = TupleDescAttr(desc, i)->atttypid;
		column->longest = -1;
		set_look(column);
	}
	return profile;
}

/* are these the columns that it was begun with? */
static bool
fits(const LyfProfile *profile, TupleDesc desc)
{
	return profile->count == desc->natts;
}

static void
look_into(LyfProfile *profile, Column *column, Datum value)
{
	MemoryContext old;

	if (is_far((struct varlena *) DatumGetPointer(value)))
		return;
	old = MemoryContextSwitchTo(profile->shape_cxt);
	lyf_shape_learn(column->shape, lyf_value_from_jsonb(DatumGetJsonbP(value)));
	MemoryContextSwitchTo(old);
	MemoryContextReset(profile->shape_cxt);
}

void
lyf_profile_row(LyfProfile *profile, const TupleTableSlot *slot)
{
	bool		texts = profile->rows < FIRST_TEXTS || profile->rows % TEXTS_SHARE == 0;
	bool		shapes = profile->rows < FIRST_SHAPES || profile->rows % SHAPES_SHARE == 0;

	if (!fits(profile, slot->tts_tupleDescriptor))
		return;
	profile->rows++;
	for (int i = 0; i < profile->count; i++)
	{
		Column	   *column = &profile->column[i];

		if (slot->tts_isnull[i])
		{
			column->nulls++;
			continue;
		}
		if (column->look == NULL)
			continue;
		column->sampled = texts;
		column->look(column, slot->tts_values[i]);
		if (shapes && column->shape != NULL)
			look_into(profile, column, slot->tts_values[i]);
	}
}

/* the type that texts which were seen call for; NULL: text, or nothing was seen */
static const char *
seen_type(unsigned seen)
{
	for (int i = 0; i < lengthof(narrowest) && seen != 0; i++)
	{
		if ((seen & ~narrowest[i].seen) == 0)
			return format_type_be(narrowest[i].type);
	}
	return NULL;
}

static void
store_column(const LyfProfile *profile, const Column *column, const char *pipeline, int64 run, bool afresh)
{
	LyfArgs		args = {0};
	LyfShape   *shape = column->shape != NULL ? lyf_shape_learned(column->shape, column->name) : NULL;

	lyf_args_text(&args, pipeline);
	lyf_args_datum(&args, BOOLOID, BoolGetDatum(afresh), false);
	lyf_args_text(&args, column->name);
	lyf_args_int8(&args, run);
	lyf_args_int8(&args, profile->rows);
	lyf_args_int8(&args, column->nulls);
	lyf_args_datum(&args, INT4OID, Int32GetDatum(column->seen), false);
	lyf_args_datum(&args, INT8OID, Int64GetDatum(column->longest), column->longest < 0);
	lyf_args_datum(&args, INT8OID, Int64GetDatum(column->least), !column->has_range);
	lyf_args_datum(&args, INT8OID, Int64GetDatum(column->greatest), !column->has_range);
	lyf_args_value(&args, shape != NULL ? lyf_shapes_to_value(list_make1(shape)) : NULL);
	lyf_args_run(&args,
				 "INSERT INTO lyftron.schema_profile AS p (pipeline, column_name, run, rows, nulls, seen, longest, least, greatest, shape) "
				 "VALUES ($1, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (pipeline, column_name) DO UPDATE SET "
				 "run = EXCLUDED.run, rows = EXCLUDED.rows + CASE WHEN $2 THEN 0 ELSE p.rows END, "
				 "nulls = EXCLUDED.nulls + CASE WHEN $2 THEN 0 ELSE p.nulls END, "
				 "seen = EXCLUDED.seen | CASE WHEN $2 THEN 0 ELSE p.seen END, "
				 "longest = CASE WHEN $2 THEN EXCLUDED.longest ELSE greatest(p.longest, EXCLUDED.longest) END, "
				 "least = CASE WHEN $2 THEN EXCLUDED.least ELSE least(p.least, EXCLUDED.least) END, "
				 "greatest = CASE WHEN $2 THEN EXCLUDED.greatest ELSE greatest(p.greatest, EXCLUDED.greatest) END, "
				 "shape = coalesce(EXCLUDED.shape, p.shape), updated_at = clock_timestamp()", NULL, NULL);
}

void
lyf_profile_store(const LyfProfile *profile, const char *pipeline, int64 run, bool afresh)
{
	if (profile->rows == 0)
		return;
	for (int i = 0; i < profile->count; i++)
		store_column(profile, &profile->column[i], pipeline, run, afresh);
}

/* lyftron.profile_type(seen integer): what narrower type would hold all texts that were seen */
Datum
lyf_profile_type(PG_FUNCTION_ARGS)
{
	const char *type = seen_type((unsigned) PG_GETARG_INT32(0) & (SEEN_OBJECT - 1));

	if (type == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(type));
}
