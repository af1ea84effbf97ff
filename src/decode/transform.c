/*
 * transform.c
 *		What changes records in place: the kinds of transformations.
 */
#include "postgres.h"

#include "decode/decode_internal.h"

struct LyfTransform
{
	const LyfTransformKind *kind;
	void	   *state;
};

static const LyfTransformKind *const kinds[] = {
	&lyf_add_fields,
	&lyf_remove_fields,
	&lyf_keys_to_lower,
	&lyf_keys_to_snake_case,
	&lyf_keys_replace,
	&lyf_flatten_fields,
	&lyf_dpath_flatten_fields
};

LyfFailure *
lyf_transform_compile(const LyfComponent *c, LyfTransform **out)
{
	*out = palloc(sizeof(LyfTransform));
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i]->type, c->type) == 0)
		{
			(*out)->kind = kinds[i];
			return kinds[i]->compile(c, &(*out)->state);
		}
	}
	return lyf_component_unsupported(c);
}

LyfFailure *
lyf_transform_apply(LyfTransform *transform, const LyfScope *scope, LyfValue *record)
{
	return transform->kind->apply(transform->state, scope, record);
}

bool
lyf_transform_touches(const LyfTransform *transform, const char *field)
{
	return transform->kind->touches == NULL || transform->kind->touches(transform->state, field);
}

const char *
lyf_transform_slice_field(const LyfTransform *transform, const char *partition_field)
{
	if (transform->kind != &lyf_add_fields)
		return NULL;
	return lyf_add_fields_slice_field(transform->state, partition_field);
}
