/*
 * auth_session.c
 *		SessionTokenAuthenticator: a login request whose answer holds the token.
 *
 * It is good for as long as the manifest says; if it does not say, there is a
 * login for each request.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/datetime.h"
#include "extract/extract_internal.h"

typedef struct SessionToken
{
	LyfAuth		auth;
	LyfRequester *login;
	LyfValue   *path;			/* list of keys: where the token is in the answer */
	LyfValue   *duration;		/* or NULL */
	LyfRequestOption *option;	/* NULL: a bearer token */
	LyfTemplate *token;			/* what goes there */
} SessionToken;

static LyfFailure *
compile_use(const LyfComponent *c, SessionToken *session)
{
	LyfComponent use = lyf_component_child(c, "request_authentication");
	LyfComponent into = lyf_component_child(&use, "inject_into");

	if (use.json == NULL)
		return lyf_component_invalid(c, "request_authentication is needed");
	if (strcmp(use.type, "Bearer") == 0)
		return NULL;
	if (strcmp(use.type, "ApiKey") != 0)
		return lyf_component_unsupported(&use);
	LYF_TRY(lyf_auth_template(&use, "api_token", "{{ session_token }}", &session->token));
	LYF_TRY(lyf_request_option_compile(&into, &session->option));
	return session->option != NULL ? NULL : lyf_component_invalid(&use, "inject_into is needed");
}

static LyfFailure *
compile_session(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	SessionToken *session = palloc0(sizeof(SessionToken));
	LyfComponent login = lyf_component_child(c, "login_requester");
	LyfComponent decoder = lyf_component_child(c, "decoder");
	const char *duration;

	session->auth.print = lyf_auth_print(c, NULL);
	if (decoder.json != NULL && strcmp(decoder.type, "JsonDecoder") != 0)
		return lyf_component_unsupported(&decoder);
	LYF_TRY(lyf_requester_compile(&login, NULL, false, &session->login));
	LYF_TRY(lyf_component_value(c, "session_token_path", &session->path));
	if (!lyf_value_is(session->path, LYF_LIST) || session->path->len == 0)
		return lyf_component_invalid(c, "session_token_path must be a list of names");
	LYF_TRY(lyf_component_text(c, "expiration_duration", "", &duration));
	if (duration[0] != '\0')
		LYF_TRY(lyf_duration_parse(duration, &session->duration));
	LYF_TRY(compile_use(c, session));
	*out = &session->auth;
	return NULL;
}

static const LyfValue *
step_into(const LyfValue *value, const char *key)
{
	char	   *end;
	int64		index = strtol(key, &end, 10);

	if (lyf_value_is(value, LYF_LIST) && *key != '\0' && *end == '\0')
		return lyf_value_at(value, index);
	return lyf_value_get(value, key);
}

static LyfFailure *
find_token(const SessionToken *session, LyfPage *page, LyfToken *token)
{
	const LyfValue *found = lyf_page_json(page, NULL);

	if (found->kind == LYF_LIST && found->u.first != NULL)
		found = found->u.first;
	lyf_foreach(key, session->path)
		found = step_into(found, lyf_template_str(key));
	if (found == NULL || found->kind == LYF_NULL)
		return lyf_failure_hint(lyf_failure_detail(lyf_failure(ERRCODE_FDW_ERROR, "the answer to the login has no session token"),
												   "%s %s was answered with status %d.", page->method,
												   lyf_redact_url(page->url), page->response->status),
								"Check the secrets of the user mapping, and session_token_path in the connector's manifest.");
	token->access = lyf_template_str(found);
	return NULL;
}

static LyfFailure *
log_in(const SessionToken *auth, LyfSession *session, LyfToken *token)
{
	LyfRequestInput input = {0};
	LyfValue   *none = lyf_value_make(LYF_NULL);
	LyfScope	scope;
	LyfPage    *page;

	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set_slice(&scope, none);
	lyf_scope_set(&scope, "next_page_token", none);
	input.scope = &scope;
	LYF_TRY(lyf_request_send(auth->login, session, &input, &page));
	LYF_TRY(find_token(auth, page, token));
	if (auth->duration != NULL)
		token->expires = lyf_datetime_us(lyf_datetime_add(lyf_datetime_make(lyf_now(), 0), auth->duration, 1));
	return NULL;
}

static LyfFailure *
get_token(const SessionToken *auth, LyfSession *session, const char **text)
{
	LyfAuthState *state = lyf_auth_state(session, &auth->auth);
	LyfToken	token;

	if (auth->duration == NULL || !lyf_auth_cached(state, &token) || token.expires < lyf_now())
	{
		LYF_TRY(log_in(auth, session, &token));
		if (auth->duration != NULL)
			lyf_auth_cache(state, &token);
	}
	lyf_auth_note_used(session, state, token.access);
	*text = state->used;
	return NULL;
}

static LyfFailure *
apply_session(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	SessionToken *own = (SessionToken *) auth;
	const char *token;
	LyfScope	inner;
	char	   *text;

	LYF_TRY(get_token(own, session, &token));
	if (own->option == NULL)
		return lyf_auth_set_header(parts, "Authorization", psprintf("Bearer %s", token));
	lyf_scope_init(&inner, &session->scope);
	lyf_scope_set(&inner, "session_token", lyf_value_string(token));
	LYF_TRY(lyf_template_eval_text(own->token, &inner, &text));
	lyf_session_hide(session, text);
	return lyf_auth_inject(own->option, text, session, parts);
}

/* without a duration each request has a token of its own */
static bool
is_steady_session(LyfAuth *auth, LyfSession *session)
{
	LyfToken	token;

	return ((SessionToken *) auth)->duration != NULL &&
		lyf_auth_cached(lyf_auth_state(session, auth), &token) && token.expires >= lyf_now();
}

static void
set_budget_of_session(LyfAuth *auth, LyfBudget *budget)
{
	lyf_requester_set_budget(((SessionToken *) auth)->login, budget);
}

const LyfAuthKind lyf_auth_session = {
	"SessionTokenAuthenticator", compile_session, apply_session, NULL, is_steady_session, set_budget_of_session
};
