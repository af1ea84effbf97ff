/*
 * transform_keys.c
 *		Transformations of keys and of nesting: KeysToLower, KeysToSnakeCase,
 *		KeysReplace, FlattenFields, DpathFlattenFields.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "decode/decode_internal.h"

static void
clear(LyfValue *map)
{
	map->u.first = NULL;
	map->len = 0;
}

typedef const char *(*RenameFunction) (void *arg, const LyfValue *member);

/* give each member the key that rename makes of its own; of those that become equal the last one counts */
static void
rename_keys(LyfValue *map, bool deep, RenameFunction rename, void *arg)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	lyf_foreach(member, map)
	{
		if (deep && member->kind == LYF_MAP)
			rename_keys(member, deep, rename, arg);
		member->key = rename(arg, member);
		member->key_len = strlen(member->key);
	}
	lyf_value_unique(map);
}

static LyfFailure *
compile_nothing(const LyfComponent *c, void **state)
{
	*state = NULL;
	return NULL;
}

/* only letters of ASCII: those of other alphabets keep their case */
static const char *
lower_key(void *arg, const LyfValue *member)
{
	char	   *key = pnstrdup(member->key, member->key_len);

	for (char *p = key; *p != '\0'; p++)
		*p = pg_ascii_tolower(*p);
	return key;
}

static LyfFailure *
apply_keys_to_lower(void *state, const LyfScope *scope, LyfValue *record)
{
	rename_keys(record, false, lower_key, NULL);
	return NULL;
}

/* the length of the token at p: capitals with the small letters behind, small letters, digits, or others */
static size_t
token_length(const char *p, bool *is_word)
{
	const char *start = p;

	*is_word = true;
	if (isupper((unsigned char) *p) || islower((unsigned char) *p))
	{
		while (isupper((unsigned char) *p))
			p++;
		while (islower((unsigned char) *p))
			p++;
	}
	else if (isdigit((unsigned char) *p))
	{
		while (isdigit((unsigned char) *p))
			p++;
	}
	else
	{
		*is_word = false;
		while (*p != '\0' && !isalnum((unsigned char) *p))
			p++;
	}
	return p - start;
}

/*
 * Tokens in small letters with _ between them.  What is between words is an empty token that
 * counts at both ends only; before a leading number there is one too.
 */
static const char *
snake_key(void *arg, const LyfValue *member)
{
	const char *p = pnstrdup(member->key, member->key_len);
	StringInfoData out;
	bool		first = true;

	initStringInfo(&out);
	while (*p != '\0')
	{
		bool		is_word;
		size_t		len = token_length(p, &is_word);

		if (is_word || first || p[len] == '\0')
		{
			if (!first || isdigit((unsigned char) *p))
				appendStringInfoChar(&out, '_');
			for (size_t i = 0; i < len && is_word; i++)
				appendStringInfoChar(&out, pg_ascii_tolower(p[i]));
			first = false;
		}
		p += len;
	}
	return out.data;
}

static LyfFailure *
apply_keys_to_snake_case(void *state, const LyfScope *scope, LyfValue *record)
{
	rename_keys(record, true, snake_key, NULL);
	return NULL;
}

typedef struct KeysReplace
{
	LyfTemplate *old_text;
	LyfTemplate *new_text;
} KeysReplace;

static LyfFailure *
compile_keys_replace(const LyfComponent *c, void **state)
{
	KeysReplace *replace = palloc0(sizeof(KeysReplace));

	*state = replace;
	LYF_TRY(lyf_component_required_template(c, "old", &replace->old_text));
	return lyf_component_required_template(c, "new", &replace->new_text);
}

typedef struct Replacement
{
	char	   *old_text;
	char	   *new_text;
} Replacement;

/* what replacing an empty text is in Python: the new one before each character and at the end */
static const char *
put_between(const char *key, const char *text)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*key != '\0')
	{
		int			len = pg_utf_mblen((const unsigned char *) key);

		appendStringInfoString(&out, text);
		appendBinaryStringInfo(&out, key, len);
		key += len;
	}
	appendStringInfoString(&out, text);
	return out.data;
}

static const char *
replace_in_key(void *arg, const LyfValue *member)
{
	const Replacement *replacement = arg;
	size_t		len = strlen(replacement->old_text);
	const char *p = member->key;
	const char *hit;
	StringInfoData out;

	if (len == 0)
		return put_between(member->key, replacement->new_text);
	initStringInfo(&out);
	while ((hit = strstr(p, replacement->old_text)) != NULL)
	{
		appendBinaryStringInfo(&out, p, hit - p);
		appendStringInfoString(&out, replacement->new_text);
		p = hit + len;
	}
	appendStringInfoString(&out, p);
	return out.data;
}

static LyfFailure *
apply_keys_replace(void *state, const LyfScope *scope, LyfValue *record)
{
	KeysReplace *replace = state;
	Replacement replacement;

	LYF_TRY(lyf_template_eval_text(replace->old_text, scope, &replacement.old_text));
	LYF_TRY(lyf_template_eval_text(replace->new_text, scope, &replacement.new_text));
	rename_keys(record, true, replace_in_key, &replacement);
	return NULL;
}

typedef struct FlattenFields
{
	bool		flatten_lists;
} FlattenFields;

static LyfFailure *
compile_flatten_fields(const LyfComponent *c, void **state)
{
	FlattenFields *flatten = palloc0(sizeof(FlattenFields));

	*state = flatten;
	return lyf_component_bool(c, "flatten_lists", true, &flatten->flatten_lists);
}

/* A value that is still to be flattened, and the key that it has if it is not. */
typedef struct Pending
{
	struct Pending *below;
	LyfValue   *value;
	const char *key;
} Pending;

static Pending *
push(Pending *top, LyfValue *value, const char *key)
{
	Pending    *pending = palloc(sizeof(Pending));

	pending->below = top;
	pending->value = value;
	pending->key = key;
	return pending;
}

/*
 * The last one first, as the reference engine's stack has it; a key that is taken, or any
 * below a list, gets the key of what is above before it.
 */
static LyfFailure *
apply_flatten_fields(void *state, const LyfScope *scope, LyfValue *record)
{
	FlattenFields *flatten = state;
	LyfValue   *flat = lyf_value_make(LYF_MAP);
	Pending    *top = push(NULL, lyf_value_alias(record), "_");
	bool		in_list = false;

	while (top != NULL)
	{
		LyfValue   *value = top->value;
		const char *key = top->key;
		int			index = 0;

		CHECK_FOR_INTERRUPTS();
		top = top->below;
		if (value->kind == LYF_MAP)
		{
			lyf_foreach(member, value)
				top = push(top, member, in_list || lyf_value_get(flat, member->key) != NULL ?
						   psprintf("%s.%s", key, member->key) : member->key);
		}
		else if (value->kind == LYF_LIST && flatten->flatten_lists)
		{
			in_list = in_list || value->len > 0;
			lyf_foreach(item, value)
				top = push(top, item, psprintf("%s.%d", key, index++));
		}
		else
			lyf_value_set(flat, key, lyf_value_alias(value));
	}
	record->u.first = flat->u.first;
	record->len = flat->len;
	return NULL;
}

typedef struct DpathFlatten
{
	LyfTemplate **path;
	int			path_len;
	bool		delete_origin;
	bool		replace_record;
	LyfTemplate *prefix;		/* or NULL */
	LyfTemplate *suffix;
} DpathFlatten;

static LyfFailure *
compile_dpath_flatten(const LyfComponent *c, void **state)
{
	DpathFlatten *flatten = palloc0(sizeof(DpathFlatten));
	LyfComponent keys = lyf_component_child(c, "key_transformation");

	*state = flatten;
	flatten->path_len = lyf_component_count(c, "field_path");
	if (flatten->path_len == 0 || flatten->path_len > LYF_PATH_MAX)
		return lyf_component_invalid(c, "field_path must have 1 to %d parts", LYF_PATH_MAX);
	flatten->path = palloc(sizeof(LyfTemplate *) * flatten->path_len);
	for (int i = 0; i < flatten->path_len; i++)
	{
		LyfComponent part = lyf_component_item(c, "field_path", i);

		if (!json_is_string(part.json))
			return lyf_component_invalid(&part, "a text expected");
		LYF_TRY(lyf_component_compile(&part, json_string_value(part.json), &flatten->path[i]));
	}
	LYF_TRY(lyf_component_bool(c, "delete_origin_value", false, &flatten->delete_origin));
	LYF_TRY(lyf_component_bool(c, "replace_record", false, &flatten->replace_record));
	LYF_TRY(lyf_component_template(&keys, "prefix", &flatten->prefix));
	return lyf_component_template(&keys, "suffix", &flatten->suffix);
}

static LyfFailure *
eval_path(const DpathFlatten *flatten, const LyfScope *scope, LyfPath *path)
{
	path->len = flatten->path_len;
	path->glob = false;
	for (int i = 0; i < path->len; i++)
	{
		char	   *text;

		LYF_TRY(lyf_template_eval_text(flatten->path[i], scope, &text));
		path->part[i] = text;
		path->glob = path->glob || strpbrk(text, "*?[") != NULL;
	}
	return NULL;
}

/* a copy of the map with prefix and suffix around its keys */
static LyfFailure *
surround_keys(const DpathFlatten *flatten, const LyfScope *scope, const LyfValue *map, LyfValue **out)
{
	char	   *prefix = "";
	char	   *suffix = "";

	if (flatten->prefix != NULL)
		LYF_TRY(lyf_template_eval_text(flatten->prefix, scope, &prefix));
	if (flatten->suffix != NULL)
		LYF_TRY(lyf_template_eval_text(flatten->suffix, scope, &suffix));
	*out = lyf_value_copy(map);
	lyf_foreach(member, *out)
	{
		member->key = psprintf("%s%s%s", prefix, member->key, suffix);
		member->key_len = strlen(member->key);
	}
	lyf_value_unique(*out);
	return NULL;
}

/* the keys of members are none of the record's */
static void
add_members(LyfValue *record, LyfValue *members)
{
	LyfValue  **end = &record->u.first;

	while (*end != NULL)
		end = &(*end)->next;
	*end = members->u.first;
	record->len += members->len;
}

static bool
have_common_key(const LyfValue *a, const LyfValue *b)
{
	lyf_foreach(member, a)
	{
		CHECK_FOR_INTERRUPTS();
		if (lyf_value_get_len(b, member->key, member->key_len) != NULL)
			return true;
	}
	return false;
}

/* the members of the map at the path become the record's own, unless one of their keys is taken */
static LyfFailure *
apply_dpath_flatten(void *state, const LyfScope *scope, LyfValue *record)
{
	DpathFlatten *flatten = state;
	LyfPath		path;
	LyfMatches	places = {0};
	LyfValue   *members;

	LYF_TRY(eval_path(flatten, scope, &path));
	lyf_path_find(record, &path, &places);
	if (places.count == 0 || places.match[0].value->kind != LYF_MAP)
		return NULL;
	LYF_TRY(surround_keys(flatten, scope, places.match[0].value, &members));
	if (flatten->replace_record && members->len > 0)
		clear(record);
	else if (have_common_key(members, record))
		return NULL;
	else if (flatten->delete_origin)
	{
		for (int i = 0; i < places.count; i++)
			lyf_match_remove(&places.match[i]);
	}
	add_members(record, members);
	return NULL;
}

const LyfTransformKind lyf_keys_to_lower = {
	"KeysToLower", compile_nothing, apply_keys_to_lower, NULL
};

const LyfTransformKind lyf_keys_to_snake_case = {
	"KeysToSnakeCase", compile_nothing, apply_keys_to_snake_case, NULL
};

const LyfTransformKind lyf_keys_replace = {
	"KeysReplace", compile_keys_replace, apply_keys_replace, NULL
};

const LyfTransformKind lyf_flatten_fields = {
	"FlattenFields", compile_flatten_fields, apply_flatten_fields, NULL
};

const LyfTransformKind lyf_dpath_flatten_fields = {
	"DpathFlattenFields", compile_dpath_flatten, apply_dpath_flatten, NULL
};
