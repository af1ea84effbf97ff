/*
 * request.c
 *		HttpRequester: from templates, authenticator and what paginator and slice
 *		inject to one request.  Making a request is pure; send.c sends it.
 */
#include "postgres.h"

#include "base/settings.h"
#include "extract/extract_internal.h"

/* methods whose requests carry a body */
static const char *const body_methods[] = {"GET", "POST", "PUT", "PATCH"};
static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};

/* texts that a request may be made of, in all */
#define MAX_URL_LENGTH		(64 * 1024)
#define MAX_HEADERS			200

static LyfFailure *
compile_timeouts(const LyfComponent *c, LyfRequester *requester)
{
	int64		connect;
	int64		read;

	LYF_TRY(lyf_component_int(c, "connect_timeout_in_seconds", 0, &connect));
	LYF_TRY(lyf_component_int(c, "read_timeout_in_seconds", 0, &read));
	requester->connect_timeout_ms = (int) Min(Max(connect, 0), 86400) * 1000;
	requester->read_timeout_ms = (int) Min(Max(read, 0), 86400) * 1000;
	return NULL;
}

static LyfFailure *
compile_method(const LyfComponent *c, LyfRequester *requester)
{
	LYF_TRY(lyf_component_text(c, "http_method", "GET", &requester->method));
	for (int i = 0; i < lengthof(methods); i++)
		if (strcmp(requester->method, methods[i]) == 0)
			return NULL;
	return lyf_component_invalid(c, "\"%s\" is no HTTP method that can be used", requester->method);
}

/* Compile an HttpRequester; memory: CurrentMemoryContext. */
LyfFailure *
lyf_requester_compile(const LyfComponent *c, json_t *manifest, bool is_parent, LyfRequester **out)
{
	LyfRequester *requester;
	LyfComponent auth;
	LyfComponent handler;

	if (c->json == NULL)
		return lyf_component_invalid(c, "a requester is needed");
	if (strcmp(c->type, "HttpRequester") != 0)
		return lyf_component_unsupported(c);

	requester = palloc0(sizeof(LyfRequester));
	requester->manifest = manifest;
	auth = lyf_component_child(c, "authenticator");
	handler = lyf_component_child(c, "error_handler");
	LYF_TRY(lyf_component_template(c, "url", &requester->url));
	LYF_TRY(lyf_component_template(c, "url_base", &requester->url_base));
	LYF_TRY(lyf_component_template(c, "path", &requester->path));
	if (requester->url == NULL && requester->url_base == NULL)
		return lyf_component_invalid(c, "one of url and url_base is needed");
	LYF_TRY(compile_method(c, requester));
	LYF_TRY(compile_timeouts(c, requester));
	LYF_TRY(lyf_component_bool(c, "use_cache", is_parent, &requester->use_cache));
	LYF_TRY(lyf_request_templates_compile(c, &requester->templates));
	LYF_TRY(lyf_auth_compile(&auth, c, &requester->auth));
	LYF_TRY(lyf_error_handler_compile(&handler, &requester->error_handler));
	*out = requester;
	return NULL;
}

void
lyf_requester_follow(LyfRequester *requester)
{
	requester->may_leave = requester->auth->kind == &lyf_auth_none && lyf_request_templates_are_empty(requester->templates);
}

bool
lyf_requester_uses_slice(const LyfRequester *requester, const char *member)
{
	const LyfTemplate *texts[] = {requester->url, requester->url_base, requester->path};

	for (int i = 0; i < lengthof(texts); i++)
	{
		if (texts[i] != NULL && lyf_template_uses_slice(texts[i], member))
			return true;
	}
	return lyf_request_templates_use_slice(requester->templates, member);
}

void
lyf_requester_set_budget(LyfRequester *requester, LyfBudget *budget)
{
	requester->budget = budget;
	lyf_auth_set_budget(requester->auth, budget);
}

/* what a slice will have, each field standing for its value */
static LyfValue *
slice_of_names(const LyfRouter *router, const LyfCursor *cursor)
{
	LyfValue   *slice = lyf_value_make(LYF_MAP);
	const char **fields;
	const char *keys[2];
	int			count = router == NULL ? 0 : lyf_router_fields(router, &fields);

	for (int i = 0; i < count; i++)
		lyf_value_set(slice, fields[i], lyf_value_string(psprintf("{%s}", fields[i])));
	if (cursor != NULL)
	{
		lyf_cursor_keys(cursor, keys);
		for (int i = 0; i < lengthof(keys); i++)
			lyf_value_set(slice, keys[i], lyf_value_string(psprintf("{%s}", keys[i])));
	}
	return slice;
}

/* a template that needs no more than what scope has as its value, any other as its source */
static const char *
show_template(const LyfTemplate *compiled, const LyfSession *session, const LyfScope *scope)
{
	char	   *text;

	if (compiled == NULL)
		return "";
	if (lyf_template_eval_text(compiled, scope, &text) != NULL)
		return lyf_template_source(compiled);
	return lyf_redact_text(text, session->secrets, session->secret_count);
}

char *
lyf_requester_describe(const LyfRequester *requester, const LyfSession *session,
					   const LyfRouter *router, const LyfCursor *cursor)
{
	LyfScope	scope;
	const char *base;
	const char *path;
	size_t		len;
	bool		slash;

	/* What expressions make of a secret is none to be told from the rest: they do not get it */
	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set(&scope, "config", lyf_redact_value(session->config, session->secrets, session->secret_count));
	lyf_scope_set_slice(&scope, slice_of_names(router, cursor));
	base = show_template(requester->url_base ? requester->url_base : requester->url, session, &scope);
	path = show_template(requester->path, session, &scope);
	len = strlen(base);

	path += strspn(path, "/");
	slash = *path != '\0' && len > 0 && base[len - 1] != '/';
	return psprintf("%s %s", requester->method, lyf_redact_url(psprintf("%s%s%s", base, slash ? "/" : "", path)));
}

static LyfFailure *
eval_optional(const LyfTemplate *compiled, const LyfScope *scope, char **text)
{
	*text = "";
	return compiled == NULL ? NULL : lyf_template_eval_text(compiled, scope, text);
}

/* base and path as urljoin does it, so that an absolute path replaces all */
static LyfFailure *
make_url(const LyfRequester *requester, const LyfRequestInput *input, char **url)
{
	char	   *base;
	char	   *whole;
	const char *path = input->url_override;

	LYF_TRY(eval_optional(requester->url_base, input->scope, &base));
	LYF_TRY(eval_optional(requester->url, input->scope, &whole));
	if (path == NULL || *path == '\0')
	{
		char	   *own;

		LYF_TRY(eval_optional(requester->path, input->scope, &own));
		path = own + strspn(own, "/");
	}
	if (*base == '\0')
		base = whole;
	if (*path != '\0' && *base != '\0' && base[strlen(base) - 1] != '/')
		base = psprintf("%s/", base);
	*url = *path != '\0' ? lyf_url_join(base, path) : base;
	if (pg_strncasecmp(*url, "http://", 7) != 0 && pg_strncasecmp(*url, "https://", 8) != 0)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "\"%s\" is no http or https URL", lyf_redact_url(*url)),
								"Check the configuration values that the URL is made from, and where the source's links lead.");
	return NULL;
}

static LyfFailure *
inject_all(LyfRequestParts *target, const LyfInjection *injections, int count, const LyfScope *config)
{
	LyfRequestParts own;

	lyf_parts_init(&own);
	for (int i = 0; i < count; i++)
		LYF_TRY(lyf_inject(injections[i].option, injections[i].value, config, &own));
	return lyf_parts_merge(target, &own);
}

/* requester, authenticator, paginator and slice, in this order */
static LyfFailure *
make_parts(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input, LyfRequestParts *parts)
{
	LYF_TRY(lyf_request_templates_eval(requester->templates, input->scope, parts));
	LYF_TRY(lyf_auth_apply(requester->auth, session, input->scope, parts));
	for (int i = 0; i < input->page_count; i++)
		LYF_TRY(inject_all(parts, &input->page[i], 1, &session->scope));
	LYF_TRY(inject_all(parts, input->slice, input->slice_count, &session->scope));

	lyf_foreach(member, parts->parameters)
		if (member->kind == LYF_MAP)
			return lyf_failure(ERRCODE_FDW_ERROR, "the request's parameter \"%s\" is a map and cannot be sent",
							   member->key);
	return NULL;
}

static bool
is_plain(const char *text, const char *forbidden)
{
	for (; *text; text++)
		if (((unsigned char) *text < ' ' && *text != '\t') || *text == 0x7f || strchr(forbidden, *text) != NULL)
			return false;
	return true;
}

/* a name in two cases is one header, the later value counts */
static LyfFailure *
add_header(LyfHeader *headers, int *count, const char *name, const char *value)
{
	int			i = 0;

	if (!is_plain(name, ": \t\"(),/;<=>?@[\\]{}") || *name == '\0' || !is_plain(value, ""))
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the request's header \"%s\" has characters that no header may have",
											is_plain(name, "") ? name : "?"),
								"Check the configuration and the secrets for line breaks and other control characters.");
	while (i < *count && pg_strcasecmp(headers[i].name, name) != 0)
		i++;
	if (i >= MAX_HEADERS)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a request may have %d headers at most", MAX_HEADERS);
	if (i == *count)
		(*count)++;
	headers[i].name = name;
	headers[i].value = value;
	return NULL;
}

static LyfFailure *
print_headers(const LyfRequestParts *parts, const char *content_type, LyfHttpRequest *request)
{
	LyfHeader  *headers = palloc(sizeof(LyfHeader) * (Min(parts->headers->len, MAX_HEADERS) + 1));
	int			count = 0;
	bool		typed = false;

	lyf_foreach(member, parts->headers)
	{
		LYF_TRY(add_header(headers, &count, member->key, lyf_template_str(member)));
		typed = typed || pg_strcasecmp(member->key, "Content-Type") == 0;
	}
	if (content_type != NULL && !typed)
		LYF_TRY(add_header(headers, &count, "Content-Type", content_type));
	request->headers = headers;
	request->header_count = count;
	return NULL;
}

static inline bool
is_given(const LyfValue *body)
{
	return body != NULL && body->len > 0;
}

static LyfFailure *
print_body(const LyfRequestParts *parts, LyfHttpRequest *request, const char **content_type)
{
	bool		allowed = false;

	*content_type = NULL;
	for (int i = 0; i < lengthof(body_methods); i++)
		allowed = allowed || strcmp(request->method, body_methods[i]) == 0;
	if (!allowed)
		return NULL;
	if (is_given(parts->body_json) && is_given(parts->body_data))
		return lyf_failure(ERRCODE_FDW_ERROR, "a request cannot have both a JSON body and another one");

	if (is_given(parts->body_json))
	{
		request->body = lyf_encode_json(parts->body_json);
		*content_type = "application/json";
	}
	else if (is_given(parts->body_data) && parts->body_data->kind == LYF_MAP)
	{
		request->body = lyf_encode_form(parts->body_data);
		*content_type = "application/x-www-form-urlencoded";
	}
	else if (is_given(parts->body_data))
	{
		request->body = parts->body_data->u.text;
		request->body_len = parts->body_data->len;
		return NULL;
	}
	request->body_len = request->body ? strlen(request->body) : 0;
	return NULL;
}

LyfFailure *
lyf_request_print(const LyfRequestParts *parts, const char *method, const char *url, LyfHttpRequest *request)
{
	const char *content_type;

	memset(request, 0, sizeof(*request));
	request->method = method;
	request->url = lyf_encode_url(url, parts->parameters);
	if (strlen(request->url) > MAX_URL_LENGTH)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a URL may have %d bytes at most", MAX_URL_LENGTH);
	LYF_TRY(print_body(parts, request, &content_type));
	return print_headers(parts, content_type, request);
}

LyfFailure *
lyf_request_build(LyfRequester *requester, LyfSession *session, const LyfRequestInput *input, LyfHttpRequest *request)
{
	LyfRequestParts parts;
	char	   *url;

	LYF_TRY(make_parts(requester, session, input, &parts));
	LYF_TRY(make_url(requester, input, &url));
	LYF_TRY(lyf_origin_check(requester, session, url));
	LYF_TRY(lyf_request_print(&parts, requester->method, url, request));
	request->connect_timeout_ms = requester->connect_timeout_ms;

	/* the manifest's bounds the silence between bytes, ours all of it: it can only be longer */
	if (lyf_request_timeout > 0 && requester->read_timeout_ms > lyf_request_timeout)
		request->timeout_ms = requester->read_timeout_ms;
	return NULL;
}
