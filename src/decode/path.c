/*
 * path.c
 *		Paths into values, as the dpath library has them.
 *
 * A part is a key, a list index (negative from the end) or a glob of fnmatch's:
 * * ? [abc] [!abc].  ** stands for any number of parts, once in a path.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "decode/decode_internal.h"

/* a list grows up to this by adding a field to it */
#define MAX_LIST_INDEX	10000

LyfFailure *
lyf_path_make(const LyfComponent *c, LyfPath *path)
{
	json_t	   *part;
	size_t		index;

	path->len = 0;
	path->glob = false;
	if (!json_is_array(c->json) || json_array_size(c->json) > LYF_PATH_MAX)
		return lyf_component_invalid(c, "a path must be a list of at most %d texts", LYF_PATH_MAX);
	json_array_foreach(c->json, index, part)
	{
		if (json_is_string(part))
			path->part[path->len] = pstrdup(json_string_value(part));
		else if (json_is_integer(part))
			path->part[path->len] = psprintf(INT64_FORMAT, (int64) json_integer_value(part));
		else
			return lyf_component_invalid(c, "a path must be a list of texts");
		path->glob = path->glob || strpbrk(path->part[path->len], "*?[") != NULL;
		path->len++;
	}
	return NULL;
}

LyfFailure *
lyf_path_template_compile(const LyfComponent *c, const char *field, LyfPathTemplate *out)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, field, &count));
	if (count > LYF_PATH_MAX)
		return lyf_component_invalid(c, "%s has more than %d parts", field, LYF_PATH_MAX);
	out->part = palloc(sizeof(LyfTemplate *) * (count + 1));
	out->len = count;
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent part = lyf_component_item(c, field, i);
		const char *text = json_string_value(part.json);

		if (json_is_integer(part.json))
			text = psprintf(INT64_FORMAT, (int64) json_integer_value(part.json));
		if (text == NULL)
			return lyf_component_invalid(&part, "a text expected");
		LYF_TRY(lyf_component_compile(&part, text, &out->part[i]));
	}
	return NULL;
}

LyfFailure *
lyf_path_template_eval(const LyfPathTemplate *compiled, const LyfScope *scope, LyfPath *path)
{
	path->len = compiled->len;
	path->glob = false;
	for (int i = 0; i < path->len; i++)
	{
		char	   *text;

		LYF_TRY(lyf_template_eval_text(compiled->part[i], scope, &text));
		path->part[i] = text;
		path->glob = path->glob || strpbrk(text, "*?[") != NULL;
	}
	return NULL;
}

static bool
is_decimal(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Python's int() of a part, if it is one */
static bool
read_index(const char *part, int64 *index)
{
	char	   *end;

	if (!is_decimal(part + (*part == '-')))
		return false;
	errno = 0;
	*index = strtoll(part, &end, 10);
	return errno == 0;
}

static LyfValue *
get_child(const LyfValue *node, const char *part)
{
	int64		index;

	if (node->kind == LYF_MAP)
		return lyf_value_get(node, part);
	if (node->kind == LYF_LIST && read_index(part, &index))
		return lyf_value_at(node, index);
	return NULL;
}

LyfValue *
lyf_path_get(const LyfValue *root, const LyfPath *path)
{
	LyfValue   *node = (LyfValue *) root;

	for (int i = 0; i < path->len && node != NULL; i++)
		node = get_child(node, path->part[i]);
	return node;
}

/* a character of UTF-8, whose length is set */
static inline pg_wchar
read_character(const char *p, int *len)
{
	*len = pg_utf_mblen((const unsigned char *) p);
	return utf8_to_unicode((const unsigned char *) p);
}

/*
 * Is the character in the set that begins behind a [ ?  *end is set behind its ].
 * A set that is not closed is no set: -1.
 */
static int
match_set(const char *set, pg_wchar character, const char **end)
{
	bool		negated = *set == '!';
	bool		found = false;
	const char *p = set + negated;
	const char *first = p;

	while (*p != '\0' && (*p != ']' || p == first))
	{
		int			len;
		pg_wchar	low = read_character(p, &len);
		pg_wchar	high = low;

		p += len;
		if (p[0] == '-' && p[1] != ']' && p[1] != '\0')
		{
			high = read_character(p + 1, &len);
			p += 1 + len;
		}
		found = found || (character >= low && character <= high);
	}
	if (*p == '\0')
		return -1;
	*end = p + 1;
	return found != negated;
}

/* one step of a glob other than *: does it take the character at text?  *glob and *text move on */
static bool
match_one(const char **glob, const char **text)
{
	int			len;
	int			glob_len;
	pg_wchar	character;
	const char *end;
	int			in_set;

	if (**text == '\0')
		return false;
	character = read_character(*text, &len);
	*text += len;
	if (**glob == '?')
	{
		(*glob)++;
		return true;
	}
	in_set = **glob == '[' ? match_set(*glob + 1, character, &end) : -1;
	if (in_set >= 0)
	{
		*glob = end;
		return in_set;
	}
	if (read_character(*glob, &glob_len) != character)
		return false;
	*glob += glob_len;
	return true;
}

/* fnmatchcase: on a mismatch the last * takes one character more */
static bool
match_glob(const char *glob, const char *text)
{
	const char *star = NULL;
	const char *star_text = NULL;

	for (;;)
	{
		if (*glob == '*')
		{
			star = ++glob;
			star_text = text;
			continue;
		}
		if (*glob == '\0' && *text == '\0')
			return true;
		if (*glob != '\0' && match_one(&glob, &text))
			continue;
		if (star == NULL || *star_text == '\0')
			return false;
		star_text += pg_utf_mblen((const unsigned char *) star_text);
		glob = star;
		text = star_text;
	}
}

/* A step of the way from the root to a node, on the C stack. */
typedef struct Step
{
	const struct Step *up;
	LyfValue   *container;
	LyfValue   *node;
	uint32		index;			/* in a list */
	int			depth;			/* from 1 */
} Step;

static bool
match_part(const Step *step, const char *part)
{
	char		text[16];
	int64		index;

	if (step->container->kind == LYF_MAP)
		return match_glob(part, step->node->key);
	if (read_index(part, &index))
		return index == step->index || index + step->container->len == step->index;
	snprintf(text, sizeof(text), "%u", step->index);
	return match_glob(part, text);
}

typedef struct Search
{
	const LyfPath *path;
	int			prefix;			/* parts before the **; all, if there is none */
	bool		any_depth;		/* is there one? */
	LyfMatches  *places;
} Search;

/* the parts behind the ** must match the last steps */
static bool
match_suffix(const Search *search, const Step *step)
{
	if (step->depth < search->path->len - 1)
		return false;
	for (int i = search->path->len - 1; i > search->prefix; i--)
	{
		if (!match_part(step, search->path->part[i]))
			return false;
		step = step->up;
	}
	return true;
}

static bool
is_match(const Search *search, const Step *step)
{
	return search->any_depth ? match_suffix(search, step) : step->depth == search->prefix;
}

static void
add_place(LyfMatches *places, const Step *step)
{
	if (places->count == places->room)
	{
		places->room = Max(16, places->room * 2);
		places->match = places->match == NULL ? palloc(places->room * sizeof(LyfMatch)) :
			repalloc_huge(places->match, places->room * sizeof(LyfMatch));
	}
	places->match[places->count].container = step->container;
	places->match[places->count].value = step->node;
	places->match[places->count].index = step->index;
	places->count++;
}

/* can a match be this step or below it, by the parts before the ** ? */
static bool
fits_prefix(const Search *search, const Step *step)
{
	return step->depth > search->prefix ||
		match_part(step, search->path->part[step->depth - 1]);
}

/* children first, then what is below each of them */
static void
search_below(const Search *search, LyfValue *node, const Step *up)
{
	Step		step = {.up = up, .container = node, .depth = up != NULL ? up->depth + 1 : 1};

	if (node->kind != LYF_MAP && node->kind != LYF_LIST)
		return;
	if (!search->any_depth && step.depth > search->prefix)
		return;
	check_stack_depth();
	lyf_foreach(member, node)
	{
		step.node = member;
		if (fits_prefix(search, &step) && is_match(search, &step))
			add_place(search->places, &step);
		step.index++;
	}
	if (!search->any_depth && step.depth == search->prefix)
		return;
	step.index = 0;
	lyf_foreach(member, node)
	{
		step.node = member;
		if (fits_prefix(search, &step))
			search_below(search, member, &step);
		step.index++;
	}
}

void
lyf_path_find(LyfValue *root, const LyfPath *path, LyfMatches *places)
{
	Search		search = {.path = path, .prefix = path->len, .places = places};

	for (int i = 0; i < path->len && !search.any_depth; i++)
	{
		if (strcmp(path->part[i], "**") == 0)
		{
			search.prefix = i;
			search.any_depth = true;
		}
	}
	search_below(&search, root, NULL);
}

LyfFailure *
lyf_path_get_sole(LyfValue *root, const LyfPath *path, LyfValue **value)
{
	LyfMatches	matches = {0};

	*value = path->glob ? NULL : lyf_path_get(root, path);
	if (!path->glob)
		return NULL;
	lyf_path_find(root, path, &matches);
	if (matches.count > 1)
		return lyf_failure(ERRCODE_DATA_EXCEPTION, "a path matches more than one value");
	if (matches.count == 1)
		*value = matches.match[0].value;
	return NULL;
}

void
lyf_path_find_all(LyfValue *root, LyfMatches *places)
{
	static const LyfPath everything = {.len = 1, .part = {"**"}, .glob = true};

	lyf_path_find(root, &everything, places);
}

static LyfFailure *
cannot_set(const LyfPath *path, int i)
{
	return lyf_failure(ERRCODE_INVALID_TEXT_REPRESENTATION,
					   "field \"%s\" cannot be added: there is no object or list above it", path->part[i]);
}

/* put value where part says; in a list at its index, with nulls before it */
static LyfFailure *
set_child(LyfValue *node, const LyfPath *path, int i, LyfValue *value)
{
	int64		index;
	LyfValue  **link;

	if (node->kind == LYF_MAP)
	{
		lyf_value_set(node, path->part[i], value);
		return NULL;
	}
	if (node->kind != LYF_LIST || !is_decimal(path->part[i]) ||
		!read_index(path->part[i], &index) || index > MAX_LIST_INDEX)
		return cannot_set(path, i);
	for (link = &node->u.first; index > 0; index--)
	{
		if (*link == NULL)
		{
			*link = lyf_value_make(LYF_NULL);
			node->len++;
		}
		link = &(*link)->next;
	}
	node->len += *link == NULL;
	value->next = *link != NULL ? (*link)->next : NULL;
	*link = value;
	return NULL;
}

LyfFailure *
lyf_path_set(LyfValue *root, const LyfPath *path, LyfValue *value)
{
	LyfValue   *node = root;

	for (int i = 0; i < path->len - 1; i++)
	{
		LyfValue   *child = get_child(node, path->part[i]);

		if (child == NULL)
		{
			child = lyf_value_make(is_decimal(path->part[i + 1]) ? LYF_LIST : LYF_MAP);
			LYF_TRY(set_child(node, path, i, child));
		}
		if (child->kind != LYF_MAP && child->kind != LYF_LIST)
			return cannot_set(path, i + 1);
		node = child;
	}
	return set_child(node, path, path->len - 1, value);
}

void
lyf_match_remove(const LyfMatch *place)
{
	LyfValue   *container = place->container;
	LyfValue  **link = &container->u.first;

	if (container->kind == LYF_LIST && place->index + 1 != container->len)
	{
		place->value->kind = LYF_NULL;
		place->value->flags = 0;
		place->value->len = 0;
		return;
	}
	while (*link != NULL && *link != place->value)
		link = &(*link)->next;
	if (*link == NULL)
		return;
	*link = place->value->next;
	container->len--;
}

/* taking out others may have taken it out, too */
bool
lyf_match_holds(const LyfMatch *place)
{
	return place->container->kind == LYF_MAP || place->index < place->container->len;
}

void
lyf_match_set(const LyfMatch *place, const LyfValue *value)
{
	place->value->kind = value->kind;
	place->value->flags = value->flags;
	place->value->len = value->len;
	place->value->u = value->u;
}

void
lyf_path_remove(LyfValue *root, const LyfPath *path)
{
	LyfMatches	places = {0};

	if (path->len == 1 && !path->glob)
	{
		lyf_value_remove(root, path->part[0]);
		return;
	}
	lyf_path_find(root, path, &places);
	for (int i = 0; i < places.count; i++)
	{
		if (lyf_match_holds(&places.match[i]))
			lyf_match_remove(&places.match[i]);
	}
}
