/*
 * registry.c
 *		The connectors of this database.
 *
 * Manifests stand in lyftron.connector; what they resolve to is kept by each
 * backend until the row's version is another one.  A connector that was replaced
 * stays until the transaction ends, since scans may be using it.
 *
 * A name may stand there twice: as shipped with lyftron, and as added by a user,
 * which then is the one that counts.  So an upgrade that ships more, or a dump
 * that is restored, never meets a name that is taken.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "connector/connector.h"

typedef struct CacheEntry
{
	char		name[NAMEDATALEN];	/* key */
	LyfConnector *connector;	/* or NULL */
} CacheEntry;

typedef struct StoredConnector
{
	MemoryContext cxt;
	bool		found;
	int64		version;
	char	   *manifest;
} StoredConnector;

static HTAB *cache = NULL;
static MemoryContext cache_cxt = NULL;
static List *replaced = NIL;	/* LyfConnectors to free at the end of the transaction */

static void
free_replaced(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	foreach(lc, replaced)
		MemoryContextDelete(((LyfConnector *) lfirst(lc))->cxt);
	list_free(replaced);
	replaced = NIL;
}

static void
open_cache(void)
{
	HASHCTL		ctl = {0};

	if (cache != NULL)
		return;
	if (cache_cxt == NULL)
	{
		cache_cxt = AllocSetContextCreate(CacheMemoryContext, "lyftron connectors", ALLOCSET_SMALL_SIZES);
		RegisterXactCallback(free_replaced, NULL);
	}
	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(CacheEntry);
	ctl.hcxt = cache_cxt;
	cache = hash_create("lyftron connectors", 32, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/*
 * What all streams of a manifest have in common.  A failure keeps all of them from being
 * read: calls that the API counts in a way not known, or a configuration that is to be
 * rewritten in such a way.
 */
static LyfFailure *
compile_common(LyfConnector *connector)
{
	LyfComponent top = lyf_component(connector->manifest, "");
	LyfComponent budget = lyf_component_child(&top, "api_budget");
	LyfComponent spec = lyf_component_child(&top, "spec");
	LyfComponent rules = lyf_component_child(&spec, "config_normalization_rules");

	LYF_TRY(lyf_config_rules_compile(&rules, &connector->rules));
	return lyf_budget_compile(&budget, &connector->budget);
}

LyfFailure *
lyf_connector_make(const char *name, const char *yaml, MemoryContext parent, LyfConnector **out)
{
	static const char *const needless[] = {"definitions", "metadata", "schemas"};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "lyftron connector", ALLOCSET_DEFAULT_SIZES);
	LyfConnector *connector;
	LyfFailure *failure;

	MemoryContextSwitchTo(cxt);
	connector = palloc0(sizeof(LyfConnector));
	connector->cxt = cxt;
	connector->name = pstrdup(name);
	failure = lyf_manifest_resolve(yaml, strlen(yaml), &connector->manifest);
	if (failure == NULL)
	{
		/* what only references looked at has been copied to where it is used */
		for (int i = 0; i < lengthof(needless); i++)
			json_object_del(connector->manifest, needless[i]);
		connector->unusable = compile_common(connector);
	}
	MemoryContextSwitchTo(caller);

	if (failure != NULL)
	{
		failure = lyf_failure_copy(failure);
		MemoryContextDelete(cxt);
		return failure;
	}
	MemoryContextSetParent(cxt, parent);
	*out = connector;
	return NULL;
}

static void
take_version(void *arg, HeapTuple tuple, TupleDesc desc)
{
	StoredConnector *stored = arg;
	stored->found = true;
	stored->version = lyf_catalog_integer(tuple, desc, "version");
}

static void
take_manifest(void *arg, HeapTuple tuple, TupleDesc desc)
{
	StoredConnector *stored = arg;
	MemoryContext old = MemoryContextSwitchTo(stored->cxt);

	take_version(arg, tuple, desc);
	stored->manifest = lyf_catalog_text(tuple, desc, "manifest");
	MemoryContextSwitchTo(old);
}

/* the one that counts of a name; a name that is longer than any stored one is not there */
static StoredConnector
look_up(const char *name, const char *sql, LyfCatalogRow take)
{
	StoredConnector stored = {CurrentMemoryContext};
	Oid			types[] = {TEXTOID};
	Datum		values[1];

	values[0] = CStringGetTextDatum(name);
	lyf_catalog_run(sql, 1, types, values, NULL, take, &stored);
	return stored;
}

static void
raise_unknown(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("connector \"%s\" does not exist", name),
			 errhint("Add it with lyftron.add_connector, or choose one from the view lyftron.connectors.")));
}

static LyfConnector *
load(const char *name)
{
	StoredConnector stored = look_up(name,
									 "SELECT version, manifest FROM lyftron.connector"
									 " WHERE name OPERATOR(pg_catalog.=) $1 ORDER BY shipped LIMIT 1",
									 take_manifest);
	LyfConnector *connector;

	/* dropped since its version was looked at */
	if (!stored.found)
		raise_unknown(name);
	LYF_CHECK(lyf_connector_make(name, stored.manifest, cache_cxt, &connector));
	connector->version = stored.version;
	return connector;
}

static void
retire(CacheEntry *entry)
{
	MemoryContext old;

	if (entry->connector == NULL)
		return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	replaced = lappend(replaced, entry->connector);
	entry->connector = NULL;
	MemoryContextSwitchTo(old);
}

LyfConnector *
lyf_connector_get(const char *name)
{
	StoredConnector stored = {0};
	CacheEntry *entry;
	bool		found;

	if (strlen(name) < NAMEDATALEN)
		stored = look_up(name,
						 "SELECT version FROM lyftron.connector"
						 " WHERE name OPERATOR(pg_catalog.=) $1 ORDER BY shipped LIMIT 1",
						 take_version);
	if (!stored.found)
		raise_unknown(name);

	open_cache();
	entry = hash_search(cache, name, HASH_ENTER, &found);
	if (!found)
		entry->connector = NULL;
	if (entry->connector == NULL || entry->connector->version != stored.version)
	{
		LyfConnector *connector = load(name);

		retire(entry);
		entry->connector = connector;
	}
	return entry->connector;
}
