/*
 * template_container.c
 *		Lists, maps and texts as containers in templates: made, gone through, and
 *		looked into by index and slice.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "base/template_internal.h"

LyfValue *
lyf_template_share(const LyfValue *value)
{
	LyfValue   *copy = lyf_value_alias(value);

	if ((value->flags & LYF_FLAG_OWN) != 0)
	{
		LyfValue  **end = &copy->u.first;

		check_stack_depth();
		*end = NULL;
		lyf_foreach(member, value)
		{
			*end = lyf_template_share(member);
			(*end)->key = member->key;
			(*end)->key_len = member->key_len;
			end = &(*end)->next;
		}
	}
	return copy;
}

void
lyf_list_begin(LyfListMaker *maker)
{
	maker->list = lyf_value_make(LYF_LIST);
	maker->list->flags = LYF_FLAG_OWN;
	maker->end = &maker->list->u.first;
}

LyfFailure *
lyf_list_add(LyfEval *ev, LyfListMaker *maker, const LyfValue *value)
{
	LyfValue   *member = lyf_template_share(value);

	if (maker->list->len >= LYF_TEMPLATE_MAX_ITEMS)
		return lyf_template_fail_limit(ev, "a list that a template makes is too long");
	CHECK_FOR_INTERRUPTS();
	LYF_TRY(lyf_template_check_memory(ev));
	*maker->end = member;
	maker->end = &member->next;
	maker->list->len++;
	return NULL;
}

LyfValue *
lyf_template_new_map(void)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);

	map->flags = LYF_FLAG_OWN;
	return map;
}

void
lyf_template_put(LyfValue *map, const char *key, const LyfValue *value)
{
	lyf_value_set(map, key, lyf_template_share(value));
}

LyfFailure *
lyf_template_iterate(LyfEval *ev, const LyfValue *value, LyfValue **list)
{
	LyfListMaker maker;

	if (value->kind == LYF_LIST)
	{
		*list = unconstify(LyfValue *, value);
		return NULL;
	}
	lyf_list_begin(&maker);
	*list = maker.list;
	if (value->kind == LYF_UNDEFINED)
		return NULL;
	if (value->kind == LYF_MAP)
	{
		lyf_foreach(member, value)
			LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(member->key, member->key_len)));
		return NULL;
	}
	if (value->kind != LYF_STRING)
		return lyf_template_fail_type(ev, "going through its members", value);
	for (const char *at = value->u.text; at < value->u.text + value->len;)
	{
		int			len = pg_utf_mblen((const unsigned char *) at);

		LYF_TRY(lyf_list_add(ev, &maker, lyf_value_string_len(at, len)));
		at += len;
	}
	return NULL;
}

static LyfValue *
character_at(const LyfValue *text, int64 index)
{
	const char *end = text->u.text + text->len;
	int64		length = lyf_text_length(text->u.text, text->len);
	const char *at;

	if (index < 0)
		index += length;
	if (index < 0 || index >= length)
		return NULL;
	at = lyf_text_skip(text->u.text, end, index);
	return lyf_value_string_len(at, lyf_text_skip(at, end, 1) - at);
}

LyfValue *
lyf_template_item(const LyfValue *object, const LyfValue *key)
{
	LyfValue   *value = NULL;

	if (key->kind == LYF_STRING)
	{
		value = lyf_value_get_len(object, key->u.text, key->len);
		if (value == NULL)
			return lyf_template_attribute(object, key->u.text, key->len);
	}
	else if (lyf_template_is_int(key))
	{
		int64		index = key->kind == LYF_BOOL ? key->u.boolean : key->u.integer;

		value = object->kind == LYF_STRING ? character_at(object, index) : lyf_value_at(object, index);
	}
	return value != NULL ? value : unconstify(LyfValue *, &lyf_template_undefined);
}

/* one bound of a slice; *given is whether there is one; false if it is no integer */
static LyfFailure *
slice_bound(LyfEval *ev, const LyfNode *node, int64 *bound, bool *given, bool *right_type)
{
	LyfValue   *value;

	*given = false;
	if (node == NULL)
		return NULL;
	LYF_TRY(lyf_template_run(ev, node, &value));
	if (value->kind == LYF_NULL)
		return NULL;
	if (!lyf_template_is_int(value))
	{
		*right_type = false;
		return NULL;
	}
	*given = true;
	*bound = value->kind == LYF_BOOL ? value->u.boolean : value->u.integer;
	*bound = Max(Min(*bound, PG_INT32_MAX), -PG_INT32_MAX);
	return NULL;
}

static int64
clip(int64 bound, int64 length, int64 low, int64 high)
{
	if (bound < 0)
		bound += length;
	return Max(Min(bound, high), low);
}

/* the members first, first+step, ... before last of a list */
static LyfFailure *
pick_members(LyfEval *ev, const LyfValue *list, int64 first, int64 last, int64 step, LyfValue **result)
{
	LyfListMaker maker;
	LyfValue  **members = palloc((list->len + 1) * sizeof(LyfValue *));
	int64		count = 0;

	lyf_foreach(member, list)
	{
		if (count < list->len)
			members[count++] = member;
	}
	lyf_list_begin(&maker);
	maker.list->flags |= list->flags & LYF_FLAG_TUPLE;
	for (int64 i = first; step > 0 ? i < last : i > last; i += step)
		LYF_TRY(lyf_list_add(ev, &maker, members[i]));
	pfree(members);
	*result = maker.list;
	return NULL;
}

static LyfFailure *
slice_text(LyfEval *ev, const LyfValue *text, int64 first, int64 last, int64 step, LyfValue **result)
{
	const char *end = text->u.text + text->len;
	LyfValue   *characters;
	StringInfoData out;

	if (step == 1)
	{
		const char *start = lyf_text_skip(text->u.text, end, first);

		last = Max(first, last);
		*result = lyf_value_string_len(start, lyf_text_skip(start, end, last - first) - start);
		return NULL;
	}
	LYF_TRY(lyf_template_iterate(ev, text, &characters));
	LYF_TRY(pick_members(ev, characters, first, last, step, &characters));
	initStringInfo(&out);
	lyf_foreach(character, characters)
		appendBinaryStringInfo(&out, character->u.text, character->len);
	*result = lyf_template_take(&out);
	return NULL;
}

/* left: object, right, third and list: the bounds and the step, each may be NULL */
LyfFailure *
lyf_run_slice(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *object;
	int64		first = 0;
	int64		last = 0;
	int64		step = 1;
	int64		length;
	bool		given[3];
	bool		right_type = true;

	LYF_TRY(lyf_template_run(ev, node->left, &object));
	LYF_TRY(slice_bound(ev, node->right, &first, &given[0], &right_type));
	LYF_TRY(slice_bound(ev, node->third, &last, &given[1], &right_type));
	LYF_TRY(slice_bound(ev, node->list, &step, &given[2], &right_type));
	if (object->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	if (!right_type || (object->kind != LYF_STRING && object->kind != LYF_LIST))
		return lyf_template_fail_type(ev, "a slice", object);
	if (step == 0)
		return lyf_template_fail_value(ev, "a slice in a template has step zero");
	length = object->kind == LYF_LIST ? object->len : lyf_text_length(object->u.text, object->len);
	if (step > 0)
	{
		first = given[0] ? clip(first, length, 0, length) : 0;
		last = given[1] ? clip(last, length, 0, length) : length;
	}
	else
	{
		first = given[0] ? clip(first, length, -1, length - 1) : length - 1;
		last = given[1] ? clip(last, length, -1, length - 1) : -1;
	}
	if (object->kind == LYF_STRING)
		return slice_text(ev, object, first, last, step, result);
	return pick_members(ev, object, first, last, step, result);
}
