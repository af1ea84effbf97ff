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
#define LYF_CATALOG_ARGS	24

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
	bool		plain;			/* INSERT of given values: nothing to be planned, all names qualified (search_path is the caller's) */
	SPIPlanPtr	plan;
} LyfCatalogPlan;

extern uint64 lyf_catalog_run_kept(LyfCatalogPlan *kept, int nargs, const Oid *types,
								   const Datum *values, const bool *nulls,
								   LyfCatalogRow row, void *arg);

/* the OID of the extension's schema; raises if it is not there */
extern Oid	lyf_schema_oid(void);

/* a column of a row by its name; text is palloc'd in CurrentMemoryContext, NULL if null */
extern Datum lyf_catalog_column(HeapTuple tuple, TupleDesc desc, const char *name, bool *isnull);
extern char *lyf_catalog_text(HeapTuple tuple, TupleDesc desc, const char *name);

#endif							/* LYF_CATALOG_H */
