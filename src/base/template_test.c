/*
 * template_test.c
 *		What can stand behind "is" in a template.
 */
#include "postgres.h"

#include "base/template_internal.h"

static LyfFailure *
answer(bool truth, LyfValue **result)
{
	*result = lyf_value_bool(truth);
	return NULL;
}

static LyfFailure *
is_defined(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind != LYF_UNDEFINED, result);
}

static LyfFailure *
is_undefined(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_UNDEFINED, result);
}

static LyfFailure *
is_none(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_NULL, result);
}

static LyfFailure *
is_boolean(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_BOOL, result);
}

static LyfFailure *
is_true(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_BOOL && call->self->u.boolean, result);
}

static LyfFailure *
is_false(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_BOOL && !call->self->u.boolean, result);
}

static LyfFailure *
is_integer(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_INT || lyf_number_is_big_int(call->self), result);
}

static LyfFailure *
is_float(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_NUMBER && !lyf_number_is_big_int(call->self), result);
}

static LyfFailure *
is_number(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(lyf_template_is_number(call->self), result);
}

static LyfFailure *
is_string(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_STRING, result);
}

static LyfFailure *
is_mapping(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_MAP && (call->self->flags & LYF_FLAG_NAMESPACE) == 0, result);
}

static LyfFailure *
is_sequence(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfKind		kind = call->self->kind;

	return answer(kind == LYF_STRING || kind == LYF_MAP || kind == LYF_UNDEFINED ||
				  (kind == LYF_LIST && (call->self->flags & LYF_FLAG_VIEW) == 0), result);
}

static LyfFailure *
is_iterable(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfKind		kind = call->self->kind;

	return answer(kind == LYF_STRING || kind == LYF_MAP || kind == LYF_LIST || kind == LYF_UNDEFINED, result);
}

static LyfFailure *
is_callable(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return answer(call->self->kind == LYF_OPAQUE || call->self->kind == LYF_UNDEFINED, result);
}

/* self % number == rest */
static LyfFailure *
has_rest(LyfEval *ev, const LyfValue *self, int64 number, int64 rest, LyfValue **result)
{
	LyfValue	divisor = {.kind = LYF_INT};

	divisor.u.integer = number;
	if (self->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	LYF_TRY(lyf_op_modulo(ev, self, &divisor, result));
	divisor.u.integer = rest;
	return answer(lyf_value_equal(*result, &divisor), result);
}

static LyfFailure *
is_even(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return has_rest(ev, call->self, 2, 0, result);
}

static LyfFailure *
is_odd(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return has_rest(ev, call->self, 2, 1, result);
}

static LyfFailure *
is_divisible(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	int64		number;

	LYF_TRY(lyf_arg_int(ev, call->arg[0], 1, &number));
	return has_rest(ev, call->self, number, 0, result);
}

static LyfFailure *
is_in(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_in(ev, call->self, call->arg[0], result);
}

static LyfFailure *
is_equal(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_equal(ev, call->self, call->arg[0], result);
}

static LyfFailure *
is_not_equal(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_not_equal(ev, call->self, call->arg[0], result);
}

static LyfFailure *
is_less(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_less(ev, call->self, call->arg[0], result);
}

static LyfFailure *
is_less_equal(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_less_equal(ev, call->self, call->arg[0], result);
}

static LyfFailure *
is_greater(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_greater(ev, call->self, call->arg[0], result);
}

static LyfFailure *
is_greater_equal(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return lyf_op_greater_equal(ev, call->self, call->arg[0], result);
}

/* is the text unchanged by that case, with a letter in it? */
static LyfFailure *
has_case(LyfCall *call, bool upper, LyfValue **result)
{
	StringInfoData same;
	StringInfoData other;
	const LyfValue *text = lyf_template_to_string(call->self);

	initStringInfo(&same);
	initStringInfo(&other);
	lyf_text_case(&same, text->u.text, text->len, upper);
	lyf_text_case(&other, text->u.text, text->len, !upper);
	return answer(same.len == text->len && memcmp(same.data, text->u.text, same.len) == 0 &&
				  (same.len != other.len || memcmp(same.data, other.data, same.len) != 0), result);
}

static LyfFailure *
is_lower(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return has_case(call, false, result);
}

static LyfFailure *
is_upper(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return has_case(call, true, result);
}

static const LyfBuiltin tests[] = {
	{"defined", is_defined, 0},
	{"undefined", is_undefined, 0},
	{"none", is_none, 0},
	{"boolean", is_boolean, 0},
	{"true", is_true, 0},
	{"false", is_false, 0},
	{"integer", is_integer, 0},
	{"float", is_float, 0},
	{"number", is_number, 0},
	{"string", is_string, 0},
	{"mapping", is_mapping, 0},
	{"sequence", is_sequence, 0},
	{"iterable", is_iterable, 0},
	{"callable", is_callable, 0},
	{"even", is_even, 0},
	{"odd", is_odd, 0},
	{"divisibleby", is_divisible, 1, {"num"}},
	{"in", is_in, 1, {"seq"}},
	{"eq", is_equal, 1, {"b"}},
	{"equalto", is_equal, 1, {"b"}},
	{"sameas", is_equal, 1, {"other"}},
	{"ne", is_not_equal, 1, {"b"}},
	{"lt", is_less, 1, {"b"}},
	{"lessthan", is_less, 1, {"b"}},
	{"le", is_less_equal, 1, {"b"}},
	{"gt", is_greater, 1, {"b"}},
	{"greaterthan", is_greater, 1, {"b"}},
	{"ge", is_greater_equal, 1, {"b"}},
	{"lower", is_lower, 0},
	{"upper", is_upper, 0},
	{NULL}
};

const LyfBuiltin *
lyf_template_find_test(const char *name)
{
	return lyf_template_find(tests, name);
}
