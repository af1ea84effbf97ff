/*
 * auth_selective.c
 *		One of several authenticators, chosen by a value of the configuration.
 *
 * A branch that cannot be compiled fails when it is chosen, not before: the
 * others of the connector work.
 */
#include "postgres.h"

#include "extract/extract_internal.h"

#define MAX_BRANCHES	50

typedef struct Branch
{
	const char *key;
	LyfAuth    *auth;
	LyfFailure *failure;		/* why auth is not there */
} Branch;

typedef struct Selective
{
	LyfAuth		auth;
	LyfValue   *path;			/* list of keys in the configuration */
	Branch	   *branches;
	int			count;
} Selective;

static LyfFailure *
compile_selective(const LyfComponent *c, const LyfComponent *requester, LyfAuth **out)
{
	Selective  *selective = palloc0(sizeof(Selective));
	LyfComponent all = lyf_component_child(c, "authenticators");
	const char *key;
	json_t	   *member;

	LYF_TRY(lyf_component_value(c, "authenticator_selection_path", &selective->path));
	if (!lyf_value_is(selective->path, LYF_LIST) || !json_is_object(all.json) ||
		json_object_size(all.json) > MAX_BRANCHES)
		return lyf_component_invalid(c, "authenticator_selection_path and authenticators (%d at most) are needed",
									 MAX_BRANCHES);

	selective->branches = palloc0(sizeof(Branch) * Max(json_object_size(all.json), 1));
	json_object_foreach(all.json, key, member)
	{
		Branch	   *branch = &selective->branches[selective->count++];
		LyfComponent child = lyf_component_child(&all, key);

		branch->key = pstrdup(key);
		branch->failure = lyf_auth_compile(&child, requester, &branch->auth);
	}
	*out = &selective->auth;
	return NULL;
}

static char *
show_path(const LyfValue *path)
{
	StringInfoData text;

	initStringInfo(&text);
	lyf_foreach(key, path)
		appendStringInfo(&text, "%s%s", text.len > 0 ? "." : "", lyf_template_str(key));
	return text.data;
}

/* the one that the configuration names */
static LyfFailure *
choose(const Selective *selective, LyfSession *session, LyfAuth **out)
{
	const LyfValue *chosen = session->config;
	char	   *name;

	lyf_foreach(key, selective->path)
		chosen = lyf_value_get(chosen, lyf_template_str(key));
	if (chosen == NULL)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the way to authenticate is not chosen: configuration has no \"%s\"",
											show_path(selective->path)),
								"Set it in the server's option config or in the user mapping's option secrets.");
	name = lyf_template_str(chosen);
	for (int i = 0; i < selective->count; i++)
	{
		Branch	   *branch = &selective->branches[i];

		if (strcmp(branch->key, name) != 0)
			continue;
		*out = branch->auth;
		return branch->failure ? lyf_failure_copy(branch->failure) : NULL;
	}
	return lyf_failure(ERRCODE_FDW_ERROR, "the connector has no way to authenticate called \"%s\" (configuration \"%s\")",
					   name, show_path(selective->path));
}

static LyfFailure *
apply_selective(LyfAuth *auth, LyfSession *session, const LyfScope *scope, LyfRequestParts *parts)
{
	LyfAuth    *chosen;

	LYF_TRY(choose((Selective *) auth, session, &chosen));
	return lyf_auth_apply(chosen, session, scope, parts);
}

static LyfFailure *
refresh_selective(LyfAuth *auth, LyfSession *session, bool *able)
{
	LyfAuth    *chosen;

	LYF_TRY(choose((Selective *) auth, session, &chosen));
	return lyf_auth_refresh(chosen, session, able);
}

static bool
is_steady_selective(LyfAuth *auth, LyfSession *session)
{
	LyfAuth    *chosen;

	return choose((Selective *) auth, session, &chosen) == NULL && lyf_auth_is_steady(chosen, session);
}

static void
set_budget_of_selective(LyfAuth *auth, LyfBudget *budget)
{
	Selective  *selective = (Selective *) auth;

	for (int i = 0; i < selective->count; i++)
		if (selective->branches[i].failure == NULL)
			lyf_auth_set_budget(selective->branches[i].auth, budget);
}

const LyfAuthKind lyf_auth_selective = {
	"SelectiveAuthenticator", compile_selective, apply_selective, refresh_selective, is_steady_selective,
	set_budget_of_selective
};
