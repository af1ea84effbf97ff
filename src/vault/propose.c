/*
 * propose.c
 *		lyftron.propose_vault: the statements that make a vault of tables that are there.
 *
 * A table with a key of its own is a hub, a satellite of what it says, and a link for each table that it refers to, with the effectivity
 * of that, since what it refers to may change.  A table whose key is made of others' is a link; what else is in its key is the link's
 * dependent key.  A table of codes is a reference table, and the codes are values to the others.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "vault/propose_internal.h"

LYF_FUNCTION_INFO_V1(lyf_propose_vault);

/* room for what is added to a table's name: "_hk", "_current" */
#define MAX_NAME	(NAMEDATALEN - 1 - 8)

typedef struct Proposal
{
	const char *vault;
	ReturnSetInfo *result;
	int			count;
	List	   *links;			/* of char *: names of links that are taken */
} Proposal;

static void
put(Proposal *proposal, const char *statement, const char *reason)
{
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = Int32GetDatum(++proposal->count);
	values[1] = CStringGetTextDatum(statement);
	values[2] = CStringGetTextDatum(reason);
	tuplestore_putvalues(proposal->result->setResult, proposal->result->setDesc, values, nulls);
}

static char *
make_name(const char *prefix, const char *name)
{
	char	   *made = psprintf("%s_%s", prefix, name);

	return pnstrdup(made, pg_mbcliplen(made, strlen(made), MAX_NAME));
}

static char *
hub_name(const LyfProposedTable *table)
{
	return make_name("hub", table->name);
}

/* "a, b" for people to read */
static char *
read_list(List *names)
{
	return lyf_vault_list(names, "", ", ");
}

/* names that tables of a vault, and their views, have for themselves */
static bool
is_reserved(const char *column)
{
	static const char *const reserved[] = {LYF_LOAD_DATE, LYF_LOAD_SEQ, LYF_DIFF_COLUMN, LYF_RECORD_SOURCE, LYF_COLLISION_CODE, LYF_TENANT, "load_end", "is_current"};

	for (int i = 0; i < lengthof(reserved); i++)
		if (strcmp(reserved[i], column) == 0)
			return true;
	return strlen(column) > 3 && strcmp(column + strlen(column) - 3, "_hk") == 0;
}

/* columns as items of the vault's functions */
static List *
items(List *columns)
{
	List	   *list = NIL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		const char *column = quote_identifier(lfirst(lc));

		list = lappend(list, is_reserved(lfirst(lc)) ? psprintf("%s AS %s", column, quote_identifier(make_name("source", lfirst(lc)))) : pstrdup(column));
	}
	return list;
}

/* columns as expressions */
static List *
expressions(List *columns)
{
	List	   *list = NIL;
	ListCell   *lc;

	foreach(lc, columns)
		list = lappend(list, pstrdup(quote_identifier(lfirst(lc))));
	return list;
}

/* what is in neither the key nor a reference */
static List *
described(const LyfProposedTable *table)
{
	List	   *columns = NIL;
	ListCell   *lc;
	ListCell   *r;

	foreach(lc, table->columns)
	{
		bool		taken = lyf_vault_has_name(table->key, lfirst(lc));

		foreach(r, table->references)
			taken = taken || lyf_vault_has_name(((LyfProposedReference *) lfirst(r))->columns, lfirst(lc));
		if (!taken)
			columns = lappend(columns, lfirst(lc));
	}
	return columns;
}

static void
propose_hub(Proposal *proposal, const LyfProposedTable *table)
{
	StringInfoData reason;

	initStringInfo(&reason);
	appendStringInfo(&reason, "%s key (%s) of %s", table->key_unique ? "unique" : "primary", read_list(table->key), table->source);
	if (table->other_key != NIL)
		appendStringInfo(&reason, "; unique key (%s) may be the better business key: links to it then need queries that look it up", read_list(table->other_key));
	put(proposal, psprintf("SELECT lyftron.create_hub(%s, %s, %s, %s);", quote_literal_cstr(proposal->vault), quote_literal_cstr(hub_name(table)),
						   quote_literal_cstr(table->source), lyf_vault_text_array(items(table->key))), reason.data);
}

static void
propose_reference(Proposal *proposal, const LyfProposedTable *table)
{
	put(proposal, psprintf("SELECT lyftron.create_reference(%s, %s, %s, %s, %s, history => true);", quote_literal_cstr(proposal->vault),
						   quote_literal_cstr(make_name("ref", table->name)), quote_literal_cstr(table->source),
						   lyf_vault_text_array(items(table->key)), lyf_vault_text_array(items(described(table)))),
		psprintf("%s is a small table of codes", table->source));
}

static void
propose_satellite(Proposal *proposal, const LyfProposedTable *table, const char *parent, List *keys)
{
	List	   *columns = described(table);

	if (columns == NIL)
		return;
	put(proposal, psprintf("SELECT lyftron.create_satellite(%s, %s, %s, %s, %s, %s);", quote_literal_cstr(proposal->vault),
						   quote_literal_cstr(make_name("sat", table->name)), quote_literal_cstr(parent), quote_literal_cstr(table->source),
						   lyf_vault_text_array(keys), lyf_vault_text_array(items(columns))),
		psprintf("what %s says besides its keys", table->source));
}

/* what a reference is called: its columns without the words that say that they are keys */
static char *
role_of(const LyfProposedReference *reference)
{
	static const char *const endings[] = {"_id", "_key", "_no", "_code", "_number"};
	StringInfoData name;
	ListCell   *lc;

	initStringInfo(&name);
	foreach(lc, reference->columns)
	{
		char	   *column = pstrdup(lfirst(lc));

		for (int i = 0; i < lengthof(endings); i++)
		{
			size_t		len = strlen(column);
			size_t		end = strlen(endings[i]);

			if (len > end && strcmp(column + len - end, endings[i]) == 0)
				column[len - end] = '\0';
		}
		appendStringInfo(&name, "%s%s", name.len > 0 ? "_" : "", column);
	}
	return name.data;
}

/* does a table refer twice to the one that this reference refers to, or to itself? */
static bool
needs_role(const LyfProposedTable *table, const LyfProposedReference *reference)
{
	int			count = reference->to == table ? 1 : 0;
	ListCell   *lc;

	foreach(lc, table->references)
		if (((LyfProposedReference *) lfirst(lc))->to == reference->to)
			count++;
	return count > 1;
}

/* "hub_airport AS origin"; the role must not be called as the hub is */
static char *
role_item(const LyfProposedTable *table, const LyfProposedReference *reference)
{
	const char *hub = quote_identifier(hub_name(reference->to));
	char	   *role = role_of(reference);

	if (!needs_role(table, reference))
		return pstrdup(hub);
	if (strcmp(role, reference->to->name) == 0)
		role = psprintf("other_%s", role);
	return psprintf("%s AS %s", hub, quote_identifier(role));
}

/* a name that no other link has: link_orders_customer may be a table's own */
static char *
free_base(Proposal *proposal, char *base)
{
	char	   *found = base;

	for (int i = 2; lyf_vault_has_name(proposal->links, make_name("link", found)); i++)
		found = psprintf("%.*s_%d", MAX_NAME - 10, base, i);
	proposal->links = lappend(proposal->links, make_name("link", found));
	return found;
}

/* A link from a hub to another, and since when it has been that one. */
static void
propose_reference_link(Proposal *proposal, const LyfProposedTable *table, const LyfProposedReference *reference)
{
	bool		self = reference->to == table;
	bool		role = needs_role(table, reference);
	char	   *base = free_base(proposal, psprintf("%s_%s", table->name, role ? role_of(reference) : reference->to->name));
	char	   *link = make_name("link", base);
	List	   *hubs = list_make2(pstrdup(quote_identifier(hub_name(table))), self ? role_item(table, reference) : pstrdup(quote_identifier(hub_name(reference->to))));
	List	   *keys = list_concat(expressions(table->key), expressions(reference->columns));

	put(proposal, psprintf("SELECT lyftron.create_link(%s, %s, %s, %s, %s%s);", quote_literal_cstr(proposal->vault), quote_literal_cstr(link),
						   quote_literal_cstr(table->source), lyf_vault_text_array(hubs), lyf_vault_text_array(keys), self ? ", kind => 'hierarchical'" : ""),
		psprintf(reference->guessed ? "column %s of %s refers to %s, says its name" : "foreign key (%s) of %s refers to %s",
				 read_list(reference->columns), table->source, reference->to->source));
	/* a link's own hub, by its column: two roles have the same hub where a table refers to itself */
	put(proposal, psprintf("SELECT lyftron.create_satellite(%s, %s, %s, %s, %s, kind => 'effectivity', driving_key => %s);", quote_literal_cstr(proposal->vault),
						   quote_literal_cstr(make_name("eff", base)), quote_literal_cstr(link), quote_literal_cstr(table->source), lyf_vault_text_array(keys),
						   lyf_vault_text_array(list_make1(psprintf("%s_hk", lyf_vault_stem(hub_name(table)))))),
		psprintf("a row of %s refers to one row of %s at a time, and may come to refer to another", table->source, reference->to->source));
}

/* the columns of its key that are in no reference */
static List *
dependent_key(const LyfProposedTable *table)
{
	List	   *columns = NIL;
	ListCell   *lc;
	ListCell   *r;

	foreach(lc, table->key)
	{
		bool		taken = false;

		foreach(r, table->references)
			taken = taken || lyf_vault_has_name(((LyfProposedReference *) lfirst(r))->columns, lfirst(lc));
		if (!taken)
			columns = lappend(columns, lfirst(lc));
	}
	return columns;
}

static void
propose_link(Proposal *proposal, const LyfProposedTable *table)
{
	char	   *link = make_name("link", table->name);
	List	   *dependent = dependent_key(table);
	List	   *hubs = NIL;
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, table->references)
	{
		LyfProposedReference *reference = lfirst(lc);

		hubs = lappend(hubs, role_item(table, reference));
		keys = list_concat(keys, expressions(reference->columns));
	}
	put(proposal, psprintf("SELECT lyftron.create_link(%s, %s, %s, %s, %s%s);", quote_literal_cstr(proposal->vault), quote_literal_cstr(link),
						   quote_literal_cstr(table->source), lyf_vault_text_array(hubs), lyf_vault_text_array(keys),
						   dependent != NIL ? psprintf(", dependent_key => %s", lyf_vault_text_array(items(dependent))) : ""),
		psprintf("the key (%s) of %s is made of keys of other tables", read_list(table->key), table->source));
	propose_satellite(proposal, table, link, list_concat(list_copy(keys), expressions(dependent)));
}

static void
propose_table(Proposal *proposal, const LyfProposedTable *table, LyfProposedForm form)
{
	ListCell   *lc;

	if (table->form != form)
		return;
	if (form == LYF_PROPOSED_REFERENCE)
		propose_reference(proposal, table);
	else if (form == LYF_PROPOSED_LINK)
		propose_link(proposal, table);
	else if (form == LYF_PROPOSED_NOTHING)
		put(proposal, psprintf("-- nothing of %s", table->source), "it has neither a primary key nor a unique one: make a hub of the columns that say what a row is about");
	else
	{
		propose_satellite(proposal, table, hub_name(table), expressions(table->key));
		foreach(lc, table->references)
			propose_reference_link(proposal, table, lfirst(lc));
	}
}

static void
propose(Proposal *proposal, List *tables)
{
	static const LyfProposedForm order[] = {LYF_PROPOSED_REFERENCE, LYF_PROPOSED_HUB, LYF_PROPOSED_LINK, LYF_PROPOSED_NOTHING};
	ListCell   *lc;

	put(proposal, psprintf("SELECT lyftron.create_vault(%s, %s);", quote_literal_cstr(proposal->vault), quote_literal_cstr(proposal->vault)),
		"the vault and its schema have one name: change either");
	foreach(lc, tables)
	{
		LyfProposedTable *table = lfirst(lc);

		if (table->form == LYF_PROPOSED_HUB)
			propose_hub(proposal, table);
		else if (table->form == LYF_PROPOSED_LINK)
			proposal->links = lappend(proposal->links, make_name("link", table->name));
	}
	for (int i = 0; i < lengthof(order); i++)
		foreach(lc, tables)
			propose_table(proposal, lfirst(lc), order[i]);
}

/* lyftron.propose_vault(server name, schema text, vault text, staging text) */
Datum
lyf_propose_vault(PG_FUNCTION_ARGS)
{
	char	   *server = PG_ARGISNULL(0) ? NULL : pstrdup(NameStr(*PG_GETARG_NAME(0)));
	char	   *schema = lyf_vault_optional(fcinfo, 1);
	char	   *vault = lyf_vault_optional(fcinfo, 2);
	Proposal	proposal = {vault};
	LyfSourceScope scope;
	List	   *tables;

	if ((server == NULL) == (schema == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("give either a server or a schema")));
	if (server != NULL)
		(void) get_foreign_server_oid(server, false);
	if (vault == NULL)
		proposal.vault = psprintf("%s_vault", server != NULL ? server : schema);
	InitMaterializedSRF(fcinfo, 0);
	proposal.result = (ReturnSetInfo *) fcinfo->resultinfo;
	scope = lyf_owner_enter(GetUserId(), "pg_catalog, pg_temp");
	tables = lyf_propose_scan(server, schema, lyf_vault_optional(fcinfo, 3));
	lyf_source_leave(&scope);
	if (tables == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("%s \"%s\" has no tables", server != NULL ? "server" : "schema", server != NULL ? server : schema),
				 errhint("IMPORT FOREIGN SCHEMA makes foreign tables of what a server has.")));
	propose(&proposal, tables);
	return (Datum) 0;
}
