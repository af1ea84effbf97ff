/*
 * manifest_internal.h
 *		What the steps of resolving a manifest share.
 */
#ifndef LYF_MANIFEST_INTERNAL_H
#define LYF_MANIFEST_INTERNAL_H

#include "base/document.h"

/* Where in the manifest we are, from the inside out */
typedef struct LyfPlace
{
	const struct LyfPlace *outer;
	const char *key;			/* or NULL: an item */
	size_t		index;
	int			depth;
} LyfPlace;

typedef struct LyfResolver
{
	json_t	   *manifest;
	json_t	   *nodes;			/* list of all that was made */
	json_t	   *targets;		/* reference -> what it resolves to; null while on it */
	json_t	   *sizes;			/* reference -> nodes in that */
	int64		count;			/* nodes so far, nothing shared */
	bool		outer_first;	/* parameters from outside win over a component's own */
} LyfResolver;

/* a place inside of another; and a failure that says where it is */
extern LyfPlace lyf_place_key(const LyfPlace *outer, const char *key);
extern LyfPlace lyf_place_item(const LyfPlace *outer, size_t index);
extern LyfFailure *lyf_place_failure(LyfFailure *failure, const LyfPlace *place);

/* let the resolver hold a new node (NULL: out of memory, raised); what is returned is borrowed */
extern json_t *lyf_resolver_keep(LyfResolver *resolver, json_t *json);

/* put a node that is held into another */
extern void lyf_resolver_set_member(json_t *map, const char *key, json_t *value);
extern void lyf_resolver_append_item(json_t *list, json_t *value);
extern json_t *lyf_resolver_checked(json_t *json);

/* account for nodes; a failure if there are too many */
extern LyfFailure *lyf_resolver_grow(LyfResolver *resolver, int64 nodes, const LyfPlace *place);

/* in propagate.c: types and parameters filled in, down to the leaves; a new node that is held */
extern LyfFailure *lyf_manifest_propagate(LyfResolver *resolver, json_t *manifest, const LyfPlace *place, json_t **out);

#endif							/* LYF_MANIFEST_INTERNAL_H */
