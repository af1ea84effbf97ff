/*
 * template_names.c
 *		Which names a template looks at.
 *
 * A name that no set or for binds must be there when the template is evaluated,
 * even where it would not be reached.  As in Jinja, one that is set inside of an
 * if only, not before it, must be there too.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/template_internal.h"

/* The names bound so far in one loop's body or the template. */
typedef struct Bound
{
	const struct Bound *outer;
	const char *name[64];
	int			count;
	LyfValue   *missing;		/* list of strings */
} Bound;

static bool
is_bound(const Bound *bound, const char *name)
{
	for (; bound != NULL; bound = bound->outer)
	{
		for (int i = 0; i < bound->count; i++)
		{
			if (strcmp(bound->name[i], name) == 0)
				return true;
		}
	}
	return false;
}

static void
need(Bound *bound, const char *name)
{
	CHECK_FOR_INTERRUPTS();
	if (is_bound(bound, name) || lyf_template_function(name) != NULL)
		return;
	lyf_foreach(member, bound->missing)
	{
		if (strcmp(member->u.text, name) == 0)
			return;
	}
	lyf_value_append(bound->missing, lyf_value_string(name));
}

static void
bind(Bound *bound, const char *name)
{
	if (!is_bound(bound, name) && bound->count < lengthof(bound->name))
		bound->name[bound->count++] = name;
}

static void
bind_target(Bound *bound, const LyfNode *target)
{
	if (target->name != NULL)
		bind(bound, target->name);
	for (const LyfNode *part = target->list; part != NULL; part = part->next)
		bind(bound, part->name);
}

static void walk(Bound *bound, const LyfNode *node);

static void
walk_list(Bound *bound, const LyfNode *list)
{
	check_stack_depth();
	for (; list != NULL; list = list->next)
		walk(bound, list);
}

/* what only the branches bind is not bound behind them for sure */
static void
walk_if(Bound *bound, const LyfNode *node)
{
	int			count = bound->count;
	Bound	   *branch = palloc(sizeof(Bound));

	walk(bound, node->left);
	for (int i = 0; i < 2; i++)
	{
		memcpy(branch, bound, sizeof(Bound));
		branch->count = count;
		walk_list(branch, i == 0 ? node->list : node->third);
		for (int j = count; j < branch->count; j++)
			need(bound, branch->name[j]);
	}
	pfree(branch);
}

static void
walk_for(Bound *bound, const LyfNode *node)
{
	Bound	   *inner = palloc0(sizeof(Bound));

	walk(bound, node->right);
	inner->outer = bound;
	inner->missing = bound->missing;
	bind_target(inner, node->left);
	if (node->condition != NULL)
		walk(inner, node->condition);
	bind(inner, "loop");
	walk_list(inner, node->list);
	inner->count = 0;
	walk_list(inner, node->third);
	pfree(inner);
}

static void
walk(Bound *bound, const LyfNode *node)
{
	check_stack_depth();
	if (node->run == lyf_run_name)
		need(bound, node->name);
	else if (node->run == lyf_run_if)
		walk_if(bound, node);
	else if (node->run == lyf_run_for)
		walk_for(bound, node);
	else if (node->run == lyf_run_set || node->run == lyf_run_set_block)
	{
		if (node->right != NULL)
			walk(bound, node->right);
		walk_list(bound, node->list);
		bind_target(bound, node->left);
	}
	else
	{
		const LyfNode *children[] = {node->left, node->right, node->third};

		for (int i = 0; i < lengthof(children); i++)
		{
			if (children[i] != NULL)
				walk(bound, children[i]);
		}
		walk_list(bound, node->list);
	}
}

LyfValue *
lyf_template_undeclared(const LyfNode *body)
{
	Bound	   *bound = palloc0(sizeof(Bound));
	LyfValue   *missing = lyf_value_make(LYF_LIST);

	bound->missing = missing;
	walk_list(bound, body);
	pfree(bound);
	return missing;
}

/* the member of that name that node looks up, if it is such a lookup, else NULL */
const char *
lyf_template_member_of(const LyfNode *node, const char *name)
{
	if (node->left == NULL || node->left->run != lyf_run_name || strcmp(node->left->name, name) != 0)
		return NULL;
	if (node->run == lyf_run_attribute)
		return node->name;
	if (node->run == lyf_run_item && node->right->run == lyf_run_constant)
		return lyf_value_text(node->right->value);
	return NULL;
}

static bool
is_sought(const LyfNode *node, const char *name, const char *member)
{
	const char *found;

	if (member == NULL)
		return node->run == lyf_run_name && strcmp(node->name, name) == 0;
	found = lyf_template_member_of(node, name);
	return found != NULL && strcmp(found, member) == 0;
}

/* does the tree under node look at that name (member NULL), or at that member of it, anywhere? */
bool
lyf_template_names(const LyfNode *node, const char *name, const char *member)
{
	const LyfNode *children[] = {node->left, node->right, node->third, node->condition};

	check_stack_depth();
	if (is_sought(node, name, member))
		return true;
	for (int i = 0; i < lengthof(children); i++)
	{
		if (children[i] != NULL && lyf_template_names(children[i], name, member))
			return true;
	}
	for (const LyfNode *part = node->list; part != NULL; part = part->next)
	{
		if (lyf_template_names(part, name, member))
			return true;
	}
	return false;
}
