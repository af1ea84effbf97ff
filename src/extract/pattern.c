/*
 * pattern.c
 *		Regular expressions of a manifest, by PostgreSQL's own engine, with errors
 *		as values.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "regex/regex.h"

#include "extract/extract_internal.h"

/* longer texts than any URL or header are not searched */
#define MAX_TEXT	(256 * 1024)

struct LyfPattern
{
	regex_t		regex;
	MemoryContextCallback release;
};

static void
release_pattern(void *arg)
{
	pg_regfree(&((LyfPattern *) arg)->regex);
}

LyfFailure *
lyf_pattern_compile(const char *text, LyfPattern **out)
{
	LyfPattern *pattern = palloc0(sizeof(LyfPattern));
	size_t		len = strlen(text);
	pg_wchar   *wide;
	int			result;

	if (len > MAX_TEXT)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a regular expression is too long");
	wide = palloc((len + 1) * sizeof(pg_wchar));
	result = pg_regcomp(&pattern->regex, wide, pg_mb2wchar_with_len(text, wide, (int) len),
						REG_ADVANCED, C_COLLATION_OID);
	pfree(wide);
	if (result != REG_OKAY)
	{
		char		reason[100];

		pg_regerror(result, &pattern->regex, reason, sizeof(reason));
		return lyf_failure(ERRCODE_INVALID_REGULAR_EXPRESSION, "the regular expression \"%s\" is invalid: %s", text, reason);
	}
	pattern->release.func = release_pattern;
	pattern->release.arg = pattern;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &pattern->release);
	*out = pattern;
	return NULL;
}

bool
lyf_pattern_search(const LyfPattern *pattern, const char *text, int *start, int *end)
{
	size_t		len = strlen(text);
	pg_wchar   *wide;
	regmatch_t	match;
	int			wide_len;
	int			result;

	if (len > MAX_TEXT)
		return false;
	wide = palloc((len + 1) * sizeof(pg_wchar));
	wide_len = pg_mb2wchar_with_len(text, wide, (int) len);
	result = pg_regexec((regex_t *) &pattern->regex, wide, wide_len, 0, NULL, 1, &match, 0);
	pfree(wide);
	if (result != REG_OKAY)
		return false;
	*start = 0;
	for (int i = 0; i < match.rm_so; i++)
		*start += pg_mblen(text + *start);
	*end = *start;
	for (int i = match.rm_so; i < match.rm_eo; i++)
		*end += pg_mblen(text + *end);
	return true;
}
