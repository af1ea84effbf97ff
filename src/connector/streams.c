/*
 * streams.c
 *		Which streams there are: those that a manifest lists, those of them that are there
 *		for an account (ConditionalStreams), and those that only show when the account is
 *		known, or the source was asked (dynamic streams; see dynamic.c).
 *
 * What dynamic streams resolved to is kept until the transaction ends, so that a statement
 * asks once.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "connector/connector.h"

/* how many names a message lists */
#define MAX_LISTED	20

/* A stream as the manifest lists it: by its name, or by its place if it has none. */
typedef struct Listed
{
	json_t	   *json;
	const char *name;
	const char *path;
	const char *condition;		/* or NULL: it is always there */
	const char *definition;		/* the dynamic stream that it was resolved from, or NULL */
	bool		dynamic;
} Listed;

/* what the dynamic streams of an account resolved to */
typedef struct Resolved
{
	const char *key;			/* account and configuration */
	List	   *streams;		/* of Listed *; of LyfFailure where json is NULL */
	List	   *failed;			/* of LyfListedStream * */
} Resolved;

static List *resolved_before = NIL;	/* of Resolved *, in TopTransactionContext */

static Listed *
make_listed(json_t *json, const char *list, size_t index)
{
	Listed	   *listed = palloc0(sizeof(Listed));
	const char *name = json_string_value(json_object_get(json, "name"));

	listed->json = json;
	if (name != NULL && *name != '\0')
	{
		listed->name = name;
		listed->path = psprintf("%s.%s", list, name);
	}
	else
		listed->path = listed->name = psprintf("%s[%zu]", list, index);
	return listed;
}

/* streams that are there on a condition */
static List *
list_conditional(json_t *conditional, List *streams)
{
	const char *condition = json_string_value(json_object_get(conditional, "condition"));
	json_t	   *json;
	size_t		n;

	json_array_foreach(json_object_get(conditional, "streams"), n, json)
	{
		Listed	   *listed = make_listed(json, "streams", n);

		listed->condition = condition != NULL ? condition : "";
		streams = lappend(streams, listed);
	}
	return streams;
}

static List *
list_streams(const LyfConnector *connector)
{
	List	   *streams = NIL;
	json_t	   *json;
	size_t		n;

	json_array_foreach(json_object_get(connector->manifest, "streams"), n, json)
	{
		const char *type = json_string_value(json_object_get(json, "type"));

		if (type != NULL && strcmp(type, "ConditionalStreams") == 0)
			streams = list_conditional(json, streams);
		else
			streams = lappend(streams, make_listed(json, "streams", n));
	}
	json_array_foreach(json_object_get(connector->manifest, "dynamic_streams"), n, json)
	{
		Listed	   *listed = make_listed(json, "dynamic_streams", n);

		listed->dynamic = true;
		streams = lappend(streams, listed);
	}
	return streams;
}

List *
lyf_connector_stream_names(const LyfConnector *connector)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, list_streams(connector))
		names = lappend(names, pstrdup(((Listed *) lfirst(lc))->name));
	return names;
}

static LyfFailure *
unknown_stream(const LyfConnector *connector, const char *name, List *streams)
{
	StringInfoData listed;

	initStringInfo(&listed);
	for (int i = 0; i < Min(list_length(streams), MAX_LISTED); i++)
		appendStringInfo(&listed, "%s%s", i > 0 ? ", " : "", ((Listed *) list_nth(streams, i))->name);
	if (list_length(streams) > MAX_LISTED)
		appendStringInfo(&listed, " and %d more", list_length(streams) - MAX_LISTED);
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_TABLE_NOT_FOUND,
										"connector \"%s\" has no stream \"%s\"", connector->name, name),
							"It has: %s.", listed.data);
}

static Listed *
find(List *streams, const char *name)
{
	ListCell   *lc;

	foreach(lc, streams)
	{
		Listed	   *listed = lfirst(lc);

		if (strcmp(listed->name, name) == 0)
			return listed;
	}
	return NULL;
}

static LyfFailure *
compile(const LyfConnector *connector, const Listed *listed, LyfStream **stream)
{
	LyfComponent c = lyf_component(listed->json, listed->path);

	return lyf_stream_compile(&c, connector->manifest, connector->budget, stream);
}

LyfFailure *
lyf_connector_check_stream(const LyfConnector *connector, const char *name)
{
	List	   *streams = list_streams(connector);
	Listed	   *listed = find(streams, name);
	LyfComponent c;
	LyfStream  *stream;

	if (listed == NULL)
		return unknown_stream(connector, name, streams);
	if (connector->unusable != NULL)
		return lyf_failure_copy(connector->unusable);
	c = lyf_component(listed->json, listed->path);
	return listed->dynamic ? lyf_dynamic_check(&c, connector) : compile(connector, listed, &stream);
}

/* is the stream there, with this configuration? */
static LyfFailure *
is_there(const LyfAccount *account, const Listed *listed, bool *there)
{
	LyfTemplate *condition;
	LyfScope	scope;

	*there = true;
	if (listed->condition == NULL)
		return NULL;
	lyf_scope_init(&scope, NULL);
	lyf_scope_set(&scope, "config", account->config);
	LYF_TRY(lyf_template_compile(listed->condition, NULL, &condition));
	return lyf_template_eval_bool(condition, &scope, there);
}

static LyfListedStream *
make_entry(const char *name, const char *definition, LyfFailure *failure)
{
	LyfListedStream *entry = palloc(sizeof(LyfListedStream));

	entry->name = name;
	entry->definition = definition;
	entry->failure = failure;
	return entry;
}

static void
forget_resolved(void *arg)
{
	resolved_before = NIL;
}

/* kept until the end of the transaction */
static void
remember(Resolved *resolved)
{
	MemoryContextCallback *callback;

	if (resolved_before == NIL)
	{
		callback = palloc(sizeof(MemoryContextCallback));
		callback->func = forget_resolved;
		callback->arg = NULL;
		MemoryContextRegisterResetCallback(TopTransactionContext, callback);
	}
	resolved_before = lappend(resolved_before, resolved);
}

/* one DynamicDeclarativeStream's streams, added to those of the others */
static LyfFailure *
resolve_one(const LyfAccount *account, const Listed *definition, List **streams)
{
	LyfComponent c = lyf_component(definition->json, definition->path);
	List	   *found = NIL;
	ListCell   *lc;

	LYF_TRY(lyf_dynamic_resolve(&c, account, &found));
	foreach(lc, found)
	{
		Listed	   *listed = make_listed(lfirst(lc), definition->path, foreach_current_index(lc));

		listed->definition = definition->name;
		if (find(*streams, listed->name) != NULL)
			return lyf_failure_detail(lyf_failure(ERRCODE_DUPLICATE_OBJECT, "two dynamic streams have the name \"%s\"", listed->name),
									  "It stands at %s.", definition->path);
		*streams = lappend(*streams, listed);
	}
	return NULL;
}

static Resolved *
resolve_all(const LyfAccount *account, const char *key)
{
	Resolved   *resolved = palloc0(sizeof(Resolved));
	ListCell   *lc;

	resolved->key = key;
	if (account->connector->unusable != NULL)
		return resolved;
	foreach(lc, list_streams(account->connector))
	{
		const Listed *definition = lfirst(lc);
		List	   *streams = list_copy(resolved->streams);
		LyfFailure *failure;

		if (!definition->dynamic)
			continue;
		failure = resolve_one(account, definition, &streams);
		if (failure == NULL)
			resolved->streams = streams;
		else
			resolved->failed = lappend(resolved->failed, make_entry(definition->name, definition->name, lyf_account_redact(account, failure)));
	}
	return resolved;
}

/* the dynamic streams of an account */
static Resolved *
resolve_dynamic(const LyfAccount *account)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	char	   *key = psprintf("%s %s " INT64_FORMAT " %s", account->identity, account->connector->name,
							   account->connector->version, lyf_value_to_text(account->config));
	Resolved   *resolved = NULL;
	ListCell   *lc;

	foreach(lc, resolved_before)
	{
		if (strcmp(((Resolved *) lfirst(lc))->key, key) == 0)
			resolved = lfirst(lc);
	}
	if (resolved == NULL)
	{
		resolved = resolve_all(account, key);
		if (resolved->failed == NIL)
			remember(resolved);
	}
	MemoryContextSwitchTo(caller);
	return resolved;
}

static bool
has_dynamic(const LyfConnector *connector)
{
	return json_array_size(json_object_get(connector->manifest, "dynamic_streams")) > 0;
}

List *
lyf_account_streams(const LyfAccount *account)
{
	List	   *entries = NIL;
	Resolved   *resolved;
	ListCell   *lc;

	foreach(lc, list_streams(account->connector))
	{
		Listed	   *listed = lfirst(lc);
		bool		there;
		LyfFailure *failure = listed->dynamic ? NULL : is_there(account, listed, &there);

		if (failure != NULL || (!listed->dynamic && there))
			entries = lappend(entries, make_entry(listed->name, NULL, failure));
	}
	if (!has_dynamic(account->connector))
		return entries;
	resolved = resolve_dynamic(account);
	foreach(lc, resolved->streams)
	{
		Listed	   *listed = lfirst(lc);

		entries = lappend(entries, make_entry(listed->name, listed->definition, NULL));
	}
	return list_concat(entries, resolved->failed);
}

/* of those that the source was asked for */
static LyfFailure *
dynamic_stream(const LyfAccount *account, const char *name, LyfStream **stream)
{
	Resolved   *resolved = resolve_dynamic(account);
	Listed	   *listed = find(resolved->streams, name);

	if (listed != NULL)
		return compile(account->connector, listed, stream);
	if (resolved->failed != NIL)
		return lyf_failure_copy(((LyfListedStream *) linitial(resolved->failed))->failure);
	return unknown_stream(account->connector, name, list_concat(list_streams(account->connector), resolved->streams));
}

LyfFailure *
lyf_account_stream(const LyfAccount *account, const char *name, LyfStream **stream)
{
	const LyfConnector *connector = account->connector;
	List	   *streams = list_streams(connector);
	Listed	   *listed = find(streams, name);
	bool		there;

	if (connector->unusable != NULL && listed != NULL)
		return lyf_failure_copy(connector->unusable);
	if ((listed == NULL || listed->dynamic) && has_dynamic(connector) && connector->unusable == NULL)
		return dynamic_stream(account, name, stream);
	if (listed == NULL)
		return unknown_stream(connector, name, streams);
	LYF_TRY(is_there(account, listed, &there));
	if (!there)
		return lyf_failure_detail(lyf_failure(ERRCODE_FDW_TABLE_NOT_FOUND, "stream \"%s\" is not there with the configuration of server \"%s\"",
											  name, account->server_name),
								  "It is there where %s.", listed->condition);
	return compile(connector, listed, stream);
}
