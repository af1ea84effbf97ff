/*
 * template_filter_list.c
 *		Filters on lists and maps.
 */
#include "postgres.h"

#include "base/datetime.h"
#include "base/template_internal.h"

static LyfValue *
undefined(void)
{
	return unconstify(LyfValue *, &lyf_template_undefined);
}

/* obj["a"]["b"][0] by the path "a.b.0", or by a number; fallback (or NULL) stands in for what is missing */
static LyfFailure *
follow(LyfEval *ev, const LyfValue *object, const LyfValue *path, const LyfValue *fallback,
	   LyfValue **result)
{
	const char *at;

	*result = unconstify(LyfValue *, object);
	if (path == NULL || path->kind == LYF_NULL)
		return NULL;
	if (path->kind != LYF_STRING)
	{
		*result = lyf_template_item(object, path);
		if ((*result)->kind == LYF_UNDEFINED && fallback != NULL)
			*result = unconstify(LyfValue *, fallback);
		return NULL;
	}
	at = path->u.text;
	for (;;)
	{
		size_t		len = strcspn(at, ".");
		LyfValue   *key;

		if (len == 0 || strspn(at, "0123456789") < len || !lyf_template_parse_int(at, len, 10, &key))
			key = lyf_value_string_len(at, len);
		if ((*result)->kind == LYF_UNDEFINED)
			return lyf_template_fail_undefined(ev);
		*result = lyf_template_item(*result, key);
		if ((*result)->kind == LYF_UNDEFINED && fallback != NULL)
			*result = unconstify(LyfValue *, fallback);
		if (at[len] == '\0')
			return NULL;
		at += len + 1;
	}
}

static LyfFailure *
filter_default(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	bool		missing = call->self->kind == LYF_UNDEFINED ||
		(call->arg[1] != NULL && lyf_template_truth(call->arg[1]) && !lyf_template_truth(call->self));

	if (!missing)
		*result = unconstify(LyfValue *, call->self);
	else
		*result = call->arg[0] != NULL ? call->arg[0] : lyf_value_string_len("", 0);
	return NULL;
}

static LyfFailure *
filter_length(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *self = call->self;

	if (self->kind == LYF_STRING)
		*result = lyf_value_int(lyf_text_length(self->u.text, self->len));
	else if (self->kind == LYF_LIST || self->kind == LYF_MAP)
		*result = lyf_value_int(self->len);
	else if (self->kind == LYF_UNDEFINED)
		*result = lyf_value_int(0);
	else
		return lyf_template_fail_type(ev, "length", self);
	return NULL;
}

static LyfFailure *
filter_first(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list;

	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	*result = list->len > 0 ? list->u.first : undefined();
	return NULL;
}

static LyfFailure *
filter_last(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list;

	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	*result = list->len > 0 ? lyf_value_at(list, -1) : undefined();
	return NULL;
}

static LyfFailure *
filter_list(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list;
	LyfListMaker maker;

	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	lyf_list_begin(&maker);
	lyf_foreach(member, list)
		LYF_TRY(lyf_list_add(ev, &maker, member));
	*result = maker.list;
	return NULL;
}

static LyfFailure *
filter_join(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *separator = call->arg[0];
	LyfValue   *list;
	StringInfoData out;

	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	initStringInfo(&out);
	lyf_foreach(member, list)
	{
		LyfValue   *value;

		LYF_TRY(follow(ev, member, call->arg[1], NULL, &value));
		if (separator != NULL && member != list->u.first)
			lyf_template_print_python(&out, separator);
		lyf_template_print_python(&out, value);
		if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	}
	*result = lyf_template_take(&out);
	return NULL;
}

/* call a filter or test by its name, with the arguments of outer from `first` on */
static LyfFailure *
apply(LyfEval *ev, const LyfBuiltin *(*find) (const char *), LyfCall *outer, int first,
	  const LyfValue *self, LyfValue **result)
{
	const LyfBuiltin *builtin;
	LyfCall		call;
	const char *name;
	size_t		len;

	LYF_TRY(lyf_arg_text(ev, outer->arg[first], &name, &len));
	builtin = find(name);
	if (builtin == NULL)
		return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_FEATURE_NOT_SUPPORTED,
								 "\"%s\" is no filter or test that templates know", lyf_clip(name, 60));
	call.self = self;
	call.self_node = NULL;
	call.count = 0;
	for (int i = first + 1; i < outer->count; i++)
	{
		call.arg[call.count] = outer->arg[i];
		call.key[call.count++] = outer->key[i];
	}
	return lyf_template_invoke(ev, builtin, &call, result);
}

static const LyfValue *
keyword(const LyfCall *call, const char *name)
{
	for (int i = 0; i < call->count; i++)
	{
		if (call->key[i] != NULL && strcmp(call->key[i], name) == 0)
			return call->arg[i];
	}
	return NULL;
}

/* map(attribute=..., default=...) or map('filter', arguments) */
static LyfFailure *
filter_map(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *attribute = keyword(call, "attribute");
	const LyfValue *fallback = keyword(call, "default");
	LyfListMaker maker;
	LyfValue   *list;

	if (attribute == NULL && (call->count == 0 || call->key[0] != NULL))
		return lyf_template_fail_value(ev, "map in a template needs the name of a filter");
	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	lyf_list_begin(&maker);
	maker.list->flags |= LYF_FLAG_VIEW;
	lyf_foreach(member, list)
	{
		LyfValue   *value;

		if (attribute == NULL)
			LYF_TRY(apply(ev, lyf_template_find_filter, call, 0, member, &value));
		else
			LYF_TRY(follow(ev, member, attribute, fallback, &value));
		LYF_TRY(lyf_list_add(ev, &maker, value));
	}
	*result = maker.list;
	return NULL;
}

/* those members of which the test (of their attribute, if so) gives `wanted`; no test: truth */
static LyfFailure *
choose(LyfEval *ev, LyfCall *call, bool by_attribute, bool wanted, LyfValue **result)
{
	LyfListMaker maker;
	LyfValue   *list;

	if (by_attribute && call->count == 0)
		return lyf_template_fail_type(ev, "selectattr", NULL);
	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	lyf_list_begin(&maker);
	maker.list->flags |= LYF_FLAG_VIEW;
	lyf_foreach(member, list)
	{
		LyfValue   *value;

		LYF_TRY(follow(ev, member, by_attribute ? call->arg[0] : NULL, NULL, &value));
		if (call->count > by_attribute)
			LYF_TRY(apply(ev, lyf_template_find_test, call, by_attribute, value, &value));
		if (lyf_template_truth(value) == wanted)
			LYF_TRY(lyf_list_add(ev, &maker, member));
	}
	*result = maker.list;
	return NULL;
}

static LyfFailure *
filter_select(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return choose(ev, call, false, true, result);
}

static LyfFailure *
filter_reject(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return choose(ev, call, false, false, result);
}

static LyfFailure *
filter_selectattr(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return choose(ev, call, true, true, result);
}

static LyfFailure *
filter_rejectattr(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return choose(ev, call, true, false, result);
}

/* A member and what it is ordered by. */
typedef struct Keyed
{
	const LyfValue *member;
	LyfValue   *key;
} Keyed;

/* the members of self with their keys: an attribute, in lower case if case does not count */
static LyfFailure *
make_keys(LyfEval *ev, const LyfValue *self, const LyfValue *attribute, bool fold, Keyed **keyed, int *count)
{
	LyfValue   *list;

	LYF_TRY(lyf_template_iterate(ev, self, &list));
	*keyed = palloc((list->len + 1) * sizeof(Keyed));
	*count = 0;
	lyf_foreach(member, list)
	{
		Keyed	   *k = &(*keyed)[*count];

		if (*count == list->len)
			break;
		k->member = member;
		LYF_TRY(follow(ev, member, attribute, NULL, &k->key));
		if (fold && k->key->kind == LYF_STRING)
		{
			StringInfoData lower;

			initStringInfo(&lower);
			lyf_text_case(&lower, k->key->u.text, k->key->len, false);
			k->key = lyf_template_take(&lower);
		}
		(*count)++;
	}
	return NULL;
}

/* a merge sort, since comparing can fail */
static LyfFailure *
sort_keyed(LyfEval *ev, Keyed *items, Keyed *spare, int count, int sign)
{
	int			half = count / 2;
	int			left = 0;
	int			right = half;

	if (count < 2)
		return NULL;
	LYF_TRY(sort_keyed(ev, items, spare, half, sign));
	LYF_TRY(sort_keyed(ev, items + half, spare, count - half, sign));
	for (int i = 0; i < count; i++)
	{
		int			order = 0;

		LYF_TRY(lyf_template_step(ev));
		if (left < half && right < count)
			LYF_TRY(lyf_template_order(ev, items[right].key, items[left].key, &order));
		if (right == count || (left < half && order * sign >= 0))
			spare[i] = items[left++];
		else
			spare[i] = items[right++];
	}
	memcpy(items, spare, count * sizeof(Keyed));
	return NULL;
}

static LyfFailure *
sort_list(LyfEval *ev, const LyfValue *self, const LyfValue *reverse, const LyfValue *case_sensitive,
		  const LyfValue *attribute, LyfValue **result)
{
	Keyed	   *keyed;
	int			count;
	LyfListMaker maker;
	bool		fold = case_sensitive == NULL || !lyf_template_truth(case_sensitive);

	LYF_TRY(make_keys(ev, self, attribute, fold, &keyed, &count));
	LYF_TRY(sort_keyed(ev, keyed, palloc((count + 1) * sizeof(Keyed)), count,
					   reverse != NULL && lyf_template_truth(reverse) ? -1 : 1));
	lyf_list_begin(&maker);
	for (int i = 0; i < count; i++)
		LYF_TRY(lyf_list_add(ev, &maker, keyed[i].member));
	*result = maker.list;
	return NULL;
}

static LyfFailure *
filter_sort(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return sort_list(ev, call->self, call->arg[0], call->arg[1], call->arg[2], result);
}

/* pairs of a map, by key or by value */
static LyfFailure *
filter_dictsort(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue	by = {.kind = LYF_INT};
	LyfCall		items = {.self = call->self};
	LyfValue   *pairs;

	if (call->self->kind != LYF_MAP)
		return lyf_template_fail_type(ev, "dictsort", call->self);
	if (call->arg[1] != NULL && call->arg[1]->kind == LYF_STRING)
		by.u.integer = strcmp(call->arg[1]->u.text, "value") == 0;
	LYF_TRY(lyf_template_invoke(ev, lyf_template_method(call->self, "items"), &items, &pairs));
	return sort_list(ev, pairs, call->arg[2], call->arg[0], &by, result);
}

static LyfFailure *
filter_unique(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	Keyed	   *keyed;
	int			count;
	int			kept = 0;
	LyfListMaker maker;
	bool		fold = call->arg[0] == NULL || !lyf_template_truth(call->arg[0]);

	LYF_TRY(make_keys(ev, call->self, call->arg[1], fold, &keyed, &count));
	lyf_list_begin(&maker);
	maker.list->flags |= LYF_FLAG_VIEW;
	for (int i = 0; i < count; i++)
	{
		bool		seen = false;

		if (keyed[i].key->kind == LYF_LIST || keyed[i].key->kind == LYF_MAP)
			return lyf_template_fail_type(ev, "unique", keyed[i].key);
		ev->steps += kept / 16;
		LYF_TRY(lyf_template_step(ev));
		for (int j = 0; j < kept && !seen; j++)
			seen = lyf_value_equal(keyed[j].key, keyed[i].key);
		if (seen)
			continue;
		LYF_TRY(lyf_list_add(ev, &maker, keyed[i].member));
		keyed[kept++] = keyed[i];
	}
	*result = maker.list;
	return NULL;
}

static LyfFailure *
extreme(LyfEval *ev, LyfCall *call, int sign, LyfValue **result)
{
	Keyed	   *keyed;
	int			count;
	int			best = 0;
	bool		fold = call->arg[0] == NULL || !lyf_template_truth(call->arg[0]);

	LYF_TRY(make_keys(ev, call->self, call->arg[1], fold, &keyed, &count));
	for (int i = 1; i < count; i++)
	{
		int			order;

		LYF_TRY(lyf_template_order(ev, keyed[i].key, keyed[best].key, &order));
		if (order == sign)
			best = i;
	}
	*result = count > 0 ? unconstify(LyfValue *, keyed[best].member) : undefined();
	return NULL;
}

static LyfFailure *
filter_max(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return extreme(ev, call, 1, result);
}

static LyfFailure *
filter_min(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return extreme(ev, call, -1, result);
}

static LyfFailure *
filter_sum(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list;

	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	*result = call->arg[1] != NULL ? call->arg[1] : lyf_value_int(0);
	lyf_foreach(member, list)
	{
		LyfValue   *value;

		LYF_TRY(follow(ev, member, call->arg[0], NULL, &value));
		LYF_TRY(lyf_op_add(ev, *result, value, result));
	}
	return NULL;
}

static LyfFailure *
filter_reverse(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list;
	LyfValue   *reversed = lyf_value_make(LYF_LIST);
	StringInfoData out;

	LYF_TRY(lyf_template_iterate(ev, call->self, &list));
	reversed->flags = LYF_FLAG_OWN | LYF_FLAG_VIEW;
	lyf_foreach(member, list)
	{
		LyfValue   *copy = lyf_template_share(member);

		copy->next = reversed->u.first;
		reversed->u.first = copy;
		reversed->len++;
	}
	*result = reversed;
	if (call->self->kind != LYF_STRING)
		return NULL;
	initStringInfo(&out);
	lyf_foreach(character, reversed)
		appendBinaryStringInfo(&out, character->u.text, character->len);
	*result = lyf_template_take(&out);
	return NULL;
}

static LyfFailure *
filter_items(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfCall		items = {.self = call->self};

	if (call->self->kind == LYF_UNDEFINED)
		return lyf_template_iterate(ev, call->self, result);
	if (call->self->kind != LYF_MAP)
		return lyf_template_fail_type(ev, "items", call->self);
	return lyf_template_invoke(ev, lyf_template_method(call->self, "items"), &items, result);
}

static LyfFailure *
filter_attr(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	*result = undefined();
	if (call->self->kind != LYF_MAP && call->arg[0]->kind == LYF_STRING)
		*result = lyf_template_attribute(call->self, call->arg[0]->u.text, call->arg[0]->len);
	return NULL;
}

const LyfBuiltin lyf_list_filters[] = {
	{"default", filter_default, 0, {"default_value", "boolean"}},
	{"d", filter_default, 0, {"default_value", "boolean"}},
	{"length", filter_length, 0},
	{"count", filter_length, 0},
	{"first", filter_first, 0},
	{"last", filter_last, 0},
	{"list", filter_list, 0},
	{"join", filter_join, 0, {"d", "attribute"}},
	{"map", filter_map, -1},
	{"select", filter_select, -1},
	{"reject", filter_reject, -1},
	{"selectattr", filter_selectattr, -1},
	{"rejectattr", filter_rejectattr, -1},
	{"sort", filter_sort, 0, {"reverse", "case_sensitive", "attribute"}},
	{"dictsort", filter_dictsort, 0, {"case_sensitive", "by", "reverse"}},
	{"unique", filter_unique, 0, {"case_sensitive", "attribute"}},
	{"max", filter_max, 0, {"case_sensitive", "attribute"}},
	{"min", filter_min, 0, {"case_sensitive", "attribute"}},
	{"sum", filter_sum, 0, {"attribute", "start"}},
	{"reverse", filter_reverse, 0},
	{"items", filter_items, 0},
	{"attr", filter_attr, 1, {"name"}},
	{NULL}
};
