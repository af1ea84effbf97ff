/*
 * lock.c
 *		Who may load what at the same time.
 *
 * Hubs and links are filled by any number of loads at once: what one has inserted the others find there.  A satellite's rows are
 * compared with those before them, so that loads of one satellite come one after the other; as do loads of one source, whose
 * position each of them moves.  All these are taken before a load writes anything, sources first, so that nobody waits for one while others
 * wait for its rows.  The locks are advisory ones of numbers that nobody else takes: they are no locks on tables.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "vault/load_internal.h"

/* the kinds of our advisory locks: see task/task.h for others */
#define LOCK_TABLE	19550		/* keys: the table's OID, 0 */
#define LOCK_SOURCE	19551		/* keys: hashes of vault and source */

static LOCKTAG
table_tag(Oid relid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relid, 0, LOCK_TABLE);
	return tag;
}

void
lyf_vault_lock(Oid relid)
{
	LOCKTAG		tag = table_tag(relid);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

bool
lyf_vault_try_lock(const LyfFeed *feed)
{
	LOCKTAG		tag = table_tag(RelationGetRelid(feed->rel));

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

static uint32
hash_text(const char *text)
{
	return DatumGetUInt32(hash_any((const unsigned char *) text, strlen(text)));
}

void
lyf_vault_lock_source(const LyfVault *vault, const char *source)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, hash_text(vault->name), hash_text(source), LOCK_SOURCE);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}
