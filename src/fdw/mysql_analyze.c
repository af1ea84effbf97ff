/*
 * mysql_analyze.c
 *		ANALYZE of a table at MySQL or MariaDB by a sample.
 *
 * The server counts the rows and draws from them, reading all of its table once, but sends
 * the sample alone.  A table that it thinks very large is not read through where it has
 * a key of one integer: there the sample is runs of rows that begin at random keys, and
 * the number of rows is the server's estimate.
 *
 * Of long texts and bytes only so much is sent that PostgreSQL sees them to be too wide to
 * be kept in statistics.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "fdw/fdw_internal.h"
#include "fdw/mysql_plan.h"

/* from here on a table is not read through */
#define LARGE_ROWS		20000000.0

/* a sample of a large table comes in so many runs, so many in one query */
#define RUNS			300
#define RUNS_A_QUERY	50

/* a little more is drawn than is wanted */
#define SURPLUS			1.1

/* PostgreSQL's WIDTH_THRESHOLD, from which on values are too wide for statistics, and a bit */
#define WIDE			1100

/* What is analyzed. */
typedef struct Analysis
{
	LyfMysqlSession *session;
	const LyfMysqlTable *table;
	TupleDesc	desc;
	char	   *select;			/* SELECT ... FROM ... */
	int			count;			/* of its columns */
	int		   *attnos;
	const LyfMysqlColumn **columns;
	MemoryContext row_cxt;
	LyfSample	sample;
} Analysis;

/* may its values be too wide for statistics, and be cut? */
static bool
may_be_cut(const LyfMysqlColumn *column)
{
	if (column->remote.kind != LYF_MY_TEXT && column->remote.kind != LYF_MY_BYTES)
		return false;
	if (column->type != TEXTOID && column->type != VARCHAROID && column->type != BYTEAOID)
		return false;
	return column->remote.precision == 0 || column->remote.precision > WIDE;
}

static void
append_column(StringInfo sql, const LyfMysqlColumn *column)
{
	if (!may_be_cut(column))
	{
		lyf_mysql_select_column(sql, NULL, column);
		return;
	}
	appendStringInfoString(sql, "LEFT(");
	lyf_mysql_select_column(sql, NULL, column);
	appendStringInfo(sql, ", %d)", WIDE);
}

static void
begin(Analysis *analysis, Relation rel, HeapTuple *rows, int target)
{
	StringInfoData sql;
	const LyfMysqlTable *table = lyf_mysql_table_open(rel, GetUserId());

	memset(analysis, 0, sizeof(Analysis));
	analysis->table = table;
	analysis->session = lyf_mysql_session(table->server, table->user, true);
	analysis->desc = RelationGetDescr(rel);
	analysis->attnos = palloc((table->natts + 1) * sizeof(int));
	analysis->columns = palloc((table->natts + 1) * sizeof(LyfMysqlColumn *));
	analysis->row_cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron mysql row", ALLOCSET_DEFAULT_SIZES);
	lyf_sample_begin(&analysis->sample, rows, target);

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < table->natts; i++)
	{
		const LyfMysqlColumn *column = &table->columns[i];

		if (column->dropped)
			continue;
		if (analysis->count > 0)
			appendStringInfoString(&sql, ", ");
		append_column(&sql, column);
		analysis->attnos[analysis->count] = column->attno;
		analysis->columns[analysis->count++] = column;
	}
	if (analysis->count == 0)
		appendStringInfoString(&sql, "NULL");
	appendStringInfoString(&sql, " FROM ");
	lyf_mysql_table_name(&sql, table);
	analysis->select = sql.data;
}

static void
sample_row(Analysis *analysis, LyfMysqlCast *cast, const LyfMysqlRow *row, Datum *values, bool *nulls)
{
	int			place = lyf_sample_place(&analysis->sample);
	MemoryContext caller;

	if (place < 0)
		return;
	MemoryContextReset(analysis->row_cxt);
	caller = MemoryContextSwitchTo(analysis->row_cxt);
	LYF_CHECK(lyf_mysql_cast_row(cast, row, values, nulls));
	MemoryContextSwitchTo(caller);
	analysis->sample.rows[place] = heap_form_tuple(analysis->desc, values, nulls);
}

/* put the rows of a query into the sample */
static void
sample_query(Analysis *analysis, const char *sql)
{
	LyfMysqlReader reader = {.put_aside = lyf_mysql_never_put_aside};
	Datum	   *values = palloc0((analysis->desc->natts + 1) * sizeof(Datum));
	bool	   *nulls = palloc((analysis->desc->natts + 1) * sizeof(bool));
	const LyfMysqlField *fields;
	LyfMysqlCast *cast;
	LyfMysqlRow row;
	int			count;

	memset(nulls, true, analysis->desc->natts * sizeof(bool));
	lyf_mysql_query(analysis->session, &reader, sql, strlen(sql), &fields, &count);
	cast = lyf_mysql_cast_begin(analysis->desc, analysis->attnos, analysis->columns, analysis->count, fields,
								analysis->table->zero_dates);
	while (lyf_mysql_fetch(analysis->session, &reader, &row))
	{
		CHECK_FOR_INTERRUPTS();
		sample_row(analysis, cast, &row, values, nulls);
	}
}

/* Numbers that a query of one row answers. */
typedef struct Numbers
{
	int			count;
	double		number[2];		/* -1: NULL, or no row */
} Numbers;

/* LyfMysqlRowFunction */
static void
take_numbers(void *arg, const LyfMysqlRow *row)
{
	Numbers    *numbers = arg;

	for (int i = 0; i < numbers->count; i++)
		numbers->number[i] = row->value[i] ? strtod(row->value[i], NULL) : -1;
}

/* the server's estimate; -1: it has none (of a view) */
static double
estimated_rows(const Analysis *analysis)
{
	Numbers		numbers = {.count = 1,.number = {-1}};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT table_rows FROM information_schema.tables");
	lyf_mysql_append_where(&sql, analysis->table->database, list_make1(unconstify(char *, analysis->table->name)));
	lyf_mysql_each_row(analysis->session, sql.data, take_numbers, &numbers);
	return numbers.number[0];
}

static double
count_rows(const Analysis *analysis)
{
	Numbers		numbers = {.count = 1};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT COUNT(*) FROM ");
	lyf_mysql_table_name(&sql, analysis->table);
	lyf_mysql_each_row(analysis->session, sql.data, take_numbers, &numbers);
	return numbers.number[0];
}

/* each row by chance */
static void
sample_rows(Analysis *analysis, double rows)
{
	double		fraction = analysis->sample.target * SURPLUS / Max(rows, 1);

	sample_query(analysis, fraction >= 1 ? analysis->select :
				 psprintf("%s WHERE rand() < %.9f", analysis->select, fraction));
}

/* the table's key if it is an integer, else NULL */
static const LyfMysqlColumn *
integer_key(const LyfMysqlTable *table)
{
	const LyfMysqlColumn *key = NULL;

	for (int i = 0; i < table->natts; i++)
	{
		const LyfMysqlColumn *column = &table->columns[i];

		if (!column->key)
			continue;
		if (key != NULL || column->remote.kind != LYF_MY_INTEGER)
			return NULL;
		key = column;
	}
	return key;
}

static Numbers
key_range(const Analysis *analysis, const char *key)
{
	Numbers		numbers = {.count = 2};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT MIN(%s), MAX(%s) FROM ", key, key);
	lyf_mysql_table_name(&sql, analysis->table);
	lyf_mysql_each_row(analysis->session, sql.data, take_numbers, &numbers);
	return numbers;
}

/* runs of rows that begin at random keys */
static void
sample_runs(Analysis *analysis, const LyfMysqlColumn *column)
{
	int			run_rows = analysis->sample.target / RUNS + 1;
	StringInfoData key;
	StringInfoData sql;
	Numbers		range;

	initStringInfo(&key);
	lyf_mysql_quote_name(&key, column->remote_name);
	range = key_range(analysis, key.data);
	initStringInfo(&sql);
	for (int i = 0; i < RUNS; i++)
	{
		double		random = sampler_random_fract(&analysis->sample.reservoir.randstate);

		appendStringInfo(&sql, "%s(%s WHERE %s >= %.0f ORDER BY %s LIMIT %d)", sql.len > 0 ? " UNION ALL " : "", analysis->select,
						 key.data, floor(range.number[0] + random * (range.number[1] - range.number[0])), key.data, run_rows);
		if ((i + 1) % RUNS_A_QUERY == 0)
		{
			sample_query(analysis, sql.data);
			resetStringInfo(&sql);
		}
	}
}

static int
acquire_sample(Relation rel, int elevel, HeapTuple *rows, int target, double *total, double *dead)
{
	Analysis	analysis;
	const LyfMysqlColumn *key;

	begin(&analysis, rel, rows, target);
	key = integer_key(analysis.table);
	*total = estimated_rows(&analysis);
	*dead = 0;
	if (*total >= LARGE_ROWS && key != NULL)
		sample_runs(&analysis, key);
	else
	{
		*total = count_rows(&analysis);
		sample_rows(&analysis, *total);
	}
	ereport(elevel,
			(errmsg("\"%s\": %.0f rows, %d of them in sample", RelationGetRelationName(rel), *total, analysis.sample.count)));
	return analysis.sample.count;
}

bool
lyf_mysql_analyze(Relation rel, AcquireSampleRowsFunc *func, BlockNumber *pages)
{
	/* a table that a foreign one inherits from is analyzed by itself, too: not over the network */
	if (lyf_is_autovacuum_worker())
		return false;
	*func = acquire_sample;

	/* a table there has no pages of ours; any number says that it is not empty */
	*pages = 1;
	return true;
}
