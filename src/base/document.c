/*
 * document.c
 *		Documents in jansson's trees: who owns them, JSON text, and the way to
 *		values and back.  YAML is in yaml.c.
 */
#include "postgres.h"

#include <math.h>

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
lyf_document_from_json(const char *text, size_t len, json_t **document)
{
	json_error_t error;
	int64		nodes = 0;

	*document = NULL;
	if (len > LYF_DOCUMENT_SIZE)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "document is larger than %d bytes",
						   LYF_DOCUMENT_SIZE);
	*document = lyf_document_own(json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error));
	if (*document == NULL)
		return lyf_failure(ERRCODE_INVALID_TEXT_REPRESENTATION,
						   "invalid JSON at line %d, column %d", error.line, error.column);
	if (!lyf_document_fits(*document, 0, &nodes))
	{
		*document = NULL;
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "document is nested too deeply or too large");
	}
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

/* what has no counterpart in JSON becomes its text, as lyf_value_print has it */
static json_t *
scalar_to_document(const LyfValue *value)
{
	double		number;

	switch (value->kind)
	{
		case LYF_BOOL:
			return json_boolean(value->u.boolean);
		case LYF_INT:
			return json_integer(value->u.integer);
		case LYF_NUMBER:
			number = lyf_value_double(value);
			return isfinite(number) ? json_real(number) : json_null();
		case LYF_STRING:
			return json_stringn(value->u.text, value->len);
		case LYF_DATETIME:
		case LYF_DATE:
		case LYF_DURATION:
			{
				char	   *quoted = lyf_value_to_text(value);

				return json_stringn(quoted + 1, strlen(quoted) - 2);
			}
		default:
			return json_null();
	}
}

static json_t *
value_to_document(const LyfValue *value)
{
	json_t	   *json;

	check_stack_depth();
	if (value->kind == LYF_LIST)
	{
		json = json_array();
		lyf_foreach(member, value)
			json_array_append_new(json, value_to_document(member));
		return json;
	}
	if (value->kind == LYF_MAP)
	{
		json = lyf_document_object();
		lyf_foreach(member, value)
			json_object_set_new(json, member->key, value_to_document(member));
		return json;
	}
	return scalar_to_document(value);
}

/* keys end at a NUL byte; numbers beyond int64 become doubles */
json_t *
lyf_document_from_value(const LyfValue *value)
{
	return lyf_document_own(value_to_document(value));
}
