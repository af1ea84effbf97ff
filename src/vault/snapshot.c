/*
 * snapshot.c
 *		Snapshots that point-in-time tables and bridges hold: filled, put right, removed.
 *
 * A refresh fills the snapshots that are wanted and not there, and removes those that are not wanted any more.  What is there it looks
 * at by numbers: of each table that the snapshots are made of, the rows up to each of them.  Tables of a vault are only inserted into;
 * so where there are as many rows between two snapshots as before nothing came late there, and else the keys that have rows there are
 * the ones to be looked at, in the later of the two, and where that is not right in all that follow.  Where there are fewer rows somebody deleted some, and the
 * snapshots from there on are filled anew.
 *
 * Rows are counted before snapshots are filled: what comes in between is in them, and is looked at once more by the next refresh.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "vault/snapshot.h"

/* A snapshot; the list of them is in the order of their dates. */
typedef struct Moment
{
	TimestampTz date;
	bool		wanted;
	int			tables;
	int64	   *seen;			/* rows of each of so many watched tables up to it, at the last refresh; NULL: it is new */
	int64	   *now;			/* and now */
} Moment;

typedef struct Refresh
{
	const LyfSnapshots *snapshots;
	List	   *dates;			/* of Moment * */
	int64		added;
	int64		changed;
	int64		removed;
	uint64		written;
	uint64		deleted;
} Refresh;

/* the one column of a source of snapshots; raises */
static char *
snapshot_column(const LyfSource *source)
{
	if (source->desc->natts != 1 || TupleDescAttr(source->desc, 0)->atttypid != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("snapshots must be one column of the type timestamp with time zone"),
				 errhint("For example: SELECT lyftron.snapshot_times().")));
	return NameStr(TupleDescAttr(source->desc, 0)->attname);
}

void
lyf_snapshots_define(LyfValue *definition, const char *name, const char *source, const char *search_path)
{
	LyfPipeline reader = {.name = pstrdup(name),.source = pstrdup(source)};
	LyfSource  *opened = lyf_source_open(&reader);

	(void) snapshot_column(opened);
	lyf_value_set(definition, "snapshots", lyf_value_string(OidIsValid(opened->relid) ? opened->from : source));
	lyf_value_set(definition, "search_path", lyf_value_string(search_path));
}

LyfVaultTable *
lyf_snapshots_table(const LyfVault *vault, const char *name, const char *kind)
{
	LyfVaultTable *table = lyf_vault_table_get(vault, name);

	if (strcmp(table->kind->name, kind) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is a %s, not a %s", name, vault->name, table->kind->name, kind)));
	return table;
}

static void *
read_wanted(HeapTuple tuple, TupleDesc desc)
{
	Moment   *snapshot = palloc0(sizeof(Moment));
	bool		isnull;

	snapshot->date = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 1, &isnull));
	snapshot->wanted = true;
	return snapshot;
}

static void *
read_known(HeapTuple tuple, TupleDesc desc)
{
	Moment   *snapshot = palloc0(sizeof(Moment));
	bool		isnull;
	Datum	   *numbers;
	int			count;

	snapshot->date = DatumGetTimestampTz(lyf_catalog_column(tuple, desc, LYF_SNAPSHOT_DATE, &isnull));
	deconstruct_array(DatumGetArrayTypeP(lyf_catalog_column(tuple, desc, "seen", &isnull)), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &numbers, NULL, &count);
	snapshot->tables = count;
	snapshot->seen = palloc0(sizeof(int64) * (count + 1));
	for (int i = 0; i < count; i++)
		snapshot->seen[i] = DatumGetInt64(numbers[i]);
	return snapshot;
}

static List *
find_wanted(const LyfVaultTable *table)
{
	const char *search_path = lyf_value_text(lyf_value_get(table->definition, "search_path"));
	LyfPipeline reader = {.name = table->name,.source = unconstify(char *, lyf_value_text(lyf_value_get(table->definition, "snapshots")))};
	LyfSourceScope scope = lyf_owner_enter(table->vault->owner, search_path);
	LyfSource  *source = lyf_source_open(&reader);
	const char *column = quote_identifier(snapshot_column(source));
	List	   *wanted = lyf_vault_select(psprintf("SELECT DISTINCT s.%s FROM %s AS s WHERE pg_catalog.isfinite(s.%s)", column, source->from, column), NULL, read_wanted);

	lyf_source_leave(&scope);
	return wanted;
}

static int
compare_dates(const ListCell *a, const ListCell *b)
{
	TimestampTz one = ((const Moment *) lfirst(a))->date;
	TimestampTz other = ((const Moment *) lfirst(b))->date;

	return one < other ? -1 : one > other;
}

/* those that are wanted and those that are there, each once */
static List *
merge_dates(List *wanted, List *known)
{
	List	   *dates = NIL;
	List	   *all = list_concat(wanted, known);
	Moment   *last = NULL;
	ListCell   *lc;

	list_sort(all, compare_dates);
	foreach(lc, all)
	{
		Moment   *snapshot = lfirst(lc);

		if (last == NULL || last->date != snapshot->date)
			dates = lappend(dates, last = snapshot);
		else
		{
			last->wanted = last->wanted || snapshot->wanted;
			last->seen = last->seen != NULL ? last->seen : snapshot->seen;
		}
	}
	return dates;
}

static LyfCatalogPlan known_plan = {
	"SELECT snapshot_date, seen FROM lyftron.vault_snapshot WHERE vault = $1 AND table_name = $2"
};

static List *
find_known(const LyfSnapshots *snapshots)
{
	LyfArgs		args = {0};
	List	   *known;
	ListCell   *lc;

	lyf_args_text(&args, snapshots->table->vault->name);
	lyf_args_text(&args, snapshots->table->name);
	known = lyf_args_collect(&args, &known_plan, read_known);
	foreach(lc, known)
	{
		Moment	   *snapshot = lfirst(lc);

		/* it was made of other tables, as where a link has an effectivity satellite since: it is filled anew */
		if (snapshot->tables != list_length(snapshots->watched))
			snapshot->seen = NULL;
	}
	return known;
}

/* dates as an array */
static Datum
date_array(List *dates)
{
	Datum	   *members = palloc(sizeof(Datum) * (list_length(dates) + 1));
	ListCell   *lc;

	foreach(lc, dates)
		members[foreach_current_index(lc)] = TimestampTzGetDatum(((Moment *) lfirst(lc))->date);
	return PointerGetDatum(construct_array(members, list_length(dates), TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* run a statement with dates as $1 */
static uint64
execute_with_dates(const char *sql, List *dates)
{
	return dates == NIL ? 0 : lyf_load_execute_with(sql, get_array_type(TIMESTAMPTZOID), date_array(dates));
}

typedef struct Bucket
{
	int64		number;
	int64		rows;
} Bucket;

static void *
read_bucket(HeapTuple tuple, TupleDesc desc)
{
	Bucket	   *bucket = palloc(sizeof(Bucket));

	bucket->number = lyf_catalog_integer(tuple, desc, "bucket");
	bucket->rows = lyf_catalog_integer(tuple, desc, "rows");
	return bucket;
}

/* how many rows of a watched table there are up to each snapshot */
static void
count_rows(Refresh *refresh, int watched)
{
	const LyfVaultTable *table = list_nth(refresh->snapshots->watched, watched);
	LyfArgs		args = {0};
	int64	   *rows = palloc0(sizeof(int64) * (list_length(refresh->dates) + 1));
	int64		sum = 0;
	ListCell   *lc;

	lyf_args_datum(&args, get_array_type(TIMESTAMPTZOID), date_array(refresh->dates), false);
	/* a row is in the snapshot of its own load date, too; width_bucket has it in the bucket after that */
	foreach(lc, lyf_vault_select(psprintf("SELECT width_bucket(t.load_date - interval '1 microsecond', $1) AS bucket, count(*) AS rows FROM %s t GROUP BY 1",
										  lyf_vault_relation(table->vault, table->name)), &args, read_bucket))
	{
		Bucket	   *bucket = lfirst(lc);

		rows[bucket->number] = bucket->rows;
	}
	foreach(lc, refresh->dates)
	{
		sum += rows[foreach_current_index(lc)];
		((Moment *) lfirst(lc))->now[watched] = sum;
	}
}

static void
count_all(Refresh *refresh)
{
	int			tables = list_length(refresh->snapshots->watched);
	ListCell   *lc;

	foreach(lc, refresh->dates)
		((Moment *) lfirst(lc))->now = palloc0(sizeof(int64) * tables);
	for (int i = 0; i < tables; i++)
		count_rows(refresh, i);
}

static void
remove_unwanted(Refresh *refresh)
{
	List	   *kept = NIL;
	List	   *gone = NIL;
	ListCell   *lc;

	foreach(lc, refresh->dates)
	{
		Moment   *snapshot = lfirst(lc);

		if (snapshot->wanted)
			kept = lappend(kept, snapshot);
		else
			gone = lappend(gone, snapshot);
	}
	refresh->dates = kept;
	refresh->removed = list_length(gone);
	refresh->deleted += execute_with_dates(psprintf("DELETE FROM %s WHERE snapshot_date = ANY ($1)", refresh->snapshots->relation), gone);
}

/* Rows that came late, between snapshots that are there. */
typedef struct Late
{
	List	   *dates;			/* of Moment *: from the first one that has more rows on */
	bool		fewer;			/* somewhere there are fewer */
	StringInfoData keys;		/* SELECT of the keys that have rows there, each with the later snapshot */
} Late;

static char *
date_literal(TimestampTz date)
{
	/* by number: the text of a date depends on settings */
	return psprintf("('2000-01-01 00:00:00+00'::timestamptz + " INT64_FORMAT " * interval '1 microsecond')", date);
}

static void
add_late_keys(Late *late, const LyfVaultTable *table, const char *key, const Moment *before, const Moment *snapshot)
{
	appendStringInfo(&late->keys, "%sSELECT t.%s, %s FROM %s t WHERE t.load_date <= %s", late->keys.len > 0 ? " UNION " : "",
					 quote_identifier(key), date_literal(snapshot->date), lyf_vault_relation(table->vault, table->name), date_literal(snapshot->date));
	if (before != NULL)
		appendStringInfo(&late->keys, " AND t.load_date > %s", date_literal(before->date));
}

static void
find_late(const Refresh *refresh, Late *late)
{
	const Moment *before = NULL;
	ListCell   *lc;
	ListCell   *w;

	initStringInfo(&late->keys);
	foreach(lc, refresh->dates)
	{
		Moment   *snapshot = lfirst(lc);
		bool		changed = false;

		if (snapshot->seen == NULL)
			continue;
		foreach(w, refresh->snapshots->watched)
		{
			int			i = foreach_current_index(w);
			int64		seen = snapshot->seen[i] - (before != NULL ? before->seen[i] : 0);
			int64		now = snapshot->now[i] - (before != NULL ? before->now[i] : 0);

			if (seen == now)
				continue;
			changed = true;
			late->fewer = late->fewer || now < seen;
			add_late_keys(late, lfirst(w), refresh->snapshots->table->hash_key, before, snapshot);
		}
		if (changed || late->dates != NIL)
			late->dates = lappend(late->dates, snapshot);
		before = snapshot;
	}
}

static void
fill(Refresh *refresh, List *dates)
{
	ListCell   *lc;

	refresh->deleted += execute_with_dates(psprintf("DELETE FROM %s WHERE snapshot_date = ANY ($1)", refresh->snapshots->relation), dates);
	/* each by itself: that needs no more memory than one, and what is sorted by key comes from the index */
	foreach(lc, dates)
		refresh->written += lyf_load_execute_with(refresh->snapshots->fill, TIMESTAMPTZOID, TimestampTzGetDatum(((Moment *) lfirst(lc))->date));
}

static void
mend(Refresh *refresh)
{
	Late		late = {NIL};

	find_late(refresh, &late);
	refresh->changed = list_length(late.dates);
	if (late.fewer || refresh->snapshots->mend == NULL)
		fill(refresh, late.dates);
	else if (late.dates != NIL)
		refresh->written += execute_with_dates(psprintf("WITH late (key, moment) AS MATERIALIZED (%s)%s", late.keys.data, refresh->snapshots->mend), late.dates);
}

static void
fill_new(Refresh *refresh)
{
	List	   *fresh = NIL;
	ListCell   *lc;

	foreach(lc, refresh->dates)
		if (((Moment *) lfirst(lc))->seen == NULL)
			fresh = lappend(fresh, lfirst(lc));
	refresh->added = list_length(fresh);
	fill(refresh, fresh);
}

/* Write down what was counted. */
static void
write_known(const Refresh *refresh)
{
	const LyfVaultTable *table = refresh->snapshots->table;
	int			tables = list_length(refresh->snapshots->watched);
	Datum	   *numbers = palloc(sizeof(Datum) * (tables + 1));
	LyfArgs		gone = {0};
	ListCell   *lc;

	lyf_args_text(&gone, table->vault->name);
	lyf_args_text(&gone, table->name);
	lyf_args_run(&gone, "DELETE FROM lyftron.vault_snapshot WHERE vault = $1 AND table_name = $2", NULL, NULL);
	foreach(lc, refresh->dates)
	{
		Moment   *snapshot = lfirst(lc);
		LyfArgs		args = {0};

		for (int i = 0; i < tables; i++)
			numbers[i] = Int64GetDatum(snapshot->now[i]);
		lyf_args_text(&args, table->vault->name);
		lyf_args_text(&args, table->name);
		lyf_args_datum(&args, TIMESTAMPTZOID, TimestampTzGetDatum(snapshot->date), false);
		lyf_args_datum(&args, get_array_type(INT8OID),
					   PointerGetDatum(construct_array(numbers, tables, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)), false);
		lyf_args_run(&args, "INSERT INTO lyftron.vault_snapshot (vault, table_name, snapshot_date, seen) VALUES ($1, $2, $3, $4)", NULL, NULL);
	}
}

void
lyf_snapshots_refresh(const LyfSnapshots *snapshots, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Refresh		refresh = {.snapshots = snapshots};
	Datum		values[5];
	bool		nulls[5] = {false};

	/* one refresh at a time, beside readers */
	lyf_load_execute("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", snapshots->relation);
	refresh.dates = merge_dates(find_wanted(snapshots->table), find_known(snapshots));
	remove_unwanted(&refresh);
	count_all(&refresh);
	mend(&refresh);
	fill_new(&refresh);
	write_known(&refresh);
	values[0] = Int64GetDatum(refresh.added);
	values[1] = Int64GetDatum(refresh.changed);
	values[2] = Int64GetDatum(refresh.removed);
	values[3] = Int64GetDatum((int64) refresh.written);
	values[4] = Int64GetDatum((int64) refresh.deleted);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
