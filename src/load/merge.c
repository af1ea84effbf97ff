/*
 * merge.c
 *		Incremental modes: the rows of a piece go to a staging table (temporary, of
 *		this piece alone), and from there in one statement a table into the
 *		destination, where the unique index on _lyftron_id decides what is new.
 *
 * Of rows with the same id the last one of the piece counts.  A row that is
 * there already is rewritten only where its bytes differ.  Children belong to
 * their record: those of a record that came are replaced as a whole.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/compat.h"
#include "load/load_internal.h"

/* the least that maintenance_work_mem may be */
#define LEAST_INDEX_KB	1024

static bool
has_index(Oid relid, const char *column, bool unique)
{
	Relation	rel = table_open(relid, AccessShareLock);
	AttrNumber	attno = get_attnum(relid, column);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisvalid && form->indkey.values[0] == attno &&
			(!unique || (form->indisunique && form->indimmediate && form->indnkeyatts == 1)) &&
			RelationGetIndexPredicate(index) == NIL)
			found = true;
		index_close(index, AccessShareLock);
	}
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Make sure that a column has an index of its own.  It is built in about the memory that
 * the load took, so that the load's does not grow with the rows.
 */
void
lyf_merge_index(Oid relid, const char *column, bool unique)
{
	int			level;

	if (has_index(relid, column, unique))
		return;
	level = NewGUCNestLevel();
	(void) set_config_option("maintenance_work_mem", psprintf("%dkB", Max(LEAST_INDEX_KB, Min(maintenance_work_mem, work_mem))),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	lyf_load_execute("CREATE %sINDEX ON %s (%s)", unique ? "UNIQUE " : "", lyf_relation_name(relid), column);
	AtEOXact_GUC(false, level);
}

static char *
stage_name(Oid into)
{
	return psprintf("pg_temp._lyftron_stage_%u", into);
}

/*
 * Make the staging table of rows that are to go into `into`, and open it as the
 * sink.  A security-restricted operation may not make temporary tables; this statement
 * evaluates nothing of anybody's, so it is left for its length.
 */
void
lyf_merge_open(LyfTable *table, Oid into)
{
	Oid			user;
	int			sec_context;

	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(user, sec_context & ~SECURITY_RESTRICTED_OPERATION);
	lyf_load_execute("CREATE TEMPORARY TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
					 "INCLUDING GENERATED INCLUDING IDENTITY, _lyftron_row pg_catalog.int8)",
					 stage_name(into), lyf_relation_name(table->dest));
	SetUserIdAndSecContext(user, sec_context);
	table->stage = RangeVarGetRelid(makeRangeVar("pg_temp", psprintf("_lyftron_stage_%u", into), -1),
									NoLock, false);
	table->sink = table_open(table->stage, RowExclusiveLock);
}

/* Has nobody hung anything on the table that rows must not go past? */
static bool
is_plain(Relation rel)
{
	return lyf_owns_relation(RelationGetRelid(rel), GetUserId()) && RelationGetIndexList(rel) == NIL &&
		rel->trigdesc == NULL && !rel->rd_rel->relhasrules && !rel->rd_rel->relrowsecurity && !rel->rd_rel->relispartition;
}

/*
 * A table that this very run has made, and of which it knows all that it wrote, is
 * written without a detour, and gets its index when all is there.
 */
static bool
is_fresh(const LyfLoad *load)
{
	const LyfTable *table = linitial(load->tables);

	return list_length(load->tables) == 1 && table->direct;
}

/* Doubles go at the end of each piece: others may see what it commits. */
static int64
end_fresh(LyfLoad *load)
{
	LyfTable   *table = linitial(load->tables);

	return load->written - lyf_doubles_remove(load->spec->doubles, table->dest);
}

static void
open_stage(LyfLoad *load, LyfTable *table)
{
	table->direct = lyf_doubles_cover(load->spec->doubles, table->dest, table->created) && is_plain(table->rel);
	if (is_fresh(load))
	{
		table->sink = table_open(table->dest, RowExclusiveLock);
		return;
	}
	/* an index is not made on a table that is open */
	table_close(table->rel, NoLock);
	lyf_merge_index(table->dest, "_lyftron_id", true);
	if (table->parent != NULL)
		lyf_merge_index(table->dest, "_lyftron_root_id", false);
	table->rel = table_open(table->dest, NoLock);
	lyf_merge_open(table, table->dest);
}

static void
check_stage(LyfLoad *load, LyfTable *table)
{
}

/*
 * The columns of a table's rows that its destination has: "a, b, ...", each led by
 * prefix; of the data alone, or with the metadata.
 */
static char *
column_list(const LyfTable *table, const char *prefix, bool meta)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < table->desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(table->desc, i)->attname);
		AttrNumber	attno = get_attnum(table->dest, name);

		if (attno == InvalidAttrNumber || get_attgenerated(table->dest, attno) != '\0')
			continue;
		if (!meta && i >= list_length(table->fields))
			continue;
		appendStringInfo(&list, "%s%s%s", list.len > 0 ? ", " : "", prefix, quote_identifier(name));
	}
	return list.data;
}

/* " DO UPDATE SET a = EXCLUDED.a, ... WHERE what is there differs"; data-less tables never differ */
static char *
update_clause(const LyfTable *table)
{
	char	   *data = column_list(table, "d.", false);

	if (data[0] == '\0')
		return "DO NOTHING";
	return psprintf("DO UPDATE SET (%s) = ROW(%s) "
					"WHERE ROW(%s)::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(%s)::pg_catalog.record",
					column_list(table, "", true), column_list(table, "EXCLUDED.", true),
					data, column_list(table, "EXCLUDED.", false));
}

/* Earlier versions of a record in this piece, and their children, go from the staging tables. */
static void
keep_last_versions(LyfLoad *load, const char *stage, bool into_heap)
{
	uint64		doubles;
	ListCell   *lc;

	doubles = lyf_load_execute("DELETE FROM %s s USING (SELECT ctid AS place, pg_catalog.lead(_lyftron_row) "
							   "OVER (PARTITION BY _lyftron_id ORDER BY _lyftron_row) AS later FROM %s) v "
							   "WHERE v.later IS NOT NULL AND s.ctid OPERATOR(pg_catalog.=) v.place", stage, stage);
	if (doubles == 0)
		return;
	for_each_from(lc, load->tables, 1)
	{
		LyfTable   *child = lfirst(lc);

		lyf_load_execute("DELETE FROM %s c USING %s p WHERE c._lyftron_root_id OPERATOR(pg_catalog.=) p._lyftron_id "
						 "AND c._lyftron_row OPERATOR(pg_catalog.<) p._lyftron_row",
						 stage_name(into_heap ? child->heap : child->dest), stage);
	}
}

/* Children in the destination that the records of this piece do not have any more. */
static void
delete_children(LyfTable *child, const char *into, const char *child_stage, const char *stage)
{
	lyf_load_execute("DELETE FROM %s c USING %s p "
					 "WHERE c._lyftron_root_id OPERATOR(pg_catalog.=) p._lyftron_id AND NOT EXISTS "
					 "(SELECT FROM %s s WHERE s._lyftron_id OPERATOR(pg_catalog.=) c._lyftron_id)",
					 into, stage, child_stage);
}

static int64
merge_table(LyfTable *table, const char *into, const char *stage, bool update)
{
	return lyf_load_execute("INSERT INTO %s AS d (%s) SELECT %s FROM %s s ON CONFLICT (_lyftron_id) %s",
							into, column_list(table, "", true), column_list(table, "s.", true), stage,
							update ? update_clause(table) : "DO NOTHING");
}

int64
lyf_merge(LyfLoad *load, bool into_heap, bool update)
{
	LyfTable   *main = linitial(load->tables);
	char	   *main_stage = stage_name(into_heap ? main->heap : main->dest);
	int64		written = 0;
	ListCell   *lc;

	if (update)
		keep_last_versions(load, main_stage, into_heap);
	foreach(lc, load->tables)
	{
		LyfTable   *table = lfirst(lc);
		Oid			into = into_heap ? table->heap : table->dest;
		char	   *stage = stage_name(into);
		int64		count;

		if (update && table->parent != NULL)
			delete_children(table, lyf_relation_name(into), stage, main_stage);
		count = merge_table(table, lyf_relation_name(into), stage, update);
		if (table->parent == NULL)
			written = count;
	}
	foreach(lc, load->tables)
	{
		LyfTable   *table = lfirst(lc);

		lyf_load_execute("DROP TABLE %s", stage_name(into_heap ? table->heap : table->dest));
	}
	return written;
}

static int64
merge_update(LyfLoad *load)
{
	return is_fresh(load) ? end_fresh(load) : lyf_merge(load, false, true);
}

static int64
merge_append(LyfLoad *load)
{
	return is_fresh(load) ? end_fresh(load) : lyf_merge(load, false, false);
}

static int64
finish_merge(LyfLoad *load)
{
	if (is_fresh(load))
		lyf_merge_index(((LyfTable *) linitial(load->tables))->dest, "_lyftron_id", true);
	return 0;
}

const LyfMode lyf_mode_incremental = {
	.name = "incremental",
	.wants_key = true,
	.check = check_stage,
	.open = open_stage,
	.checkpoint = merge_update,
	.finish = finish_merge,
};

const LyfMode lyf_mode_incremental_append = {
	.name = "incremental_append",
	.key_is_record = true,
	.check = check_stage,
	.open = open_stage,
	.checkpoint = merge_append,
	.finish = finish_merge,
};
