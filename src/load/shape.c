/*
 * shape.c
 *		What the JSON of a column looks like: from a JSON schema, or learned from values.
 *
 * A shape is a tree: an object's members, a list's items, values with their
 * types.  Where a place was seen, or is said, to be more than one of these, it is a value
 * of type jsonb.  Trees are bounded in depth and in members; beyond, jsonb.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

#include "load/load.h"

#define MAX_DEPTH	16
#define MAX_MEMBERS 400			/* of one object */

static LyfShape *
make_shape(LyfShapeKind kind, const char *key, Oid type)
{
	LyfShape   *shape = palloc0(sizeof(LyfShape));

	shape->kind = kind;
	shape->key = key ? pstrdup(key) : NULL;
	shape->type = type;
	shape->field = -1;
	return shape;
}

/* Is `name` the schema's type, or the only one besides null? */
static bool
schema_is(const LyfValue *schema, const char *name)
{
	LyfValue   *type = lyf_value_get(schema, "type");
	bool		found = false;

	if (lyf_value_is(type, LYF_STRING))
		return strcmp(type->u.text, name) == 0;
	if (!lyf_value_is(type, LYF_LIST))
		return false;
	lyf_foreach(member, type)
	{
		const char *text = lyf_value_text(member);

		if (text != NULL && strcmp(text, name) == 0)
			found = true;
		else if (text == NULL || strcmp(text, "null") != 0)
			return false;
	}
	return found;
}

static LyfShape *
shape_of_schema(const char *key, const LyfValue *schema, int depth)
{
	LyfValue   *properties = lyf_value_get(schema, "properties");
	LyfValue   *items = lyf_value_get(schema, "items");
	LyfShape   *shape;

	if (schema == NULL || depth >= MAX_DEPTH)
		return make_shape(LYF_SHAPE_VALUE, key, JSONBOID);
	if (schema_is(schema, "object") && lyf_value_is(properties, LYF_MAP) &&
		properties->len > 0 && properties->len <= MAX_MEMBERS)
	{
		shape = make_shape(LYF_SHAPE_OBJECT, key, JSONBOID);
		lyf_foreach(member, properties)
			shape->members = lappend(shape->members, shape_of_schema(member->key, member, depth + 1));
		return shape;
	}
	if (schema_is(schema, "array") && lyf_value_is(items, LYF_MAP))
	{
		LyfShape   *item = shape_of_schema(NULL, items, depth + 1);

		shape = make_shape(LYF_SHAPE_LIST, key, JSONBOID);
		shape->members = item->kind == LYF_SHAPE_OBJECT ? item->members : list_make1(item);
		return shape;
	}
	return make_shape(LYF_SHAPE_VALUE, key, lyf_type_from_schema(schema));
}

LyfShape *
lyf_shape_from_schema(const char *key, const LyfValue *schema)
{
	return shape_of_schema(key, schema, 0);
}

/* One place in the values seen. */
struct LyfShapeLearner
{
	const char *key;
	bool		objects;
	bool		lists;
	bool		scalars;
	LyfInference *inference;	/* of scalars, as the only member of a record */
	List	   *members;		/* of LyfShapeLearner *: an object's */
	LyfShapeLearner *item;		/* a list's */
	bool		too_large;
	MemoryContext cxt;
};

LyfShapeLearner *
lyf_shape_learn_begin(void)
{
	LyfShapeLearner *learner = palloc0(sizeof(LyfShapeLearner));

	learner->cxt = CurrentMemoryContext;
	return learner;
}

static LyfShapeLearner *
learner_of_member(LyfShapeLearner *learner, const char *key)
{
	LyfShapeLearner *member;
	ListCell   *lc;

	foreach(lc, learner->members)
	{
		member = lfirst(lc);
		if (strcmp(member->key, key) == 0)
			return member;
	}
	if (list_length(learner->members) >= MAX_MEMBERS)
	{
		learner->too_large = true;
		return NULL;
	}
	member = lyf_shape_learn_begin();
	member->key = pstrdup(key);
	learner->members = lappend(learner->members, member);
	return member;
}

static void
learn_scalar(LyfShapeLearner *learner, const LyfValue *value)
{
	LyfValue   *record = lyf_value_make(LYF_MAP);

	learner->scalars = true;
	if (learner->inference == NULL)
		learner->inference = lyf_infer_begin();
	lyf_value_set(record, "value", lyf_value_alias(value));
	lyf_infer_record(learner->inference, record);
}

static void
learn(LyfShapeLearner *learner, const LyfValue *value, int depth)
{
	if (value->kind == LYF_NULL)
		return;
	if (depth >= MAX_DEPTH)
	{
		learner->too_large = true;
		return;
	}
	if (value->kind == LYF_MAP)
	{
		learner->objects = true;
		lyf_foreach(child, value)
		{
			LyfShapeLearner *member = learner_of_member(learner, child->key);

			if (member != NULL)
				learn(member, child, depth + 1);
		}
	}
	else if (value->kind == LYF_LIST)
	{
		learner->lists = true;
		if (learner->item == NULL)
			learner->item = lyf_shape_learn_begin();
		lyf_foreach(child, value)
			learn(learner->item, child, depth + 1);
	}
	else
		learn_scalar(learner, value);
}

/* Take one value into account; it need not outlive the call. */
void
lyf_shape_learn(LyfShapeLearner *learner, const LyfValue *value)
{
	MemoryContext old = MemoryContextSwitchTo(learner->cxt);

	learn(learner, value, 0);
	MemoryContextSwitchTo(old);
}

static Oid
learned_type(const LyfShapeLearner *learner)
{
	List	   *columns = lyf_infer_columns(learner->inference);

	return columns == NIL ? TEXTOID : ((LyfColumn *) linitial(columns))->type;
}

/* What was learned; a place where nothing but null was seen is jsonb. */
LyfShape *
lyf_shape_learned(LyfShapeLearner *learner, const char *key)
{
	LyfShape   *shape;
	ListCell   *lc;

	if (learner->objects + learner->lists + learner->scalars != 1 || learner->too_large)
		return make_shape(LYF_SHAPE_VALUE, key, JSONBOID);
	if (learner->scalars)
		return make_shape(LYF_SHAPE_VALUE, key, learned_type(learner));
	if (learner->objects)
	{
		shape = make_shape(learner->members == NIL ? LYF_SHAPE_VALUE : LYF_SHAPE_OBJECT, key, JSONBOID);
		foreach(lc, learner->members)
		{
			LyfShapeLearner *member = lfirst(lc);

			shape->members = lappend(shape->members, lyf_shape_learned(member, member->key));
		}
		return shape;
	}
	else
	{
		LyfShape   *item = lyf_shape_learned(learner->item, NULL);

		shape = make_shape(LYF_SHAPE_LIST, key, JSONBOID);
		shape->members = item->kind == LYF_SHAPE_OBJECT ? item->members : list_make1(item);
		return shape;
	}
}

static const char *const kind_names[] = {"value", "object", "list"};

LyfValue *
lyf_shapes_to_value(List *shapes)
{
	LyfValue   *list = lyf_value_make(LYF_LIST);
	ListCell   *lc;

	foreach(lc, shapes)
	{
		LyfShape   *shape = lfirst(lc);
		LyfValue   *map = lyf_value_make(LYF_MAP);

		if (shape->key != NULL)
			lyf_value_set(map, "key", lyf_value_string(shape->key));
		lyf_value_set(map, "kind", lyf_value_string(kind_names[shape->kind]));
		if (shape->kind == LYF_SHAPE_VALUE)
			lyf_value_set(map, "type", lyf_value_string(format_type_be_qualified(shape->type)));
		else
			lyf_value_set(map, "members", lyf_shapes_to_value(shape->members));
		lyf_value_append(list, map);
	}
	return list;
}

static LyfShape *
shape_of_value(const LyfValue *value)
{
	const char *kind = lyf_value_text(lyf_value_get(value, "kind"));
	const char *type = lyf_value_text(lyf_value_get(value, "type"));
	LyfShape   *shape = make_shape(LYF_SHAPE_VALUE, lyf_value_text(lyf_value_get(value, "key")), JSONBOID);

	for (int i = 0; i < lengthof(kind_names); i++)
	{
		if (kind != NULL && strcmp(kind, kind_names[i]) == 0)
			shape->kind = i;
	}
	if (type != NULL)
		shape->type = DatumGetObjectId(DirectFunctionCall1(regtypein, CStringGetDatum(type)));
	shape->members = lyf_shapes_from_value(lyf_value_get(value, "members"));
	return shape;
}

List *
lyf_shapes_from_value(const LyfValue *value)
{
	List	   *shapes = NIL;

	if (!lyf_value_is(value, LYF_LIST))
		return NIL;
	lyf_foreach(member, value)
		shapes = lappend(shapes, shape_of_value(member));
	return shapes;
}
