/*
 * value.c
 *		The value type: making, looking into and changing values.
 *
 * Lists and maps are chains without a tail pointer: whoever builds a long one
 * keeps the place of its end himself (json.c, document.c do), and uses
 * lyf_value_append and lyf_value_set for the few that are added later.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "miscadmin.h"

#include "base/value.h"

LyfValue *
lyf_value_make(LyfKind kind)
{
	LyfValue   *value = palloc0(sizeof(LyfValue));

	value->kind = kind;
	return value;
}

LyfValue *
lyf_value_bool(bool boolean)
{
	LyfValue   *value = lyf_value_make(LYF_BOOL);

	value->u.boolean = boolean;
	return value;
}

LyfValue *
lyf_value_int(int64 integer)
{
	LyfValue   *value = lyf_value_make(LYF_INT);

	value->u.integer = integer;
	return value;
}

LyfValue *
lyf_value_number(double number)
{
	LyfValue   *value = lyf_value_make(LYF_NUMBER);

	value->u.number = number;
	return value;
}

LyfValue *
lyf_value_string(const char *text)
{
	return lyf_value_string_len(text, strlen(text));
}

LyfValue *
lyf_value_string_len(const char *text, size_t len)
{
	LyfValue   *value = lyf_value_make(LYF_STRING);
	char	   *copy = palloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	value->u.text = copy;
	value->len = len;
	return value;
}

LyfValue *
lyf_value_alias(const LyfValue *value)
{
	LyfValue   *alias = palloc(sizeof(LyfValue));

	*alias = *value;
	alias->key = NULL;
	alias->key_len = 0;
	alias->next = NULL;
	return alias;
}

static char *
copy_bytes(const char *bytes, size_t len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

LyfValue *
lyf_value_copy(const LyfValue *value)
{
	LyfValue   *copy = lyf_value_alias(value);

	check_stack_depth();
	copy->flags &= ~LYF_FLAG_QUOTED;
	if (value->kind == LYF_STRING || (value->flags & LYF_FLAG_TEXT) != 0)
		copy->u.text = copy_bytes(value->u.text, value->len);
	else if (value->kind == LYF_LIST || value->kind == LYF_MAP)
	{
		LyfValue  **end = &copy->u.first;

		*end = NULL;
		lyf_foreach(member, value)
		{
			*end = lyf_value_copy(member);
			if (member->key != NULL)
			{
				(*end)->key = copy_bytes(member->key, member->key_len);
				(*end)->key_len = member->key_len;
			}
			end = &(*end)->next;
		}
	}
	return copy;
}

/* nodes allocated at a time */
#define NODES_PER_BLOCK	256

typedef struct NodeBlock
{
	LyfValue   *next;
	int			left;
} NodeBlock;

static LyfValue *
copy_node(const LyfValue *value, NodeBlock *block)
{
	LyfValue   *copy;
	LyfValue  **end;

	if (block->left == 0)
	{
		block->next = palloc(NODES_PER_BLOCK * sizeof(LyfValue));
		block->left = NODES_PER_BLOCK;
	}
	copy = block->next++;
	block->left--;
	*copy = *value;
	copy->next = NULL;
	if (value->kind != LYF_LIST && value->kind != LYF_MAP)
		return copy;
	check_stack_depth();
	end = &copy->u.first;
	*end = NULL;
	lyf_foreach(member, value)
	{
		*end = copy_node(member, block);
		end = &(*end)->next;
	}
	return copy;
}

LyfValue *
lyf_value_copy_nodes(const LyfValue *value)
{
	NodeBlock	block = {NULL, 0};
	LyfValue   *copy = copy_node(value, &block);

	copy->key = NULL;
	copy->key_len = 0;
	return copy;
}

static inline bool
has_key(const LyfValue *member, const char *key, size_t key_len)
{
	if (member->key_len != key_len)
		return false;
	/* most keys of one length differ in their first byte */
	return key_len == 0 || (member->key[0] == key[0] && memcmp(member->key, key, key_len) == 0);
}

LyfValue *
lyf_value_get(const LyfValue *map, const char *key)
{
	return lyf_value_get_len(map, key, strlen(key));
}

LyfValue *
lyf_value_get_len(const LyfValue *map, const char *key, size_t key_len)
{
	LyfValue   *found = NULL;

	if (!lyf_value_is(map, LYF_MAP))
		return NULL;
	lyf_foreach(member, map)
	{
		if (has_key(member, key, key_len))
			found = member;
	}
	return found;
}

LyfValue *
lyf_value_at(const LyfValue *list, int64 index)
{
	LyfValue   *member;

	if (!lyf_value_is(list, LYF_LIST))
		return NULL;
	if (index < 0)
		index += list->len;
	if (index < 0 || index >= list->len)
		return NULL;
	for (member = list->u.first; index > 0 && member != NULL; index--)
		member = member->next;
	return member;
}

const char *
lyf_value_text(const LyfValue *value)
{
	return lyf_value_is(value, LYF_STRING) ? value->u.text : NULL;
}

/* powers of ten that a double holds exactly */
static const double powers[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18
};

/* integers up to this are doubles too */
#define MAX_EXACT	(INT64CONST(1) << 53)

/*
 * Where digits and power of ten are both exact, one division rounds as strtod does
 * (Clinger 1990).  Else strtod gets a copy: the digits need not be followed by what is none.
 */
double
lyf_number_double(const char *text, size_t len)
{
	char		digits[64];
	char	   *copy = digits;
	double		result;
	int64		integer;
	int			scale;

	if (lyf_plain_decimal(text, len, &integer, &scale) && integer != 0 && integer < MAX_EXACT && integer > -MAX_EXACT)
		return (double) integer / powers[scale];
	if (len >= sizeof(digits))
		copy = palloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	result = strtod(copy, NULL);
	if (copy != digits)
		pfree(copy);
	return result;
}

double
lyf_value_double(const LyfValue *value)
{
	switch (value->kind)
	{
		case LYF_BOOL:
			return value->u.boolean ? 1.0 : 0.0;
		case LYF_INT:
			return (double) value->u.integer;
		case LYF_NUMBER:
			return (value->flags & LYF_FLAG_TEXT) == 0 ? value->u.number : lyf_number_double(value->u.text, value->len);
		default:
			return 0.0;
	}
}

bool
lyf_value_whole(const LyfValue *value, int64 *integer)
{
	char	   *rest;
	double		number;

	switch (value->kind)
	{
		case LYF_INT:
			*integer = value->u.integer;
			return true;
		case LYF_NUMBER:
			number = trunc(lyf_value_double(value));
			*integer = fabs(number) < 9e18 ? (int64) number : 0;
			return fabs(number) < 9e18;
		case LYF_STRING:
			errno = 0;
			*integer = strtoll(value->u.text, &rest, 10);
			while (isspace((unsigned char) *rest))
				rest++;
			return rest != value->u.text && *rest == '\0' && errno == 0;
		default:
			return false;
	}
}

bool
lyf_value_truth(const LyfValue *value)
{
	if (value == NULL)
		return false;
	switch ((LyfKind) value->kind)
	{
		case LYF_UNDEFINED:
		case LYF_NULL:
			return false;
		case LYF_BOOL:
		case LYF_INT:
		case LYF_NUMBER:
			return lyf_value_double(value) != 0;
		case LYF_STRING:
		case LYF_LIST:
		case LYF_MAP:
			return value->len > 0;
		case LYF_DURATION:
			return value->u.span.us != 0 || value->u.span.months != 0;
		default:
			return true;
	}
}

static bool
is_numeric(const LyfValue *value)
{
	return value->kind == LYF_BOOL || value->kind == LYF_INT || value->kind == LYF_NUMBER;
}

static bool
equal_numbers(const LyfValue *a, const LyfValue *b)
{
	if (a->kind != LYF_NUMBER && b->kind != LYF_NUMBER)
	{
		int64		x = a->kind == LYF_INT ? a->u.integer : a->u.boolean;
		int64		y = b->kind == LYF_INT ? b->u.integer : b->u.boolean;

		return x == y;
	}
	if ((a->flags & b->flags & LYF_FLAG_TEXT) != 0 && a->len == b->len &&
		memcmp(a->u.text, b->u.text, a->len) == 0)
		return true;
	return lyf_value_double(a) == lyf_value_double(b);
}

static bool
equal_members(const LyfValue *a, const LyfValue *b)
{
	const LyfValue *y = b->u.first;

	if (a->len != b->len)
		return false;
	lyf_foreach(x, a)
	{
		const LyfValue *other = y;

		if (a->kind == LYF_MAP && (y == NULL || !has_key(y, x->key, x->key_len)))
			other = lyf_value_get_len(b, x->key, x->key_len);
		if (other == NULL || !lyf_value_equal(x, other))
			return false;
		y = y != NULL ? y->next : NULL;
	}
	return true;
}

bool
lyf_value_equal(const LyfValue *a, const LyfValue *b)
{
	if (is_numeric(a) && is_numeric(b))
		return equal_numbers(a, b);
	if (a->kind != b->kind)
		return false;
	switch (a->kind)
	{
		case LYF_STRING:
			return a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
		case LYF_LIST:
		case LYF_MAP:
			check_stack_depth();
			return equal_members(a, b);
		case LYF_DATETIME:
			return a->u.time.us == b->u.time.us &&
				((a->flags ^ b->flags) & LYF_FLAG_NAIVE) == 0;
		case LYF_DATE:
			return a->u.time.us == b->u.time.us;
		case LYF_DURATION:
			return a->u.span.us == b->u.span.us && a->u.span.months == b->u.span.months;
		case LYF_OPAQUE:
			return a->u.opaque == b->u.opaque;
		default:
			return true;
	}
}

/* the link that points to the last member of that key, else the link at the end */
static LyfValue **
find_link(LyfValue *map, const char *key, size_t key_len)
{
	LyfValue  **link = &map->u.first;
	LyfValue  **found = NULL;

	for (; *link != NULL; link = &(*link)->next)
	{
		if (has_key(*link, key, key_len))
			found = link;
	}
	return found != NULL ? found : link;
}

/* put a member where find_link said */
static void
set_member(LyfValue *map, LyfValue **link, const char *key, size_t key_len, LyfValue *member)
{
	if (*link == NULL)
		map->len++;
	member->next = *link != NULL ? (*link)->next : NULL;
	member->key = key;
	member->key_len = key_len;
	*link = member;
}

/* key is copied unless the member that it replaces has it already */
void
lyf_value_set(LyfValue *map, const char *key, LyfValue *member)
{
	size_t		key_len = strlen(key);
	LyfValue  **link = find_link(map, key, key_len);

	if (*link == NULL)
		set_member(map, link, copy_bytes(key, key_len), key_len, member);
	else if (*link != member)
		set_member(map, link, (*link)->key, key_len, member);
}

void
lyf_value_append(LyfValue *list, LyfValue *member)
{
	LyfValue  **link = &list->u.first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = member;
	member->key = NULL;
	member->key_len = 0;
	member->next = NULL;
	list->len++;
}

bool
lyf_value_remove(LyfValue *map, const char *key)
{
	size_t		key_len = strlen(key);
	LyfValue  **link = &map->u.first;
	bool		removed = false;

	if (map->kind != LYF_MAP)
		return false;
	while (*link != NULL)
	{
		if (has_key(*link, key, key_len))
		{
			*link = (*link)->next;
			map->len--;
			removed = true;
		}
		else
			link = &(*link)->next;
	}
	return removed;
}

/* keys in base's order, then those that only over has; either may be NULL or no map */
LyfValue *
lyf_value_merge(const LyfValue *base, const LyfValue *over)
{
	LyfValue   *merged = lyf_value_make(LYF_MAP);
	const LyfValue *sources[] = {base, over};

	for (int i = 0; i < lengthof(sources); i++)
	{
		if (!lyf_value_is(sources[i], LYF_MAP))
			continue;
		lyf_foreach(member, sources[i])
			set_member(merged, find_link(merged, member->key, member->key_len), member->key, member->key_len, lyf_value_alias(member));
	}
	return merged;
}

/* maps are merged, anything else is replaced; what is returned shares the members of both */
LyfValue *
lyf_value_merge_deep(const LyfValue *base, const LyfValue *over)
{
	LyfValue   *merged = lyf_value_merge(base, NULL);

	lyf_foreach(member, over)
	{
		const LyfValue *below = lyf_value_get(merged, member->key);
		LyfValue   *value;

		if (lyf_value_is(below, LYF_MAP) && member->kind == LYF_MAP)
			value = lyf_value_merge_deep(below, member);
		else
			value = lyf_value_alias(member);
		lyf_value_set(merged, member->key, value);
	}
	return merged;
}
