/*
 * normalize.c
 *		schema_normalization: Default, values brought to the types of the JSON schema.
 *
 * Python's conversions str, float, int and bool decide; a value that cannot be converted
 * stays as it is.  Only a type that is one (besides null) converts.
 */
#include "postgres.h"

#include <ctype.h>
#include <math.h>

#include "miscadmin.h"

#include "decode/decode_internal.h"

/* replace a node's contents, its key and place stay */
static void
assign(LyfValue *value, const LyfValue *contents)
{
	value->kind = contents->kind;
	value->flags = contents->flags;
	value->len = contents->len;
	value->u = contents->u;
}

static void
to_string(LyfValue *value)
{
	if (value->kind != LYF_STRING)
		assign(value, lyf_value_string(lyf_template_str(value)));
}

/* a text without surrounding blanks, short enough to be a number's; NULL: it is none */
static char *
trim_number(const LyfValue *value, char *buf, size_t size)
{
	const char *text = value->u.text;
	const char *end = text + value->len;

	while (text < end && isspace((unsigned char) *text))
		text++;
	while (end > text && isspace((unsigned char) end[-1]))
		end--;
	if (end == text || end - text >= size)
		return NULL;
	memcpy(buf, text, end - text);
	buf[end - text] = '\0';
	return buf;
}

/* digits beyond int64, without a fraction or an exponent */
static bool
is_large_integer(const LyfValue *value)
{
	if ((value->flags & LYF_FLAG_TEXT) == 0)
		return false;
	for (uint32 i = 0; i < value->len; i++)
	{
		if (strchr(".eE", value->u.text[i]) != NULL)
			return false;
	}
	return isfinite(lyf_value_double(value));
}

static void
to_number(LyfValue *value)
{
	char		buf[400];
	char	   *text;
	char	   *end;
	double		number;

	switch (value->kind)
	{
		case LYF_BOOL:
		case LYF_INT:
			assign(value, lyf_value_number(lyf_value_double(value)));
			break;
		case LYF_NUMBER:
			if (is_large_integer(value))
				assign(value, lyf_value_number(lyf_value_double(value)));
			break;
		case LYF_STRING:
			text = trim_number(value, buf, sizeof(buf));
			if (text == NULL || text[strspn(text, "0123456789+-.eE")] != '\0')
				break;
			number = strtod(text, &end);
			if (*end == '\0' && isfinite(number))
				assign(value, lyf_value_number(number));
			break;
		default:
			break;
	}
}

static void
to_integer(LyfValue *value)
{
	char		buf[32];
	char	   *text;
	char	   *end;
	int64		integer;

	switch (value->kind)
	{
		case LYF_BOOL:
			assign(value, lyf_value_int(value->u.boolean));
			break;
		case LYF_NUMBER:
			if (fabs(lyf_value_double(value)) < 9.2e18)
				assign(value, lyf_value_int((int64) lyf_value_double(value)));
			break;
		case LYF_STRING:
			text = trim_number(value, buf, sizeof(buf));
			if (text == NULL)
				break;
			errno = 0;
			integer = strtoll(text, &end, 10);
			if (errno == 0 && *end == '\0')
				assign(value, lyf_value_int(integer));
			break;
		default:
			break;
	}
}

static void
text_to_boolean(LyfValue *value)
{
	static const struct
	{
		const char *text;
		bool		boolean;
	}			words[] = {
		{"y", true}, {"yes", true}, {"t", true}, {"true", true}, {"on", true}, {"1", true},
		{"n", false}, {"no", false}, {"f", false}, {"false", false}, {"off", false}, {"0", false}
	};
	char		buf[8];
	char	   *text = trim_number(value, buf, sizeof(buf));

	for (int i = 0; i < lengthof(words) && text != NULL; i++)
	{
		if (pg_strcasecmp(text, words[i].text) == 0)
		{
			assign(value, lyf_value_bool(words[i].boolean));
			return;
		}
	}
}

static void
to_boolean(LyfValue *value)
{
	switch (value->kind)
	{
		case LYF_STRING:
			text_to_boolean(value);
			break;
		case LYF_NULL:
			assign(value, lyf_value_bool(false));
			break;
		case LYF_INT:
		case LYF_NUMBER:
			assign(value, lyf_value_bool(lyf_value_double(value) != 0));
			break;
		case LYF_LIST:
		case LYF_MAP:
			assign(value, lyf_value_bool(value->len > 0));
			break;
		default:
			break;
	}
}

static bool
is_simple_type(const LyfValue *type)
{
	static const char *const simple[] = {"string", "number", "integer", "boolean", "null"};

	for (int i = 0; i < lengthof(simple); i++)
	{
		if (lyf_value_is(type, LYF_STRING) && strcmp(type->u.text, simple[i]) == 0)
			return true;
	}
	return false;
}

/* one scalar becomes a list of itself, unless the items' types are a single text or not all scalar */
static void
to_array(LyfValue *value, const LyfValue *schema)
{
	const LyfValue *types = lyf_value_get(lyf_value_get(schema, "items"), "type");
	LyfValue   *list;

	if (value->kind == LYF_LIST || value->kind == LYF_MAP || lyf_value_is(types, LYF_STRING))
		return;
	if (types != NULL)
	{
		lyf_foreach(type, types)
		{
			if (!is_simple_type(type))
				return;
		}
	}
	list = lyf_value_make(LYF_LIST);
	lyf_value_append(list, lyf_value_alias(value));
	assign(value, list);
}

static const struct
{
	const char *type;
	void		(*convert) (LyfValue *value);
}			conversions[] = {
	{"string", to_string},
	{"number", to_number},
	{"integer", to_integer},
	{"boolean", to_boolean}
};

/* the one type of a schema besides null, or NULL; *nullable: null is one of them */
static const char *
get_type(const LyfValue *schema, bool *nullable)
{
	const LyfValue *types = lyf_value_get(schema, "type");
	const char *type = lyf_value_text(types);

	*nullable = type != NULL && strcmp(type, "null") == 0;
	if (!lyf_value_is(types, LYF_LIST))
		return type;
	lyf_foreach(item, types)
	{
		if (item->kind != LYF_STRING)
			return NULL;
		if (strcmp(item->u.text, "null") == 0)
			*nullable = true;
		else if (type != NULL)
			return NULL;
		else
			type = item->u.text;
	}
	return type;
}

static void
convert(LyfValue *value, const LyfValue *schema)
{
	bool		nullable;
	const char *type = get_type(schema, &nullable);

	if (type == NULL || (value->kind == LYF_NULL && nullable))
		return;
	if (strcmp(type, "array") == 0)
	{
		to_array(value, schema);
		return;
	}
	for (int i = 0; i < lengthof(conversions); i++)
	{
		if (strcmp(type, conversions[i].type) == 0)
			conversions[i].convert(value);
	}
}

void
lyf_normalize(LyfValue *record, const LyfValue *schema)
{
	const LyfValue *properties = lyf_value_get(schema, "properties");
	const LyfValue *items = lyf_value_get(schema, "items");

	check_stack_depth();
	if (record->kind == LYF_MAP && lyf_value_is(properties, LYF_MAP))
	{
		lyf_foreach(property, properties)
		{
			LyfValue   *member = lyf_value_get_len(record, property->key, property->key_len);

			if (member == NULL)
				continue;
			convert(member, property);
			lyf_normalize(member, property);
		}
	}
	else if (record->kind == LYF_LIST && lyf_value_is(items, LYF_MAP))
	{
		lyf_foreach(item, record)
		{
			convert(item, items);
			lyf_normalize(item, items);
		}
	}
}
