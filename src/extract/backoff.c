/*
 * backoff.c
 *		How long to wait before the next try: the five strategies of the format.
 *
 * A strategy that has no answer for a response leaves it to the next one.
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "utils/timestamp.h"

#include "base/clock.h"
#include "extract/extract_internal.h"

/* longer answers are nonsense; the setting for waits is far below it */
#define MAX_SECONDS 1e9

typedef struct BackoffKind
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, LyfBackoff *backoff);
	LyfFailure *(*seconds) (const LyfBackoff *backoff, const LyfSession *session, LyfPage *page,
							int attempt, double *seconds);
	bool		said;			/* by the response */
} BackoffKind;

struct LyfBackoff
{
	const BackoffKind *kind;
	LyfTemplate *value;			/* seconds, a factor, a header's name */
	LyfTemplate *regex;			/* what of the header is the number */
	LyfTemplate *min_wait;
	LyfTemplate *max_wait;
	double		jitter;			/* < 0: none */
};

/* a text as a number; false if it is none */
static bool
to_number(const char *text, double *number)
{
	char	   *end;

	text += strspn(text, " \t\n");
	*number = strtod(text, &end);
	return end != text && end[strspn(end, " \t\n")] == '\0' && isfinite(*number);
}

static LyfFailure *
eval_number(const LyfTemplate *compiled, const LyfSession *session, double *number)
{
	char	   *text;

	LYF_TRY(lyf_template_eval_text(compiled, &session->scope, &text));
	if (!to_number(text, number))
		return lyf_failure(ERRCODE_FDW_ERROR, "the backoff strategy's \"%s\" gives no number", lyf_template_source(compiled));
	return NULL;
}

static LyfFailure *
compile_jitter(const LyfComponent *c, LyfBackoff *backoff)
{
	LyfValue   *jitter;

	LYF_TRY(lyf_component_value(c, "jitter_range_in_seconds", &jitter));
	backoff->jitter = jitter == NULL || jitter->kind == LYF_NULL ? -1 : lyf_value_double(jitter);
	return NULL;
}

static double
with_jitter(const LyfBackoff *backoff, double seconds)
{
	return backoff->jitter <= 0 ? seconds :
		seconds + pg_prng_double(&pg_global_prng_state) * backoff->jitter * 2;
}

static LyfFailure *
compile_constant(const LyfComponent *c, LyfBackoff *backoff)
{
	LYF_TRY(compile_jitter(c, backoff));
	return lyf_component_required_template(c, "backoff_time_in_seconds", &backoff->value);
}

static LyfFailure *
constant_seconds(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, int attempt, double *seconds)
{
	LYF_TRY(eval_number(backoff->value, session, seconds));
	*seconds = with_jitter(backoff, *seconds);
	return NULL;
}

static LyfFailure *
compile_exponential(const LyfComponent *c, LyfBackoff *backoff)
{
	LYF_TRY(compile_jitter(c, backoff));
	LYF_TRY(lyf_component_template(c, "factor", &backoff->value));
	return backoff->value != NULL ? NULL : lyf_template_compile("5", NULL, &backoff->value);
}

static LyfFailure *
exponential_seconds(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, int attempt, double *seconds)
{
	LYF_TRY(eval_number(backoff->value, session, seconds));
	*seconds = with_jitter(backoff, *seconds * pow(2, attempt));
	return NULL;
}

static LyfFailure *
compile_header(const LyfComponent *c, LyfBackoff *backoff)
{
	LYF_TRY(lyf_component_required_template(c, "header", &backoff->value));
	LYF_TRY(lyf_component_template(c, "regex", &backoff->regex));
	LYF_TRY(lyf_component_template(c, "min_wait", &backoff->min_wait));
	return lyf_component_template(c, "max_waiting_time_in_seconds", &backoff->max_wait);
}

/* the number in the header, 0 if there is none */
static LyfFailure *
header_number(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, double *number)
{
	char	   *name;
	char	   *regex;
	const char *value;
	LyfPattern *pattern;
	int			start;
	int			end;

	*number = 0;
	if (page == NULL)
		return NULL;
	LYF_TRY(lyf_template_eval_text(backoff->value, &session->scope, &name));
	value = lyf_http_header(page->response, name);
	if (value == NULL)
		return NULL;
	if (backoff->regex != NULL)
	{
		LYF_TRY(lyf_template_eval_text(backoff->regex, &session->scope, &regex));
		LYF_TRY(lyf_pattern_compile(psprintf("^(?:%s)", regex), &pattern));
		if (lyf_pattern_search(pattern, value, &start, &end))
			value = pnstrdup(value + start, end - start);
	}
	if (!to_number(value, number))
		*number = 0;
	return NULL;
}

/* the manifest's own bound: a wait of that length or longer is refused */
static LyfFailure *
check_max_wait(const LyfBackoff *backoff, const LyfSession *session, double seconds)
{
	double		max_wait;

	if (backoff->max_wait == NULL)
		return NULL;
	LYF_TRY(eval_number(backoff->max_wait, session, &max_wait));
	if (seconds < max_wait)
		return NULL;
	return lyf_failure_retryable(
								 lyf_failure(ERRCODE_FDW_ERROR, "the server asks to wait %.0f s, the connector waits less than %.0f s",
											 seconds, max_wait),
								 (int) Min(seconds * 1000, (double) PG_INT32_MAX));
}

static LyfFailure *
wait_from_header(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, int attempt, double *seconds)
{
	LYF_TRY(header_number(backoff, session, page, seconds));
	return *seconds != 0 ? check_max_wait(backoff, session, *seconds) : NULL;
}

/* the header is a time, in seconds since 1970 */
static LyfFailure *
wait_until_header(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, int attempt, double *seconds)
{
	double		until;
	double		min_wait = 0;

	LYF_TRY(header_number(backoff, session, page, &until));
	if (backoff->min_wait != NULL)
		LYF_TRY(eval_number(backoff->min_wait, session, &min_wait));
	if (until != 0)
	{
		double		now = lyf_now() / (double) USECS_PER_SEC +
			(double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;

		*seconds = until - now;
	}
	else
		*seconds = 0;
	*seconds = Max(*seconds, min_wait);
	return *seconds > 0 ? check_max_wait(backoff, session, *seconds) : NULL;
}

static LyfFailure *
compile_response(const LyfComponent *c, LyfBackoff *backoff)
{
	LYF_TRY(lyf_component_required_template(c, "wait_time_in_seconds", &backoff->value));
	return lyf_component_template(c, "max_waiting_time_in_seconds", &backoff->max_wait);
}

/* an expression that does not fit this response has no answer: it was written for another one */
static LyfFailure *
wait_from_response(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, int attempt, double *seconds)
{
	LyfScope	scope;
	LyfValue   *value;

	*seconds = 0;
	if (page == NULL)
		return NULL;
	lyf_scope_init(&scope, &session->scope);
	lyf_scope_set(&scope, "response", lyf_page_json(page, NULL));
	lyf_scope_set(&scope, "headers", lyf_page_plain_headers(page, backoff->value));
	if (lyf_template_eval(backoff->value, &scope, 0, NULL, &value) != NULL || value == NULL)
		return NULL;
	if (!to_number(lyf_template_str(value), seconds) || *seconds < 0)
		*seconds = 0;
	return *seconds > 0 ? check_max_wait(backoff, session, *seconds) : NULL;
}

static const BackoffKind kinds[] = {
	{"ConstantBackoffStrategy", compile_constant, constant_seconds},
	{"ExponentialBackoffStrategy", compile_exponential, exponential_seconds},
	{"WaitTimeFromHeader", compile_header, wait_from_header, true},
	{"WaitUntilTimeFromHeader", compile_header, wait_until_header, true},
	{"WaitTimeFromResponse", compile_response, wait_from_response, true},
};

LyfFailure *
lyf_backoff_compile(const LyfComponent *c, LyfBackoff **out)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(c->type, kinds[i].type) == 0)
		{
			*out = palloc0(sizeof(LyfBackoff));
			(*out)->kind = &kinds[i];
			return kinds[i].compile(c, *out);
		}
	return lyf_component_unsupported(c);
}

bool
lyf_backoff_is_said(const LyfBackoff *backoff)
{
	return backoff->kind->said;
}

LyfFailure *
lyf_backoff_seconds(const LyfBackoff *backoff, const LyfSession *session, LyfPage *page, int attempt, double *seconds)
{
	LYF_TRY(backoff->kind->seconds(backoff, session, page, attempt, seconds));
	*seconds = *seconds > 0 ? Min(*seconds, MAX_SECONDS) : 0;
	return NULL;
}
