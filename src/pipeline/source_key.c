/*
 * source_key.c
 *		Which columns say what record a row is, where the definition of a pipeline does not: the
 *		stream's primary key, a table's, or what a foreign table's options say.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/option.h"
#include "pipeline/pipeline_internal.h"

static List *
key_of_stream(const LyfSource *source)
{
	List	   *key = NIL;
	ListCell   *lc;

	foreach(lc, source->shape->primary_key)
	{
		char	   *name = lyf_column_name(lfirst(lc));

		/* the foreign table need not have all of the stream's columns */
		if (lyf_source_column(source, name) == NULL)
			return NIL;
		key = lappend(key, name);
	}
	return key;
}

static List *
key_of_table(const LyfSource *source)
{
	Oid			constraint;
	Bitmapset  *attnos = get_primary_key_attnos(source->relid, false, &constraint);
	List	   *key = NIL;
	int			member = -1;

	while ((member = bms_next_member(attnos, member)) >= 0)
		key = lappend(key, get_attname(source->relid, member + FirstLowInvalidHeapAttributeNumber, false));
	return key;
}

/* "key" is what lyftron_mysql, and other wrappers as well, call the option of the columns of a key */
static List *
key_of_foreign_table(const LyfSource *source)
{
	List	   *key = NIL;

	for (int i = 0; i < source->desc->natts; i++)
	{
		char	   *name = NameStr(TupleDescAttr(source->desc, i)->attname);
		const char *value = lyf_option_get(GetForeignColumnOptions(source->relid, get_attnum(source->relid, name)), "key");
		bool		is_key = false;

		if (value != NULL && parse_bool(value, &is_key) && is_key)
			key = lappend(key, name);
	}
	return key;
}

List *
lyf_source_key(const LyfSource *source)
{
	if (source->shape != NULL)
		return key_of_stream(source);
	if (!OidIsValid(source->relid))
		return NIL;
	if (get_rel_relkind(source->relid) == RELKIND_FOREIGN_TABLE)
		return key_of_foreign_table(source);
	return key_of_table(source);
}
