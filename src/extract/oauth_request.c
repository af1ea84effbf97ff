/*
 * oauth_request.c
 *		The request for an access token: a form with grant type, client and refresh
 *		token under the names that the manifest gives them, and what it adds.
 */
#include "postgres.h"

#include "extract/oauth_internal.h"

const LyfValue *
lyf_oauth_configured(const LyfSession *session, const LyfValue *path)
{
	const LyfValue *value = session->config;

	lyf_foreach(key, path)
		value = lyf_value_get(value, lyf_template_str(key));
	return value;
}

void
lyf_oauth_hide(LyfSession *session, const LyfValue *value)
{
	if (lyf_value_is(value, LYF_STRING))
		lyf_session_hide(session, lyf_template_str(value));
}

static LyfFailure *
missing(const char *what)
{
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR,
										"there is no access token without a %s, and the configuration gives none", what),
							"Set it in the user mapping's option secrets or in the server's option config.");
}

/* add one part under its name */
static LyfFailure *
add(LyfValue *args, const LyfTemplate *name, LyfSession *session, LyfValue *value)
{
	char	   *key;

	LYF_TRY(lyf_template_eval_text(name, &session->scope, &key));
	lyf_value_set(args, key, value);
	return NULL;
}

/* a client's id or secret: with single-use tokens the configuration's own place for it goes first */
static LyfFailure *
client_part(const LyfOAuth *oauth, LyfSession *session, const LyfTemplate *given, const char *field, LyfValue **value)
{
	const LyfValue *own = lyf_value_get(lyf_value_get(session->config, "credentials"), field);
	LyfValue   *result;

	if (oauth->single_use && own != NULL)
		*value = lyf_value_alias(own);
	else if (given == NULL)
		*value = lyf_value_string("");
	else
	{
		LYF_TRY(lyf_template_eval_string(given, &session->scope, &result));
		*value = lyf_value_alias(result);
	}
	return NULL;
}

static LyfFailure *
add_client(const LyfOAuth *oauth, LyfSession *session, LyfValue *args)
{
	LyfValue   *id;
	LyfValue   *secret;

	LYF_TRY(client_part(oauth, session, oauth->client_id, "client_id", &id));
	LYF_TRY(client_part(oauth, session, oauth->client_secret, "client_secret", &secret));
	if (!oauth->single_use && !lyf_value_truth(id))
		return missing("client_id");
	lyf_oauth_hide(session, secret);
	LYF_TRY(add(args, oauth->names.client_id, session, id));
	return add(args, oauth->names.client_secret, session, secret);
}

static LyfFailure *
add_refresh_token(const LyfOAuth *oauth, LyfSession *session, LyfValue *args)
{
	const LyfValue *configured;
	char	   *text;

	if (oauth->single_use)
	{
		configured = lyf_oauth_configured(session, oauth->paths.refresh);
		if (!lyf_value_truth(configured))
			return missing("refresh token");
		lyf_oauth_hide(session, configured);
		return add(args, oauth->names.refresh_token, session, lyf_value_alias(configured));
	}
	if (oauth->refresh_token == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(oauth->refresh_token, &session->scope, &text));
	lyf_session_hide(session, text);
	return add(args, oauth->names.refresh_token, session, lyf_value_string(text));
}

static LyfFailure *
add_extra(const LyfOAuth *oauth, LyfSession *session, LyfValue *args)
{
	LyfValue   *extra;

	if (oauth->scopes != NULL && oauth->scopes->len > 0)
		lyf_value_set(args, "scopes", lyf_value_alias(oauth->scopes));
	if (oauth->body == NULL)
		return NULL;
	LYF_TRY(lyf_template_tree_eval(oauth->body, &session->scope, 0, false, &extra));
	lyf_foreach(member, extra)
		if (lyf_value_get(args, member->key) == NULL)
			lyf_value_set(args, member->key, lyf_value_alias(member));
	return NULL;
}

/* the client stands in the header or in the form, not in both */
static LyfFailure *
standard_args(const LyfOAuth *oauth, LyfSession *session, const LyfValue *headers, LyfValue *args)
{
	char	   *grant;

	LYF_TRY(lyf_template_eval_text(oauth->grant_type, &session->scope, &grant));
	LYF_TRY(add(args, oauth->names.grant_type, session, lyf_value_string(grant)));
	if (lyf_value_get(headers, "Authorization") == NULL)
		LYF_TRY(add_client(oauth, session, args));
	LYF_TRY(add_refresh_token(oauth, session, args));
	return add_extra(oauth, session, args);
}

static LyfFailure *
assertion_args(const LyfOAuth *oauth, LyfSession *session, LyfValue *args)
{
	char	   *grant;
	char	   *token;

	LYF_TRY(lyf_template_eval_text(oauth->grant_type, &session->scope, &grant));
	LYF_TRY(add(args, oauth->names.grant_type, session, lyf_value_string(grant)));
	LYF_TRY(lyf_jwt_token(oauth->assertion, session, &token));
	lyf_value_set(args, "assertion", lyf_value_string(token));
	return NULL;
}

static LyfFailure *
eval_names(const LyfOAuth *oauth, LyfSession *session, LyfTokenRequest *request)
{
	const struct
	{
		const LyfTemplate *name;
		const char **text;
	}			names[] = {
		{oauth->names.access_token, &request->access_name},
		{oauth->names.refresh_token, &request->refresh_name},
		{oauth->names.expires_in, &request->expires_name},
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		char	   *text;

		LYF_TRY(lyf_template_eval_text(names[i].name, &session->scope, &text));
		*names[i].text = text;
	}
	request->expires_at = oauth->expires_at;
	return NULL;
}

/* Memory: CurrentMemoryContext; what is secret in it, and was made here, is hidden from messages. */
LyfFailure *
lyf_oauth_request(const LyfOAuth *oauth, LyfSession *session, LyfTokenRequest *request)
{
	LyfRequestParts parts;
	char	   *url;

	memset(request, 0, sizeof(*request));
	lyf_parts_init(&parts);
	LYF_TRY(eval_names(oauth, session, request));
	LYF_TRY(lyf_template_eval_text(oauth->endpoint, &session->scope, &url));
	if (url[0] == '\0')
		return missing("token_refresh_endpoint");
	if (oauth->headers != NULL)
		LYF_TRY(lyf_template_tree_eval(oauth->headers, &session->scope, 0, false, &parts.headers));
	lyf_foreach(header, parts.headers)
		if (pg_strcasecmp(header->key, "Authorization") == 0)
			lyf_oauth_hide(session, header);

	if (oauth->as_query)
		LYF_TRY(standard_args(oauth, session, parts.headers, parts.parameters));
	if (oauth->assertion != NULL || !oauth->as_query)
		parts.body_data = lyf_value_make(LYF_MAP);
	if (oauth->assertion != NULL)
		LYF_TRY(assertion_args(oauth, session, parts.body_data));
	else if (!oauth->as_query)
		LYF_TRY(standard_args(oauth, session, parts.headers, parts.body_data));
	return lyf_request_print(&parts, "POST", url, &request->http);
}
