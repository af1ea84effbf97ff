/*
 * manifest.c
 *		YAML to a resolved manifest.
 *
 * Three steps, as the reference engine takes them.  References: a string "#/a/b"
 * becomes what stands at that path, "$ref" splats it into its map under the map's
 * own keys.  Types: a component without `type` gets the one its place calls for.
 * Parameters: each component's $parameters go down to all components within it, as
 * fields where those are missing or empty, and as the `parameters` of their templates.
 *
 * jansson trees may share subtrees, and resolved references do.  What a manifest
 * would be with nothing shared is counted and bounded, for whoever walks it later.
 * All nodes made on the way are held by one list, which belongs to a memory
 * context: an error anywhere leaks none.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "connector/connector.h"
#include "connector/manifest_internal.h"

#define MANIFEST_MAX_NODES	2000000
#define MANIFEST_MAX_DEPTH	200

LyfPlace
lyf_place_key(const LyfPlace *outer, const char *key)
{
	LyfPlace	place = {outer, key, 0, outer->depth + 1};

	return place;
}

LyfPlace
lyf_place_item(const LyfPlace *outer, size_t index)
{
	LyfPlace	place = {outer, NULL, index, outer->depth + 1};

	return place;
}

static void
print_place(StringInfo out, const LyfPlace *place)
{
	if (place->outer == NULL)
		return;
	print_place(out, place->outer);
	if (place->key == NULL)
		appendStringInfo(out, "[%zu]", place->index);
	else
		appendStringInfo(out, "%s%s", out->len > 0 ? "." : "", place->key);
}

/* add where it is to a failure */
LyfFailure *
lyf_place_failure(LyfFailure *failure, const LyfPlace *place)
{
	StringInfoData path;

	initStringInfo(&path);
	print_place(&path, place);
	return lyf_failure_detail(failure, "It stands at %s.", path.len > 0 ? path.data : "the top of the manifest");
}

json_t *
lyf_resolver_checked(json_t *json)
{
	if (json == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A manifest is being resolved.")));
	return json;
}

/* let the resolver hold a new node; what is returned is borrowed */
json_t *
lyf_resolver_keep(LyfResolver *resolver, json_t *json)
{
	lyf_resolver_checked(json);
	if (json_array_append_new(resolver->nodes, json) != 0)
		lyf_resolver_checked(NULL);
	return json;
}

void
lyf_resolver_set_member(json_t *map, const char *key, json_t *value)
{
	if (json_object_set_nocheck(map, key, value) != 0)
		lyf_resolver_checked(NULL);
}

void
lyf_resolver_append_item(json_t *list, json_t *value)
{
	if (json_array_append(list, value) != 0)
		lyf_resolver_checked(NULL);
}

/* account for nodes; and mind the depth */
LyfFailure *
lyf_resolver_grow(LyfResolver *resolver, int64 nodes, const LyfPlace *place)
{
	CHECK_FOR_INTERRUPTS();
	resolver->count += nodes;
	if (resolver->count > MANIFEST_MAX_NODES)
		return lyf_place_failure(lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
									"manifest has more than %d parts once its references and parameters are filled in",
									MANIFEST_MAX_NODES), place);
	if (place->depth > MANIFEST_MAX_DEPTH)
		return lyf_place_failure(lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
									"manifest is nested more than %d levels deep", MANIFEST_MAX_DEPTH), place);
	return NULL;
}

/* count a subtree that is taken over as it is */
static LyfFailure *
grow_tree(LyfResolver *resolver, json_t *json, const LyfPlace *place)
{
	const char *key;
	json_t	   *value;
	size_t		i;

	LYF_TRY(lyf_resolver_grow(resolver, 1, place));
	if (json_is_object(json))
	{
		json_object_foreach(json, key, value)
		{
			LyfPlace	inner = lyf_place_key(place, key);

			LYF_TRY(grow_tree(resolver, value, &inner));
		}
	}
	else if (json_is_array(json))
	{
		json_array_foreach(json, i, value)
		{
			LyfPlace	inner = lyf_place_item(place, i);

			LYF_TRY(grow_tree(resolver, value, &inner));
		}
	}
	return NULL;
}

/*
 * One step down a reference's path: a key of a map, an index (from the end if
 * negative) of a list.
 */
static json_t *
look_up_step(json_t *json, const char *step)
{
	char	   *end;
	long		index;

	if (json_is_object(json))
		return json_object_get(json, step);
	if (!json_is_array(json) || *step == '\0')
		return NULL;
	index = strtol(step, &end, 10);
	if (*end != '\0')
		return NULL;
	if (index < 0)
		index += (long) json_array_size(json);
	return index < 0 ? NULL : json_array_get(json, (size_t) index);
}

/*
 * What stands at "a/b/c": the rest of the path is tried as one key first, since
 * keys may hold slashes; then its first part.  NULL if nothing does.
 */
static json_t *
look_up(json_t *json, const char *path)
{
	while (*path != '\0' && json != NULL)
	{
		const char *slash = strchr(path, '/');
		json_t	   *whole = json_is_object(json) ? json_object_get(json, path) : NULL;

		if (whole != NULL)
			return whole;
		if (slash == NULL)
			return look_up_step(json, path);
		json = look_up_step(json, pnstrdup(path, slash - path));
		path = slash + 1;
	}
	return json;
}

static bool
is_reference(const json_t *json)
{
	return json_is_string(json) && strncmp(json_string_value(json), "#/", 2) == 0;
}

static LyfFailure *resolve(LyfResolver *resolver, json_t *json, const LyfPlace *place, json_t **out);

/* What a reference stands for, resolved; worked out once, then shared. */
static LyfFailure *
resolve_reference(LyfResolver *resolver, const char *reference, const LyfPlace *place, json_t **out)
{
	json_t	   *known = json_object_get(resolver->targets, reference);
	int64		before = resolver->count;
	json_t	   *target;

	if (known != NULL && json_object_get(resolver->sizes, reference) != NULL)
	{
		*out = known;
		return lyf_resolver_grow(resolver, json_integer_value(json_object_get(resolver->sizes, reference)), place);
	}
	if (known != NULL)
		return lyf_place_failure(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
									"reference \"%s\" leads back to itself", reference), place);
	target = look_up(resolver->manifest, reference + 2);
	if (target == NULL)
		return lyf_place_failure(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
									"reference \"%s\" leads nowhere", reference), place);

	lyf_resolver_set_member(resolver->targets, reference, json_null());
	LYF_TRY(resolve(resolver, target, place, out));
	lyf_resolver_set_member(resolver->targets, reference, *out);
	lyf_resolver_set_member(resolver->sizes, reference, lyf_resolver_keep(resolver, json_integer(resolver->count - before)));
	return NULL;
}

static LyfFailure *
resolve_map(LyfResolver *resolver, json_t *map, const LyfPlace *place, json_t **out)
{
	json_t	   *reference = json_object_get(map, "$ref");
	json_t	   *result = lyf_resolver_keep(resolver, lyf_document_object());
	const char *key;
	json_t	   *value;

	if (reference != NULL)
	{
		json_t	   *target;

		LYF_TRY(resolve(resolver, reference, place, &target));
		if (!json_is_object(target))
		{
			*out = target;
			return NULL;
		}
		if (json_object_update(result, target) != 0)
			lyf_resolver_checked(NULL);
	}
	json_object_foreach(map, key, value)
	{
		LyfPlace	inner = lyf_place_key(place, key);

		if (strcmp(key, "$ref") == 0)
			continue;
		/* what a configuration would hold is no part of the manifest */
		if (strcmp(key, "config_overrides") == 0)
			LYF_TRY(grow_tree(resolver, value, &inner));
		else
			LYF_TRY(resolve(resolver, value, &inner, &value));
		lyf_resolver_set_member(result, key, value);
	}
	*out = result;
	return NULL;
}

static LyfFailure *
resolve_list(LyfResolver *resolver, json_t *list, const LyfPlace *place, json_t **out)
{
	json_t	   *value;
	size_t		i;

	*out = lyf_resolver_keep(resolver, json_array());
	json_array_foreach(list, i, value)
	{
		LyfPlace	inner = lyf_place_item(place, i);

		LYF_TRY(resolve(resolver, value, &inner, &value));
		lyf_resolver_append_item(*out, value);
	}
	return NULL;
}

/* A node without references.  It is held by the resolver, and may be shared. */
static LyfFailure *
resolve(LyfResolver *resolver, json_t *json, const LyfPlace *place, json_t **out)
{
	LyfPlace	inner = *place;

	LYF_TRY(lyf_resolver_grow(resolver, 1, place));
	if (json_is_object(json))
		return resolve_map(resolver, json, place, out);
	if (json_is_array(json))
		return resolve_list(resolver, json, place, out);
	if (is_reference(json))
	{
		inner.depth++;			/* a chain of references is depth, too */
		return resolve_reference(resolver, json_string_value(json), &inner, out);
	}
	*out = json;
	return NULL;
}

/* Is it a manifest at all? */
static LyfFailure *
check_shape(const json_t *manifest)
{
	static const char *const lists[] = {"streams", "dynamic_streams"};
	size_t		streams = 0;

	for (int i = 0; i < lengthof(lists); i++)
	{
		const json_t *list = json_object_get(manifest, lists[i]);
		json_t	   *stream;
		size_t		n;

		if (list == NULL || json_is_null(list))
			continue;
		if (!json_is_array(list))
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "manifest's \"%s\" must be a list", lists[i]);
		json_array_foreach(list, n, stream)
		{
			if (!json_is_object(stream))
				return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
								   "manifest's %s[%zu] must be a map", lists[i], n);
		}
		streams += json_array_size(list);
	}
	if (streams == 0)
		return lyf_failure_hint(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "manifest has no streams"),
								"A manifest is a map with at least \"check\", \"streams\" and \"spec\".");
	return NULL;
}

static LyfFailure *
resolve_all(LyfResolver *resolver, json_t **resolved)
{
	const json_t *type = json_object_get(resolver->manifest, "type");
	LyfPlace	top = {0};
	json_t	   *filled;

	if (!json_is_object(resolver->manifest))
		return lyf_failure_hint(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "manifest must be a map"),
								"A manifest is a map with at least \"check\", \"streams\" and \"spec\".");
	if (type == NULL)
		lyf_resolver_set_member(resolver->manifest, "type", lyf_resolver_keep(resolver, json_string("DeclarativeSource")));
	else if (!json_is_string(type) || strcmp(json_string_value(type), "DeclarativeSource") != 0)
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "manifest's type must be DeclarativeSource");

	LYF_TRY(resolve(resolver, resolver->manifest, &top, &filled));
	resolver->count = 0;
	LYF_TRY(lyf_manifest_propagate(resolver, filled, &top, resolved));
	resolver->count = 0;
	LYF_TRY(grow_tree(resolver, *resolved, &top));
	return check_shape(*resolved);
}

/* a resolver that is ready, in CurrentMemoryContext */
static void
init_resolver(LyfResolver *resolver)
{
	resolver->nodes = lyf_document_own(lyf_resolver_checked(json_array()));
	resolver->targets = lyf_resolver_keep(resolver, lyf_document_object());
	resolver->sizes = lyf_resolver_keep(resolver, lyf_document_object());
}

/* what was made in cxt becomes the caller's: the result, or the failure; cxt goes */
static LyfFailure *
hand_over(MemoryContext cxt, MemoryContext caller, LyfFailure *failure, json_t *result)
{
	MemoryContextSwitchTo(caller);
	if (failure != NULL)
		failure = lyf_failure_copy(failure);
	else
		lyf_document_own(json_incref(result));
	MemoryContextDelete(cxt);
	return failure;
}

/*
 * The resolved manifest belongs to CurrentMemoryContext, a failure too: parse
 * errors name the line, others the path.  Parts of it may be shared with others.
 */
LyfFailure *
lyf_manifest_resolve(const char *yaml, size_t len, json_t **resolved)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "lyftron manifest", ALLOCSET_DEFAULT_SIZES);
	LyfResolver	resolver = {0};
	LyfFailure *failure;

	MemoryContextSwitchTo(cxt);
	*resolved = NULL;
	failure = lyf_document_from_yaml(yaml, len, &resolver.manifest);
	if (failure == NULL)
	{
		init_resolver(&resolver);
		failure = resolve_all(&resolver, resolved);
	}
	return hand_over(cxt, caller, failure, *resolved);
}

LyfFailure *
lyf_manifest_fill(json_t *component, bool outer_first, json_t **filled)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "lyftron manifest", ALLOCSET_DEFAULT_SIZES);
	LyfResolver	resolver = {.outer_first = outer_first};
	LyfPlace	top = {0};
	LyfFailure *failure;

	MemoryContextSwitchTo(cxt);
	*filled = NULL;
	init_resolver(&resolver);
	failure = lyf_manifest_propagate(&resolver, component, &top, filled);
	return hand_over(cxt, caller, failure, *filled);
}
