/*
 * account.c
 *		A configured account of a connector: the foreign server's configuration,
 *		over it the secrets of a user's mapping, over those what a service gave in
 *		exchange for them (credential.c); and what of it must never be shown.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "common/hashfn.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/json.h"
#include "base/option.h"
#include "connector/credential_internal.h"

/* texts shorter than this are everywhere: hiding them would hide messages, not secrets */
#define SHORTEST_SECRET	4

static List *
mapping_options(Oid user, Oid server, Oid *mapping)
{
	HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user), ObjectIdGetDatum(server));
	List	   *options = NIL;
	Datum		datum;
	bool		isnull;

	*mapping = InvalidOid;
	if (!HeapTupleIsValid(tuple))
		return NIL;
	*mapping = ((Form_pg_user_mapping) GETSTRUCT(tuple))->oid;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		options = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return options;
}

/*
 * A JSON map from an option, empty if the option is not there.  The message has
 * nothing of the text: it may be secret.
 */
static LyfValue *
parse_option(const char *text, const char *option, const char *server)
{
	LyfFailure *failure;
	LyfValue   *value;

	if (text == NULL)
		return lyf_value_make(LYF_MAP);
	text = pg_server_to_any(text, strlen(text), PG_UTF8);
	failure = lyf_json_parse_copy(text, strlen(text), &value);
	if (failure != NULL || value->kind != LYF_MAP)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("option \"%s\" for server \"%s\" is not a JSON object", option, server),
				 errhint("It looks like {\"name\": \"value\"}.")));
	return value;
}

static void
keep_secrets(LyfAccount *account, List *secrets)
{
	List	   *parts = NIL;
	ListCell   *lc;

	foreach(lc, secrets)
		parts = lyf_redact_url_parts(lfirst(lc), parts);
	secrets = list_concat(list_copy(secrets), parts);
	account->secret_count = 0;
	account->secrets = palloc(sizeof(char *) * (list_length(secrets) + 1));
	foreach(lc, secrets)
	{
		if (strlen(lfirst(lc)) >= SHORTEST_SECRET)
			account->secrets[account->secret_count++] = lfirst(lc);
	}
}

static List *
find_mapping(LyfAccount *account)
{
	List	   *options = mapping_options(account->user, account->server, &account->mapping);

	account->mapping_user = account->user;
	if (!OidIsValid(account->mapping))
	{
		account->mapping_user = InvalidOid;
		options = mapping_options(InvalidOid, account->server, &account->mapping);
	}
	account->has_mapping = OidIsValid(account->mapping);
	return options;
}

LyfFailure *
lyf_account_redact(const LyfAccount *account, const LyfFailure *failure)
{
	return lyf_redact_failure(failure, account->secrets, account->secret_count);
}

/* apply rules; those that fail because secrets are missing still do nothing */
static void
rewrite(const LyfAccount *account, LyfFailure *(*apply) (const LyfConnector *connector, LyfValue **config), LyfValue **config)
{
	LyfFailure *failure = apply(account->connector, config);

	if (failure != NULL && account->has_mapping)
		lyf_failure_raise(lyf_failure_hint(lyf_account_redact(account, failure), "The connector's rules for configurations (config_normalization_rules) failed."));
}

/*
 * What transformations make of the configuration may be made of secrets: none of it is
 * shown, but for what was there before.
 */
static List *
transform_config(LyfAccount *account, List *secrets)
{
	LyfValue   *before = account->config;
	List	   *known = NIL;
	ListCell   *lc;

	rewrite(account, lyf_config_transform, &account->config);
	if (account->config == before)
		return secrets;
	foreach(lc, lyf_spec_texts(before, NIL))
		known = lappend(known, makeString(lfirst(lc)));
	foreach(lc, lyf_spec_texts(account->config, NIL))
	{
		if (!list_member(known, makeString(lfirst(lc))))
			secrets = lappend(secrets, lfirst(lc));
	}
	return secrets;
}

Oid
lyf_server_get(const char *name)
{
	Oid			server = get_foreign_server_oid(name, false);
	AclResult	result = lyf_server_aclcheck(server, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FOREIGN_SERVER, name);
	return server;
}

/*
 * Who is an account of its own to the source: configuration and secrets as they were given, without
 * tokens that come and go.  The options were checked when they were set.
 */
static void
make_gate(LyfAccount *account, List *options)
{
	LyfGate    *gate = &account->gate;
	const char *max_requests = lyf_option_get(options, "max_requests");
	const char *rate_limit = lyf_option_get(options, "rate_limit");
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%u/%u ", MyDatabaseId, account->server);
	lyf_value_print_sorted(&key, account->given);
	gate->account = Max(hash_bytes_extended((const unsigned char *) key.data, key.len, 0), 1);
	pfree(key.data);
	gate->server = account->server;
	gate->user = account->mapping_user;
	gate->server_name = account->server_name;
	gate->max_requests = max_requests == NULL ? 0 : Max(atoi(max_requests), 0);
	gate->limit_count = rate_limit == NULL ? 0 : Max(lyf_limits_parse(rate_limit, gate->limits), 0);
}

LyfAccount *
lyf_account_open(Oid server, Oid user)
{
	ForeignServer *foreign = GetForeignServer(server);
	LyfAccount *account = palloc0(sizeof(LyfAccount));
	const char *connector = lyf_option_get(foreign->options, "connector");
	LyfValue   *config;
	LyfValue   *given;
	List	   *secrets;

	account->server = server;
	account->user = user;
	account->server_name = foreign->servername;
	if (connector == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("server \"%s\" is no account of a connector", foreign->servername),
				 errhint("Servers of the foreign data wrapper lyftron_rest have an option \"connector\".")));
	account->connector = lyf_connector_get(connector);

	config = parse_option(lyf_option_get(foreign->options, "config"), "config", foreign->servername);
	given = parse_option(lyf_option_get(find_mapping(account), "secrets"), "secrets", foreign->servername);
	account->given = lyf_value_merge_deep(config, given);
	keep_secrets(account, lyf_spec_texts(given, NIL));
	rewrite(account, lyf_config_migrate, &account->given);
	account->identity = psprintf("%u/%u", server, account->mapping_user);
	make_gate(account, foreign->options);
	secrets = lyf_spec_secrets(account->connector, account->given, lyf_spec_texts(given, NIL));
	account->config = lyf_credential_merge(account, &secrets);
	keep_secrets(account, secrets);
	secrets = transform_config(account, secrets);
	keep_secrets(account, secrets);
	return account;
}

/*
 * Without a mapping secrets may be missing: a schema can be imported without
 * them, and some sources need none.
 */
LyfAccount *
lyf_account_get(Oid server, Oid user)
{
	LyfAccount *account = lyf_account_open(server, user);

	LYF_CHECK(lyf_spec_check(account->connector, account->given, account->has_mapping));
	if (account->has_mapping)
		LYF_CHECK(lyf_config_validate(account->connector, account->config));
	return account;
}
