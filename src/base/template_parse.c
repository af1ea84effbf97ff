/*
 * template_parse.c
 *		Tokens to a tree: the operands of expressions, that is names, values, what
 *		stands in brackets, and .name [item] (call) |filter "is test" behind them.
 *
 * A sign binds closer than ** and a filter does not reach over it, as in Jinja.
 */
#include "postgres.h"

#include "base/datetime.h"
#include "base/template_internal.h"

/* words that are values */
static const struct
{
	const char *name;
	LyfValue	value;
}			constants[] = {
	{"true", {.kind = LYF_BOOL, .u.boolean = true}},
	{"True", {.kind = LYF_BOOL, .u.boolean = true}},
	{"false", {.kind = LYF_BOOL, .u.boolean = false}},
	{"False", {.kind = LYF_BOOL, .u.boolean = false}},
	{"none", {.kind = LYF_NULL}},
	{"None", {.kind = LYF_NULL}},
};

LyfFailure *
lyf_template_syntax(const char *fmt,...)
{
	char		what[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return lyf_failure(ERRCODE_SYNTAX_ERROR, "invalid template: %s", lyf_clip(what, strlen(what)));
}

LyfNode *
lyf_template_node(LyfParser *parser, LyfNodeRun run)
{
	LyfNode    *node;

	if (parser->block_left == 0)
	{
		parser->block_left = 16;
		parser->block = palloc0(parser->block_left * sizeof(LyfNode));
	}
	node = parser->block++;
	parser->block_left--;
	node->run = run;
	return node;
}

/* is this the next token?  text NULL: any of that type */
bool
lyf_template_at(const LyfParser *parser, LyfTokenType type, const char *text)
{
	return parser->token->type == type && (text == NULL || strcmp(parser->token->text, text) == 0);
}

bool
lyf_template_skip(LyfParser *parser, LyfTokenType type, const char *text)
{
	if (!lyf_template_at(parser, type, text))
		return false;
	parser->token++;
	return true;
}

static LyfFailure *
unexpected(const LyfParser *parser)
{
	return lyf_template_syntax("unexpected \"%s\"", lyf_clip(parser->token->text, 60));
}

LyfFailure *
lyf_template_expect(LyfParser *parser, LyfTokenType type, const char *text)
{
	if (lyf_template_skip(parser, type, text))
		return NULL;
	return lyf_template_syntax("expected \"%s\", found \"%s\"", text != NULL ? text : "name",
							   lyf_clip(parser->token->text, 60));
}

static bool
at_operator(const LyfParser *parser, const char *text)
{
	return lyf_template_at(parser, LYF_TOKEN_OPERATOR, text);
}

static bool
skip_operator(LyfParser *parser, const char *text)
{
	return lyf_template_skip(parser, LYF_TOKEN_OPERATOR, text);
}

static bool
skip_word(LyfParser *parser, const char *text)
{
	return lyf_template_skip(parser, LYF_TOKEN_NAME, text);
}

static void
add_to_list(LyfNode *node, LyfNode ***end, LyfNode *member)
{
	if (*end == NULL)
		*end = &node->list;
	**end = member;
	*end = &member->next;
	node->count++;
}

/* expressions up to `close`, with commas between (one may follow the last) */
static LyfFailure *
parse_members(LyfParser *parser, LyfNode *node, const char *close)
{
	LyfNode   **end = NULL;

	while (!skip_operator(parser, close))
	{
		LyfNode    *member;

		if (node->count > 0)
		{
			LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_OPERATOR, ","));
			if (skip_operator(parser, close))
				break;
		}
		LYF_TRY(lyf_template_parse_expression(parser, &member));
		add_to_list(node, &end, member);
		if (node->run == lyf_run_map)
		{
			LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_OPERATOR, ":"));
			LYF_TRY(lyf_template_parse_expression(parser, &member));
			add_to_list(node, &end, member);
		}
	}
	return NULL;
}

/* arguments behind a "(" that was read; a keyword stands as the name of its node */
static LyfFailure *
parse_arguments(LyfParser *parser, LyfNode *call)
{
	LyfNode   **end = NULL;
	bool		keywords = false;

	while (!skip_operator(parser, ")"))
	{
		LyfNode    *argument = lyf_template_node(parser, NULL);

		if (call->count > 0)
		{
			LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_OPERATOR, ","));
			if (skip_operator(parser, ")"))
				break;
		}
		if (at_operator(parser, "*") || at_operator(parser, "**"))
			return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED,
							   "arguments unpacked with * are not supported in templates");
		if (parser->token->type == LYF_TOKEN_NAME && parser->token[1].type == LYF_TOKEN_OPERATOR &&
			strcmp(parser->token[1].text, "=") == 0)
		{
			argument->name = parser->token->text;
			parser->token += 2;
			keywords = true;
		}
		else if (keywords)
			return lyf_template_syntax("a positional argument follows a keyword argument");
		LYF_TRY(lyf_template_parse_expression(parser, &argument->left));
		add_to_list(call, &end, argument);
		if (call->count > LYF_TEMPLATE_MAX_ARGS)
			return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a call in a template has more than %d arguments",
							   LYF_TEMPLATE_MAX_ARGS);
	}
	return NULL;
}

/* what stands between [ and ]: an expression or a slice */
static LyfFailure *
parse_subscript(LyfParser *parser, LyfNode *object, LyfNode **node)
{
	LyfNode    *parts[3] = {NULL, NULL, NULL};
	int			part = 0;

	for (;;)
	{
		if (skip_operator(parser, ":"))
		{
			if (++part > 2)
				return unexpected(parser);
		}
		else if (skip_operator(parser, "]"))
			break;
		else if (parts[part] != NULL)
			return unexpected(parser);
		else
			LYF_TRY(lyf_template_parse_expression(parser, &parts[part]));
	}
	if (part == 0 && parts[0] == NULL)
		return lyf_template_syntax("an index is missing");
	*node = lyf_template_node(parser, part > 0 ? lyf_run_slice : lyf_run_item);
	(*node)->left = object;
	(*node)->right = parts[0];
	(*node)->third = parts[1];
	(*node)->list = parts[2];
	return NULL;
}

static LyfFailure *
parse_attribute(LyfParser *parser, LyfNode *object, LyfNode **node)
{
	const LyfToken *token = parser->token++;

	if (token->type == LYF_TOKEN_NAME)
	{
		*node = lyf_template_node(parser, lyf_run_attribute);
		(*node)->name = token->text;
		(*node)->name_len = token->len;
	}
	else if (token->type == LYF_TOKEN_CONSTANT && token->value->kind == LYF_INT)
	{
		*node = lyf_template_node(parser, lyf_run_item);
		(*node)->right = lyf_template_node(parser, lyf_run_constant);
		(*node)->right->value = token->value;
	}
	else
		return lyf_template_syntax("expected a name or a number after \".\"");
	(*node)->left = object;
	return NULL;
}

/* .name [item] (call), any number of them */
static LyfFailure *
parse_postfix(LyfParser *parser, LyfNode **node)
{
	for (;;)
	{
		if (skip_operator(parser, "."))
			LYF_TRY(parse_attribute(parser, *node, node));
		else if (skip_operator(parser, "["))
			LYF_TRY(parse_subscript(parser, *node, node));
		else if (skip_operator(parser, "("))
		{
			LyfNode    *call = lyf_template_node(parser, lyf_run_call);

			call->left = *node;
			LYF_TRY(parse_arguments(parser, call));
			*node = call;
		}
		else
			return NULL;
	}
}

static LyfFailure *
parse_primary(LyfParser *parser, LyfNode **node)
{
	const LyfToken *token = parser->token;

	if (token->type == LYF_TOKEN_NAME)
	{
		parser->token++;
		*node = lyf_template_node(parser, lyf_run_name);
		(*node)->name = token->text;
		(*node)->name_len = token->len;
		for (int i = 0; i < lengthof(constants); i++)
		{
			if (strcmp(token->text, constants[i].name) != 0)
				continue;
			(*node)->run = lyf_run_constant;
			(*node)->value = unconstify(LyfValue *, &constants[i].value);
		}
		return NULL;
	}
	if (token->type == LYF_TOKEN_CONSTANT)
	{
		LyfValue   *value = token->value;
		StringInfoData text;

		/* strings side by side are one */
		if (value->kind == LYF_STRING)
		{
			initStringInfo(&text);
			for (; token->type == LYF_TOKEN_CONSTANT && token->value->kind == LYF_STRING; token++)
				appendBinaryStringInfo(&text, token->value->u.text, token->value->len);
			value = lyf_template_take(&text);
		}
		else
			token++;
		parser->token = token;
		*node = lyf_template_node(parser, lyf_run_constant);
		(*node)->value = value;
		return NULL;
	}
	if (skip_operator(parser, "("))
	{
		if (skip_operator(parser, ")"))
		{
			*node = lyf_template_node(parser, lyf_run_list);
			(*node)->flag = true;
			return NULL;
		}
		LYF_TRY(lyf_template_parse_tuple(parser, node));
		return lyf_template_expect(parser, LYF_TOKEN_OPERATOR, ")");
	}
	if (skip_operator(parser, "["))
	{
		*node = lyf_template_node(parser, lyf_run_list);
		return parse_members(parser, *node, "]");
	}
	if (skip_operator(parser, "{"))
	{
		*node = lyf_template_node(parser, lyf_run_map);
		return parse_members(parser, *node, "}");
	}
	return unexpected(parser);
}

/* name of a filter or test, which must be known */
static LyfFailure *
parse_builtin(LyfParser *parser, const char *what, const LyfBuiltin *(*find) (const char *), LyfNode *node)
{
	const char *name = parser->token->text;

	LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_NAME, NULL));
	node->builtin = find(name);
	if (node->builtin == NULL)
		return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "template %s \"%s\" is not supported",
						   what, lyf_clip(name, 60));
	return NULL;
}

/* |name(arguments) on *node */
LyfFailure *
lyf_template_parse_filters(LyfParser *parser, LyfNode **node)
{
	LyfNode    *filter = lyf_template_node(parser, lyf_run_filter);

	filter->left = *node;
	LYF_TRY(parse_builtin(parser, "filter", lyf_template_find_filter, filter));
	if (skip_operator(parser, "("))
		LYF_TRY(parse_arguments(parser, filter));
	*node = filter;
	return NULL;
}

/* may the token begin the argument of a test that has no brackets? */
static bool
starts_argument(const LyfParser *parser)
{
	static const char *const words[] = {"else", "or", "and"};

	if (parser->token->type == LYF_TOKEN_OPERATOR)
		return at_operator(parser, "[") || at_operator(parser, "{");
	for (int i = 0; i < lengthof(words); i++)
	{
		if (lyf_template_at(parser, LYF_TOKEN_NAME, words[i]))
			return false;
	}
	return parser->token->type == LYF_TOKEN_NAME || parser->token->type == LYF_TOKEN_CONSTANT;
}

static LyfFailure *
parse_test(LyfParser *parser, LyfNode **node)
{
	bool		negated = skip_word(parser, "not");
	LyfNode    *test = lyf_template_node(parser, lyf_run_filter);

	test->left = *node;
	LYF_TRY(parse_builtin(parser, "test", lyf_template_find_test, test));
	if (skip_operator(parser, "("))
		LYF_TRY(parse_arguments(parser, test));
	else if (starts_argument(parser))
	{
		if (lyf_template_at(parser, LYF_TOKEN_NAME, "is"))
			return lyf_template_syntax("tests with \"is\" cannot follow each other");
		test->list = lyf_template_node(parser, NULL);
		test->count = 1;
		LYF_TRY(parse_primary(parser, &test->list->left));
		LYF_TRY(parse_postfix(parser, &test->list->left));
	}
	*node = test;
	if (negated)
	{
		*node = lyf_template_node(parser, lyf_run_not);
		(*node)->left = test;
	}
	return NULL;
}

/* a primary with signs before and all else behind it */
LyfFailure *
lyf_template_parse_operand(LyfParser *parser, bool with_filter, LyfNode **node)
{
	bool		minus = at_operator(parser, "-");

	if (minus || at_operator(parser, "+"))
	{
		LyfNode    *sign = lyf_template_node(parser, lyf_run_unary);

		if (++parser->nesting > LYF_TEMPLATE_MAX_NESTING)
			return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is nested too deeply");
		parser->token++;
		sign->binary = minus ? lyf_op_negate : lyf_op_plus;
		LYF_TRY(lyf_template_parse_operand(parser, false, &sign->left));
		parser->nesting--;
		*node = sign;
	}
	else
		LYF_TRY(parse_primary(parser, node));
	LYF_TRY(parse_postfix(parser, node));
	while (with_filter)
	{
		if (skip_operator(parser, "|"))
			LYF_TRY(lyf_template_parse_filters(parser, node));
		else if (skip_word(parser, "is"))
			LYF_TRY(parse_test(parser, node));
		else if (at_operator(parser, "("))
			LYF_TRY(parse_postfix(parser, node));
		else
			break;
	}
	return NULL;
}
