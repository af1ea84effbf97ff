/*
 * credential_store.c
 *		A refresh token that can be used once only is renewed: the backend's half.
 *
 * What is asked for in a transaction that rolls back, or by a statement that is
 * cancelled, must be kept all the same: the old token is worth nothing any more.
 * So a background worker sends the request and commits what comes of it, in a
 * transaction of its own (credential_worker.c); the backend waits for that, or
 * leaves.  Without a worker nothing is sent.
 *
 * Two locks on the account: this one has the backends queue here, rather than
 * each with a worker; the worker's own is there when its backend has left.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/lmgr.h"
#include "storage/shm_mq.h"

#include "base/json.h"
#include "connector/credential_internal.h"

#define WORKER_NAME "lyftron token renewal"

static void
lock_target(const LyfAccount *account, Oid *class, Oid *object)
{
	*class = account->has_mapping ? UserMappingRelationId : ForeignServerRelationId;
	*object = account->has_mapping ? account->mapping : account->server;
}

/* the account's configuration, with what is stored for it now or with `stored` */
static LyfValue *
current_config(LyfSession *session, const LyfAccount *account, const LyfValue *stored)
{
	MemoryContext caller = MemoryContextSwitchTo(session->cxt);
	LyfValue   *config;

	config = stored != NULL ? lyf_value_merge_deep(account->given, stored) : lyf_credential_merge(account, NULL);
	config = lyf_value_copy(config);
	MemoryContextSwitchTo(caller);
	return config;
}

static LyfFailure *
begin(LyfSession *session, LyfValue **config)
{
	const LyfAccount *account = session->store_arg;
	Oid			class;
	Oid			object;

	if (RecoveryInProgress())
		return lyf_failure_hint(lyf_failure_detail(lyf_failure(ERRCODE_READ_ONLY_SQL_TRANSACTION,
															   "the access token for server \"%s\" cannot be renewed on a standby",
															   account->server_name),
												   "The service gives a new refresh token with it, which must be stored."),
								"Read on the primary, or wait until a token that was renewed there has come over.");
	lock_target(account, &class, &object);
	LockDatabaseObject(class, object, LYF_CREDENTIAL_LOCK_BACKEND, ExclusiveLock);
	*config = current_config(session, account, NULL);
	return NULL;
}

static void
end(LyfSession *session)
{
	Oid			class;
	Oid			object;

	lock_target(session->store_arg, &class, &object);
	UnlockDatabaseObject(class, object, LYF_CREDENTIAL_LOCK_BACKEND, ExclusiveLock);
}

/* shared memory with the job and a queue that this backend reads from; NULL: there is none left */
static dsm_segment *
share(const char *job, shm_mq_handle **queue)
{
	Size		size = MAXALIGN(offsetof(LyfCredentialShared, job) + strlen(job) + 1);
	dsm_segment *segment = dsm_create(size + LYF_CREDENTIAL_QUEUE_BYTES, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	LyfCredentialShared *shared;
	shm_mq	   *mq;

	if (segment == NULL)
		return NULL;
	shared = dsm_segment_address(segment);
	shared->database = MyDatabaseId;
	shared->queue_at = size;
	strcpy(shared->job, job);
	mq = shm_mq_create((char *) shared + size, LYF_CREDENTIAL_QUEUE_BYTES);
	shm_mq_set_receiver(mq, MyProc);
	*queue = shm_mq_attach(mq, segment, NULL);
	return segment;
}

static bool
launch(dsm_segment *segment, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {
		.bgw_name = WORKER_NAME,
		.bgw_type = WORKER_NAME,
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "lyftron",
		.bgw_function_name = "lyf_credential_worker",
		.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment)),
		.bgw_notify_pid = MyProcPid,
	};

	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static LyfFailure *
no_worker(const LyfAccount *account, const char *what)
{
	return lyf_failure_hint(lyf_failure_detail(lyf_failure(ERRCODE_INSUFFICIENT_RESOURCES,
														   "no %s is free to renew the access token for server \"%s\"", what,
														   account->server_name),
											   "The refresh token has not been used."),
							"Try again later, or raise max_worker_processes.");
}

/* the worker's answer, in CurrentMemoryContext; NULL: it has left without one.  A cancel leaves it alone */
static char *
await(shm_mq_handle *queue)
{
	Size		len;
	void	   *data;

	do
	{
		if (shm_mq_receive(queue, &len, &data, false) != SHM_MQ_SUCCESS)
			return NULL;
	} while (len <= 1);
	return pnstrdup(data, len);
}

/* have a worker do it; *answer NULL: it failed without a word */
static LyfFailure *
delegate(const LyfAccount *account, const char *job, char **answer)
{
	BackgroundWorkerHandle *handle;
	shm_mq_handle *queue;
	dsm_segment *segment = share(job, &queue);

	if (segment == NULL)
		return no_worker(account, "shared memory");
	if (!launch(segment, &handle))
	{
		dsm_detach(segment);
		return no_worker(account, "background worker");
	}
	shm_mq_set_handle(queue, handle);
	*answer = await(queue);
	explicit_bzero(((LyfCredentialShared *) dsm_segment_address(segment))->job, strlen(job));
	dsm_detach(segment);
	return NULL;
}

static const char *
get_text(const LyfValue *map, const char *key)
{
	return lyf_value_text(lyf_value_get(map, key));
}

/* a failure that the worker has told */
static LyfFailure *
read_failure(const LyfValue *told)
{
	LyfFailure *failure = lyf_failure((int) lyf_value_get(told, "sqlstate")->u.integer, "%s", get_text(told, "message"));

	failure->detail = get_text(told, "detail");
	failure->hint = get_text(told, "hint");
	failure->retryable = lyf_value_truth(lyf_value_get(told, "retryable"));
	return failure;
}

static LyfFailure *
renew(LyfSession *session, const LyfTokenPaths *paths, const LyfTokenRequest *request, LyfValue **config, bool *renewed)
{
	const LyfAccount *account = session->store_arg;
	LyfCredentialJob job = {.paths = *paths, .request = *request, .user = GetUserId()};
	const LyfValue *told;
	LyfValue   *answer;
	char	   *text = NULL;

	lyf_credential_key(account, paths->refresh, &job.key);
	job.known = lyf_credential_find(&job.key);
	lock_target(account, &job.lock_class, &job.lock_object);
	LYF_TRY(delegate(account, lyf_credential_job_write(&job), &text));
	if (text == NULL)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the background worker that renews the access token for server \"%s\" ended without an answer",
											account->server_name),
								"The server's log says why. The next statement goes on with what was stored.");
	LYF_TRY(lyf_json_parse(text, strlen(text), &answer));
	if (session->stats != NULL)
		session->stats->requests += lyf_value_get(answer, "requests")->u.integer;
	told = lyf_value_get(answer, "failure");
	if (told != NULL)
		return read_failure(told);
	*config = current_config(session, account, lyf_value_get(answer, "config"));
	*renewed = lyf_value_truth(lyf_value_get(answer, "renewed"));
	return NULL;
}

const LyfCredentialStore lyf_credential_store = {begin, renew, end};
