/*
 * paging_cursor.c
 *		Paging by what the response says: an expression gives the next token, until
 *		it gives nothing or the stop condition holds.
 */
#include "postgres.h"

#include "extract/extract_internal.h"

static LyfFailure *
compile_cursor(const LyfComponent *c, LyfPaginator *paginator)
{
	LYF_TRY(lyf_component_required_template(c, "cursor_value", &paginator->cursor_value));
	LYF_TRY(lyf_component_template(c, "stop_condition", &paginator->stop_condition));

	/* An unbound page_size would not fail: it would end the paging after one page */
	if (paginator->page_size == NULL &&
		(lyf_template_uses(paginator->cursor_value, "page_size") ||
		 (paginator->stop_condition != NULL && lyf_template_uses(paginator->stop_condition, "page_size"))))
		return lyf_component_invalid(c, "an expression uses page_size, but the strategy has none");
	return NULL;
}

static LyfFailure *
next_cursor(const LyfPaginator *paginator, LyfSession *session, const LyfPagingState *state, LyfValue **token)
{
	LyfScope	scope;
	LyfValue   *size;
	LyfValue   *value;
	bool		stop = false;

	*token = NULL;
	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set_slice(&scope, state->slice->merged);
	lyf_page_bind(&scope, state->page, state->facts);
	LYF_TRY(lyf_paging_size(paginator, session, state->page, &size));
	lyf_scope_set(&scope, "page_size", size ? size : lyf_value_make(LYF_NULL));
	if (paginator->stop_condition != NULL)
	{
		lyf_page_headers_for(state->page->headers, state->page, paginator->stop_condition);
		LYF_TRY(lyf_template_eval_bool(paginator->stop_condition, &scope, &stop));
	}
	if (stop)
		return NULL;
	lyf_page_headers_for(state->page->headers, state->page, paginator->cursor_value);
	LYF_TRY(lyf_template_eval_string(paginator->cursor_value, &scope, &value));
	*token = lyf_value_truth(value) ? value : NULL;
	return NULL;
}

const LyfPagingKind lyf_paging_cursor = {"CursorPagination", compile_cursor, NULL, next_cursor};
