/*
 * outcome_filter.c
 *		HttpResponseFilter: which responses get an action of their own, by status,
 *		by an expression, or by what their error message contains.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "extract/extract_internal.h"

#define MAX_CODES			1000
#define MAX_MESSAGE_DEPTH	20
#define MAX_MESSAGE_ITEMS	100
#define MAX_RAW_MESSAGE		4096

struct LyfResponseFilter
{
	LyfAction	action;
	int		   *codes;
	int			code_count;
	LyfTemplate *predicate;
	LyfTemplate *message;
	const char *contains;		/* "" = not asked */
	bool		transient;
};

static const struct
{
	const char *name;
	LyfAction	action;
}			action_names[] = {
	{"SUCCESS", LYF_SUCCESS},
	{"RETRY", LYF_RETRY},
	{"FAIL", LYF_FAIL},
	{"IGNORE", LYF_IGNORE},
	{"RATE_LIMITED", LYF_RATE_LIMITED},
	{"RESET_PAGINATION", LYF_RESET_PAGINATION},
	{"REFRESH_TOKEN_THEN_RETRY", LYF_REFRESH_TOKEN_THEN_RETRY},
};

static LyfFailure *
compile_codes(const LyfComponent *c, LyfResponseFilter *filter)
{
	LyfValue   *codes;

	LYF_TRY(lyf_component_value(c, "http_codes", &codes));
	if (codes == NULL || codes->kind == LYF_NULL)
		return NULL;
	if (codes->kind != LYF_LIST || codes->len > MAX_CODES)
		return lyf_component_invalid(c, "http_codes must be a list of at most %d numbers", MAX_CODES);
	filter->codes = palloc(sizeof(int) * Max(codes->len, 1));
	lyf_foreach(code, codes)
		filter->codes[filter->code_count++] = atoi(lyf_template_str(code));
	return NULL;
}

/* Compile one filter; *out is NULL for one without an action: such a filter never matches. */
LyfFailure *
lyf_response_filter_compile(const LyfComponent *c, LyfResponseFilter **out)
{
	LyfResponseFilter *filter = palloc0(sizeof(LyfResponseFilter));
	const char *action;
	const char *failure_type;
	bool		known = false;

	*out = NULL;
	if (strcmp(c->type, "HttpResponseFilter") != 0)
		return lyf_component_unsupported(c);
	LYF_TRY(lyf_component_text(c, "action", "", &action));
	if (action[0] == '\0')
		return NULL;
	for (int i = 0; i < lengthof(action_names); i++)
		if (strcmp(action, action_names[i].name) == 0)
		{
			filter->action = action_names[i].action;
			known = true;
		}
	if (!known)
	{
		LyfComponent unknown = *c;

		unknown.type = psprintf("action %s", action);
		return lyf_component_unsupported(&unknown);
	}
	LYF_TRY(compile_codes(c, filter));
	LYF_TRY(lyf_component_template(c, "predicate", &filter->predicate));
	LYF_TRY(lyf_component_template(c, "error_message", &filter->message));
	LYF_TRY(lyf_component_text(c, "error_message_contains", "", &filter->contains));
	LYF_TRY(lyf_component_text(c, "failure_type", "", &failure_type));
	filter->transient = strcmp(failure_type, "transient_error") == 0;
	*out = filter;
	return NULL;
}

/* the text of an error in a body: at the first of these names that has something, lists joined */
static char *
error_text(const LyfValue *value, int depth)
{
	static const char *const names[] = {
		"message", "messages", "error", "errors", "failures", "failure", "detail", "err",
		"error_message", "msg", "reason", "status_message"
	};

	if (value == NULL || depth > MAX_MESSAGE_DEPTH)
		return NULL;
	if (value->kind == LYF_STRING)
		return pnstrdup(value->u.text, value->len);
	if (value->kind == LYF_LIST)
	{
		StringInfoData joined;
		int			n = 0;

		initStringInfo(&joined);
		lyf_foreach(item, value)
		{
			char	   *text = error_text(item, depth + 1);

			if (n++ == MAX_MESSAGE_ITEMS)
				break;
			if (text != NULL)
				appendStringInfo(&joined, "%s%s", joined.len > 0 ? ", " : "", text);
		}
		return joined.data;
	}
	for (int i = 0; i < lengthof(names); i++)
	{
		const LyfValue *member = lyf_value_get(value, names[i]);

		if (lyf_value_truth(member))
			return error_text(member, depth + 1);
	}
	return NULL;
}

/* bytes that are no text in the database's encoding become question marks */
static char *
clean_text(const char *text, size_t len)
{
	char	   *clean = pnstrdup(text, len);

	if (pg_verify_mbstr(GetDatabaseEncoding(), clean, (int) strlen(clean), true))
		return clean;
	for (char *p = clean; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return clean;
}

char *
lyf_response_error_text(LyfPage *page)
{
	LyfFailure *not_json;
	LyfValue   *body = lyf_page_json(page, &not_json);
	char	   *text;

	if (not_json == NULL)
		text = error_text(body, 0);
	else if (page->response->body == NULL)
		text = NULL;
	else
		text = pnstrdup(page->response->body, Min(page->response->body_len, MAX_RAW_MESSAGE));
	return text == NULL ? NULL : clean_text(text, strlen(text));
}

/* the URL without what may be a secret: user, query */
static char *
request_url(const LyfPage *page)
{
	const char *url = page->response->url ? page->response->url : page->url;
	const char *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : url;
	size_t		len = strcspn(host, "/?#");
	const char *user = memchr(host, '@', len);
	const char *shown = user ? user + 1 : host;

	return psprintf("%.*s%.*s", (int) (host - url), url, (int) strcspn(shown, "?#"), shown);
}

static void
bind_response(LyfScope *scope, LyfPage *page, const LyfTemplate *compiled)
{
	LyfFailure *not_json = NULL;
	LyfValue   *body = lyf_template_uses(compiled, "response") ? lyf_page_json(page, &not_json) : NULL;

	lyf_scope_set(scope, "response", body ? body : lyf_value_make(LYF_MAP));
	if (lyf_template_uses(compiled, "headers"))
		lyf_scope_set(scope, "headers", lyf_page_plain_headers(page, compiled));
	else
		lyf_scope_set(scope, "headers", lyf_value_make(LYF_MAP));
	lyf_scope_set(scope, "request_url", lyf_value_string(request_url(page)));
}

static LyfFailure *
predicate_holds(const LyfResponseFilter *filter, LyfPage *page, bool *holds)
{
	LyfScope	scope;

	*holds = false;
	if (filter->predicate == NULL || lyf_template_source(filter->predicate)[0] == '\0')
		return NULL;

	/* A predicate sees no configuration, in the reference engine neither */
	lyf_scope_init(&scope, NULL);
	lyf_scope_set(&scope, "config", lyf_value_make(LYF_NULL));
	bind_response(&scope, page, filter->predicate);
	return lyf_template_eval_bool(filter->predicate, &scope, holds);
}

static LyfFailure *
make_message(const LyfResponseFilter *filter, const LyfSession *session, LyfPage *page, char **message)
{
	LyfScope	scope;

	*message = NULL;
	if (filter->message == NULL || lyf_template_source(filter->message)[0] == '\0')
		return NULL;
	lyf_scope_init(&scope, &session->scope);
	bind_response(&scope, page, filter->message);
	return lyf_template_eval_text(filter->message, &scope, message);
}

LyfFailure *
lyf_response_filter_match(const LyfResponseFilter *filter, const LyfSession *session, LyfPage *page, LyfVerdict *verdict)
{
	bool		matched = false;

	memset(verdict, 0, sizeof(*verdict));
	for (int i = 0; i < filter->code_count; i++)
		matched = matched || filter->codes[i] == page->response->status;
	if (!matched)
		LYF_TRY(predicate_holds(filter, page, &matched));
	if (!matched && filter->contains[0] != '\0')
	{
		char	   *text = lyf_response_error_text(page);

		matched = text != NULL && strstr(text, filter->contains) != NULL;
	}
	if (!matched)
		return NULL;
	verdict->matched = true;
	verdict->action = filter->action;
	verdict->transient = filter->transient;
	return make_message(filter, session, page, &verdict->message);
}
