/*
 * template_method.c
 *		Methods of lists and maps in templates, and which kind has which.
 *
 * append, update and the like change only what the evaluation made itself.  Where
 * a name stands for a value of the scope, a copy takes its place for the rest of
 * the template: the scope's values are never written to.
 */
#include "postgres.h"

#include "base/template_internal.h"

/* what may be changed in self's place: itself, or the copy that its name now stands for */
static LyfFailure *
changeable(LyfEval *ev, LyfCall *call, LyfValue **value)
{
	if ((call->self->flags & LYF_FLAG_OWN) != 0)
	{
		*value = unconstify(LyfValue *, call->self);
		return NULL;
	}
	if (call->self_node == NULL || call->self_node->run != lyf_run_name)
		return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_FEATURE_NOT_SUPPORTED,
								 "a template cannot change a part of a value that is not its own");
	*value = lyf_value_alias(call->self);
	(*value)->flags |= LYF_FLAG_OWN;
	*value = lyf_template_share(*value);
	lyf_template_bind(ev, call->self_node->name, *value);
	return NULL;
}

static LyfFailure *
list_append(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list = NULL;

	LYF_TRY(changeable(ev, call, &list));
	ev->steps += list->len / 64;
	LYF_TRY(lyf_template_step(ev));
	lyf_value_append(list, lyf_template_share(call->arg[0]));
	*result = lyf_value_make(LYF_NULL);
	return NULL;
}

static LyfFailure *
list_extend(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *list;
	LyfValue   *more;

	LYF_TRY(lyf_template_iterate(ev, call->arg[0], &more));
	LYF_TRY(changeable(ev, call, &list));
	more = lyf_template_share(more);
	lyf_foreach(member, more)
	{
		ev->steps += list->len / 64;
		LYF_TRY(lyf_template_step(ev));
		lyf_value_append(list, lyf_template_share(member));
	}
	*result = lyf_value_make(LYF_NULL);
	return NULL;
}

static LyfFailure *
list_index(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	int64		index = 0;

	ev->steps += call->self->len / 64;
	lyf_foreach(member, call->self)
	{
		if (lyf_value_equal(member, call->arg[0]))
		{
			*result = lyf_value_int(index);
			return NULL;
		}
		index++;
	}
	return lyf_template_fail_value(ev, "index of what is not in a list in a template");
}

static LyfFailure *
list_count(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	int64		count = 0;

	ev->steps += call->self->len / 64;
	lyf_foreach(member, call->self)
		count += lyf_value_equal(member, call->arg[0]);
	*result = lyf_value_int(count);
	return NULL;
}

static LyfFailure *
map_get(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *key = call->arg[0];

	*result = NULL;
	if (key->kind == LYF_LIST || key->kind == LYF_MAP)
		return lyf_template_fail_type(ev, "a key", key);
	if (key->kind == LYF_STRING)
		*result = lyf_value_get_len(call->self, key->u.text, key->len);
	if (*result == NULL)
		*result = call->arg[1] != NULL ? call->arg[1] : lyf_value_make(LYF_NULL);
	return NULL;
}

static LyfFailure *
map_pairs(LyfEval *ev, const LyfValue *map, bool keys, bool values, LyfValue **result)
{
	LyfListMaker maker;

	lyf_list_begin(&maker);
	maker.list->flags |= LYF_FLAG_VIEW;
	lyf_foreach(member, map)
	{
		LyfValue   *key = lyf_value_string_len(member->key, member->key_len);

		if (keys && values)
		{
			LyfListMaker pair;

			lyf_list_begin(&pair);
			pair.list->flags |= LYF_FLAG_TUPLE;
			LYF_TRY(lyf_list_add(ev, &pair, key));
			LYF_TRY(lyf_list_add(ev, &pair, member));
			LYF_TRY(lyf_list_add(ev, &maker, pair.list));
		}
		else
			LYF_TRY(lyf_list_add(ev, &maker, keys ? key : member));
	}
	*result = maker.list;
	return NULL;
}

static LyfFailure *
map_items(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return map_pairs(ev, call->self, true, true, result);
}

static LyfFailure *
map_keys(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return map_pairs(ev, call->self, true, false, result);
}

static LyfFailure *
map_values(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	return map_pairs(ev, call->self, false, true, result);
}

static LyfFailure *
map_update(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue   *map;

	LYF_TRY(changeable(ev, call, &map));
	for (int i = 0; i < call->count; i++)
	{
		if (call->key[i] != NULL)
			lyf_template_put(map, call->key[i], call->arg[i]);
		else if (i == 0 && call->arg[0]->kind == LYF_MAP)
		{
			lyf_foreach(member, call->arg[0])
				lyf_template_put(map, member->key, member);
		}
		else
			return lyf_template_fail_type(ev, "update", call->arg[i]);
	}
	*result = lyf_value_make(LYF_NULL);
	return NULL;
}

static LyfFailure *
map_pop(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *key;
	size_t		len;
	LyfValue   *map;

	LYF_TRY(lyf_arg_text(ev, call->arg[0], &key, &len));
	LYF_TRY(changeable(ev, call, &map));
	*result = lyf_value_get(map, key);
	if (*result == NULL)
		*result = call->arg[1];
	if (*result == NULL)
		return lyf_template_fail_value(ev, "pop of a key that is not there in a template");
	*result = lyf_template_share(*result);
	(void) lyf_value_remove(map, key);
	return NULL;
}

static LyfFailure *
copy_container(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LyfValue	own = *call->self;

	own.flags |= LYF_FLAG_OWN;
	*result = lyf_template_share(&own);
	return NULL;
}

static const LyfBuiltin list_methods[] = {
	{"append", list_append, 1, {"object"}},
	{"extend", list_extend, 1, {"iterable"}},
	{"index", list_index, 1, {"value"}},
	{"count", list_count, 1, {"value"}},
	{"copy", copy_container, 0},
	{NULL}
};

static const LyfBuiltin map_methods[] = {
	{"get", map_get, 1, {"key", "default"}},
	{"items", map_items, 0},
	{"keys", map_keys, 0},
	{"values", map_values, 0},
	{"update", map_update, -1},
	{"pop", map_pop, 1, {"key", "default"}},
	{"copy", copy_container, 0},
	{NULL}
};

/* which methods values of a kind have */
static const struct
{
	LyfKind		kind;
	const LyfBuiltin *methods;
}			methods_of[] = {
	{LYF_MAP, map_methods},
	{LYF_STRING, lyf_text_methods},
	{LYF_LIST, list_methods},
	{LYF_DATETIME, lyf_time_methods},
	{LYF_DATE, lyf_date_methods},
	{LYF_DURATION, lyf_duration_methods},
};

const LyfBuiltin *
lyf_template_method(const LyfValue *object, const char *name)
{
	for (int i = 0; i < lengthof(methods_of); i++)
	{
		if (methods_of[i].kind == object->kind)
			return lyf_template_find(methods_of[i].methods, name);
	}
	return NULL;
}
