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
put_step(const LyfStep *step, ReturnSetInfo *result)
{
	Datum		values[7];
	bool		nulls[7] = {false};

	values[0] = lyf_text_or_null(step->field != NULL ? step->field->source : step->column, &nulls[0]);
	values[1] = lyf_text_or_null(lyf_change_name(step->change), &nulls[1]);
	values[2] = lyf_text_or_null(lyf_answer_name(step->answer), &nulls[2]);
	values[3] = lyf_text_or_null(done[step->kind], &nulls[3]);
	values[4] = lyf_text_or_null(step->statement, &nulls[4]);
	values[5] = BoolGetDatum(step->kind == LYF_STEP_WIDEN && step->rewrites);
	values[6] = lyf_text_or_null(step->obstacle, &nulls[6]);
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
