/*
 * value_jsonb.c
 *		Values to and from jsonb, without JSON text in between.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/float.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "base/memory.h"
#include "base/value.h"

/* about what a list or map, and each other value, takes while jsonb is made of it */
#define CONTAINER_MEMORY	300
#define SCALAR_MEMORY		100

static void
set_string(JsonbValue *jsonb, const char *text, size_t len)
{
	if (memchr(text, '\0', len) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("unsupported Unicode escape sequence"),
				 errdetail("\\u0000 cannot be converted to text.")));
	jsonb->type = jbvString;
	jsonb->val.string.val = (char *) text;
	jsonb->val.string.len = len;
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		jsonb->val.string.val = pg_any_to_server(text, len, PG_UTF8);
		if (jsonb->val.string.val != text)
			jsonb->val.string.len = strlen(jsonb->val.string.val);
	}
}

static Numeric
digits_to_numeric(const char *digits, size_t len)
{
	char	   *copy = pnstrdup(digits, len);
	Numeric		number;

	number = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(copy),
												 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	pfree(copy);
	return number;
}

static void
set_number(JsonbValue *jsonb, const LyfValue *value)
{
	if ((value->flags & LYF_FLAG_TEXT) == 0 && !isfinite(value->u.number))
	{
		/* as text, as to_jsonb() has it */
		jsonb->type = jbvString;
		jsonb->val.string.val = float8out_internal(value->u.number);
		jsonb->val.string.len = strlen(jsonb->val.string.val);
		return;
	}
	jsonb->type = jbvNumeric;
	if ((value->flags & LYF_FLAG_TEXT) != 0)
		jsonb->val.numeric = digits_to_numeric(value->u.text, value->len);
	else
	{
		char	   *digits = lyf_value_to_text(value);

		jsonb->val.numeric = digits_to_numeric(digits, strlen(digits));
	}
}

static void
set_scalar(JsonbValue *jsonb, const LyfValue *value)
{
	switch (value->kind)
	{
		case LYF_BOOL:
			jsonb->type = jbvBool;
			jsonb->val.boolean = value->u.boolean;
			break;
		case LYF_INT:
			jsonb->type = jbvNumeric;
			jsonb->val.numeric = int64_to_numeric(value->u.integer);
			break;
		case LYF_NUMBER:
			set_number(jsonb, value);
			break;
		case LYF_STRING:
			set_string(jsonb, value->u.text, value->len);
			break;
		case LYF_DATETIME:
		case LYF_DATE:
		case LYF_DURATION:
			{
				char	   *quoted = lyf_value_to_text(value);

				set_string(jsonb, quoted + 1, strlen(quoted) - 2);
				break;
			}
		default:
			jsonb->type = jbvNull;
	}
}

static JsonbValue *
push_value(JsonbParseState **state, const LyfValue *value, JsonbIteratorToken as)
{
	bool		is_map = value->kind == LYF_MAP;
	JsonbValue	scalar;

	if (!is_map && value->kind != LYF_LIST)
	{
		set_scalar(&scalar, value);
		return pushJsonbValue(state, as, &scalar);
	}
	check_stack_depth();
	pushJsonbValue(state, is_map ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	lyf_foreach(member, value)
	{
		if (is_map)
		{
			set_string(&scalar, member->key, member->key_len);
			pushJsonbValue(state, WJB_KEY, &scalar);
		}
		push_value(state, member, is_map ? WJB_VALUE : WJB_ELEM);
	}
	return pushJsonbValue(state, is_map ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
}

/* about what lyf_value_to_jsonb takes on its way */
static Size
jsonb_memory(const LyfValue *value)
{
	Size		memory = SCALAR_MEMORY + value->key_len;

	if (value->kind == LYF_STRING)
		return memory + value->len;
	if (value->kind != LYF_MAP && value->kind != LYF_LIST)
		return memory;
	check_stack_depth();
	memory += CONTAINER_MEMORY;
	lyf_foreach(member, value)
		memory += jsonb_memory(member);
	return memory;
}

Jsonb *
lyf_value_to_jsonb(const LyfValue *value)
{
	JsonbParseState *state = NULL;
	JsonbValue	scalar;

	if (jsonb_memory(value) > lyf_memory_limit() / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a value has too many parts to become jsonb")));
	if (value->kind == LYF_MAP || value->kind == LYF_LIST)
		return JsonbValueToJsonb(push_value(&state, value, WJB_ELEM));
	set_scalar(&scalar, value);
	return JsonbValueToJsonb(&scalar);
}

Datum
lyf_jsonb_or_null(const LyfValue *value, bool *isnull)
{
	*isnull = value == NULL;
	return value != NULL ? JsonbPGetDatum(lyf_value_to_jsonb(value)) : (Datum) 0;
}

static LyfValue *
make_string(const JsonbValue *jsonb)
{
	char	   *text = pg_server_to_any(jsonb->val.string.val, jsonb->val.string.len, PG_UTF8);
	size_t		len = text == jsonb->val.string.val ? jsonb->val.string.len : strlen(text);

	return lyf_value_string_len(text, len);
}

/* an integral number that fits is an INT, others keep their digits */
static LyfValue *
make_number(Numeric number)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	size_t		len = strlen(digits);
	LyfValue   *value;
	char	   *end;

	errno = 0;
	if (len <= MAXINT8LEN)
	{
		int64		integer = strtoll(digits, &end, 10);

		if (errno == 0 && *end == '\0')
			return lyf_value_int(integer);
	}
	value = lyf_value_make(LYF_NUMBER);
	value->flags = LYF_FLAG_TEXT;
	value->u.text = digits;
	value->len = len;
	return value;
}

static LyfValue *
make_scalar(const JsonbValue *jsonb)
{
	switch (jsonb->type)
	{
		case jbvBool:
			return lyf_value_bool(jsonb->val.boolean);
		case jbvNumeric:
			return make_number(jsonb->val.numeric);
		case jbvString:
			return make_string(jsonb);
		default:
			return lyf_value_make(LYF_NULL);
	}
}

/* the members of the container whose beginning was just read, up to its end */
static LyfValue *
make_container(JsonbIterator **iterator, LyfKind kind)
{
	LyfValue   *container = lyf_value_make(kind);
	LyfValue  **end = &container->u.first;
	LyfValue   *key = NULL;
	JsonbValue	item;
	JsonbIteratorToken token;

	check_stack_depth();
	while ((token = JsonbIteratorNext(iterator, &item, false)) != WJB_END_ARRAY &&
		   token != WJB_END_OBJECT)
	{
		LyfValue   *member;

		if (token == WJB_KEY)
		{
			key = make_string(&item);
			continue;
		}
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT)
			member = make_container(iterator, token == WJB_BEGIN_ARRAY ? LYF_LIST : LYF_MAP);
		else
			member = make_scalar(&item);
		if (key != NULL)
		{
			member->key = key->u.text;
			member->key_len = key->len;
		}
		*end = member;
		end = &member->next;
		container->len++;
	}
	return container;
}

LyfValue *
lyf_value_from_jsonb(const Jsonb *jsonb)
{
	JsonbIterator *iterator = JsonbIteratorInit((JsonbContainer *) &jsonb->root);
	JsonbValue	item;
	JsonbIteratorToken token = JsonbIteratorNext(&iterator, &item, false);

	if (token == WJB_BEGIN_ARRAY && item.val.array.rawScalar)
	{
		JsonbIteratorNext(&iterator, &item, false);
		return make_scalar(&item);
	}
	return make_container(&iterator, token == WJB_BEGIN_ARRAY ? LYF_LIST : LYF_MAP);
}
