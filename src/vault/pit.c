/*
 * pit.c
 *		Point-in-time tables: of each snapshot and key of a hub or link, the versions of its satellites that were valid.
 *
 * A key is in a snapshot once its hub, or one of the satellites, has it by then.  Where a satellite has no version the key is the zero
 * key, which its ghost has: queries join all satellites by inner joins.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "vault/snapshot.h"

LYF_FUNCTION_INFO_V1(lyf_create_pit);
LYF_FUNCTION_INFO_V1(lyf_refresh_pit);

/* From so many versions a key on it is faster to look each key up than to go through all versions: an estimate. */
#define PROBE_VERSIONS	20

/* A satellite in a point-in-time table, by the names of its columns there. */
typedef struct Part
{
	LyfVaultTable *satellite;
	char	   *key;
	char	   *load_date;
	char	   *load_seq;		/* or NULL */
} Part;

typedef struct Pit
{
	const LyfVaultTable *hub;
	const char *key;			/* the hub's hash key, quoted */
	List	   *parts;			/* of Part * */
} Pit;

static char *
part_column(const LyfVaultTable *satellite, const char *suffix)
{
	char	   *name = psprintf("%s_%s", satellite->name, suffix);

	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" is too long for columns named after it", satellite->name)));
	return name;
}

static Part *
make_part(const LyfVaultTable *hub, const char *name)
{
	Part	   *part = palloc0(sizeof(Part));

	part->satellite = lyf_vault_table_get(hub->vault, name);
	if (part->satellite->kind->class != LYF_VAULT_SATELLITE || strcmp(part->satellite->parent, hub->name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is no satellite of \"%s\"", name, hub->vault->name, hub->name)));
	part->key = part_column(part->satellite, "hk");
	part->load_date = part_column(part->satellite, LYF_LOAD_DATE);
	if (lyf_vault_versions(part->satellite) == LYF_VERSIONS_ROW)
		part->load_seq = part_column(part->satellite, LYF_LOAD_SEQ);
	return part;
}

static Pit *
make_pit(const LyfVaultTable *hub, List *satellites)
{
	Pit		   *pit = palloc0(sizeof(Pit));
	ListCell   *lc;

	if (hub->kind->class != LYF_VAULT_HUB && hub->kind->class != LYF_VAULT_LINK)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of vault \"%s\" is neither a hub nor a link", hub->name, hub->vault->name)));
	if (satellites == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"satellites\" must name something")));
	pit->hub = hub;
	pit->key = quote_identifier(hub->hash_key);
	foreach(lc, satellites)
		pit->parts = lappend(pit->parts, make_part(hub, lfirst(lc)));
	return pit;
}

static void
make_table(const Pit *pit, const char *relation)
{
	const char *type = lyf_hash_is_text(lyf_hash_rules(pit->hub->vault->hash)) ? "text COLLATE \"C\"" : "bytea";
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, pit->parts)
	{
		Part	   *part = lfirst(lc);

		appendStringInfo(&columns, ", %s %s NOT NULL, %s timestamptz NOT NULL", quote_identifier(part->key), type, quote_identifier(part->load_date));
		if (part->load_seq != NULL)
			appendStringInfo(&columns, ", %s integer NOT NULL", quote_identifier(part->load_seq));
	}
	lyf_load_execute("CREATE TABLE %s (snapshot_date timestamptz, %s %s%s, PRIMARY KEY (snapshot_date, %s))", relation, pit->key, type, columns.data, pit->key);
	lyf_load_execute("COMMENT ON TABLE %s IS %s", relation,
					 quote_literal_cstr(psprintf("of each snapshot, the versions of the satellites of %s that were valid", pit->hub->name)));
	lyf_vault_comment_column(relation, LYF_SNAPSHOT_DATE, "the moment");
	lyf_vault_comment_column(relation, pit->hub->hash_key, psprintf("key of %s", pit->hub->name));
	foreach(lc, pit->parts)
	{
		Part	   *part = lfirst(lc);

		lyf_vault_comment_column(relation, part->key, psprintf("key of the version of %s: the zero key where it has none", part->satellite->name));
		lyf_vault_comment_column(relation, part->load_date, psprintf("load date of that version of %s", part->satellite->name));
		if (part->load_seq != NULL)
			lyf_vault_comment_column(relation, part->load_seq, psprintf("number of that version of %s among those of its load date", part->satellite->name));
	}
}

/* lyftron.create_pit(vault text, name text, hub text, satellites text[], snapshots text) */
Datum
lyf_create_pit(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	LyfVaultTable *hub = lyf_vault_table_get(vault, lyf_vault_required(fcinfo, 2, "hub"));
	List	   *satellites = lyf_text_list(PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3), PG_ARGISNULL(3));
	Pit		   *pit = make_pit(hub, satellites);
	char	   *search_path = pstrdup(namespace_search_path);
	LyfVaultTable table = {.vault = vault,.name = lyf_vault_required(fcinfo, 1, "name"),.kind = lyf_vault_kind("pit"),.parent = hub->name};
	LyfSourceScope scope = lyf_owner_enter(vault->owner, search_path);

	table.definition = lyf_value_make(LYF_MAP);
	lyf_value_set(table.definition, "hash_key", lyf_value_string(hub->hash_key));
	lyf_value_set(table.definition, "satellites", lyf_vault_names(satellites));
	lyf_snapshots_define(table.definition, table.name, lyf_vault_required(fcinfo, 4, "snapshots"), search_path);
	lyf_source_leave(&scope);
	scope = lyf_vault_enter(vault);
	make_table(pit, lyf_vault_relation(vault, table.name));
	lyf_source_leave(&scope);
	lyf_vault_table_insert(&table);
	PG_RETURN_VOID();
}

/* how many rows the planner believes a table to have */
static double
row_count(const LyfVaultTable *table)
{
	Oid			relid = get_relname_relid(table->name, get_namespace_oid(table->vault->schema, false));
	Relation	rel;
	double		rows;

	if (!OidIsValid(relid))
		return 0;
	rel = relation_open(relid, AccessShareLock);
	rows = rel->rd_rel->reltuples;
	relation_close(rel, NoLock);
	return rows;
}

/* Join the version of a satellite that was valid at a moment: by looking up that of each key, or by going through all. */
static void
join_part(StringInfo from, const Part *part, const char *alias, const char *hub_key, const char *moment, bool probe)
{
	const char *key = quote_identifier(part->satellite->hash_key);
	char	   *relation = lyf_vault_relation(part->satellite->vault, part->satellite->name);
	const char *seq = part->load_seq != NULL ? ", t.load_seq" : "";
	const char *descending = part->load_seq != NULL ? ", t.load_seq DESC" : "";

	if (probe)
		appendStringInfo(from, " LEFT JOIN LATERAL (SELECT t.%s, t.load_date%s FROM %s t WHERE t.%s = h.%s AND t.load_date <= %s "
						 "ORDER BY t.load_date DESC%s LIMIT 1) %s ON true",
						 key, seq, relation, key, hub_key, moment, descending, alias);
	else
		appendStringInfo(from, " LEFT JOIN (SELECT DISTINCT ON (t.%s) t.%s, t.load_date%s FROM %s t WHERE t.load_date <= %s "
						 "ORDER BY t.%s DESC, t.load_date DESC%s) %s ON %s.%s = h.%s",
						 key, key, seq, relation, moment, key, descending, alias, alias, key, hub_key);
}

/* The rows of a moment, for each row h of the hub. */
typedef struct Rows
{
	StringInfoData values;		/* of the satellites' columns */
	StringInfoData joins;
	StringInfoData valid;		/* is the key there by then? */
} Rows;

static Rows
make_rows(const Pit *pit, const char *moment, bool probe)
{
	Rows		rows;
	double		keys = row_count(pit->hub);
	char	   *zero = lyf_vault_ghost_key(pit->hub->vault, false);
	ListCell   *lc;

	initStringInfo(&rows.values);
	initStringInfo(&rows.joins);
	initStringInfo(&rows.valid);
	appendStringInfo(&rows.valid, "(h.load_date <= %s", moment);
	foreach(lc, pit->parts)
	{
		Part	   *part = lfirst(lc);
		const char *key = quote_identifier(part->satellite->hash_key);
		char	   *v = psprintf("v%d", foreach_current_index(lc));

		appendStringInfo(&rows.values, "%scoalesce(%s.%s, %s), coalesce(%s.load_date, " LYF_GHOST_DATE ")", rows.values.len > 0 ? ", " : "", v, key, zero, v);
		if (part->load_seq != NULL)
			appendStringInfo(&rows.values, ", coalesce(%s.load_seq, 0)", v);
		join_part(&rows.joins, part, v, pit->key, moment, probe || row_count(part->satellite) > PROBE_VERSIONS * keys);
		appendStringInfo(&rows.valid, " OR %s.%s IS NOT NULL", v, key);
	}
	appendStringInfoChar(&rows.valid, ')');
	return rows;
}

static List *
value_columns(const Pit *pit)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, pit->parts)
	{
		Part	   *part = lfirst(lc);

		columns = lappend(lappend(columns, part->key), part->load_date);
		if (part->load_seq != NULL)
			columns = lappend(columns, part->load_seq);
	}
	return columns;
}

/* "INSERT INTO ... SELECT ...": the rows of a moment; from: where h is, the hub's rows */
static char *
insert_sql(const Pit *pit, const char *relation, const char *moment, const char *from, const Rows *rows)
{
	return psprintf("INSERT INTO %s AS p (snapshot_date, %s, %s) SELECT %s, h.%s, %s FROM %s%s WHERE %s",
					relation, pit->key, lyf_vault_list(value_columns(pit), "", ", "), moment, pit->key, rows->values.data, from,
					rows->joins.data, rows->valid.data);
}

/*
 * Of the keys that have rows between two snapshots, those that the later one has not right (wrong), and these in all from then on.  What is
 * right there is right afterwards: a row that came late, and is not the last one before that snapshot, is in none.
 */
static char *
mend_sql(const Pit *pit, const char *relation)
{
	List	   *columns = value_columns(pit);
	char	   *stored = lyf_vault_list(columns, "p.", ", ");
	char	   *excluded = lyf_vault_list(columns, "excluded.", ", ");
	char	   *hub = lyf_vault_relation(pit->hub->vault, pit->hub->name);
	Rows		found = make_rows(pit, "l.moment", true);
	Rows		put = make_rows(pit, "s.moment", true);

	return psprintf(", wrong AS MATERIALIZED (SELECT l.key, min(l.moment) AS since FROM late l JOIN %s h ON h.%s = l.key%s "
					"LEFT JOIN %s p ON p.snapshot_date = l.moment AND p.%s = l.key WHERE (%s) IS DISTINCT FROM (%s) GROUP BY l.key) "
					"%s ON CONFLICT (snapshot_date, %s) DO UPDATE SET (%s) = ROW (%s) WHERE (%s) IS DISTINCT FROM (%s)",
					hub, pit->key, found.joins.data, relation, pit->key, stored, found.values.data,
					insert_sql(pit, relation, "s.moment", psprintf("wrong w JOIN unnest($1) s (moment) ON s.moment >= w.since JOIN %s h ON h.%s = w.key", hub, pit->key), &put),
					pit->key, lyf_vault_list(columns, "", ", "), excluded, stored, excluded);
}

/* lyftron.refresh_pit(vault text, name text) */
Datum
lyf_refresh_pit(PG_FUNCTION_ARGS)
{
	LyfVault   *vault = lyf_vault_get(lyf_vault_required(fcinfo, 0, "vault"));
	LyfVaultTable *table = lyf_snapshots_table(vault, lyf_vault_required(fcinfo, 1, "name"), "pit");
	Pit		   *pit = make_pit(lyf_vault_table_get(vault, table->parent), lyf_vault_name_list(lyf_value_get(table->definition, "satellites")));
	LyfSnapshots snapshots = {.table = table,.relation = lyf_vault_relation(vault, table->name)};
	LyfSourceScope scope;
	Rows		rows;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	scope = lyf_vault_enter(vault);
	snapshots.watched = list_make1(unconstify(LyfVaultTable *, pit->hub));
	foreach(lc, pit->parts)
		snapshots.watched = lappend(snapshots.watched, ((Part *) lfirst(lc))->satellite);
	rows = make_rows(pit, "$1", false);
	snapshots.fill = insert_sql(pit, snapshots.relation, "$1", psprintf("%s h", lyf_vault_relation(vault, pit->hub->name)), &rows);
	snapshots.mend = mend_sql(pit, snapshots.relation);
	lyf_snapshots_refresh(&snapshots, fcinfo);
	lyf_source_leave(&scope);
	return (Datum) 0;
}
