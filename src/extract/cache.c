/*
 * cache.c
 *		Responses kept for the length of a read: parent streams are read once for
 *		all the streams that depend on them.
 *
 * What is the same request: method, URL, headers and body.  Only GETs that were
 * answered with 200 are kept, up to a total size; after that nothing more is.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "extract/extract_internal.h"

#define CACHE_MAX_BYTES		((Size) 64 * 1024 * 1024)
#define CACHE_BUCKETS		1024

typedef struct CacheEntry
{
	struct CacheEntry *next;
	const char *key;
	Size		key_len;
	LyfHttpResponse response;
} CacheEntry;

typedef struct LyfResponseCache
{
	Size		bytes;
	CacheEntry *buckets[CACHE_BUCKETS];
} LyfResponseCache;

StringInfoData
lyf_request_key(const LyfHttpRequest *request)
{
	StringInfoData key;

	initStringInfo(&key);
	appendStringInfo(&key, "%s %s\n", request->method, request->url);
	for (int i = 0; i < request->header_count; i++)
		appendStringInfo(&key, "%s: %s\n", request->headers[i].name, request->headers[i].value);
	appendStringInfoChar(&key, '\n');
	if (request->body != NULL)
		appendBinaryStringInfo(&key, request->body, request->body_len);
	return key;
}

static inline int
bucket_of(const StringInfoData *key)
{
	return hash_bytes((const unsigned char *) key->data, key->len) % CACHE_BUCKETS;
}

/* a copy of all of it in CurrentMemoryContext */
static void
copy_response(LyfHttpResponse *to, const LyfHttpResponse *from)
{
	LyfHeader  *headers = palloc(sizeof(LyfHeader) * Max(from->header_count, 1));

	*to = *from;
	for (int i = 0; i < from->header_count; i++)
	{
		headers[i].name = pstrdup(from->headers[i].name);
		headers[i].value = pstrdup(from->headers[i].value);
	}
	to->headers = headers;
	to->url = pstrdup(from->url ? from->url : "");
	to->body = MemoryContextAllocHuge(CurrentMemoryContext, from->body_len + 1);
	if (from->body_len > 0)
		memcpy(to->body, from->body, from->body_len);
	to->body[from->body_len] = '\0';
}

static CacheEntry *
find_entry(const LyfSession *session, const LyfHttpRequest *request)
{
	StringInfoData key;
	CacheEntry *entry;

	if (session->cache == NULL)
		return NULL;
	key = lyf_request_key(request);
	entry = session->cache->buckets[bucket_of(&key)];
	while (entry != NULL && (entry->key_len != key.len || memcmp(entry->key, key.data, key.len) != 0))
		entry = entry->next;
	pfree(key.data);
	return entry;
}

bool
lyf_cache_has(const LyfSession *session, const LyfHttpRequest *request)
{
	return find_entry(session, request) != NULL;
}

LyfHttpResponse *
lyf_cache_get(LyfSession *session, const LyfHttpRequest *request)
{
	CacheEntry *entry = find_entry(session, request);
	LyfHttpResponse *response;

	if (entry == NULL)
		return NULL;
	response = palloc(sizeof(LyfHttpResponse));
	copy_response(response, &entry->response);
	return response;
}

/* about what it takes to keep it */
static Size
response_size(const LyfHttpResponse *response)
{
	Size		size = sizeof(CacheEntry) + response->body_len;

	for (int i = 0; i < response->header_count; i++)
		size += sizeof(LyfHeader) + strlen(response->headers[i].name) + strlen(response->headers[i].value);
	return size;
}

void
lyf_cache_put(LyfSession *session, const LyfHttpRequest *request, const LyfHttpResponse *response)
{
	MemoryContext old;
	StringInfoData key;
	CacheEntry *entry;
	int			bucket;

	if (strcmp(request->method, "GET") != 0 || response->status != 200)
		return;
	old = MemoryContextSwitchTo(session->cxt);
	if (session->cache == NULL)
		session->cache = palloc0(sizeof(LyfResponseCache));
	if (session->cache->bytes + response_size(response) < CACHE_MAX_BYTES)
	{
		key = lyf_request_key(request);
		bucket = bucket_of(&key);
		entry = palloc(sizeof(CacheEntry));
		entry->key = key.data;
		entry->key_len = key.len;
		entry->next = session->cache->buckets[bucket];
		copy_response(&entry->response, response);
		session->cache->buckets[bucket] = entry;
		session->cache->bytes += key.maxlen + response_size(response);
	}
	MemoryContextSwitchTo(old);
}
