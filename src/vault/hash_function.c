/*
 * hash_function.c
 *		lyftron.hash_key and its like: the hashes of a vault for SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "vault/hash.h"

LYF_FUNCTION_INFO_V1(lyf_hash_key_function);
LYF_FUNCTION_INFO_V1(lyf_hash_diff_function);
LYF_FUNCTION_INFO_V1(lyf_hash_key_text_function);
LYF_FUNCTION_INFO_V1(lyf_hash_diff_text_function);

/* what is kept from one call to the next */
typedef struct Call
{
	MemoryContext cxt;
	struct varlena *settings;
	const LyfHashRules *rules;
	LyfHasher  *hasher;
	LyfTextForm **forms;		/* one a value; of an array the first one is that of all */
	LyfText    *texts;
	int			count;
	StringInfoData buffer;
} Call;

static bool
is_same(const Call *call, const struct varlena *settings, int count)
{
	return call->count == count && VARSIZE_ANY(call->settings) == VARSIZE_ANY(settings) &&
		memcmp(call->settings, settings, VARSIZE_ANY(settings)) == 0;
}

static void
find_forms(Call *call, FunctionCallInfo fcinfo)
{
	call->forms = palloc0(sizeof(LyfTextForm *) * Max(call->count, 1));
	if (get_fn_expr_variadic(fcinfo->flinfo))
	{
		call->forms[0] = lyf_text_form_begin(get_base_element_type(get_fn_expr_argtype(fcinfo->flinfo, 1)), -1);
		return;
	}
	for (int i = 0; i < call->count; i++)
		call->forms[i] = lyf_text_form_begin(get_fn_expr_argtype(fcinfo->flinfo, i + 1), -1);
}

/* Values and settings as in the call before are the rule. */
static Call *
prepare(FunctionCallInfo fcinfo, LyfHashKind kind, struct varlena *settings, int count)
{
	Call	   *call = fcinfo->flinfo->fn_extra;
	MemoryContext cxt;
	MemoryContext old;
	int		   *columns;

	if (call != NULL && is_same(call, settings, count))
		return call;
	if (call != NULL)
		MemoryContextDelete(call->cxt);
	fcinfo->flinfo->fn_extra = NULL;
	cxt = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "lyftron hash", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	call = palloc0(sizeof(Call));
	call->cxt = cxt;
	call->count = count;
	call->settings = palloc(VARSIZE_ANY(settings));
	memcpy(call->settings, settings, VARSIZE_ANY(settings));
	call->rules = lyf_hash_rules(lyf_value_from_jsonb((Jsonb *) call->settings));
	find_forms(call, fcinfo);
	call->texts = palloc0(sizeof(LyfText) * Max(count, 1));
	columns = palloc(sizeof(int) * Max(count, 1));
	for (int i = 0; i < count; i++)
		columns[i] = i;
	call->hasher = lyf_hasher_begin(call->rules, kind, count, columns, NULL);
	initStringInfo(&call->buffer);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = call;
	return call;
}

static void
raise_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s of a hash must not be null", what)));
}

/* the values of VARIADIC array, or of the arguments */
static Call *
take_array(FunctionCallInfo fcinfo, LyfHashKind kind, struct varlena *settings)
{
	ArrayType  *array;
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int16		len;
	bool		byval;
	char		align;
	Call	   *call;

	if (PG_ARGISNULL(1))
		raise_null("the array");
	array = PG_GETARG_ARRAYTYPE_P(1);
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, &values, &nulls, &count);
	call = prepare(fcinfo, kind, settings, count);
	resetStringInfo(&call->buffer);
	for (int i = 0; i < count; i++)
		lyf_text_put(&call->texts[i], call->forms[0], values[i], nulls[i], &call->buffer);
	return call;
}

static Call *
take_arguments(FunctionCallInfo fcinfo, LyfHashKind kind, struct varlena *settings)
{
	Call	   *call = prepare(fcinfo, kind, settings, PG_NARGS() - 1);

	resetStringInfo(&call->buffer);
	for (int i = 0; i < call->count; i++)
		lyf_text_put(&call->texts[i], call->forms[i], PG_GETARG_DATUM(i + 1), PG_ARGISNULL(i + 1), &call->buffer);
	return call;
}

/* the digest; NULL: of a key that is null as a whole, where the profile has no zero key for that */
static const uint8 *
hash(FunctionCallInfo fcinfo, LyfHashKind kind, uint8 *digest, int *size)
{
	struct varlena *settings;
	Call	   *call;
	bool		any;

	if (PG_ARGISNULL(0))
		raise_null("the settings");
	settings = PG_GETARG_VARLENA_P(0);
	call = get_fn_expr_variadic(fcinfo->flinfo) ? take_array(fcinfo, kind, settings) : take_arguments(fcinfo, kind, settings);
	any = lyf_hasher_run(call->hasher, call->buffer.data, call->texts, digest);
	*size = lyf_hash_size(call->rules);
	return any || strcmp(lyf_hash_profile(call->rules), "automate_dv") != 0 ? digest : NULL;
}

static Datum
hash_bytea(FunctionCallInfo fcinfo, LyfHashKind kind)
{
	uint8		space[LYF_HASH_MAX];
	int			size;
	const uint8 *digest = hash(fcinfo, kind, space, &size);
	bytea	   *result;

	if (digest == NULL)
		PG_RETURN_NULL();
	result = palloc(VARHDRSZ + size);
	SET_VARSIZE(result, VARHDRSZ + size);
	memcpy(VARDATA(result), digest, size);
	PG_RETURN_BYTEA_P(result);
}

static Datum
hash_text(FunctionCallInfo fcinfo, LyfHashKind kind)
{
	uint8		space[LYF_HASH_MAX];
	int			size;
	const uint8 *digest = hash(fcinfo, kind, space, &size);
	text	   *result;

	if (digest == NULL)
		PG_RETURN_NULL();
	result = palloc(VARHDRSZ + 2 * size);
	SET_VARSIZE(result, VARHDRSZ + 2 * size);
	hex_encode((const char *) digest, size, VARDATA(result));
	PG_RETURN_TEXT_P(result);
}

/* lyftron.hash_key(settings jsonb, VARIADIC "any"), and its like */
Datum
lyf_hash_key_function(PG_FUNCTION_ARGS)
{
	return hash_bytea(fcinfo, LYF_HASH_KEY);
}

Datum
lyf_hash_diff_function(PG_FUNCTION_ARGS)
{
	return hash_bytea(fcinfo, LYF_HASH_DIFF);
}

Datum
lyf_hash_key_text_function(PG_FUNCTION_ARGS)
{
	return hash_text(fcinfo, LYF_HASH_KEY);
}

Datum
lyf_hash_diff_text_function(PG_FUNCTION_ARGS)
{
	return hash_text(fcinfo, LYF_HASH_DIFF);
}
