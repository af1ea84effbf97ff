/*
 * define.c
 *		Connectors as SQL sees them: added, shipped, dropped, looked at.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "connector/connector.h"

LYF_FUNCTION_INFO_V1(lyf_add_connector);
LYF_FUNCTION_INFO_V1(lyf_ship_connector);
LYF_FUNCTION_INFO_V1(lyf_drop_connector);
LYF_FUNCTION_INFO_V1(lyf_streams);
LYF_FUNCTION_INFO_V1(lyf_spec);
LYF_FUNCTION_INFO_V1(lyf_resolve_manifest);

/* manifests are at most this long; the biggest known is 1 MB */
#define MAX_MANIFEST	(8 * 1024 * 1024)

/* what failures say before a path, and what then comes after it */
#define PATH_PREFIX	"It stands at "

/* what is in the table under a name */
typedef struct Existing
{
	bool		added;
	bool		shipped;
	Oid			owner;			/* of the added one */
} Existing;

static void
take_existing(void *arg, HeapTuple tuple, TupleDesc desc)
{
	Existing   *existing = arg;
	if (lyf_catalog_bool(tuple, desc, "shipped"))
		existing->shipped = true;
	else
	{
		existing->added = true;
		existing->owner = lyf_catalog_oid(tuple, desc, "owner");
	}
}

/* what is there now; no one else changes it until the transaction ends */
static Existing
look_up(const char *name)
{
	Existing	existing = {0};
	Oid			types[] = {TEXTOID};
	Datum		values[1];

	lyf_catalog_run("LOCK TABLE lyftron.connector IN SHARE ROW EXCLUSIVE MODE", 0, NULL, NULL, NULL, NULL, NULL);
	values[0] = CStringGetTextDatum(name);
	lyf_catalog_run("SELECT shipped, owner::pg_catalog.oid AS owner FROM lyftron.connector"
					" WHERE name OPERATOR(pg_catalog.=) $1",
					1, types, values, NULL, take_existing, &existing);
	return existing;
}

static void
check_name(const char *name)
{
	if (*name == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name of a connector must have 1 to %d bytes", NAMEDATALEN - 1)));
}

/*
 * Servers of other users send their secrets where a connector says: so only its
 * owner may replace it, and only a superuser what is shipped.
 */
static void
check_may_replace(const char *name, const Existing *existing)
{
	if (superuser())
		return;
	if (existing->added && !has_privs_of_role(GetUserId(), existing->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of connector \"%s\"", name)));
	if (existing->shipped && !existing->added)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("connector \"%s\" is shipped with lyftron", name),
				 errdetail("Only a superuser may put another one in its place."),
				 errhint("Add yours under another name.")));
}

static void
check_length(const char *manifest)
{
	if (strlen(manifest) > MAX_MANIFEST)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("manifest is longer than %d MB", MAX_MANIFEST / 1024 / 1024)));
}

/* resolve the manifest, for the length of the statement; raises if it is broken */
static LyfConnector *
make_connector(const char *name, const char *manifest)
{
	LyfConnector *connector;

	check_length(manifest);
	LYF_CHECK(lyf_connector_make(name, manifest, CurrentMemoryContext, &connector));
	return connector;
}

/* of the streams those that cannot be read */
static int
count_unsupported(const LyfConnector *connector)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron streams", ALLOCSET_DEFAULT_SIZES);
	int			count = 0;
	ListCell   *lc;

	foreach(lc, lyf_connector_stream_names(connector))
	{
		MemoryContext old = MemoryContextSwitchTo(cxt);

		CHECK_FOR_INTERRUPTS();
		count += lyf_connector_check_stream(connector, lfirst(lc)) != NULL;
		MemoryContextSwitchTo(old);
		MemoryContextReset(cxt);
	}
	MemoryContextDelete(cxt);
	return count;
}

/* an unchanged manifest keeps its version, so that nobody resolves it anew */
static void
store(const LyfConnector *connector, const char *manifest, bool shipped)
{
	json_t	   *spec = json_object_get(connector->manifest, "spec");
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, BOOLOID, INT4OID, INT4OID, TEXTOID, TEXTOID};
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(connector->name);
	values[1] = CStringGetTextDatum(manifest);
	values[2] = ObjectIdGetDatum(GetUserId());
	values[3] = BoolGetDatum(shipped);
	values[4] = Int32GetDatum(list_length(lyf_connector_stream_names(connector)));
	values[5] = Int32GetDatum(count_unsupported(connector));
	values[6] = lyf_text_or_null(json_string_value(json_object_get(json_object_get(spec, "connection_specification"), "title")), &nulls[6]);
	values[7] = lyf_text_or_null(json_string_value(json_object_get(spec, "documentation_url")), &nulls[7]);
	lyf_catalog_run("INSERT INTO lyftron.connector AS c (name, manifest, owner, shipped, streams, unsupported, title, documentation_url)"
					" VALUES ($1, $2, $3::pg_catalog.regrole, $4, $5, $6, $7, $8)"
					" ON CONFLICT (name, shipped) DO UPDATE SET manifest = EXCLUDED.manifest,"
					" streams = EXCLUDED.streams, unsupported = EXCLUDED.unsupported, title = EXCLUDED.title,"
					" documentation_url = EXCLUDED.documentation_url,"
					" version = EXCLUDED.version, updated_at = EXCLUDED.updated_at"
					" WHERE c.manifest OPERATOR(pg_catalog.<>) EXCLUDED.manifest",
					8, types, values, nulls, NULL, NULL);
}

/* where a failure says it is, for a column of its own; NULL if it says nothing like that */
static char *
failure_path(const LyfFailure *failure)
{
	size_t		prefix = strlen(PATH_PREFIX);
	size_t		len = failure->detail != NULL ? strlen(failure->detail) : 0;

	if (len <= prefix + 1 || strncmp(failure->detail, PATH_PREFIX, prefix) != 0)
		return NULL;
	return pnstrdup(failure->detail + prefix, len - prefix - 1);
}

/* (stream, ready, reason, path) */
static void
put_stream(ReturnSetInfo *result, const char *name, const LyfFailure *failure)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false, false, true, true};

	values[0] = CStringGetTextDatum(name);
	values[1] = BoolGetDatum(failure == NULL);
	if (failure != NULL)
	{
		char	   *path = failure_path(failure);

		nulls[2] = false;
		if (path != NULL || failure->detail == NULL)
			values[2] = CStringGetTextDatum(failure->message);
		else
			values[2] = CStringGetTextDatum(psprintf("%s (%s)", failure->message, failure->detail));
		nulls[3] = path == NULL;
		if (path != NULL)
			values[3] = CStringGetTextDatum(path);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* a row a stream: can it be read, and if not, why not? */
static void
put_streams(FunctionCallInfo fcinfo, const LyfConnector *connector)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext cxt;
	MemoryContext old;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron stream", ALLOCSET_DEFAULT_SIZES);
	foreach(lc, lyf_connector_stream_names(connector))
	{
		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(cxt);
		put_stream(result, lfirst(lc), lyf_connector_check_stream(connector, lfirst(lc)));
		MemoryContextSwitchTo(old);
		MemoryContextReset(cxt);
	}
	MemoryContextDelete(cxt);
}

static char *
utf8_argument(text *argument)
{
	char	   *given = text_to_cstring(argument);

	return pg_server_to_any(given, strlen(given), PG_UTF8);
}

Datum
lyf_add_connector(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LyfConnector *connector;
	Existing	existing;

	check_name(name);
	existing = look_up(name);
	check_may_replace(name, &existing);
	connector = make_connector(name, utf8_argument(PG_GETARG_TEXT_PP(1)));
	store(connector, text_to_cstring(PG_GETARG_TEXT_PP(1)), false);
	put_streams(fcinfo, connector);
	return (Datum) 0;
}

/* only called by the extension's script, whoever runs that */
Datum
lyf_ship_connector(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (!creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("connectors are shipped by the extension's script only"),
				 errhint("Use lyftron.add_connector.")));
	check_name(name);
	store(make_connector(name, utf8_argument(PG_GETARG_TEXT_PP(1))),
		  text_to_cstring(PG_GETARG_TEXT_PP(1)), true);
	PG_RETURN_VOID();
}

static void
take_server(void *arg, HeapTuple tuple, TupleDesc desc)
{
	StringInfo	servers = arg;

	appendStringInfo(servers, "%s\"%s\"", servers->len > 0 ? ", " : "", lyf_catalog_text(tuple, desc, "name"));
}

static void
check_not_used(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[1];
	StringInfoData servers;

	initStringInfo(&servers);
	values[0] = CStringGetTextDatum(name);
	lyf_catalog_run("SELECT s.srvname::pg_catalog.text AS name"
					" FROM pg_catalog.pg_foreign_server s"
					" JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) s.srvfdw"
					" JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) w.fdwhandler"
					" JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"
					" AND n.nspname OPERATOR(pg_catalog.=) 'lyftron'"
					" CROSS JOIN pg_catalog.pg_options_to_table(s.srvoptions) o"
					" WHERE o.option_name OPERATOR(pg_catalog.=) 'connector'"
					" AND o.option_value OPERATOR(pg_catalog.=) $1 ORDER BY 1",
					1, types, values, NULL, take_server, &servers);
	if (servers.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop connector \"%s\" because servers use it", name),
				 errdetail("Servers: %s.", servers.data),
				 errhint("Drop these servers first.")));
}

static void
refuse_drop(const char *name, bool shipped)
{
	if (shipped)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop connector \"%s\" because it is shipped with lyftron", name)));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("connector \"%s\" does not exist", name)));
}

Datum
lyf_drop_connector(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Existing	existing = look_up(name);
	Oid			types[] = {TEXTOID};
	Datum		values[1];

	if (!existing.added && !existing.shipped && PG_GETARG_BOOL(1))
	{
		ereport(NOTICE, (errmsg("connector \"%s\" does not exist, skipping", name)));
		PG_RETURN_VOID();
	}
	if (!existing.added)
		refuse_drop(name, existing.shipped);
	check_may_replace(name, &existing);
	if (!existing.shipped)
		check_not_used(name);
	values[0] = CStringGetTextDatum(name);
	lyf_catalog_run("DELETE FROM lyftron.connector WHERE name OPERATOR(pg_catalog.=) $1 AND NOT shipped",
					1, types, values, NULL, NULL, NULL);
	PG_RETURN_VOID();
}

Datum
lyf_streams(PG_FUNCTION_ARGS)
{
	put_streams(fcinfo, lyf_connector_get(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	return (Datum) 0;
}

Datum
lyf_spec(PG_FUNCTION_ARGS)
{
	LyfValue   *spec = lyf_spec_get(lyf_connector_get(text_to_cstring(PG_GETARG_TEXT_PP(0))));

	if (spec == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(lyf_value_to_jsonb(spec));
}

/* text of the type json, which keeps the order */
Datum
lyf_resolve_manifest(PG_FUNCTION_ARGS)
{
	char	   *yaml = utf8_argument(PG_GETARG_TEXT_PP(0));
	StringInfoData out;
	json_t	   *resolved;
	char	   *printed;

	check_length(yaml);
	LYF_CHECK(lyf_manifest_resolve(yaml, strlen(yaml), &resolved));
	initStringInfo(&out);
	lyf_value_print(&out, lyf_document_to_value(resolved));
	printed = pg_any_to_server(out.data, out.len, PG_UTF8);
	PG_RETURN_TEXT_P(cstring_to_text(printed));
}
