/*
 * decode.h
 *		A page to records, a record to Datums.
 */
#ifndef LYF_DECODE_H
#define LYF_DECODE_H

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "extract/extract.h"

/* in decoder.c: page to bodies; a const table of kinds, a file each: decoder_<kind>.c */

typedef struct LyfDecoder LyfDecoder;

extern LyfFailure *lyf_decoder_compile(const LyfComponent *c, LyfDecoder **out);	/* json NULL: JSON */

/* the bodies of a page: a list value whose members the selector is run on */
extern LyfFailure *lyf_decode_page(LyfDecoder *decoder, LyfPage *page, LyfValue **bodies);

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

/* a path whose parts are templates */
typedef struct LyfPathTemplate
{
	LyfTemplate **part;
	int			len;
} LyfPathTemplate;

/* c's field, a list of texts and numbers; none is a path of no parts */
extern LyfFailure *lyf_path_template_compile(const LyfComponent *c, const char *field, LyfPathTemplate *out);
extern LyfFailure *lyf_path_template_eval(const LyfPathTemplate *compiled, const LyfScope *scope, LyfPath *path);

/* where a value hangs: its container, and its index if that is a list */
typedef struct LyfMatch
{
	LyfValue   *container;
	LyfValue   *value;
	uint32		index;
} LyfMatch;

typedef struct LyfMatches
{
	LyfMatch   *match;			/* palloc'd */
	int			count;
	int			room;
} LyfMatches;

/* the value at a path without globs, or NULL */
extern LyfValue *lyf_path_get(const LyfValue *root, const LyfPath *path);

/* the same with globs, which may match one value only */
extern LyfFailure *lyf_path_get_sole(LyfValue *root, const LyfPath *path, LyfValue **value);

/* all values that match, children of a node before its grandchildren */
extern void lyf_path_find(LyfValue *root, const LyfPath *path, LyfMatches *places);

/* every value below root */
extern void lyf_path_find_all(LyfValue *root, LyfMatches *places);

/* put value there, making what is missing above; no globs */
extern LyfFailure *lyf_path_set(LyfValue *root, const LyfPath *path, LyfValue *value);

/* what stands there becomes another value, which it then shares what it holds with */
extern void lyf_match_set(const LyfMatch *place, const LyfValue *value);

/* take a value out: a map loses the member, a list its last item, others become null */
extern void lyf_match_remove(const LyfMatch *place);
extern void lyf_path_remove(LyfValue *root, const LyfPath *path);

/* is it there still, after others were taken out? */
extern bool lyf_match_holds(const LyfMatch *place);

/* in transform.c: what changes records in place */

typedef struct LyfTransform LyfTransform;

extern LyfFailure *lyf_transform_compile(const LyfComponent *c, LyfTransform **out);
extern LyfFailure *lyf_transform_apply(LyfTransform *transform, const LyfScope *scope, LyfValue *record);

/* in transform_fields.c: a template with a value_type, as AddFields has it */

typedef struct LyfTypedTemplate
{
	LyfTemplate *value;
	unsigned	types;			/* 0: any */
} LyfTypedTemplate;

/* of the fields "value" and "value_type" */
extern LyfFailure *lyf_typed_template_compile(const LyfComponent *c, LyfTypedTemplate *out);
extern LyfFailure *lyf_typed_template_eval(const LyfTypedTemplate *typed, const LyfScope *scope, LyfValue **value);

typedef struct LyfRecords
{
	LyfValue  **record;			/* maps (or other values, as the source has them) */
	int			count;
	int			room;
	LyfPageFacts facts;			/* what paging may know */
} LyfRecords;

/* in extractor.c: bodies to raw records */

typedef struct LyfExtractor LyfExtractor;

extern LyfFailure *lyf_extractor_compile(const LyfComponent *c, LyfExtractor **out);	/* json NULL: each body is one, or a list of them */

extern void lyf_records_add(LyfRecords *records, LyfValue *record);

/* the raw records of a page, and how many there are (facts); replaces what is in records; memory: CurrentMemoryContext */
extern LyfFailure *lyf_extract(const LyfExtractor *extractor, const LyfSession *session, LyfDecoder *decoder,
							   LyfPage *page, LyfRecords *records);

/* in select.c: bodies to records: extractor, filter, transformations (transform.c), normalization */

typedef struct LyfSelector LyfSelector;

/*
 * stream is the DeclarativeStream component: its retriever.record_selector, transformations,
 * schema.  transform_first: client-side incremental streams transform before they filter.
 * extractor: in place of the selector's own, or NULL.
 */
extern LyfFailure *lyf_selector_compile(const LyfComponent *stream, const LyfValue *schema, bool transform_first,
										LyfExtractor *extractor, LyfSelector **out);

/* the schema that records are normalized by, where it was not known when the selector was compiled */
extern void lyf_selector_set_schema(LyfSelector *selector, const LyfValue *schema);

/* select the records of one page; replaces what is in records; memory: CurrentMemoryContext */
extern LyfFailure *lyf_select_records(LyfSelector *selector, LyfSession *session, const LyfScope *scope,
									  LyfDecoder *decoder, LyfPage *page, LyfRecords *records);

/*
 * The top-level field that always holds a partition field's value, because an
 * AddFields says {{ stream_partition.<name> }} (and nothing else touches it), or NULL.
 */
extern const char *lyf_selector_partition_field(const LyfSelector *selector, const char *partition_field);

/* in infer.c: a JSON schema's property, or records seen, to a type */

typedef struct LyfColumn
{
	const char *name;			/* as the source has it */
	Oid			type;
	int32		typmod;
	bool		nullable;
	const LyfValue *schema;		/* the property's schema, or NULL */
} LyfColumn;

/* columns of an object schema, in its order; a List of LyfColumn * */
extern List *lyf_columns_from_schema(const LyfValue *schema);
extern Oid	lyf_type_from_schema(const LyfValue *property);

/* columns that hold all of these records (a type lattice: null < boolean < bigint < numeric < double precision;
 * date < timestamptz; uuid; text; anything else jsonb) */
typedef struct LyfInference LyfInference;
extern LyfInference *lyf_infer_begin(void);
extern void lyf_infer_record(LyfInference *inference, const LyfValue *record);
extern List *lyf_infer_columns(LyfInference *inference);

/* in cast.c: value to Datum, without a detour through text for the common types */

typedef struct LyfRowCast LyfRowCast;

/* how a tuple is made of a record: for each attribute of desc that is wanted, the path of its value */
typedef struct LyfRowColumn
{
	int			attno;			/* from 1 */
	const char *const *path;	/* keys from the top of the record */
	int			path_len;		/* 0: the whole record (_record) */
} LyfRowColumn;

extern LyfRowCast *lyf_row_cast_begin(TupleDesc desc, const LyfRowColumn *columns, int count);

/*
 * Fill values and nulls of the wanted attributes (others become NULL).  Datums
 * are made in CurrentMemoryContext and may point into the record.  A value that
 * its column cannot hold is a failure that names the field, the value and the
 * type; never an ereport, but for out of memory.
 */
extern LyfFailure *lyf_row_cast(LyfRowCast *cast, const LyfValue *record, Datum *values, bool *nulls);

/* one value to one type */
extern LyfFailure *lyf_value_cast(const LyfValue *value, Oid type, int32 typmod, Datum *datum, bool *isnull);

/* in cast_time.c and cast_text.c: forms that texts may have */

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

#endif							/* LYF_DECODE_H */
