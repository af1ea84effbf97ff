/*
 * cast.c
 *		Casts that a pipeline names for columns: they go before what the source says of its types.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/json.h"
#include "load/load_internal.h"

static const char *
type_of(const LyfValue *cast)
{
	return lyf_value_text(cast->kind == LYF_MAP ? lyf_value_get(cast, "type") : cast);
}

LyfValue *
lyf_casts_check(const LyfValue *casts)
{
	if (!lyf_value_is(casts, LYF_MAP))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("casts must be a JSON object"),
				 errhint("Name a type for each column, as {\"price\": \"numeric(12,2)\", \"day\": {\"type\": \"date\", \"format\": \"%%d.%%m.%%Y\"}}.")));
	lyf_foreach(cast, casts)
	{
		const LyfValue *format = cast->kind == LYF_MAP ? lyf_value_get(cast, "format") : NULL;

		if (type_of(cast) == NULL || (format != NULL && format->kind != LYF_STRING))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the cast of column \"%s\" names no type", cast->key),
					 errhint("It is a type's name, or an object with type and format.")));
		(void) lyf_type_parse(type_of(cast));
	}
	return casts->len > 0 ? lyf_value_copy(casts) : NULL;
}

char *
lyf_cast_type(const LyfValue *casts, const char *column)
{
	const LyfValue *cast = lyf_value_get(casts, column);
	LyfType		type;

	if (cast == NULL)
		return NULL;
	type = lyf_type_parse(type_of(cast));
	return format_type_with_typemod(type.oid, type.typmod);
}

void
lyf_casts_apply(LyfLoad *load)
{
	LyfTable   *table = linitial(load->tables);
	ListCell   *lc;

	if (load->spec->casts == NULL)
		return;
	foreach(lc, table->fields)
	{
		LyfField   *field = lfirst(lc);
		const LyfValue *cast = lyf_value_get(load->spec->casts, field->source);

		if (cast == NULL)
			continue;
		field->cast = lyf_type_parse(type_of(cast));
		field->format = cast->kind == LYF_MAP ? lyf_value_text(lyf_value_get(cast, "format")) : NULL;
	}
}
