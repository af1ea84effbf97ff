/*
 * auth_jwt.c
 *		JwtAuthenticator: a JSON Web Token, made and signed here for each request.
 *
 * Templates of its fields have a function that others do not: json_loads, for
 * configurations that hold a service account's key file as a text.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/datetime.h"
#include "base/sign.h"
#include "extract/extract_internal.h"

#define DEFAULT_LIFETIME	1200

/* what a token says of itself, by the name that it has there */
typedef struct Claim
{
	const char *name;
	LyfTemplate *value;			/* or NULL: it is not there */
	bool		is_text;		/* whatever the template gives */
} Claim;

typedef struct Claims
{
	Claim		own[3];
	LyfTemplateTree *more;		/* or NULL */
} Claims;

typedef struct Jwt
{
	LyfAuth		auth;
	const LyfSigner *signer;
	const char *algorithm;
	LyfTemplate *key;
	LyfTemplate *passphrase;	/* or NULL */
	LyfTemplate *prefix;		/* or NULL */
	bool		encode_key;
	int64		lifetime;		/* s */
	Claims		headers;
	Claims		payload;
	LyfRequestOption *option;
} Jwt;

static const char *const reserved_headers[] = {"kid", "alg", "typ", "cty", NULL};
static const char *const reserved_claims[] = {"iss", "sub", "aud", "iat", "exp", "nbf", NULL};

static LyfFailure *
compile_claims(const LyfComponent *c, const char *field, const char *more, const Claim *names, Claims *claims)
{
	LyfComponent child = lyf_component_child(c, field);

	for (int i = 0; i < lengthof(claims->own); i++)
	{
		claims->own[i] = names[i];
		LYF_TRY(lyf_auth_template(&child, names[i].name, NULL, &claims->own[i].value));
	}
	return lyf_auth_tree(c, more, &claims->more);
}

static LyfFailure *
compile_place(const LyfComponent *c, Jwt *jwt)
{
	LyfComponent option = lyf_component_child(c, "request_option");

	LYF_TRY(lyf_request_option_compile(&option, &jwt->option));
	if (jwt->option != NULL)
		return NULL;
	jwt->option = palloc0(sizeof(LyfRequestOption));
	jwt->option->into = LYF_INJECT_HEADER;
	return lyf_template_compile("Authorization", NULL, &jwt->option->field_name);
}

static LyfFailure *
compile_jwt(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	static const Claim headers[] = {{"kid", NULL, true}, {"typ", NULL, true}, {"cty", NULL, true}};
	static const Claim payload[] = {{"iss", NULL, true}, {"sub"}, {"aud"}};
	Jwt		   *jwt = palloc0(sizeof(Jwt));

	LYF_TRY(lyf_component_required_template(c, "secret_key", &jwt->key));
	LYF_TRY(lyf_component_text(c, "algorithm", "", &jwt->algorithm));
	jwt->algorithm = pstrdup(jwt->algorithm);
	jwt->signer = lyf_signer(jwt->algorithm);
	if (jwt->signer == NULL)
		return lyf_component_invalid(c, "\"%s\" is no algorithm to sign with", jwt->algorithm);
	LYF_TRY(lyf_component_bool(c, "base64_encode_secret_key", false, &jwt->encode_key));
	LYF_TRY(lyf_component_int(c, "token_duration", DEFAULT_LIFETIME, &jwt->lifetime));
	LYF_TRY(lyf_auth_template(c, "header_prefix", NULL, &jwt->prefix));
	LYF_TRY(lyf_auth_template(c, "passphrase", NULL, &jwt->passphrase));
	LYF_TRY(compile_claims(c, "jwt_headers", "additional_jwt_headers", headers, &jwt->headers));
	LYF_TRY(compile_claims(c, "jwt_payload", "additional_jwt_payload", payload, &jwt->payload));
	LYF_TRY(compile_place(c, jwt));
	*out = &jwt->auth;
	return NULL;
}

static LyfFailure *
eval_more(const LyfTemplateTree *more, const LyfScope *scope, const char *const *reserved, LyfValue **map)
{
	*map = lyf_value_make(LYF_MAP);
	if (more != NULL)
		LYF_TRY(lyf_template_tree_eval(more, scope, 0, false, map));
	for (; *reserved != NULL; reserved++)
		if (lyf_value_get(*map, *reserved) != NULL)
			return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "\"%s\" of a JSON Web Token is set as an additional one", *reserved),
									"In the connector's manifest it belongs into jwt_headers or jwt_payload, or is set by itself.");
	return NULL;
}

static LyfFailure *
eval_claims(const Claims *claims, const LyfScope *scope, const char *const *reserved, LyfValue **map)
{
	LyfValue   *more;

	LYF_TRY(eval_more(claims->more, scope, reserved, &more));
	*map = lyf_value_merge(more, NULL);
	for (int i = 0; i < lengthof(claims->own); i++)
	{
		const Claim *claim = &claims->own[i];
		LyfValue   *value;

		if (claim->value == NULL)
			continue;
		LYF_TRY(lyf_template_eval_string(claim->value, scope, &value));
		lyf_value_set(*map, claim->name, claim->is_text ? lyf_value_string(lyf_template_str(value)) :
					  lyf_value_alias(value));
	}
	return NULL;
}

static LyfFailure *
eval_header(const Jwt *jwt, const LyfScope *scope, LyfValue **map)
{
	const LyfValue *type;

	LYF_TRY(eval_claims(&jwt->headers, scope, reserved_headers, map));
	type = lyf_value_get(*map, "typ");
	if (type == NULL)
		lyf_value_set(*map, "typ", lyf_value_string("JWT"));
	else if (!lyf_value_truth(type))
		(void) lyf_value_remove(*map, "typ");
	lyf_value_set(*map, "alg", lyf_value_string(jwt->algorithm));
	return NULL;
}

static LyfFailure *
eval_payload(const Jwt *jwt, const LyfScope *scope, LyfValue **map)
{
	int64		now = (lyf_now() + LYF_EPOCH_SHIFT) / USECS_PER_SEC;

	LYF_TRY(eval_claims(&jwt->payload, scope, reserved_claims, map));
	lyf_value_set(*map, "iat", lyf_value_int(now));
	lyf_value_set(*map, "exp", lyf_value_int(now + jwt->lifetime));
	lyf_value_set(*map, "nbf", lyf_value_int(now));
	return NULL;
}

static char *
encode_part(const LyfValue *map, bool sorted)
{
	StringInfoData text;

	initStringInfo(&text);
	if (sorted)
		lyf_value_print_sorted(&text, map);
	else
		lyf_value_print(&text, map);
	return lyf_base64_url(text.data, text.len);
}

static LyfFailure *
sign(const Jwt *jwt, LyfSession *session, const LyfScope *scope, const char *text, LyfSignature *signature)
{
	char	   *key;
	char	   *passphrase = NULL;

	LYF_TRY(lyf_template_eval_text(jwt->key, scope, &key));
	if (jwt->passphrase != NULL)
		LYF_TRY(lyf_template_eval_text(jwt->passphrase, scope, &passphrase));
	if (jwt->encode_key && (passphrase == NULL || passphrase[0] == '\0'))
		key = lyf_base64(key, strlen(key));
	lyf_session_hide(session, key);
	lyf_session_hide(session, passphrase);
	return lyf_sign(jwt->signer, key, passphrase, text, signature);
}

LyfFailure *
lyf_jwt_token(LyfAuth *auth, LyfSession *session, char **token)
{
	Jwt		   *jwt = (Jwt *) auth;
	LyfSignature signature;
	LyfScope	scope;
	LyfValue   *header;
	LyfValue   *payload;
	char	   *prefix = NULL;
	char	   *text;

	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set(&scope, "json_loads", lyf_template_json_loads());
	LYF_TRY(eval_payload(jwt, &scope, &payload));
	LYF_TRY(eval_header(jwt, &scope, &header));
	text = psprintf("%s.%s", encode_part(header, true), encode_part(payload, false));
	LYF_TRY(sign(jwt, session, &scope, text, &signature));
	text = psprintf("%s.%s", text, lyf_base64_url(signature.bytes, signature.len));
	lyf_session_hide(session, text);
	if (jwt->prefix != NULL)
		LYF_TRY(lyf_template_eval_text(jwt->prefix, &scope, &prefix));
	*token = prefix != NULL && prefix[0] != '\0' ? psprintf("%s %s", prefix, text) : text;
	return NULL;
}

static LyfFailure *
apply_jwt(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	char	   *token;

	LYF_TRY(lyf_jwt_token(auth, session, &token));
	return lyf_auth_inject(((Jwt *) auth)->option, token, session, parts);
}

/* it says when it was made, and some signatures are random */
static bool
is_steady_jwt(LyfAuth *auth, LyfSession *session)
{
	return false;
}

const LyfAuthKind lyf_auth_jwt = {"JwtAuthenticator", compile_jwt, apply_jwt, NULL, is_steady_jwt};
