/*
 * mysql_describe.c
 *		Columns of a foreign table whose option remote_type is not set.
 *
 * The server is asked once a session, and again when the foreign table, its server or a
 * user mapping has been changed.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "fdw/mysql_internal.h"

typedef struct DescribedKey
{
	Oid			relid;
	Oid			user;
} DescribedKey;

typedef struct Described
{
	DescribedKey key;
	bool		valid;
	List	   *columns;		/* of LyfMysqlRemoteColumn * */
	MemoryContext cxt;			/* of the columns, or NULL */
} Described;

static HTAB *described = NULL;

/* CacheRegisterRelcacheCallback; relid 0: all */
static void
forget_table(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	Described  *entry;

	hash_seq_init(&status, described);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->key.relid == relid)
			entry->valid = false;
	}
}

/* CacheRegisterSyscacheCallback */
static void
forget_all(Datum arg, int cache, uint32 hash)
{
	forget_table(arg, InvalidOid);
}

static void
make_cache(void)
{
	HASHCTL		info = {.keysize = sizeof(DescribedKey),.entrysize = sizeof(Described)};

	described = hash_create("lyftron mysql columns", 32, &info, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, forget_all, (Datum) 0);
}

static Described *
find_entry(const LyfMysqlTable *table)
{
	DescribedKey key = {.relid = table->relid,.user = table->user};
	Described  *entry;
	bool		found;

	if (described == NULL)
		make_cache();
	entry = hash_search(described, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->valid = false;
		entry->columns = NIL;
		entry->cxt = NULL;
	}
	return entry;
}

/* the columns as the server has them now, in a context of their own */
static List *
ask(const LyfMysqlTable *table, MemoryContext *cxt)
{
	LyfMysqlSession *session = lyf_mysql_session(table->server, table->user, true);
	MemoryContext caller;
	List	   *columns;

	*cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron mysql columns", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(*cxt);
	columns = lyf_mysql_remote_columns(session, table->database, list_make1(unconstify(char *, table->name)));
	MemoryContextSwitchTo(caller);
	return columns;
}

/* the columns, from the cache if they are there; they live until the table is asked for next */
static List *
get_columns(const LyfMysqlTable *table)
{
	Described  *entry = find_entry(table);
	MemoryContext cxt;
	List	   *columns;

	if (entry->valid)
		return entry->columns;

	/* an invalidation while the server is asked must not be lost */
	entry->valid = true;
	PG_TRY();
	{
		columns = ask(table, &cxt);
	}
	PG_CATCH();
	{
		find_entry(table)->valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();

	entry = find_entry(table);
	if (entry->cxt != NULL)
		MemoryContextDelete(entry->cxt);
	MemoryContextSetParent(cxt, CacheMemoryContext);
	entry->cxt = cxt;
	entry->columns = columns;
	return columns;
}

/* the column as the server has it, or NULL; names of columns are no matter of case there */
static const LyfMysqlRemoteColumn *
find_column(const LyfMysqlTable *table, const LyfMysqlColumn *column, List *columns)
{
	const char *table_name = pg_server_to_any(table->name, strlen(table->name), PG_UTF8);
	const char *name = pg_server_to_any(column->remote_name, strlen(column->remote_name), PG_UTF8);
	const LyfMysqlRemoteColumn *found = NULL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		const LyfMysqlRemoteColumn *remote = lfirst(lc);

		if (pg_strcasecmp(remote->name, name) != 0)
			continue;
		found = remote;

		/* names of tables may be, and then several were found */
		if (strcmp(remote->table, table_name) == 0)
			break;
	}
	return found;
}

/* one that is not there is found missing by the server */
static void
describe_column(const LyfMysqlTable *table, LyfMysqlColumn *column, List *columns)
{
	const LyfMysqlRemoteColumn *remote = find_column(table, column, columns);

	column->remote.kind = LYF_MY_OTHER;
	if (remote == NULL)
		return;
	lyf_mysql_type_parse(lyf_mysql_remote_type(remote), NULL, &column->remote);
	if (remote->generated)
		column->generated = true;
	if (remote->not_null && (table->zero_dates == LYF_ZERO_DATES_ERROR || !lyf_mysql_is_moment(column->remote.kind)))
		column->not_null = true;
}

void
lyf_mysql_describe(LyfMysqlTable *table)
{
	List	   *columns = NIL;
	bool		asked = false;

	for (int i = 0; i < table->natts; i++)
	{
		LyfMysqlColumn *column = &table->columns[i];

		if (column->dropped || column->remote.kind != LYF_MY_UNKNOWN)
			continue;
		if (!asked)
			columns = get_columns(table);
		asked = true;
		describe_column(table, column, columns);
	}
}
