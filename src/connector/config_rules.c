/*
 * config_rules.c
 *		What a manifest's specification does with a configuration before it is used
 *		(config_normalization_rules): migrations bring one that was made for an older
 *		version up to date, transformations rewrite it for the connector's templates,
 *		validations judge it.
 */
#include "postgres.h"

#include "base/json.h"
#include "connector/connector.h"

/* one step of rewriting */
typedef struct Rule
{
	const struct RuleKind *kind;
	void	   *state;
} Rule;

typedef struct RuleKind
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, void **state);
	/* change config, a map; scope sees it as `config` */
	LyfFailure *(*apply) (void *state, const LyfScope *scope, LyfValue *config);
} RuleKind;

typedef struct Rules
{
	Rule	   *rule;
	int			count;
	int			room;
} Rules;

/* a value of the configuration that must fit a JSON schema */
typedef struct Validator
{
	LyfPath		path;
	LyfValue   *value;			/* in place of one of the configuration, or NULL */
	LyfTemplate *schema_text;	/* or */
	LyfValue   *schema;
} Validator;

struct LyfConfigRules
{
	Rules		migrations;
	Rules		transformations;
	Validator  *validators;
	int			validator_count;
};

/* --- ConfigAddFields: as AddFields does with records --- */

static LyfFailure *
compile_add_fields(const LyfComponent *c, void **state)
{
	LyfComponent same = *c;

	same.type = "AddFields";
	return lyf_transform_compile(&same, (LyfTransform **) state);
}

static LyfFailure *
apply_add_fields(void *state, const LyfScope *scope, LyfValue *config)
{
	return lyf_transform_apply(state, scope, config);
}

/* --- ConfigRemoveFields --- */

typedef struct RemoveFields
{
	LyfPath    *pointers;
	size_t		count;
	LyfTemplate *condition;		/* or NULL */
} RemoveFields;

static LyfFailure *
compile_remove_fields(const LyfComponent *c, void **state)
{
	RemoveFields *rule = palloc0(sizeof(RemoveFields));
	const char *condition;

	LYF_TRY(lyf_component_list(c, "field_pointers", &rule->count));
	rule->pointers = palloc0(sizeof(LyfPath) * (rule->count + 1));
	for (size_t i = 0; i < rule->count; i++)
	{
		LyfComponent pointer = lyf_component_item(c, "field_pointers", i);

		LYF_TRY(lyf_path_make(&pointer, &rule->pointers[i]));
	}
	*state = rule;
	LYF_TRY(lyf_component_text(c, "condition", "", &condition));
	return *condition != '\0' ? lyf_component_compile(c, condition, &rule->condition) : NULL;
}

static LyfFailure *
apply_remove_fields(void *state, const LyfScope *scope, LyfValue *config)
{
	const RemoveFields *rule = state;
	bool		wanted = true;

	if (rule->condition != NULL)
		LYF_TRY(lyf_template_eval_bool(rule->condition, scope, &wanted));
	for (size_t i = 0; i < rule->count && wanted; i++)
		lyf_path_remove(config, &rule->pointers[i]);
	return NULL;
}

/* --- ConfigRemapField: another value for some of those that a field may have --- */

typedef struct RemapField
{
	LyfTemplate **path;
	size_t		count;
	LyfTemplateTree *map;
} RemapField;

static LyfFailure *
compile_remap_field(const LyfComponent *c, void **state)
{
	RemapField *rule = palloc0(sizeof(RemapField));
	LyfValue   *map;

	LYF_TRY(lyf_component_list(c, "field_path", &rule->count));
	if (rule->count == 0 || rule->count > LYF_PATH_MAX)
		return lyf_component_invalid(c, "field_path must have 1 to %d parts", LYF_PATH_MAX);
	rule->path = palloc(sizeof(LyfTemplate *) * rule->count);
	for (size_t i = 0; i < rule->count; i++)
	{
		LyfComponent part = lyf_component_item(c, "field_path", i);

		if (!json_is_string(part.json))
			return lyf_component_invalid(&part, "a text expected");
		LYF_TRY(lyf_component_compile(&part, json_string_value(part.json), &rule->path[i]));
	}
	LYF_TRY(lyf_component_value(c, "map", &map));
	if (!lyf_value_is(map, LYF_MAP))
		return lyf_component_invalid(c, "map must be a map");
	*state = rule;
	return lyf_template_tree_compile(map, NULL, &rule->map);
}

static LyfFailure *
apply_remap_field(void *state, const LyfScope *scope, LyfValue *config)
{
	const RemapField *rule = state;
	LyfValue   *holder = config;
	LyfValue   *map;
	LyfValue   *value;
	LyfValue   *other;
	char	   *part;

	for (size_t i = 0; i + 1 < rule->count; i++)
	{
		LYF_TRY(lyf_template_eval_text(rule->path[i], scope, &part));
		holder = lyf_value_get(holder, part);
		if (!lyf_value_is(holder, LYF_MAP))
			return NULL;
	}
	LYF_TRY(lyf_template_eval_text(rule->path[rule->count - 1], scope, &part));
	LYF_TRY(lyf_template_tree_eval(rule->map, scope, 0, false, &map));
	value = lyf_value_get(holder, part);
	other = lyf_value_is(value, LYF_STRING) ? lyf_value_get_len(map, value->u.text, value->len) : NULL;
	if (other != NULL)
		lyf_value_set(holder, part, lyf_value_copy(other));
	return NULL;
}

static const RuleKind kinds[] = {
	{"ConfigAddFields", compile_add_fields, apply_add_fields},
	{"ConfigRemoveFields", compile_remove_fields, apply_remove_fields},
	{"ConfigRemapField", compile_remap_field, apply_remap_field}
};

/* --- all of them --- */

static LyfFailure *
compile_rule(const LyfComponent *c, Rules *rules)
{
	Rule	   *rule;

	if (rules->count == rules->room)
	{
		rules->room = Max(8, rules->room * 2);
		rules->rule = rules->rule == NULL ? palloc(rules->room * sizeof(Rule)) :
			repalloc(rules->rule, rules->room * sizeof(Rule));
	}
	rule = &rules->rule[rules->count];
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].type, c->type) != 0)
			continue;
		rule->kind = &kinds[i];
		rules->count++;
		return kinds[i].compile(c, &rule->state);
	}
	return lyf_component_unsupported(c);
}

static LyfFailure *
compile_rules(const LyfComponent *c, Rules *rules)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, "transformations", &count));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent rule = lyf_component_item(c, "transformations", i);

		LYF_TRY(compile_rule(&rule, rules));
	}
	return NULL;
}

/*
 * One in Python is left out: it is for configurations of older versions, and those that
 * are given here are checked against the specification.
 */
static LyfFailure *
compile_migrations(const LyfComponent *c, Rules *rules)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, "config_migrations", &count));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent migration = lyf_component_item(c, "config_migrations", i);
		Rules		before = *rules;
		LyfFailure *failure = compile_rules(&migration, rules);

		if (failure != NULL && failure->sqlstate != ERRCODE_FEATURE_NOT_SUPPORTED)
			return failure;
		if (failure != NULL)
			rules->count = before.count;
	}
	return NULL;
}

static LyfFailure *
compile_strategy(const LyfComponent *c, Validator *validator)
{
	LyfComponent strategy = lyf_component_child(c, "validation_strategy");

	if (strategy.json == NULL)
		return lyf_component_invalid(c, "field \"validation_strategy\" is missing");
	if (strcmp(strategy.type, "ValidateAdheresToSchema") != 0)
		return lyf_component_unsupported(&strategy);
	if (json_is_string(json_object_get(strategy.json, "base_schema")))
		return lyf_component_required_template(&strategy, "base_schema", &validator->schema_text);
	LYF_TRY(lyf_component_value(&strategy, "base_schema", &validator->schema));
	if (!lyf_value_is(validator->schema, LYF_MAP))
		return lyf_component_invalid(&strategy, "base_schema must be a map");
	return NULL;
}

static LyfFailure *
compile_validator(const LyfComponent *c, Validator *validator)
{
	LyfComponent path = lyf_component_child(c, "field_path");

	if (strcmp(c->type, "PredicateValidator") == 0)
		LYF_TRY(lyf_component_value(c, "value", &validator->value));
	else if (strcmp(c->type, "DpathValidator") != 0)
		return lyf_component_unsupported(c);
	else
	{
		LYF_TRY(lyf_path_make(&path, &validator->path));
		if (validator->path.len == 0)
			return lyf_component_invalid(c, "field_path is empty");
	}
	return compile_strategy(c, validator);
}

static LyfFailure *
compile_validators(const LyfComponent *c, LyfConfigRules *rules)
{
	size_t		count;

	LYF_TRY(lyf_component_list(c, "validations", &count));
	rules->validators = palloc0(sizeof(Validator) * (count + 1));
	rules->validator_count = count;
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent validator = lyf_component_item(c, "validations", i);

		LYF_TRY(compile_validator(&validator, &rules->validators[i]));
	}
	return NULL;
}

LyfFailure *
lyf_config_rules_compile(const LyfComponent *c, LyfConfigRules **out)
{
	LyfConfigRules *rules;

	*out = NULL;
	if (c->json == NULL)
		return NULL;
	rules = palloc0(sizeof(LyfConfigRules));
	LYF_TRY(compile_migrations(c, &rules->migrations));
	LYF_TRY(compile_rules(c, &rules->transformations));
	LYF_TRY(compile_validators(c, rules));
	*out = rules;
	return NULL;
}

/* a copy of config with the rules applied one after the other; without any, config itself */
static LyfFailure *
apply_rules(const Rules *rules, LyfValue **config)
{
	LyfValue   *copy;
	LyfScope	scope;

	if (rules->count == 0)
		return NULL;
	copy = lyf_value_copy(*config);
	lyf_scope_init(&scope, NULL);
	lyf_scope_set(&scope, "config", copy);
	for (int i = 0; i < rules->count; i++)
		LYF_TRY(rules->rule[i].kind->apply(rules->rule[i].state, &scope, copy));
	*config = copy;
	return NULL;
}

LyfFailure *
lyf_config_migrate(const LyfConnector *connector, LyfValue **config)
{
	return connector->rules != NULL ? apply_rules(&connector->rules->migrations, config) : NULL;
}

LyfFailure *
lyf_config_transform(const LyfConnector *connector, LyfValue **config)
{
	return connector->rules != NULL ? apply_rules(&connector->rules->transformations, config) : NULL;
}

/* the schema of a validator; a text must render to one */
static LyfFailure *
validator_schema(const Validator *validator, const LyfValue *config, LyfValue **schema)
{
	LyfScope	scope;

	*schema = validator->schema;
	if (validator->schema_text == NULL)
		return NULL;
	lyf_scope_init(&scope, NULL);
	lyf_scope_set(&scope, "config", (LyfValue *) config);
	LYF_TRY(lyf_template_eval(validator->schema_text, &scope, 0, NULL, schema));
	if (lyf_value_is(*schema, LYF_STRING))
		return lyf_json_parse_copy((*schema)->u.text, (*schema)->len, schema);
	return NULL;
}

/* a text is JSON */
static LyfFailure *
validate(const LyfConnector *connector, const LyfPath *path, const LyfValue *schema, const LyfValue *value)
{
	StringInfoData name;
	LyfValue   *parsed;

	initStringInfo(&name);
	for (int i = 0; i < path->len; i++)
		appendStringInfo(&name, "%s%s", i > 0 ? "." : "", path->part[i]);
	if (value->kind == LYF_STRING)
	{
		if (lyf_json_parse_copy(value->u.text, value->len, &parsed) != NULL)
			return lyf_failure(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
							   "configuration property \"%s\" for connector \"%s\" is no JSON", name.data, connector->name);
		value = parsed;
	}
	return lyf_spec_validate(connector, name.data, schema, value);
}

static LyfFailure *
run_validator(const LyfConnector *connector, const Validator *validator, LyfValue *config)
{
	LyfMatches	matches = {0};
	LyfValue   *schema;

	LYF_TRY(validator_schema(validator, config, &schema));
	if (validator->value != NULL)
		return validate(connector, &validator->path, schema, validator->value);
	lyf_path_find(config, &validator->path, &matches);
	for (int i = 0; i < matches.count; i++)
		LYF_TRY(validate(connector, &validator->path, schema, matches.match[i].value));
	return NULL;
}

LyfFailure *
lyf_config_validate(const LyfConnector *connector, LyfValue *config)
{
	const LyfConfigRules *rules = connector->rules;

	for (int i = 0; rules != NULL && i < rules->validator_count; i++)
		LYF_TRY(run_validator(connector, &rules->validators[i], config));
	return NULL;
}
