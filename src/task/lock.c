/*
 * lock.c
 *		Advisory locks of the session that tell who is at work.  They end with the
 *		session, however it ends: nothing that hangs on them can be orphaned.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "base/compat.h"
#include "task/task.h"

/* those that this session has: of a task, its two places, the tick, and one of each being tried */
#define MAX_HELD	8

static LOCKTAG held[MAX_HELD];
static int	held_count = 0;

static bool
take(uint32 high, uint32 low, int kind)
{
	LOCKTAG		tag;

	if (held_count == MAX_HELD)
		elog(ERROR, "too many locks of tasks are held");
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, high, low, kind);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	held[held_count++] = tag;
	return true;
}

static void
release(uint32 high, uint32 low, int kind)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, high, low, kind);
	for (int i = 0; i < held_count; i++)
	{
		if (memcmp(&held[i], &tag, sizeof(LOCKTAG)) != 0)
			continue;
		held[i] = held[--held_count];
		(void) LockRelease(&tag, ExclusiveLock, true);
		return;
	}
}

void
lyf_locks_release_all(void)
{
	while (held_count > 0)
		(void) LockRelease(&held[--held_count], ExclusiveLock, true);
}

bool
lyf_task_lock(int64 id)
{
	return take((uint32) (id >> 32), (uint32) id, LYF_LOCK_TASK);
}

void
lyf_task_unlock(int64 id)
{
	release((uint32) (id >> 32), (uint32) id, LYF_LOCK_TASK);
}

bool
lyf_task_is_locked_here(int64 id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (id >> 32), (uint32) id, LYF_LOCK_TASK);
	return lyf_lock_held_by_me(&tag, ExclusiveLock);
}

bool
lyf_tick_lock(void)
{
	return take(0, 0, LYF_LOCK_TICK);
}

void
lyf_tick_unlock(void)
{
	release(0, 0, LYF_LOCK_TICK);
}

static uint32
key_hash(const char *key)
{
	return hash_bytes((const unsigned char *) key, (int) strlen(key));
}

bool
lyf_exclusive_take(const char *word)
{
	return take(key_hash(word), 0, LYF_LOCK_EXCLUSIVE);
}

void
lyf_exclusive_release(const char *word)
{
	release(key_hash(word), 0, LYF_LOCK_EXCLUSIVE);
}

int
lyf_slot_take(const char *key, int places)
{
	for (int i = 0; i < places; i++)
		if (take(key_hash(key), i, LYF_LOCK_SLOT))
			return i;
	return -1;
}

void
lyf_slot_release(const char *key, int place)
{
	release(key_hash(key), place, LYF_LOCK_SLOT);
}
