/*
 * nested.c
 *		Parsing strategies: what becomes of objects and lists in a record.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "load/load_internal.h"

static const LyfNested *const strategies[] = {
	&lyf_nested_jsonb,
	&lyf_nested_flatten,
	&lyf_nested_normalize,
	&lyf_nested_raw,
};

const LyfNested *
lyf_nested_get(const char *name)
{
	for (int i = 0; i < lengthof(strategies); i++)
	{
		if (strcmp(strategies[i]->name, name) == 0)
			return strategies[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no parsing strategy \"%s\"", name),
			 errhint("Parsing strategies (nested) are: jsonb, flatten, normalize, raw.")));
}

bool
lyf_nested_wants_shapes(const LyfNested *nested)
{
	return nested->wants_shapes;
}

bool
lyf_nested_wants_record(const LyfNested *nested)
{
	return nested->wants_record;
}

LyfTable *
lyf_table_make(const char *name, LyfTable *parent)
{
	LyfTable   *table = palloc0(sizeof(LyfTable));

	table->name = name;
	table->parent = parent;
	table->extra = -1;
	return table;
}

static bool
name_taken(const LyfTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->fields)
	{
		if (strcmp(((LyfField *) lfirst(lc))->name, name) == 0)
			return true;
	}
	return false;
}

/* Add a field, under a name of its own; returns its number. */
int
lyf_table_add_field(LyfTable *table, const char *name, Oid type, int32 typmod, Oid collation)
{
	LyfField   *field = palloc0(sizeof(LyfField));

	field->name = name;
	for (int i = 2; name_taken(table, field->name); i++)
		field->name = lyf_column_name(psprintf("%s_%d", name, i));
	field->type = type == UNKNOWNOID ? TEXTOID : type;
	field->typmod = typmod;
	field->collation = collation;
	field->source = field->name;
	table->fields = lappend(table->fields, field);
	return list_length(table->fields) - 1;
}
