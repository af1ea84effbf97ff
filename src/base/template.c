/*
 * template.c
 *		Templates: compiled once, evaluated often.
 *
 * An evaluation renders the template to text and reads that back as a Python
 * literal.  A template that is one {{ }} and nothing else is not rendered: the
 * value is its own result where text and literal would give it back, which they
 * do for all that JSON can hold, except that a text is read as a literal.
 *
 * What happens when it cannot be evaluated: a value that is not there gives the
 * default; an operation on the wrong type gives the template's own text; all else
 * is a failure, and so are names that are not known, even where not reached.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "base/datetime.h"
#include "base/template_internal.h"

struct LyfTemplate
{
	const char *source;
	size_t		source_len;
	const LyfValue *parameters;
	LyfNode    *body;			/* statements, or NULL: empty */
	LyfNode    *sole;			/* the expression that the template is, or NULL */
	LyfValue   *needed;			/* list: names that must be known */
	bool		literal;		/* neither {{ nor {% nor {# */
	bool		check_names;	/* some of needed may not be reached */
	bool		obsolete;		/* it looks at stream_state, which is no more */
	LyfFailure *broken;			/* it cannot be parsed: the failure of each evaluation */
};

void
lyf_scope_init(LyfScope *scope, const LyfScope *outer)
{
	scope->outer = outer;
	scope->count = 0;
	scope->extra = NULL;
}

void
lyf_scope_set(LyfScope *scope, const char *name, LyfValue *value)
{
	int			i;

	for (i = 0; i < scope->count; i++)
	{
		if (strcmp(scope->name[i], name) == 0)
			break;
	}
	if (i == LYF_SCOPE_NAMES)
		elog(ERROR, "too many names in a scope");
	scope->name[i] = name;
	scope->value[i] = value;
	scope->count = Max(scope->count, i + 1);
}

const char *const lyf_slice_names[3] = {"stream_slice", "stream_partition", "stream_interval"};

void
lyf_scope_set_slice(LyfScope *scope, LyfValue *slice)
{
	for (int i = 0; i < lengthof(lyf_slice_names); i++)
		lyf_scope_set(scope, lyf_slice_names[i], slice);
}

/* line ends become \n, and one at the end is dropped */
static char *
normalize(const char *text, size_t *len)
{
	char	   *out = palloc(strlen(text) + 1);
	size_t		count = 0;

	for (const char *p = text; *p != '\0'; p++)
	{
		if (*p == '\r' && p[1] == '\n')
			continue;
		out[count++] = *p == '\r' ? '\n' : *p;
	}
	if (count > 0 && out[count - 1] == '\n')
		count--;
	out[count] = '\0';
	*len = count;
	return out;
}

/* is node a lookup that always reaches its one name? */
static bool
is_path(const LyfNode *node)
{
	while (node->run == lyf_run_attribute || (node->run == lyf_run_item && node->right->run == lyf_run_constant))
		node = node->left;
	return node->run == lyf_run_name;
}

static LyfFailure *
parse(LyfTemplate *template, const char *text, size_t len)
{
	LyfToken   *tokens;
	LyfNode    *body;

	LYF_TRY(lyf_template_lex(text, len, &tokens));
	LYF_TRY(lyf_template_parse(tokens, &body));
	template->body = body;
	template->needed = lyf_template_undeclared(body);
	if (body != NULL && body->next == NULL && body->run == lyf_run_output)
		template->sole = body->left;
	template->check_names = template->sole == NULL || !is_path(template->sole);
	return NULL;
}

/*
 * A template that is wrong in itself fails when it is evaluated, not here: the
 * rest of its connector runs.  One that uses what is not supported fails here.
 */
LyfFailure *
lyf_template_compile(const char *text, const LyfValue *parameters, LyfTemplate **compiled)
{
	LyfTemplate *template = palloc0(sizeof(LyfTemplate));
	char	   *normal;
	size_t		len;
	LyfFailure *failure;

	template->source_len = strlen(text);
	if (template->source_len > LYF_TEMPLATE_MAX_SOURCE)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is longer than %d bytes",
						   LYF_TEMPLATE_MAX_SOURCE);
	template->source = pnstrdup(text, template->source_len);
	template->parameters = parameters;
	template->literal = strstr(text, "{{") == NULL && strstr(text, "{%") == NULL && strstr(text, "{#") == NULL;
	template->obsolete = strstr(text, "stream_state") != NULL;
	normal = normalize(text, &len);
	failure = parse(template, normal, len);
	if (failure != NULL)
	{
		failure = lyf_failure_detail(failure, "The template is: %s", lyf_clip(template->source, 200));
		if (failure->sqlstate != ERRCODE_SYNTAX_ERROR)
			return failure;
		template->broken = failure;
	}
	*compiled = template;
	return NULL;
}

const char *
lyf_template_source(const LyfTemplate *compiled)
{
	return compiled->source;
}

bool
lyf_template_is_literal(const LyfTemplate *compiled)
{
	return compiled->literal;
}

static bool
looks_at(const LyfTemplate *compiled, const char *name, const char *member)
{
	for (const LyfNode *node = compiled->body; node != NULL; node = node->next)
	{
		if (lyf_template_names(node, name, member))
			return true;
	}
	return false;
}

bool
lyf_template_uses(const LyfTemplate *compiled, const char *name)
{
	return looks_at(compiled, name, NULL);
}

bool
lyf_template_uses_slice(const LyfTemplate *compiled, const char *member)
{
	for (int i = 0; i < lengthof(lyf_slice_names); i++)
	{
		if (looks_at(compiled, lyf_slice_names[i], member))
			return true;
	}
	return false;
}

const char *
lyf_template_sole_member(const LyfTemplate *compiled, const char *name)
{
	return compiled->sole == NULL ? NULL : lyf_template_member_of(compiled->sole, name);
}

/* would the literal step give the value back from its text?  Marks of this evaluation are wiped off. */
static bool
survives_literal(LyfValue *value)
{
	bool		own = (value->flags & LYF_FLAG_OWN) != 0;

	switch (value->kind)
	{
		case LYF_NULL:
		case LYF_BOOL:
		case LYF_INT:
		case LYF_STRING:
			return true;
		case LYF_NUMBER:
			return isfinite(lyf_value_double(value));
		case LYF_LIST:
		case LYF_MAP:
			if (!own)
				return true;
			if ((value->flags & (LYF_FLAG_VIEW | LYF_FLAG_NAMESPACE)) != 0)
				return false;
			lyf_foreach(member, value)
			{
				if (!survives_literal(member))
					return false;
			}
			value->flags &= ~LYF_FLAG_OWN;
			return true;
		default:
			return false;
	}
}

/* the LYF_AS_ bits that a result of that type satisfies; True is an int in Python, a tuple no list */
static unsigned
types_of(const LyfValue *value)
{
	switch (value->kind)
	{
		case LYF_NULL:
			return LYF_AS_NULL;
		case LYF_BOOL:
			return LYF_AS_BOOL | LYF_AS_INT;
		case LYF_INT:
			return LYF_AS_INT;
		case LYF_NUMBER:
			return lyf_number_is_big_int(value) ? LYF_AS_INT : LYF_AS_NUMBER;
		case LYF_STRING:
			return LYF_AS_STRING;
		case LYF_LIST:
			return (value->flags & LYF_FLAG_TUPLE) != 0 ? 0 : LYF_AS_LIST;
		case LYF_MAP:
			return LYF_AS_MAP;
		default:
			return 0;
	}
}

/* the literal step on a text */
static LyfValue *
read_literal(LyfValue *text, unsigned types)
{
	LyfValue   *literal = lyf_template_literal(text->u.text, text->len);

	if (literal != NULL && (types == 0 || (types_of(literal) & types) != 0))
		return literal;
	return text;
}

/* the literal step on the text that value would print */
static LyfValue *
finish(LyfValue *value, unsigned types)
{
	if (value->kind != LYF_STRING && survives_literal(value) && (types == 0 || (types_of(value) & types) != 0))
		return value;
	return read_literal(lyf_template_to_string(value), types);
}

static LyfFailure *
check_names(const LyfTemplate *template, LyfEval *ev)
{
	lyf_foreach(name, template->needed)
	{
		if (lyf_template_lookup(ev, name->u.text) == NULL)
			return lyf_template_fail(ev, LYF_TROUBLE_OTHER, ERRCODE_UNDEFINED_OBJECT,
									 "a template uses the name \"%s\", which is not known here",
									 lyf_clip(name->u.text, 60));
	}
	return NULL;
}

/* evaluate to a value or, of several pieces, to a text; an undefined value is an empty text */
static LyfFailure *
run(const LyfTemplate *template, LyfEval *ev, LyfValue **result)
{
	StringInfoData out;

	if (template->check_names)
		LYF_TRY(check_names(template, ev));
	if (template->sole != NULL)
	{
		LYF_TRY(lyf_template_step(ev));
		LYF_TRY(template->sole->run(ev, template->sole, result));
		return NULL;
	}
	if (template->body != NULL && template->body->next == NULL && template->body->run == lyf_run_data)
	{
		*result = template->body->value;
		return NULL;
	}
	initStringInfo(&out);
	ev->out = &out;
	LYF_TRY(lyf_template_run_body(ev, template->body));
	*result = lyf_template_take(&out);
	return NULL;
}

/* What an evaluation came to. */
typedef enum Outcome
{
	OUTCOME_VALUE,
	OUTCOME_EMPTY,				/* an empty text */
	OUTCOME_UNDEFINED			/* something that is not there was used */
} Outcome;

static LyfFailure *
evaluate(const LyfTemplate *template, const LyfScope *scope, Outcome *outcome, LyfValue **result,
		 LyfFailure **undefined)
{
	LyfEval		ev = {
		.parameters = template->parameters,
		.scope = scope,
		.memory = CurrentMemoryContext->mem_allocated
	};
	LyfFailure *failure = template->broken;

	*outcome = OUTCOME_VALUE;
	if (template->obsolete)
		failure = lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "templates cannot use \"stream_state\" any more");
	if (failure != NULL)
		return lyf_failure_copy(failure);
	failure = run(template, &ev, result);
	if (failure == NULL)
	{
		if ((*result)->kind == LYF_UNDEFINED || ((*result)->kind == LYF_STRING && (*result)->len == 0))
			*outcome = OUTCOME_EMPTY;
		return NULL;
	}
	failure = lyf_failure_detail(failure, "The template is: %s", lyf_clip(template->source, 200));
	if (ev.trouble == LYF_TROUBLE_OTHER)
		return failure;
	if (ev.trouble == LYF_TROUBLE_TYPE)
		*result = lyf_value_string_len(template->source, template->source_len);
	else
	{
		*outcome = OUTCOME_UNDEFINED;
		*undefined = failure;
	}
	return NULL;
}

LyfFailure *
lyf_template_eval(const LyfTemplate *compiled, const LyfScope *scope, unsigned types,
				  LyfValue *fallback, LyfValue **result)
{
	Outcome		outcome;
	LyfValue   *value;
	LyfFailure *undefined;

	LYF_TRY(evaluate(compiled, scope, &outcome, &value, &undefined));
	if (outcome == OUTCOME_VALUE)
		*result = finish(value, types);
	else if (fallback == NULL)
		*result = lyf_value_make(LYF_NULL);
	else
		*result = finish(fallback, types);
	return NULL;
}

/* its default is the template once more: so an empty result stays, and what was not there is a failure */
LyfFailure *
lyf_template_eval_string(const LyfTemplate *compiled, const LyfScope *scope, LyfValue **result)
{
	Outcome		outcome;
	LyfValue   *value;
	LyfFailure *undefined;

	LYF_TRY(evaluate(compiled, scope, &outcome, &value, &undefined));
	if (outcome == OUTCOME_UNDEFINED)
		return undefined;
	*result = outcome == OUTCOME_EMPTY ? lyf_value_string_len("", 0) : finish(value, 0);
	return NULL;
}

LyfFailure *
lyf_template_eval_text(const LyfTemplate *compiled, const LyfScope *scope, char **result)
{
	LyfValue   *value = NULL;

	LYF_TRY(lyf_template_eval_string(compiled, scope, &value));
	*result = lyf_template_str(value);
	return NULL;
}

/* texts that are false although they are not empty; read as literals, others do not remain */
static bool
is_false(const LyfValue *value)
{
	return !lyf_template_truth(value) ||
		(value->kind == LYF_STRING && strcmp(value->u.text, "false") == 0);
}

LyfFailure *
lyf_template_eval_bool(const LyfTemplate *compiled, const LyfScope *scope, bool *result)
{
	LyfValue	fallback = {.kind = LYF_BOOL};
	LyfValue   *value;

	LYF_TRY(lyf_template_eval(compiled, scope, 0, &fallback, &value));
	*result = !is_false(value);
	return NULL;
}
