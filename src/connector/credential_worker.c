/*
 * credential_worker.c
 *		A refresh token that can be used once only is renewed: the worker's half.
 *
 * The order is what counts.  First everything that can fail without the token
 * being used: the database, the table, the lock on the account, a look whether
 * another one has renewed it meanwhile, and whether anybody still waits.  Then the
 * request, and when its answer is there the commit, with nothing in between that
 * can be interrupted.  The answer to the backend comes last; it may have left.
 *
 * What remains: a crash of the whole cluster (also by the kill of any backend)
 * between the moment in which the service makes the new token and the commit.
 */
#include "postgres.h"

#include "access/xact.h"
#include "libpq/pqsignal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/datetime.h"
#include "connector/credential_internal.h"

extern PGDLLEXPORT void lyf_credential_worker(Datum arg);

/* One renewal. */
typedef struct Renewal
{
	shm_mq_handle *out;
	LyfCredentialJob job;
	MemoryContext cxt;			/* outlives the transaction */
	LyfValue   *stored;			/* what the table holds, in cxt, or NULL */
	bool		asked;			/* the request was made */
	LyfNetStats stats;
} Renewal;

/* nothing of the database's or the backend's settings may keep the commit from being durable and in time */
static void
use_own_settings(void)
{
	static const char *const timeouts[] = {
		"lock_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"
	};

	for (int i = 0; i < lengthof(timeouts); i++)
		if (GetConfigOption(timeouts[i], true, false) != NULL)
			SetConfigOption(timeouts[i], "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_OVERRIDE);
}

static bool
is_wanted(void *arg)
{
	return shm_mq_send(((Renewal *) arg)->out, 1, ".", true, true) != SHM_MQ_DETACHED;
}

/* set a value at a path in a map, maps on the way are made; what is not a map there is replaced */
static LyfValue *
with_value(const LyfValue *map, const LyfValue *path, LyfValue *value)
{
	const LyfValue *key = path->u.first;
	LyfValue   *over = lyf_value_make(LYF_MAP);
	LyfValue   *at = over;

	for (; key->next != NULL; key = key->next)
	{
		LyfValue   *inner = lyf_value_make(LYF_MAP);

		lyf_value_set(at, key->u.text, inner);
		at = inner;
	}
	lyf_value_set(at, key->u.text, value);
	return lyf_value_merge_deep(map, over);
}

/* what was stored, with what has come */
static LyfValue *
with_token(const Renewal *renewal, const LyfToken *token)
{
	const LyfTokenPaths *paths = &renewal->job.paths;
	LyfValue   *config = renewal->stored != NULL ? renewal->stored : lyf_value_make(LYF_MAP);
	LyfValue   *expires = lyf_datetime_make(token->expires, 0);

	if (token->access != NULL)
		config = with_value(config, paths->access, lyf_value_string(token->access));
	if (token->refresh != NULL)
		config = with_value(config, paths->refresh, lyf_value_string(token->refresh));
	return with_value(config, paths->expiry,
					  lyf_value_string(lyf_datetime_strftime(expires, "%Y-%m-%dT%H:%M:%S.%f+00:00")));
}

static void
keep(void *arg, const LyfToken *token)
{
	Renewal    *renewal = arg;
	MemoryContext caller = CurrentMemoryContext;

	renewal->stored = with_token(renewal, token);
	lyf_credential_write(&renewal->job.key, renewal->stored);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
}

/* has another one stored a token since the backend looked? */
static bool
is_superseded(Renewal *renewal)
{
	MemoryContext caller = MemoryContextSwitchTo(renewal->cxt);

	renewal->stored = lyf_credential_find(&renewal->job.key);
	MemoryContextSwitchTo(caller);
	if (renewal->stored == NULL)
		return false;
	return renewal->job.known == NULL || !lyf_value_equal(renewal->stored, renewal->job.known);
}

/* requests are made as the backend's role, all else is the tables' owner's */
static LyfFailure *
ask(Renewal *renewal)
{
	LyfTokenKeeper keeper = {is_wanted, keep, renewal};
	MemoryContext caller = MemoryContextSwitchTo(renewal->cxt);
	LyfFailure *failure;
	LyfToken	token;
	Oid			own_user;
	int			own_context;

	GetUserIdAndSecContext(&own_user, &own_context);
	SetUserIdAndSecContext(renewal->job.user, own_context);
	renewal->asked = true;
	failure = lyf_token_fetch(&renewal->job.request, &keeper, &renewal->stats, &token);
	MemoryContextSwitchTo(caller);
	SetUserIdAndSecContext(own_user, own_context);
	if (IsTransactionState())
		AbortCurrentTransaction();
	return failure;
}

static LyfFailure *
renew(Renewal *renewal, bool *renewed)
{
	StartTransactionCommand();
	LockDatabaseObject(renewal->job.lock_class, renewal->job.lock_object, LYF_CREDENTIAL_LOCK_WORKER, ExclusiveLock);
	lyf_credential_probe();
	*renewed = !is_superseded(renewal);
	InvalidateCatalogSnapshot();
	if (!*renewed)
	{
		CommitTransactionCommand();
		return NULL;
	}
	return ask(renewal);
}

static void
put(LyfValue *map, const char *key, const char *text)
{
	if (text != NULL)
		lyf_value_set(map, key, lyf_value_string(text));
}

static void
answer(Renewal *renewal, const LyfFailure *failure, bool renewed)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);
	LyfValue   *told = lyf_value_make(LYF_MAP);
	char	   *text;

	lyf_value_set(map, "requests", lyf_value_int(renewal->stats.requests));
	lyf_value_set(map, "renewed", lyf_value_bool(renewed));
	if (failure != NULL)
	{
		lyf_value_set(told, "sqlstate", lyf_value_int(failure->sqlstate));
		put(told, "message", failure->message);
		put(told, "detail", failure->detail);
		put(told, "hint", failure->hint);
		lyf_value_set(told, "retryable", lyf_value_bool(failure->retryable));
		lyf_value_set(map, "failure", told);
	}
	else
		lyf_value_set(map, "config", lyf_value_copy(renewal->stored));
	text = lyf_value_to_text(map);
	(void) shm_mq_send(renewal->out, strlen(text), text, false, true);
}

/* an error of the database itself: the log has it, and the backend is told */
static LyfFailure *
take_error(const Renewal *renewal)
{
	MemoryContext cxt = renewal->cxt;
	LyfFailure *failure;
	ErrorData  *error;

	MemoryContextSwitchTo(cxt);
	HOLD_INTERRUPTS();
	error = CopyErrorData();
	EmitErrorReport();
	FlushErrorState();
	AbortCurrentTransaction();
	RESUME_INTERRUPTS();
	MemoryContextSwitchTo(cxt);
	failure = lyf_failure(error->sqlerrcode, "%s", pg_server_to_any(error->message, strlen(error->message), PG_UTF8));
	if (!renewal->asked)
		lyf_failure_detail(failure, "The refresh token has not been used.");
	if (error->hint != NULL)
		failure->hint = pg_server_to_any(error->hint, strlen(error->hint), PG_UTF8);
	return failure;
}

static void
tidy(const Renewal *renewal)
{
	StartTransactionCommand();
	lyf_credential_tidy(&renewal->job.key);
	CommitTransactionCommand();
}

static void
run(Renewal *renewal)
{
	LyfFailure *volatile failure = NULL;
	volatile bool renewed = false;

	PG_TRY();
	{
		bool		done;

		failure = renew(renewal, &done);
		renewed = done;
	}
	PG_CATCH();
	{
		failure = take_error(renewal);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(renewal->cxt);
	answer(renewal, failure, renewed);
}

void
lyf_credential_worker(Datum arg)
{
	dsm_segment *segment;
	LyfCredentialShared *shared;
	Renewal    *renewal;
	shm_mq	   *mq;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* nobody waits any more */
	shared = dsm_segment_address(segment);
	mq = (shm_mq *) ((char *) shared + shared->queue_at);
	shm_mq_set_sender(mq, MyProc);

	renewal = MemoryContextAllocZero(TopMemoryContext, sizeof(Renewal));
	renewal->out = shm_mq_attach(mq, segment, NULL);
	renewal->cxt = AllocSetContextCreate(TopMemoryContext, "lyftron token renewal", ALLOCSET_DEFAULT_SIZES);
	BackgroundWorkerInitializeConnectionByOid(shared->database, InvalidOid, 0);
	use_own_settings();
	MemoryContextSwitchTo(renewal->cxt);
	lyf_credential_job_read(shared->job, &renewal->job);
	explicit_bzero(shared->job, strlen(shared->job));
	run(renewal);
	dsm_detach(segment);
	if (renewal->asked)
		tidy(renewal);
	proc_exit(0);
}
