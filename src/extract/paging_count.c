/*
 * paging_count.c
 *		Paging by counting: page numbers and record offsets.  Both end with a page
 *		that has no records, or fewer than the page size.
 */
#include "postgres.h"

#include "extract/extract_internal.h"

static LyfFailure *
compile_count(const LyfComponent *c, LyfPaginator *paginator)
{
	LYF_TRY(lyf_component_int(c, "start_from_page", 0, &paginator->start_from_page));
	return lyf_component_bool(c, "inject_on_first_request", false, &paginator->inject_on_first_request);
}

static LyfValue *
first_page(const LyfPaginator *paginator)
{
	return paginator->inject_on_first_request ? lyf_value_int(paginator->start_from_page) : NULL;
}

static LyfValue *
first_offset(const LyfPaginator *paginator)
{
	return paginator->inject_on_first_request ? lyf_value_int(0) : NULL;
}

/* start + step, or token + step */
static LyfFailure *
count_on(const LyfPaginator *paginator, LyfSession *session, const LyfPagingState *state,
		 int64 start, int64 step, LyfValue **token)
{
	LyfValue   *size;
	int64		count = state->facts->record_count;

	*token = NULL;
	LYF_TRY(lyf_paging_size(paginator, session, state->page, &size));
	if (count == 0 || (size != NULL && count < size->u.integer))
		return NULL;
	if (state->token != NULL && state->token->kind != LYF_INT)
		return lyf_failure(ERRCODE_FDW_ERROR, "the page to go on from, %s, is no integer", lyf_value_to_text(state->token));
	*token = lyf_value_int((state->token ? state->token->u.integer : start) + step);
	return NULL;
}

static LyfFailure *
next_page(const LyfPaginator *paginator, LyfSession *session, const LyfPagingState *state, LyfValue **token)
{
	return count_on(paginator, session, state, paginator->start_from_page, 1, token);
}

static LyfFailure *
next_offset(const LyfPaginator *paginator, LyfSession *session, const LyfPagingState *state, LyfValue **token)
{
	return count_on(paginator, session, state, 0, state->facts->record_count, token);
}

const LyfPagingKind lyf_paging_page = {"PageIncrement", compile_count, first_page, next_page};
const LyfPagingKind lyf_paging_offset = {"OffsetIncrement", compile_count, first_offset, next_offset};
