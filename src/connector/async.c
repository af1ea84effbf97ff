/*
 * async.c
 *		AsyncRetriever: a slice is a job that the source works on by itself.
 *
 * It is created, asked for how it fares until it is over, and what it made is downloaded
 * from one or more places (targets); then it may be deleted.  A job that fails, or takes too
 * long, is created anew, a few times.  Jobs of a stream are worked on one after the other.
 *
 * Templates of requests after the first see what the source answered: creation_response,
 * polling_response, and download_target.
 */
#include "postgres.h"

#include <limits.h>

#include "base/clock.h"
#include "connector/read_internal.h"

/* how often a job is created for one slice */
#define MAX_ATTEMPTS	3

/* ms between two questions how a job fares: it doubles from one to the other */
#define FIRST_WAIT		1000
#define LONGEST_WAIT	5000

/* minutes a job may take, where the manifest does not say */
#define DEFAULT_TIMEOUT	60

/* places that one job's results can be downloaded from */
#define MAX_TARGETS		100000

typedef enum JobStatus
{
	JOB_RUNNING, JOB_COMPLETED, JOB_FAILED, JOB_TIMED_OUT, JOB_SKIPPED
} JobStatus;

static const char *const status_names[] = {
	[JOB_RUNNING] = "running",
	[JOB_COMPLETED] = "completed",
	[JOB_FAILED] = "failed",
	[JOB_TIMED_OUT] = "timeout",
	[JOB_SKIPPED] = "skipped"
};

/* the stream's jobs as its manifest has them; those that are not there are NULL */
struct LyfJobs
{
	LyfRequester *creation;
	LyfRequester *polling;
	LyfRequester *target;
	LyfRequester *download;
	LyfRequester *abort;
	LyfRequester *delete;
	LyfPaginator *one_page;		/* of all but the download */
	LyfDecoder *decoder;		/* of all but the download */
	LyfExtractor *status_extractor;
	LyfExtractor *target_extractor; /* or NULL: one target, without a name */
	LyfValue   *status[lengthof(status_names)]; /* lists of the source's words */
	LyfTemplate *timeout;		/* minutes, or NULL */
	LyfTemplate *retry_wait;	/* seconds, or NULL: none */
};

/* one of them */
struct LyfJob
{
	const LyfJobs *jobs;
	LyfSession *session;
	const LyfSlice *slice;
	LyfValue   *creation;		/* what the source answered, as templates see it */
	LyfValue   *polling;
	LyfValue   *targets;		/* a list */
};

/* --- compiling --- */

static LyfFailure *
compile_requester(const LyfComponent *c, const char *field, bool required, json_t *manifest, LyfBudget *budget,
				  LyfRequester **out)
{
	LyfComponent requester = lyf_component_child(c, field);

	*out = NULL;
	if (requester.json == NULL)
		return required ? lyf_component_invalid(c, "field \"%s\" is missing", field) : NULL;
	LYF_TRY(lyf_requester_compile(&requester, manifest, false, out));
	lyf_requester_set_budget(*out, budget);
	return NULL;
}

static LyfFailure *
compile_requesters(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfJobs *jobs)
{
	LYF_TRY(compile_requester(c, "creation_requester", true, manifest, budget, &jobs->creation));
	LYF_TRY(compile_requester(c, "polling_requester", true, manifest, budget, &jobs->polling));
	LYF_TRY(compile_requester(c, "download_requester", true, manifest, budget, &jobs->download));
	lyf_requester_follow(jobs->download);
	LYF_TRY(compile_requester(c, "download_target_requester", false, manifest, budget, &jobs->target));
	LYF_TRY(compile_requester(c, "abort_requester", false, manifest, budget, &jobs->abort));
	return compile_requester(c, "delete_requester", false, manifest, budget, &jobs->delete);
}

static LyfFailure *
compile_extractors(const LyfComponent *c, LyfJobs *jobs)
{
	LyfComponent status = lyf_component_child(c, "status_extractor");
	LyfComponent target = lyf_component_child(c, "download_target_extractor");

	if (status.json == NULL)
		return lyf_component_invalid(c, "field \"status_extractor\" is missing");
	LYF_TRY(lyf_extractor_compile(&status, &jobs->status_extractor));
	if (target.json == NULL && jobs->target != NULL)
		return lyf_component_invalid(c, "download_target_extractor is missing, for a download_target_requester");
	return target.json != NULL ? lyf_extractor_compile(&target, &jobs->target_extractor) : NULL;
}

static LyfFailure *
compile_status_map(const LyfComponent *c, LyfJobs *jobs)
{
	if (c->json == NULL)
		return lyf_component_invalid(c, "it is missing");
	for (int i = 0; i < lengthof(status_names); i++)
	{
		size_t		count;

		LYF_TRY(lyf_component_list(c, status_names[i], &count));
		LYF_TRY(lyf_component_value(c, status_names[i], &jobs->status[i]));
	}
	return NULL;
}

LyfFailure *
lyf_jobs_compile(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfJobs **out)
{
	LyfComponent none = lyf_component_child(c, "");
	LyfComponent creation = lyf_component_child(c, "creation_requester");
	LyfComponent decoder = lyf_component_child(c, "decoder");
	LyfComponent map = lyf_component_child(c, "status_mapping");
	LyfJobs    *jobs = palloc0(sizeof(LyfJobs));

	LYF_TRY(compile_requesters(c, manifest, budget, jobs));
	LYF_TRY(compile_extractors(c, jobs));
	LYF_TRY(compile_status_map(&map, jobs));
	LYF_TRY(lyf_paginator_compile(&none, &creation, &jobs->one_page));
	LYF_TRY(lyf_decoder_compile(&decoder, &jobs->decoder));
	LYF_TRY(lyf_component_template(c, "polling_job_timeout", &jobs->timeout));
	LYF_TRY(lyf_component_template(c, "failed_retry_wait_time_in_seconds", &jobs->retry_wait));
	*out = jobs;
	return NULL;
}

LyfRequester *
lyf_jobs_creation(const LyfJobs *jobs)
{
	return jobs->creation;
}

LyfRequester *
lyf_jobs_download(const LyfJobs *jobs)
{
	return jobs->download;
}

/* --- requests --- */

/* an answer as templates see it: the members of its JSON, and how it came */
static LyfValue *
response_context(LyfPage *page)
{
	LyfValue   *body = lyf_page_json(page, NULL);
	LyfValue   *context = lyf_value_make(LYF_MAP);
	LyfValue   *request;

	if (body->kind == LYF_MAP)
		context = lyf_value_copy(body);
	if (lyf_value_get(context, "headers") == NULL)
		lyf_value_set(context, "headers", lyf_value_copy(page->headers));
	if (lyf_value_get(context, "request") == NULL)
	{
		request = lyf_value_make(LYF_MAP);
		lyf_value_set(request, "method", lyf_value_string(page->method));
		lyf_value_set(request, "url", lyf_value_string(page->url));
		lyf_value_set(context, "request", request);
	}
	return context;
}

/* the job's slice, with what the source answered so far */
static LyfSlice *
slice_with(const LyfJob *job, bool own, LyfValue *polling, const LyfValue *target)
{
	LyfValue   *extra = own ? lyf_value_merge(job->slice->extra_fields, NULL) : lyf_value_make(LYF_MAP);

	if (target != NULL)
		lyf_value_set(extra, "download_target", lyf_value_alias(target));
	if (own)
		lyf_value_set(extra, "creation_response", lyf_value_alias(job->creation));
	if (polling != NULL)
		lyf_value_set(extra, "polling_response", lyf_value_alias(polling));
	if (!own)
		return lyf_slice_make(NULL, NULL, extra);
	return lyf_slice_make(job->slice->partition, job->slice->cursor_slice, extra);
}

/* one request, whose answer is good until the fetch ends */
static LyfFailure *
ask(const LyfJob *job, LyfRequester *requester, const LyfSlice *slice, LyfFetch **fetch, LyfPage **page)
{
	*fetch = lyf_fetch_begin(requester, job->jobs->one_page, job->session, slice, NULL, 0, false, NULL);
	LYF_TRY(lyf_fetch_next(*fetch, page));
	if (*page == NULL || (*page)->no_records)
		return lyf_failure(ERRCODE_FDW_ERROR, "the source gives no answer about a job");
	return NULL;
}

/* a request whose answer does not matter */
static LyfFailure *
tell(const LyfJob *job, LyfRequester *requester)
{
	LyfFailure *failure = NULL;
	LyfFetch   *fetch;
	LyfPage    *page;

	if (requester == NULL)
		return NULL;
	fetch = lyf_fetch_begin(requester, job->jobs->one_page, job->session, slice_with(job, true, NULL, NULL), NULL, 0, false, NULL);
	failure = lyf_fetch_next(fetch, &page);
	lyf_fetch_end(fetch);
	return failure;
}

/* what an extractor finds in an answer, a list in CurrentMemoryContext */
static LyfFailure *
extract(const LyfJob *job, const LyfExtractor *extractor, LyfFetch *fetch, LyfPage *page, LyfValue **found)
{
	MemoryContext caller = MemoryContextSwitchTo(lyf_fetch_page_context(fetch));
	LyfRecords	records;
	LyfFailure *failure = lyf_extract(extractor, job->session, job->jobs->decoder, page, &records);
	LyfValue  **tail;

	MemoryContextSwitchTo(caller);
	if (failure != NULL)
		return lyf_failure_copy(failure);
	if (records.count > MAX_TARGETS)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a job has more than %d results to download", MAX_TARGETS);
	*found = lyf_value_make(LYF_LIST);
	tail = &(*found)->u.first;
	for (int i = 0; i < records.count; i++)
	{
		*tail = lyf_value_copy(records.record[i]);
		tail = &(*tail)->next;
		(*found)->len++;
	}
	return NULL;
}

static LyfFailure *
create(LyfJob *job)
{
	LyfFetch   *fetch;
	LyfPage    *page;
	LyfFailure *failure = ask(job, job->jobs->creation, job->slice, &fetch, &page);

	if (failure == NULL)
		job->creation = response_context(page);
	lyf_fetch_end(fetch);
	return failure;
}

/* what the source's word for a status means */
static LyfFailure *
read_status(const LyfJobs *jobs, const LyfValue *found, JobStatus *status)
{
	const LyfValue *first = found->u.first;
	char	   *text = first != NULL ? lyf_template_str(first) : "";

	for (int i = 0; i < lengthof(status_names) && first != NULL; i++)
	{
		if (jobs->status[i] == NULL)
			continue;
		lyf_foreach(word, jobs->status[i])
		{
			if (strcmp(lyf_template_str(word), text) == 0)
			{
				*status = i;
				return NULL;
			}
		}
	}
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the status of a job is not known: \"%.100s\"", text),
							"The status_mapping of the connector's AsyncRetriever should say what it means.");
}

/* ask how the job fares */
static LyfFailure *
poll(LyfJob *job, JobStatus *status)
{
	LyfFetch   *fetch;
	LyfPage    *page;
	LyfValue   *found;
	LyfFailure *failure = ask(job, job->jobs->polling, slice_with(job, true, NULL, NULL), &fetch, &page);

	if (failure == NULL)
		failure = extract(job, job->jobs->status_extractor, fetch, page, &found);
	if (failure == NULL)
		failure = read_status(job->jobs, found, status);
	if (failure == NULL && *status == JOB_COMPLETED)
	{
		job->polling = response_context(page);
		if (job->jobs->target == NULL && job->jobs->target_extractor != NULL)
			failure = extract(job, job->jobs->target_extractor, fetch, page, &job->targets);
	}
	lyf_fetch_end(fetch);
	return failure;
}

/* where the results are, if they have to be asked for */
static LyfFailure *
find_targets(LyfJob *job)
{
	LyfFailure *failure;
	LyfFetch   *fetch;
	LyfPage    *page;

	if (job->jobs->target_extractor == NULL)
	{
		job->targets = lyf_value_make(LYF_LIST);
		lyf_value_append(job->targets, lyf_value_string(""));
		return NULL;
	}
	if (job->jobs->target == NULL)
		return NULL;
	failure = ask(job, job->jobs->target, slice_with(job, false, job->polling, NULL), &fetch, &page);
	if (failure == NULL)
		failure = extract(job, job->jobs->target_extractor, fetch, page, &job->targets);
	lyf_fetch_end(fetch);
	return failure;
}

/* --- the course of a job --- */

static LyfFailure *
read_number(const LyfTemplate *template, const LyfSession *session, const char *name, int64 fallback, int64 *number)
{
	LyfValue   *value;

	*number = fallback;
	if (template == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval(template, &session->scope, 0, NULL, &value));
	if (!lyf_value_is(value, LYF_INT) || value->u.integer < 1 || value->u.integer > INT_MAX)
		return lyf_failure(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, "%s must be a positive integer", name);
	*number = value->u.integer;
	return NULL;
}

/* until it is over, one way or the other */
static LyfFailure *
wait_for(LyfJob *job, JobStatus *status)
{
	int64		start = lyf_monotonic_us();
	int64		wait = FIRST_WAIT;
	int64		minutes;

	LYF_TRY(read_number(job->jobs->timeout, job->session, "polling_job_timeout", DEFAULT_TIMEOUT, &minutes));
	for (;;)
	{
		LYF_TRY(poll(job, status));
		if (*status != JOB_RUNNING)
			return NULL;
		if (lyf_monotonic_us() - start >= minutes * INT64CONST(60000000))
		{
			*status = JOB_TIMED_OUT;
			return NULL;
		}
		lyf_net_sleep(wait, job->session->stats);
		wait = Min(wait * 2, LONGEST_WAIT);
	}
}

/* after a job that came to nothing */
static LyfFailure *
recover(LyfJob *job, JobStatus status)
{
	int64		seconds;

	if (status == JOB_TIMED_OUT)
		return tell(job, job->jobs->abort);
	LYF_TRY(read_number(job->jobs->retry_wait, job->session, "failed_retry_wait_time_in_seconds", 0, &seconds));
	lyf_net_sleep(seconds * 1000, job->session->stats);
	return NULL;
}

LyfFailure *
lyf_job_run(const LyfJobs *jobs, LyfSession *session, const LyfSlice *slice, LyfJob **out)
{
	LyfJob	   *job = palloc0(sizeof(LyfJob));
	JobStatus	status = JOB_FAILED;

	job->jobs = jobs;
	job->session = session;
	job->slice = slice;
	*out = job;
	for (int attempt = 1; attempt <= MAX_ATTEMPTS; attempt++)
	{
		if (attempt > 1)
			LYF_TRY(recover(job, status));
		LYF_TRY(create(job));
		LYF_TRY(wait_for(job, &status));
		if (status == JOB_COMPLETED)
			return find_targets(job);
		if (status == JOB_SKIPPED)
		{
			job->targets = lyf_value_make(LYF_LIST);
			return NULL;
		}
	}
	if (status == JOB_TIMED_OUT)
		LYF_TRY(tell(job, jobs->abort));
	return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the source's job %s, %d times",
										status == JOB_TIMED_OUT ? "takes too long" : "fails", MAX_ATTEMPTS),
							"Smaller slices (a step of the cursor) make smaller jobs.");
}

int
lyf_job_targets(const LyfJob *job)
{
	return job->targets->len;
}

LyfSlice *
lyf_job_slice(const LyfJob *job, int target)
{
	return slice_with(job, true, job->polling, lyf_value_at(job->targets, target));
}

LyfFailure *
lyf_job_end(const LyfJob *job)
{
	return tell(job, job->jobs->delete);
}
