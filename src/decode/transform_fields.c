/*
 * transform_fields.c
 *		AddFields and RemoveFields.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

typedef struct Field
{
	LyfPath		path;
	LyfValue   *path_value;		/* a list, what conditions see as `path` */
	LyfTypedTemplate typed;
} Field;

typedef struct AddFields
{
	Field	   *fields;
	int			count;
	LyfTemplate *condition;		/* or NULL: always */
} AddFields;

typedef struct RemoveFields
{
	LyfPath    *pointers;
	int			count;
	LyfTemplate *condition;		/* or NULL: always */
} RemoveFields;

static const struct
{
	const char *name;
	unsigned	types;
}			value_types[] = {
	{"string", LYF_AS_STRING},
	{"number", LYF_AS_NUMBER},
	{"integer", LYF_AS_INT},
	{"boolean", LYF_AS_BOOL}
};

static LyfFailure *
compile_value_type(const LyfComponent *c, unsigned *types)
{
	const char *name;

	*types = 0;
	LYF_TRY(lyf_component_text(c, "value_type", NULL, &name));
	if (name == NULL)
		return NULL;
	for (int i = 0; i < lengthof(value_types); i++)
	{
		if (strcmp(value_types[i].name, name) == 0)
		{
			*types = value_types[i].types;
			return NULL;
		}
	}
	return lyf_component_invalid(c, "value_type must be string, number, integer or boolean");
}

LyfFailure *
lyf_typed_template_compile(const LyfComponent *c, LyfTypedTemplate *out)
{
	LYF_TRY(lyf_component_required_template(c, "value", &out->value));
	return compile_value_type(c, &out->types);
}

/*
 * Nothing rendered is an empty text, something undefined a failure: also where a type is
 * asked for, of which a null cannot be.
 */
LyfFailure *
lyf_typed_template_eval(const LyfTypedTemplate *typed, const LyfScope *scope, LyfValue **value)
{
	if (typed->types != 0)
	{
		LYF_TRY(lyf_template_eval(typed->value, scope, typed->types, NULL, value));
		if ((*value)->kind != LYF_NULL)
			return NULL;
	}
	return lyf_template_eval_string(typed->value, scope, value);
}

/* an empty condition is none */
static LyfFailure *
compile_condition(const LyfComponent *c, LyfTemplate **condition)
{
	const char *text;

	*condition = NULL;
	LYF_TRY(lyf_component_text(c, "condition", "", &text));
	return text[0] != '\0' ? lyf_component_template(c, "condition", condition) : NULL;
}

static LyfFailure *
compile_field(const LyfComponent *c, Field *field)
{
	LyfComponent path = lyf_component_child(c, "path");

	LYF_TRY(lyf_path_make(&path, &field->path));
	if (field->path.len == 0)
		return lyf_component_invalid(c, "path is empty");
	field->path_value = lyf_value_make(LYF_LIST);
	for (int i = 0; i < field->path.len; i++)
		lyf_value_append(field->path_value, lyf_value_string(field->path.part[i]));
	return lyf_typed_template_compile(c, &field->typed);
}

static LyfFailure *
compile_add_fields(const LyfComponent *c, void **state)
{
	AddFields  *add = palloc0(sizeof(AddFields));
	size_t		count;

	LYF_TRY(lyf_component_list(c, "fields", &count));
	add->count = count;
	add->fields = palloc0(sizeof(Field) * (add->count + 1));
	for (int i = 0; i < add->count; i++)
	{
		LyfComponent field = lyf_component_item(c, "fields", i);

		LYF_TRY(compile_field(&field, &add->fields[i]));
	}
	*state = add;
	return compile_condition(c, &add->condition);
}

static LyfFailure *
check_condition(const AddFields *add, const Field *field, const LyfScope *scope,
				LyfValue *value, bool *holds)
{
	LyfScope	inner;

	*holds = true;
	if (add->condition == NULL)
		return NULL;
	lyf_scope_init(&inner, scope);
	lyf_scope_set(&inner, "value", value);
	lyf_scope_set(&inner, "path", field->path_value);
	return lyf_template_eval_bool(add->condition, &inner, holds);
}

/* a value may share nodes with the record, the slice or the configuration: a copy goes into the record */
static LyfValue *
make_own(const LyfValue *value)
{
	bool		container = value->kind == LYF_LIST || value->kind == LYF_MAP;

	return container ? lyf_value_copy(value) : lyf_value_alias(value);
}

static LyfFailure *
apply_add_fields(void *state, const LyfScope *scope, LyfValue *record)
{
	AddFields  *add = state;

	for (int i = 0; i < add->count; i++)
	{
		Field	   *field = &add->fields[i];
		LyfValue   *value;
		bool		holds;

		LYF_TRY(lyf_typed_template_eval(&field->typed, scope, &value));
		LYF_TRY(check_condition(add, field, scope, value, &holds));
		if (holds)
			LYF_TRY(lyf_path_set(record, &field->path, make_own(value)));
	}
	return NULL;
}

static bool
add_fields_touches(const void *state, const char *name)
{
	const AddFields *add = state;

	for (int i = 0; i < add->count; i++)
	{
		if (strcmp(add->fields[i].path.part[0], name) == 0)
			return true;
	}
	return false;
}

static bool
is_slice_member(const LyfTemplate *value, const char *member)
{
	for (int i = 0; i < lengthof(lyf_slice_names); i++)
	{
		const char *sole = lyf_template_sole_member(value, lyf_slice_names[i]);

		if (sole != NULL && strcmp(sole, member) == 0)
			return true;
	}
	return false;
}

const char *
lyf_add_fields_slice_field(const void *state, const char *partition_field)
{
	const AddFields *add = state;
	const char *found = NULL;

	for (int i = 0; i < add->count && add->condition == NULL; i++)
	{
		const Field *field = &add->fields[i];

		if (field->path.len == 1 && (field->typed.types == 0 || field->typed.types == LYF_AS_STRING) &&
			is_slice_member(field->typed.value, partition_field))
			found = field->path.part[0];
		else if (found != NULL && strcmp(found, field->path.part[0]) == 0)
			found = NULL;
	}
	return found;
}

static LyfFailure *
compile_remove_fields(const LyfComponent *c, void **state)
{
	RemoveFields *remove = palloc0(sizeof(RemoveFields));
	size_t		count;

	LYF_TRY(lyf_component_list(c, "field_pointers", &count));
	remove->count = count;
	remove->pointers = palloc0(sizeof(LyfPath) * (remove->count + 1));
	for (int i = 0; i < remove->count; i++)
	{
		LyfComponent pointer = lyf_component_item(c, "field_pointers", i);

		LYF_TRY(lyf_path_make(&pointer, &remove->pointers[i]));
	}
	*state = remove;
	return compile_condition(c, &remove->condition);
}

/*
 * With a condition, the reference engine removes each scalar of the record for which it
 * holds, wherever it stands: the pointers only say how often it looks.
 */
static LyfFailure *
remove_by_condition(const RemoveFields *remove, const LyfScope *scope, LyfValue *record)
{
	LyfMatches	places = {0};

	lyf_path_find_all(record, &places);
	for (int i = 0; i < places.count; i++)
	{
		LyfValue   *value = places.match[i].value;
		LyfScope	inner;
		bool		holds;

		if (!lyf_match_holds(&places.match[i]) || value->kind == LYF_LIST || value->kind == LYF_MAP)
			continue;
		lyf_scope_init(&inner, scope);
		lyf_scope_set(&inner, "property", value);
		LYF_TRY(lyf_template_eval_bool(remove->condition, &inner, &holds));
		if (holds)
			lyf_match_remove(&places.match[i]);
	}
	return NULL;
}

static LyfFailure *
apply_remove_fields(void *state, const LyfScope *scope, LyfValue *record)
{
	RemoveFields *remove = state;

	for (int i = 0; i < remove->count; i++)
	{
		if (remove->condition != NULL)
			LYF_TRY(remove_by_condition(remove, scope, record));
		else
			lyf_path_remove(record, &remove->pointers[i]);
	}
	return NULL;
}

static bool
remove_fields_touches(const void *state, const char *name)
{
	const RemoveFields *remove = state;

	for (int i = 0; i < remove->count; i++)
	{
		const LyfPath *pointer = &remove->pointers[i];

		if (remove->condition != NULL || pointer->glob ||
			(pointer->len > 0 && strcmp(pointer->part[0], name) == 0))
			return true;
	}
	return false;
}

const LyfTransformKind lyf_add_fields = {
	"AddFields", compile_add_fields, apply_add_fields, add_fields_touches
};

const LyfTransformKind lyf_remove_fields = {
	"RemoveFields", compile_remove_fields, apply_remove_fields, remove_fields_touches
};
