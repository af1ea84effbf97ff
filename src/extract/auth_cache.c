/*
 * auth_cache.c
 *		Tokens that services gave out: kept by the backend as long as they are good,
 *		so that not each statement, let alone each rescan, logs in anew.
 *
 * A token belongs to whoever gave the same account, configuration (with its
 * secrets) and authenticator; what is different in any of them finds another one.
 * The key is a digest, so that the cache itself holds no configuration.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "extract/extract_internal.h"

#define MAX_TOKENS	100

/* texts that a session hides besides those of its configuration: the latest ones */
#define MAX_HIDDEN	64

/* the same bound as redaction has */
#define SHORTEST_HIDDEN 4

typedef struct CachedToken
{
	uint8		key[LYF_SHA256_BYTES];
	char	   *text;
	TimestampTz expires;
	int64		used_us;
} CachedToken;

static HTAB *tokens = NULL;
static MemoryContext tokens_cxt = NULL;

static void
open_cache(void)
{
	HASHCTL		ctl = {0};

	if (tokens != NULL)
		return;
	if (tokens_cxt == NULL)
		tokens_cxt = AllocSetContextCreate(TopMemoryContext, "lyftron tokens", ALLOCSET_SMALL_SIZES);
	ctl.keysize = LYF_SHA256_BYTES;
	ctl.entrysize = sizeof(CachedToken);
	ctl.hcxt = tokens_cxt;
	tokens = hash_create("lyftron tokens", MAX_TOKENS, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
drop_token(const uint8 *key)
{
	CachedToken *entry = tokens != NULL ? hash_search(tokens, key, HASH_FIND, NULL) : NULL;

	if (entry == NULL)
		return;
	if (entry->text != NULL)
		pfree(entry->text);
	(void) hash_search(tokens, key, HASH_REMOVE, NULL);
}

static void
make_room(void)
{
	HASH_SEQ_STATUS seq;
	CachedToken *entry;
	CachedToken *oldest = NULL;

	if (hash_get_num_entries(tokens) < MAX_TOKENS)
		return;
	hash_seq_init(&seq, tokens);
	while ((entry = hash_seq_search(&seq)) != NULL)
		if (oldest == NULL || entry->used_us < oldest->used_us)
			oldest = entry;
	drop_token(oldest->key);
}

bool
lyf_auth_cached(LyfAuthState *state, LyfToken *token)
{
	CachedToken *entry = tokens != NULL ? hash_search(tokens, state->key, HASH_FIND, NULL) : NULL;

	if (entry == NULL || entry->text == NULL)
		return false;
	entry->used_us = lyf_monotonic_us();
	memset(token, 0, sizeof(*token));
	token->access = pstrdup(entry->text);
	token->expires = entry->expires;
	token->has_expiry = true;
	state->inherited = !state->fetched;
	return true;
}

void
lyf_auth_cache(LyfAuthState *state, const LyfToken *token)
{
	char	   *text;
	CachedToken *entry;
	bool		found;

	open_cache();
	text = MemoryContextStrdup(tokens_cxt, token->access);
	drop_token(state->key);
	make_room();
	entry = hash_search(tokens, state->key, HASH_ENTER, &found);
	entry->text = text;
	entry->expires = token->expires;
	entry->used_us = lyf_monotonic_us();
	state->fetched = true;
	state->inherited = false;
}

/* The session's own part for one of its authenticators, made when it is first asked for. */
LyfAuthState *
lyf_auth_state(LyfSession *session, const LyfAuth *auth)
{
	LyfAuthState *state;
	StringInfoData text;
	MemoryContext caller;

	for (state = session->auth_states; state != NULL; state = state->next)
		if (state->auth == auth)
			return state;
	caller = MemoryContextSwitchTo(session->cxt);
	state = palloc0(sizeof(LyfAuthState));
	state->auth = auth;
	initStringInfo(&text);
	appendStringInfo(&text, "%s\n%s\n", session->identity ? session->identity : "", auth->print);
	lyf_value_print_sorted(&text, session->config);
	lyf_sha256(text.data, text.len, state->key);
	pfree(text.data);
	state->next = session->auth_states;
	session->auth_states = state;
	MemoryContextSwitchTo(caller);
	return state;
}

void
lyf_auth_note_used(LyfSession *session, LyfAuthState *state, const char *token)
{
	if (state->used != NULL && strcmp(state->used, token) == 0)
		return;
	if (state->used != NULL)
		pfree(state->used);
	state->used = MemoryContextStrdup(session->cxt, token);
	lyf_session_hide(session, token);
}

/* Tokens that earlier reads left may have been revoked since: true if there was one. */
bool
lyf_auth_forget_inherited(LyfSession *session)
{
	bool		any = false;

	for (LyfAuthState *state = session->auth_states; state != NULL; state = state->next)
		if (state->inherited)
		{
			drop_token(state->key);
			state->inherited = false;
			any = true;
		}
	return any;
}

/* An array of our own takes the place of the account's with the first text. */
void
lyf_session_hide(LyfSession *session, const char *text)
{
	const char **own;

	if (text == NULL || strlen(text) < SHORTEST_HIDDEN)
		return;
	for (int i = 0; i < session->secret_count; i++)
		if (strcmp(session->secrets[i], text) == 0)
			return;
	if (session->secret_count == session->secrets_given)
	{
		own = MemoryContextAlloc(session->cxt, sizeof(char *) * (session->secrets_given + MAX_HIDDEN));
		if (session->secrets_given > 0)
			memcpy(own, session->secrets, sizeof(char *) * session->secrets_given);
		session->secrets = own;
	}
	own = session->secrets;
	if (session->secret_count == session->secrets_given + MAX_HIDDEN)
	{
		pfree(unconstify(char *, own[session->secrets_given]));
		memmove(own + session->secrets_given, own + session->secrets_given + 1, sizeof(char *) * (MAX_HIDDEN - 1));
		session->secret_count--;
	}
	own[session->secret_count] = MemoryContextStrdup(session->cxt, text);
	session->secret_count++;
}
