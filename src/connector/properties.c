/*
 * properties.c
 *		QueryProperties: which properties of its records a source is asked for, in one
 *		request or, where they are too many for that, in several whose records are put
 *		together again by a key.
 *
 * The properties are listed in the manifest, or the source is asked for them.  Templates see
 * those of a request as stream_slice.extra_fields.query_properties.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/hsearch.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "connector/read_internal.h"

/* what the source encodes between two properties of a request that counts characters */
#define DELIMITER_CHARACTERS	3

struct LyfProperties
{
	LyfValue   *list;			/* of texts, or */
	LyfStream  *endpoint;		/* PropertiesFromEndpoint: each record is one, at: */
	LyfPathTemplate endpoint_path;
	LyfValue   *always;			/* of texts, or NULL */
	bool		chunked;
	bool		by_characters;
	int64		limit;			/* of a chunk; 0: none */
	LyfValue   *keys;			/* of texts: records with the same values of them are one */
	bool		selected;		/* only those that the schema has, after: */
	LyfTransform **transforms;
	size_t		transform_count;
};

/* --- compiling --- */

static LyfFailure *
compile_endpoint(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfProperties *properties)
{
	LyfComponent retriever = lyf_component_child(c, "retriever");

	if (strcmp(c->type, "PropertiesFromEndpoint") != 0)
		return lyf_component_unsupported(c);
	if (retriever.json == NULL)
		return lyf_component_invalid(c, "field \"retriever\" is missing");
	LYF_TRY(lyf_path_template_compile(c, "property_field_path", &properties->endpoint_path));
	LYF_TRY(lyf_retriever_compile(&retriever, c->path, "properties", manifest, budget, &properties->endpoint));
	properties->endpoint->router = NULL;
	return NULL;
}

static LyfFailure *
compile_merge(const LyfComponent *c, LyfProperties *properties)
{
	LyfValue   *key;

	properties->keys = lyf_value_make(LYF_LIST);
	if (c->json != NULL && strcmp(c->type, "GroupByKeyMergeStrategy") != 0)
		return lyf_component_unsupported(c);
	LYF_TRY(lyf_component_value(c, "key", &key));
	if (key == NULL)
		key = lyf_value_string("id");
	if (key->kind == LYF_LIST)
		properties->keys = key;
	else
		lyf_value_append(properties->keys, key);
	lyf_foreach(one, properties->keys)
	{
		if (one->kind != LYF_STRING)
			return lyf_component_invalid(c, "key must be a name or a list of names");
	}
	return NULL;
}

static LyfFailure *
compile_chunking(const LyfComponent *c, LyfProperties *properties)
{
	LyfComponent merge = lyf_component_child(c, "record_merge_strategy");
	const char *limit_type;

	if (c->json == NULL)
		return NULL;
	if (strcmp(c->type, "PropertyChunking") != 0)
		return lyf_component_unsupported(c);
	properties->chunked = true;
	LYF_TRY(lyf_component_text(c, "property_limit_type", "property_count", &limit_type));
	properties->by_characters = strcmp(limit_type, "characters") == 0;
	if (!properties->by_characters && strcmp(limit_type, "property_count") != 0)
		return lyf_component_invalid(c, "property_limit_type must be characters or property_count");
	LYF_TRY(lyf_component_int(c, "property_limit", 0, &properties->limit));
	return compile_merge(&merge, properties);
}

static LyfFailure *
compile_selector(const LyfComponent *c, LyfProperties *properties)
{
	if (c->json == NULL)
		return NULL;
	if (strcmp(c->type, "JsonSchemaPropertySelector") != 0)
		return lyf_component_unsupported(c);
	properties->selected = true;
	LYF_TRY(lyf_component_list(c, "transformations", &properties->transform_count));
	properties->transforms = palloc(sizeof(LyfTransform *) * (properties->transform_count + 1));
	for (size_t i = 0; i < properties->transform_count; i++)
	{
		LyfComponent transform = lyf_component_item(c, "transformations", i);

		LYF_TRY(lyf_transform_compile(&transform, &properties->transforms[i]));
	}
	return NULL;
}

static LyfFailure *
compile_texts(const LyfComponent *c, const char *field, LyfValue **texts)
{
	LYF_TRY(lyf_component_value(c, field, texts));
	if (*texts == NULL)
		return NULL;
	if ((*texts)->kind != LYF_LIST)
		return lyf_component_invalid(c, "%s must be a list", field);
	lyf_foreach(text, *texts)
	{
		if (text->kind != LYF_STRING)
			return lyf_component_invalid(c, "%s must be a list of texts", field);
	}
	return NULL;
}

static LyfFailure *
compile_query(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfProperties *properties)
{
	LyfComponent list = lyf_component_child(c, "property_list");
	LyfComponent chunking = lyf_component_child(c, "property_chunking");
	LyfComponent selector = lyf_component_child(c, "property_selector");

	if (json_is_object(list.json))
		LYF_TRY(compile_endpoint(&list, manifest, budget, properties));
	else
		LYF_TRY(compile_texts(c, "property_list", &properties->list));
	LYF_TRY(compile_texts(c, "always_include_properties", &properties->always));
	LYF_TRY(compile_chunking(&chunking, properties));
	return compile_selector(&selector, properties);
}

/* where a requester has them: as the value of a parameter, or in a field of its own */
static LyfFailure *
find_component(const LyfComponent *requester, LyfComponent *found, bool *is_endpoint)
{
	LyfComponent parameters = lyf_component_child(requester, "request_parameters");
	const char *key;
	json_t	   *value;
	int			count = 0;

	*is_endpoint = false;
	*found = lyf_component_child(requester, "query_properties");
	if (found->json == NULL)
	{
		*found = lyf_component_child(requester, "fetch_properties_from_endpoint");
		*is_endpoint = found->json != NULL;
	}
	json_object_foreach(parameters.json, key, value)
	{
		const char *type = json_string_value(json_object_get(value, "type"));

		if (type == NULL || strcmp(type, "QueryProperties") != 0)
			continue;
		*found = lyf_component_child(&parameters, key);
		*is_endpoint = false;
		count++;
	}
	return count > 1 ? lyf_component_invalid(&parameters, "only one of them may be QueryProperties") : NULL;
}

LyfFailure *
lyf_properties_compile(const LyfComponent *requester, json_t *manifest, LyfBudget *budget, LyfProperties **out)
{
	LyfProperties *properties;
	LyfComponent c;
	bool		is_endpoint;

	*out = NULL;
	LYF_TRY(find_component(requester, &c, &is_endpoint));
	if (c.json == NULL)
		return NULL;
	properties = palloc0(sizeof(LyfProperties));
	*out = properties;
	if (is_endpoint)
		return compile_endpoint(&c, manifest, budget, properties);
	if (strcmp(c.type, "QueryProperties") != 0)
		return lyf_component_unsupported(&c);
	return compile_query(&c, manifest, budget, properties);
}

/* --- the chunks of a read --- */

/* the source's own list */
static LyfFailure *
ask_endpoint(const LyfProperties *properties, LyfSession *session, LyfValue **list)
{
	LyfParent	parent = {.stream = properties->endpoint};
	LyfFailure *failure = NULL;
	LyfValue   *record;
	const LyfSlice *slice;
	LyfPath		path;
	void	   *reader;
	LyfValue  **tail;

	LYF_TRY(lyf_path_template_eval(&properties->endpoint_path, &session->scope, &path));
	lyf_parent_bind(&parent);
	LYF_TRY(parent.begin(&parent, session, NULL, &reader));
	*list = lyf_value_make(LYF_LIST);
	tail = &(*list)->u.first;
	while ((failure = parent.next(reader, &record, &slice)) == NULL && record != NULL)
	{
		LyfValue   *property;

		failure = lyf_path_get_sole(record, &path, &property);
		if (failure != NULL)
			break;
		*tail = lyf_value_string(property != NULL ? lyf_template_str(property) : "[]");
		tail = &(*tail)->next;
		(*list)->len++;
	}
	if (failure != NULL)
		failure = lyf_failure_copy(failure);
	parent.end(reader);
	return failure;
}

/* the properties that the schema has, as the source calls them; NULL: all of them are wanted */
static LyfFailure *
select_properties(const LyfProperties *properties, LyfSession *session, const LyfValue *schema, LyfValue **selected)
{
	const LyfValue *known = lyf_value_get(schema, "properties");
	LyfScope	scope;

	*selected = NULL;
	if (!properties->selected || !lyf_value_is(known, LYF_MAP))
		return NULL;
	*selected = lyf_value_copy(known);
	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set(&scope, "record", *selected);
	for (size_t i = 0; i < properties->transform_count; i++)
		LYF_TRY(lyf_transform_apply(properties->transforms[i], &scope, *selected));
	return NULL;
}

/* a chunk that begins with those that are always there */
static LyfValue *
begin_chunk(const LyfProperties *properties)
{
	return properties->always != NULL ? lyf_value_copy(properties->always) : lyf_value_make(LYF_LIST);
}

static int64
size_of(const LyfProperties *properties, const LyfValue *property)
{
	int64		characters = 0;

	if (!properties->by_characters)
		return 1;
	for (const char *p = property->u.text; *p != '\0'; p += pg_utf_mblen((const unsigned char *) p))
		characters++;
	return characters + DELIMITER_CHARACTERS;
}

LyfFailure *
lyf_properties_chunks(const LyfProperties *properties, LyfSession *session, const LyfValue *schema, LyfValue **chunks)
{
	LyfValue   *list = properties->list;
	LyfValue   *selected;
	LyfValue   *chunk = begin_chunk(properties);
	int64		limit = properties->chunked ? properties->limit : 0;
	int64		size = 0;

	if (properties->endpoint != NULL)
		LYF_TRY(ask_endpoint(properties, session, &list));
	LYF_TRY(select_properties(properties, session, schema, &selected));
	*chunks = lyf_value_make(LYF_LIST);
	for (LyfValue *property = list != NULL ? list->u.first : NULL; property != NULL; property = property->next)
	{
		int64		more = size_of(properties, property);

		if (selected != NULL && lyf_value_get_len(selected, property->u.text, property->len) == NULL)
			continue;
		if (limit > 0 && size + more > limit)
		{
			lyf_value_append(*chunks, chunk);
			chunk = begin_chunk(properties);
			size = 0;
		}
		lyf_value_append(chunk, lyf_value_alias(property));
		size += more;
	}
	lyf_value_append(*chunks, chunk);
	return NULL;
}

/* --- records of several requests --- */

/* a record that is known already, and which of the page's it is */
typedef struct Known
{
	uint8		key[LYF_SHA256_BYTES];	/* of the values of its keys */
	int			place;
} Known;

struct LyfMerge
{
	const LyfProperties *properties;
	HTAB	   *known;
	LyfRecords	single;			/* those without a key */
	LyfRecords	merged;
};

LyfMerge *
lyf_merge_begin(const LyfProperties *properties)
{
	LyfMerge   *merge = palloc0(sizeof(LyfMerge));
	HASHCTL		ctl = {0};

	merge->properties = properties;
	ctl.keysize = LYF_SHA256_BYTES;
	ctl.entrysize = sizeof(Known);
	ctl.hcxt = CurrentMemoryContext;
	merge->known = hash_create("lyftron records of a page", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return merge;
}

/* false: one of the key's values is missing, or nothing */
static bool
read_key(const LyfProperties *properties, const LyfValue *record, uint8 digest[LYF_SHA256_BYTES])
{
	StringInfoData text;

	initStringInfo(&text);
	lyf_foreach(key, properties->keys)
	{
		const LyfValue *value = lyf_value_get_len(record, key->u.text, key->len);

		if (!lyf_value_truth(value))
			return false;
		lyf_value_print(&text, value);
		appendStringInfoChar(&text, ',');
	}
	lyf_sha256(text.data, text.len, digest);
	pfree(text.data);
	return true;
}

LyfFailure *
lyf_merge_add(LyfMerge *merge, const LyfRecords *records)
{
	for (int i = 0; i < records->count; i++)
	{
		LyfValue   *record = records->record[i];
		uint8		digest[LYF_SHA256_BYTES];
		Known	   *known;
		bool		found;

		if (!merge->properties->chunked || record->kind != LYF_MAP || !read_key(merge->properties, record, digest))
		{
			lyf_records_add(&merge->single, record);
			continue;
		}
		known = hash_search(merge->known, digest, HASH_ENTER, &found);
		if (found)
			merge->merged.record[known->place] = lyf_value_merge_deep(merge->merged.record[known->place], record);
		else
		{
			known->place = merge->merged.count;
			lyf_records_add(&merge->merged, record);
		}
	}
	return lyf_memory_check(0);
}

void
lyf_merge_end(LyfMerge *merge, LyfRecords *records)
{
	int64		extracted = records->facts.record_count;

	*records = merge->single;
	for (int i = 0; i < merge->merged.count; i++)
		lyf_records_add(records, merge->merged.record[i]);
	records->facts.record_count = extracted;
	records->facts.emitted_count = records->count;
	records->facts.last_record = records->count > 0 ? records->record[records->count - 1] : NULL;
	hash_destroy(merge->known);
}
