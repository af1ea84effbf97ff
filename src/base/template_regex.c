/*
 * template_regex.c
 *		Regular expressions in templates, by PostgreSQL's own engine.
 *
 * Its advanced flavour takes what Python's takes, but for named groups; it counts
 * the longest of several alternatives where Python takes the first.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"

#include "base/template_internal.h"

#define MAX_GROUPS	10

typedef struct Wide
{
	pg_wchar   *text;
	size_t		len;
} Wide;

static Wide
widen(const char *text, size_t len)
{
	Wide		wide;

	wide.text = palloc((len + 1) * sizeof(pg_wchar));
	wide.len = pg_encoding_mb2wchar_with_len(PG_UTF8, text, wide.text, len);
	return wide;
}

static void
append_wide(StringInfo out, const pg_wchar *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		unsigned char bytes[8];

		unicode_to_utf8(text[i], bytes);
		appendBinaryStringInfo(out, (char *) bytes, text[i] == 0 ? 1 : pg_utf_mblen(bytes));
	}
}

static LyfFailure *
compile(LyfEval *ev, const LyfValue *pattern, regex_t *regex)
{
	Wide		wide = widen(pattern->u.text, pattern->len);
	Oid			collation = GetDatabaseEncoding() == PG_UTF8 ? DEFAULT_COLLATION_OID : C_COLLATION_OID;
	int			code = pg_regcomp(regex, wide.text, wide.len, REG_ADVANCED, collation);
	char		reason[100];

	pfree(wide.text);
	if (code == REG_OKAY)
		return NULL;
	CHECK_FOR_INTERRUPTS();
	pg_regerror(code, regex, reason, sizeof(reason));
	return lyf_template_fail_value(ev, "invalid regular expression in a template: %s", reason);
}

/* *found: is there a match from `from` on?  Frees the regex if it fails. */
static LyfFailure *
execute(LyfEval *ev, regex_t *regex, const Wide *text, size_t from, regmatch_t *groups, bool *found)
{
	int			code = pg_regexec(regex, text->text, text->len, from, NULL, MAX_GROUPS, groups, 0);

	*found = code == REG_OKAY;
	if (code == REG_OKAY || code == REG_NOMATCH)
		return NULL;
	pg_regfree(regex);
	CHECK_FOR_INTERRUPTS();
	return lyf_template_fail_value(ev, "a regular expression in a template could not be matched");
}

LyfFailure *
lyf_regex_search(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *unused;
	size_t		len;
	regex_t		regex;
	regmatch_t	groups[MAX_GROUPS];
	Wide		text;
	bool		found;
	StringInfoData out;

	LYF_TRY(lyf_arg_text(ev, call->self, &unused, &len));
	LYF_TRY(lyf_arg_text(ev, call->arg[0], &unused, &len));
	LYF_TRY(compile(ev, call->arg[0], &regex));
	text = widen(call->self->u.text, call->self->len);
	LYF_TRY(execute(ev, &regex, &text, 0, groups, &found));
	initStringInfo(&out);
	if (found && regex.re_nsub > 0)
	{
		if (groups[1].rm_so >= 0)
			append_wide(&out, text.text + groups[1].rm_so, groups[1].rm_eo - groups[1].rm_so);
		else
		{
			/* a group that took no part gives None, which prints so */
			*result = lyf_value_make(LYF_NULL);
			pg_regfree(&regex);
			return NULL;
		}
	}
	pg_regfree(&regex);
	*result = lyf_template_take(&out);
	return NULL;
}

/* the replacement of one match: \1 to \9, \g<1> and the usual escapes */
static void
append_replacement(StringInfo out, const LyfValue *replacement, const Wide *text, const regmatch_t *groups)
{
	const char *at = replacement->u.text;
	const char *end = at + replacement->len;

	while (at < end)
	{
		int			group = -1;

		if (*at != '\\' || at + 1 == end)
		{
			appendStringInfoChar(out, *at++);
			continue;
		}
		at++;
		if (*at >= '1' && *at <= '9')
			group = *at++ - '0';
		else if (end - at >= 4 && at[0] == 'g' && at[1] == '<' && isdigit((unsigned char) at[2]) && at[3] == '>')
		{
			group = at[2] - '0';
			at += 4;
		}
		else if (*at == 'n')
		{
			appendStringInfoChar(out, '\n');
			at++;
		}
		else if (*at == 't')
		{
			appendStringInfoChar(out, '\t');
			at++;
		}
		else
		{
			if (*at != '\\')
				appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, *at++);
		}
		if (group >= 0 && groups[group].rm_so >= 0)
			append_wide(out, text->text + groups[group].rm_so, groups[group].rm_eo - groups[group].rm_so);
	}
}

LyfFailure *
lyf_regex_replace(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const char *unused;
	size_t		len;
	regex_t		regex;
	regmatch_t	groups[MAX_GROUPS];
	Wide		text;
	size_t		at = 0;			/* up to where text is copied */
	size_t		from = 0;		/* from where the next match is looked for */
	StringInfoData out;

	LYF_TRY(lyf_arg_text(ev, call->self, &unused, &len));
	LYF_TRY(lyf_arg_text(ev, call->arg[0], &unused, &len));
	LYF_TRY(lyf_arg_text(ev, call->arg[1], &unused, &len));
	LYF_TRY(compile(ev, call->arg[0], &regex));
	text = widen(call->self->u.text, call->self->len);
	initStringInfo(&out);
	while (from <= text.len)
	{
		bool		found;

		LYF_TRY(execute(ev, &regex, &text, from, groups, &found));
		if (!found)
			break;
		append_wide(&out, text.text + at, groups[0].rm_so - at);
		append_replacement(&out, call->arg[1], &text, groups);
		at = groups[0].rm_eo;
		from = groups[0].rm_eo + (groups[0].rm_eo == groups[0].rm_so);
		if (out.len > LYF_TEMPLATE_MAX_OUTPUT)
		{
			pg_regfree(&regex);
			return lyf_template_fail_limit(ev, "the text that a template makes is too long");
		}
	}
	append_wide(&out, text.text + at, text.len - at);
	pg_regfree(&regex);
	*result = lyf_template_take(&out);
	return NULL;
}
