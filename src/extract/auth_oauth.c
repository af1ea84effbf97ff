/*
 * auth_oauth.c
 *		OAuthAuthenticator: an access token from a token endpoint, by a refresh
 *		token, by the client's own credentials, or by a signed assertion.
 *
 * The token is kept by the backend (auth_cache.c).  Where the manifest has a
 * refresh_token_updater, a refresh token can be used once: it and the access
 * token then stand in the configuration, which the session's store keeps, and it
 * is the store that asks for a new one.
 */
#include "postgres.h"

#include "base/clock.h"
#include "extract/oauth_internal.h"

#define ASSERTION_GRANT "urn:ietf:params:oauth:grant-type:jwt-bearer"

/* how often a token that others renewed may turn out to be used up already */
#define MAX_TURNS	3

static LyfFailure *
compile_path(const LyfComponent *c, const char *field, const char *last, const LyfValue **out)
{
	LyfValue   *path;

	LYF_TRY(lyf_component_value(c, field, &path));
	if (path == NULL)
	{
		path = lyf_value_make(LYF_LIST);
		lyf_value_append(path, lyf_value_string("credentials"));
		lyf_value_append(path, lyf_value_string(last));
	}
	if (path->kind != LYF_LIST || path->len == 0)
		return lyf_component_invalid(c, "%s must be a list of names", field);
	lyf_foreach(key, path)
		if (key->kind != LYF_STRING || key->len == 0)
			return lyf_component_invalid(c, "%s must be a list of names", field);
	*out = path;
	return NULL;
}

static LyfFailure *
compile_updater(const LyfComponent *c, LyfOAuth *oauth)
{
	LyfComponent updater = lyf_component_child(c, "refresh_token_updater");

	if (updater.json == NULL)
		return lyf_auth_template(c, "refresh_token_name", "refresh_token", &oauth->names.refresh_token);
	oauth->single_use = true;
	LYF_TRY(compile_path(&updater, "access_token_config_path", "access_token", &oauth->paths.access));
	LYF_TRY(compile_path(&updater, "refresh_token_config_path", "refresh_token", &oauth->paths.refresh));
	LYF_TRY(compile_path(&updater, "token_expiry_date_config_path", "token_expiry_date", &oauth->paths.expiry));
	return lyf_auth_template(&updater, "refresh_token_name", "refresh_token", &oauth->names.refresh_token);
}

static LyfFailure *
compile_names(const LyfComponent *c, LyfOAuth *oauth)
{
	LYF_TRY(lyf_auth_template(c, "grant_type_name", "grant_type", &oauth->names.grant_type));
	LYF_TRY(lyf_auth_template(c, "client_id_name", "client_id", &oauth->names.client_id));
	LYF_TRY(lyf_auth_template(c, "client_secret_name", "client_secret", &oauth->names.client_secret));
	LYF_TRY(lyf_auth_template(c, "access_token_name", "access_token", &oauth->names.access_token));
	return lyf_auth_template(c, "expires_in_name", "expires_in", &oauth->names.expires_in);
}

static LyfFailure *
compile_assertion(const LyfComponent *c, const LyfComponent *requester, LyfOAuth *oauth)
{
	LyfComponent assertion = lyf_component_child(c, "profile_assertion");
	bool		used;

	LYF_TRY(lyf_component_bool(c, "use_profile_assertion", false, &used));
	if (!used)
		return lyf_auth_template(c, "grant_type", "refresh_token", &oauth->grant_type);
	if (assertion.json == NULL)
		return lyf_component_invalid(c, "use_profile_assertion needs a profile_assertion");
	if (strcmp(assertion.type, "JwtAuthenticator") != 0)
		return lyf_component_unsupported(&assertion);
	LYF_TRY(lyf_auth_compile(&assertion, requester, &oauth->assertion));
	return lyf_template_compile(ASSERTION_GRANT, NULL, &oauth->grant_type);
}

/* what must be there for a token to be asked for */
static LyfFailure *
check_parts(const LyfComponent *c, const LyfOAuth *oauth)
{
	if (oauth->endpoint == NULL && (oauth->access_token_value == NULL || oauth->single_use))
		return lyf_component_invalid(c, "token_refresh_endpoint is needed");
	if (oauth->endpoint == NULL || oauth->assertion != NULL || oauth->single_use)
		return NULL;
	if (lyf_component_child(c, "client_id").json == NULL || lyf_component_child(c, "client_secret").json == NULL)
		return lyf_component_invalid(c, "client_id and client_secret are needed");
	if (oauth->refresh_token == NULL && strcmp(lyf_template_source(oauth->grant_type), "refresh_token") == 0)
		return lyf_component_invalid(c, "grant_type refresh_token needs a refresh_token");
	return NULL;
}

static LyfFailure *
compile_oauth(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	LyfOAuth   *oauth = palloc0(sizeof(LyfOAuth));
	const char *format;

	oauth->auth.print = lyf_auth_print(c, NULL);
	LYF_TRY(compile_names(c, oauth));
	LYF_TRY(compile_updater(c, oauth));
	LYF_TRY(compile_assertion(c, requester, oauth));
	LYF_TRY(lyf_auth_template(c, "token_refresh_endpoint", NULL, &oauth->endpoint));
	LYF_TRY(lyf_auth_template(c, "client_id", NULL, &oauth->client_id));
	LYF_TRY(lyf_auth_template(c, "client_secret", NULL, &oauth->client_secret));
	LYF_TRY(lyf_component_template(c, "refresh_token", &oauth->refresh_token));
	LYF_TRY(lyf_auth_template(c, "access_token_value", NULL, &oauth->access_token_value));
	LYF_TRY(lyf_auth_template(c, "token_expiry_date", NULL, &oauth->token_expiry_date));
	LYF_TRY(lyf_auth_tree(c, "refresh_request_body", &oauth->body));
	LYF_TRY(lyf_auth_tree(c, "refresh_request_headers", &oauth->headers));
	LYF_TRY(lyf_component_value(c, "scopes", &oauth->scopes));
	if (oauth->scopes != NULL && oauth->scopes->kind != LYF_LIST)
		return lyf_component_invalid(c, "scopes must be a list");
	LYF_TRY(lyf_component_bool(c, "send_refresh_request_as_query_params", false, &oauth->as_query));
	LYF_TRY(lyf_component_text(c, "token_expiry_date_format", "", &format));
	oauth->expires_at = format[0] != '\0';
	LYF_TRY(check_parts(c, oauth));
	*out = &oauth->auth;
	return NULL;
}

static inline bool
is_good(const LyfToken *token)
{
	return token->access != NULL && lyf_now() <= token->expires;
}

static inline bool
is_usable(const LyfToken *token, const char *refused)
{
	return is_good(token) && (refused == NULL || strcmp(token->access, refused) != 0);
}

/* words of the service: what is secret in them is taken out before they are cut */
static LyfFailure *
fit_to_show(const LyfSession *session, LyfFailure *failure)
{
	if (failure != NULL && failure->detail != NULL)
		failure->detail = lyf_session_shown(session, failure->detail);
	return failure;
}

/* the token that the configuration holds itself, and that may have expired */
static LyfFailure *
given_token(const LyfOAuth *oauth, LyfSession *session, LyfToken *token)
{
	char	   *text;

	memset(token, 0, sizeof(*token));
	token->expires = DT_NOBEGIN;
	if (oauth->access_token_value == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(oauth->access_token_value, &session->scope, &text));
	token->access = text;
	if (oauth->token_expiry_date == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(oauth->token_expiry_date, &session->scope, &text));
	return lyf_token_time(text, &token->expires);
}

/* Ask for a token and keep it in the backend. */
static LyfFailure *
renew_cached(const LyfOAuth *oauth, LyfSession *session, LyfAuthState *state, LyfToken *token)
{
	LyfTokenRequest request;
	LyfToken	before = *token;

	LYF_TRY(lyf_oauth_request(oauth, session, &request));
	LYF_TRY(fit_to_show(session, lyf_token_fetch(&request, NULL, session->stats, token)));
	if (!token->has_expiry && is_good(&before))
		token->expires = before.expires;
	lyf_session_hide(session, token->refresh);
	lyf_auth_cache(state, token);
	return NULL;
}

/* forced: not the one that was used last */
static LyfFailure *
cached_token(const LyfOAuth *oauth, LyfSession *session, LyfAuthState *state, bool forced, LyfToken *token)
{
	if (!lyf_auth_cached(state, token))
		LYF_TRY(given_token(oauth, session, token));
	return is_usable(token, forced ? state->used : NULL) ? NULL : renew_cached(oauth, session, state, token);
}

/* the token that the configuration holds, in a place that is written back to */
static LyfFailure *
stored_token(const LyfOAuth *oauth, LyfSession *session, LyfToken *token)
{
	const LyfValue *access = lyf_oauth_configured(session, oauth->paths.access);
	const LyfValue *expiry = lyf_oauth_configured(session, oauth->paths.expiry);

	memset(token, 0, sizeof(*token));
	token->expires = DT_NOBEGIN;
	if (!lyf_value_truth(access) || !lyf_value_truth(expiry))
		return NULL;
	token->access = lyf_template_str(access);
	return lyf_token_time(lyf_template_str(expiry), &token->expires);
}

static void
take_config(LyfSession *session, LyfValue *config)
{
	session->config = config;
	lyf_scope_set(&session->scope, "config", config);
}

/*
 * While nobody else renews: another one may have done so since the configuration
 * was read, and then that token is ours.  So it is if one that has left (its
 * request was on the way when it was cancelled) stores its token while we ask.
 */
static LyfFailure *
renew_stored(const LyfOAuth *oauth, LyfSession *session, LyfValue *config, const char *refused, LyfToken *token)
{
	take_config(session, config);
	LYF_TRY(stored_token(oauth, session, token));
	for (int turn = 0; turn < MAX_TURNS && !is_usable(token, refused); turn++)
	{
		LyfTokenRequest request;
		bool		renewed;

		LYF_TRY(lyf_oauth_request(oauth, session, &request));
		LYF_TRY(fit_to_show(session, session->store->renew(session, &oauth->paths, &request, &config, &renewed)));
		take_config(session, config);
		LYF_TRY(stored_token(oauth, session, token));
		if (renewed)
			break;
	}
	return token->access != NULL ? NULL : lyf_failure(ERRCODE_FDW_ERROR, "the service gave no access token");
}

static LyfFailure *
single_use_token(const LyfOAuth *oauth, LyfSession *session, LyfAuthState *state, bool forced, LyfToken *token)
{
	const char *refused = forced ? state->used : NULL;
	LyfFailure *failure;
	LyfValue   *config;

	LYF_TRY(stored_token(oauth, session, token));
	if (is_usable(token, refused))
		return NULL;
	LYF_TRY(session->store->begin(session, &config));
	failure = renew_stored(oauth, session, config, refused, token);
	session->store->end(session);
	LYF_TRY(failure);
	lyf_oauth_hide(session, lyf_oauth_configured(session, oauth->paths.refresh));
	return NULL;
}

static LyfFailure *
get_token(const LyfOAuth *oauth, LyfSession *session, bool forced, char **text)
{
	LyfAuthState *state;
	LyfToken	token;

	if (oauth->endpoint == NULL)
		return lyf_template_eval_text(oauth->access_token_value, &session->scope, text);
	state = lyf_auth_state(session, &oauth->auth);
	if (oauth->single_use)
		LYF_TRY(single_use_token(oauth, session, state, forced, &token));
	else
		LYF_TRY(cached_token(oauth, session, state, forced, &token));
	lyf_auth_note_used(session, state, token.access);
	*text = state->used;
	return NULL;
}

static LyfFailure *
apply_oauth(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	char	   *token;

	LYF_TRY(get_token((LyfOAuth *) auth, session, false, &token));
	return lyf_auth_set_header(parts, "Authorization", psprintf("Bearer %s", token));
}

static LyfFailure *
refresh_oauth(LyfAuth *auth, LyfSession *session, bool *able)
{
	char	   *token;

	*able = ((LyfOAuth *) auth)->endpoint != NULL;
	return *able ? get_token((LyfOAuth *) auth, session, true, &token) : NULL;
}

static bool
is_steady_oauth(LyfAuth *auth, LyfSession *session)
{
	const LyfOAuth *oauth = (LyfOAuth *) auth;
	LyfToken	token;

	if (oauth->endpoint == NULL)
		return true;
	if (oauth->single_use)
		return stored_token(oauth, session, &token) == NULL && is_good(&token);
	return lyf_auth_cached(lyf_auth_state(session, auth), &token) && is_good(&token);
}

const LyfAuthKind lyf_auth_oauth = {
	"OAuthAuthenticator", compile_oauth, apply_oauth, refresh_oauth, is_steady_oauth
};
