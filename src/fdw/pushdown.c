/*
 * pushdown.c
 *		WHERE that becomes part of the requests.
 *
 * Two kinds of columns can be asked for: the stream's cursor, by a range, and
 * the fields of its partitions, by a value.  What is asked of the source always
 * covers at least the rows that match, and every condition is checked again
 * here: a range is widened by what the source's format may round away and,
 * for columns without a time zone, by a day.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/datetime.h"
#include "base/settings.h"
#include "fdw/fdw_internal.h"

/* A clause as column, operator and value. */
typedef struct Comparison
{
	Var		   *var;
	Oid			operator;		/* with the column on its left */
	Oid			collation;
	Expr	   *value;
	bool		any;
} Comparison;

/* the column below a cast that changes nothing, or NULL */
static Var *
column_of(Node *node, Index varno)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var))
		return NULL;
	if (((Var *) node)->varno != varno || ((Var *) node)->varlevelsup != 0 ||
		((Var *) node)->varattno <= 0)
		return NULL;
	return (Var *) node;
}

static bool
split_operator(OpExpr *clause, Index varno, Comparison *comparison)
{
	Node	   *left;
	Node	   *right;

	if (list_length(clause->args) != 2)
		return false;
	left = linitial(clause->args);
	right = lsecond(clause->args);
	comparison->collation = clause->inputcollid;
	comparison->any = false;
	comparison->operator = clause->opno;
	comparison->value = (Expr *) right;
	comparison->var = column_of(left, varno);
	if (comparison->var != NULL)
		return true;
	comparison->operator = get_commutator(clause->opno);
	comparison->value = (Expr *) left;
	comparison->var = column_of(right, varno);
	return comparison->var != NULL && OidIsValid(comparison->operator);
}

static bool
split_any(ScalarArrayOpExpr *clause, Index varno, Comparison *comparison)
{
	comparison->var = column_of(linitial(clause->args), varno);
	comparison->operator = clause->opno;
	comparison->collation = clause->inputcollid;
	comparison->value = lsecond(clause->args);
	comparison->any = true;
	return clause->useOr && comparison->var != NULL;
}

static bool
split_clause(Expr *clause, Index varno, Comparison *comparison)
{
	if (IsA(clause, OpExpr))
		return split_operator((OpExpr *) clause, varno, comparison);
	if (IsA(clause, ScalarArrayOpExpr))
		return split_any((ScalarArrayOpExpr *) clause, varno, comparison);
	return false;
}

/* the strategy of the operator in the btree family of the column's type, 0 if it has none */
static int
operator_strategy(Oid operator, Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type == VARCHAROID ? TEXTOID : type,
											  TYPECACHE_BTREE_OPFAMILY);

	if (!OidIsValid(entry->btree_opf))
		return 0;
	return get_op_opfamily_strategy(operator, entry->btree_opf);
}

/* can a range of the cursor start or end with a value of this type? */
static bool
is_moment(Oid type)
{
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}

const char *
lyf_push_clause(const LyfRestTable *table, PlannerInfo *root, Index varno,
				Expr *clause, LyfPush *push)
{
	Comparison	comparison;
	const LyfRestColumn *column;

	if (!lyf_pushdown)
		return "lyftron.pushdown is off";
	if (!split_clause(clause, varno, &comparison))
		return "not a comparison of a column with a value";
	column = &table->columns[comparison.var->varattno - 1];
	if (column->local != NULL)
		return column->local;
	push->strategy = operator_strategy(comparison.operator, column->type);
	push->attno = column->attno;
	push->any = comparison.any;
	push->operator = comparison.operator;
	push->collation = comparison.collation;
	push->value = comparison.value;
	if (!lyf_push_valid(table, push))
		return column->is_cursor ? "not a range of the cursor" : "not an equality with a partition field";
	if (column->is_cursor && !is_moment(exprType((Node *) comparison.value)))
		return "a value of another type";
	if (contain_volatile_functions((Node *) comparison.value))
		return "its value is volatile";
	if (contain_subplans((Node *) comparison.value) ||
		bms_is_member(varno, pull_varnos(root, (Node *) comparison.value)))
		return "its value is not known before the scan";
	return NULL;
}

List *
lyf_push_save(const LyfPush *push)
{
	return list_make5_int(push->strategy, push->attno, push->any,
						  (int) push->operator, (int) push->collation);
}

LyfPush
lyf_push_load(const List *saved)
{
	LyfPush		push;

	push.strategy = linitial_int(saved);
	push.attno = lsecond_int(saved);
	push.any = lthird_int(saved) != 0;
	push.operator = (Oid) lfourth_int(saved);
	push.collation = (Oid) list_nth_int(saved, 4);
	push.value = NULL;
	return push;
}

bool
lyf_push_valid(const LyfRestTable *table, const LyfPush *push)
{
	const LyfRestColumn *column;

	if (push->attno > table->natts)
		return false;
	column = &table->columns[push->attno - 1];
	if (column->is_cursor)
		return push->strategy >= BTLessStrategyNumber &&
			push->strategy <= BTGreaterStrategyNumber && !push->any;
	return column->partition != NULL && push->strategy == BTEqualStrategyNumber;
}

/* the moment of a value, as the comparison with a column of its own type sees it; false: no finite one */
static bool
moment_of(Datum value, Oid type, bool zoned, TimestampTz *moment)
{
	int			overflow = 0;

	if (type == DATEOID)
	{
		DateADT		date = DatumGetDateADT(value);

		if (DATE_NOT_FINITE(date))
			return false;
		*moment = zoned ? date2timestamptz_opt_overflow(date, &overflow)
			: date2timestamp_opt_overflow(date, &overflow);
	}
	else if (type == TIMESTAMPOID && zoned)
	{
		if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)))
			return false;
		*moment = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value), &overflow);
	}
	else
		*moment = DatumGetTimestampTz(value);
	return overflow == 0 && !TIMESTAMP_NOT_FINITE(*moment);
}

/*
 * A range of the cursor.  The source compares text in a format that may have
 * whole seconds or days only, and may or may not take the ends in: hence the
 * second below and the day above.  A date stands for its whole day, and
 * a column without a zone may have lost one.
 */
static void
apply_range(const LyfPush *push, Oid column_type, Datum value, Oid value_type,
			LyfReadOptions *options)
{
	bool		zoned = column_type == TIMESTAMPTZOID;
	int64		below = zoned ? USECS_PER_SEC : USECS_PER_DAY + USECS_PER_SEC;
	int64		above = zoned ? USECS_PER_DAY : 3 * USECS_PER_DAY;
	TimestampTz moment;

	if (!moment_of(value, value_type, zoned, &moment) ||
		moment < MIN_TIMESTAMP + 4 * USECS_PER_DAY || moment >= END_TIMESTAMP - 4 * USECS_PER_DAY)
		return;
	if (push->strategy >= BTEqualStrategyNumber &&
		(options->cursor_low == NULL || lyf_datetime_us(options->cursor_low) < moment - below))
		options->cursor_low = lyf_datetime_make(moment - below, 0);
	if (push->strategy <= BTEqualStrategyNumber &&
		(options->cursor_high == NULL || lyf_datetime_us(options->cursor_high) > moment + above))
		options->cursor_high = lyf_datetime_make(moment + above, 0);
}

bool
lyf_push_apply(const LyfRestTable *table, const LyfPush *push,
			   Datum value, Oid value_type, bool isnull, LyfReadOptions *options)
{
	const LyfRestColumn *column = &table->columns[push->attno - 1];

	/* the operators are strict: nothing compares with NULL */
	if (isnull)
		return false;
	if (!column->is_cursor)
		return lyf_partition_restrict(column, push, value, value_type, options);
	apply_range(push, column->type, value, value_type, options);
	return true;
}
