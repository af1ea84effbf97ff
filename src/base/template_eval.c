/*
 * template_eval.c
 *		Running the nodes of expressions.
 *
 * A value is a pointer: names, attributes and items give the node that the scope
 * holds, so that a plain lookup allocates nothing.  Containers that an expression
 * makes are marked LYF_FLAG_OWN: only those may be changed by append or update.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/datetime.h"
#include "base/template_internal.h"

/* expressions in each other, between two looks at the stack */
#define LEVELS_PER_CHECK	16

const LyfValue lyf_template_undefined = {.kind = LYF_UNDEFINED};

/* stands for a method that is not called */
static const LyfValue bound_method = {.kind = LYF_OPAQUE};

LyfFailure *
lyf_template_fail(LyfEval *ev, LyfTrouble trouble, int sqlstate, const char *fmt,...)
{
	char		what[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	ev->trouble = trouble;
	return lyf_failure(sqlstate, "%s", lyf_clip(what, strlen(what)));
}

LyfFailure *
lyf_template_pass(LyfEval *ev, LyfFailure *failure)
{
	ev->trouble = LYF_TROUBLE_OTHER;
	return failure;
}

LyfFailure *
lyf_template_fail_undefined(LyfEval *ev)
{
	return lyf_template_fail(ev, LYF_TROUBLE_UNDEFINED, ERRCODE_UNDEFINED_OBJECT,
							 "a template uses a value that is not there");
}

/* what: the operation that does not go with the value's type */
LyfFailure *
lyf_template_fail_type(LyfEval *ev, const char *what, const LyfValue *value)
{
	if (value != NULL && value->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
							 "a template's value has the wrong type for %s", what);
}

LyfFailure *
lyf_template_fail_value(LyfEval *ev, const char *fmt,...)
{
	char		what[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_INVALID_PARAMETER_VALUE, "%s", what);
}

LyfFailure *
lyf_template_fail_limit(LyfEval *ev, const char *what)
{
	return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "%s", what);
}

static inline LyfFailure *
count_step(LyfEval *ev)
{
	if (unlikely(++ev->steps > LYF_TEMPLATE_MAX_STEPS))
		return lyf_template_fail_limit(ev, "a template takes too many steps");
	CHECK_FOR_INTERRUPTS();
	return lyf_template_check_memory(ev);
}

LyfFailure *
lyf_template_step(LyfEval *ev)
{
	check_stack_depth();
	return count_step(ev);
}

/* nothing that an evaluation makes is freed before its end: what it makes in all is bounded */
LyfFailure *
lyf_template_check_memory(LyfEval *ev)
{
	if (CurrentMemoryContext->mem_allocated > ev->memory + LYF_TEMPLATE_MAX_MEMORY)
		return lyf_template_fail_limit(ev, "a template takes too much memory");
	return NULL;
}

LyfFailure *
lyf_template_run(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfFailure *failure;

	/* a few levels take little of the room that the stack has behind its limit */
	if (++ev->nesting % LEVELS_PER_CHECK == 0)
		check_stack_depth();
	failure = count_step(ev);
	if (failure == NULL)
		failure = node->run(ev, node, result);
	ev->nesting--;
	return failure;
}

LyfValue *
lyf_template_lookup(const LyfEval *ev, const char *name)
{
	const LyfBuiltin *function;
	LyfValue   *value;

	for (const LyfVariable *v = ev->variables; v != NULL; v = v->older)
	{
		if (strcmp(v->name, name) == 0)
			return v->value;
	}
	if (ev->parameters != NULL && strcmp(name, "parameters") == 0)
		return unconstify(LyfValue *, ev->parameters);
	for (const LyfScope *scope = ev->scope; scope != NULL; scope = scope->outer)
	{
		for (int i = 0; i < scope->count; i++)
		{
			if (strcmp(scope->name[i], name) == 0)
				return scope->value[i];
		}
		value = lyf_value_get(scope->extra, name);
		if (value != NULL)
			return value;
	}
	if (strcmp(name, "parameters") == 0)
		return lyf_template_new_map();
	function = lyf_template_function(name);
	if (function == NULL)
		return NULL;
	value = lyf_value_make(LYF_OPAQUE);
	value->u.opaque = unconstify(LyfBuiltin *, function);
	return value;
}

/* a name is set in the loop that it stands in, or replaced there */
void
lyf_template_bind(LyfEval *ev, const char *name, LyfValue *value)
{
	LyfVariable *variable;

	for (variable = ev->variables; variable != NULL && variable->depth == ev->depth; variable = variable->older)
	{
		if (strcmp(variable->name, name) == 0)
		{
			variable->value = value;
			return;
		}
	}
	variable = palloc(sizeof(LyfVariable));
	variable->older = ev->variables;
	variable->name = name;
	variable->value = value;
	variable->depth = ev->depth;
	ev->variables = variable;
}

/* value: the constant */
LyfFailure *
lyf_run_constant(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	*result = node->value;
	return NULL;
}

/* name: the name */
LyfFailure *
lyf_run_name(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	*result = lyf_template_lookup(ev, node->name);
	if (*result != NULL)
		return NULL;
	return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_UNDEFINED_OBJECT,
							 "a template uses the name \"%s\", which is not known here",
							 lyf_clip(node->name, 60));
}

/* methods come first, as they do in Python; None for a missing member is Undefined */
LyfValue *
lyf_template_attribute(const LyfValue *object, const char *name, size_t len)
{
	LyfValue   *value;

	if ((object->flags & LYF_FLAG_NAMESPACE) == 0 && lyf_template_method(object, name) != NULL)
		return unconstify(LyfValue *, &bound_method);
	value = lyf_value_get_len(object, name, len);
	if (value == NULL)
		value = lyf_time_attribute(object, name);
	return value != NULL ? value : unconstify(LyfValue *, &lyf_template_undefined);
}

/* the fields of a slice that are no part of its identity: slice.extra_fields */
static LyfValue *
extra_fields(const LyfEval *ev, const LyfNode *node)
{
	static const char *const slices[] = {"stream_slice", "stream_partition", "stream_interval"};

	if (node->left->run != lyf_run_name || strcmp(node->name, "extra_fields") != 0)
		return NULL;
	for (int i = 0; i < lengthof(slices); i++)
	{
		if (strcmp(node->left->name, slices[i]) != 0)
			continue;
		for (const LyfScope *scope = ev->scope; scope != NULL; scope = scope->outer)
		{
			if (scope->extra != NULL)
				return unconstify(LyfValue *, scope->extra);
		}
	}
	return NULL;
}

/* left: object, name: attribute */
LyfFailure *
lyf_run_attribute(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *object;

	LYF_TRY(lyf_template_run(ev, node->left, &object));
	if (object->kind == LYF_UNDEFINED)
	{
		if (node->left->run == lyf_run_attribute && strncmp(node->left->name, "__", 2) == 0)
			return lyf_template_fail_value(ev, "attribute \"%s\" cannot be used in a template",
										   lyf_clip(node->left->name, 60));
		return lyf_template_fail_undefined(ev);
	}
	*result = lyf_template_attribute(object, node->name, node->name_len);
	if ((*result)->kind == LYF_UNDEFINED)
	{
		LyfValue   *extra = extra_fields(ev, node);

		if (extra != NULL)
			*result = extra;
	}
	return NULL;
}

/* left: object, right: key */
LyfFailure *
lyf_run_item(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *object;
	LyfValue   *key;

	LYF_TRY(lyf_template_run(ev, node->left, &object));
	LYF_TRY(lyf_template_run(ev, node->right, &key));
	if (object->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	*result = lyf_template_item(object, key);
	return NULL;
}

static LyfFailure *
run_arguments(LyfEval *ev, const LyfNode *node, LyfCall *call)
{
	call->count = 0;
	for (const LyfNode *argument = node->list; argument != NULL; argument = argument->next)
	{
		LYF_TRY(lyf_template_run(ev, argument->left, &call->arg[call->count]));
		call->key[call->count++] = argument->name;
	}
	return NULL;
}

/* bring the arguments into the order of the function's parameters */
static LyfFailure *
bind_arguments(LyfEval *ev, const LyfBuiltin *builtin, LyfCall *call)
{
	LyfValue   *bound[lengthof(builtin->params)] = {NULL};

	for (int i = 0; i < call->count; i++)
	{
		int			place = i;

		if (call->key[i] != NULL)
		{
			for (place = 0; place < lengthof(bound) && builtin->params[place] != NULL; place++)
			{
				if (strcmp(builtin->params[place], call->key[i]) == 0)
					break;
			}
		}
		if (place >= lengthof(bound) || builtin->params[place] == NULL || bound[place] != NULL)
			return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
									 "wrong arguments for %s in a template", builtin->name);
		bound[place] = call->arg[i];
	}
	for (int i = 0; i < builtin->required; i++)
	{
		if (bound[i] == NULL)
			return lyf_template_fail(ev, LYF_TROUBLE_TYPE, ERRCODE_DATATYPE_MISMATCH,
									 "%s in a template needs the argument \"%s\"",
									 builtin->name, builtin->params[i]);
	}
	memcpy(call->arg, bound, sizeof(bound));
	return NULL;
}

LyfFailure *
lyf_template_invoke(LyfEval *ev, const LyfBuiltin *builtin, LyfCall *call, LyfValue **result)
{
	LYF_TRY(lyf_template_step(ev));
	if (builtin->required >= 0)
		LYF_TRY(bind_arguments(ev, builtin, call));
	return builtin->call(ev, call, result);
}

/* the function to be called: a method of what left->left is, or a function by its name */
static LyfFailure *
find_callee(LyfEval *ev, const LyfNode *callee, LyfCall *call, const LyfBuiltin **builtin)
{
	LyfValue   *value;

	*builtin = NULL;
	if (callee->run == lyf_run_attribute)
	{
		LYF_TRY(lyf_template_run(ev, callee->left, &value));
		if (value->kind == LYF_UNDEFINED)
			return lyf_template_fail_undefined(ev);
		call->self = value;
		call->self_node = callee->left;
		*builtin = lyf_template_method(value, callee->name);
		if (*builtin != NULL)
			return NULL;
		value = lyf_template_attribute(value, callee->name, callee->name_len);
	}
	else
		LYF_TRY(lyf_template_run(ev, callee, &value));
	if (value->kind == LYF_OPAQUE && value->u.opaque != NULL)
	{
		*builtin = value->u.opaque;
		return NULL;
	}
	return lyf_template_fail_type(ev, "a call", value);
}

/* left: what is called, list: arguments (left: expression, name: keyword) */
LyfFailure *
lyf_run_call(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfCall		call;
	const LyfBuiltin *builtin;

	call.self = NULL;
	call.self_node = NULL;
	LYF_TRY(find_callee(ev, node->left, &call, &builtin));
	LYF_TRY(run_arguments(ev, node, &call));
	return lyf_template_invoke(ev, builtin, &call, result);
}

/* left: input, builtin: the filter or test, list: arguments */
LyfFailure *
lyf_run_filter(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfCall		call;
	LyfValue   *input;

	LYF_TRY(lyf_template_run(ev, node->left, &input));
	call.self = input;
	call.self_node = node->left;
	LYF_TRY(run_arguments(ev, node, &call));
	return lyf_template_invoke(ev, node->builtin, &call, result);
}

/* list: members, flag: a tuple */
LyfFailure *
lyf_run_list(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfListMaker maker;

	lyf_list_begin(&maker);
	if (node->flag)
		maker.list->flags |= LYF_FLAG_TUPLE;
	for (const LyfNode *member = node->list; member != NULL; member = member->next)
	{
		LyfValue   *value;

		LYF_TRY(lyf_template_run(ev, member, &value));
		LYF_TRY(lyf_list_add(ev, &maker, value));
	}
	*result = maker.list;
	return NULL;
}

/* list: keys and values by turns */
LyfFailure *
lyf_run_map(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *map = lyf_template_new_map();

	for (const LyfNode *member = node->list; member != NULL; member = member->next->next)
	{
		LyfValue   *key;
		LyfValue   *value;

		LYF_TRY(lyf_template_run(ev, member, &key));
		LYF_TRY(lyf_template_run(ev, member->next, &value));
		if (key->kind == LYF_LIST || key->kind == LYF_MAP)
			return lyf_template_fail_type(ev, "a key", key);
		lyf_template_put(map, lyf_template_str(key), value);
	}
	*result = map;
	return NULL;
}

/* left if right else third */
LyfFailure *
lyf_run_condition(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *condition;

	LYF_TRY(lyf_template_run(ev, node->right, &condition));
	if (lyf_template_truth(condition))
		return lyf_template_run(ev, node->left, result);
	if (node->third != NULL)
		return lyf_template_run(ev, node->third, result);
	*result = unconstify(LyfValue *, &lyf_template_undefined);
	return NULL;
}

/* left, then those in list (left of each), until one decides */
static LyfFailure *
run_until(LyfEval *ev, const LyfNode *node, bool truth, LyfValue **result)
{
	LYF_TRY(lyf_template_run(ev, node->left, result));
	for (const LyfNode *operand = node->list; operand != NULL; operand = operand->next)
	{
		if (lyf_template_truth(*result) == truth)
			break;
		LYF_TRY(lyf_template_run(ev, operand->left, result));
	}
	return NULL;
}

LyfFailure *
lyf_run_or(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	return run_until(ev, node, true, result);
}

LyfFailure *
lyf_run_and(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	return run_until(ev, node, false, result);
}

LyfFailure *
lyf_run_not(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *value;

	LYF_TRY(lyf_template_run(ev, node->left, &value));
	*result = lyf_value_bool(!lyf_template_truth(value));
	return NULL;
}

/* left, then each of list: compared with the one before (binary) */
LyfFailure *
lyf_run_compare(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *before;

	LYF_TRY(lyf_template_run(ev, node->left, &before));
	for (const LyfNode *operand = node->list; operand != NULL; operand = operand->next)
	{
		LyfValue   *value;

		LYF_TRY(lyf_template_run(ev, operand->left, &value));
		LYF_TRY(operand->binary(ev, before, value, result));
		if (!lyf_template_truth(*result))
			break;
		before = value;
	}
	return NULL;
}

/* the texts of left and of each of list */
LyfFailure *
lyf_run_concat(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	StringInfoData out;
	LyfValue   *value;

	initStringInfo(&out);
	LYF_TRY(lyf_template_run(ev, node->left, &value));
	lyf_template_print_python(&out, value);
	for (const LyfNode *operand = node->list; operand != NULL; operand = operand->next)
	{
		LYF_TRY(lyf_template_run(ev, operand->left, &value));
		lyf_template_print_python(&out, value);
		if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	}
	*result = lyf_template_take(&out);
	return NULL;
}

/* left binary right */
LyfFailure *
lyf_run_binary(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *a;
	LyfValue   *b;

	LYF_TRY(lyf_template_run(ev, node->left, &a));
	LYF_TRY(lyf_template_run(ev, node->right, &b));
	if (a->kind == LYF_UNDEFINED || b->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	return node->binary(ev, a, b, result);
}

/* a sign (binary, which gets the operand twice) before left */
LyfFailure *
lyf_run_unary(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *value;

	LYF_TRY(lyf_template_run(ev, node->left, &value));
	return node->binary(ev, value, value, result);
}
