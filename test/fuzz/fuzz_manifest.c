/*
 * fuzz_manifest.c
 *		A stranger's manifest: its YAML read and resolved, and each of its streams compiled.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "fuzz.h"
#include "connector/connector.h"

LYF_FUNCTION_INFO_V1(fuzz_manifest);

static void
compile_streams(LyfConnector *connector)
{
	LyfComponent top = lyf_component(connector->manifest, "");
	size_t		count = lyf_component_count(&top, "streams");

	for (size_t i = 0; i < count; i++)
	{
		LyfComponent component = lyf_component_item(&top, "streams", i);
		LyfStream  *stream;

		fuzz_look_at(lyf_stream_compile(&component, connector->manifest, connector->budget, &stream));
	}
}

static void
try_manifest(const char *data, size_t size)
{
	size_t		len = strnlen(data, size);
	char	   *yaml = pnstrdup(data, len);
	LyfConnector *connector;
	LyfFailure *failure;

	/* text that comes as an argument was checked */
	if (pg_encoding_verifymbstr(PG_UTF8, yaml, len) != len)
		return;
	failure = lyf_connector_make("fuzz", yaml, CurrentMemoryContext, &connector);
	fuzz_look_at(failure);
	if (failure != NULL)
		return;
	fuzz_look_at(connector->unusable);
	if (json_is_object(connector->manifest))
		compile_streams(connector);
}

Datum
fuzz_manifest(PG_FUNCTION_ARGS)
{
	MemoryContextSwitchTo(TopMemoryContext);
	fuzz_run(PG_GETARG_ARRAYTYPE_P(0), try_manifest);
	PG_RETURN_VOID();
}
