/*
 * slice.c
 *		One part of a stream: where it is (partition), when (cursor slice), and
 *		what else a parent gave along (extra fields).
 */
#include "postgres.h"

#include "extract/extract.h"

static LyfValue *
map_or_empty(LyfValue *map)
{
	return map != NULL ? map : lyf_value_make(LYF_MAP);
}

/*
 * The parts become the slice's own: they must not be changed afterwards.
 * Templates can reach the extra fields as stream_slice.extra_fields, which is
 * why `merged` has them too.
 */
LyfSlice *
lyf_slice_make(LyfValue *partition, LyfValue *cursor_slice, LyfValue *extra_fields)
{
	LyfSlice   *slice = palloc0(sizeof(LyfSlice));

	slice->partition = map_or_empty(partition);
	slice->cursor_slice = map_or_empty(cursor_slice);
	slice->extra_fields = map_or_empty(extra_fields);
	slice->merged = lyf_value_merge(slice->partition, slice->cursor_slice);
	if (slice->extra_fields->len > 0 && lyf_value_get(slice->merged, "extra_fields") == NULL)
		lyf_value_set(slice->merged, "extra_fields", lyf_value_alias(slice->extra_fields));
	return slice;
}
