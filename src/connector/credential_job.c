/*
 * credential_job.c
 *		A renewal as JSON, on its way from the backend to the worker.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/guc.h"

#include "base/json.h"
#include "connector/credential_internal.h"

/* what holds for the backend, by its role's settings, too, and the worker's requests depend on */
static const char *const settings[] = {
	"lyftron.connect_timeout", "lyftron.request_timeout", "lyftron.max_response_size", "lyftron.max_retry_wait",
	"lyftron.allowed_hosts", "lyftron.ca_file", "lyftron.test_now"
};

static void
put_text(LyfValue *map, const char *key, const char *text)
{
	if (text != NULL)
		lyf_value_set(map, key, lyf_value_string(pg_server_to_any(text, strlen(text), PG_UTF8)));
}

/* what never was in the database's encoding */
static void
put_utf8(LyfValue *map, const char *key, const char *text)
{
	if (text != NULL)
		lyf_value_set(map, key, lyf_value_string(text));
}

static void
put_value(LyfValue *map, const char *key, const LyfValue *value)
{
	if (value != NULL)
		lyf_value_set(map, key, lyf_value_alias(value));
}

static LyfValue *
write_http(const LyfHttpRequest *http)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);
	LyfValue   *headers = lyf_value_make(LYF_LIST);

	put_utf8(map, "method", http->method);
	put_utf8(map, "url", http->url);
	put_utf8(map, "body", http->body);
	for (int i = 0; i < http->header_count; i++)
	{
		LyfValue   *header = lyf_value_make(LYF_MAP);

		put_utf8(header, "name", http->headers[i].name);
		put_utf8(header, "value", http->headers[i].value);
		lyf_value_append(headers, header);
	}
	lyf_value_set(map, "headers", headers);
	return map;
}

char *
lyf_credential_job_write(const LyfCredentialJob *job)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);
	LyfValue   *set = lyf_value_make(LYF_MAP);

	lyf_value_set(map, "server", lyf_value_int(job->key.server));
	lyf_value_set(map, "mapping_user", lyf_value_int(job->key.mapping_user));
	put_text(map, "server_name", job->key.server_name);
	put_text(map, "path", job->key.path);
	put_text(map, "origin", job->key.origin);
	put_value(map, "access_path", job->paths.access);
	put_value(map, "refresh_path", job->paths.refresh);
	put_value(map, "expiry_path", job->paths.expiry);
	lyf_value_set(map, "http", write_http(&job->request.http));
	put_utf8(map, "access_name", job->request.access_name);
	put_utf8(map, "refresh_name", job->request.refresh_name);
	put_utf8(map, "expires_name", job->request.expires_name);
	lyf_value_set(map, "expires_at", lyf_value_bool(job->request.expires_at));
	put_value(map, "known", job->known);
	lyf_value_set(map, "lock_class", lyf_value_int(job->lock_class));
	lyf_value_set(map, "lock_object", lyf_value_int(job->lock_object));
	lyf_value_set(map, "user", lyf_value_int(job->user));
	for (int i = 0; i < lengthof(settings); i++)
		put_text(set, settings[i], GetConfigOption(settings[i], false, false));
	lyf_value_set(map, "settings", set);
	return lyf_value_to_text(map);
}

static const char *
get_text(const LyfValue *map, const char *key)
{
	const char *text = lyf_value_text(lyf_value_get(map, key));

	return text == NULL ? NULL : pg_any_to_server(text, strlen(text), PG_UTF8);
}

static const char *
get_utf8(const LyfValue *map, const char *key)
{
	return lyf_value_text(lyf_value_get(map, key));
}

static Oid
get_oid(const LyfValue *map, const char *key)
{
	const LyfValue *value = lyf_value_get(map, key);

	return lyf_value_is(value, LYF_INT) ? (Oid) value->u.integer : InvalidOid;
}

static void
read_http(const LyfValue *map, LyfHttpRequest *http)
{
	const LyfValue *headers = lyf_value_get(map, "headers");
	LyfHeader  *list = palloc(sizeof(LyfHeader) * Max(headers->len, 1));

	http->method = get_utf8(map, "method");
	http->url = get_utf8(map, "url");
	http->body = get_utf8(map, "body");
	http->body_len = http->body != NULL ? strlen(http->body) : 0;
	http->headers = list;
	lyf_foreach(header, headers)
	{
		list[http->header_count].name = get_utf8(header, "name");
		list[http->header_count++].value = get_utf8(header, "value");
	}
}

void
lyf_credential_job_read(const char *text, LyfCredentialJob *job)
{
	LyfValue   *map;

	memset(job, 0, sizeof(*job));
	LYF_CHECK(lyf_json_parse_copy(text, strlen(text), &map));
	job->key.server = get_oid(map, "server");
	job->key.mapping_user = get_oid(map, "mapping_user");
	job->key.server_name = get_text(map, "server_name");
	job->key.path = get_text(map, "path");
	job->key.origin = get_text(map, "origin");
	job->paths.access = lyf_value_get(map, "access_path");
	job->paths.refresh = lyf_value_get(map, "refresh_path");
	job->paths.expiry = lyf_value_get(map, "expiry_path");
	read_http(lyf_value_get(map, "http"), &job->request.http);
	job->request.access_name = get_utf8(map, "access_name");
	job->request.refresh_name = get_utf8(map, "refresh_name");
	job->request.expires_name = get_utf8(map, "expires_name");
	job->request.expires_at = lyf_value_truth(lyf_value_get(map, "expires_at"));
	job->known = lyf_value_get(map, "known");
	job->lock_class = get_oid(map, "lock_class");
	job->lock_object = get_oid(map, "lock_object");
	job->user = get_oid(map, "user");
	lyf_foreach(setting, lyf_value_get(map, "settings"))
		SetConfigOption(setting->key, get_text(lyf_value_get(map, "settings"), setting->key), PGC_SUSET, PGC_S_OVERRIDE);
}
