/*
 * lyftron_bench.c
 *		Pages of JSON through the parsers that live in a backend: a module of the
 *		benchmark alone, linked with the extension's own objects.
 */
#include "postgres.h"

#include <time.h>

#include "access/table.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/json.h"
#include "decode/decode.h"

PG_MODULE_MAGIC;

LYF_FUNCTION_INFO_V1(bench_json);

#define MAX_PAGES	10000
#define PAGE_MEMORY	(8 * 1024 * 1024)

typedef struct Engine
{
	const char *name;
	int64		(*run) (struct Engine *engine, char *page, size_t len);	/* gives the number of records */
	LyfRowCast *cast;
	int			natts;
} Engine;

/* of each column of source.model: where it stands in a record */
static const char *const paths[][3] = {
	{"id"}, {"key"}, {"name"}, {"status"}, {"amount"}, {"score"}, {"active"}, {"created_at"}, {"due_on"},
	{"owner", "mail"}, {"owner", "address", "city"}, {"tags"}
};

static LyfValue *
parse(char *page, size_t len)
{
	LyfValue   *value;

	LYF_CHECK(lyf_json_parse(page, len, &value));
	return lyf_value_get(value, "data");
}

static int64
run_lyftron(Engine *engine, char *page, size_t len)
{
	return parse(page, len)->len;
}

static int64
run_lyftron12(Engine *engine, char *page, size_t len)
{
	LyfValue   *data = parse(page, len);
	Datum		values[lengthof(paths)];
	bool		nulls[lengthof(paths)];

	lyf_foreach(record, data)
		LYF_CHECK(lyf_row_cast(engine->cast, record, values, nulls));
	return data->len;
}

/* json_in is the server's parser with nothing behind it */
static int64
run_json(Engine *engine, char *page, size_t len)
{
	DirectFunctionCall1(json_in, CStringGetDatum(page));
	return -1;
}

static int64
run_jsonb(Engine *engine, char *page, size_t len)
{
	DirectFunctionCall1(jsonb_in, CStringGetDatum(page));
	return -1;
}

static Engine engines[] = {
	{"Lyftron", run_lyftron},
	{"Lyftron, 12 columns as Datums", run_lyftron12},
	{"PostgreSQL's json", run_json},
	{"PostgreSQL's jsonb", run_jsonb},
};

static Engine *
find_engine(const char *name)
{
	for (int i = 0; i < lengthof(engines); i++)
	{
		if (strcmp(engines[i].name, name) == 0)
			return &engines[i];
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no engine \"%s\"", name)));
}

static void
prepare_cast(Engine *engine)
{
	Oid			model = RangeVarGetRelid(makeRangeVar("source", "model", -1), AccessShareLock, false);
	Relation	rel = table_open(model, NoLock);
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	LyfRowColumn columns[lengthof(paths)];

	for (int i = 0; i < lengthof(paths); i++)
	{
		columns[i].attno = i + 1;
		columns[i].path = paths[i];
		columns[i].path_len = paths[i][1] == NULL ? 1 : paths[i][2] == NULL ? 2 : 3;
	}
	engine->cast = lyf_row_cast_begin(desc, columns, lengthof(paths));
	table_close(rel, NoLock);
}

/* pages DIR/1.json ... as texts with a NUL behind, until there is no more */
static int
read_pages(const char *directory, int limit, char **pages, size_t *lens)
{
	for (int i = 0; i < Min(limit, MAX_PAGES); i++)
	{
		FILE	   *file = AllocateFile(psprintf("%s/%d.json", directory, i + 1), PG_BINARY_R);

		if (file == NULL)
			return i;
		fseek(file, 0, SEEK_END);
		lens[i] = ftell(file);
		rewind(file);
		pages[i] = palloc0(lens[i] + 1);
		if (fread(pages[i], 1, lens[i], file) != lens[i])
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not read page %d: %m", i + 1)));
		FreeFile(file);
	}
	return Min(limit, MAX_PAGES);
}

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* bench_json(engine, directory, pages): seconds of parsing each of these pages once */
Datum
bench_json(PG_FUNCTION_ARGS)
{
	Engine	   *engine = find_engine(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	char	  **pages = palloc(sizeof(char *) * MAX_PAGES);
	size_t	   *lens = palloc(sizeof(size_t) * MAX_PAGES);
	int			count = read_pages(text_to_cstring(PG_GETARG_TEXT_PP(1)), PG_GETARG_INT32(2), pages, lens);
	/* a first block that holds a page's values stays over a reset: not the allocator is measured here */
	MemoryContext page_cxt = AllocSetContextCreate(CurrentMemoryContext, "bench page", 0, PAGE_MEMORY, PAGE_MEMORY);
	double		seconds = 0;

	prepare_cast(engine);
	for (int i = 0; i < count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(page_cxt);
		double		start = cpu_seconds();

		CHECK_FOR_INTERRUPTS();
		engine->run(engine, pages[i], lens[i]);
		MemoryContextReset(page_cxt);
		seconds += cpu_seconds() - start;
		MemoryContextSwitchTo(old);
	}
	PG_RETURN_FLOAT8(seconds);
}
