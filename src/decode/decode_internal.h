/*
 * decode_internal.h
 *		What the files of decode/ share and others do not see.
 */
#ifndef LYF_DECODE_INTERNAL_H
#define LYF_DECODE_INTERNAL_H

#include "decode/decode.h"
#include "fmgr.h"
#include "utils/timestamp.h"

/* in decoder_*.c: a kind of decoder, a row of the table in decoder.c */

typedef struct LyfDecoderKind
{
	const char *type;
	/* MUST: the page's bodies, a list; page->body is what templates see as `response` */
	LyfFailure *(*decode) (LyfPage *page, LyfValue **bodies);
} LyfDecoderKind;

extern LyfFailure *lyf_decode_json(LyfPage *page, LyfValue **bodies);
extern LyfFailure *lyf_decode_json_lines(LyfPage *page, LyfValue **bodies);
extern LyfFailure *lyf_decode_lines(LyfPage *page, LyfValue **bodies);

/* in path.c: paths of keys, list indexes and globs, as the dpath library has them */

#define LYF_PATH_MAX	32

typedef struct LyfPath
{
	int			len;
	const char *part[LYF_PATH_MAX];
	bool		glob;			/* has any part a *, ? or [ ? */
} LyfPath;

/* parts of a list of templates, evaluated; parts of a list of texts */
extern LyfFailure *lyf_path_make(const LyfComponent *c, LyfPath *path);

/* where a value hangs: its container, and its index if that is a list */
typedef struct LyfPlace
{
	LyfValue   *container;
	LyfValue   *value;
	uint32		index;
} LyfPlace;

typedef struct LyfPlaces
{
	LyfPlace   *place;			/* palloc'd */
	int			count;
	int			room;
} LyfPlaces;

/* the value at a path without globs, or NULL */
extern LyfValue *lyf_path_get(const LyfValue *root, const LyfPath *path);

/* all values that match, children of a node before its grandchildren */
extern void lyf_path_find(LyfValue *root, const LyfPath *path, LyfPlaces *places);

/* every value below root */
extern void lyf_path_find_all(LyfValue *root, LyfPlaces *places);

/* put value there, making what is missing above; no globs */
extern LyfFailure *lyf_path_set(LyfValue *root, const LyfPath *path, LyfValue *value);

/* take a value out: a map loses the member, a list its last item, others become null */
extern void lyf_place_remove(const LyfPlace *place);

/* in transform.c: what changes records in place */

typedef struct LyfTransform LyfTransform;

extern LyfFailure *lyf_transform_compile(const LyfComponent *c, LyfTransform **out);
extern LyfFailure *lyf_transform_apply(LyfTransform *transform, const LyfScope *scope, LyfValue *record);

/* does it leave the field alone; and if it does not: does it always set it to a member of the slice, which? */
extern bool lyf_transform_touches(const LyfTransform *transform, const char *field);
extern const char *lyf_transform_slice_field(const LyfTransform *transform, const char *partition_field);

/* a kind of transformation, a row of the table in transform.c */
typedef struct LyfTransformKind
{
	const char *type;
	/* MUST: make the kind's own state */
	LyfFailure *(*compile) (const LyfComponent *c, void **state);
	/* MUST: change a record, a map; scope has `record` */
	LyfFailure *(*apply) (void *state, const LyfScope *scope, LyfValue *record);
	/* MAY: does it change the top-level field (absent: it may change any) */
	bool		(*touches) (const void *state, const char *field);
} LyfTransformKind;

/* the field (top level) that an AddFields always sets to this member of the slice, or NULL */
extern const char *lyf_add_fields_slice_field(const void *state, const char *partition_field);

/* in transform_fields.c and transform_keys.c */
extern const LyfTransformKind lyf_add_fields;
extern const LyfTransformKind lyf_remove_fields;
extern const LyfTransformKind lyf_keys_to_lower;
extern const LyfTransformKind lyf_keys_to_snake_case;
extern const LyfTransformKind lyf_keys_replace;
extern const LyfTransformKind lyf_flatten_fields;
extern const LyfTransformKind lyf_dpath_flatten_fields;

/* in normalize.c: schema_normalization: Default */
extern void lyf_normalize(LyfValue *record, const LyfValue *schema);

/* in cast_*.c: one value to one type; the value is not null */

typedef struct LyfCast LyfCast;

typedef LyfFailure *(*LyfCastFunction) (LyfCast *cast, const LyfValue *value, Datum *datum);

struct LyfCast
{
	LyfCastFunction function;
	Oid			type;
	int32		typmod;
	LyfCast    *element;		/* of an array */
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Oid			typioparam;		/* of a type without a function of its own */
	FmgrInfo	input;
};

/* failures of a cast: of another form, too large, and such; they name value and type */
extern LyfFailure *lyf_cast_wrong(const LyfCast *cast, const LyfValue *value);
extern LyfFailure *lyf_cast_range(const LyfCast *cast, const LyfValue *value);
extern LyfFailure *lyf_cast_failure(const LyfCast *cast, const LyfValue *value, int sqlstate, const char *what);

/* run a server's function that may raise in a subtransaction: its error is the failure */
typedef Datum (*LyfRisky) (void *arg);
extern LyfFailure *lyf_cast_guarded(const LyfCast *cast, const LyfValue *value, LyfRisky function, void *arg, Datum *datum);

extern LyfFailure *lyf_cast_bool(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_int2(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_int4(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_int8(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_float4(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_float8(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_numeric(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_text(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_varchar(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_bpchar(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_json(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_jsonb(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_uuid(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_date(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_time(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_timestamp(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_timestamptz(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_array(LyfCast *cast, const LyfValue *value, Datum *datum);
extern LyfFailure *lyf_cast_other(LyfCast *cast, const LyfValue *value, Datum *datum);

/* ISO 8601 in the usual forms; false: another form */
typedef struct LyfMoment
{
	Timestamp	local;			/* as written, without the zone */
	int			offset;			/* seconds east of UTC; 0 if not said */
	bool		has_time;
} LyfMoment;

extern bool lyf_read_iso(const char *text, size_t len, LyfMoment *moment);

/* 8-4-4-4-12 hexadecimal digits, or 32; out may be NULL */
extern bool lyf_read_uuid(const char *text, size_t len, unsigned char *out);

#endif							/* LYF_DECODE_INTERNAL_H */
