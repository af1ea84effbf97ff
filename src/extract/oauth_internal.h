/*
 * oauth_internal.h
 *		What the two files of OAuthAuthenticator share.
 */
#ifndef LYF_OAUTH_INTERNAL_H
#define LYF_OAUTH_INTERNAL_H

#include "extract/extract_internal.h"

/* names of the parts in request and answer */
typedef struct LyfOAuthNames
{
	LyfTemplate *grant_type;
	LyfTemplate *client_id;
	LyfTemplate *client_secret;
	LyfTemplate *refresh_token;
	LyfTemplate *access_token;
	LyfTemplate *expires_in;
} LyfOAuthNames;

typedef struct LyfOAuth
{
	LyfAuth		auth;
	LyfOAuthNames names;
	LyfTemplate *endpoint;		/* NULL: access_token_value is all there is */
	LyfTemplate *grant_type;
	LyfTemplate *client_id;		/* these three may be NULL */
	LyfTemplate *client_secret;
	LyfTemplate *refresh_token;
	LyfTemplate *access_token_value;	/* or NULL */
	LyfTemplate *token_expiry_date; /* or NULL */
	LyfTemplateTree *body;		/* or NULL */
	LyfTemplateTree *headers;	/* or NULL */
	LyfValue   *scopes;			/* or NULL */
	bool		expires_at;
	bool		as_query;
	LyfAuth    *assertion;		/* a JwtAuthenticator, or NULL */
	bool		single_use;
	LyfTokenPaths paths;		/* if so */
} LyfOAuth;

/* in oauth_request.c: the request for a token, with the configuration of this moment */
extern LyfFailure *lyf_oauth_request(const LyfOAuth *oauth, LyfSession *session, LyfTokenRequest *request);

/* no message shows this text from now on; value may be NULL or something else */
extern void lyf_oauth_hide(LyfSession *session, const LyfValue *value);

/* what stands at a path in the configuration, or NULL */
extern const LyfValue *lyf_oauth_configured(const LyfSession *session, const LyfValue *path);

#endif							/* LYF_OAUTH_INTERNAL_H */
