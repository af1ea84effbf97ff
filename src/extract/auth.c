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
	&lyf_auth_oauth,
	&lyf_auth_session,
	&lyf_auth_legacy_session,
	&lyf_auth_jwt,
};

LyfFailure *
lyf_auth_template(const LyfComponent *c, const char *field, const char *fallback, LyfTemplate **out)
{
	LYF_TRY(lyf_component_template(c, field, out));
	if (*out != NULL && lyf_template_source(*out)[0] == '\0')
		*out = NULL;
	return *out != NULL || fallback == NULL ? NULL : lyf_template_compile(fallback, c->parameters, out);
}

LyfFailure *
lyf_auth_tree(const LyfComponent *c, const char *field, LyfTemplateTree **out)
{
	LyfValue   *value;

	*out = NULL;
	LYF_TRY(lyf_component_value(c, field, &value));
	if (value == NULL)
		return NULL;
	if (value->kind != LYF_MAP)
		return lyf_component_invalid(c, "%s must be a map", field);
	return lyf_template_tree_compile(value, c->parameters, out);
}

const char *
lyf_auth_print(const LyfComponent *c, const LyfComponent *more)
{
	const LyfComponent *parts[] = {c, more};
	uint8		digests[lengthof(parts)][LYF_SHA256_BYTES] = {0};

	for (int i = 0; i < lengthof(parts); i++)
	{
		StringInfoData text;

		if (parts[i] == NULL || parts[i]->json == NULL)
			continue;
		initStringInfo(&text);
		lyf_value_print_sorted(&text, lyf_document_to_value(parts[i]->json));
		lyf_sha256(text.data, text.len, digests[i]);
		pfree(text.data);
	}
	return lyf_hex(digests, sizeof(digests));
}

LyfFailure *
lyf_auth_set_header(LyfRequestParts *parts, const char *name, const char *value)
{
	LyfRequestParts own;

	lyf_parts_init(&own);
	if (name[0] != '\0')
		lyf_value_set(own.headers, name, lyf_value_string(value));
	return lyf_parts_merge(parts, &own);
}

LyfFailure *
lyf_auth_inject(const LyfRequestOption *option, const char *token, LyfSession *session, LyfRequestParts *parts)
{
	LyfRequestParts own;

	lyf_parts_init(&own);
	LYF_TRY(lyf_inject(option, lyf_value_string(token), &session->scope, &own));
	(void) lyf_value_remove(own.headers, "");
	return lyf_parts_merge(parts, &own);
}

static LyfFailure *
compile_none(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
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
lyf_auth_compile(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	const LyfAuthKind *kind = c->json == NULL ? &lyf_auth_none : NULL;

	for (int i = 0; i < lengthof(kinds) && kind == NULL; i++)
		if (strcmp(c->type, kinds[i]->type) == 0)
			kind = kinds[i];
	if (kind == NULL)
		return lyf_component_unsupported(c);
	LYF_TRY(kind->compile(c, requester, out));
	(*out)->kind = kind;
	return NULL;
}

LyfFailure *
lyf_auth_apply(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	return auth->kind->apply(auth, session, scope, parts);
}

LyfFailure *
lyf_auth_refresh(LyfAuth *auth, LyfSession *session, bool *able)
{
	*able = auth->kind->refresh != NULL;
	return *able ? auth->kind->refresh(auth, session, able) : NULL;
}

void
lyf_auth_set_budget(LyfAuth *auth, LyfBudget *budget)
{
	if (auth->kind->set_budget != NULL)
		auth->kind->set_budget(auth, budget);
}

bool
lyf_auth_is_steady(LyfAuth *auth, LyfSession *session)
{
	return auth->kind->is_steady == NULL || auth->kind->is_steady(auth, session);
}
