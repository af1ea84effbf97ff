/*
 * mysql_table.c
 *		Foreign tables that the session knows.
 *
 * What the catalogs say of a table and its columns is read once, with what the server has to
 * be asked for, and again when the table, its server or a user mapping has been changed.  Who uses
 * a table keeps it as it was, until the end of the memory context in which it was opened.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "fdw/mysql_internal.h"

typedef struct KnownKey
{
	Oid			relid;
	Oid			user;
} KnownKey;

/* A table in its own memory context.  It goes when it is stale, and its last user has gone. */
typedef struct Known
{
	LyfMysqlTable *table;
	MemoryContext cxt;
	int			users;
	bool		stale;
} Known;

typedef struct KnownEntry
{
	KnownKey	key;
	Known	   *known;
} KnownEntry;

static HTAB *entries = NULL;

/* of what an entry may have been made */
static uint64 changes = 0;

static void
let_go(Known *known)
{
	if (known->stale && known->users == 0)
		MemoryContextDelete(known->cxt);
}

/* CacheRegisterRelcacheCallback; relid 0: all */
static void
forget_table(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	KnownEntry *entry;

	changes++;
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		Known	   *known = entry->known;

		if (OidIsValid(relid) && entry->key.relid != relid)
			continue;
		(void) hash_search(entries, &entry->key, HASH_REMOVE, NULL);
		known->stale = true;
		let_go(known);
	}
}

/* CacheRegisterSyscacheCallback */
static void
forget_all(Datum arg, int cache, uint32 hash)
{
	forget_table(arg, InvalidOid);
}

static void
make_entries(void)
{
	HASHCTL		info = {.keysize = sizeof(KnownKey),.entrysize = sizeof(KnownEntry)};

	entries = hash_create("lyftron mysql tables", 32, &info, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, forget_all, (Datum) 0);
}

/* MemoryContextCallback */
static void
end_use(void *arg)
{
	Known	   *known = arg;

	known->users--;
	let_go(known);
}

static const LyfMysqlTable *
use(Known *known)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = end_use;
	callback->arg = known;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	known->users++;
	return known->table;
}

static Known *
learn(Relation rel, Oid user)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron mysql table", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(cxt);
	Known	   *known = palloc0(sizeof(Known));

	known->cxt = cxt;
	known->table = lyf_mysql_table_read(rel, user);
	lyf_mysql_describe(known->table);
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(cxt, CacheMemoryContext);
	return known;
}

const LyfMysqlTable *
lyf_mysql_table_open(Relation rel, Oid user)
{
	KnownKey	key = {.relid = RelationGetRelid(rel),.user = user};
	KnownEntry *entry;
	Known	   *known;
	uint64		before;

	if (entries == NULL)
		make_entries();
	entry = hash_search(entries, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return use(entry->known);
	before = changes;
	known = learn(rel, user);
	/* something was changed meanwhile, maybe while the server was asked */
	known->stale = changes != before;
	if (!known->stale)
		((KnownEntry *) hash_search(entries, &key, HASH_ENTER, NULL))->known = known;
	return use(known);
}
