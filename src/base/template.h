/*
 * template.h
 *		{{ }}: Jinja's expression language as the reference engine uses it,
 *		compiled once, evaluated often.
 *
 * The exact semantics (what is an error, what renders the default, Python's
 * literal step on the rendered text, booleans) are those of airbyte-cdk's
 * interpolation package; see template.c.
 */
#ifndef LYF_TEMPLATE_H
#define LYF_TEMPLATE_H

#include "base/failure.h"
#include "base/value.h"

typedef struct LyfTemplate LyfTemplate;

/* The names that an expression can see.  Scopes chain; the inner one wins. */
#define LYF_SCOPE_NAMES	12
typedef struct LyfScope
{
	const struct LyfScope *outer;	/* or NULL */
	int			count;
	const char *name[LYF_SCOPE_NAMES];
	LyfValue   *value[LYF_SCOPE_NAMES];
	/* any member of this map is a name too (a slice's extra fields), or NULL */
	const LyfValue *extra;
} LyfScope;

extern void lyf_scope_init(LyfScope *scope, const LyfScope *outer);

/* bind or rebind; name is a constant or outlives the scope */
extern void lyf_scope_set(LyfScope *scope, const char *name, LyfValue *value);

/* stream_partition, stream_slice and stream_interval: one thing, three names; bind them */
extern const char *const lyf_slice_names[3];
extern void lyf_scope_set_slice(LyfScope *scope, LyfValue *slice);

/* the function json_loads, to be bound under its name: only few templates have it */
extern LyfValue *lyf_template_json_loads(void);

/*
 * Compile.  The template lives in CurrentMemoryContext, holds its own copy of
 * text, and refers to parameters (the component's $parameters, a map or NULL),
 * seen as `parameters`.  A failure is what is not supported; a template with a
 * syntax error compiles, and each evaluation of it is the failure.
 */
extern LyfFailure *lyf_template_compile(const char *text, const LyfValue *parameters,
										LyfTemplate **compiled);

/* its source text; and whether it is a plain text without any {{ or {% */
extern const char *lyf_template_source(const LyfTemplate *compiled);
extern bool lyf_template_is_literal(const LyfTemplate *compiled);

/* does it look at this name (e.g. "stream_partition")? and if it is nothing but a lookup of one member of it, which? */
extern bool lyf_template_uses(const LyfTemplate *compiled, const char *name);
extern bool lyf_template_uses_slice(const LyfTemplate *compiled, const char *member);	/* that member of the slice */
extern const char *lyf_template_sole_member(const LyfTemplate *compiled, const char *name);

/* result types that survive the literal step; 0 = all */
#define LYF_AS_STRING	0x01
#define LYF_AS_BOOL		0x02
#define LYF_AS_INT		0x04
#define LYF_AS_NUMBER	0x08
#define LYF_AS_LIST		0x10
#define LYF_AS_MAP		0x20
#define LYF_AS_NULL		0x40

/*
 * Evaluate, in CurrentMemoryContext.
 *
 * lyf_template_eval		what JinjaInterpolation.eval gives: rendered, then read back as
 *							a Python literal; fallback is its `default` (NULL = none).  The
 *							value may share nodes with the scope's values: alias before
 *							putting it into a container.
 * lyf_template_eval_string	InterpolatedString: an empty result stays the empty text, and
 *							a member of what is not there is a failure, as in the engine;
 * lyf_template_eval_text	the same, as str() of the value
 * lyf_template_eval_bool	InterpolatedBoolean
 */
extern LyfFailure *lyf_template_eval(const LyfTemplate *compiled, const LyfScope *scope,
									 unsigned types, LyfValue *fallback, LyfValue **result);
extern LyfFailure *lyf_template_eval_string(const LyfTemplate *compiled, const LyfScope *scope,
											LyfValue **result);
extern LyfFailure *lyf_template_eval_text(const LyfTemplate *compiled, const LyfScope *scope,
										  char **result);
extern LyfFailure *lyf_template_eval_bool(const LyfTemplate *compiled, const LyfScope *scope,
										  bool *result);

/*
 * A tree of templates: a JSON document whose strings (and keys) are templates,
 * as InterpolatedMapping and InterpolatedNestedMapping are.
 */
typedef struct LyfTemplateTree LyfTemplateTree;

extern LyfFailure *lyf_template_tree_compile(const LyfValue *document, const LyfValue *parameters,
											 LyfTemplateTree **compiled);

/* does one of them use that member of the slice? */
extern bool lyf_template_tree_uses_slice(const LyfTemplateTree *tree, const char *member);

/* InterpolatedMapping.eval of a map, with valid types as above; nested levels as NestedMapping does if nested */
extern LyfFailure *lyf_template_tree_eval(const LyfTemplateTree *tree, const LyfScope *scope,
										  unsigned types, bool nested, LyfValue **result);

/* Python's literal_eval of a text, ended by a NUL: NULL if it is none, or one that JSON cannot hold */
extern LyfValue *lyf_template_literal(const char *text, size_t len);

/* str(value) as Python prints it: True, None, {'a': 1}, 1.0 */
extern void lyf_template_print_python(StringInfo out, const LyfValue *value);
extern char *lyf_template_str(const LyfValue *value);

#endif							/* LYF_TEMPLATE_H */
