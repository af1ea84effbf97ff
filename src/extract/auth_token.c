/*
 * auth_token.c
 *		Authenticators whose secret is in the configuration: an API key anywhere in
 *		the request, a bearer token, user and password.
 */
#include "postgres.h"

#include "base/bytes.h"
#include "extract/extract_internal.h"

typedef struct ApiKey
{
	LyfAuth		auth;
	LyfRequestOption *option;
	LyfTemplate *token;
} ApiKey;

typedef struct Bearer
{
	LyfAuth		auth;
	LyfTemplate *token;
} Bearer;

typedef struct Basic
{
	LyfAuth		auth;
	LyfTemplate *user;
	LyfTemplate *password;
} Basic;

static LyfFailure *
compile_api_key(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	ApiKey	   *key = palloc0(sizeof(ApiKey));
	LyfComponent into = lyf_component_child(c, "inject_into");
	LyfTemplate *header;

	LYF_TRY(lyf_auth_template(c, "api_token", "", &key->token));
	LYF_TRY(lyf_request_option_compile(&into, &key->option));
	LYF_TRY(lyf_component_template(c, "header", &header));
	if ((header != NULL) == (key->option != NULL))
		return lyf_component_invalid(c, "one of inject_into and header is needed");
	if (header != NULL)
	{
		key->option = palloc0(sizeof(LyfRequestOption));
		key->option->into = LYF_INJECT_HEADER;
		key->option->field_name = header;
	}
	*out = &key->auth;
	return NULL;
}

static LyfFailure *
apply_api_key(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	ApiKey	   *key = (ApiKey *) auth;
	char	   *token;

	LYF_TRY(lyf_template_eval_text(key->token, &session->scope, &token));
	return lyf_auth_inject(key->option, token, session, parts);
}

static LyfFailure *
compile_bearer(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	Bearer	   *bearer = palloc0(sizeof(Bearer));

	LYF_TRY(lyf_auth_template(c, "api_token", "", &bearer->token));
	*out = &bearer->auth;
	return NULL;
}

static LyfFailure *
apply_bearer(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	char	   *token;

	LYF_TRY(lyf_template_eval_text(((Bearer *) auth)->token, &session->scope, &token));
	return lyf_auth_set_header(parts, "Authorization", psprintf("Bearer %s", token));
}

static LyfFailure *
compile_basic(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	Basic	   *basic = palloc0(sizeof(Basic));

	LYF_TRY(lyf_auth_template(c, "username", "", &basic->user));
	LYF_TRY(lyf_auth_template(c, "password", "", &basic->password));
	*out = &basic->auth;
	return NULL;
}

static LyfFailure *
apply_basic(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	Basic	   *basic = (Basic *) auth;
	char	   *user;
	char	   *password;
	char	   *plain;

	LYF_TRY(lyf_template_eval_text(basic->user, &session->scope, &user));
	LYF_TRY(lyf_template_eval_text(basic->password, &session->scope, &password));
	plain = psprintf("%s:%s", user, password);
	return lyf_auth_set_header(parts, "Authorization",
							   psprintf("Basic %s", lyf_base64(plain, strlen(plain))));
}

const LyfAuthKind lyf_auth_api_key = {"ApiKeyAuthenticator", compile_api_key, apply_api_key};
const LyfAuthKind lyf_auth_bearer = {"BearerAuthenticator", compile_bearer, apply_bearer};
const LyfAuthKind lyf_auth_basic = {"BasicHttpAuthenticator", compile_basic, apply_basic};
