/*
 * cast_other.c
 *		Values to arrays, and to types that have only their input function.
 *
 * What may raise runs in a subtransaction, and its error becomes a failure.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "base/guard.h"
#include "decode/decode_internal.h"

/* an array of more items that are not of a fixed size is made with care */
#define MAX_SAFE_ITEMS	10000

/* cancel and such are no failure of a value */
static LyfFailure *
failure_from_error(const LyfCast *cast, const LyfValue *value, ErrorData *error)
{
	LyfFailure *failure;

	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	failure = lyf_cast_failure(cast, value, error->sqlerrcode, "is not valid for");
	return lyf_failure_detail(failure, "%s.", error->message);
}

typedef struct Risk
{
	LyfRisky	function;
	void	   *arg;
	Datum	   *datum;
} Risk;

static bool
take_risk(void *arg)
{
	Risk	   *risk = arg;

	*risk->datum = risk->function(risk->arg);
	return true;
}

LyfFailure *
lyf_cast_guarded(const LyfCast *cast, const LyfValue *value, LyfRisky function, void *arg, Datum *datum)
{
	Risk		risk = {.function = function, .arg = arg, .datum = datum};
	ErrorData  *error;

	/* there cannot be subtransactions beside parallel workers */
	if (IsInParallelMode())
	{
		take_risk(&risk);
		return NULL;
	}
	error = lyf_guarded(take_risk, &risk);
	return error == NULL ? NULL : failure_from_error(cast, value, error);
}

/* A call of a type's input function. */
typedef struct Input
{
	LyfCast    *cast;
	const char *text;			/* UTF-8 */
	size_t		len;
} Input;

static Datum
call_input(void *arg)
{
	Input	   *input = arg;
	char	   *text = pg_any_to_server(input->text, input->len, PG_UTF8);

	return InputFunctionCall(&input->cast->input, text, input->cast->typioparam, input->cast->typmod);
}

LyfFailure *
lyf_cast_other(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	Input		input = {.cast = cast, .text = value->u.text, .len = value->len};

	if (value->kind != LYF_STRING)
	{
		input.text = lyf_value_to_text(value);
		input.len = strlen(input.text);
	}
	else if (memchr(input.text, '\0', input.len) != NULL)
		return lyf_cast_failure(cast, value, ERRCODE_UNTRANSLATABLE_CHARACTER,
								"has a NUL character, which cannot be stored in");
	return lyf_cast_guarded(cast, value, call_input, &input, datum);
}

/* What an array is made of. */
typedef struct ArrayInput
{
	const LyfCast *element;
	Datum	   *values;
	bool	   *nulls;
	int			count;
} ArrayInput;

static Datum
make_array(void *arg)
{
	ArrayInput *input = arg;
	int			lower = 1;

	if (input->count == 0)
		return PointerGetDatum(construct_empty_array(input->element->type));
	return PointerGetDatum(construct_md_array(input->values, input->nulls, 1, &input->count, &lower,
											  input->element->type, input->element->typlen,
											  input->element->typbyval, input->element->typalign));
}

/* a list to an array of one dimension */
LyfFailure *
lyf_cast_array(LyfCast *cast, const LyfValue *value, Datum *datum)
{
	ArrayInput	input = {.element = cast->element};

	if (value->kind != LYF_LIST)
		return lyf_cast_wrong(cast, value);
	if (value->len > MaxAllocSize / sizeof(Datum))
		return lyf_cast_range(cast, value);
	input.values = palloc(sizeof(Datum) * (value->len + 1));
	input.nulls = palloc(sizeof(bool) * (value->len + 1));
	lyf_foreach(item, value)
	{
		bool	   *isnull = &input.nulls[input.count];

		*isnull = item->kind <= LYF_NULL;
		input.values[input.count] = (Datum) 0;
		if (!*isnull)
			LYF_TRY(cast->element->function(cast->element, item, &input.values[input.count]));
		input.count++;
	}

	/* many long items together may be too large for an array */
	if (value->len > MAX_SAFE_ITEMS && !cast->element->typbyval)
		return lyf_cast_guarded(cast, value, make_array, &input, datum);
	*datum = make_array(&input);
	return NULL;
}
