/*
 * template_tree.c
 *		Documents whose strings and keys are templates.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/template.h"

/* A node of the document: a template, a container of nodes, or a plain value. */
struct LyfTemplateTree
{
	const LyfValue *value;		/* as it stands in the document */
	LyfTemplate *template;		/* of a string, else NULL */
	LyfTemplate *key;			/* of a map's member */
	LyfTemplateTree *first;		/* members */
	LyfTemplateTree *next;
};

static LyfFailure *
compile_node(const LyfValue *value, const LyfValue *parameters, LyfTemplateTree *node)
{
	LyfTemplateTree **end = &node->first;

	check_stack_depth();
	node->value = value;
	if (value->kind == LYF_STRING)
		return lyf_template_compile(value->u.text, parameters, &node->template);
	if (value->kind != LYF_MAP && value->kind != LYF_LIST)
		return NULL;
	lyf_foreach(member, value)
	{
		*end = palloc0(sizeof(LyfTemplateTree));
		if (value->kind == LYF_MAP)
			LYF_TRY(lyf_template_compile(member->key, parameters, &(*end)->key));
		LYF_TRY(compile_node(member, parameters, *end));
		end = &(*end)->next;
	}
	return NULL;
}

LyfFailure *
lyf_template_tree_compile(const LyfValue *document, const LyfValue *parameters, LyfTemplateTree **compiled)
{
	*compiled = palloc0(sizeof(LyfTemplateTree));
	return compile_node(lyf_value_copy(document), parameters, *compiled);
}

bool
lyf_template_tree_uses_slice(const LyfTemplateTree *tree, const char *member)
{
	check_stack_depth();
	if ((tree->template != NULL && lyf_template_uses_slice(tree->template, member)) ||
		(tree->key != NULL && lyf_template_uses_slice(tree->key, member)))
		return true;
	for (const LyfTemplateTree *part = tree->first; part != NULL; part = part->next)
	{
		if (lyf_template_tree_uses_slice(part, member))
			return true;
	}
	return false;
}

/* a key as JSON writes it */
static const char *
key_text(const LyfValue *key)
{
	if (key->kind == LYF_BOOL)
		return key->u.boolean ? "true" : "false";
	return key->kind == LYF_NULL ? "null" : lyf_template_str(key);
}

static LyfFailure *
eval_node(const LyfTemplateTree *node, const LyfScope *scope, unsigned types, bool nested, int depth,
		  LyfValue **result)
{
	LyfValue   *made;
	LyfValue  **end;

	if (node->template != NULL)
		return lyf_template_eval(node->template, scope, types, NULL, result);
	if (node->first == NULL || (depth > 0 && !nested))
	{
		*result = unconstify(LyfValue *, node->value);
		return NULL;
	}
	made = lyf_value_make(node->value->kind);
	end = &made->u.first;
	for (const LyfTemplateTree *member = node->first; member != NULL; member = member->next)
	{
		LyfValue   *key;
		LyfValue   *value;

		if (member->key != NULL)
			LYF_TRY(lyf_template_eval(member->key, scope, nested ? 0 : LYF_AS_STRING, NULL, &key));
		LYF_TRY(eval_node(member, scope, types, nested, depth + 1, &value));
		if (member->key == NULL)
		{
			*end = lyf_value_alias(value);
			end = &(*end)->next;
			made->len++;
		}
		else if (!nested || value->kind != LYF_NULL)
			lyf_value_set(made, key_text(key), lyf_value_alias(value));
	}
	*result = made;
	return NULL;
}

LyfFailure *
lyf_template_tree_eval(const LyfTemplateTree *tree, const LyfScope *scope, unsigned types, bool nested,
					   LyfValue **result)
{
	return eval_node(tree, scope, types, nested, 0, result);
}
