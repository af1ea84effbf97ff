/*
 * mysql_fill.c
 *		A query's text with the values of this moment.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "nodes/nodeFuncs.h"

#include "fdw/mysql_plan.h"

struct LyfMysqlFiller
{
	int			nvalues;
	ExprState **states;
	Oid		   *types;
	Datum	   *values;
	bool	   *nulls;
	int			nplaces;
	LyfPlace   *places;
};

LyfMysqlFiller *
lyf_mysql_filler_begin(PlanState *plan, List *values, List *places)
{
	LyfMysqlFiller *filler = palloc0(sizeof(LyfMysqlFiller));
	ListCell   *lc;

	filler->nvalues = list_length(values);
	filler->states = palloc(filler->nvalues * sizeof(ExprState *));
	filler->types = palloc(filler->nvalues * sizeof(Oid));
	filler->values = palloc(filler->nvalues * sizeof(Datum));
	filler->nulls = palloc(filler->nvalues * sizeof(bool));
	foreach(lc, values)
	{
		filler->states[foreach_current_index(lc)] = ExecInitExpr(lfirst(lc), plan);
		filler->types[foreach_current_index(lc)] = exprType(lfirst(lc));
	}
	filler->nplaces = list_length(places);
	filler->places = palloc(filler->nplaces * sizeof(LyfPlace));
	foreach(lc, places)
		filler->places[foreach_current_index(lc)] = lyf_mysql_place_load(lfirst(lc));
	return filler;
}

/* LyfPlaceFill */
static void
fill_place(void *arg, StringInfo sql, int number)
{
	LyfMysqlFiller *filler = arg;
	const LyfPlace *place = &filler->places[number];
	int			i = place->value;

	Assert(number < filler->nplaces && i < filler->nvalues);
	if (!lyf_mysql_place_fill(sql, place, filler->types[i], filler->values[i], filler->nulls[i]))
		elog(ERROR, "the server cannot be given a value of type %u", filler->types[i]);
}

void
lyf_mysql_filler_fill(LyfMysqlFiller *filler, StringInfo sql, const char *text, ExprContext *econtext)
{
	for (int i = 0; i < filler->nvalues; i++)
		filler->values[i] = ExecEvalExprSwitchContext(filler->states[i], econtext, &filler->nulls[i]);
	lyf_mysql_fill_places(sql, text, fill_place, filler);
}
