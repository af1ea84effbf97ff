/*
 * publish.c
 *		How far a load has come, for the view lyftron.vault_progress.
 *
 * It shows in pg_stat_progress_copy, as loads of pipelines do: places that COPY does not use hold what the view has besides.
 */
#include "postgres.h"

#include "commands/progress.h"
#include "utils/backend_progress.h"
#include "utils/rel.h"

#include "vault/load_internal.h"

#define PLACE_MARK			10	/* whose it is */
#define PLACE_SOURCE		11	/* number of a mapping of the source */
#define PLACE_BEGAN			12
#define PLACE_TABLES		13
#define PLACE_TABLES_DONE	14
#define PLACE_TABLE			15	/* number of the mapping of the table that is written; 0: none yet */
#define PLACE_CANDIDATES	16	/* rows that came for it */
#define PLACE_WRITTEN		17	/* rows that were written to it */
#define MARK				19546

#define ROWS_AT_ONCE		1000

void
lyf_vault_publish_begin(const LyfStage *stage)
{
	static const int places[] = {PROGRESS_COPY_COMMAND, PROGRESS_COPY_TYPE, PLACE_MARK, PLACE_SOURCE, PLACE_BEGAN, PLACE_TABLES};
	const LyfFeed *first = linitial(stage->feeds);
	const int64 values[] = {PROGRESS_COPY_COMMAND_FROM, PROGRESS_COPY_TYPE_CALLBACK, MARK, first->source_id, stage->now, list_length(stage->feeds)};

	pgstat_progress_start_command(PROGRESS_COMMAND_COPY, RelationGetRelid(first->rel));
	pgstat_progress_update_multi_param(lengthof(places), places, values);
}

void
lyf_vault_publish_read(const LyfStage *stage)
{
	if (stage->rows % ROWS_AT_ONCE == 0)
		pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, stage->rows);
}

void
lyf_vault_publish_table(const LyfFeed *feed, int done)
{
	static const int places[] = {PROGRESS_COPY_TUPLES_PROCESSED, PLACE_TABLES_DONE, PLACE_TABLE, PLACE_CANDIDATES, PLACE_WRITTEN};
	const int64 values[] = {feed->stage->rows, done, feed->source_id, feed->offered, 0};

	pgstat_progress_update_multi_param(lengthof(places), places, values);
}

void
lyf_vault_publish_written(int64 rows)
{
	pgstat_progress_update_param(PLACE_WRITTEN, rows);
}

void
lyf_vault_publish_end(void)
{
	pgstat_progress_end_command();
}
