/*
 * load.h
 *		Tuples to tables, with their state and what was rejected, in one commit.
 *
 * A load is one piece of a run: one execution of the pipeline's query, up to a
 * checkpoint or to the end.  All of a piece happens in one (sub)transaction.
 */
#ifndef LYF_LOAD_H
#define LYF_LOAD_H

#include "base/catalog.h"
#include "fdw/fdw.h"
#include "schema/schema.h"
#include "nodes/execnodes.h"
#include "tcop/dest.h"

/* in args.c: the arguments of a catalog statement, one call each; text, array and value may be NULL */

typedef struct LyfArgs
{
	int			count;
	Oid			types[LYF_CATALOG_ARGS];
	Datum		values[LYF_CATALOG_ARGS];
	bool		nulls[LYF_CATALOG_ARGS];
} LyfArgs;

extern void lyf_args_text(LyfArgs *args, const char *text);
extern void lyf_args_int8(LyfArgs *args, int64 number);
extern void lyf_args_datum(LyfArgs *args, Oid type, Datum value, bool isnull);
extern void lyf_args_texts(LyfArgs *args, List *texts, bool isnull);
extern void lyf_args_value(LyfArgs *args, const LyfValue *value);	/* as jsonb */
extern uint64 lyf_args_run(const LyfArgs *args, const char *sql, LyfCatalogRow row, void *arg);
extern uint64 lyf_args_run_kept(const LyfArgs *args, LyfCatalogPlan *plan, LyfCatalogRow row, void *arg);

/* what read makes of each row, in CurrentMemoryContext */
typedef void *(*LyfRowReader) (HeapTuple tuple, TupleDesc desc);

extern List *lyf_args_collect(const LyfArgs *args, LyfCatalogPlan *plan, LyfRowReader read);

/* a text[] as a List of char *; NIL for NULL, raises where a member is null */
extern List *lyf_text_list(Datum array, bool isnull);

/* a jsonb column of a row by name, as a value; NULL if null */
extern LyfValue *lyf_catalog_value(HeapTuple tuple, TupleDesc desc, const char *name);

/* run a statement as the current user, by SPI; raises.  Returns the number of rows processed. */
extern uint64 lyf_load_execute(const char *fmt,...) pg_attribute_printf(1, 2);
extern uint64 lyf_load_execute_with(const char *sql, Oid type, Datum value);	/* as $1 */

/* in shape.c: what the JSON of a column looks like: objects into columns, arrays into tables */

typedef enum LyfShapeKind
{
	LYF_SHAPE_VALUE,			/* a column */
	LYF_SHAPE_OBJECT,			/* a column for each member */
	LYF_SHAPE_LIST				/* a table of its items (normalize), or a jsonb column */
} LyfShapeKind;

typedef struct LyfShape
{
	LyfShapeKind kind;
	const char *key;			/* of the object it is in; NULL: the item itself of a list */
	Oid			type;			/* of a value */
	List	   *members;		/* of LyfShape *: of an object, of a list's items */
	/* where it goes, set by the strategy */
	int			field;			/* number in the table's fields, or -1 */
	struct LyfTable *table;		/* of a list that has one */
} LyfShape;

/* from a property's JSON schema; NULL schema: a jsonb value */
extern LyfShape *lyf_shape_from_schema(const char *key, const LyfValue *schema);

/* from values seen */
typedef struct LyfShapeLearner LyfShapeLearner;
extern LyfShapeLearner *lyf_shape_learn_begin(void);
extern void lyf_shape_learn(LyfShapeLearner *learner, const LyfValue *value);
extern LyfShape *lyf_shape_learned(LyfShapeLearner *learner, const char *key);

/* to and from what is kept with the pipeline; shapes is a List of LyfShape *, one a JSON column */
extern LyfValue *lyf_shapes_to_value(List *shapes);
extern List *lyf_shapes_from_value(const LyfValue *value);

/* in nested.c: parsing strategies, a const table, one file each */

typedef struct LyfNested LyfNested;

extern const LyfNested *lyf_nested_get(const char *name);	/* raises, naming those there are */
extern bool lyf_nested_wants_shapes(const LyfNested *nested);
extern bool lyf_nested_wants_record(const LyfNested *nested);	/* the query's first column is the whole record */

/* in mode.c: sync modes, a const table, one file each */

typedef struct LyfMode LyfMode;

extern const LyfMode *lyf_mode_get(const char *name);	/* raises, naming those there are */
extern bool lyf_mode_wants_key(const LyfMode *mode);
extern bool lyf_mode_is_full_refresh(const LyfMode *mode);

/* the columns that _lyftron_id is made of in this mode; NIL: the record as a whole */
extern List *lyf_mode_id_columns(const LyfMode *mode, List *primary_key);

/* in destination.c */

/* schema and table of 'a.b' or 'b' (in the schema that CREATE TABLE would use); raises */
extern void lyf_destination_parse(const char *text, char **schema, char **table);

/* raises where the current user cannot load it as it is, or make it */
extern void lyf_destination_check(const char *schema, const char *table);

/* in order.c: types that positions and slices can go by; const LyfOrder *: NULL where a type is none */

typedef struct LyfOrder LyfOrder;

extern const LyfOrder *lyf_order_get(Oid type);
extern bool lyf_order_is_everywhere(const LyfOrder *order); /* do all databases order its values alike? */
extern bool lyf_order_is_finite(const LyfOrder *order, Datum value);	/* else it is no position: nothing comes after it */

/* less than, equal to or greater than 0: the one value is less than the other one, equal, or greater; both as texts */
extern int	lyf_order_compare(const LyfOrder *order, const char *a, const char *b);

/* steps back from a value, as texts; is_step raises where it is none, and is false where it is one forward */
extern bool lyf_order_has_steps(const LyfOrder *order);
extern bool lyf_order_is_step(const LyfOrder *order, const char *step);
extern char *lyf_order_back(const LyfOrder *order, const char *value, const char *step);

/*
 * Cut what lies between two values into so many parts of about the same width: the beginnings of the second and following,
 * in their order; how many.  There may be fewer where there is not so much between the two.
 */
extern bool lyf_order_has_cuts(const LyfOrder *order);
extern int	lyf_order_cut(const LyfOrder *order, Datum low, Datum high, int parts, Datum *cuts);

/* text of a value, independent of the session's settings; palloc'd (in record_id.c) */
extern char *lyf_cursor_text(Datum value, Oid type);

/* in cast.c: casts of a pipeline, by column: "type", or {"type": ..., "format": "%d.%m.%Y"}; raises where they are none */
extern LyfValue *lyf_casts_check(const LyfValue *casts);
extern char *lyf_cast_type(const LyfValue *casts, const char *column);	/* as format_type has it, NULL: none */

/* in rejected.c */

typedef struct LyfRejects LyfRejects;

/*
 * The rejected records of a run.  keep false: the first one raises; max < 0: no
 * limit, else one more than max raises, those before counted.  Rejects live in CurrentMemoryContext.
 */
extern LyfRejects *lyf_rejects_begin(const char *pipeline, int64 run, const char *stream, bool keep, int64 max, int64 before);
extern void lyf_rejects_add(LyfRejects *rejects, const LyfFailure *failure, const char *record);
extern void lyf_rejects_flush(LyfRejects *rejects); /* write what is collected */
extern int64 lyf_rejects_count(const LyfRejects *rejects);

/* in profile.c: what the data shows, learned as it is loaded */

typedef struct LyfProfile LyfProfile;

/* of rows of that kind, over all pieces of a run; in CurrentMemoryContext */
extern LyfProfile *lyf_profile_begin(TupleDesc desc);

/* into lyftron.schema_profile; afresh: instead of what is there, else together with it */
extern void lyf_profile_store(const LyfProfile *profile, const char *pipeline, int64 run, bool afresh);

/* in doubles.c: what came twice while a table is filled from nothing */

typedef struct LyfDoubles LyfDoubles;

/* one a table that a run fills, over all of its pieces; in CurrentMemoryContext */
extern LyfDoubles *lyf_doubles_begin(void);

/* in receiver.c: a piece */

/* what is loaded, where and how; the caller's, as long as the load lives */
typedef struct LyfLoadSpec
{
	const LyfMode *mode;
	const LyfNested *nested;
	const LyfPolicy *policy;
	const LyfValue *history;	/* types that the source's columns have had: a map of lists of texts, or NULL */
	bool		accepted;		/* the source has changed since the first run, and whatever is refused was not let through */
	const LyfValue *casts;		/* what their values are to be cast to: a map of types, or NULL */
	const char *schema;
	const char *table;
	int64		run;
	List	   *primary_key;	/* of char *: column names; NIL: none */
	const char *cursor;			/* column whose greatest value is wanted, or NULL */
	const char *cursor_floor;	/* that is not less than this, or NULL */
	bool		ordered;		/* rows come in the cursor's order: the piece ends between two values of it when it has gone on for */
	int64		checkpoint_ms;
	int64		checkpoint_bytes;
	List	   *shapes;			/* of LyfShape *, for the strategies that want them */
	LyfRejects *rejects;
	const LyfScanControl *control;	/* of the scan, or NULL */
	LyfValue   *heaps;			/* hidden heaps of an earlier piece: map of destination (OID) to what swap.c keeps, or NULL */
	LyfProfile *profile;		/* is to see the rows, or NULL */
	LyfDoubles *doubles;		/* has seen all that this run loaded into a table it began with empty, or NULL */
	bool		goes_on;		/* an earlier piece has made or filled the destination: it must be there */
	int64		loaded;			/* rows that earlier pieces put into the heaps */
	/* a piece that is a slice: others may load other ones meanwhile; then heaps is there, and nothing of the destination is changed */
	int			slice;			/* its number, from 1; 0: it is none */
	int64		sliced;			/* which slicing it is of, for others to see */
	bool		apart;			/* the run's slices cannot have records in common */
	bool		distinct;		/* of the end of a run: no record came twice */
} LyfLoadSpec;

typedef struct LyfLoad LyfLoad;

/*
 * Begin a piece: makes the destination if it is not there, adds what it lacks
 * as the policy says, opens what is written.  desc: the query's columns.
 * Memory: a context of its own under CurrentMemoryContext.  Raises; what an
 * abort leaves behind is undone by the (sub)transaction.
 */
extern LyfLoad *lyf_load_begin(const LyfLoadSpec *spec, TupleDesc desc);

/* where the query's rows go */
extern DestReceiver *lyf_load_receiver(LyfLoad *load);

/* did it leave the rest of the query's rows to the next piece, since they came in order? */
extern bool lyf_load_ended(const LyfLoad *load);

typedef struct LyfLoadResult
{
	int64		read;			/* rows of the query */
	int64		written;		/* rows that changed the destination (or the heap that will be it) */
	int64		left_out;		/* values that have no column to go to */
	bool		doubtful;		/* of a slice: records may have come twice */
	char	   *cursor;			/* greatest value of the cursor column as JSON would show it, NULL: none above the floor */
	LyfValue   *heaps;			/* for the next piece; NULL after the last */
} LyfLoadResult;

/*
 * End a piece: flush, merge; and if it is the last, what the mode does at the end (swap).
 * The result is in CurrentMemoryContext.  The load is gone afterwards.
 */
extern void lyf_load_end(LyfLoad *load, bool last, LyfLoadResult *result);

/*
 * In evolve_show.c: what beginning a piece would do to the destination that is there, a row each into a result
 * (column_name, change, answer, statement, rewrites, reason).
 */
extern void lyf_evolve_show(const LyfLoadSpec *spec, TupleDesc desc, ReturnSetInfo *result);

/* in swap.c: drop the hidden heaps that a piece left (those still there and ours) */
extern void lyf_load_drop_heaps(const LyfValue *heaps);

/* in state.c: lyftron.state, see load.sql */

/* Airbyte's state JSON of a pipeline, and the page it stands at; NULL where there is none */
extern void lyf_state_get(const char *pipeline, LyfValue **state, LyfValue **page);

/* write what differs; NULL: remove */
extern void lyf_state_put(const char *pipeline, const char *stream, const LyfValue *state, const LyfValue *page);

/* forget where a run stopped in mid-way; state_too: all of it */
extern void lyf_state_forget(const char *pipeline, bool state_too);

/* a state as it may come from Airbyte, out of its wrappings; raises where it is none */
extern LyfValue *lyf_state_unwrap(const LyfValue *value, const char *stream);

#endif							/* LYF_LOAD_H */
