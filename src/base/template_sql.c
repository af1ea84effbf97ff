/*
 * template_sql.c
 *		lyftron.render_template: a template tried by hand.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/failure.h"
#include "base/template.h"

LYF_FUNCTION_INFO_V1(lyf_render_template);

Datum
lyf_render_template(PG_FUNCTION_ARGS)
{
	const char *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LyfValue   *context = lyf_value_from_jsonb(PG_GETARG_JSONB_P(1));
	LyfValue   *slice = lyf_value_get(context, "stream_slice");
	LyfScope	scope;
	LyfTemplate *template;
	LyfValue   *result;

	if (context->kind != LYF_MAP)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("context must be a JSON object"),
				 errhint("Its keys are the names that the template can use.")));
	lyf_scope_init(&scope, NULL);
	if (slice != NULL)
		lyf_scope_set_slice(&scope, slice);
	scope.extra = context;
	LYF_CHECK(lyf_template_compile(source, NULL, &template));
	LYF_CHECK(lyf_template_eval(template, &scope, 0, NULL, &result));
	PG_RETURN_JSONB_P(lyf_value_to_jsonb(result));
}
