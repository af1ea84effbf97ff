/*
 * version.c
 *		The version of this library, and that of the extension in this database.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/version.h"

const char *const lyf_library_version = LYF_VERSION;

static uint64 changes = 0;		/* 0: nobody counts yet */
static uint64 served_at = 0;	/* the count when the version was found to be served */
static bool held = false;

static void
note_relation(Datum arg, Oid relid)
{
	changes++;
}

static void
note_function(Datum arg, int cache, uint32 hash)
{
	changes++;
}

/* NULL: the extension is not there */
static char *
extension_version(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	char	   *version = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("lyftron"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		values[Natts_pg_extension];
		bool		nulls[Natts_pg_extension];

		/* heap_getattr of the newest minor versions calls what the server of an older one has not */
		heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
		version = TextDatumGetCString(values[Anum_pg_extension_extversion - 1]);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}

/* is it one of those in the list, which stand apart by blanks? */
static bool
is_listed(const char *version)
{
	size_t		len = strlen(version);

	for (const char *word = LYF_SERVED; *word != '\0'; word += strspn(word, " "))
	{
		size_t		word_len = strcspn(word, " ");

		if (word_len == len && strncmp(word, version, len) == 0)
			return true;
		word += word_len;
	}
	return false;
}

uint64
lyf_version_changes(void)
{
	if (changes == 0)
	{
		CacheRegisterRelcacheCallback(note_relation, (Datum) 0);
		CacheRegisterSyscacheCallback(PROCOID, note_function, (Datum) 0);
		changes++;
	}
	return changes;
}

/* the version that is not served, or NULL */
static char *
unserved_version(void)
{
	uint64		at = lyf_version_changes();
	char	   *version;

	if (served_at == at)
		return NULL;
	version = extension_version();
	if (version != NULL && !is_listed(version))
		return version;
	served_at = at;
	return NULL;
}

bool
lyf_version_is_served(void)
{
	return unserved_version() == NULL;
}

void
lyf_version_require(void)
{
	char	   *version = held ? NULL : unserved_version();

	if (version == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the extension is lyftron %s, the library that this session has loaded %s", version, lyf_library_version),
			 errhint("Connect anew; where lyftron is in shared_preload_libraries, restart the server first. If the library stays as "
					 "it is, install the one of that version; if the extension is older, run ALTER EXTENSION lyftron UPDATE.")));
}

bool
lyf_version_hold(bool hold)
{
	bool		before = held;

	held = hold;
	return before;
}
