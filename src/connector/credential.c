/*
 * credential.c
 *		lyftron.credential: tokens that came from ones that can be used once only.
 *
 * A row goes over what the user gave for as long as the refresh token given there
 * is the one that the row came from; a new one of the user wins.  So what belongs
 * to a server or mapping that is gone does no harm, and is removed some time.
 * A server is found by its OID, and after a dump and restore by its name.
 *
 * The table is read and written directly, never by SQL: no plan, parameter or log
 * of any module ever holds a token.  It is read with a snapshot of this moment,
 * also where the transaction's is older.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/bytes.h"
#include "base/catalog.h"
#include "base/clock.h"
#include "base/json.h"
#include "connector/credential_internal.h"

/*
 * What belongs to nothing is kept for a while: what it belongs to may not be
 * committed yet.  What another token of the user's took the place of is kept longer: that
 * one may not be committed, either, and what is given back then must go on.
 */
#define TIDY_AFTER		USECS_PER_DAY
#define REPLACED_AFTER	(30 * USECS_PER_DAY)

/* longest wait for the table before a token is asked for */
#define PROBE_TIMEOUT	"5s"

/* columns, in the order of credential.sql */
enum
{
	CREDENTIAL_SERVER,
	CREDENTIAL_SERVER_NAME,
	CREDENTIAL_MAPPING_USER,
	CREDENTIAL_PATH,
	CREDENTIAL_ORIGIN,
	CREDENTIAL_CONFIG,
	CREDENTIAL_UPDATED_AT,
	CREDENTIAL_COLUMNS
};

typedef struct Row
{
	Oid			server;
	const char *server_name;
	Oid			mapping_user;
	const char *path;
	const char *origin;
	LyfValue   *config;
	TimestampTz updated_at;
} Row;

static Oid
credential_relid(void)
{
	Oid			relid = get_relname_relid("credential", lyf_schema_oid());

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table lyftron.credential is not there"),
				 errhint("Commit CREATE EXTENSION lyftron before tokens are to be renewed.")));
	return relid;
}

static Row *
read_row(HeapTuple tuple, TupleDesc desc)
{
	Datum		values[CREDENTIAL_COLUMNS];
	bool		nulls[CREDENTIAL_COLUMNS];
	Row		   *row = palloc(sizeof(Row));

	heap_deform_tuple(tuple, desc, values, nulls);
	row->server = DatumGetObjectId(values[CREDENTIAL_SERVER]);
	row->server_name = pstrdup(NameStr(*DatumGetName(values[CREDENTIAL_SERVER_NAME])));
	row->mapping_user = DatumGetObjectId(values[CREDENTIAL_MAPPING_USER]);
	row->path = TextDatumGetCString(values[CREDENTIAL_PATH]);
	row->origin = TextDatumGetCString(values[CREDENTIAL_ORIGIN]);
	row->config = lyf_value_from_jsonb(DatumGetJsonbPCopy(values[CREDENTIAL_CONFIG]));
	row->updated_at = DatumGetTimestampTz(values[CREDENTIAL_UPDATED_AT]);
	return row;
}

/* the rows of a server, by its OID or else by its name, and a mapping's user */
static List *
find_rows(Oid server, const char *server_name, Oid mapping_user)
{
	Relation	rel = table_open(credential_relid(), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	List	   *by_oid = NIL;
	List	   *by_name = NIL;
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		Row		   *row = read_row(tuple, RelationGetDescr(rel));

		if (row->mapping_user != mapping_user)
			continue;
		if (row->server == server)
			by_oid = lappend(by_oid, row);
		else if (strcmp(row->server_name, server_name) == 0)
			by_name = lappend(by_name, row);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return list_concat(by_name, by_oid);
}

/* a digest of the refresh token that the user gave, and of the connector it is for */
static char *
origin_of(const LyfAccount *account, const LyfValue *path)
{
	const LyfValue *token = account->given;
	uint8		digest[LYF_SHA256_BYTES];
	char	   *text;

	lyf_foreach(key, path)
		token = lyf_value_get(token, lyf_template_str(key));
	text = psprintf("%s\n%s", account->connector->name, token != NULL ? lyf_value_to_text(token) : "");
	lyf_sha256(text, strlen(text), digest);
	return lyf_hex(digest, sizeof(digest));
}

void
lyf_credential_key(const LyfAccount *account, const LyfValue *path, LyfCredentialKey *key)
{
	char	   *text = lyf_value_to_text(path);

	key->server = account->server;
	key->server_name = account->server_name;
	key->mapping_user = account->mapping_user;
	key->path = pg_any_to_server(text, strlen(text), PG_UTF8);
	key->origin = origin_of(account, path);
}

static bool
is_of_given(const LyfAccount *account, const Row *row)
{
	char	   *text = pg_server_to_any(row->path, strlen(row->path), PG_UTF8);
	LyfValue   *path;

	if (lyf_json_parse_copy(text, strlen(text), &path) != NULL || path->kind != LYF_LIST)
		return false;
	return strcmp(row->origin, origin_of(account, path)) == 0;
}

LyfValue *
lyf_credential_merge(const LyfAccount *account, List **secrets)
{
	LyfValue   *config = account->given;
	ListCell   *lc;

	foreach(lc, find_rows(account->server, account->server_name, account->mapping_user))
	{
		Row		   *row = lfirst(lc);

		if (!is_of_given(account, row))
			continue;
		config = lyf_value_merge_deep(config, row->config);
		if (secrets != NULL)
			*secrets = lyf_spec_texts(row->config, *secrets);
	}
	return config;
}

LyfValue *
lyf_credential_find(const LyfCredentialKey *key)
{
	LyfValue   *config = NULL;
	ListCell   *lc;

	foreach(lc, find_rows(key->server, key->server_name, key->mapping_user))
	{
		Row		   *row = lfirst(lc);

		if (strcmp(row->path, key->path) == 0 && strcmp(row->origin, key->origin) == 0)
			config = row->config;
	}
	return config;
}

void
lyf_credential_write(const LyfCredentialKey *key, const LyfValue *config)
{
	Relation	rel = table_open(credential_relid(), RowExclusiveLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	Datum		values[CREDENTIAL_COLUMNS];
	bool		nulls[CREDENTIAL_COLUMNS] = {false};
	NameData	name;
	HeapTuple	old;
	HeapTuple	new;

	namestrcpy(&name, key->server_name);
	values[CREDENTIAL_SERVER] = ObjectIdGetDatum(key->server);
	values[CREDENTIAL_SERVER_NAME] = NameGetDatum(&name);
	values[CREDENTIAL_MAPPING_USER] = ObjectIdGetDatum(key->mapping_user);
	values[CREDENTIAL_PATH] = CStringGetTextDatum(key->path);
	values[CREDENTIAL_ORIGIN] = CStringGetTextDatum(key->origin);
	values[CREDENTIAL_CONFIG] = JsonbPGetDatum(lyf_value_to_jsonb(config));
	values[CREDENTIAL_UPDATED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	new = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	while ((old = systable_getnext(scan)) != NULL)
	{
		const Row  *row = read_row(old, RelationGetDescr(rel));

		if (row->server == key->server && row->mapping_user == key->mapping_user &&
			strcmp(row->path, key->path) == 0 && strcmp(row->origin, key->origin) == 0)
			break;
	}
	if (old != NULL)
		CatalogTupleUpdate(rel, &old->t_self, new);
	else
		CatalogTupleInsert(rel, new);
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

/* does what it belongs to still exist? */
static bool
is_alive(const Row *row)
{
	Oid			server = row->server;

	if (!SearchSysCacheExists1(FOREIGNSERVEROID, ObjectIdGetDatum(server)))
		server = get_foreign_server_oid(row->server_name, true);
	if (!OidIsValid(server))
		return false;
	return !OidIsValid(row->mapping_user) ||
		SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(row->mapping_user), ObjectIdGetDatum(server));
}

void
lyf_credential_tidy(const LyfCredentialKey *latest)
{
	Relation	rel = table_open(credential_relid(), RowExclusiveLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	TimestampTz now = GetCurrentTimestamp();
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		const Row  *row = read_row(tuple, RelationGetDescr(rel));
		bool		replaced = row->server == latest->server && row->mapping_user == latest->mapping_user &&
			strcmp(row->path, latest->path) == 0 && strcmp(row->origin, latest->origin) != 0;

		if ((row->updated_at < now - TIDY_AFTER && !is_alive(row)) ||
			(row->updated_at < now - REPLACED_AFTER && replaced))
			CatalogTupleDelete(rel, &tuple->t_self);
	}
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

void
lyf_credential_probe(void)
{
	Oid			relid = credential_relid();

	SetConfigOption("lock_timeout", PROBE_TIMEOUT, PGC_USERSET, PGC_S_OVERRIDE);
	LockRelationOid(relid, RowExclusiveLock);
	UnlockRelationOid(relid, RowExclusiveLock);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
}
