/*
 * template_statement.c
 *		Statements: text, {{ output }}, if, for and set.
 *
 * A for loop has names of its own, which end with each turn; if has none.
 */
#include "postgres.h"

#include "base/datetime.h"
#include "base/template_internal.h"

static LyfFailure *parse_body(LyfParser *parser, const char *const *ends, LyfNode **body);

/* out is bounded: every text that is rendered goes through here */
static LyfFailure *
render(LyfEval *ev, const LyfValue *value)
{
	if (value->kind == LYF_STRING)
		appendBinaryStringInfo(ev->out, value->u.text, value->len);
	else
		lyf_template_print_python(ev->out, value);
	if (ev->out->len > LYF_TEMPLATE_MAX_OUTPUT)
		return lyf_template_fail_limit(ev, "the text that a template makes is too long");
	return NULL;
}

LyfFailure *
lyf_run_data(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	return render(ev, node->value);
}

LyfFailure *
lyf_run_output(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *value;

	LYF_TRY(node->left->run(ev, node->left, &value));
	return render(ev, value);
}

LyfFailure *
lyf_template_run_body(LyfEval *ev, const LyfNode *body)
{
	for (const LyfNode *node = body; node != NULL; node = node->next)
	{
		LyfValue   *unused;

		LYF_TRY(lyf_template_step(ev));
		LYF_TRY(node->run(ev, node, &unused));
	}
	return NULL;
}

/* left: condition, list: body, third: the else part (an elif is an if in it) */
LyfFailure *
lyf_run_if(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *condition;

	LYF_TRY(node->left->run(ev, node->left, &condition));
	return lyf_template_run_body(ev, lyf_template_truth(condition) ? node->list : node->third);
}

/* bind target (a name, or a list of targets) to value */
static LyfFailure *
assign(LyfEval *ev, const LyfNode *target, LyfValue *value)
{
	LyfValue   *list;
	const LyfValue *member;

	if (target->name != NULL)
	{
		lyf_template_bind(ev, target->name, value);
		return NULL;
	}
	LYF_TRY(lyf_template_iterate(ev, value, &list));
	if (list->len != target->count)
		return lyf_template_fail_value(ev, "a template takes %u values apart into %d names",
									   list->len, target->count);
	member = list->u.first;
	for (const LyfNode *part = target->list; part != NULL; part = part->next)
	{
		LYF_TRY(assign(ev, part, unconstify(LyfValue *, member)));
		member = member->next;
	}
	return NULL;
}

/* what `loop` is in one turn */
static LyfValue *
make_loop(const LyfValue *previous, const LyfValue *item, int64 index, int64 length)
{
	LyfValue   *loop = lyf_template_new_map();

	loop->flags |= LYF_FLAG_NAMESPACE;
	lyf_template_put(loop, "index", lyf_value_int(index + 1));
	lyf_template_put(loop, "index0", lyf_value_int(index));
	lyf_template_put(loop, "revindex", lyf_value_int(length - index));
	lyf_template_put(loop, "revindex0", lyf_value_int(length - index - 1));
	lyf_template_put(loop, "first", lyf_value_bool(index == 0));
	lyf_template_put(loop, "last", lyf_value_bool(index == length - 1));
	lyf_template_put(loop, "length", lyf_value_int(length));
	lyf_template_put(loop, "previtem", previous != NULL ? previous : &lyf_template_undefined);
	lyf_template_put(loop, "nextitem", item->next != NULL ? item->next : &lyf_template_undefined);
	return loop;
}

/* those members of the list for which the loop's own condition holds */
static LyfFailure *
filter_items(LyfEval *ev, const LyfNode *node, LyfValue **list)
{
	LyfVariable *outer = ev->variables;
	LyfListMaker kept;

	lyf_list_begin(&kept);
	lyf_foreach(item, *list)
	{
		LyfValue   *keep;

		LYF_TRY(assign(ev, node->left, item));
		LYF_TRY(node->condition->run(ev, node->condition, &keep));
		if (lyf_template_truth(keep))
			LYF_TRY(lyf_list_add(ev, &kept, item));
		ev->variables = outer;
	}
	*list = kept.list;
	return NULL;
}

/*
 * left: target, right: what is gone through, list: body, third: the else part,
 * condition: of which items, or NULL; flag: the body looks at `loop`
 */
LyfFailure *
lyf_run_for(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfVariable *outer = ev->variables;
	const LyfValue *previous = NULL;
	int64		index = 0;
	LyfValue   *list;

	LYF_TRY(node->right->run(ev, node->right, &list));
	LYF_TRY(lyf_template_iterate(ev, list, &list));
	ev->depth++;
	if (node->condition != NULL)
		LYF_TRY(filter_items(ev, node, &list));
	lyf_foreach(item, list)
	{
		if (node->flag)
			lyf_template_bind(ev, "loop", make_loop(previous, item, index, list->len));
		LYF_TRY(assign(ev, node->left, item));
		LYF_TRY(lyf_template_run_body(ev, node->list));
		LYF_TRY(lyf_template_step(ev));
		ev->variables = outer;
		previous = item;
		index++;
	}
	if (index == 0)
		LYF_TRY(lyf_template_run_body(ev, node->third));
	ev->variables = outer;
	ev->depth--;
	return NULL;
}

/* left: target, right: expression */
LyfFailure *
lyf_run_set(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *value;

	LYF_TRY(node->right->run(ev, node->right, &value));
	return assign(ev, node->left, value);
}

/* left: target, list: the body whose text is the value, right: filters on it or NULL */
LyfFailure *
lyf_run_set_block(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	StringInfo	outer = ev->out;
	LyfFailure *failure;

	ev->out = makeStringInfo();
	failure = lyf_template_run_body(ev, node->list);
	if (failure == NULL)
	{
		LyfValue   *value = lyf_template_take(ev->out);

		/* filters begin at a constant node, which is this text */
		if (node->right != NULL)
		{
			node->third->value = value;
			failure = node->right->run(ev, node->right, &value);
		}
		if (failure == NULL)
			failure = assign(ev, node->left, value);
	}
	ev->out = outer;
	return failure;
}

/* left: the namespace, name: its member, right: expression */
static LyfFailure *
run_set_member(LyfEval *ev, const LyfNode *node, LyfValue **result)
{
	LyfValue   *namespace;
	LyfValue   *value;

	LYF_TRY(node->right->run(ev, node->right, &value));
	LYF_TRY(node->left->run(ev, node->left, &namespace));
	if ((namespace->flags & LYF_FLAG_NAMESPACE) == 0)
		return lyf_template_fail_value(ev, "cannot set a member of \"%s\", which is no namespace",
									   lyf_clip(node->left->name, 60));
	lyf_template_put(namespace, node->name, value);
	return NULL;
}

static LyfFailure *
expect_word(LyfParser *parser, const char *word)
{
	return lyf_template_expect(parser, LYF_TOKEN_NAME, word);
}

static LyfFailure *
expect_block_end(LyfParser *parser)
{
	return lyf_template_expect(parser, LYF_TOKEN_BLOCK_END, "%}");
}

/* a name, or names with commas between, perhaps in brackets */
static LyfFailure *
parse_target(LyfParser *parser, LyfNode **target)
{
	bool		bracket = lyf_template_skip(parser, LYF_TOKEN_OPERATOR, "(");
	LyfNode   **end;

	*target = lyf_template_node(parser, NULL);
	end = &(*target)->list;
	do
	{
		LyfNode    *name = lyf_template_node(parser, lyf_run_name);

		if (lyf_template_at(parser, LYF_TOKEN_NAME, "in"))
			break;
		name->name = parser->token->text;
		name->name_len = parser->token->len;
		LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_NAME, NULL));
		*end = name;
		end = &name->next;
		(*target)->count++;
		(*target)->flag = lyf_template_at(parser, LYF_TOKEN_OPERATOR, ",");
	} while (lyf_template_skip(parser, LYF_TOKEN_OPERATOR, ","));
	if (bracket)
		LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_OPERATOR, ")"));

	/* one name without a comma is no tuple */
	if ((*target)->count == 1 && !(*target)->flag)
		*target = (*target)->list;
	return NULL;
}

static LyfFailure *
parse_if(LyfParser *parser, LyfNode **node)
{
	static const char *const ends[] = {"elif", "else", "endif", NULL};
	static const char *const end[] = {"endif", NULL};

	*node = lyf_template_node(parser, lyf_run_if);
	LYF_TRY(lyf_template_parse_tuple(parser, &(*node)->left));
	LYF_TRY(expect_block_end(parser));
	LYF_TRY(parse_body(parser, ends, &(*node)->list));
	if (lyf_template_skip(parser, LYF_TOKEN_NAME, "elif"))
	{
		LyfFailure *failure;

		if (++parser->nesting > LYF_TEMPLATE_MAX_NESTING)
			return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is nested too deeply");
		failure = parse_if(parser, &(*node)->third);
		parser->nesting--;
		return failure;
	}
	if (lyf_template_skip(parser, LYF_TOKEN_NAME, "else"))
	{
		LYF_TRY(expect_block_end(parser));
		LYF_TRY(parse_body(parser, end, &(*node)->third));
	}
	LYF_TRY(expect_word(parser, "endif"));
	return expect_block_end(parser);
}

static LyfFailure *
parse_for(LyfParser *parser, LyfNode **node)
{
	static const char *const ends[] = {"else", "endfor", NULL};
	static const char *const end[] = {"endfor", NULL};

	*node = lyf_template_node(parser, lyf_run_for);
	LYF_TRY(parse_target(parser, &(*node)->left));
	LYF_TRY(expect_word(parser, "in"));
	LYF_TRY(lyf_template_parse_no_condition(parser, &(*node)->right));
	if (lyf_template_skip(parser, LYF_TOKEN_NAME, "if"))
		LYF_TRY(lyf_template_parse_expression(parser, &(*node)->condition));
	if (lyf_template_at(parser, LYF_TOKEN_NAME, "recursive"))
		return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "recursive loops in templates are not supported");
	LYF_TRY(expect_block_end(parser));
	LYF_TRY(parse_body(parser, ends, &(*node)->list));
	for (const LyfNode *child = (*node)->list; child != NULL && !(*node)->flag; child = child->next)
		(*node)->flag = lyf_template_names(child, "loop", NULL);
	if (lyf_template_skip(parser, LYF_TOKEN_NAME, "else"))
	{
		LYF_TRY(expect_block_end(parser));
		LYF_TRY(parse_body(parser, end, &(*node)->third));
	}
	LYF_TRY(expect_word(parser, "endfor"));
	return expect_block_end(parser);
}

static LyfFailure *
parse_set_block(LyfParser *parser, LyfNode *node)
{
	static const char *const end[] = {"endset", NULL};

	node->run = lyf_run_set_block;
	if (lyf_template_at(parser, LYF_TOKEN_OPERATOR, "|"))
	{
		node->third = lyf_template_node(parser, lyf_run_constant);
		node->right = node->third;
		while (lyf_template_skip(parser, LYF_TOKEN_OPERATOR, "|"))
			LYF_TRY(lyf_template_parse_filters(parser, &node->right));
	}
	LYF_TRY(expect_block_end(parser));
	LYF_TRY(parse_body(parser, end, &node->list));
	LYF_TRY(expect_word(parser, "endset"));
	return expect_block_end(parser);
}

static LyfFailure *
parse_set(LyfParser *parser, LyfNode **node)
{
	*node = lyf_template_node(parser, lyf_run_set);
	LYF_TRY(parse_target(parser, &(*node)->left));
	if (lyf_template_skip(parser, LYF_TOKEN_OPERATOR, "."))
	{
		(*node)->run = run_set_member;
		(*node)->name = parser->token->text;
		LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_NAME, NULL));
	}
	else if (!lyf_template_at(parser, LYF_TOKEN_OPERATOR, "="))
		return parse_set_block(parser, *node);
	LYF_TRY(lyf_template_expect(parser, LYF_TOKEN_OPERATOR, "="));
	LYF_TRY(lyf_template_parse_tuple(parser, &(*node)->right));
	return expect_block_end(parser);
}

static const struct
{
	const char *word;
	LyfFailure *(*parse) (LyfParser *parser, LyfNode **node);
}			statements[] = {
	{"if", parse_if},
	{"for", parse_for},
	{"set", parse_set},
};

static LyfFailure *
parse_statement(LyfParser *parser, LyfNode **node)
{
	static const char *const others[] = {
		"macro", "call", "filter", "include", "import", "from", "extends", "block", "with", "autoescape", "print"
	};

	for (int i = 0; i < lengthof(statements); i++)
	{
		if (lyf_template_skip(parser, LYF_TOKEN_NAME, statements[i].word))
			return statements[i].parse(parser, node);
	}
	for (int i = 0; i < lengthof(others); i++)
	{
		if (lyf_template_at(parser, LYF_TOKEN_NAME, others[i]))
			return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED,
							   "template statement \"%s\" is not supported", others[i]);
	}
	return lyf_template_syntax("unknown statement \"%s\"", lyf_clip(parser->token->text, 60));
}

static bool
at_one_of(const LyfParser *parser, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
	{
		if (lyf_template_at(parser, LYF_TOKEN_NAME, words[i]))
			return true;
	}
	return false;
}

/* one piece of text, {{ }}, or statement whose {% was read */
static LyfFailure *
parse_piece(LyfParser *parser, LyfNode **node)
{
	const LyfToken *token = parser->token;

	if (lyf_template_skip(parser, LYF_TOKEN_DATA, NULL))
	{
		*node = lyf_template_node(parser, lyf_run_data);
		(*node)->value = lyf_value_string_len(token->text, token->len);
		return NULL;
	}
	if (lyf_template_skip(parser, LYF_TOKEN_VARIABLE_BEGIN, NULL))
	{
		*node = lyf_template_node(parser, lyf_run_output);
		LYF_TRY(lyf_template_parse_tuple(parser, &(*node)->left));
		return lyf_template_expect(parser, LYF_TOKEN_VARIABLE_END, "}}");
	}
	return parse_statement(parser, node);
}

/*
 * Text, outputs and statements up to {% and one of the words `ends`, which comes
 * to be the next token; ends NULL: up to the end of the template.
 */
static LyfFailure *
parse_body(LyfParser *parser, const char *const *ends, LyfNode **body)
{
	LyfNode   **end = body;

	if (++parser->nesting > LYF_TEMPLATE_MAX_NESTING)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a template is nested too deeply");
	for (;;)
	{
		if (parser->token->type == LYF_TOKEN_END)
		{
			while (ends != NULL && ends[1] != NULL)
				ends++;
			if (ends != NULL)
				return lyf_template_syntax("\"%s\" is missing", ends[0]);
			break;
		}
		if (lyf_template_skip(parser, LYF_TOKEN_BLOCK_BEGIN, NULL) && ends != NULL && at_one_of(parser, ends))
			break;
		LYF_TRY(parse_piece(parser, end));
		end = &(*end)->next;
	}
	parser->nesting--;
	return NULL;
}

LyfFailure *
lyf_template_parse(const LyfToken *tokens, LyfNode **body)
{
	LyfParser	parser = {.token = tokens};

	*body = NULL;
	return parse_body(&parser, NULL, body);
}
