/*
 * component.h
 *		Reading one component of a resolved manifest while it is compiled: its
 *		fields by name and type, with failures that say where it stands.
 */
#ifndef LYF_COMPONENT_H
#define LYF_COMPONENT_H

#include "base/document.h"
#include "base/template.h"

/*
 * A component: a JSON map of a resolved manifest (references gone, `type` given
 * or inferred, parameters propagated).  path is for people: "streams.issues.retriever".
 * config is the connection's configuration while it is known at compile time, else NULL.
 */
typedef struct LyfComponent
{
	json_t	   *json;			/* borrowed from the manifest, or NULL: not there */
	const char *type;			/* its "type", or "" */
	const char *path;
	LyfValue   *parameters;		/* its $parameters, or NULL */
} LyfComponent;

/* a component at the root of a document, and the one in a field (json == NULL if absent or null) */
extern LyfComponent lyf_component(json_t *json, const char *path);
extern LyfComponent lyf_component_child(const LyfComponent *parent, const char *field);
extern LyfComponent lyf_component_item(const LyfComponent *parent, const char *field, size_t index);
extern size_t lyf_component_count(const LyfComponent *parent, const char *field);	/* of a list, 0 if none */

/* the same for a field that may hold nothing but a list */
extern LyfFailure *lyf_component_list(const LyfComponent *c, const char *field, size_t *count);

/*
 * Fields.  An absent (or null) optional field leaves the fallback; an absent
 * required one, or one of another type, is a failure with the path.
 */
extern LyfFailure *lyf_component_text(const LyfComponent *c, const char *field, const char *fallback, const char **out);
extern LyfFailure *lyf_component_int(const LyfComponent *c, const char *field, int64 fallback, int64 *out);
extern LyfFailure *lyf_component_bool(const LyfComponent *c, const char *field, bool fallback, bool *out);
extern LyfFailure *lyf_component_value(const LyfComponent *c, const char *field, LyfValue **out);	/* NULL if absent */

/* a template from a string, number or boolean; NULL if absent */
extern LyfFailure *lyf_component_template(const LyfComponent *c, const char *field, LyfTemplate **out);
extern LyfFailure *lyf_component_required_template(const LyfComponent *c, const char *field, LyfTemplate **out);

/* a template from a text that stands in c itself (an item of a list, say) */
extern LyfFailure *lyf_component_compile(const LyfComponent *c, const char *text, LyfTemplate **out);

/* a failure that names the component: not supported (yet), or wrong */
extern LyfFailure *lyf_component_unsupported(const LyfComponent *c);
extern LyfFailure *lyf_component_invalid(const LyfComponent *c, const char *fmt,...) pg_attribute_printf(2, 3);

#endif							/* LYF_COMPONENT_H */
