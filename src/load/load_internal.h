/*
 * load_internal.h
 *		What the files of load/ share.
 */
#ifndef LYF_LOAD_INTERNAL_H
#define LYF_LOAD_INTERNAL_H

#include "load/load.h"

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/uuid.h"

/* a value that was seen */
typedef struct LyfSeen
{
	bool		known;
	Datum		value;
} LyfSeen;

/* a column that is loaded */
typedef struct LyfField
{
	const char *name;			/* of the destination's column */
	const char *source;			/* what the source calls it */
	Oid			type;
	int32		typmod;
	Oid			collation;
	LyfType		cast;			/* what its values are to be; no oid: what they are */
	const char *format;			/* of times that they are, or NULL */
	bool		left_out;		/* the destination has no column for it */
	bool		converted;		/* to the column's type, which is another one */
} LyfField;

/*
 * A table that is loaded: the destination, or a child of it.  Its rows are put
 * together in writer->input: the fields, then the metadata columns.
 */
typedef struct LyfTable
{
	/* said by the strategy */
	const char *name;			/* of the table, without schema */
	struct LyfTable *parent;	/* NULL: the destination itself */
	List	   *fields;			/* of LyfField * */
	List	   *members;		/* child: of LyfShape *, what its items look like */
	int			extra;			/* field of _lyftron_extra, or -1 */
	struct LyfConversion *conversions;	/* of fields whose column is of another type, or NULL */
	bool		leaves_out;		/* some fields have no column */
	/* made by destination.c */
	Oid			dest;
	Relation	rel;			/* the destination, locked */
	TupleDesc	desc;			/* of the rows: fields and metadata */
	bool		created;
	/* made by the mode */
	Oid			heap;			/* the hidden heap of a full refresh, or InvalidOid */
	LyfValue   *kept;			/* what a next piece must know of it */
	Oid			stage;			/* the staging table of a merge, or InvalidOid */
	bool		direct;			/* incremental: rows go into it past indexes and triggers, there are none */
	Relation	sink;			/* what is written: heap, stage or the destination itself */
	struct LyfWriter *writer;
} LyfTable;

/* the metadata columns, in the order in which they follow the fields */
typedef enum LyfMeta
{
	LYF_META_ID, LYF_META_EXTRACTED_AT, LYF_META_LOADED_AT, LYF_META_RUN,
	LYF_META_ROW,				/* of staging tables only: number of the record in its piece */
	LYF_META_COUNT,
	LYF_META_PARENT_ID = LYF_META_COUNT,	/* children */
	LYF_META_ROOT_ID, LYF_META_INDEX,
	LYF_META_CHILD_COUNT
} LyfMeta;

#define LYF_EXTRA_COLUMN	"_lyftron_extra"

struct LyfLoad
{
	DestReceiver receiver;		/* first: what the executor knows of it */
	const LyfLoadSpec *spec;
	MemoryContext cxt;
	MemoryContext row_cxt;		/* reset with each record */
	List	   *tables;			/* of LyfTable *, the destination first */
	TupleDesc	query;
	struct LyfRecordId *record_id;
	int			cursor;			/* attribute number, or 0 */
	struct FmgrInfo *cursor_cmp;
	Oid			cursor_collation;
	Oid			cursor_type;
	int16		cursor_len;
	bool		cursor_byval;
	const LyfOrder *cursor_order;	/* or NULL */
	LyfSeen		greatest;		/* value of the cursor */
	LyfSeen		latest;			/* the one that came last */
	bool		moved;			/* the greatest is one of this piece */
	bool		ordered;		/* they have come in their order so far, and the piece may end between two of them */
	bool		due;			/* it shall, when the next one comes */
	bool		ended;			/* it did */
	int64		began_us;		/* by the monotonic clock: when the query was started, */
	int64		first_row_us;	/* when its first row came */
	TimestampTz now;
	bool		doubtful;		/* there may be doubles that nobody looked for */
	int64		read;
	int64		published;		/* requests, when the progress was last published */
	int64		written;
	int64		left_out;		/* values without a column */
	/* of the record at hand */
	pg_uuid_t	id;
	TimestampTz extracted_at;
	TupleTableSlot *source;
	/* a strategy's own */
	int		   *columns;		/* for each column of the query: its field, or -1 */
	LyfShape  **shapes;			/* for each column of the query: its shape, or NULL */
};

/* in evolve.c: what a destination needs, done before it is loaded */

typedef enum LyfStepKind
{
	LYF_STEP_ADD,				/* a column */
	LYF_STEP_WIDEN,				/* its type, in place */
	LYF_STEP_VERSION,			/* a new version of a column; the old one stays */
	LYF_STEP_NULLABLE,			/* it may be null from now on */
	LYF_STEP_LEAVE_OUT,			/* values without a column go nowhere, and are counted */
	LYF_STEP_CONVERT,			/* values are cast to what the column is; what does not fit is rejected */
	LYF_STEP_REFUSE				/* to load */
} LyfStepKind;

typedef struct LyfStep
{
	LyfStepKind kind;
	LyfChangeKind change;
	LyfAnswer	answer;
	LyfField   *field;			/* or NULL */
	const char *column;			/* of the destination */
	LyfType		from;			/* of changed types */
	LyfType		to;
	char	   *statement;		/* or NULL */
	bool		rewrites;		/* widening would write each row anew */
	const char *obstacle;		/* why it is not widened, or NULL */
} LyfStep;

/* steps (of LyfStep *) for a table whose destination is there and locked; gives fields the names of their columns */
extern List *lyf_evolve_plan(const LyfLoadSpec *spec, LyfTable *table);

/* may_change false: raises where the table would have to be changed */
extern void lyf_evolve_apply(LyfTable *table, List *steps, bool may_change);

/* in cast.c: give the destination's fields the casts of the pipeline */
extern void lyf_casts_apply(LyfLoad *load);

/* in profile.c: look at a row of the query */
extern void lyf_profile_row(LyfProfile *profile, const TupleTableSlot *slot);

/* in convert.c */

typedef struct LyfConversion LyfConversion;

/* field (the number-th) is converted from its type to that one, which becomes its type */
extern void lyf_convert_add(LyfTable *table, int number, LyfField *field, LyfType to);

/* convert the values of a row in place, in CurrentMemoryContext */
extern LyfFailure *lyf_convert(const LyfTable *table, Datum *values, bool *nulls);
extern int	lyf_count_left_out(const LyfTable *table, const bool *nulls);

/* in destination.c */
extern char *lyf_field_definition(const LyfField *field);	/* "name type COLLATE ..." */
extern int64 lyf_relation_kb(Oid relid);	/* what its rows take on disk */

/* in nested.c */
struct LyfNested
{
	const char *name;
	bool		wants_shapes;	/* spec->shapes must be there */
	bool		wants_record;
	void		(*layout) (LyfLoad *load);	/* say load->tables */
	void		(*record) (LyfLoad *load);	/* put the rows of load->source */
};

extern const LyfNested lyf_nested_jsonb;
extern const LyfNested lyf_nested_flatten;
extern const LyfNested lyf_nested_normalize;
extern const LyfNested lyf_nested_raw;

extern LyfTable *lyf_table_make(const char *name, LyfTable *parent);
extern int	lyf_table_add_field(LyfTable *table, const char *name, Oid type, int32 typmod, Oid collation);

/* put the row whose fields are in table->writer's input; children say where they belong.  False: it was rejected. */
extern bool lyf_load_put(LyfLoad *load, LyfTable *table);
extern bool lyf_load_put_child(LyfLoad *load, LyfTable *table, const pg_uuid_t *id, const pg_uuid_t *parent, int64 index);

/* in publish.c: how far it has come, for others to see */
extern void lyf_load_publish_begin(const LyfLoad *load);
extern void lyf_load_publish(LyfLoad *load);
extern void lyf_load_publish_end(void);

/* in nested_flatten.c: flatten and normalize differ in what a list becomes */
extern void lyf_flatten_layout(LyfLoad *load, bool tables);
extern LyfValue *lyf_flatten_item(LyfTable *table, LyfShape *shape, const LyfValue *value);
extern LyfValue *lyf_flatten_map(LyfTable *table, List *members, const LyfValue *map);
extern void lyf_flatten_extra(LyfTable *table, LyfValue *extra);
extern LyfValue *lyf_flatten_columns(LyfLoad *load, LyfValue **documents);

/* in mode.c */
struct LyfMode
{
	const char *name;
	bool		wants_key;
	bool		full_refresh;
	bool		key_is_record;	/* _lyftron_id is made of the whole record even if there is a key */
	void		(*check) (LyfLoad *load, LyfTable *table);	/* may this destination be loaded so?  raises */
	void		(*open) (LyfLoad *load, LyfTable *table);	/* set table->sink */
	int64		(*checkpoint) (LyfLoad *load);	/* rows are flushed: end of a piece; rows written */
	int64		(*finish) (LyfLoad *load);	/* end of the run, after the last checkpoint; adds to rows written */
};

extern const LyfMode lyf_mode_full_refresh;
extern const LyfMode lyf_mode_incremental;
extern const LyfMode lyf_mode_incremental_append;

/* in merge.c: staging tables, and from there into `into`; update false: rows that are there stay as they are */
extern void lyf_merge_open(LyfTable *table, Oid into);
extern int64 lyf_merge(LyfLoad *load, bool into_heap, bool update);
extern void lyf_merge_index(Oid relid, const char *column, bool unique);

/* in doubles.c: has it seen all rows of the table?  So it has if the table was made just now, or if it covered it before */
extern bool lyf_doubles_cover(LyfDoubles *doubles, Oid relid, bool made);

/* an id is about to be noted: have its place in the cache by then */
extern void lyf_doubles_expect(const LyfDoubles *doubles, const pg_uuid_t *id);

/* does it still tell few enough ids as possible doubles to look for these alone? */
extern bool lyf_doubles_tells(const LyfDoubles *doubles);

/* an id is written; then, at the end of a piece: of rows with the same id only the one written last stays */
extern void lyf_doubles_note(LyfDoubles *doubles, const pg_uuid_t *id);
extern int64 lyf_doubles_remove(LyfDoubles *doubles, Oid relid);	/* how many went; doubles NULL: nobody looked */

/* in destination.c */
extern void lyf_destination_open(LyfLoad *load, LyfTable *table);
extern char *lyf_relation_name(Oid relid);	/* quoted and qualified, palloc'd */

/* in writer.c */
typedef struct LyfWriter
{
	TupleTableSlot *input;		/* the row to write, of the desc given; fields to be filled by the caller */
	int64		written;
	int64		bytes;			/* of those rows */
	struct LyfWriterState *state;
} LyfWriter;

/*
 * Write into rel rows of desc: columns by name, others by their defaults.  rule
 * is the relation (of the same layout) whose defaults and constraints hold; name is for messages.
 * Memory: CurrentMemoryContext.
 */
extern LyfWriter *lyf_writer_begin(const char *name, Relation rel, Relation rule, TupleDesc desc);
extern LyfFailure *lyf_writer_put(LyfWriter *writer);	/* failure: a constraint; it is not written */
extern void lyf_writer_end(LyfWriter *writer);

/* in record_id.c */
typedef struct LyfRecordId LyfRecordId;

extern LyfRecordId *lyf_record_id_begin(TupleDesc desc, const int *attnos, int count, bool whole);
extern LyfFailure *lyf_record_id(LyfRecordId *record_id, TupleTableSlot *slot, pg_uuid_t *id);

/* of a child */
extern void lyf_child_id(const pg_uuid_t *parent, const char *table, int64 index, pg_uuid_t *id);

#endif							/* LYF_LOAD_INTERNAL_H */
