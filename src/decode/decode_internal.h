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

/* bodies while they are found: a list, and where its next one hangs */
typedef struct LyfBodies
{
	LyfValue   *list;
	LyfValue  **tail;
} LyfBodies;

typedef struct LyfDecoderKind
{
	const char *type;
	/* make the kind's own state;  MAY be NULL: it has none */
	LyfFailure *(*compile) (const LyfComponent *c, void **state);
	/*
	 * the page's bodies, and page->body, which templates see as `response`.  MAY be NULL: the
	 * response's bytes are parsed, the first body is what templates see
	 */
	LyfFailure *(*decode) (const void *state, LyfPage *page, LyfBodies *bodies);
	/* MUST: add the bodies in bytes, which may be changed; bytes[len] is 0 */
	LyfFailure *(*parse) (const void *state, char *bytes, size_t len, LyfBodies *bodies);
} LyfDecoderKind;

struct LyfDecoder
{
	const LyfDecoderKind *kind;
	void	   *state;
};

extern const LyfDecoderKind lyf_decoder_json;
extern const LyfDecoderKind lyf_decoder_json_items;
extern const LyfDecoderKind lyf_decoder_json_lines;
extern const LyfDecoderKind lyf_decoder_lines;
extern const LyfDecoderKind lyf_decoder_csv;
extern const LyfDecoderKind lyf_decoder_xml;
extern const LyfDecoderKind lyf_decoder_gzip;
extern const LyfDecoderKind lyf_decoder_zip;

extern void lyf_bodies_init(LyfBodies *bodies);
extern void lyf_bodies_add(LyfBodies *bodies, LyfValue *body);

/* the first one is what templates see as `response` */
extern void lyf_bodies_are_response(const LyfBodies *bodies, LyfPage *page);

/* the decoder of what is in an archive */
extern LyfFailure *lyf_decoder_compile_inner(const LyfComponent *c, void **state);
extern LyfFailure *lyf_decoder_parse(const LyfDecoder *decoder, char *bytes, size_t len, LyfBodies *bodies);

/* in inflate.c: what was compressed, in CurrentMemoryContext, with a 0 behind it; together no more than a response may have */

typedef struct LyfInflated
{
	char	   *bytes;
	size_t		len;
	size_t		room;
	size_t		before;			/* bytes of the page that were inflated before these */
} LyfInflated;

extern bool lyf_is_gzip(const char *bytes, size_t len);

/* the members of a gzip file, one after the other */
extern LyfFailure *lyf_gunzip(const char *bytes, size_t len, LyfInflated *out);

/* deflated bytes without a header, and the checksum that archives have of bytes */
extern LyfFailure *lyf_inflate_raw(const char *bytes, size_t len, LyfInflated *out);
extern uint32 lyf_crc32(const char *bytes, size_t len);

/* the failure of having more than a response may have; NULL: it has not */
extern LyfFailure *lyf_inflate_check(size_t len);

/* in expander.c: records that hold lists of records */

typedef struct LyfExpander LyfExpander;

extern LyfFailure *lyf_expander_compile(const LyfComponent *c, LyfExpander **out);	/* json NULL: *out NULL */

/* add what becomes of a record */
extern LyfFailure *lyf_expand(const LyfExpander *expander, const LyfSession *session, LyfValue *record,
							  LyfRecords *records);

/* in transform.c */

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

#endif							/* LYF_DECODE_INTERNAL_H */
