/*
 * cut.c
 *		Where a source is cut into slices: ranges of a column's values, the first from below and the
 *		last to above, so that any row is in one of them, whatever it is that was known of them.
 *
 * The statistics of the relation say where the values lie, if somebody has analyzed it and it
 * has not grown far beyond them since; else the parts between the least and the greatest value are of the
 * same width.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_statistic.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "pipeline/pipeline_internal.h"

#define MAX_SLICES		1000

/* statistics hold if no more than one such part of the values is beyond them, at either end */
#define PROOF_PARTS		10

const char *
lyf_slice_column(const LyfPipeline *p)
{
	if (p->slice_by != NULL)
		return p->slice_by;
	return p->primary_key != NIL ? linitial(p->primary_key) : NULL;
}

static void
check_column(const LyfPipeline *p, const LyfSource *source)
{
	const char *name = lyf_slice_column(p);
	Form_pg_attribute column = name != NULL ? lyf_source_column(source, name) : NULL;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slices need a column that they are ranges of"),
				 errhint("Give slice_by, or primary_key: then it is its first column.")));
	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the source has no column \"%s\", which is given as slice_by", name)));
	if (!lyf_order_has_cuts(lyf_order_get(column->atttypid)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slices cannot be ranges of column \"%s\", which is of type %s", name, format_type_be(column->atttypid)),
				 errhint("Give slice_by a column of integers, numeric, dates, timestamps or uuids.")));
}

/* Ranges of values that the source orders otherwise than we do would overlap. */
static void
check_order(const LyfPipeline *p, const LyfSource *source)
{
	Form_pg_attribute column = lyf_source_column(source, lyf_slice_column(p));

	if (!lyf_order_is_everywhere(lyf_order_get(column->atttypid)) &&
		!lyf_plan_orders_as_we_do(lyf_source_plan(lyf_source_sql(p, source, NULL))))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("slices cannot be ranges of column \"%s\": not every database orders type %s as PostgreSQL does",
						NameStr(column->attname), format_type_be(column->atttypid)),
				 errhint("Give slice_by a column of integers, numeric, dates or timestamps.")));
}

void
lyf_slices_check(const LyfPipeline *p, const LyfSource *source)
{
	if (p->slices < 1 || p->slices > MAX_SLICES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a source cannot be read in %d slices", p->slices),
				 errhint("There can be from 1 to %d.", MAX_SLICES)));
	if (p->slices == 1)
		return;
	if (!lyf_mode_is_full_refresh(lyf_mode_get(p->mode)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("slices are for mode full_refresh"),
				 errhint("An incremental run reads only what is new; give slices => 1.")));
	if (source->shape != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a stream of lyftron_rest has slices of its own"),
				 errhint("Give slices => 1.")));
	check_column(p, source);
	check_order(p, source);
}

/* one row of two values; false: there are none */
static bool
find_ends(const char *sql, Oid type, Datum *low, Datum *high)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		known = false;

	SPI_connect();
	if (SPI_execute(sql, true, 1) == SPI_OK_SELECT && SPI_processed == 1)
	{
		TupleDesc	desc = SPI_tuptable->tupdesc;
		HeapTuple	row = SPI_tuptable->vals[0];
		bool		isnull;
		MemoryContext old;

		*low = SPI_getbinval(row, desc, 1, &isnull);
		known = !isnull && getBaseType(SPI_gettypeid(desc, 1)) == type;
		*high = SPI_getbinval(row, desc, 2, &isnull);
		known = known && !isnull && getBaseType(SPI_gettypeid(desc, 2)) == type;
		old = MemoryContextSwitchTo(caller);
		if (known)
		{
			*low = datumCopy(*low, TupleDescAttr(desc, 0)->attbyval, TupleDescAttr(desc, 0)->attlen);
			*high = datumCopy(*high, TupleDescAttr(desc, 1)->attbyval, TupleDescAttr(desc, 1)->attlen);
		}
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return known;
}

/* The least and the greatest value; those that are infinite are beyond all cuts. */
static bool
find_finite_ends(const LyfSource *source, const char *column, Oid type, Datum *low, Datum *high)
{
	const LyfOrder *order = lyf_order_get(type);
	char	   *from = psprintf("FROM %s AS " LYF_SOURCE_ALIAS, source->from);

	column = psprintf(LYF_SOURCE_ALIAS ".%s", quote_identifier(column));
	/* there is no min of uuids before PostgreSQL 18 */
	if (!lyf_order_is_everywhere(order))
		return find_ends(psprintf("SELECT (SELECT %s %s WHERE %s IS NOT NULL ORDER BY %s LIMIT 1),"
								  " (SELECT %s %s WHERE %s IS NOT NULL ORDER BY %s DESC LIMIT 1)",
								  column, from, column, column, column, from, column, column), type, low, high);
	if (!find_ends(psprintf("SELECT pg_catalog.min(%s), pg_catalog.max(%s) %s", column, column, from), type, low, high))
		return false;
	if (lyf_order_is_finite(order, *low) && lyf_order_is_finite(order, *high))
		return true;
	return find_ends(psprintf("SELECT pg_catalog.min(%s), pg_catalog.max(%s) %s WHERE %s > '-infinity' AND %s < 'infinity'",
							  column, column, from, column, column), type, low, high);
}

typedef struct Histogram
{
	AttStatsSlot slot;
	bool		known;
} Histogram;

static Histogram
find_histogram(const LyfSource *source, const char *column)
{
	Histogram	histogram = {0};
	AttrNumber	attno = OidIsValid(source->relid) ? get_attnum(source->relid, column) : InvalidAttrNumber;

	for (int inherited = 1; inherited >= 0 && attno != InvalidAttrNumber && !histogram.known; inherited--)
	{
		HeapTuple	tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(source->relid), Int16GetDatum(attno), BoolGetDatum(inherited));

		if (!HeapTupleIsValid(tuple))
			continue;
		histogram.known = get_attstatsslot(&histogram.slot, tuple, STATISTIC_KIND_HISTOGRAM, InvalidOid, ATTSTATSSLOT_VALUES);
		ReleaseSysCache(tuple);
	}
	return histogram;
}

/* Cuts of the same number of values each, as far as is known; 0: too little is. */
static int
cut_histogram(const AttStatsSlot *slot, TypeCacheEntry *type, Datum low, Datum high, int parts, Datum *cuts)
{
	Datum		proof[PROOF_PARTS];
	int			proofs = lyf_order_cut(lyf_order_get(type->type_id), low, high, PROOF_PARTS, proof);
	int			last = slot->nvalues - 1;
	int			count = 0;

#define COMPARE(a, b)	DatumGetInt32(FunctionCall2(&type->cmp_proc_finfo, (a), (b)))
	if (last < parts || proofs == 0 || COMPARE(slot->values[0], proof[0]) > 0 || COMPARE(slot->values[last], proof[proofs - 1]) < 0)
		return 0;
	for (int i = 1; i < parts; i++)
	{
		Datum		cut = slot->values[(int64) i * last / parts];

		if (COMPARE(cut, low) > 0 && COMPARE(cut, high) <= 0 && (count == 0 || COMPARE(cut, cuts[count - 1]) > 0))
			cuts[count++] = datumCopy(cut, type->typbyval, type->typlen);
	}
	return count;
#undef COMPARE
}

List *
lyf_source_cuts(const LyfPipeline *p, const LyfSource *source)
{
	const char *column = lyf_slice_column(p);
	Oid			base = getBaseType(lyf_source_column(source, column)->atttypid);
	TypeCacheEntry *type = lookup_type_cache(base, TYPECACHE_CMP_PROC_FINFO);
	Datum	   *cuts = palloc(sizeof(Datum) * p->slices);
	List	   *texts = NIL;
	int			count = 0;
	Histogram	histogram;
	Datum		low;
	Datum		high;

	if (!find_finite_ends(source, column, base, &low, &high))
		return NIL;
	histogram = find_histogram(source, column);
	if (histogram.known)
	{
		if (histogram.slot.valuetype == base)
			count = cut_histogram(&histogram.slot, type, low, high, p->slices, cuts);
		free_attstatsslot(&histogram.slot);
	}
	if (count == 0)
		count = lyf_order_cut(lyf_order_get(base), low, high, p->slices, cuts);
	for (int i = 0; i < count; i++)
		texts = lappend(texts, lyf_cursor_text(cuts[i], base));
	return texts;
}
