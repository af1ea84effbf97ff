/*
 * template_operator.c
 *		Tokens to a tree: expressions made of operands and operators.
 *
 * Operators bind, weakest first: or, and, not, comparisons, + -, ~, * / // %,
 * **; then what is an operand's own.
 */
#include "postgres.h"

#include "base/template_internal.h"

/* how strongly operators bind */
enum
{
	LEVEL_OR,
	LEVEL_AND,
	LEVEL_NOT,
	LEVEL_COMPARE,
	LEVEL_ADD,
	LEVEL_CONCAT,
	LEVEL_MULTIPLY,
	LEVEL_POWER,
	LEVEL_SIGN
};

typedef struct Operator
{
	int			level;
	LyfTokenType type;
	const char *text;
	LyfNodeRun	run;
	LyfBinary	binary;
} Operator;

static const Operator operators[] = {
	{LEVEL_OR, LYF_TOKEN_NAME, "or", lyf_run_or, NULL},
	{LEVEL_AND, LYF_TOKEN_NAME, "and", lyf_run_and, NULL},
	{LEVEL_COMPARE, LYF_TOKEN_OPERATOR, "==", lyf_run_compare, lyf_op_equal},
	{LEVEL_COMPARE, LYF_TOKEN_OPERATOR, "!=", lyf_run_compare, lyf_op_not_equal},
	{LEVEL_COMPARE, LYF_TOKEN_OPERATOR, "<", lyf_run_compare, lyf_op_less},
	{LEVEL_COMPARE, LYF_TOKEN_OPERATOR, "<=", lyf_run_compare, lyf_op_less_equal},
	{LEVEL_COMPARE, LYF_TOKEN_OPERATOR, ">", lyf_run_compare, lyf_op_greater},
	{LEVEL_COMPARE, LYF_TOKEN_OPERATOR, ">=", lyf_run_compare, lyf_op_greater_equal},
	{LEVEL_COMPARE, LYF_TOKEN_NAME, "in", lyf_run_compare, lyf_op_in},
	{LEVEL_COMPARE, LYF_TOKEN_NAME, "not", lyf_run_compare, lyf_op_not_in},
	{LEVEL_ADD, LYF_TOKEN_OPERATOR, "+", lyf_run_binary, lyf_op_add},
	{LEVEL_ADD, LYF_TOKEN_OPERATOR, "-", lyf_run_binary, lyf_op_subtract},
	{LEVEL_CONCAT, LYF_TOKEN_OPERATOR, "~", lyf_run_concat, NULL},
	{LEVEL_MULTIPLY, LYF_TOKEN_OPERATOR, "*", lyf_run_binary, lyf_op_multiply},
	{LEVEL_MULTIPLY, LYF_TOKEN_OPERATOR, "/", lyf_run_binary, lyf_op_divide},
	{LEVEL_MULTIPLY, LYF_TOKEN_OPERATOR, "//", lyf_run_binary, lyf_op_floor_divide},
	{LEVEL_MULTIPLY, LYF_TOKEN_OPERATOR, "%", lyf_run_binary, lyf_op_modulo},
	{LEVEL_POWER, LYF_TOKEN_OPERATOR, "**", lyf_run_binary, lyf_op_power},
};

/* the operator of that level that comes next, or NULL; "not" must be followed by "in" */
static const Operator *
next_operator(LyfParser *parser, int level)
{
	for (int i = 0; i < lengthof(operators); i++)
	{
		const Operator *op = &operators[i];

		if (op->level != level || !lyf_template_at(parser, op->type, op->text))
			continue;
		if (op->binary == lyf_op_not_in)
		{
			if (parser->token[1].type != LYF_TOKEN_NAME || strcmp(parser->token[1].text, "in") != 0)
				return NULL;
			parser->token++;
		}
		parser->token++;
		return op;
	}
	return NULL;
}

static void
add_operand(LyfNode *chain, LyfNode ***end, LyfNode *operand)
{
	if (*end == NULL)
		*end = &chain->list;
	**end = operand;
	*end = &operand->next;
	chain->count++;
}

/* a chain like a ~ b ~ c or a < b < c is one node with a list of (operator, operand) */
static LyfFailure *
parse_level(LyfParser *parser, int level, LyfNode **node)
{
	const Operator *op;
	LyfNode    *chain = NULL;
	LyfNode   **end = NULL;
	int			joined = 0;

	if (level == LEVEL_SIGN)
		return lyf_template_parse_operand(parser, true, node);
	if (level == LEVEL_NOT && lyf_template_skip(parser, LYF_TOKEN_NAME, "not"))
	{
		*node = lyf_template_node(parser, lyf_run_not);
		if (++parser->nesting > LYF_TEMPLATE_MAX_NESTING)
			return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is nested too deeply");
		LYF_TRY(parse_level(parser, LEVEL_NOT, &(*node)->left));
		parser->nesting--;
		return NULL;
	}
	LYF_TRY(parse_level(parser, level + 1, node));
	while ((op = next_operator(parser, level)) != NULL)
	{
		LyfNode    *operand;

		if (op->run == lyf_run_binary)
		{
			LyfNode    *binary = lyf_template_node(parser, op->run);

			/* each makes the tree one deeper on its left side */
			if (++joined > LYF_TEMPLATE_MAX_NESTING)
				return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template has too many operators in a row");
			binary->binary = op->binary;
			binary->left = *node;
			LYF_TRY(parse_level(parser, level + 1, &binary->right));
			*node = binary;
			continue;
		}
		if (chain == NULL)
		{
			chain = lyf_template_node(parser, op->run);
			chain->left = *node;
			*node = chain;
		}
		operand = lyf_template_node(parser, NULL);
		operand->binary = op->binary;
		LYF_TRY(parse_level(parser, level + 1, &operand->left));
		add_operand(chain, &end, operand);
	}
	return NULL;
}

LyfFailure *
lyf_template_parse_no_condition(LyfParser *parser, LyfNode **node)
{
	return parse_level(parser, LEVEL_OR, node);
}

/* a if b else c */
LyfFailure *
lyf_template_parse_expression(LyfParser *parser, LyfNode **node)
{
	int			conditions = 0;

	if (++parser->nesting > LYF_TEMPLATE_MAX_NESTING)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is nested too deeply");
	LYF_TRY(parse_level(parser, LEVEL_OR, node));
	while (lyf_template_skip(parser, LYF_TOKEN_NAME, "if"))
	{
		LyfNode    *condition = lyf_template_node(parser, lyf_run_condition);

		if (++conditions > LYF_TEMPLATE_MAX_NESTING)
			return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is nested too deeply");
		condition->left = *node;
		LYF_TRY(parse_level(parser, LEVEL_OR, &condition->right));
		if (lyf_template_skip(parser, LYF_TOKEN_NAME, "else"))
			LYF_TRY(lyf_template_parse_expression(parser, &condition->third));
		*node = condition;
	}
	parser->nesting--;
	return NULL;
}

static bool
at_operator(const LyfParser *parser, const char *text)
{
	return lyf_template_at(parser, LYF_TOKEN_OPERATOR, text);
}

static bool
at_tuple_end(const LyfParser *parser)
{
	return parser->token->type == LYF_TOKEN_VARIABLE_END || parser->token->type == LYF_TOKEN_BLOCK_END ||
		at_operator(parser, ")");
}

/* an expression, or a tuple where there are commas */
LyfFailure *
lyf_template_parse_tuple(LyfParser *parser, LyfNode **node)
{
	LyfNode    *first;
	LyfNode   **end = NULL;

	LYF_TRY(lyf_template_parse_expression(parser, &first));
	*node = first;
	if (!at_operator(parser, ","))
		return NULL;
	*node = lyf_template_node(parser, lyf_run_list);
	(*node)->flag = true;
	add_operand(*node, &end, first);
	while (lyf_template_skip(parser, LYF_TOKEN_OPERATOR, ",") && !at_tuple_end(parser))
	{
		LyfNode    *member;

		LYF_TRY(lyf_template_parse_expression(parser, &member));
		add_operand(*node, &end, member);
	}
	return NULL;
}
