/*
 * settings.h
 *		The lyftron.* settings.
 */
#ifndef LYF_SETTINGS_H
#define LYF_SETTINGS_H

extern int	lyf_connect_timeout;	/* ms, 0 = none */
extern int	lyf_request_timeout;	/* ms a request may take in all, 0 = none */
extern int	lyf_max_response_size;	/* kB of one decoded response body */
extern int	lyf_max_retry_wait;		/* s that one wait before a retry may last */
extern int	lyf_checkpoint_interval;	/* ms */
extern int	lyf_checkpoint_size;	/* kB */
extern int	lyf_schema_lock_timeout;	/* ms that a change of a destination waits for its lock, 0 = for ever */
extern int	lyf_schema_rewrite_limit;	/* kB of a table whose rows may be written anew for a wider type */
extern int	lyf_max_concurrency;	/* requests of one read in flight at once */
extern int	lyf_reserved_workers;	/* slots that are left free for others */
extern int	lyf_keep_history;	/* minutes, 0 = for ever */
extern bool lyf_background_workers;
extern bool lyf_learn_schema;		/* do runs look at what the data shows? */
extern bool lyf_pushdown;			/* may WHERE become part of requests? */
extern char *lyf_allowed_hosts; /* a list, base/hosts.h reads it */
extern char *lyf_ca_file;		/* authorities of TLS, ""/NULL: the system's */
extern char *lyf_test_now;			/* fixed time for tests, or NULL/"" */

extern void lyf_settings_init(void);

#endif							/* LYF_SETTINGS_H */
