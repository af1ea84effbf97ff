/*
 * partition.c
 *		Which partitions of a stream a read needs, when conditions say so.
 *
 * A condition on a partition field is decided for a whole partition as the
 * executor would decide it for its rows: the partition's value becomes the
 * column's type, and the condition's own operator compares.  A partition is
 * only left out where that is certain.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/template.h"
#include "fdw/fdw_internal.h"

/* longer lists of values are left to the executor */
#define MAX_VALUES	1000

/* One condition: the field equals one of these values. */
typedef struct Condition
{
	const char *field;
	Oid			type;			/* the column's */
	int32		typmod;
	Oid			collation;
	FmgrInfo	equal;
	Datum	   *values;
	int			count;
} Condition;

struct LyfPartitions
{
	List	   *conditions;		/* all of them must hold */
	MemoryContext scratch;
};

/* copies of the members of an array that are not null; -1 if they are too many */
static int
take_members(ArrayType *array, Datum **out)
{
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int			taken = 0;

	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_VALUES)
		return -1;
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &typlen, &typbyval, &typalign);
	deconstruct_array(array, ARR_ELEMTYPE(array), typlen, typbyval, typalign,
					  &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			values[taken++] = datumCopy(values[i], typbyval, typlen);
	}
	*out = values;
	return taken;
}

static int
take_value(Datum value, Oid type, Datum **out)
{
	int16		typlen;
	bool		typbyval;

	get_typlenbyval(type, &typlen, &typbyval);
	*out = palloc(sizeof(Datum));
	**out = datumCopy(value, typbyval, typlen);
	return 1;
}

/*
 * Is the value that rows of this partition have certainly this one?  A row's
 * comes through a template, which reads back a text that looks like a literal.
 */
static bool
is_certain(const LyfValue *value)
{
	LyfValue   *literal;

	if (value->kind == LYF_INT)
		return true;
	if (value->kind != LYF_STRING || value->len == 0)
		return false;
	literal = lyf_template_literal(value->u.text, value->len);
	return literal == NULL ||
		(literal->kind == LYF_INT && strcmp(lyf_value_to_text(literal), value->u.text) == 0);
}

static bool
may_hold(Condition *condition, const LyfValue *partition)
{
	const LyfValue *value = lyf_value_get(partition, condition->field);
	Datum		datum;
	bool		isnull;

	if (value == NULL || !is_certain(value) ||
		lyf_value_cast(value, condition->type, condition->typmod, &datum, &isnull) != NULL ||
		isnull)
		return true;
	for (int i = 0; i < condition->count; i++)
	{
		if (DatumGetBool(FunctionCall2Coll(&condition->equal, condition->collation,
										   datum, condition->values[i])))
			return true;
	}
	return false;
}

/* LyfReadOptions.partition_wanted */
static bool
is_wanted(void *arg, const LyfValue *partition)
{
	struct LyfPartitions *wanted = arg;
	MemoryContext caller = MemoryContextSwitchTo(wanted->scratch);
	bool		result = true;
	ListCell   *lc;

	foreach(lc, wanted->conditions)
		result = result && may_hold(lfirst(lc), partition);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(wanted->scratch);
	return result;
}

bool
lyf_partition_restrict(const LyfRestColumn *column, const LyfPush *push,
					   Datum value, Oid value_type, LyfReadOptions *options)
{
	struct LyfPartitions *wanted = options->partition_arg;
	Condition  *condition = palloc0(sizeof(Condition));

	condition->count = push->any
		? take_members(DatumGetArrayTypeP(value), &condition->values)
		: take_value(value, value_type, &condition->values);
	if (condition->count < 0)
		return true;
	if (condition->count == 0)
		return false;
	condition->field = column->partition;
	condition->type = column->type;
	condition->typmod = column->typmod;
	condition->collation = push->collation;
	fmgr_info(get_opcode(push->operator), &condition->equal);

	if (wanted == NULL)
	{
		wanted = palloc0(sizeof(struct LyfPartitions));
		wanted->scratch = AllocSetContextCreate(CurrentMemoryContext, "lyftron partitions",
												ALLOCSET_SMALL_SIZES);
		options->partition_wanted = is_wanted;
		options->partition_arg = wanted;
	}
	wanted->conditions = lappend(wanted->conditions, condition);
	return true;
}
