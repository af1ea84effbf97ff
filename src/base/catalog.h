/*
 * catalog.h
 *		Lyftron's own tables, reached by SPI.
 *
 * Users hold no privileges on these tables: functions check what the caller may
 * do, then read or write as the tables' owner, for the length of one statement.
 */
#ifndef LYF_CATALOG_H
#define LYF_CATALOG_H

#include "executor/spi.h"

/* up to how many arguments a catalog statement takes */
#define LYF_CATALOG_ARGS	32

/*
 * Run one statement as the owner of the extension's tables, with search_path
 * pinned to pg_catalog, pg_temp.  All names in it must be qualified.  args are
 * (type, value, isnull) triples in the three arrays.  Connects to SPI by itself;
 * each row is handed to `row` (may be NULL) while SPI is connected: it copies what it wants
 * to keep into the context it was given (arg).  Returns the number of rows processed.
 */
typedef void (*LyfCatalogRow) (void *arg, HeapTuple tuple, TupleDesc desc);

extern uint64 lyf_catalog_run(const char *sql, int nargs, const Oid *types,
							  const Datum *values, const bool *nulls,
							  LyfCatalogRow row, void *arg);

/* the same for a statement that comes often: its plan is kept in this, which is static */
typedef struct LyfCatalogPlan
{
	const char *sql;
	SPIPlanPtr	plan;
} LyfCatalogPlan;

extern uint64 lyf_catalog_run_kept(LyfCatalogPlan *kept, int nargs, const Oid *types,
								   const Datum *values, const bool *nulls,
								   LyfCatalogRow row, void *arg);

/* the OID of the extension's schema; raises if it is not there */
extern Oid	lyf_schema_oid(void);

/*
 * The owner of the extension's tables.  Keeps the extension from being dropped until the transaction ends; raises
 * where it is of a version that this library does not know.
 */
extern Oid	lyf_catalog_owner(void);

/* a column of a row by its name; text is palloc'd in CurrentMemoryContext, NULL if null */
extern Datum lyf_catalog_column(HeapTuple tuple, TupleDesc desc, const char *name, bool *isnull);
extern char *lyf_catalog_text(HeapTuple tuple, TupleDesc desc, const char *name);

/* the same of the types integer and bigint, oid and boolean; null is 0, or false */
extern int64 lyf_catalog_integer(HeapTuple tuple, TupleDesc desc, const char *name);
extern Oid	lyf_catalog_oid(HeapTuple tuple, TupleDesc desc, const char *name);
extern bool lyf_catalog_bool(HeapTuple tuple, TupleDesc desc, const char *name);

/* a text as a Datum of a row that is made; NULL: *isnull */
extern Datum lyf_text_or_null(const char *text, bool *isnull);

/* each a LyfCatalogRow: column "id" into an int64; the first column, a boolean, into a bool */
extern void lyf_catalog_take_id(void *arg, HeapTuple tuple, TupleDesc desc);
extern void lyf_catalog_take_bool(void *arg, HeapTuple tuple, TupleDesc desc);

/* in insert.c */

/* so many rows at once at most */
#define LYF_INSERT_ROWS		256

typedef struct LyfInsertColumn
{
	const char *name;
	Oid			type;
} LyfInsertColumn;

typedef struct LyfInsertTarget LyfInsertTarget;

/* A table of ours that rows often go into; static.  Columns that are not given have their defaults. */
typedef struct LyfInsertTable
{
	const char *name;
	const char *sequence;		/* numbers a row: its next number goes into */
	int			numbered;		/* so many columns, the first */
	const LyfInsertColumn *columns;
	int			count;
	/* what is known of it */
	uint64		looked_up;		/* at this count of changes, */
	Oid			relid;
	Oid			sequence_relid;
	LyfInsertTarget *target;
	bool		watched;
	int			changes;
} LyfInsertTable;

/*
 * Write rows as the tables' owner, but without a statement: values and nulls have those of one row after those of the other,
 * and get the numbers.  False: nothing was written, since the table, or a row, is one that takes a statement.
 */
extern bool lyf_catalog_insert(LyfInsertTable *table, int rows, Datum *values, bool *nulls);

#endif							/* LYF_CATALOG_H */
