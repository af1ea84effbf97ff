/*
 * paging.c
 *		DefaultPaginator: where the next page's token comes from (a table of kinds)
 *		and where it goes in the request.
 *
 * A token is any value; a page without one is the first.  Nothing is kept here
 * between pages: the token is all that a kind goes on from.
 */
#include "postgres.h"

#include "extract/extract_internal.h"

static const LyfPagingKind *const kinds[] = {
	&lyf_paging_page,
	&lyf_paging_offset,
	&lyf_paging_cursor,
};

static LyfFailure *
compile_token_option(const LyfComponent *c, LyfPaginator *paginator)
{
	LyfComponent option = lyf_component_child(c, "page_token_option");

	if (strcmp(option.type, "RequestPath") == 0)
	{
		paginator->token_is_path = true;
		return NULL;
	}
	return lyf_request_option_compile(&option, &paginator->token_option);
}

static LyfFailure *
compile_strategy(const LyfComponent *c, LyfPaginator *paginator)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(c->type, kinds[i]->type) == 0)
		{
			paginator->kind = kinds[i];
			LYF_TRY(lyf_component_template(c, "page_size", &paginator->page_size));
			if (paginator->page_size != NULL && lyf_template_source(paginator->page_size)[0] == '\0')
				paginator->page_size = NULL;
			return kinds[i]->compile(c, paginator);
		}
	return lyf_component_unsupported(c);
}

/* Compile a paginator; c->json NULL: there is one page only. */
LyfFailure *
lyf_paginator_compile(const LyfComponent *c, const LyfComponent *requester, LyfPaginator **out)
{
	LyfPaginator *paginator = palloc0(sizeof(LyfPaginator));
	LyfComponent strategy = lyf_component_child(c, "pagination_strategy");
	LyfComponent size_option = lyf_component_child(c, "page_size_option");

	*out = paginator;
	paginator->path = c->path;
	if (c->json == NULL || strcmp(c->type, "NoPagination") == 0)
		return NULL;
	if (strcmp(c->type, "DefaultPaginator") != 0)
		return lyf_component_unsupported(c);
	LYF_TRY(compile_strategy(&strategy, paginator));
	LYF_TRY(compile_token_option(c, paginator));
	LYF_TRY(lyf_request_option_compile(&size_option, &paginator->size_option));
	if (paginator->size_option != NULL && paginator->page_size == NULL)
		return lyf_component_invalid(c, "page_size_option needs a page_size in the pagination strategy");
	return NULL;
}

LyfFailure *
lyf_paging_size(const LyfPaginator *paginator, LyfSession *session, LyfPage *page, LyfValue **size)
{
	LyfScope	scope;

	*size = NULL;
	if (paginator->page_size == NULL)
		return NULL;
	lyf_scope_init(&scope, &session->scope);
	if (page != NULL && lyf_template_uses(paginator->page_size, "response"))
	{
		LyfPageFacts none = {0};

		lyf_page_bind(&scope, page, &none);
	}
	LYF_TRY(lyf_template_eval_string(paginator->page_size, &scope, size));
	if (!lyf_value_is(*size, LYF_INT))
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "the page size \"%s\" gives no integer",
											lyf_template_source(paginator->page_size)),
								"See %s in the connector's manifest, and the configuration values it uses.", paginator->path);
	return NULL;
}

bool
lyf_paging_sees_response(const LyfPaginator *paginator)
{
	const LyfTemplate *templates[] = {paginator->page_size, paginator->cursor_value, paginator->stop_condition};

	for (int i = 0; i < lengthof(templates); i++)
		if (templates[i] != NULL && lyf_template_uses(templates[i], "response"))
			return true;
	return false;
}

LyfFailure *
lyf_paging_injections(const LyfPaginator *paginator, LyfSession *session, const LyfValue *token,
					  LyfInjection injections[2], int *count, char **url_override)
{
	LyfValue   *size;

	*count = 0;
	*url_override = NULL;
	if (token != NULL && paginator->token_is_path && lyf_value_truth(token))
		*url_override = lyf_template_str(token);
	if (token != NULL && paginator->token_option != NULL)
	{
		injections[*count].option = paginator->token_option;
		injections[(*count)++].value = lyf_value_copy(token);
	}
	if (paginator->size_option != NULL)
	{
		LYF_TRY(lyf_paging_size(paginator, session, NULL, &size));
		if (lyf_value_truth(size))
		{
			injections[*count].option = paginator->size_option;
			injections[(*count)++].value = size;
		}
	}
	return NULL;
}
