/*
 * spec.c
 *		Is a configuration what the manifest's connection specification asks for?
 *
 * The part of JSON schema that such specifications use: type, required, enum,
 * const, pattern, minimum and maximum, properties, items, oneOf, anyOf, allOf.
 * Properties that the specification does not know are allowed.  Messages name the
 * property and say what is expected, never the value: it may be secret.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "regex/regex.h"

#include "base/document.h"
#include "connector/connector.h"

/* specifications are nested no deeper than manifests are; this is for who calls with another one */
#define MAX_DEPTH	200

/* What is being checked, and where in it we are, from the inside out */
typedef struct Check
{
	const LyfConnector *connector;
	bool		secrets_given;
	bool		trying;			/* an alternative: it need not be the one that was meant */
} Check;

typedef struct Property
{
	const struct Property *outer;
	const char *key;			/* NULL: an item */
	int			depth;
} Property;

typedef LyfFailure *(*CheckRule) (const Check *check, const Property *at, const LyfValue *schema,
								  const LyfValue *rule, const LyfValue *value);

static LyfFailure *check_value(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *value);

static void
print_property(StringInfo out, const Property *at)
{
	if (at->outer == NULL)
		return;
	print_property(out, at->outer);
	if (at->key == NULL)
		appendStringInfoString(out, "[]");
	else
		appendStringInfo(out, "%s%s", out->len > 0 ? "." : "", at->key);
}

static char *
property_name(const Property *at)
{
	StringInfoData name;

	initStringInfo(&name);
	print_property(&name, at);
	return name.data;
}

/* the names of types, one or a list of them */
static void
print_types(StringInfo out, const LyfValue *type)
{
	if (lyf_value_is(type, LYF_STRING))
		appendStringInfoString(out, type->u.text);
	else if (lyf_value_is(type, LYF_LIST))
	{
		lyf_foreach(one, type)
			appendStringInfo(out, "%s%s", one == type->u.first ? "" : " or ", lyf_value_to_text(one));
	}
	else
		appendStringInfoString(out, "a value");
}

static void
print_choices(StringInfo out, const char *word, const LyfValue *list)
{
	if (!lyf_value_is(list, LYF_LIST))
		return;
	appendStringInfoString(out, word);
	lyf_foreach(choice, list)
		appendStringInfo(out, "%s%s", choice == list->u.first ? "" : ", ", lyf_value_to_text(choice));
}

/* what a property should be: "string, one of "a", "b", like "c"" */
static char *
expectation(const LyfValue *schema)
{
	const LyfValue *constant = lyf_value_get(schema, "const");
	const char *pattern = lyf_value_text(lyf_value_get(schema, "pattern"));
	StringInfoData out;

	initStringInfo(&out);
	print_types(&out, lyf_value_get(schema, "type"));
	if (constant != NULL)
		appendStringInfo(&out, " %s", lyf_value_to_text(constant));
	print_choices(&out, ", one of ", lyf_value_get(schema, "enum"));
	if (pattern != NULL)
		appendStringInfo(&out, " that fits the pattern %s", pattern);
	print_choices(&out, ", for example ", lyf_value_get(schema, "examples"));
	return out.data;
}

static LyfFailure *
wrong(const Check *check, const Property *at, const LyfValue *schema, const char *problem)
{
	char	   *name = property_name(at);
	LyfFailure *failure;

	if (*name == '\0')
		failure = lyf_failure(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
							  "configuration for connector \"%s\" %s", check->connector->name, problem);
	else
		failure = lyf_failure(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
							  "configuration property \"%s\" for connector \"%s\" %s",
							  name, check->connector->name, problem);
	return lyf_failure_hint(failure, "Expected: %s.", expectation(schema));
}

/* is it secret, or is something in it? */
static bool
holds_secret(const LyfValue *schema)
{
	static const char *const inner[] = {"properties", "oneOf", "anyOf", "allOf"};
	const LyfValue *mark = lyf_value_get(schema, "airbyte_secret");

	if (lyf_value_is(mark, LYF_BOOL) && mark->u.boolean)
		return true;
	for (int i = 0; i < lengthof(inner); i++)
	{
		const LyfValue *members = lyf_value_get(schema, inner[i]);

		if (!lyf_value_is(members, LYF_MAP) && !lyf_value_is(members, LYF_LIST))
			continue;
		lyf_foreach(member, members)
		{
			if (holds_secret(member))
				return true;
		}
	}
	return false;
}

static bool
is_integral(const LyfValue *value)
{
	return value->kind == LYF_INT ||
		(value->kind == LYF_NUMBER && rint(lyf_value_double(value)) == lyf_value_double(value));
}

static bool
is_of_type(const LyfValue *value, const char *type)
{
	static const struct
	{
		const char *name;
		LyfKind		kind;
	}			types[] =
	{
		{"string", LYF_STRING},
		{"boolean", LYF_BOOL},
		{"number", LYF_NUMBER},
		{"object", LYF_MAP},
		{"array", LYF_LIST},
		{"null", LYF_NULL},
	};

	if (strcmp(type, "integer") == 0)
		return is_integral(value);
	for (int i = 0; i < lengthof(types); i++)
	{
		if (strcmp(types[i].name, type) == 0)
			return value->kind == types[i].kind || (types[i].kind == LYF_NUMBER && value->kind == LYF_INT);
	}
	return true;				/* no type that JSON schema knows: says nothing */
}

static LyfFailure *
check_type(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	if (rule->kind == LYF_STRING)
		return is_of_type(value, rule->u.text) ? NULL : wrong(check, at, schema, "has the wrong type");
	if (rule->kind != LYF_LIST)
		return NULL;
	lyf_foreach(type, rule)
	{
		if (type->kind == LYF_STRING && is_of_type(value, type->u.text))
			return NULL;
	}
	return wrong(check, at, schema, "has the wrong type");
}

static LyfFailure *
check_enum(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	if (rule->kind != LYF_LIST)
		return NULL;
	lyf_foreach(choice, rule)
	{
		if (lyf_value_equal(choice, value))
			return NULL;
	}
	return wrong(check, at, schema, "is none of the possible values");
}

static LyfFailure *
check_const(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	return lyf_value_equal(rule, value) ? NULL : wrong(check, at, schema, "has the wrong value");
}

static pg_wchar *
to_wide(const char *text, size_t len, size_t *wide_len)
{
	pg_wchar   *wide = palloc(sizeof(pg_wchar) * (len + 1));

	*wide_len = pg_encoding_mb2wchar_with_len(PG_UTF8, text, wide, len);
	return wide;
}

/*
 * The pattern is a regular expression of another dialect, and many are stricter
 * than the service: a value that does not fit is worth a warning when the server
 * is made, not more.  Where PostgreSQL does not take the pattern, or cannot
 * decide, it says nothing.
 */
static LyfFailure *
check_pattern(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	regex_t		regex;
	pg_wchar   *wide;
	size_t		len;
	int			result;

	if (check->trying || check->secrets_given ||
		rule->kind != LYF_STRING || value->kind != LYF_STRING || GetDatabaseEncoding() != PG_UTF8)
		return NULL;
	wide = to_wide(rule->u.text, rule->len, &len);
	if (pg_regcomp(&regex, wide, len, REG_ADVANCED | REG_NOSUB, DEFAULT_COLLATION_OID) != REG_OKAY)
		return NULL;
	wide = to_wide(value->u.text, value->len, &len);
	result = pg_regexec(&regex, wide, len, 0, NULL, 0, NULL, 0);
	pg_regfree(&regex);
	if (result == REG_NOMATCH)
	{
		LyfFailure *misfit = wrong(check, at, schema, "does not fit its pattern");

		ereport(WARNING,
				(errcode(misfit->sqlstate),
				 errmsg_internal("%s", misfit->message),
				 errhint("%s", misfit->hint)));
	}
	return NULL;
}

static bool
is_number(const LyfValue *value)
{
	return value->kind == LYF_INT || value->kind == LYF_NUMBER;
}

static LyfFailure *
check_minimum(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	if (!is_number(rule) || !is_number(value) || lyf_value_double(value) >= lyf_value_double(rule))
		return NULL;
	return wrong(check, at, schema, psprintf("is less than %s", lyf_value_to_text(rule)));
}

static LyfFailure *
check_maximum(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	if (!is_number(rule) || !is_number(value) || lyf_value_double(value) <= lyf_value_double(rule))
		return NULL;
	return wrong(check, at, schema, psprintf("is greater than %s", lyf_value_to_text(rule)));
}

static LyfFailure *
check_required(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	const LyfValue *properties = lyf_value_get(schema, "properties");

	if (rule->kind != LYF_LIST || value->kind != LYF_MAP)
		return NULL;
	lyf_foreach(name, rule)
	{
		Property	missing = {at, lyf_value_text(name), at->depth + 1};
		const LyfValue *property = missing.key ? lyf_value_get(properties, missing.key) : NULL;
		LyfFailure *failure;

		if (missing.key == NULL || lyf_value_get(value, missing.key) != NULL)
			continue;
		if (!check->secrets_given && holds_secret(property))
			continue;
		failure = wrong(check, &missing, property, "is missing");
		if (holds_secret(property))
			lyf_failure_hint(failure, "Secrets belong into a user mapping: "
							 "CREATE USER MAPPING FOR CURRENT_USER SERVER ... OPTIONS (secrets '{...}').");
		return failure;
	}
	return NULL;
}

static LyfFailure *
check_properties(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	if (rule->kind != LYF_MAP || value->kind != LYF_MAP)
		return NULL;
	lyf_foreach(property, rule)
	{
		Property	inner = {at, property->key, at->depth + 1};
		const LyfValue *member = lyf_value_get(value, property->key);

		if (member != NULL)
			LYF_TRY(check_value(check, &inner, property, member));
	}
	return NULL;
}

static LyfFailure *
check_items(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	Property	inner = {at, NULL, at->depth + 1};

	if (value->kind != LYF_LIST)
		return NULL;
	lyf_foreach(item, value)
		LYF_TRY(check_value(check, &inner, rule, item));
	return NULL;
}

/* do the constants of an alternative say that it is the one that was chosen? */
static bool
is_chosen(const LyfValue *alternative, const LyfValue *value)
{
	const LyfValue *properties = lyf_value_get(alternative, "properties");
	bool		chosen = false;

	if (!lyf_value_is(properties, LYF_MAP))
		return false;
	lyf_foreach(property, properties)
	{
		const LyfValue *constant = lyf_value_get(property, "const");
		const LyfValue *member = lyf_value_get(value, property->key);

		if (constant == NULL)
			continue;
		if (member == NULL || !lyf_value_equal(constant, member))
			return false;
		chosen = true;
	}
	return chosen;
}

/*
 * One of several must fit.  If none does, the failure is that of the one that
 * was meant, as far as that can be told.
 */
static LyfFailure *
check_any(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	LyfFailure *meant = NULL;
	Check		trial = *check;
	StringInfoData titles;

	trial.trying = true;
	if (rule->kind != LYF_LIST || rule->len == 0)
		return NULL;
	initStringInfo(&titles);
	lyf_foreach(alternative, rule)
	{
		LyfFailure *failure = check_value(&trial, at, alternative, value);
		const char *title = lyf_value_text(lyf_value_get(alternative, "title"));

		if (failure == NULL)
			return NULL;
		if (meant == NULL && is_chosen(alternative, value))
			meant = failure;
		if (title != NULL)
			appendStringInfo(&titles, "%s%s", titles.len > 0 ? ", " : "", title);
	}
	if (meant != NULL || rule->len == 1)
		return meant != NULL ? meant : check_value(check, at, rule->u.first, value);
	meant = wrong(check, at, schema, "fits none of its alternatives");
	return titles.len > 0 ? lyf_failure_hint(meant, "The alternatives are: %s.", titles.data) : meant;
}

static LyfFailure *
check_all(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *rule, const LyfValue *value)
{
	if (rule->kind != LYF_LIST)
		return NULL;
	lyf_foreach(part, rule)
		LYF_TRY(check_value(check, at, part, value));
	return NULL;
}

static const struct
{
	const char *keyword;
	CheckRule	rule;
}			rules[] =
{
	{"type", check_type},
	{"enum", check_enum},
	{"const", check_const},
	{"pattern", check_pattern},
	{"minimum", check_minimum},
	{"maximum", check_maximum},
	{"required", check_required},
	{"properties", check_properties},
	{"items", check_items},
	{"oneOf", check_any},
	{"anyOf", check_any},
	{"allOf", check_all},
};

static LyfFailure *
check_value(const Check *check, const Property *at, const LyfValue *schema, const LyfValue *value)
{
	if (!lyf_value_is(schema, LYF_MAP))
		return NULL;
	if (at->depth > MAX_DEPTH)
		return wrong(check, at, schema, "is nested too deeply");
	for (int i = 0; i < lengthof(rules); i++)
	{
		const LyfValue *rule = lyf_value_get(schema, rules[i].keyword);

		if (rule != NULL)
			LYF_TRY(rules[i].rule(check, at, schema, rule, value));
	}
	return NULL;
}

List *
lyf_spec_texts(const LyfValue *value, List *texts)
{
	if (value->kind == LYF_STRING)
		return lappend(texts, pnstrdup(value->u.text, value->len));
	if (value->kind == LYF_INT || value->kind == LYF_NUMBER)
		return lappend(texts, lyf_value_to_text(value));
	if (value->kind == LYF_MAP || value->kind == LYF_LIST)
	{
		lyf_foreach(member, value)
			texts = lyf_spec_texts(member, texts);
	}
	return texts;
}

static List *
add_secrets(const LyfValue *schema, const LyfValue *value, List *secrets)
{
	static const char *const alternatives[] = {"oneOf", "anyOf", "allOf"};
	const LyfValue *mark = lyf_value_get(schema, "airbyte_secret");
	const LyfValue *properties = lyf_value_get(schema, "properties");

	if (value == NULL)
		return secrets;
	if (lyf_value_is(mark, LYF_BOOL) && mark->u.boolean)
		return lyf_spec_texts(value, secrets);
	if (lyf_value_is(properties, LYF_MAP) && value->kind == LYF_MAP)
	{
		lyf_foreach(property, properties)
			secrets = add_secrets(property, lyf_value_get(value, property->key), secrets);
	}
	if (value->kind == LYF_LIST)
	{
		lyf_foreach(item, value)
			secrets = add_secrets(lyf_value_get(schema, "items"), item, secrets);
	}
	for (int i = 0; i < lengthof(alternatives); i++)
	{
		const LyfValue *list = lyf_value_get(schema, alternatives[i]);

		if (!lyf_value_is(list, LYF_LIST))
			continue;
		lyf_foreach(alternative, list)
			secrets = add_secrets(alternative, value, secrets);
	}
	return secrets;
}

LyfValue *
lyf_spec_get(const LyfConnector *connector)
{
	json_t	   *spec = json_object_get(connector->manifest, "spec");
	json_t	   *schema = json_object_get(spec, "connection_specification");

	return json_is_object(schema) ? lyf_document_to_value(schema) : NULL;
}

List *
lyf_spec_secrets(const LyfConnector *connector, const LyfValue *config, List *secrets)
{
	return add_secrets(lyf_spec_get(connector), config, secrets);
}

LyfFailure *
lyf_spec_check(const LyfConnector *connector, const LyfValue *config, bool secrets_given)
{
	Check		check = {connector, secrets_given, false};
	Property	top = {0};

	return check_value(&check, &top, lyf_spec_get(connector), config);
}

LyfFailure *
lyf_spec_validate(const LyfConnector *connector, const char *name, const LyfValue *schema, const LyfValue *value)
{
	Check		check = {connector, true, false};
	Property	top = {0};
	Property	at = {&top, name, 1};

	return check_value(&check, &at, schema, value);
}
