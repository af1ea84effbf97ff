/*
 * pipelines.c
 *		lyftron.create_vault_pipelines: a step of SQL a source, behind the pipeline that loads it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "vault/vault_internal.h"

LYF_FUNCTION_INFO_V1(lyf_create_vault_pipelines);

/* A source, and the pipeline whose destination it is. */
typedef struct Step
{
	char	   *source;
	char	   *relation;		/* its name, NULL: a query */
	char	   *before;			/* that pipeline, or NULL */
} Step;

static void *
read_step(HeapTuple tuple, TupleDesc desc)
{
	Step	   *step = palloc0(sizeof(Step));

	step->source = lyf_catalog_text(tuple, desc, "source");
	step->relation = lyf_catalog_text(tuple, desc, "relation");
	step->before = lyf_catalog_text(tuple, desc, "name");
	return step;
}

static LyfCatalogPlan steps_plan = {
	"SELECT s.source, c.relname::text AS relation, p.name FROM (SELECT source, pg_catalog.min(id) AS id FROM lyftron.vault_source WHERE vault = $1 GROUP BY source) s "
	"LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) ON pg_catalog.format('%I.%I', n.nspname, c.relname) = s.source "
	"LEFT JOIN lyftron.pipeline p ON p.destination_schema = n.nspname AND p.destination_table = c.relname ORDER BY s.id"
};

/* what the pipeline of a source is called: after its table, or its number */
static char *
step_name(const LyfVault *vault, const Step *step, int number)
{
	if (step->relation != NULL)
		return psprintf("%s.%s", vault->name, step->relation);
	return psprintf("%s.query_%d", vault->name, number);
}

static void
create_step(const LyfVault *vault, const Step *step, const char *name, const char *schedule, const char *pool)
{
	char	   *statement = psprintf("SELECT lyftron.load_vault(%s, %s)", quote_literal_cstr(vault->name), quote_literal_cstr(step->source));

	lyf_load_execute("SELECT lyftron.create_pipeline(name => %s, kind => 'sql', source => %s, pool => %s, schedule => %s, after => %s)",
					 quote_literal_cstr(name), quote_literal_cstr(statement), quote_literal_cstr(pool),
					 schedule != NULL ? quote_literal_cstr(schedule) : "NULL",
					 step->before != NULL ? psprintf("ARRAY[%s]", quote_literal_cstr(step->before)) : "NULL");
}

static void
put_step(ReturnSetInfo *set, const char *name, const Step *step)
{
	Datum		values[] = {CStringGetTextDatum(name), CStringGetTextDatum(step->source), (Datum) 0};
	bool		nulls[lengthof(values)] = {0};

	values[2] = lyf_text_or_null(step->before, &nulls[2]);
	tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
}

/* lyftron.create_vault_pipelines(vault text, schedule text, pool text) */
Datum
lyf_create_vault_pipelines(PG_FUNCTION_ARGS)
{
	const LyfVault *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	char	   *schedule = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *pool = lyf_vault_required(fcinfo, 2, "pool");
	LyfArgs		args = {0};
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	lyf_args_text(&args, vault->name);
	foreach(lc, lyf_args_collect(&args, &steps_plan, read_step))
	{
		const Step *step = lfirst(lc);
		char	   *name = step_name(vault, step, foreach_current_index(lc) + 1);

		if (lyf_pipeline_exists(name))
			continue;
		create_step(vault, step, name, step->before != NULL ? NULL : schedule, pool);
		put_step((ReturnSetInfo *) fcinfo->resultinfo, name, step);
	}
	return (Datum) 0;
}
