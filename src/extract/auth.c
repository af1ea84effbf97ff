/*
 * auth.c
 *		Authenticators: the table of kinds.  Each adds what proves who asks to the
 *		parts of a request, again for every try.
 */
#include "postgres.h"

#include "extract/extract_internal.h"

static const LyfAuthKind *const kinds[] = {
	&lyf_auth_none,
	&lyf_auth_api_key,
	&lyf_auth_bearer,
	&lyf_auth_basic,
	&lyf_auth_selective,
};

static LyfFailure *
compile_none(const LyfComponent *c, LyfAuth **out)
{
	*out = palloc0(sizeof(LyfAuth));
	return NULL;
}

static LyfFailure *
apply_none(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	return NULL;
}

const LyfAuthKind lyf_auth_none = {"NoAuth", compile_none, apply_none};

/* Compile an authenticator; c->json NULL: one that adds nothing. */
LyfFailure *
lyf_auth_compile(const LyfComponent *c, LyfAuth **out)
{
	const LyfAuthKind *kind = c->json == NULL ? &lyf_auth_none : NULL;

	for (int i = 0; i < lengthof(kinds) && kind == NULL; i++)
		if (strcmp(c->type, kinds[i]->type) == 0)
			kind = kinds[i];
	if (kind == NULL)
		return lyf_component_unsupported(c);
	LYF_TRY(kind->compile(c, out));
	(*out)->kind = kind;
	return NULL;
}

LyfFailure *
lyf_auth_apply(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	return auth->kind->apply(auth, session, scope, parts);
}
