/*
 * origin.c
 *		Where requests may go: to the host of their own requester, or another one
 *		that the manifest names.
 *
 * A request carries credentials, and parts of its URL may be a server's words: the
 * link to the next page, a field of a parent's record.  So what a URL is compared
 * with is made from manifest and configuration alone.  Only a request that carries
 * nothing but what the server itself said may go wherever that leads.
 */
#include "postgres.h"

#include "extract/extract_internal.h"

/* a deeper manifest is refused */
#define MAX_DEPTH	200

/* fields of a requester that may say which host it asks */
static const char *const fields[] = {"url_base", "url", "path"};

static bool
is_absolute(const char *url)
{
	return pg_strncasecmp(url, "http://", 7) == 0 || pg_strncasecmp(url, "https://", 8) == 0;
}

static bool
same_site(const char *home, const char *url)
{
	return lyf_url_same_origin(home, url) || lyf_url_is_upgrade(home, url);
}

/* the URL that a template is without slice and page, added to origins; a template that needs them gives none */
static void
add_origin(const LyfComponent *requester, const char *field, const LyfSession *session, LyfValue *origins)
{
	LyfTemplate *compiled;
	char	   *url;

	if (lyf_component_template(requester, field, &compiled) == NULL && compiled != NULL &&
		lyf_template_eval_text(compiled, &session->scope, &url) == NULL && is_absolute(url))
		lyf_value_set(origins, lyf_url_origin(url), lyf_value_bool(true));
}

static void
add_origins(json_t *json, int depth, const LyfSession *session, LyfValue *origins)
{
	const char *type = json_string_value(json_object_get(json, "type"));
	const char *key;
	json_t	   *member;
	size_t		i;

	if (depth > MAX_DEPTH)
		return;
	if (type != NULL && strcmp(type, "HttpRequester") == 0)
	{
		LyfComponent requester = lyf_component(json, "");

		for (int f = 0; f < lengthof(fields); f++)
			add_origin(&requester, fields[f], session, origins);
	}
	json_object_foreach(json, key, member)
		add_origins(member, depth + 1, session, origins);
	json_array_foreach(json, i, member)
		add_origins(member, depth + 1, session, origins);
}

/* is the URL's host one of the manifest's?  They are looked up once a read */
static bool
is_named(const LyfRequester *requester, LyfSession *session, const char *url)
{
	if (requester->manifest == NULL)
		return false;
	if (session->origins == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(session->cxt);
		LyfValue   *origins = lyf_value_make(LYF_MAP);

		add_origins(requester->manifest, 0, session, origins);
		session->origins = origins;
		MemoryContextSwitchTo(old);
	}
	lyf_foreach(origin, session->origins)
		if (same_site(origin->key, url))
			return true;
	return false;
}

LyfFailure *
lyf_origin_check(const LyfRequester *requester, LyfSession *session, const char *url)
{
	const LyfTemplate *base = requester->url_base ? requester->url_base : requester->url;
	LyfFailure *failure;
	char	   *home;

	if (lyf_template_eval_text(base, &session->scope, &home) != NULL || !is_absolute(home))
		home = NULL;
	if (requester->may_leave || (home != NULL && same_site(home, url)) || is_named(requester, session, url))
		return NULL;
	if (home != NULL)
		failure = lyf_failure(ERRCODE_PROTOCOL_VIOLATION, "the source leads to another host, %s instead of %s",
							  lyf_url_origin(url), lyf_url_origin(home));
	else
		failure = lyf_failure(ERRCODE_PROTOCOL_VIOLATION, "the source leads to a host that the manifest does not name, %s",
							  lyf_url_origin(url));
	lyf_failure_detail(failure, "Nothing was sent there, since a server's answer must not say where credentials go.");
	return lyf_failure_hint(failure, "If that host belongs to the source, name it in the connector's manifest, as url_base or url of a requester.");
}
