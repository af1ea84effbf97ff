/*
 * connector.h
 *		Manifest to compiled plan, and the plan run: the loop that closes extract,
 *		decode and paging.
 */
#ifndef LYF_CONNECTOR_H
#define LYF_CONNECTOR_H

#include "decode/decode.h"

/* in manifest.c */

/*
 * YAML to a resolved manifest: references gone, types inferred, $parameters
 * propagated.  Owned by CurrentMemoryContext.
 */
extern LyfFailure *lyf_manifest_resolve(const char *yaml, size_t len, json_t **resolved);

/*
 * Types and parameters filled in again in a component that was changed after its manifest was
 * resolved.  outer_first: parameters from outside win over a component's own.
 */
extern LyfFailure *lyf_manifest_fill(json_t *component, bool outer_first, json_t **filled);

/* in compile.c */

/* One stream, ready to be read (a DeclarativeStream compiled). */
typedef struct LyfStream
{
	const char *name;
	LyfValue   *primary_key;	/* list of lists of path parts; empty: none */
	LyfValue   *schema;			/* JSON schema (an object schema), or NULL */
	struct LyfSchemaSource *schema_source;	/* who has to be asked for it, or NULL: nobody */
	LyfRequester *requester;
	LyfPaginator *paginator;
	LyfRouter  *router;			/* or NULL */
	LyfCursor  *cursor;			/* or NULL */
	LyfDecoder *decoder;
	LyfExtractor *extractor;	/* in place of the record selector's, or NULL */
	LyfSelector *selector;
	bool		slice_options_once;	/* ignore_stream_slicer_parameters_on_paginated_requests */
	bool		resets;			/* it has a pagination_reset: */
	bool		reset_by_cursor;	/* the slice then begins at the last value of the cursor */
	int64		reset_records;	/* ... also after that many records; 0: no */
	struct LyfProperties *properties;	/* that are asked for, or NULL */
	struct LyfJobs *jobs;		/* an AsyncRetriever's: requester is of their creation; or NULL */
	struct LyfStream *first;	/* a StateDelegatingStream: what is read while there is no state; or NULL */
	LyfTemplate *retention;		/* ... or one that is older than this; or NULL */
} LyfStream;

/*
 * Compile one stream with its parents, in CurrentMemoryContext.  budget: of the manifest's
 * API, or NULL; it and the manifest that c is part of must outlive the stream.
 */
extern LyfFailure *lyf_stream_compile(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfStream **out);

/* a retriever that belongs to no stream, as one of that name; path is that of the component that has it */
extern LyfFailure *lyf_retriever_compile(const LyfComponent *c, const char *path, const char *name,
										 json_t *manifest, LyfBudget *budget, LyfStream **out);

/* in registry.c: the connectors of this database, resolved manifests cached a backend */

typedef struct LyfConnector
{
	char	   *name;
	int64		version;		/* changes with each replacement */
	json_t	   *manifest;		/* resolved */
	LyfBudget  *budget;			/* how many calls the API allows, or NULL; counted over all reads */
	struct LyfConfigRules *rules;	/* what becomes of a configuration before it is used, or NULL */
	LyfFailure *unusable;		/* what keeps all of its streams from being read, or NULL */
	MemoryContext cxt;
} LyfConnector;

/* a connector made of a manifest's text, in a context of its own under `parent` */
extern LyfFailure *lyf_connector_make(const char *name, const char *yaml, MemoryContext parent, LyfConnector **out);

/* by name; raises if there is none.  Valid until the end of the transaction at least. */
extern LyfConnector *lyf_connector_get(const char *name);

/* in account.c */

/* A configured account: foreign server and the current user's mapping. */
typedef struct LyfAccount
{
	Oid			server;
	Oid			user;
	const char *server_name;
	LyfConnector *connector;
	LyfValue   *given;			/* server's config, over it the mapping's secrets, spec defaults are not added */
	LyfValue   *config;			/* the same, over it the tokens that a service gave in exchange for some of it */
	const char **secrets;		/* texts never to be shown */
	int			secret_count;
	Oid			mapping_user;	/* whose mapping it is: user, or InvalidOid for PUBLIC's or none */
	Oid			mapping;		/* the user mapping itself, or InvalidOid */
	bool		has_mapping;
	const char *identity;		/* server and mapping_user as a text */
	LyfGate		gate;			/* what holds its requests back */
} LyfAccount;

/* a foreign server by its name; raises if it is not there or the current user may not use it */
extern Oid	lyf_server_get(const char *name);

/* raises where server, connector or configuration are wrong; memory: CurrentMemoryContext.  user: whose mapping */
extern LyfAccount *lyf_account_get(Oid server, Oid user);

/* the same, its configuration not yet checked against the specification */
extern LyfAccount *lyf_account_open(Oid server, Oid user);

/* a failure as it may be shown; NULL for NULL */
extern LyfFailure *lyf_account_redact(const LyfAccount *account, const LyfFailure *failure);

/* in streams.c: which streams there are */

/* names of a connector's streams as its manifest lists them, in order: a List of char * */
extern List *lyf_connector_stream_names(const LyfConnector *connector);

/* why the stream of that name cannot be read, whatever the configuration; NULL: nothing is against it */
extern LyfFailure *lyf_connector_check_stream(const LyfConnector *connector, const char *name);

/* A stream of an account; with a failure: what of the manifest could not be resolved. */
typedef struct LyfListedStream
{
	const char *name;
	const char *definition;		/* the dynamic stream that it comes from, or NULL */
	LyfFailure *failure;
} LyfListedStream;

/*
 * The streams that an account has, a List of LyfListedStream *: those of its connector whose
 * conditions hold, and those that dynamic streams resolve to, for which the source may be asked.
 */
extern List *lyf_account_streams(const LyfAccount *account);

/* a stream of an account, compiled in CurrentMemoryContext, good until the end of the transaction */
extern LyfFailure *lyf_account_stream(const LyfAccount *account, const char *name, LyfStream **stream);

/* in dynamic.c */

/* why a DynamicDeclarativeStream cannot be resolved; and what it resolves to: a List of json_t *, owned by CurrentMemoryContext */
extern LyfFailure *lyf_dynamic_check(const LyfComponent *c, const LyfConnector *connector);
extern LyfFailure *lyf_dynamic_resolve(const LyfComponent *c, const LyfAccount *account, List **streams);

/* in schema.c */

/* the schema that a stream's component has, or whom to ask for it; NULL: neither */
extern LyfFailure *lyf_schema_compile(const LyfComponent *c, json_t *manifest, LyfBudget *budget, LyfStream *stream);

/* ask for the schema of a stream that has a source of it */
extern LyfFailure *lyf_schema_load(const LyfStream *stream, LyfSession *session, LyfValue **schema);

/* the columns of a stream (a List of LyfColumn *, NIL: nobody knows), for which the source may be asked */
extern LyfFailure *lyf_stream_columns(const LyfAccount *account, LyfStream *stream, List **columns);

/* in spec.c */

/* the manifest's connection specification as a value in CurrentMemoryContext, or NULL */
extern LyfValue *lyf_spec_get(const LyfConnector *connector);

/*
 * Check a config against the connection specification.  Without secrets_given
 * a secret, or what holds one, may be missing still.  No message has a value in it.
 */
extern LyfFailure *lyf_spec_check(const LyfConnector *connector, const LyfValue *config, bool secrets_given);

/* every text and number in a value, added to a List of char * */
extern List *lyf_spec_texts(const LyfValue *value, List *texts);

/* the texts in a config that the specification calls secret, added to a List of char * */
extern List *lyf_spec_secrets(const LyfConnector *connector, const LyfValue *config, List *secrets);

/* does a value fit a JSON schema?  name is what messages call it */
extern LyfFailure *lyf_spec_validate(const LyfConnector *connector, const char *name,
									 const LyfValue *schema, const LyfValue *value);

/* in config_rules.c */

typedef struct LyfConfigRules LyfConfigRules;

/* c is the specification's config_normalization_rules; json NULL: *out NULL */
extern LyfFailure *lyf_config_rules_compile(const LyfComponent *c, LyfConfigRules **out);

/* a configuration (a map) of an older version brought up to date; and made what the templates expect */
extern LyfFailure *lyf_config_migrate(const LyfConnector *connector, LyfValue **config);
extern LyfFailure *lyf_config_transform(const LyfConnector *connector, LyfValue **config);

/* what the connector has to say of it beyond its specification */
extern LyfFailure *lyf_config_validate(const LyfConnector *connector, LyfValue *config);

/* in read_begin.c and read.c */

typedef struct LyfReader LyfReader;

typedef struct LyfReadOptions
{
	const LyfValue *state;		/* Airbyte's state JSON, or NULL */
	const LyfValue *position;	/* where a checkpoint left off (lyf_reader_position), or NULL */
	bool		full_refresh;	/* do not use or keep a cursor's state: read all there is */
	/* restrictions pushed down; NULL/empty: none */
	/* is this partition (a map) to be read?  May raise; NULL: all are */
	bool		(*partition_wanted) (void *arg, const LyfValue *partition);
	void	   *partition_arg;	/* outlives the reader */
	const LyfValue *cursor_low; /* LYF_DATETIME or NULL */
	const LyfValue *cursor_high;
	LyfNetStats *stats;			/* counted into, may be NULL */
} LyfReadOptions;

/* memory: a context of its own under CurrentMemoryContext, gone with lyf_reader_end */
extern LyfFailure *lyf_reader_begin(const LyfAccount *account, LyfStream *stream,
									const LyfReadOptions *options, LyfReader **reader);

/*
 * Begin again with the restrictions of options, which outlive the read; the other
 * options stay as they were.  What is kept of parent streams' responses is not
 * fetched again.
 */
extern LyfFailure *lyf_reader_restart(LyfReader *reader, const LyfReadOptions *options);

/*
 * The records of the next page (possibly none), valid until the next call;
 * *records is NULL at the end.  *extracted_at: when the page came.
 */
extern LyfFailure *lyf_reader_next(LyfReader *reader, LyfRecords **records, TimestampTz *extracted_at);

/*
 * After a page: send the requests of what comes next, at most limit of them, for the source to work on
 * while this page is worked on here.  To be called when it is likely that all of it will be wanted.
 */
extern void lyf_reader_ahead(LyfReader *reader, int limit);

/* the context that the page's values live in, reset at the next page: Datums of its rows may go there too */
extern MemoryContext lyf_reader_page_context(LyfReader *reader);

/*
 * Could a later read go on from here?  Not within a slice that is a job of the source, since that would be
 * another one, nor where paging began again.
 */
extern bool lyf_reader_may_stop(const LyfReader *reader);

/* has a slice been finished since the last call?  (a good time to keep the state) */
extern bool lyf_reader_slice_done(LyfReader *reader);

/* slices read so far, and of how many in all (0: that is not known beforehand); takes memory of CurrentMemoryContext */
extern void lyf_reader_slices(const LyfReader *reader, int64 *read, int64 *all);

/* after the first page: was the position not there any more, so that all is read from the beginning? */
extern bool lyf_reader_restarted(const LyfReader *reader);

/* after the pages so far: the state; and the position to go on from (a map), NULL when all was read.
 * Both in CurrentMemoryContext.  A position goes with the state that was taken at the same moment, and with
 * the same options.  (With an older state it works too, but then what was read before is forgotten
 * in the new state, so that the next read fetches it again.) */
extern LyfFailure *lyf_reader_state(LyfReader *reader, LyfValue **state);
extern LyfValue *lyf_reader_position(LyfReader *reader);

/* text for a message: server "x", stream "y", slice {...}; palloc'd */
extern char *lyf_reader_describe(LyfReader *reader);

/* what may be shown of a failure (NULL for NULL) or a text: without the secrets that the reader knows; palloc'd */
extern LyfFailure *lyf_reader_redact(const LyfReader *reader, const LyfFailure *failure);
extern char *lyf_reader_redact_text(const LyfReader *reader, const char *text);
extern void lyf_reader_end(LyfReader *reader);

/* make a LyfStream (parent->stream) readable as a parent: fills name and the four callbacks */
extern void lyf_parent_bind(LyfParent *parent);

#endif							/* LYF_CONNECTOR_H */
