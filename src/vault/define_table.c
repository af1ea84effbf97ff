/*
 * define_table.c
 *		SQL functions that make hubs, links, satellites and reference tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "vault/vault_internal.h"

LYF_FUNCTION_INFO_V1(lyf_create_hub);
LYF_FUNCTION_INFO_V1(lyf_create_link);
LYF_FUNCTION_INFO_V1(lyf_create_satellite);
LYF_FUNCTION_INFO_V1(lyf_create_reference);

/* a text argument; null and empty: none */
static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	char	   *given = PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));

	return given == NULL || given[0] == '\0' ? NULL : given;
}

static List *
list_argument(FunctionCallInfo fcinfo, int number)
{
	return lyf_text_list(PG_ARGISNULL(number) ? (Datum) 0 : PG_GETARG_DATUM(number), PG_ARGISNULL(number));
}

/* a list that must have members */
static List *
required_list(FunctionCallInfo fcinfo, int number, const char *name)
{
	List	   *list = list_argument(fcinfo, number);

	if (list == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must name something", name)));
	return list;
}

static List *
item_names(List *items)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, items)
		names = lappend(names, ((LyfVaultItem *) lfirst(lc))->name);
	return names;
}

/* an item that we make: the user's text is an expression already */
static LyfVaultItem *
make_item(const char *name, const char *expr)
{
	LyfVaultItem *item = palloc0(sizeof(LyfVaultItem));

	item->name = pstrdup(name);
	item->expr = pstrdup(expr);
	return item;
}

static char *
whole_key_name(const char *name)
{
	char	   *column = psprintf("%s_hk", name);

	if (strlen(column) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for a column named after it", name)));
	return column;
}

static char *
hash_key_name(const char *name)
{
	return whole_key_name(lyf_vault_stem(name));
}

static LyfVaultTable *
get_of_class(const LyfVault *vault, const char *name, LyfVaultClass class, const char *word)
{
	LyfVaultTable *table = lyf_vault_table_get(vault, name);

	if (table->kind->class != class)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is a %s, not a %s", name, vault->name, table->kind->name, word)));
	return table;
}

static void
raise_key_count(const LyfVaultTable *table, int expected, int given)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" needs %d expressions for its keys, not %d", table->name, expected, given),
			 errhint("Give those of the business keys of its hubs, one hub after the other, and then of the dependent key.")));
}

/* the columns of a hub's business key that users give */
static int
given_count(const LyfVaultTable *hub)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, hub->key)
		if (strcmp(lfirst(lc), LYF_COLLISION_CODE) != 0 && strcmp(lfirst(lc), LYF_TENANT) != 0)
			count++;
	return count;
}

/* what fills a column of a hub's business key; given: what is left of what the user gave */
static LyfVaultItem *
key_item(const LyfVaultDefine *define, const LyfVaultTable *hub, const char *column, List *given, int *next)
{
	const char *expr;

	if (strcmp(column, LYF_COLLISION_CODE) == 0)
		expr = define->collision_code != NULL ? quote_literal_cstr(define->collision_code) : NULL;
	else if (strcmp(column, LYF_TENANT) == 0)
		expr = define->tenant;
	else
		expr = ((LyfVaultItem *) list_nth(given, (*next)++))->expr;
	if (expr == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the business key of \"%s\" has a %s: give one", hub->name, column)));
	return make_item(column, expr);
}

/* The business key of a hub, in define->key, with the types that the hub has. */
static void
add_hub_key(LyfVaultDefine *define, const LyfVaultTable *hub, List *given, int *next)
{
	ListCell   *lc;

	foreach(lc, hub->key)
	{
		LyfVaultItem *item = key_item(define, hub, lfirst(lc), given, next);

		item->type = lyf_vault_column_type(define->vault, hub->name, lfirst(lc));
		define->key = lappend(define->key, item);
	}
}

/* lyftron.create_hub: see vault.sql for the arguments, here and below */
Datum
lyf_create_hub(PG_FUNCTION_ARGS)
{
	LyfVaultDefine *define = lyf_vault_define_begin(fcinfo, lyf_vault_required(fcinfo, 0, "vault"), lyf_vault_required(fcinfo, 1, "hub"),
													"hub", lyf_vault_required(fcinfo, 2, "source"));
	List	   *items = lyf_vault_items(required_list(fcinfo, 3, "business_key"), true);

	define->load_date = text_argument(fcinfo, 4);
	define->record_source = text_argument(fcinfo, 5);
	define->tenant = text_argument(fcinfo, 6);
	define->collision_code = text_argument(fcinfo, 7);
	define->increment = text_argument(fcinfo, 8);
	define->lookback = text_argument(fcinfo, 9);
	if (define->tenant != NULL)
		items = lcons(make_item(LYF_TENANT, define->tenant), items);
	if (define->collision_code != NULL)
		items = lcons(make_item(LYF_COLLISION_CODE, quote_literal_cstr(define->collision_code)), items);
	define->key = items;
	define->table->key = item_names(items);
	define->table->hash_key = hash_key_name(define->table->name);
	lyf_vault_define_end(define);
	PG_RETURN_VOID();
}

/* "hub_employee AS manager": the hub, and what the link's column is named after */
static LyfVaultRole *
read_role(const LyfVault *vault, const char *text)
{
	LyfVaultRole *role = palloc(sizeof(LyfVaultRole));
	LyfVaultItem *item = lyf_vault_item(text, true);
	LyfVaultTable *hub;

	role->hub = lyf_vault_item(item->expr, true)->name;
	hub = get_of_class(vault, role->hub, LYF_VAULT_HUB, "hub");
	role->column = strcmp(item->name, role->hub) == 0 ? hub->hash_key : hash_key_name(item->name);
	return role;
}

/* what its kind asks of a link */
static void
check_link(const LyfVaultTable *table)
{
	const char *kind = table->kind->name;

	if (table->kind->class != LYF_VAULT_LINK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a link cannot be of the kind \"%s\"", kind),
				 errhint("It may be: link, non_historized, hierarchical, same_as.")));
	if ((strcmp(kind, "hierarchical") == 0 || strcmp(kind, "same_as") == 0) &&
		(list_length(table->hubs) != 2 ||
		 strcmp(((LyfVaultRole *) linitial(table->hubs))->hub, ((LyfVaultRole *) lsecond(table->hubs))->hub) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a link of the kind %s is between two roles of one hub", kind),
				 errhint("For example: hubs => '{hub_employee, hub_employee AS manager}'.")));
	if (table->columns != NIL && strcmp(kind, "non_historized") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a link of the kind %s has no columns of its own", kind),
				 errhint("Make a satellite of it, or a link of the kind non_historized.")));
}

static void
check_role_columns(LyfVaultTable *table)
{
	ListCell   *lc;

	foreach(lc, table->hubs)
	{
		const char *column = ((LyfVaultRole *) lfirst(lc))->column;
		bool		twice = false;

		/* link_order beside hub_order: the link's own key has all of its name */
		if (strcmp(column, table->hash_key) == 0)
			table->hash_key = whole_key_name(table->name);
		for (int i = 0; i < foreach_current_index(lc); i++)
			twice = twice || strcmp(column, ((LyfVaultRole *) list_nth(table->hubs, i))->column) == 0;
		if (twice)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("link \"%s\" would have two columns \"%s\"", table->name, column),
					 errhint("Give a hub another role: hub_name AS role, or the link another name.")));
	}
}

Datum
lyf_create_link(PG_FUNCTION_ARGS)
{
	LyfVaultDefine *define = lyf_vault_define_begin(fcinfo, lyf_vault_required(fcinfo, 0, "vault"), lyf_vault_required(fcinfo, 1, "link"),
													lyf_vault_required(fcinfo, 7, "kind"), lyf_vault_required(fcinfo, 2, "source"));
	LyfVaultTable *table = define->table;
	List	   *hubs = required_list(fcinfo, 3, "hubs");
	List	   *given = lyf_vault_items(required_list(fcinfo, 4, "keys"), false);
	int			next = 0;
	int			expected = 0;
	ListCell   *lc;

	define->dependent = lyf_vault_items(list_argument(fcinfo, 5), true);
	define->columns = lyf_vault_items(list_argument(fcinfo, 6), true);
	define->load_date = text_argument(fcinfo, 8);
	define->record_source = text_argument(fcinfo, 9);
	define->tenant = text_argument(fcinfo, 10);
	define->collision_code = text_argument(fcinfo, 11);
	define->increment = text_argument(fcinfo, 12);
	define->lookback = text_argument(fcinfo, 13);
	table->hash_key = hash_key_name(table->name);
	table->dependent = item_names(define->dependent);
	table->columns = item_names(define->columns);
	foreach(lc, hubs)
	{
		LyfVaultRole *role = read_role(define->vault, lfirst(lc));

		table->hubs = lappend(table->hubs, role);
		expected += given_count(lyf_vault_table_get(define->vault, role->hub));
	}
	if (list_length(given) != expected)
		raise_key_count(table, expected, list_length(given));
	foreach(lc, table->hubs)
		add_hub_key(define, lyf_vault_table_get(define->vault, ((LyfVaultRole *) lfirst(lc))->hub), given, &next);
	check_link(table);
	check_role_columns(table);
	lyf_vault_define_end(define);
	PG_RETURN_VOID();
}

/* The key of a satellite: that of its hub, or of all hubs of its link and the dependent key. */
static void
add_parent_key(LyfVaultDefine *define, const LyfVaultTable *parent, List *given)
{
	List	   *hubs = NIL;
	int			expected = list_length(parent->dependent);
	int			next = 0;
	ListCell   *lc;

	if (parent->kind->class == LYF_VAULT_HUB)
		hubs = list_make1(unconstify(LyfVaultTable *, parent));
	foreach(lc, parent->hubs)
		hubs = lappend(hubs, lyf_vault_table_get(define->vault, ((LyfVaultRole *) lfirst(lc))->hub));
	foreach(lc, hubs)
		expected += given_count(lfirst(lc));
	if (list_length(given) != expected)
		raise_key_count(define->table, expected, list_length(given));
	foreach(lc, hubs)
		add_hub_key(define, lfirst(lc), given, &next);
	foreach(lc, parent->dependent)
	{
		LyfVaultItem *item = make_item(lfirst(lc), ((LyfVaultItem *) list_nth(given, next++))->expr);

		item->type = lyf_vault_column_type(define->vault, parent->name, item->name);
		define->key = lappend(define->key, item);
	}
}

/* is this column of the source nothing but that expression? */
static bool
is_expression(const char *column, const char *expr)
{
	return expr != NULL && (strcmp(expr, column) == 0 || strcmp(expr, quote_identifier(column)) == 0);
}

static bool
is_among(const char *column, List *items)
{
	ListCell   *lc;

	foreach(lc, items)
		if (is_expression(column, ((LyfVaultItem *) lfirst(lc))->expr))
			return true;
	return false;
}

/* what a satellite or reference table describes, where it is not said: whatever has no other role */
static List *
remaining_columns(const LyfVaultDefine *define)
{
	TupleDesc	desc = define->source->desc;
	List	   *items = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);

		if (is_among(name, define->key) || is_among(name, define->sub_key) || is_expression(name, define->load_date) ||
			is_expression(name, define->record_source) || is_expression(name, define->tenant) || is_expression(name, define->sequence) ||
			is_expression(name, define->operation) || is_expression(name, define->increment) ||
			lyf_vault_is_pipeline_column(name))
			continue;
		items = lappend(items, make_item(name, quote_identifier(name)));
	}
	return items;
}

/* the link's column of a role, by the role's name, the column's or the hub's; raises where it has none, or several of the hub */
static char *
role_column(const LyfVaultTable *parent, const char *name)
{
	const char *found = NULL;
	bool		several = false;
	ListCell   *lc;

	foreach(lc, parent->hubs)
	{
		LyfVaultRole *role = lfirst(lc);

		if (strcmp(role->column, name) == 0 || strcmp(role->column, hash_key_name(name)) == 0)
			return role->column;
		if (strcmp(role->hub, name) != 0)
			continue;
		several = found != NULL;
		found = role->column;
	}
	if (found == NULL || several)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg(several ? "\"%s\" has several roles of the hub \"%s\", which is to be the driving key" :
						"\"%s\" has no hub or role \"%s\", which is to be the driving key", parent->name, name)));
	return unconstify(char *, found);
}

static List *
driving_columns(const LyfVaultTable *parent, List *names)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, names)
		columns = lappend(columns, role_column(parent, lfirst(lc)));
	return columns;
}

/* what its kind asks of a satellite, and what has no meaning for it */
static void
check_satellite(const LyfVaultDefine *define, const LyfVaultTable *parent)
{
	const char *kind = define->table->kind->name;
	bool		describes = strcmp(kind, "standard") == 0 || strcmp(kind, "multi_active") == 0;
	const char *wrong = NULL;

	if (define->table->kind->class != LYF_VAULT_SATELLITE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a satellite cannot be of the kind \"%s\"", kind),
				 errhint("It may be: standard, multi_active, effectivity, status_tracking, record_tracking.")));
	if (describes && define->columns == NIL)
		wrong = "needs columns";
	else if (!describes && define->columns != NIL)
		wrong = "has no columns of its own";
	else if ((strcmp(kind, "multi_active") == 0) != (define->sub_key != NIL))
		wrong = define->sub_key == NIL ? "needs a sub_key" : "has no sub_key";
	else if (define->table->driving != NIL && strcmp(kind, "effectivity") != 0)
		wrong = "has no driving_key";
	else if (strcmp(kind, "effectivity") == 0 && parent->kind->class != LYF_VAULT_LINK)
		wrong = "hangs on a link";
	else if (strcmp(kind, "effectivity") == 0 && define->table->driving == NIL && !define->full_load)
		wrong = "needs a driving_key, or full_load";
	else if (strcmp(kind, "status_tracking") == 0 && (define->operation != NULL) == define->full_load)
		wrong = "needs either an operation or full_load";
	else if (define->operation != NULL && strcmp(kind, "status_tracking") != 0)
		wrong = "has no operation";
	else if (define->full_load && strcmp(kind, "status_tracking") != 0 && strcmp(kind, "effectivity") != 0)
		wrong = "has no full_load";
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a satellite of the kind %s %s", kind, wrong)));
}

static LyfVaultTable *
get_parent(const LyfVault *vault, const char *name)
{
	LyfVaultTable *parent = lyf_vault_table_get(vault, name);

	if (parent->kind->class != LYF_VAULT_HUB && parent->kind->class != LYF_VAULT_LINK)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is neither a hub nor a link", name, vault->name)));
	return parent;
}

Datum
lyf_create_satellite(PG_FUNCTION_ARGS)
{
	LyfVaultDefine *define = lyf_vault_define_begin(fcinfo, lyf_vault_required(fcinfo, 0, "vault"), lyf_vault_required(fcinfo, 1, "satellite"),
													lyf_vault_required(fcinfo, 6, "kind"), lyf_vault_required(fcinfo, 3, "source"));
	LyfVaultTable *table = define->table;
	LyfVaultTable *parent = get_parent(define->vault, lyf_vault_required(fcinfo, 2, "parent"));
	bool		describes = strcmp(table->kind->name, "standard") == 0 || strcmp(table->kind->name, "multi_active") == 0;

	define->sub_key = lyf_vault_items(list_argument(fcinfo, 7), true);
	table->driving = driving_columns(parent, list_argument(fcinfo, 8));
	define->operation = text_argument(fcinfo, 9);
	define->full_load = !PG_ARGISNULL(10) && PG_GETARG_BOOL(10);
	define->sequence = text_argument(fcinfo, 11);
	define->load_date = text_argument(fcinfo, 12);
	define->record_source = text_argument(fcinfo, 13);
	define->tenant = text_argument(fcinfo, 14);
	define->collision_code = text_argument(fcinfo, 15);
	define->increment = text_argument(fcinfo, 16);
	define->lookback = text_argument(fcinfo, 17);
	table->parent = parent->name;
	table->hash_key = parent->hash_key;
	table->sub_key = item_names(define->sub_key);
	add_parent_key(define, parent, lyf_vault_items(required_list(fcinfo, 4, "keys"), false));
	define->columns = lyf_vault_items(list_argument(fcinfo, 5), true);
	if (describes && PG_ARGISNULL(5))
		define->columns = remaining_columns(define);
	table->columns = item_names(define->columns);
	check_satellite(define, parent);
	lyf_vault_define_end(define);
	PG_RETURN_VOID();
}

Datum
lyf_create_reference(PG_FUNCTION_ARGS)
{
	LyfVaultDefine *define = lyf_vault_define_begin(fcinfo, lyf_vault_required(fcinfo, 0, "vault"), lyf_vault_required(fcinfo, 1, "reference"),
													"reference", lyf_vault_required(fcinfo, 2, "source"));
	LyfVaultTable *table = define->table;

	define->key = lyf_vault_items(required_list(fcinfo, 3, "key"), true);
	define->load_date = text_argument(fcinfo, 6);
	define->record_source = text_argument(fcinfo, 7);
	define->increment = text_argument(fcinfo, 8);
	define->lookback = text_argument(fcinfo, 9);
	define->columns = PG_ARGISNULL(4) ? remaining_columns(define) : lyf_vault_items(list_argument(fcinfo, 4), true);
	table->key = item_names(define->key);
	table->columns = item_names(define->columns);
	table->history = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	lyf_vault_define_end(define);
	PG_RETURN_VOID();
}
