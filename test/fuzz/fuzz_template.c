/*
 * fuzz_template.c
 *		A template compiled and evaluated in each way.  After a NUL byte the input may bring a context,
 *		a JSON object whose keys are names; else there is one that has a bit of everything.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "fuzz.h"
#include "base/json.h"
#include "base/template.h"

LYF_FUNCTION_INFO_V1(fuzz_template);

static const char usual_context[] =
	"{\"config\": {\"url\": \"http://x/\", \"n\": 3, \"list\": [1, 2.5, \"x\", null, true], \"date\": \"2024-02-29T12:30:00Z\"},"
	" \"record\": {\"id\": 7, \"name\": \"Zoë\", \"tags\": [\"a\", \"b\"], \"at\": 1700000000, \"nested\": {\"x\": {\"y\": 0}}},"
	" \"response\": {\"next\": \"p2\", \"items\": [], \"total\": \"12\"}, \"headers\": {\"link\": \"<http://x/?page=2>; rel=next\"},"
	" \"stream_slice\": {\"start_time\": \"2024-01-01\", \"end_time\": \"2024-01-31\", \"id\": 5},"
	" \"next_page_token\": {\"next_page_token\": 2}, \"last_record\": {\"id\": 99}, \"last_page_size\": 100}";

static LyfValue *
read_context(const char *text, size_t size)
{
	LyfValue   *context;

	if (size > 0 && lyf_json_parse_copy(text, size, &context) == NULL && context->kind == LYF_MAP)
		return context;
	if (lyf_json_parse_copy(usual_context, sizeof(usual_context) - 1, &context) != NULL)
		fuzz_finding("the usual context is no JSON");
	return context;
}

/* failures say something; what comes out can be printed */
static void
look_at(const LyfFailure *failure, const LyfValue *result)
{
	fuzz_look_at(failure);
	if (failure != NULL)
		return;
	fuzz_print(result);
	lyf_template_str(result);
}

static void
evaluate(const LyfTemplate *template, const LyfScope *scope)
{
	LyfValue   *result = NULL;
	LyfFailure *failure;
	char	   *text;
	bool		truth;

	failure = lyf_template_eval(template, scope, 0, NULL, &result);
	look_at(failure, result);
	failure = lyf_template_eval_string(template, scope, &result);
	look_at(failure, result);
	failure = lyf_template_eval_text(template, scope, &text);
	look_at(failure, failure == NULL ? lyf_value_string(text) : NULL);
	failure = lyf_template_eval_bool(template, scope, &truth);
	look_at(failure, failure == NULL ? lyf_value_bool(truth) : NULL);
}

static void
try_template(const char *data, size_t size)
{
	size_t		len = strnlen(data, size);
	char	   *source = pnstrdup(data, len);
	LyfValue   *context;
	LyfScope	scope;
	LyfTemplate *template;
	LyfFailure *failure;

	/* text that comes from manifests was checked */
	if (pg_encoding_verifymbstr(PG_UTF8, source, len) != len)
		return;
	context = read_context(data + Min(len + 1, size), size - Min(len + 1, size));
	lyf_scope_init(&scope, NULL);
	if (lyf_value_get(context, "stream_slice") != NULL)
		lyf_scope_set_slice(&scope, lyf_value_get(context, "stream_slice"));
	scope.extra = context;

	lyf_template_literal(source, len);
	failure = lyf_template_compile(source, NULL, &template);
	if (failure != NULL)
	{
		fuzz_look_at(failure);
		return;
	}
	lyf_template_uses(template, "stream_partition");
	lyf_template_sole_member(template, "stream_partition");
	evaluate(template, &scope);
}

Datum
fuzz_template(PG_FUNCTION_ARGS)
{
	MemoryContextSwitchTo(TopMemoryContext);
	fuzz_run(PG_GETARG_ARRAYTYPE_P(0), try_template);
	PG_RETURN_VOID();
}
