/*
 * define.c
 *		What defining any table of a vault has in common: its source, the mapping from one to the other, the catalog.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "vault/vault_internal.h"

char *
lyf_vault_required(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

LyfVaultDefine *
lyf_vault_define_begin(FunctionCallInfo fcinfo, const char *vault, const char *name, const char *kind, const char *source)
{
	LyfVaultDefine *define = palloc0(sizeof(LyfVaultDefine));
	LyfPipeline reader = {.name = pstrdup(name),.source = pstrdup(source)};

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is longer than %d bytes", name, NAMEDATALEN - 1)));
	define->vault = lyf_vault_get(vault);
	define->table = palloc0(sizeof(LyfVaultTable));
	define->table->vault = define->vault;
	define->table->name = pstrdup(name);
	define->table->kind = lyf_vault_kind(kind);
	define->search_path = pstrdup(namespace_search_path);
	define->scope = lyf_owner_enter(define->vault->owner, define->search_path);
	define->source = lyf_source_open(&reader);
	define->source_text = OidIsValid(define->source->relid) ? define->source->from : pstrdup(source);
	return define;
}

/* What is not given, and can be told from the source. */
static void
complete(LyfVaultDefine *define)
{
	bool		staged = lyf_source_column(define->source, "_lyftron_loaded_at") != NULL;

	if (define->load_date == NULL && staged)
		define->load_date = "_lyftron_loaded_at";
	if (define->increment == NULL && staged && !define->full_load)
		define->increment = "_lyftron_loaded_at";
	if (define->record_source == NULL && !OidIsValid(define->source->relid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a query as a source needs a record_source"),
				 errhint("Give an expression, for example a literal: record_source => $$'crm.customers'$$.")));
	if (define->record_source == NULL)
		define->record_source = quote_literal_cstr(define->source->from);
	if (define->increment != NULL && define->full_load)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a satellite of full loads cannot read an increment of its source"),
				 errdetail("What a source does not have any more is told from all of its rows.")));
	if (define->lookback != NULL && define->increment == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a lookback needs an increment")));
}

static void
append_cast(StringInfo sql, const char *expr, const char *type)
{
	if (expr != NULL)
		appendStringInfo(sql, "%sCAST((%s) AS %s)", sql->len > 0 ? ", " : "SELECT ", expr, type);
}

static void
append_casts(StringInfo sql, List *items)
{
	ListCell   *lc;

	foreach(lc, items)
		append_cast(sql, ((LyfVaultItem *) lfirst(lc))->expr, ((LyfVaultItem *) lfirst(lc))->type);
}

/* Can the source be read so?  Raises what the load would raise. */
static void
check_expressions(const LyfVaultDefine *define)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_casts(&sql, define->key);
	append_casts(&sql, define->dependent);
	append_casts(&sql, define->sub_key);
	append_casts(&sql, define->columns);
	append_cast(&sql, define->load_date, "timestamptz");
	append_cast(&sql, define->record_source, "text");
	append_cast(&sql, define->sequence, "bigint");
	append_cast(&sql, define->operation, "text");
	if (define->increment != NULL)
		append_cast(&sql, psprintf("(%s) > (%s)", define->increment, define->increment), "boolean");
	appendStringInfo(&sql, " FROM %s AS " LYF_VAULT_ALIAS, define->source->from);
	(void) lyf_source_row(sql.data);
}

static LyfValue *
item_list(List *items)
{
	LyfValue   *list = lyf_value_make(LYF_LIST);
	ListCell   *lc;

	foreach(lc, items)
	{
		LyfVaultItem *item = lfirst(lc);
		LyfValue   *member = lyf_value_make(LYF_MAP);

		lyf_value_set(member, "name", lyf_value_string(item->name));
		lyf_value_set(member, "expr", lyf_value_string(item->expr));
		lyf_value_append(list, member);
	}
	return list;
}

static void
set_text(LyfValue *map, const char *key, const char *text)
{
	if (text != NULL)
		lyf_value_set(map, key, lyf_value_string(text));
}

static void
set_names(LyfValue *map, const char *key, List *names)
{
	if (names != NIL)
		lyf_value_set(map, key, lyf_vault_names(names));
}

static LyfValue *
make_mapping(const LyfVaultDefine *define)
{
	LyfValue   *mapping = lyf_value_make(LYF_MAP);

	lyf_value_set(mapping, "key", item_list(define->key));
	if (define->dependent != NIL)
		lyf_value_set(mapping, "dependent", item_list(define->dependent));
	if (define->sub_key != NIL)
		lyf_value_set(mapping, "sub_key", item_list(define->sub_key));
	if (define->columns != NIL)
		lyf_value_set(mapping, "columns", item_list(define->columns));
	set_text(mapping, "load_date", define->load_date);
	set_text(mapping, "record_source", define->record_source);
	set_text(mapping, "sequence", define->sequence);
	set_text(mapping, "operation", define->operation);
	set_text(mapping, "increment", define->increment);
	set_text(mapping, "lookback", define->lookback);
	if (define->full_load)
		lyf_value_set(mapping, "full_load", lyf_value_bool(true));
	return mapping;
}

static LyfValue *
make_definition(const LyfVaultTable *table)
{
	LyfValue   *definition = lyf_value_make(LYF_MAP);
	ListCell   *lc;

	set_text(definition, "hash_key", table->hash_key);
	set_names(definition, "key", table->key);
	if (table->hubs != NIL)
	{
		LyfValue   *hubs = lyf_value_make(LYF_LIST);

		foreach(lc, table->hubs)
		{
			LyfVaultRole *role = lfirst(lc);
			LyfValue   *hub = lyf_value_make(LYF_MAP);

			set_text(hub, "hub", role->hub);
			set_text(hub, "column", role->column);
			lyf_value_append(hubs, hub);
		}
		lyf_value_set(definition, "hubs", hubs);
	}
	set_names(definition, "dependent", table->dependent);
	set_names(definition, "columns", table->columns);
	set_names(definition, "sub_key", table->sub_key);
	set_names(definition, "driving", table->driving);
	if (table->history)
		lyf_value_set(definition, "history", lyf_value_bool(true));
	return definition;
}

/* Is the table that is there the one that is defined?  Another source of the same may fill it. */
static void
check_same(const LyfVaultTable *there, const LyfVaultTable *table)
{
	if (there->kind == table->kind && lyf_value_equal(there->definition, table->definition) &&
		(there->parent == NULL ? table->parent == NULL : table->parent != NULL && strcmp(there->parent, table->parent) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("vault \"%s\" already has a table \"%s\", of the kind %s", table->vault->name, table->name, there->kind->name),
			 errdetail("It is defined as %s, not as %s.", lyf_value_to_text(there->definition), lyf_value_to_text(table->definition)),
			 errhint("Another source can fill it where it gives the same columns: name them with \"expression AS name\".")));
}

static void
insert_source(const LyfVaultDefine *define)
{
	LyfArgs		args = {0};

	lyf_args_text(&args, define->vault->name);
	lyf_args_text(&args, define->table->name);
	lyf_args_text(&args, define->source_text);
	lyf_args_text(&args, define->search_path);
	lyf_args_value(&args, make_mapping(define));
	if (lyf_args_run(&args, "INSERT INTO lyftron.vault_source (vault, table_name, source, search_path, mapping) VALUES ($1, $2, $3, $4, $5) "
					 "ON CONFLICT DO NOTHING", NULL, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" of vault \"%s\" is already filled from that source", define->table->name, define->vault->name)));
}

/* names of columns that are there twice make no table */
static void
check_names(const LyfVaultTable *table)
{
	List	   *names = list_concat(list_concat(list_copy(table->key), table->dependent), list_concat(list_copy(table->sub_key), table->columns));
	ListCell   *lc;

	foreach(lc, names)
	{
		const char *name = lfirst(lc);

		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(name, list_nth(names, i)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" of \"%s\" is given twice", name, table->name)));
		if (strcmp(name, LYF_LOAD_DATE) == 0 || strcmp(name, LYF_LOAD_SEQ) == 0 || strcmp(name, LYF_DIFF_COLUMN) == 0 ||
			strcmp(name, LYF_RECORD_SOURCE) == 0 || (table->hash_key != NULL && strcmp(name, table->hash_key) == 0))
			ereport(ERROR,
					(errcode(ERRCODE_RESERVED_NAME),
					 errmsg("a column of \"%s\" cannot be called \"%s\": the table has one of that name", table->name, name),
					 errhint("Give it another name: %s AS other_name.", name)));
	}
}

/* a table that is there has the types of its columns */
static void
take_types(const LyfVaultTable *there, List *names, List *items)
{
	ListCell   *n;
	ListCell   *i;

	forboth(n, names, i, items)
		((LyfVaultItem *) lfirst(i))->type = lyf_vault_column_type(there->vault, there->name, lfirst(n));
}

static void
find_types(LyfVaultDefine *define, const LyfVaultTable *there)
{
	const LyfVaultTable *table = define->table;

	if (there != NULL)
	{
		take_types(there, table->key, define->key);
		take_types(there, table->dependent, define->dependent);
		take_types(there, table->sub_key, define->sub_key);
		take_types(there, table->columns, define->columns);
	}
	lyf_vault_item_types(define->source, define->key);
	lyf_vault_item_types(define->source, define->dependent);
	lyf_vault_item_types(define->source, define->sub_key);
	lyf_vault_item_types(define->source, define->columns);
}

void
lyf_vault_define_end(LyfVaultDefine *define)
{
	LyfVaultTable *table = define->table;
	LyfVaultTable *there = lyf_vault_table_find(define->vault, table->name);

	complete(define);
	check_names(table);
	table->definition = make_definition(table);
	if (there != NULL)
		check_same(there, table);
	find_types(define, there);
	check_expressions(define);
	if (there == NULL)
	{
		lyf_vault_table_make(define);
		lyf_vault_table_insert(table);
	}
	insert_source(define);
	lyf_source_leave(&define->scope);
}
