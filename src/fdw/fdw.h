/*
 * fdw.h
 *		Plan to tuples: foreign data wrappers, and how a pipeline steers the scan
 *		that is its source.
 */
#ifndef LYF_FDW_H
#define LYF_FDW_H

#include "connector/connector.h"

/*
 * What a pipeline tells the scan of its source table, and hears from it.  Set
 * (lyf_scan_control) while the pipeline's query runs; a scan of `relid` in any
 * other setting is an ordinary one.  Values live in the pipeline's context.
 */
typedef struct LyfScanControl
{
	/* the pipeline says */
	Oid			relid;			/* the foreign table that is steered */
	bool		full_refresh;	/* leave the stream's own cursor alone */
	const LyfValue *state;		/* Airbyte's state JSON, or NULL */
	const LyfValue *position;	/* where the last checkpoint stopped, or NULL */
	bool		checkpoints;	/* may the scan stop at a page boundary for a checkpoint? */
	int64		checkpoint_ms;
	int64		checkpoint_bytes;	/* of decompressed bodies */
	/* a record that cannot be converted: keep it (and go on), or NULL: raise.  record_json is its text. */
	void		(*reject) (void *arg, const LyfFailure *failure, const char *stream, const char *record_json);
	void	   *reject_arg;
	MemoryContext cxt;			/* where the scan puts the following */

	/* the scan says, up to date after each page and at its end */
	bool		scanned;		/* it was this scan that ran */
	bool		restarted;		/* full_refresh: the position is not there any more; it gave no row */
	bool		more;			/* it stopped for a checkpoint; there is more from `new_position` on */
	LyfValue   *new_state;		/* set when it ends or stops */
	LyfValue   *new_position;
	int64		records;		/* read from the source (rejected ones too) */
	int64		slices_read;
	int64		slices;			/* 0: not known beforehand */
	TimestampTz extracted_at;	/* when the page of the current tuple came */
	LyfNetStats stats;
} LyfScanControl;

extern PGDLLIMPORT LyfScanControl *lyf_scan_control;

/* in option.c of fdw/: a foreign table of lyftron_rest? then its server and stream */
extern bool lyf_rest_table(Oid relid, Oid *server, char **stream);

/*
 * A stream of a server as a relation: columns (List of LyfColumn *), primary key and
 * cursor field, as IMPORT FOREIGN SCHEMA and create_pipeline see it; names are
 * the source's.  Raises.
 */
typedef struct LyfStreamShape
{
	List	   *columns;
	List	   *primary_key;	/* of char *: top-level fields; NIL if none or nested */
	char	   *cursor_field;	/* or NULL */
} LyfStreamShape;

extern LyfStreamShape *lyf_rest_shape(Oid server, const char *stream);

/* the column name of a source's name: at most 63 bytes, cut with a hash where longer */
extern char *lyf_column_name(const char *source_name);

#endif							/* LYF_FDW_H */
