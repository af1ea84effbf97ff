/*
 * template_ops.c
 *		What operators do with values: truth, arithmetic, order and membership as
 *		Python has them.  Integers are of 64 bits; what does not fit is a failure.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"

#include "base/datetime.h"
#include "base/template_internal.h"

/* views and namespaces are objects, true even if there is nothing in them */
bool
lyf_template_truth(const LyfValue *value)
{
	if ((value->kind == LYF_LIST || value->kind == LYF_MAP) &&
		(value->flags & (LYF_FLAG_NAMESPACE | LYF_FLAG_VIEW)) != 0)
		return true;
	return lyf_value_truth(value);
}

bool
lyf_template_is_int(const LyfValue *value)
{
	return value->kind == LYF_INT || value->kind == LYF_BOOL;
}

bool
lyf_template_is_number(const LyfValue *value)
{
	return lyf_template_is_int(value) || value->kind == LYF_NUMBER;
}

static int64
integer(const LyfValue *value)
{
	return value->kind == LYF_BOOL ? value->u.boolean : value->u.integer;
}

static bool
both_int(const LyfValue *a, const LyfValue *b)
{
	return lyf_template_is_int(a) && lyf_template_is_int(b);
}

static bool
both_number(const LyfValue *a, const LyfValue *b)
{
	return lyf_template_is_number(a) && lyf_template_is_number(b);
}

static bool
is_time(const LyfValue *value)
{
	return value->kind == LYF_DATETIME || value->kind == LYF_DATE || value->kind == LYF_DURATION;
}

static LyfFailure *
out_of_range(LyfEval *ev)
{
	return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
							 "a number in a template is out of range");
}

static LyfFailure *
division_by_zero(LyfEval *ev)
{
	return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_DIVISION_BY_ZERO, "division by zero in a template");
}

static LyfFailure *
add_texts(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	StringInfoData out;

	if ((uint64) a->len + b->len > LYF_TEMPLATE_MAX_OUTPUT)
		return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	initStringInfo(&out);
	appendBinaryStringInfo(&out, a->u.text, a->len);
	appendBinaryStringInfo(&out, b->u.text, b->len);
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
add_lists(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	LyfListMaker maker;

	lyf_list_begin(&maker);
	maker.list->flags |= a->flags & LYF_FLAG_TUPLE;
	lyf_foreach(member, a)
		LYF_TRY(lyf_list_add(ev, &maker, member));
	lyf_foreach(member, b)
		LYF_TRY(lyf_list_add(ev, &maker, member));
	*result = maker.list;
	return NULL;
}

LyfFailure *
lyf_op_add(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int64		sum;

	if (both_int(a, b))
	{
		if (pg_add_s64_overflow(integer(a), integer(b), &sum))
			return out_of_range(ev);
		*result = lyf_value_int(sum);
		return NULL;
	}
	if (both_number(a, b))
	{
		*result = lyf_value_number(lyf_value_double(a) + lyf_value_double(b));
		return NULL;
	}
	if (a->kind == LYF_STRING && b->kind == LYF_STRING)
		return add_texts(ev, a, b, result);
	if (a->kind == LYF_LIST && b->kind == LYF_LIST && ((a->flags ^ b->flags) & LYF_FLAG_TUPLE) == 0)
		return add_lists(ev, a, b, result);
	if (is_time(a) && is_time(b))
		return lyf_time_add(ev, a, b, 1, result);
	return lyf_template_fail_type(ev, "+", a->kind == LYF_UNDEFINED ? a : b);
}

LyfFailure *
lyf_op_subtract(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int64		difference;

	if (both_int(a, b))
	{
		if (pg_sub_s64_overflow(integer(a), integer(b), &difference))
			return out_of_range(ev);
		*result = lyf_value_int(difference);
		return NULL;
	}
	if (both_number(a, b))
	{
		*result = lyf_value_number(lyf_value_double(a) - lyf_value_double(b));
		return NULL;
	}
	if (is_time(a) && is_time(b))
		return lyf_time_add(ev, a, b, -1, result);
	return lyf_template_fail_type(ev, "-", a);
}

/* a text or list, times over */
static LyfFailure *
repeat(LyfEval *ev, const LyfValue *value, int64 times, LyfValue **result)
{
	times = Max(times, 0);
	if (value->kind == LYF_STRING)
	{
		StringInfoData out;

		if (value->len > 0 && times > LYF_TEMPLATE_MAX_OUTPUT / value->len)
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
		initStringInfo(&out);
		for (int64 i = 0; i < times && value->len > 0; i++)
			appendBinaryStringInfo(&out, value->u.text, value->len);
		*result = lyf_template_take(&out);
	}
	else
	{
		LyfListMaker maker;

		lyf_list_begin(&maker);
		maker.list->flags |= value->flags & LYF_FLAG_TUPLE;
		for (int64 i = 0; i < times && value->len > 0; i++)
		{
			lyf_foreach(member, value)
				LYF_TRY(lyf_list_add(ev, &maker, member));
		}
		*result = maker.list;
	}
	return NULL;
}

LyfFailure *
lyf_op_multiply(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int64		product;

	if (both_int(a, b))
	{
		if (pg_mul_s64_overflow(integer(a), integer(b), &product))
			return out_of_range(ev);
		*result = lyf_value_int(product);
		return NULL;
	}
	if (both_number(a, b))
	{
		*result = lyf_value_number(lyf_value_double(a) * lyf_value_double(b));
		return NULL;
	}
	if (lyf_template_is_int(b) && (a->kind == LYF_STRING || a->kind == LYF_LIST))
		return repeat(ev, a, integer(b), result);
	if (lyf_template_is_int(a) && (b->kind == LYF_STRING || b->kind == LYF_LIST))
		return repeat(ev, b, integer(a), result);
	if ((a->kind == LYF_DURATION && lyf_template_is_int(b)) || (b->kind == LYF_DURATION && lyf_template_is_int(a)))
	{
		const LyfValue *span = a->kind == LYF_DURATION ? a : b;
		int64		times = integer(span == a ? b : a);
		int64		months;

		*result = lyf_value_alias(span);
		if (pg_mul_s64_overflow(span->u.span.us, times, &(*result)->u.span.us) ||
			pg_mul_s64_overflow(span->u.span.months, times, &months) || months != (int32) months)
			return out_of_range(ev);
		(*result)->u.span.months = months;
		return NULL;
	}
	return lyf_template_fail_type(ev, "*", a);
}

LyfFailure *
lyf_op_divide(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	if (!both_number(a, b))
		return lyf_template_fail_type(ev, "/", a);
	if (lyf_value_double(b) == 0)
		return division_by_zero(ev);
	*result = lyf_value_number(lyf_value_double(a) / lyf_value_double(b));
	return NULL;
}

LyfFailure *
lyf_op_floor_divide(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	if (!both_number(a, b))
		return lyf_template_fail_type(ev, "//", a);
	if (lyf_value_double(b) == 0)
		return division_by_zero(ev);
	if (both_int(a, b))
	{
		int64		x = integer(a);
		int64		y = integer(b);

		if (y == -1)
			return lyf_op_negate(ev, a, a, result);
		*result = lyf_value_int(x / y - (x % y != 0 && (x < 0) != (y < 0)));
		return NULL;
	}
	*result = lyf_value_number(floor(lyf_value_double(a) / lyf_value_double(b)));
	return NULL;
}

LyfFailure *
lyf_op_modulo(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	if (a->kind == LYF_STRING)
		return lyf_text_format(ev, a, b, result);
	if (!both_number(a, b))
		return lyf_template_fail_type(ev, "%", a);
	if (lyf_value_double(b) == 0)
		return division_by_zero(ev);
	if (both_int(a, b))
	{
		int64		y = integer(b);
		int64		rest = y == -1 ? 0 : integer(a) % y;

		*result = lyf_value_int(rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest);
	}
	else
	{
		double		y = lyf_value_double(b);
		double		rest = fmod(lyf_value_double(a), y);

		*result = lyf_value_number(rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest);
	}
	return NULL;
}

LyfFailure *
lyf_op_power(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int64		power = 1;

	if (!both_number(a, b))
		return lyf_template_fail_type(ev, "**", a);
	if (lyf_value_double(a) == 0 && lyf_value_double(b) < 0)
		return division_by_zero(ev);
	if (!both_int(a, b) || integer(b) < 0)
	{
		double		number = pow(lyf_value_double(a), lyf_value_double(b));

		if (isnan(number) || isinf(number))
			return out_of_range(ev);
		*result = lyf_value_number(number);
		return NULL;
	}
	if (integer(a) == 0 || integer(a) == 1)
		power = integer(b) == 0 ? 1 : integer(a);
	else
	{
		/* |a| is 2 or more (or -1): beyond 64 factors only -1 does not overflow */
		int64		factors = integer(a) == -1 ? integer(b) % 2 : integer(b);

		for (int64 i = 0; i < factors; i++)
		{
			if (pg_mul_s64_overflow(power, integer(a), &power))
				return out_of_range(ev);
		}
	}
	*result = lyf_value_int(power);
	return NULL;
}

LyfFailure *
lyf_op_negate(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	LyfValue	zero = {.kind = LYF_INT};

	if (lyf_template_is_int(a))
		return lyf_op_subtract(ev, &zero, a, result);
	if (a->kind == LYF_NUMBER)
	{
		*result = lyf_value_number(-lyf_value_double(a));
		return NULL;
	}
	if (a->kind == LYF_DURATION)
	{
		*result = lyf_value_alias(a);
		(*result)->u.span.us = -a->u.span.us;
		(*result)->u.span.months = -a->u.span.months;
		return NULL;
	}
	return lyf_template_fail_type(ev, "-", a);
}

LyfFailure *
lyf_op_plus(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	if (lyf_template_is_int(a))
		*result = lyf_value_int(integer(a));
	else if (a->kind == LYF_NUMBER || a->kind == LYF_DURATION)
		*result = unconstify(LyfValue *, a);
	else
		return lyf_template_fail_type(ev, "+", a);
	return NULL;
}

static LyfFailure *
order_lists(LyfEval *ev, const LyfValue *a, const LyfValue *b, int *order)
{
	const LyfValue *x = a->u.first;
	const LyfValue *y = b->u.first;

	for (; x != NULL && y != NULL; x = x->next, y = y->next)
	{
		LYF_TRY(lyf_template_step(ev));
		if (!lyf_value_equal(x, y))
			return lyf_template_order(ev, x, y, order);
	}
	*order = (x != NULL) - (y != NULL);
	return NULL;
}

/* *order is below, equal or above 0 as a is against b, 2 if neither (nan) */
LyfFailure *
lyf_template_order(LyfEval *ev, const LyfValue *a, const LyfValue *b, int *order)
{
	if (both_int(a, b))
		*order = (integer(a) > integer(b)) - (integer(a) < integer(b));
	else if (both_number(a, b))
	{
		double		x = lyf_value_double(a);
		double		y = lyf_value_double(b);

		*order = isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
	}
	else if (a->kind == LYF_UNDEFINED || b->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	else if (a->kind != b->kind)
		return lyf_template_fail_type(ev, "a comparison", a);
	else if (a->kind == LYF_STRING)
	{
		int			first = memcmp(a->u.text, b->u.text, Min(a->len, b->len));

		*order = first != 0 ? (first > 0) - (first < 0) : (a->len > b->len) - (a->len < b->len);
	}
	else if (a->kind == LYF_LIST)
		return order_lists(ev, a, b, order);
	else if (is_time(a) && ((a->flags ^ b->flags) & LYF_FLAG_NAIVE) == 0)
	{
		int64		x = a->kind == LYF_DURATION ? a->u.span.us : a->u.time.us;
		int64		y = b->kind == LYF_DURATION ? b->u.span.us : b->u.time.us;

		if (a->kind == LYF_DURATION && (a->u.span.months != 0 || b->u.span.months != 0))
			return lyf_template_fail_type(ev, "a comparison", a);
		*order = (x > y) - (x < y);
	}
	else
		return lyf_template_fail_type(ev, "a comparison", a);
	return NULL;
}

LyfFailure *
lyf_op_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	*result = lyf_value_bool(lyf_value_equal(a, b));
	return NULL;
}

LyfFailure *
lyf_op_not_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	*result = lyf_value_bool(!lyf_value_equal(a, b));
	return NULL;
}

LyfFailure *
lyf_op_less(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int			order;

	LYF_TRY(lyf_template_order(ev, a, b, &order));
	*result = lyf_value_bool(order < 0);
	return NULL;
}

LyfFailure *
lyf_op_less_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int			order;

	LYF_TRY(lyf_template_order(ev, a, b, &order));
	*result = lyf_value_bool(order <= 0);
	return NULL;
}

LyfFailure *
lyf_op_greater(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int			order;

	LYF_TRY(lyf_template_order(ev, a, b, &order));
	*result = lyf_value_bool(order == 1);
	return NULL;
}

LyfFailure *
lyf_op_greater_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	int			order;

	LYF_TRY(lyf_template_order(ev, a, b, &order));
	*result = lyf_value_bool(order == 0 || order == 1);
	return NULL;
}

static LyfFailure *
contains(LyfEval *ev, const LyfValue *container, const LyfValue *item, bool *found)
{
	*found = false;
	if (container->kind == LYF_UNDEFINED)
		return NULL;
	if (container->kind == LYF_LIST || container->kind == LYF_MAP)
		ev->steps += container->len / 64;
	if (container->kind == LYF_LIST)
	{
		for (const LyfValue *m = container->u.first; m != NULL && !*found; m = m->next)
			*found = lyf_value_equal(m, item);
		return NULL;
	}
	if (container->kind == LYF_MAP && item->kind != LYF_LIST && item->kind != LYF_MAP)
	{
		*found = item->kind == LYF_STRING && lyf_value_get_len(container, item->u.text, item->len) != NULL;
		return NULL;
	}
	if (container->kind != LYF_STRING || item->kind != LYF_STRING)
		return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
								 "a template's value has the wrong type for \"in\"");
	*found = item->len == 0 || memmem(container->u.text, container->len, item->u.text, item->len) != NULL;
	return NULL;
}

LyfFailure *
lyf_op_in(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	bool		found;

	LYF_TRY(contains(ev, b, a, &found));
	*result = lyf_value_bool(found);
	return NULL;
}

LyfFailure *
lyf_op_not_in(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result)
{
	bool		found;

	LYF_TRY(contains(ev, b, a, &found));
	*result = lyf_value_bool(!found);
	return NULL;
}
