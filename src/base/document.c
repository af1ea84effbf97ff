/*
 * document.c
 *		Documents in jansson's trees: who owns them, how large they are, and the way
 *		to values.  YAML is in yaml.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/document_internal.h"

json_t *
lyf_document_object(void)
{
	return json_pack("{}");
}

static void
release_document(void *arg)
{
	json_decref(arg);
}

json_t *
lyf_document_own(json_t *json)
{
	MemoryContextCallback *callback;

	if (json == NULL)
		return NULL;
	callback = palloc(sizeof(MemoryContextCallback));
	callback->func = release_document;
	callback->arg = json;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return json;
}

bool
lyf_document_fits(const json_t *json, int depth, int64 *nodes)
{
	json_t	   *member;
	const char *key;
	size_t		index;

	if (depth > LYF_DOCUMENT_DEPTH || ++*nodes > LYF_DOCUMENT_NODES)
		return false;
	if (json_is_array(json))
	{
		json_array_foreach(json, index, member)
		{
			if (!lyf_document_fits(member, depth + 1, nodes))
				return false;
		}
	}
	else if (json_is_object(json))
	{
		json_object_foreach((json_t *) json, key, member)
		{
			if (!lyf_document_fits(member, depth + 1, nodes))
				return false;
		}
	}
	return true;
}

LyfFailure *
lyf_document_from_value(const LyfValue *value, json_t **document)
{
	StringInfoData text;
	json_error_t error;
	json_t	   *json;

	initStringInfo(&text);
	lyf_value_print(&text, value);
	json = json_loadb(text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	pfree(text.data);
	if (json == NULL)
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "a value does not fit into a manifest: %s", error.text);
	*document = lyf_document_own(json);
	return NULL;
}

LyfValue *
lyf_document_to_value(const json_t *json)
{
	LyfValue   *value;
	LyfValue  **end;
	json_t	   *member;
	const char *key;
	size_t		index;

	switch (json_typeof(json))
	{
		case JSON_NULL:
			return lyf_value_make(LYF_NULL);
		case JSON_TRUE:
		case JSON_FALSE:
			return lyf_value_bool(json_is_true(json));
		case JSON_INTEGER:
			return lyf_value_int(json_integer_value(json));
		case JSON_REAL:
			return lyf_value_number(json_real_value(json));
		case JSON_STRING:
			return lyf_value_string_len(json_string_value(json), json_string_length(json));
		case JSON_ARRAY:
		case JSON_OBJECT:
			break;
	}

	check_stack_depth();
	value = lyf_value_make(json_is_object(json) ? LYF_MAP : LYF_LIST);
	end = &value->u.first;
	json_array_foreach(json, index, member)
	{
		*end = lyf_document_to_value(member);
		end = &(*end)->next;
		value->len++;
	}
	json_object_foreach((json_t *) json, key, member)
	{
		*end = lyf_document_to_value(member);
		(*end)->key = pstrdup(key);
		(*end)->key_len = strlen(key);
		end = &(*end)->next;
		value->len++;
	}
	return value;
}
