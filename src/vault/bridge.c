/*
 * bridge.c
 *		Bridges: of each snapshot, the keys that are reached from a hub along links.
 *
 * Each link is joined by a hub that the path has reached already.  Links that have an effectivity satellite count where that has them
 * active at the moment, others from their load date on.  Where a path ends early its other keys are the zero key, which hubs and links
 * have: queries join all of them by inner joins.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "vault/snapshot.h"

LYF_FUNCTION_INFO_V1(lyf_create_bridge);
LYF_FUNCTION_INFO_V1(lyf_refresh_bridge);

/* A hub on the path. */
typedef struct Stop
{
	const char *hub;
	char	   *column;			/* of the bridge */
	char	   *expr;			/* as the joins have it: alias.column */
} Stop;

/* A link on the path. */
typedef struct Step
{
	LyfVaultTable *link;
	LyfVaultTable *effectivity; /* or NULL */
	const LyfVaultRole *from;	/* the role that is joined */
	const Stop *stop;			/* to this hub */
	List	   *stops;			/* of Stop *: of the other roles */
} Step;

typedef struct Bridge
{
	const LyfVaultTable *hub;
	List	   *steps;			/* of Step * */
	List	   *stops;			/* of Stop *: all, the hub first */
} Bridge;

static Stop *
find_stop(const Bridge *bridge, const char *hub)
{
	ListCell   *lc;

	foreach(lc, bridge->stops)
		if (strcmp(((Stop *) lfirst(lc))->hub, hub) == 0)
			return lfirst(lc);
	return NULL;
}

static bool
has_column(const Bridge *bridge, const char *column)
{
	ListCell   *lc;

	foreach(lc, bridge->stops)
		if (strcmp(((Stop *) lfirst(lc))->column, column) == 0)
			return true;
	return false;
}

/* the name of a role's column in the bridge: as the link has it, with the link's name before it where that is taken */
static char *
stop_column(const Bridge *bridge, const LyfVaultTable *link, const char *column)
{
	char	   *name = has_column(bridge, column) ? psprintf("%s_%s", lyf_vault_stem(link->name), column) : pstrdup(column);

	if (strlen(name) >= NAMEDATALEN || has_column(bridge, name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("a bridge along \"%s\" has no name for the column \"%s\": \"%s\" is taken or too long", link->name, column, name)));
	return name;
}

static LyfVaultTable *
find_effectivity(const LyfVaultTable *link)
{
	ListCell   *lc;

	foreach(lc, lyf_vault_tables(link->vault))
	{
		LyfVaultTable *table = lfirst(lc);

		if (strcmp(table->kind->name, "effectivity") == 0 && strcmp(table->parent, link->name) == 0)
			return table;
	}
	return NULL;
}

static void
add_step(Bridge *bridge, const char *name)
{
	Step	   *step = palloc0(sizeof(Step));
	LyfVaultTable *link = lyf_vault_table_get(bridge->hub->vault, name);
	char	   *alias = psprintf("l%d", list_length(bridge->steps));
	ListCell   *lc;

	if (link->kind->class != LYF_VAULT_LINK)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is a %s, not a link", name, link->vault->name, link->kind->name)));
	step->link = link;
	step->effectivity = find_effectivity(link);
	foreach(lc, link->hubs)
	{
		LyfVaultRole *role = lfirst(lc);

		if (step->from == NULL && (step->stop = find_stop(bridge, role->hub)) != NULL)
			step->from = role;
	}
	if (step->from == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("link \"%s\" has none of the hubs that the bridge has reached", name),
				 errhint("Name the links in the order in which the path goes along them.")));
	foreach(lc, link->hubs)
	{
		LyfVaultRole *role = lfirst(lc);
		Stop	   *stop;

		if (role == step->from)
			continue;
		stop = palloc0(sizeof(Stop));
		stop->hub = role->hub;
		stop->column = stop_column(bridge, link, role->column);
		stop->expr = psprintf("%s.%s", alias, quote_identifier(role->column));
		step->stops = lappend(step->stops, stop);
	}
	bridge->steps = lappend(bridge->steps, step);
	bridge->stops = list_concat(bridge->stops, step->stops);
}

static Bridge *
make_bridge(const LyfVaultTable *hub, List *links)
{
	Bridge	   *bridge = palloc0(sizeof(Bridge));
	Stop	   *stop = palloc0(sizeof(Stop));
	ListCell   *lc;

	if (hub->kind->class != LYF_VAULT_HUB)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is a %s, not a hub", hub->name, hub->vault->name, hub->kind->name)));
	if (links == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"links\" must name something")));
	bridge->hub = hub;
	stop->hub = hub->name;
	stop->column = hub->hash_key;
	stop->expr = psprintf("h.%s", quote_identifier(hub->hash_key));
	bridge->stops = list_make1(stop);
	foreach(lc, links)
		add_step(bridge, lfirst(lc));
	return bridge;
}

/* names of the columns of links, and of the keys that are reached */
static List *
bridge_columns(const Bridge *bridge)
{
	List	   *columns = list_make1(bridge->hub->hash_key);
	ListCell   *lc;
	ListCell   *s;

	foreach(lc, bridge->steps)
	{
		Step	   *step = lfirst(lc);

		if (lyf_vault_has_name(columns, step->link->hash_key) || has_column(bridge, step->link->hash_key))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("a bridge has two columns \"%s\"", step->link->hash_key),
					 errhint("A link may be on its path once, and may not have a name that differs from that of a hub by its prefix alone.")));
		columns = lappend(columns, step->link->hash_key);
		foreach(s, step->stops)
			columns = lappend(columns, ((Stop *) lfirst(s))->column);
	}
	return columns;
}

static void
make_table(const Bridge *bridge, const char *relation)
{
	const char *type = lyf_hash_is_text(lyf_hash_rules(bridge->hub->vault->hash)) ? "text COLLATE \"C\"" : "bytea";
	StringInfoData columns;
	StringInfoData key;
	ListCell   *lc;
	ListCell   *s;

	initStringInfo(&columns);
	initStringInfo(&key);
	foreach(lc, bridge_columns(bridge))
		appendStringInfo(&columns, ", %s %s NOT NULL", quote_identifier(lfirst(lc)), type);
	foreach(lc, bridge->steps)
		appendStringInfo(&key, ", %s", quote_identifier(((Step *) lfirst(lc))->link->hash_key));
	lyf_load_execute("CREATE TABLE %s (snapshot_date timestamptz%s, PRIMARY KEY (snapshot_date, %s%s))", relation, columns.data,
					 quote_identifier(bridge->hub->hash_key), key.data);
	lyf_load_execute("COMMENT ON TABLE %s IS %s", relation,
					 quote_literal_cstr(psprintf("of each snapshot, the keys that are reached from %s", bridge->hub->name)));
	lyf_vault_comment_column(relation, LYF_SNAPSHOT_DATE, "the moment");
	foreach(lc, bridge->stops)
		lyf_vault_comment_column(relation, ((Stop *) lfirst(lc))->column, psprintf("key of %s", ((Stop *) lfirst(lc))->hub));
	foreach(s, bridge->steps)
	{
		LyfVaultTable *link = ((Step *) lfirst(s))->link;

		lyf_vault_comment_column(relation, link->hash_key, psprintf("key of %s: the zero key where the path ends before", link->name));
	}
}

/* lyftron.create_bridge(vault text, name text, hub text, links text[], snapshots text) */
Datum
lyf_create_bridge(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	LyfVaultTable *hub = lyf_vault_table_get(vault, lyf_vault_required(fcinfo, 2, "hub"));
	List	   *links = lyf_text_list(PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3), PG_ARGISNULL(3));
	Bridge	   *bridge = make_bridge(hub, links);
	char	   *search_path = pstrdup(namespace_search_path);
	LyfVaultTable table = {.vault = vault,.name = lyf_vault_required(fcinfo, 1, "name"),.kind = lyf_vault_kind("bridge"),.parent = hub->name};
	LyfSourceScope scope = lyf_owner_enter(vault->owner, search_path);

	table.definition = lyf_value_make(LYF_MAP);
	lyf_value_set(table.definition, "hash_key", lyf_value_string(hub->hash_key));
	lyf_value_set(table.definition, "links", lyf_vault_names(links));
	lyf_snapshots_define(table.definition, table.name, lyf_vault_required(fcinfo, 4, "snapshots"), search_path);
	lyf_source_leave(&scope);
	scope = lyf_vault_enter(vault);
	make_table(bridge, lyf_vault_relation(vault, table.name));
	lyf_source_leave(&scope);
	lyf_vault_table_insert(&table);
	PG_RETURN_VOID();
}

/* the links of a step that are there at the moment $1; ghosts, and keys that are null in the source, lead nowhere */
static char *
step_sql(const Step *step)
{
	const char *key = quote_identifier(step->link->hash_key);
	char	   *link = lyf_vault_relation(step->link->vault, step->link->name);
	char	   *from = psprintf("l.%s NOT IN (%s, %s)", quote_identifier(step->from->column),
								lyf_vault_ghost_key(step->link->vault, false), lyf_vault_ghost_key(step->link->vault, true));

	if (step->effectivity == NULL)
		return psprintf("(SELECT * FROM %s l WHERE l.load_date <= $1 AND %s)", link, from);
	return psprintf("(SELECT l.* FROM %s l JOIN (SELECT DISTINCT ON (t.%s) t.%s, t.is_active FROM %s t WHERE t.load_date <= $1 "
					"ORDER BY t.%s DESC, t.load_date DESC, t.load_seq DESC) e ON e.%s = l.%s WHERE e.is_active AND %s)",
					link, key, key, lyf_vault_relation(step->link->vault, step->effectivity->name), key, key, key, from);
}

static char *
fill_sql(const Bridge *bridge, const char *relation)
{
	char	   *zero = lyf_vault_ghost_key(bridge->hub->vault, false);
	StringInfoData list;
	StringInfoData from;
	ListCell   *lc;
	ListCell   *s;

	initStringInfo(&list);
	initStringInfo(&from);
	foreach(lc, bridge->steps)
	{
		Step	   *step = lfirst(lc);
		int			n = foreach_current_index(lc);

		appendStringInfo(&list, ", coalesce(l%d.%s, %s)", n, quote_identifier(step->link->hash_key), zero);
		foreach(s, step->stops)
			appendStringInfo(&list, ", coalesce(%s, %s)", ((Stop *) lfirst(s))->expr, zero);
		appendStringInfo(&from, " LEFT JOIN %s l%d ON l%d.%s = %s", step_sql(step), n, n, quote_identifier(step->from->column), step->stop->expr);
	}
	/* a link that came late may be older than what its hub has */
	return psprintf("INSERT INTO %s (snapshot_date, %s) SELECT $1, h.%s%s FROM %s h%s WHERE h.load_date <= $1 OR l0.load_date IS NOT NULL",
					relation, lyf_vault_list(bridge_columns(bridge), "", ", "), quote_identifier(bridge->hub->hash_key), list.data,
					lyf_vault_relation(bridge->hub->vault, bridge->hub->name), from.data);
}

/* lyftron.refresh_bridge(vault text, name text) */
Datum
lyf_refresh_bridge(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	LyfVaultTable *table = lyf_snapshots_table(vault, lyf_vault_required(fcinfo, 1, "name"), "bridge");
	Bridge	   *bridge = make_bridge(lyf_vault_table_get(vault, table->parent), lyf_vault_name_list(lyf_value_get(table->definition, "links")));
	LyfSnapshots snapshots = {.table = table,.relation = lyf_vault_relation(vault, table->name)};
	LyfSourceScope scope;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	scope = lyf_vault_enter(vault);
	snapshots.watched = list_make1(unconstify(LyfVaultTable *, bridge->hub));
	foreach(lc, bridge->steps)
	{
		Step	   *step = lfirst(lc);

		snapshots.watched = lappend(snapshots.watched, step->link);
		if (step->effectivity != NULL)
			snapshots.watched = lappend(snapshots.watched, step->effectivity);
	}
	snapshots.fill = fill_sql(bridge, snapshots.relation);
	lyf_snapshots_refresh(&snapshots, fcinfo);
	lyf_source_leave(&scope);
	return (Datum) 0;
}
