/*
 * publish.c
 *		How far a piece has come, for others to see while it is not committed.
 *
 * A load is a kind of COPY, and shows in pg_stat_progress_copy as one; places that COPY does
 * not use hold what the view lyftron.progress has besides.
 */
#include "postgres.h"

#include "commands/progress.h"
#include "utils/backend_progress.h"
#include "utils/rel.h"

#include "load/load_internal.h"

/* places beyond those of COPY; a mark that tells whose it is, and what is counted */
#define PLACE_MARK			10
#define PLACE_REQUESTS		11
#define PLACE_SLICES_READ	12
#define PLACE_SLICES		13
#define PLACE_SLICED		14	/* of a slice: of which slicing, */
#define PLACE_SLICE			15	/* its number, */
#define PLACE_BEGAN			16	/* and when it was begun */
#define MARK				19545

/* without a source that counts its requests, so many rows at once */
#define ROWS_AT_ONCE		500

void
lyf_load_publish_begin(const LyfLoad *load)
{
	static const int places[] = {PROGRESS_COPY_COMMAND, PROGRESS_COPY_TYPE, PLACE_MARK, PLACE_SLICED, PLACE_SLICE, PLACE_BEGAN};
	const int64 values[] = {PROGRESS_COPY_COMMAND_FROM, PROGRESS_COPY_TYPE_CALLBACK, MARK,
	load->spec->sliced, load->spec->slice, load->now};
	const LyfTable *table = linitial(load->tables);

	pgstat_progress_start_command(PROGRESS_COMMAND_COPY, RelationGetRelid(table->rel));
	pgstat_progress_update_multi_param(lengthof(places), places, values);
}

void
lyf_load_publish_end(void)
{
	pgstat_progress_end_command();
}

void
lyf_load_publish(LyfLoad *load)
{
	static const int places[] = {PROGRESS_COPY_TUPLES_PROCESSED, PROGRESS_COPY_BYTES_PROCESSED, PLACE_REQUESTS,
	PLACE_SLICES_READ, PLACE_SLICES};
	const LyfScanControl *control = load->spec->control;
	int64		values[lengthof(places)] = {load->read};

	if (control != NULL && control->stats.requests == load->published && load->read % ROWS_AT_ONCE != 0)
		return;
	if (control == NULL && load->read % ROWS_AT_ONCE != 0)
		return;
	if (control != NULL)
	{
		load->published = control->stats.requests;
		values[1] = control->stats.wire_bytes;
		values[2] = control->stats.requests;
		values[3] = control->slices_read;
		values[4] = control->slices;
	}
	pgstat_progress_update_multi_param(lengthof(places), places, values);
}
