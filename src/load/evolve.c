/*
 * evolve.c
 *		A destination kept in step with its source: what has to be done to a table before the source's columns fit
 *		into it, as the pipeline's policy answers.
 *
 * A column that the source has and the table has not is added.  A type that has become wider is widened where
 * that is possible at once: not where each row of a large table would have to be written anew, nor where views
 * or other objects stand in the way.  Then, and where the new type does not hold what is there, the source's column goes
 * to a new version of the column (name__v2, ...), and the old one stays as it is.
 *
 * Only what the source itself has had before is changed: a type that the table's owner chose differently stays, and
 * values are cast to it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "mb/pg_wchar.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/settings.h"
#include "load/load_internal.h"

#define VERSION_MARK	"__v"

/* an attribute number that a default, a view or another object was made for */
static const struct
{
	Oid			class;
	const char *what;
}			obstacles[] = {
	{RewriteRelationId, "a view or rule uses it"},
	{TriggerRelationId, "a trigger uses it"},
	{PolicyRelationId, "a policy of row-level security uses it"},
	{ProcedureRelationId, "a function uses it"},
	{PublicationRelRelationId, "a publication uses it"},
};

/* is it the expression of a generated column, rather than the column's own default? */
static bool
is_generated(const Form_pg_depend depend)
{
	return depend->classid == AttrDefaultRelationId && depend->deptype == DEPENDENCY_NORMAL;
}

/* what keeps a column's type from being changed in place, or NULL */
static const char *
find_obstacle(Oid relid, AttrNumber attno)
{
	Relation	depends = table_open(DependRelationId, AccessShareLock);
	const char *what = NULL;
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(attno));
	scan = systable_beginscan(depends, DependReferenceIndexId, true, NULL, 3, key);
	while (what == NULL && (tuple = systable_getnext(scan)) != NULL)
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

		for (int i = 0; what == NULL && i < lengthof(obstacles); i++)
		{
			if (depend->classid == obstacles[i].class)
				what = obstacles[i].what;
		}
		if (what == NULL && is_generated(depend))
			what = "a generated column uses it";
	}
	systable_endscan(scan);
	table_close(depends, AccessShareLock);
	return what;
}

/* the number of a name that is column__v<number>; 0: it is none */
static int
version_number(const char *name, const char *column)
{
	size_t		len = pg_mbcliplen(column, strlen(column), NAMEDATALEN - 10);
	char	   *end;
	long		number;

	if (strncmp(name, column, len) != 0 || strncmp(name + len, VERSION_MARK, strlen(VERSION_MARK)) != 0)
		return 0;
	name += len + strlen(VERSION_MARK);
	if (*name < '1' || *name > '9')
		return 0;
	number = strtol(name, &end, 10);
	return *end == '\0' && number < 100000 ? (int) number : 0;
}

static char *
version_name(const char *column, int number)
{
	return psprintf("%.*s" VERSION_MARK "%d", pg_mbcliplen(column, strlen(column), NAMEDATALEN - 10), column, number);
}

static bool
is_field(const LyfTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->fields)
	{
		if (strcmp(((LyfField *) lfirst(lc))->source, name) == 0)
			return true;
	}
	return false;
}

/* the latest version of a column that the table has, 1: the column itself (if it is there) */
static int
latest_version(const LyfTable *table, TupleDesc desc, const char *column)
{
	int			latest = 1;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		const char *name = NameStr(attribute->attname);

		/* a column of the source's that is called so is none */
		if (!attribute->attisdropped && !is_field(table, name))
			latest = Max(latest, version_number(name, column));
	}
	return latest;
}

/* was the column of that type at some time? */
static bool
was_of_type(const LyfValue *history, const char *column, LyfType type)
{
	const LyfValue *types = lyf_value_get(history, column);

	if (types == NULL)
		return false;
	lyf_foreach(member, types)
	{
		if (strcmp(lyf_value_text(member), format_type_with_typemod(type.oid, type.typmod)) == 0)
			return true;
	}
	return false;
}

static LyfType
field_type(const LyfField *field)
{
	LyfType		type = {field->type, field->typmod};

	return OidIsValid(field->cast.oid) ? field->cast : type;
}

static LyfStep *
add_step(List **steps, LyfStepKind kind, LyfChangeKind change, LyfField *field, const char *column)
{
	LyfStep    *step = palloc0(sizeof(LyfStep));

	step->kind = kind;
	step->change = change;
	step->field = field;
	step->column = column;
	*steps = lappend(*steps, step);
	return step;
}

static char *
add_column(const LyfTable *table, const LyfField *field, const char *column)
{
	LyfField	named = *field;

	named.name = column;
	return psprintf("ALTER TABLE %s ADD COLUMN %s", lyf_relation_name(table->dest), lyf_field_definition(&named));
}

/* how the policy wants something to be answered that evolving would do by a statement */
static void
plan_answer(const LyfLoadSpec *spec, LyfChangeKind change, LyfField *field, LyfStep *evolved)
{
	LyfAnswer	answer = lyf_policy_answer(spec->policy, change, field->source);
	LyfStepKind instead = change == LYF_COLUMN_ADDED ? LYF_STEP_LEAVE_OUT : LYF_STEP_CONVERT;

	/* a change that is refused does not come here, unless it was accepted */
	if (answer == LYF_ANSWER_FREEZE && (spec->accepted || change != LYF_COLUMN_ADDED))
		answer = LYF_ANSWER_EVOLVE;
	if (answer == LYF_ANSWER_FREEZE)
		evolved->kind = LYF_STEP_REFUSE;
	else if (answer != LYF_ANSWER_EVOLVE)
		evolved->kind = instead;
	if (answer != LYF_ANSWER_EVOLVE)
	{
		evolved->column = field->name;
		evolved->statement = NULL;
	}
	evolved->answer = answer;
}

/* The type of a column is another one now. */
static void
plan_type(List **steps, const LyfLoadSpec *spec, const LyfTable *table, LyfField *field, LyfType old, int version)
{
	LyfType		new = field_type(field);
	LyfTypeStep relation = lyf_type_step(old, new);
	LyfChangeKind change = relation == LYF_TYPE_WIDER ? LYF_TYPE_WIDENED :
		relation == LYF_TYPE_NARROWER ? LYF_TYPE_NARROWED : LYF_TYPE_CHANGED;
	LyfStep    *step = add_step(steps, LYF_STEP_VERSION, change, field, NULL);

	step->from = old;
	step->to = new;
	step->rewrites = relation == LYF_TYPE_WIDER && lyf_type_rewrites(old, new);
	if (relation == LYF_TYPE_WIDER)
	{
		step->obstacle = find_obstacle(table->dest, get_attnum(table->dest, field->name));
		if (step->obstacle == NULL && step->rewrites && lyf_relation_kb(table->dest) > lyf_schema_rewrite_limit)
			step->obstacle = "the table is larger than lyftron.schema_rewrite_limit, and each row would be written anew";
	}
	else
		step->obstacle = "the new type does not hold what is there";
	if (step->obstacle == NULL)
	{
		const char *quoted = quote_identifier(field->name);
		char	   *expression = lyf_type_widening(quoted, old, new);

		step->kind = LYF_STEP_WIDEN;
		step->column = field->name;
		step->statement = psprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s%s%s", lyf_relation_name(table->dest), quoted,
								   lyf_type_sql(new), expression != NULL ? " USING " : "", expression != NULL ? expression : "");
	}
	else
	{
		/* the source may have a column that is called so */
		do
			step->column = version_name(field->source, ++version);
		while (get_attnum(table->dest, step->column) != InvalidAttrNumber || is_field(table, step->column));
		step->statement = add_column(table, field, step->column);
	}
	plan_answer(spec, change, field, step);
}

static void
plan_field(List **steps, const LyfLoadSpec *spec, const LyfTable *table, TupleDesc desc, LyfField *field)
{
	int			version = latest_version(table, desc, field->source);
	AttrNumber	attno;
	LyfType		old = {0};

	if (version > 1)
		field->name = version_name(field->source, version);
	attno = get_attnum(table->dest, field->name);
	if (attno == InvalidAttrNumber)
	{
		LyfStep    *step = add_step(steps, LYF_STEP_ADD, LYF_COLUMN_ADDED, field, field->name);

		step->to = field_type(field);
		step->statement = add_column(table, field, field->name);
		plan_answer(spec, LYF_COLUMN_ADDED, field, step);
		return;
	}
	old.oid = TupleDescAttr(desc, attno - 1)->atttypid;
	old.typmod = TupleDescAttr(desc, attno - 1)->atttypmod;
	if (lyf_type_takes(old, field_type(field)) || TupleDescAttr(desc, attno - 1)->attgenerated != '\0')
		return;
	if (was_of_type(spec->history, field->source, old) || OidIsValid(field->cast.oid))
		plan_type(steps, spec, table, field, old, version);
}

/* A column that the source had, and has no more, must be null in rows to come. */
static void
plan_removed(List **steps, const LyfLoadSpec *spec, const LyfTable *table, TupleDesc desc)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		const char *name = NameStr(attribute->attname);
		LyfStep    *step;

		if (attribute->attisdropped || !attribute->attnotnull || attribute->atthasdef || attribute->attidentity != '\0' ||
			is_field(table, name) || lyf_value_get(spec->history, name) == NULL)
			continue;
		step = add_step(steps, LYF_STEP_NULLABLE, LYF_COLUMN_REMOVED, NULL, pstrdup(name));
		step->statement = psprintf("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", lyf_relation_name(table->dest), quote_identifier(name));
		step->answer = LYF_ANSWER_EVOLVE;
	}
}

List *
lyf_evolve_plan(const LyfLoadSpec *spec, LyfTable *table)
{
	Relation	rel = table_open(table->dest, NoLock);
	List	   *steps = NIL;
	ListCell   *lc;

	foreach(lc, table->fields)
		plan_field(&steps, spec, table, RelationGetDescr(rel), lfirst(lc));
	if (table->parent == NULL)
		plan_removed(&steps, spec, table, RelationGetDescr(rel));
	table_close(rel, NoLock);
	return steps;
}

static void
refuse(const LyfTable *table, const LyfStep *step, int level)
{
	if (step->change == LYF_COLUMN_ADDED)
		ereport(level,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\", which the source has", table->name, step->column),
				 errdetail("The pipeline's schema policy is \"%s\".", lyf_answer_name(step->answer)),
				 errhint("Add the column, or alter the pipeline's schema_policy to evolve.")));
	else
		ereport(level,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is of type %s, but the source now gives %s", step->column, table->name,
						format_type_with_typemod(step->from.oid, step->from.typmod), format_type_with_typemod(step->to.oid, step->to.typmod)),
				 errdetail("The pipeline's schema policy is \"%s\".", lyf_answer_name(step->answer)),
				 errhint("Alter the pipeline's schema_policy to evolve, or name a type in its casts.")));
}

/*
 * What is made a text must not look as the session likes it.  Who waits for a table makes others wait who only want to
 * read it: not for long.
 */
static int
enter_settings(void)
{
	int			level = NewGUCNestLevel();

	if (lyf_schema_lock_timeout > 0 && (LockTimeout == 0 || LockTimeout > lyf_schema_lock_timeout))
		(void) set_config_option("lock_timeout", psprintf("%d", lyf_schema_lock_timeout), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);

	(void) set_config_option("datestyle", "ISO, YMD", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("intervalstyle", "postgres", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("timezone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

void
lyf_evolve_apply(LyfTable *table, List *steps, bool may_change)
{
	int			level;
	ListCell   *lc;

	/* before anything is done */
	foreach(lc, steps)
	{
		const LyfStep *step = lfirst(lc);

		if (step->kind == LYF_STEP_REFUSE)
			refuse(table, step, ERROR);
		if (step->statement != NULL && !may_change)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("table \"%s\" or its source was altered while it was being refreshed", table->name),
					 errhint("Run the pipeline again: it starts afresh.")));
		if (step->kind != LYF_STEP_REFUSE && step->answer == LYF_ANSWER_ALERT && may_change)
			refuse(table, step, WARNING);
	}
	level = enter_settings();
	foreach(lc, steps)
	{
		const LyfStep *step = lfirst(lc);

		if (step->statement != NULL)
			lyf_load_execute("%s", step->statement);
		if (step->kind == LYF_STEP_VERSION)
			step->field->name = step->column;
		else if (step->kind == LYF_STEP_LEAVE_OUT)
			step->field->left_out = true;
		else if (step->kind == LYF_STEP_CONVERT)
			step->field->converted = true;
	}
	AtEOXact_GUC(false, level);
}
