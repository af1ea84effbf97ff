/*
 * read_internal.h
 *		A read in progress.
 */
#ifndef LYF_READ_INTERNAL_H
#define LYF_READ_INTERNAL_H

#include "connector/connector.h"

/* in async.c: slices that are jobs of the source */

typedef struct LyfJobs LyfJobs;
typedef struct LyfJob LyfJob;

extern LyfFailure *lyf_jobs_compile(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfJobs **out);
extern LyfRequester *lyf_jobs_creation(const LyfJobs *jobs);
extern LyfRequester *lyf_jobs_download(const LyfJobs *jobs);

/* have the source do the job of a slice, which must outlive it; in CurrentMemoryContext */
extern LyfFailure *lyf_job_run(const LyfJobs *jobs, LyfSession *session, const LyfSlice *slice, LyfJob **job);

/* how many results there are to download, and the slice that the requests of one are made from */
extern int	lyf_job_targets(const LyfJob *job);
extern LyfSlice *lyf_job_slice(const LyfJob *job, int target);

/* all of it was downloaded */
extern LyfFailure *lyf_job_end(const LyfJob *job);

/* in properties.c: records whose properties are asked for, in one request or several */

typedef struct LyfProperties LyfProperties;
typedef struct LyfMerge LyfMerge;

/* what a requester says about them; *out NULL: nothing */
extern LyfFailure *lyf_properties_compile(const LyfComponent *requester, json_t *manifest, LyfBudget *budget, LyfProperties **out);

/* the properties of each request of a page, a list of lists, in CurrentMemoryContext; the source may be asked.  schema: the stream's, or NULL */
extern LyfFailure *lyf_properties_chunks(const LyfProperties *properties, LyfSession *session, const LyfValue *schema, LyfValue **chunks);

/* the records of a page's requests put together; records: those of the last one, replaced by what came of all */
extern LyfMerge *lyf_merge_begin(const LyfProperties *properties);
extern LyfFailure *lyf_merge_add(LyfMerge *merge, const LyfRecords *records);
extern void lyf_merge_end(LyfMerge *merge, LyfRecords *records);

struct LyfReader
{
	LyfStream  *stream;
	bool		lazy;			/* first pages of slices come from the parent's records */
	bool		is_first;		/* of a StateDelegatingStream, the one that needs no state */
	const char *server_name;
	LyfReadOptions options;		/* state and position are copies */
	LyfSession *session;		/* a parent shares its child's */
	LyfSession	own_session;
	MemoryContext cxt;
	MemoryContext read_cxt;		/* progress and router; a read that starts over begins here */
	MemoryContext partition_cxt;
	MemoryContext slice_cxt;

	LyfProgress *progress;
	LyfRouterScan *routing;		/* NULL where there is no router */
	const LyfValue *router_state;	/* the state that parents started from, or NULL */
	const char *cursor_field;	/* or NULL */
	bool		client_side;
	bool		data_feed;

	bool		prepared;		/* what the source has to be asked before the first slice is known */
	LyfValue   *chunks;			/* properties of each request of a page, or NULL */
	bool		started;
	bool		restarted;		/* the position was not found: from the beginning */
	bool		finished;
	int64		partition_count;	/* asked of the router, the current one too */
	LyfSlice   *partition;		/* the current one, or NULL */
	bool		partition_has_slices;
	LyfSlice   *slice;			/* the current one, or NULL */
	bool		slice_closed;	/* its last page was handed out */
	bool		slice_done;		/* for lyf_reader_slice_done */
	int64		slices_read;
	LyfScope	scope;
	const LyfSlice *shortened;	/* what is left of the slice after paging began again, or NULL */
	int64		page_records;	/* since paging began */
	int			resets;			/* in vain */
	bool		reset_due;		/* before the next page paging begins again */
	LyfJob	   *job;			/* of the current slice, or NULL: it needs none */
	int			target;			/* of the job: how many were begun */
	LyfFetch   *fetch;			/* NULL: there is nothing to fetch (any more) */
	LyfRecords	records;
	size_t		page_bytes;		/* of the last page's body */
	int			slices_ahead;	/* after the current one, whose first request was sent already */

	bool		is_parent;
	int			next_record;	/* as a parent: of the current page */
};

/*
 * in read_begin.c: a reader in a context of its own, which then gets a session and options; the stream
 * that it is to read; then begin it, or give it up
 */
extern LyfReader *lyf_reader_make(void);
extern LyfFailure *lyf_reader_use(LyfReader *reader, LyfStream *stream);
extern LyfFailure *lyf_reader_begin_made(LyfReader *reader, LyfReader **out);

/* start from the first partition; leave all that was begun */
extern LyfFailure *lyf_read_begin(LyfReader *reader);
extern void lyf_read_end(LyfReader *reader);

/* in read.c: the next partition of the router, or the only one; reader->partition is NULL at the end */
extern LyfFailure *lyf_read_pull(LyfReader *reader);

/* is it one of the partitions that were asked for? */
extern bool lyf_read_wants(const LyfReader *reader, const LyfSlice *partition);

/* in read_fetch.c: prepare to fetch a slice, from a page's token or its start; in CurrentMemoryContext */
extern LyfFailure *lyf_read_make_fetch(LyfReader *reader, const LyfSlice *slice, const LyfValue *token, LyfFetch **fetch);

/* make slice the current one and prepare to fetch it */
extern LyfFailure *lyf_read_open_slice(LyfReader *reader, LyfSlice *slice, const LyfValue *token);

/* begin to fetch the next of the job's results; none is left: reader->fetch is NULL */
extern void lyf_read_open_target(LyfReader *reader);

/* the records of a page; *page is then the one that paging looks at */
extern LyfFailure *lyf_read_select(LyfReader *reader, LyfPage **page, LyfRecords *records);

/* is paging to begin again, after this page?  And: begin it again, where that can be from where the slice got to */
extern bool lyf_read_resets(LyfReader *reader, const LyfPage *page);
extern LyfFailure *lyf_read_reset(LyfReader *reader);

/* in read_ahead.c: how many requests of a read the connector and the settings allow in flight at once */
extern int	lyf_read_concurrency(const LyfConnector *connector, const LyfSession *session);

/*
 * in read_position.c: go to a position, whose partition is where it was by its
 * number, or wherever it is now; *found is false if it is not there: then begin anew
 */
extern LyfFailure *lyf_read_find(LyfReader *reader, const LyfValue *position, bool by_number, bool *found);

#endif							/* LYF_READ_INTERNAL_H */
