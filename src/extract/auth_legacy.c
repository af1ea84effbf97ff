/*
 * auth_legacy.c
 *		LegacySessionTokenAuthenticator: a session token of the configuration if the
 *		service still takes it, else one for user and password.
 */
#include "postgres.h"

#include "base/clock.h"
#include "extract/extract_internal.h"

#define TOKEN_LIFETIME	USECS_PER_DAY

/* in the order of field_names */
typedef enum Field
{
	FIELD_HEADER, FIELD_LOGIN_URL, FIELD_VALIDATE_URL, FIELD_RESPONSE_KEY, FIELD_SESSION_TOKEN, FIELD_USERNAME,
	FIELD_PASSWORD, FIELD_COUNT
} Field;

static const char *const field_names[FIELD_COUNT] = {
	"header", "login_url", "validate_session_url", "session_token_response_key", "session_token", "username", "password"
};

typedef struct Legacy
{
	LyfAuth		auth;
	LyfTemplate *api_url;		/* the requester's */
	LyfTemplate *fields[FIELD_COUNT];
} Legacy;

static LyfFailure *
compile_legacy(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	Legacy	   *legacy = palloc0(sizeof(Legacy));
	LyfTemplate *whole;

	legacy->auth.print = lyf_auth_print(c, requester);
	for (int i = 0; i < FIELD_COUNT; i++)
	{
		if (i < FIELD_SESSION_TOKEN)
			LYF_TRY(lyf_component_required_template(c, field_names[i], &legacy->fields[i]));
		else
			LYF_TRY(lyf_auth_template(c, field_names[i], "", &legacy->fields[i]));
	}
	LYF_TRY(lyf_auth_template(requester, "url", NULL, &whole));
	LYF_TRY(lyf_auth_template(requester, "url_base", "", &legacy->api_url));
	legacy->api_url = whole != NULL ? whole : legacy->api_url;
	*out = &legacy->auth;
	return NULL;
}

static LyfFailure *
eval_field(const Legacy *legacy, LyfSession *session, Field field, char **text)
{
	return lyf_template_eval_text(legacy->fields[field], &session->scope, text);
}

/* one request to the API's URL with that field's path behind it */
static LyfFailure *
ask(const Legacy *legacy, LyfSession *session, const char *method, Field path, const LyfRequestParts *parts, LyfPage **page)
{
	LyfHttpRequest request;
	char	   *base;
	char	   *tail;

	LYF_TRY(lyf_template_eval_text(legacy->api_url, &session->scope, &base));
	LYF_TRY(eval_field(legacy, session, path, &tail));
	LYF_TRY(lyf_request_print(parts, method, psprintf("%s%s", base, tail), &request));
	return lyf_token_exchange(&request, session->stats, page);
}

static LyfFailure *
refusal(LyfSession *session, LyfPage *page, const char *what)
{
	LyfFailure *failure = lyf_failure(ERRCODE_FDW_ERROR, "%s: %s %s failed with status %d", what, page->method,
									  lyf_redact_url(page->url), page->response->status);
	const char *words = lyf_response_error_text(page);

	if (words != NULL && words[0] != '\0')
		lyf_failure_detail(failure, "The service says: %s", lyf_session_shown(session, words));
	return lyf_failure_hint(failure, "Check the secrets of the user mapping.");
}

/* does the service take the configuration's token?  Asked once a read */
static LyfFailure *
check_given(const Legacy *legacy, LyfSession *session, LyfAuthState *state, const char *token)
{
	LyfRequestParts parts;
	LyfPage    *page;
	char	   *header;

	if (state->checked)
		return NULL;
	lyf_session_hide(session, token);
	lyf_parts_init(&parts);
	LYF_TRY(eval_field(legacy, session, FIELD_HEADER, &header));
	LYF_TRY(lyf_auth_set_header(&parts, header, token));
	LYF_TRY(ask(legacy, session, "GET", FIELD_VALIDATE_URL, &parts, &page));
	if (page->response->status >= 400 && page->response->status != 401)
		return refusal(session, page, "the session token could not be checked");
	state->checked = true;
	state->valid = page->response->status < 400;
	return NULL;
}

static LyfFailure *
log_in(const Legacy *legacy, LyfSession *session, const char *user, const char *password, LyfToken *token)
{
	LyfRequestParts parts;
	const LyfValue *found;
	LyfPage    *page;
	char	   *key;

	lyf_session_hide(session, password);
	lyf_parts_init(&parts);
	parts.body_json = lyf_value_make(LYF_MAP);
	lyf_value_set(parts.body_json, "username", lyf_value_string(user));
	lyf_value_set(parts.body_json, "password", lyf_value_string(password));
	LYF_TRY(ask(legacy, session, "POST", FIELD_LOGIN_URL, &parts, &page));
	if (page->response->status >= 400)
		return refusal(session, page, "there is no session token for user and password");
	LYF_TRY(eval_field(legacy, session, FIELD_RESPONSE_KEY, &key));
	found = lyf_value_get(lyf_page_json(page, NULL), key);
	if (found == NULL)
		return refusal(session, page, psprintf("the answer to the login has no \"%s\"", key));
	token->access = lyf_template_str(found);
	token->expires = lyf_now() + TOKEN_LIFETIME;
	return NULL;
}

static LyfFailure *
get_token(const Legacy *legacy, LyfSession *session, LyfAuthState *state, const char **text)
{
	LyfToken	token;
	char	   *given;
	char	   *user;
	char	   *password;

	LYF_TRY(eval_field(legacy, session, FIELD_SESSION_TOKEN, &given));
	*text = given;
	if (given[0] != '\0')
		LYF_TRY(check_given(legacy, session, state, given));
	if (state->valid)
		return NULL;
	LYF_TRY(eval_field(legacy, session, FIELD_USERNAME, &user));
	LYF_TRY(eval_field(legacy, session, FIELD_PASSWORD, &password));
	if (user[0] == '\0' || password[0] == '\0')
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR,
											"there is neither a session token that the service takes, nor user and password"),
								"Give one of them in the user mapping's option secrets.");
	if (!lyf_auth_cached(state, &token) || token.expires < lyf_now())
	{
		LYF_TRY(log_in(legacy, session, user, password, &token));
		lyf_auth_cache(state, &token);
	}
	*text = token.access;
	return NULL;
}

static LyfFailure *
apply_legacy(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	Legacy	   *legacy = (Legacy *) auth;
	LyfAuthState *state = lyf_auth_state(session, auth);
	const char *token;
	char	   *header;

	LYF_TRY(get_token(legacy, session, state, &token));
	lyf_auth_note_used(session, state, token);
	LYF_TRY(eval_field(legacy, session, FIELD_HEADER, &header));
	return lyf_auth_set_header(parts, header, token);
}

static bool
is_steady_legacy(LyfAuth *auth, LyfSession *session)
{
	LyfAuthState *state = lyf_auth_state(session, auth);
	LyfToken	token;

	return state->valid || (lyf_auth_cached(state, &token) && token.expires >= lyf_now());
}

const LyfAuthKind lyf_auth_legacy_session = {
	"LegacySessionTokenAuthenticator", compile_legacy, apply_legacy, NULL, is_steady_legacy
};
