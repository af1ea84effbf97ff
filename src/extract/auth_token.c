/*
 * auth_token.c
 *		Authenticators whose secret is in the configuration: an API key anywhere in
 *		the request, a bearer token, user and password.
 */
#include "postgres.h"

#include "common/base64.h"

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

/* a template, or the empty text where there is none */
static LyfFailure *
compile_text(const LyfComponent *c, const char *field, LyfTemplate **out)
{
	LYF_TRY(lyf_component_template(c, field, out));
	return *out != NULL ? NULL : lyf_template_compile("", c->parameters, out);
}

static LyfFailure *
set_header(LyfRequestParts *parts, const char *name, LyfValue *value)
{
	LyfRequestParts own;

	lyf_parts_init(&own);
	if (name[0] != '\0')
		lyf_value_set(own.headers, name, value);
	return lyf_parts_merge(parts, &own);
}

static LyfFailure *
compile_api_key(const LyfComponent *c, LyfAuth **out)
{
	ApiKey	   *key = palloc0(sizeof(ApiKey));
	LyfComponent into = lyf_component_child(c, "inject_into");
	LyfTemplate *header;

	LYF_TRY(compile_text(c, "api_token", &key->token));
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
	LyfRequestParts own;
	char	   *token;

	LYF_TRY(lyf_template_eval_text(key->token, &session->scope, &token));
	lyf_parts_init(&own);
	LYF_TRY(lyf_inject(key->option, lyf_value_string(token), &session->scope, &own));
	(void) lyf_value_remove(own.headers, "");
	return lyf_parts_merge(parts, &own);
}

static LyfFailure *
compile_bearer(const LyfComponent *c, LyfAuth **out)
{
	Bearer	   *bearer = palloc0(sizeof(Bearer));

	LYF_TRY(compile_text(c, "api_token", &bearer->token));
	*out = &bearer->auth;
	return NULL;
}

static LyfFailure *
apply_bearer(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	char	   *token;

	LYF_TRY(lyf_template_eval_text(((Bearer *) auth)->token, &session->scope, &token));
	return set_header(parts, "Authorization", lyf_value_string(psprintf("Bearer %s", token)));
}

static LyfFailure *
compile_basic(const LyfComponent *c, LyfAuth **out)
{
	Basic	   *basic = palloc0(sizeof(Basic));

	LYF_TRY(compile_text(c, "username", &basic->user));
	LYF_TRY(compile_text(c, "password", &basic->password));
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
	char	   *encoded;
	int			size;
	int			len;

	LYF_TRY(lyf_template_eval_text(basic->user, &session->scope, &user));
	LYF_TRY(lyf_template_eval_text(basic->password, &session->scope, &password));
	plain = psprintf("%s:%s", user, password);
	size = pg_b64_enc_len((int) strlen(plain));
	encoded = palloc(size + 1);
	len = pg_b64_encode((const void *) plain, (int) strlen(plain), encoded, size);
	encoded[Max(len, 0)] = '\0';
	return set_header(parts, "Authorization", lyf_value_string(psprintf("Basic %s", encoded)));
}

const LyfAuthKind lyf_auth_api_key = {"ApiKeyAuthenticator", compile_api_key, apply_api_key};
const LyfAuthKind lyf_auth_bearer = {"BearerAuthenticator", compile_bearer, apply_bearer};
const LyfAuthKind lyf_auth_basic = {"BasicHttpAuthenticator", compile_basic, apply_basic};
