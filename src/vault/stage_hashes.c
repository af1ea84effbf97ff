/*
 * stage_hashes.c
 *		The hashes of a stage's rows made by its query, so that the workers of a parallel plan share that work.
 *
 * lyftron.vault_hashes makes all hashes of a row at once, one behind the other: a byte that says whether the key is null as a whole,
 * and the digest.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "vault/load_internal.h"

LYF_FUNCTION_INFO_V1(lyf_vault_hashes);

/* what is kept from one row to the next */
typedef struct RowHashes
{
	int			size;			/* of a digest */
	int			count;			/* of hashes */
	LyfHasher **hashers;
	int			values;
	LyfTextForm **forms;
	LyfText    *texts;
	StringInfoData buffer;
} RowHashes;

/* a column as it is, or cast: to have it twice costs nothing */
static bool
is_cheap(Node *expr)
{
	switch (nodeTag(expr))
	{
		case T_Var:
		case T_Const:
			return true;
		case T_RelabelType:
			return is_cheap((Node *) ((RelabelType *) expr)->arg);
		case T_FuncExpr:
			return ((FuncExpr *) expr)->funcformat != COERCE_EXPLICIT_CALL && ((FuncExpr *) expr)->args != NIL &&
				is_cheap(linitial(((FuncExpr *) expr)->args)) && !contain_volatile_functions(expr);
		default:
			return false;
	}
}

/* a stage column's number among the values that are hashed, which it is added to */
static int
value_number(List **values, int column)
{
	ListCell   *lc;

	foreach(lc, *values)
		if (lfirst_int(lc) == column)
			return foreach_current_index(lc);
	*values = lappend_int(*values, column);
	return list_length(*values) - 1;
}

/* the hashes as a literal of integer[]: of each its kind, the number of its values, and which they are */
static char *
hashes_literal(const LyfStage *stage, List **values)
{
	StringInfoData literal;
	ListCell   *lc;

	initStringInfo(&literal);
	foreach(lc, stage->hashes)
	{
		const LyfStageHash *hash = lfirst(lc);
		const int  *columns = lyf_hasher_columns(hash->hasher);

		appendStringInfo(&literal, "%s%d,%d", literal.len > 0 ? "," : "", hash->kind, hash->count);
		for (int i = 0; i < hash->count; i++)
			appendStringInfo(&literal, ",%d", value_number(values, columns[i]));
	}
	return psprintf("'{%s}'", literal.data);
}

char *
lyf_stage_hashes_expr(const LyfStage *stage, List *targets)
{
	Jsonb	   *settings = lyf_value_to_jsonb(stage->vault->hash);
	List	   *values = NIL;
	char	   *hashes = hashes_literal(stage, &values);
	StringInfoData expr;
	ListCell   *lc;

	initStringInfo(&expr);
	appendStringInfo(&expr, "lyftron.vault_hashes(%s::pg_catalog.jsonb, %s::pg_catalog.int4[]",
					 quote_literal_cstr(JsonbToCString(NULL, &settings->root, VARSIZE(settings))), hashes);
	foreach(lc, values)
	{
		if (!is_cheap((Node *) list_nth_node(TargetEntry, targets, lfirst_int(lc))->expr))
			return NULL;
		appendStringInfo(&expr, ", %s", lyf_stage_column_expr(stage, lfirst_int(lc)));
	}
	appendStringInfoChar(&expr, ')');
	return values != NIL && list_length(values) <= FUNC_MAX_ARGS - 2 ? expr.data : NULL;
}

void
lyf_stage_take_hashes(LyfStage *stage, Datum hashes)
{
	struct varlena *row = PG_DETOAST_DATUM_PACKED(hashes);
	const char *from = VARDATA_ANY(row);
	int			size = lyf_hash_size(stage->rules);
	ListCell   *lc;

	if (VARSIZE_ANY_EXHDR(row) != list_length(stage->hashes) * (size + 1))
		elog(ERROR, "hashes of a row of %d bytes, not %d", (int) VARSIZE_ANY_EXHDR(row), list_length(stage->hashes) * (size + 1));
	foreach(lc, stage->hashes)
	{
		LyfStageHash *hash = lfirst(lc);

		hash->null = *from++ != 0;
		memcpy(hash->digest, from, size);
		from += size;
	}
}

static int
next_number(const int32 *numbers, int count, int *at, int limit)
{
	if (*at >= count || numbers[*at] < 0 || numbers[*at] >= limit)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the list of hashes is none of a kind, a number of values, and as many numbers of values")));
	return numbers[(*at)++];
}

static void
read_hashes(RowHashes *row, const LyfHashRules *rules, ArrayType *list)
{
	const int32 *numbers = (const int32 *) ARR_DATA_PTR(list);
	int			count = ArrayGetNItems(ARR_NDIM(list), ARR_DIMS(list));
	int			at = 0;

	if (ARR_HASNULL(list))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the list of hashes must not have nulls")));
	row->hashers = palloc(sizeof(LyfHasher *) * Max(count, 1));
	while (at < count)
	{
		int			columns[FUNC_MAX_ARGS];
		int			kind = next_number(numbers, count, &at, LYF_HASH_DIFF + 1);
		int			used = next_number(numbers, count, &at, FUNC_MAX_ARGS);

		for (int i = 0; i < used; i++)
			columns[i] = next_number(numbers, count, &at, row->values);
		row->hashers[row->count++] = lyf_hasher_begin(rules, kind, used, columns, NULL);
	}
}

static RowHashes *
prepare(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	RowHashes  *row = palloc0(sizeof(RowHashes));
	const LyfHashRules *rules;

	if (PG_NARGS() < 2 || get_fn_expr_variadic(fcinfo->flinfo) || !get_fn_expr_arg_stable(fcinfo->flinfo, 0) || !get_fn_expr_arg_stable(fcinfo->flinfo, 1))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("settings and hashes must be constants, and the values arguments of their own")));
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("settings and hashes must not be null")));
	rules = lyf_hash_rules(lyf_value_from_jsonb(PG_GETARG_JSONB_P_COPY(0)));
	row->size = lyf_hash_size(rules);
	row->values = PG_NARGS() - 2;
	row->forms = palloc(sizeof(LyfTextForm *) * Max(row->values, 1));
	for (int i = 0; i < row->values; i++)
		row->forms[i] = lyf_text_form_begin(get_fn_expr_argtype(fcinfo->flinfo, i + 2), -1);
	row->texts = palloc0(sizeof(LyfText) * Max(row->values, 1));
	read_hashes(row, rules, PG_GETARG_ARRAYTYPE_P(1));
	initStringInfo(&row->buffer);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = row;
	return row;
}

static void
make_texts(RowHashes *row, FunctionCallInfo fcinfo)
{
	resetStringInfo(&row->buffer);
	for (int i = 0; i < row->values; i++)
		lyf_text_put(&row->texts[i], row->forms[i], PG_GETARG_DATUM(i + 2), PG_ARGISNULL(i + 2), &row->buffer);
}

/* lyftron.vault_hashes(settings jsonb, hashes integer[], VARIADIC "values" "any") */
Datum
lyf_vault_hashes(PG_FUNCTION_ARGS)
{
	RowHashes  *row = fcinfo->flinfo->fn_extra != NULL ? fcinfo->flinfo->fn_extra : prepare(fcinfo);
	bytea	   *result = palloc(VARHDRSZ + row->count * (row->size + 1));
	char	   *to = VARDATA(result);

	SET_VARSIZE(result, VARHDRSZ + row->count * (row->size + 1));
	make_texts(row, fcinfo);
	for (int i = 0; i < row->count; i++)
	{
		*to = !lyf_hasher_run(row->hashers[i], row->buffer.data, row->texts, (uint8 *) to + 1);
		to += row->size + 1;
	}
	PG_RETURN_BYTEA_P(result);
}
