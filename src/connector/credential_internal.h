/*
 * credential_internal.h
 *		Refresh tokens that can be used once only, and where they are kept.
 */
#ifndef LYF_CREDENTIAL_INTERNAL_H
#define LYF_CREDENTIAL_INTERNAL_H

#include "connector/connector.h"

/* in credential.c: the table */

/* Which row: of whom, and for which refresh token of the configuration. */
typedef struct LyfCredentialKey
{
	Oid			server;
	const char *server_name;
	Oid			mapping_user;
	const char *path;			/* where it stands, as JSON, in the database's encoding */
	const char *origin;			/* a digest of the one that the user gave */
} LyfCredentialKey;

/* the key for a refresh token of the account; CurrentMemoryContext */
extern void lyf_credential_key(const LyfAccount *account, const LyfValue *path, LyfCredentialKey *key);

/* the configuration of an account with what is stored for it now; its texts are added to *secrets (may be NULL) */
extern LyfValue *lyf_credential_merge(const LyfAccount *account, List **secrets);

/* what is stored now for this key, committed by whomever; NULL: nothing */
extern LyfValue *lyf_credential_find(const LyfCredentialKey *key);

/* write it, in the current transaction */
extern void lyf_credential_write(const LyfCredentialKey *key, const LyfValue *config);

/* remove what belongs to servers and mappings that are gone, and what the row of this key took the place of long ago */
extern void lyf_credential_tidy(const LyfCredentialKey *latest);

/* can it be written?  Raises if the table is not there, or somebody holds it for long */
extern void lyf_credential_probe(void);

/* in credential_job.c: what goes from the backend to the worker, and back */

/*
 * A renewal: the request, what to do with its answer, and the settings and locks
 * it goes with.  It travels as JSON, in shared memory.
 */
typedef struct LyfCredentialJob
{
	LyfCredentialKey key;
	LyfTokenPaths paths;
	LyfTokenRequest request;
	const LyfValue *known;		/* what is stored, as the backend sees it, or NULL */
	Oid			lock_class;		/* what stands for the account in locks */
	Oid			lock_object;
	Oid			user;			/* the backend's current role */
} LyfCredentialJob;

/* both in CurrentMemoryContext; read applies the settings that came along, too */
extern char *lyf_credential_job_write(const LyfCredentialJob *job);
extern void lyf_credential_job_read(const char *text, LyfCredentialJob *job);

/* the object that stands for an account in locks, and what the two locks on it are for */
#define LYF_CREDENTIAL_LOCK_BACKEND	1	/* held by the backend that has a worker renew */
#define LYF_CREDENTIAL_LOCK_WORKER	2	/* held by the worker, until its transaction ends */

/*
 * Memory that backend and worker share: the job, and behind it a queue for the
 * answer.  Messages of one byte just ask whether somebody is still there.
 */
typedef struct LyfCredentialShared
{
	Oid			database;
	Size		queue_at;
	char		job[FLEXIBLE_ARRAY_MEMBER]; /* NUL-terminated */
} LyfCredentialShared;

#define LYF_CREDENTIAL_QUEUE_BYTES	((Size) 65536)

/* in credential_store.c */
extern const LyfCredentialStore lyf_credential_store;

#endif							/* LYF_CREDENTIAL_INTERNAL_H */
