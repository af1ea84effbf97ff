/*
 * evolve_show.c
 *		What the next load would do to its destination, told beforehand.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "funcapi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "load/load_internal.h"

static const char *const done[] = {
	[LYF_STEP_ADD] = "add the column",
	[LYF_STEP_WIDEN] = "widen its type",
	[LYF_STEP_VERSION] = "add a version of the column",
	[LYF_STEP_NULLABLE] = "let it be null",
	[LYF_STEP_LEAVE_OUT] = "leave its values out",
	[LYF_STEP_CONVERT] = "cast its values",
	[LYF_STEP_REFUSE] = "refuse to load"
};

static void
put_text(const char *text, Datum *value, bool *null)
{
	*null = text == NULL;
	*value = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

static void
put_step(const LyfStep *step, ReturnSetInfo *result)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	put_text(step->field != NULL ? step->field->source : step->column, &values[0], &nulls[0]);
	put_text(lyf_change_name(step->change), &values[1], &nulls[1]);
	put_text(lyf_answer_name(step->answer), &values[2], &nulls[2]);
	put_text(done[step->kind], &values[3], &nulls[3]);
	put_text(step->statement, &values[4], &nulls[4]);
	values[5] = BoolGetDatum(step->kind == LYF_STEP_WIDEN && step->rewrites);
	put_text(step->obstacle, &values[6], &nulls[6]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void
lyf_evolve_show(const LyfLoadSpec *spec, TupleDesc desc, ReturnSetInfo *result)
{
	LyfLoad    *load = palloc0(sizeof(LyfLoad));
	ListCell   *lc;

	load->spec = spec;
	load->query = desc;
	spec->nested->layout(load);
	lyf_casts_apply(load);
	foreach(lc, load->tables)
	{
		LyfTable   *table = lfirst(lc);
		ListCell   *step;

		table->dest = get_relname_relid(table->name, get_namespace_oid(spec->schema, true));
		if (!OidIsValid(table->dest))
			continue;
		LockRelationOid(table->dest, AccessShareLock);
		foreach(step, lyf_evolve_plan(spec, table))
			put_step(lfirst(step), result);
	}
}
