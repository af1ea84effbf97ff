/*
 * destination.c
 *		The tables that are loaded: found, made, and given the columns they lack.
 *
 * A table is held with ShareUpdateExclusiveLock to the end of the transaction:
 * it is read and written as ever meanwhile, but its shape stays.  Slices, of which several are
 * loaded at once, change nothing of it, and hold a weaker lock that keeps its shape as well.  The columns
 * of the source come first, then the metadata columns.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/ruleutils.h"

#include "base/compat.h"
#include "load/load_internal.h"

typedef struct MetaColumn
{
	const char *name;
	Oid			type;
	const char *definition;		/* NULL: of staging tables only */
} MetaColumn;

static const MetaColumn meta_columns[LYF_META_CHILD_COUNT] = {
	[LYF_META_ID] = {"_lyftron_id", UUIDOID, "pg_catalog.uuid NOT NULL"},
	[LYF_META_EXTRACTED_AT] = {"_lyftron_extracted_at", TIMESTAMPTZOID, "pg_catalog.timestamptz NOT NULL"},
	[LYF_META_LOADED_AT] = {"_lyftron_loaded_at", TIMESTAMPTZOID, "pg_catalog.timestamptz NOT NULL"},
	[LYF_META_RUN] = {"_lyftron_run", INT8OID, "pg_catalog.int8 NOT NULL"},
	[LYF_META_ROW] = {"_lyftron_row", INT8OID, NULL},
	[LYF_META_PARENT_ID] = {"_lyftron_parent_id", UUIDOID, "pg_catalog.uuid NOT NULL"},
	[LYF_META_ROOT_ID] = {"_lyftron_root_id", UUIDOID, "pg_catalog.uuid NOT NULL"},
	[LYF_META_INDEX] = {"_lyftron_index", INT8OID, "pg_catalog.int8 NOT NULL"},
};

void
lyf_destination_parse(const char *text, char **schema, char **table)
{
	List	   *names = lyf_name_list(text);
	RangeVar   *name;
	Oid			namespace;

	if (list_length(names) > 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid destination \"%s\"", text),
				 errhint("Name a table as schema.table or table.")));
	name = makeRangeVarFromNameList(names);
	if (name->schemaname != NULL)
		*schema = pstrdup(name->schemaname);
	else
	{
		namespace = RangeVarGetCreationNamespace(name);
		*schema = get_namespace_name(namespace);
	}
	*table = pstrdup(name->relname);
}

char *
lyf_relation_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

char *
lyf_field_definition(const LyfField *field)
{
	LyfType		type = {field->type, field->typmod};
	StringInfoData def;

	initStringInfo(&def);
	if (OidIsValid(field->cast.oid))
		type = field->cast;
	appendStringInfo(&def, "%s %s", quote_identifier(field->name), lyf_type_sql(type));
	if (OidIsValid(field->collation) && type.oid == field->type && field->collation != get_typcollation(field->type))
		appendStringInfo(&def, " COLLATE %s", generate_collation_name(field->collation));
	return def.data;
}

static int
meta_count(const LyfTable *table)
{
	return table->parent == NULL ? LYF_META_COUNT : LYF_META_CHILD_COUNT;
}

static void
create_table(const char *schema, LyfTable *table)
{
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, table->fields)
		appendStringInfo(&columns, "%s, ", lyf_field_definition(lfirst(lc)));
	for (int i = 0; i < meta_count(table); i++)
	{
		if (meta_columns[i].definition != NULL)
			appendStringInfo(&columns, "%s%s %s", i == 0 ? "" : ", ", meta_columns[i].name, meta_columns[i].definition);
	}
	if (!OidIsValid(get_namespace_oid(schema, true)))
		lyf_load_execute("CREATE SCHEMA %s", quote_identifier(schema));
	lyf_load_execute("CREATE TABLE %s (%s)", quote_qualified_identifier(schema, table->name), columns.data);
	table->created = true;
}

/* rows that were there before have no metadata */
static void
add_metadata(LyfTable *table)
{
	for (int i = 0; i < meta_count(table); i++)
	{
		const MetaColumn *meta = &meta_columns[i];

		if (meta->definition != NULL && get_attnum(table->dest, meta->name) == InvalidAttrNumber)
			lyf_load_execute("ALTER TABLE %s ADD COLUMN %s %s", lyf_relation_name(table->dest), meta->name, format_type_be_qualified(meta->type));
	}
}

int64
lyf_relation_kb(Oid relid)
{
	return DatumGetInt64(DirectFunctionCall1(pg_table_size, ObjectIdGetDatum(relid))) / 1024;
}

/* Fields whose values are not what their columns want. */
static void
add_conversions(LyfTable *table)
{
	Relation	rel = table_open(table->dest, NoLock);
	int			number = 0;
	ListCell   *lc;

	foreach(lc, table->fields)
	{
		LyfField   *field = lfirst(lc);
		AttrNumber	attno = get_attnum(table->dest, field->name);

		table->leaves_out = table->leaves_out || field->left_out;
		if (attno != InvalidAttrNumber && (field->converted || OidIsValid(field->cast.oid)))
		{
			Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), attno - 1);
			LyfType		from = {field->type, field->typmod};
			LyfType		to = {column->atttypid, column->atttypmod};

			if (!lyf_type_takes(to, from) || field->format != NULL)
				lyf_convert_add(table, number, field, to);
		}
		number++;
	}
	table_close(rel, NoLock);
}

static void
check_destination(Oid relid, const char *name)
{
	char		kind = get_rel_relkind(relid);
	AclResult	allowed;

	/* dropped since its name was looked up */
	if (kind == '\0')
		return;
	if (kind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a plain table", name),
				 errdetail_relkind_not_supported(kind),
				 errhint("Load into a plain table; a partitioned table can take it from there.")));
	allowed = pg_class_aclcheck(relid, GetUserId(), ACL_INSERT);
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_TABLE, name);
}

void
lyf_destination_check(const char *schema, const char *table)
{
	Oid			namespace = get_namespace_oid(schema, true);
	Oid			relid = OidIsValid(namespace) ? get_relname_relid(table, namespace) : InvalidOid;

	if (OidIsValid(relid))
		check_destination(relid, table);
	else if (OidIsValid(namespace))
		(void) LookupCreationNamespace(schema);
}

/* The rows that are put: fields, then metadata. */
static TupleDesc
row_desc(const LyfTable *table)
{
	TupleDesc	desc = CreateTemplateTupleDesc(list_length(table->fields) + meta_count(table));
	AttrNumber	n = 0;
	ListCell   *lc;

	foreach(lc, table->fields)
	{
		LyfField   *field = lfirst(lc);

		TupleDescInitEntry(desc, ++n, field->name, field->type, field->typmod, 0);
		TupleDescInitEntryCollation(desc, n, field->collation);
	}
	for (int i = 0; i < meta_count(table); i++)
		TupleDescInitEntry(desc, ++n, meta_columns[i].name, meta_columns[i].type, -1, 0);
	return desc;
}

static void
check_found(const RangeVar *name, Oid relid, Oid before, void *arg)
{
	if (OidIsValid(relid))
		check_destination(relid, name->relname);
}

/* Who waits for the lock gets the table that has the name then, or InvalidOid. */
static Oid
find_and_lock(const LyfLoadSpec *spec, const char *table)
{
	RangeVar   *name = makeRangeVar(pstrdup(spec->schema), pstrdup(table), -1);
	LOCKMODE	mode = spec->slice > 0 ? AccessShareLock : ShareUpdateExclusiveLock;

	return RangeVarGetRelidExtended(name, mode, RVR_MISSING_OK, check_found, NULL);
}

/* Find or make the destination of a table, give it what it lacks, open and lock it. */
void
lyf_destination_open(LyfLoad *load, LyfTable *table)
{
	const LyfLoadSpec *spec = load->spec;
	Oid			relid = find_and_lock(spec, table->name);

	if (!OidIsValid(relid))
	{
		if (spec->goes_on)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("table \"%s\" was dropped or renamed while it was being loaded", table->name),
					 errhint("Run the pipeline again: it starts from the beginning.")));
		create_table(spec->schema, table);
		relid = find_and_lock(spec, table->name);
	}
	table->dest = relid;
	if (!table->created)
	{
		/* a slice finds a destination that was made ready for all of them */
		lyf_evolve_apply(table, lyf_evolve_plan(spec, table), spec->slice == 0);
		if (spec->slice == 0)
			add_metadata(table);
	}
	add_conversions(table);
	table->rel = table_open(relid, NoLock);
	table->desc = row_desc(table);
}
