/*
 * template_internal.h
 *		What the files of the template language share.
 *
 * text -> tokens (template_lex.c) -> a tree of nodes (template_parse.c,
 * template_operator.c, template_statement.c) -> values (template_eval.c and the
 * tables of operators, methods, functions, filters and tests) -> Python's literal
 * step (template_literal.c).  A node knows the function that runs it.
 */
#ifndef LYF_TEMPLATE_INTERNAL_H
#define LYF_TEMPLATE_INTERNAL_H

#include "base/template.h"

/* what one template may cost */
#define LYF_TEMPLATE_MAX_SOURCE		(1024 * 1024)	/* bytes of its text */
#define LYF_TEMPLATE_MAX_NESTING	200 /* brackets, statements, operators in each other */
#define LYF_TEMPLATE_MAX_STEPS		1000000 /* nodes run in one evaluation */
#define LYF_TEMPLATE_MAX_OUTPUT		(16 * 1024 * 1024)	/* bytes of a text it makes */
#define LYF_TEMPLATE_MAX_ITEMS		1000000 /* members of a list it makes */
#define LYF_TEMPLATE_MAX_MEMORY		((Size) 256 * 1024 * 1024)	/* bytes of all that it makes on its way */
#define LYF_TEMPLATE_MAX_ARGS		16	/* of one call */

/* flags of values that only the evaluator knows */
#define LYF_FLAG_TUPLE		0x08	/* LYF_LIST: a tuple */
#define LYF_FLAG_OWN		0x10	/* LYF_LIST, LYF_MAP: made in this evaluation, may be changed */
#define LYF_FLAG_NAMESPACE	0x20	/* LYF_MAP: namespace(), members can be set */
#define LYF_FLAG_VIEW		0x40	/* LYF_LIST: an iterator or dict view, prints as an object */

/* Why an evaluation failed: decides what the whole template gives then. */
typedef enum LyfTrouble
{
	LYF_TROUBLE_OTHER,			/* the failure stands */
	LYF_TROUBLE_UNDEFINED,		/* the default is taken */
	LYF_TROUBLE_TYPE			/* the template's own text is the result */
} LyfTrouble;

/* A name bound by set or for. */
typedef struct LyfVariable
{
	struct LyfVariable *older;
	const char *name;
	LyfValue   *value;
	int			depth;			/* of the loop it belongs to */
} LyfVariable;

/* One evaluation. */
typedef struct LyfEval
{
	const LyfValue *parameters; /* or NULL */
	const LyfScope *scope;
	LyfVariable *variables;		/* newest first */
	int			depth;			/* loops around */
	int			steps;
	int			nesting;		/* expressions around */
	Size		memory;			/* of CurrentMemoryContext before it */
	StringInfo	out;			/* rendered so far; NULL in a single expression */
	LyfTrouble	trouble;		/* of the failure that was returned */
} LyfEval;

typedef struct LyfNode LyfNode;
typedef LyfFailure *(*LyfNodeRun) (LyfEval *ev, const LyfNode *node, LyfValue **result);
typedef LyfFailure *(*LyfBinary) (LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);

/* Arguments of a call; before binding in the order written, after it in that of params. */
typedef struct LyfCall
{
	const LyfValue *self;		/* object of a method, input of a filter or test */
	const LyfNode *self_node;	/* what self was read from, or NULL */
	int			count;
	LyfValue   *arg[LYF_TEMPLATE_MAX_ARGS]; /* NULL: not given */
	const char *key[LYF_TEMPLATE_MAX_ARGS]; /* keyword, or NULL: positional */
} LyfCall;

/* A function, method, filter or test. */
typedef struct LyfBuiltin
{
	const char *name;
	LyfFailure *(*call) (LyfEval *ev, LyfCall *call, LyfValue **result);
	int			required;		/* arguments that must be given; -1: takes any, unbound */
	const char *params[6];
} LyfBuiltin;

/*
 * A node.  Statements give no value: they write to ev->out.  Which of the
 * children are used, and for what, is said where the node's run function is.
 */
struct LyfNode
{
	LyfNodeRun	run;
	LyfNode    *next;			/* sibling in a list */
	LyfNode    *left;
	LyfNode    *right;
	LyfNode    *third;
	LyfNode    *condition;
	LyfNode    *list;
	const char *name;
	size_t		name_len;
	LyfBinary	binary;
	const LyfBuiltin *builtin;
	LyfValue   *value;
	int			count;			/* of list */
	bool		flag;
};

/* in template_lex.c */

typedef enum LyfTokenType
{
	LYF_TOKEN_DATA,
	LYF_TOKEN_VARIABLE_BEGIN,
	LYF_TOKEN_VARIABLE_END,
	LYF_TOKEN_BLOCK_BEGIN,
	LYF_TOKEN_BLOCK_END,
	LYF_TOKEN_NAME,
	LYF_TOKEN_CONSTANT,			/* value is it */
	LYF_TOKEN_OPERATOR,
	LYF_TOKEN_END
} LyfTokenType;

typedef struct LyfToken
{
	LyfTokenType type;
	const char *text;			/* of data, a name, an operator: NUL-terminated */
	size_t		len;
	LyfValue   *value;
} LyfToken;

/* text is the source with its line ends made \n; the list ends with LYF_TOKEN_END */
extern LyfFailure *lyf_template_lex(const char *text, size_t len, LyfToken **tokens);

/* the bytes of a Python string with its escapes decoded; false if an escape is wrong */
extern bool lyf_template_unescape(StringInfo out, const char *text, size_t len);

/* in template_parse.c */

typedef struct LyfParser
{
	const LyfToken *token;		/* the next one */
	LyfNode    *block;			/* free nodes */
	int			block_left;
	int			nesting;
} LyfParser;

extern LyfNode *lyf_template_node(LyfParser *parser, LyfNodeRun run);
extern LyfFailure *lyf_template_syntax(const char *fmt,...) pg_attribute_printf(1, 2);
extern bool lyf_template_at(const LyfParser *parser, LyfTokenType type, const char *text);
extern bool lyf_template_skip(LyfParser *parser, LyfTokenType type, const char *text);
extern LyfFailure *lyf_template_expect(LyfParser *parser, LyfTokenType type, const char *text);
extern LyfFailure *lyf_template_parse_operand(LyfParser *parser, bool with_filter, LyfNode **node);
extern LyfFailure *lyf_template_parse_filters(LyfParser *parser, LyfNode **node);

/* in template_operator.c */

extern LyfFailure *lyf_template_parse_expression(LyfParser *parser, LyfNode **node);
extern LyfFailure *lyf_template_parse_no_condition(LyfParser *parser, LyfNode **node);
extern LyfFailure *lyf_template_parse_tuple(LyfParser *parser, LyfNode **node);

/* in template_statement.c */

extern LyfFailure *lyf_template_parse(const LyfToken *tokens, LyfNode **body);

/* run a list of statements */
extern LyfFailure *lyf_template_run_body(LyfEval *ev, const LyfNode *body);
extern LyfFailure *lyf_run_data(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_output(LyfEval *ev, const LyfNode *node, LyfValue **result);

extern LyfFailure *lyf_run_if(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_for(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_set(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_set_block(LyfEval *ev, const LyfNode *node, LyfValue **result);

/* in template_names.c: names that must come from outside (a list of texts); is name, or that member of it, looked at below node? */
extern LyfValue *lyf_template_undeclared(const LyfNode *body);
extern bool lyf_template_names(const LyfNode *node, const char *name, const char *member);
extern const char *lyf_template_member_of(const LyfNode *node, const char *name);

/* in template_eval.c */

extern const LyfValue lyf_template_undefined;

extern LyfFailure *lyf_run_constant(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_name(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_attribute(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_item(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_slice(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_call(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_filter(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_list(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_map(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_condition(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_or(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_and(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_not(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_compare(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_concat(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_binary(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_run_unary(LyfEval *ev, const LyfNode *node, LyfValue **result);

/* run an expression, as one step */
extern LyfFailure *lyf_template_run(LyfEval *ev, const LyfNode *node, LyfValue **result);
extern LyfFailure *lyf_template_step(LyfEval *ev);
extern LyfFailure *lyf_template_check_memory(LyfEval *ev);
extern LyfFailure *lyf_template_fail(LyfEval *ev, LyfTrouble trouble, int sqlstate,
									 const char *fmt,...) pg_attribute_printf(4, 5);
extern LyfFailure *lyf_template_fail_type(LyfEval *ev, const char *what, const LyfValue *value);
extern LyfFailure *lyf_template_fail_value(LyfEval *ev, const char *fmt,...) pg_attribute_printf(2, 3);
extern LyfFailure *lyf_template_fail_undefined(LyfEval *ev);
extern LyfFailure *lyf_template_fail_limit(LyfEval *ev, const char *what);

/* a failure of another room that stands as it is (a ValueError in Python) */
extern LyfFailure *lyf_template_pass(LyfEval *ev, LyfFailure *failure);

/* a name in variables, parameters, scope or the functions; NULL if it is nowhere */
extern LyfValue *lyf_template_lookup(const LyfEval *ev, const char *name);
extern void lyf_template_bind(LyfEval *ev, const char *name, LyfValue *value);

/* obj.name, never NULL */
extern LyfValue *lyf_template_attribute(const LyfValue *object, const char *name, size_t len);
extern LyfFailure *lyf_template_invoke(LyfEval *ev, const LyfBuiltin *builtin, LyfCall *call, LyfValue **result);

/* in template_container.c */

/* obj[key], never NULL */
extern LyfValue *lyf_template_item(const LyfValue *object, const LyfValue *key);

/* a list to be filled: members are hung on its end in constant time */
typedef struct LyfListMaker
{
	LyfValue   *list;
	LyfValue  **end;
} LyfListMaker;

extern void lyf_list_begin(LyfListMaker *maker);
extern LyfFailure *lyf_list_add(LyfEval *ev, LyfListMaker *maker, const LyfValue *value);
extern LyfValue *lyf_template_new_map(void);
extern void lyf_template_put(LyfValue *map, const char *key, const LyfValue *value);

/* a node of its own that can stand in a container: what the evaluator made is copied */
extern LyfValue *lyf_template_share(const LyfValue *value);

/* iterate: a list as it is, of a map its keys, of a text its characters */
extern LyfFailure *lyf_template_iterate(LyfEval *ev, const LyfValue *value, LyfValue **list);

/* in template_ops.c */

extern bool lyf_template_truth(const LyfValue *value);
extern bool lyf_template_is_number(const LyfValue *value);	/* bool, int, number */
extern bool lyf_template_is_int(const LyfValue *value); /* bool, int */
extern LyfFailure *lyf_template_order(LyfEval *ev, const LyfValue *a, const LyfValue *b, int *order);
extern LyfFailure *lyf_op_add(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_subtract(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_multiply(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_divide(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_floor_divide(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_modulo(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_power(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_negate(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_plus(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_not_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_less(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_less_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_greater(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_greater_equal(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_in(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);
extern LyfFailure *lyf_op_not_in(LyfEval *ev, const LyfValue *a, const LyfValue *b, LyfValue **result);

/* in template_print.c */

extern void lyf_template_repr(StringInfo out, const LyfValue *value);

/* as json.dumps does: ", " and ": ", ASCII only; sorted if so.  False if it holds what JSON cannot */
extern bool lyf_template_dump_json(StringInfo out, const LyfValue *value, bool sorted, int indent);

/* str(value), with its length */
extern LyfValue *lyf_template_to_string(const LyfValue *value);
extern LyfValue *lyf_template_take(StringInfo text);	/* a STRING that has the buffer itself */
extern bool lyf_number_is_big_int(const LyfValue *value);

/* in template_literal.c */

extern bool lyf_template_parse_int(const char *text, size_t len, int base, LyfValue **value);
extern bool lyf_template_parse_float(const char *text, size_t len, double *number);

/* tables; each ends with a NULL name.  NULL if it is not there */
extern const LyfBuiltin *lyf_template_function(const char *name);	/* template_function.c */
extern const LyfBuiltin *lyf_template_method(const LyfValue *object, const char *name); /* template_method.c */
extern const LyfBuiltin *lyf_template_find_filter(const char *name);	/* template_filter.c */
extern const LyfBuiltin *lyf_template_find_test(const char *name);	/* template_test.c */
extern const LyfBuiltin *lyf_template_find(const LyfBuiltin *table, const char *name);
extern const LyfBuiltin lyf_list_filters[];	/* template_filter_list.c */
extern const LyfBuiltin lyf_crypto_filters[];	/* template_filter_crypto.c */
extern const LyfBuiltin lyf_text_methods[]; /* template_method_text.c */
extern const LyfBuiltin lyf_time_methods[];	/* template_time.c */
extern const LyfBuiltin lyf_date_methods[];
extern const LyfBuiltin lyf_duration_methods[];
extern const LyfBuiltin lyf_time_functions[];

/* in template_time.c: datetime attributes, NULL if none; arithmetic */
extern LyfValue *lyf_time_attribute(const LyfValue *object, const char *name);
extern LyfFailure *lyf_time_add(LyfEval *ev, const LyfValue *a, const LyfValue *b, int sign, LyfValue **result);
extern void lyf_time_print(StringInfo out, const LyfValue *value, char separator);
extern void lyf_time_repr(StringInfo out, const LyfValue *value);

/* characters of UTF-8 text; case by the database's locale */
extern int64 lyf_text_length(const char *text, size_t len);
extern const char *lyf_text_skip(const char *text, const char *end, int64 characters);
extern void lyf_text_case(StringInfo out, const char *text, size_t len, bool upper);
extern bool lyf_text_is_space(char c);

/* an argument, checked: a text; an integer (fallback if not given) */
extern LyfFailure *lyf_arg_text(LyfEval *ev, const LyfValue *value, const char **text, size_t *len);
extern LyfFailure *lyf_arg_int(LyfEval *ev, const LyfValue *value, int64 fallback, int64 *integer);

/* str.replace; count < 0: all */
extern LyfFailure *lyf_text_replace(LyfEval *ev, const LyfValue *text, const LyfValue *old,
									const LyfValue *new, int64 count, LyfValue **result);
extern LyfFailure *lyf_text_format(LyfEval *ev, const LyfValue *format, const LyfValue *args, LyfValue **result);

/* in template_regex.c */
extern LyfFailure *lyf_regex_search(LyfEval *ev, LyfCall *call, LyfValue **result);
extern LyfFailure *lyf_regex_replace(LyfEval *ev, LyfCall *call, LyfValue **result);

#endif							/* LYF_TEMPLATE_INTERNAL_H */
