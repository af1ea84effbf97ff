/*
 * budget.c
 *		HTTPAPIBudget: how many calls an API allows.  The first policy that matches
 *		a request holds it back until its windows have room.
 *
 * Who counts is the gate (net/): over all sessions of an account, and from one read
 * to the next.  It also hears here what a response says about requests to come,
 * whether there is a budget or not.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "base/clock.h"
#include "base/datetime.h"
#include "extract/extract_internal.h"

#define MAX_POLICIES	100

/* a smaller number of the header for the window's end is seconds from now, not since 1970 */
#define SMALLEST_TIME	INT64CONST(1000000000)

typedef struct Matcher
{
	const char *method;			/* or "" */
	const char *url_base;		/* or "", without a slash at its end */
	LyfPattern *path;			/* or NULL */
	LyfValue   *params;			/* maps or NULL */
	LyfValue   *headers;
	LyfTemplate *weight;		/* or NULL */
} Matcher;

typedef struct Limit
{
	LyfTemplate *calls;
	int64		interval_ms;
} Limit;

typedef struct Policy
{
	Matcher    *matchers;
	int			matcher_count;
	Limit	   *limits;			/* none: unlimited */
	int			limit_count;
	bool		fixed;
} Policy;

struct LyfBudget
{
	Policy	   *policies;
	int			policy_count;
	const char *reset_header;
	const char *remaining_header;
	LyfValue   *hit_codes;		/* list */
};

static LyfFailure *
compile_interval(const LyfComponent *c, const char *field, int64 *interval_ms)
{
	const char *text;
	LyfValue   *duration;

	LYF_TRY(lyf_component_text(c, field, "", &text));
	LYF_TRY(lyf_duration_parse(text, &duration));
	*interval_ms = duration->u.span.us / 1000 + (int64) duration->u.span.months * 30 * 86400 * 1000;
	return *interval_ms > 0 ? NULL : lyf_component_invalid(c, "%s must be longer than nothing", field);
}

static LyfFailure *
compile_moving(const LyfComponent *c, Policy *policy)
{
	size_t		count = lyf_component_count(c, "rates");

	if (count == 0 || count > LYF_MAX_POLICY_LIMITS)
		return lyf_component_invalid(c, "1 to %d rates are needed", LYF_MAX_POLICY_LIMITS);
	policy->limits = palloc0(sizeof(Limit) * count);
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = lyf_component_item(c, "rates", i);
		Limit	   *limit = &policy->limits[policy->limit_count++];

		LYF_TRY(lyf_component_required_template(&item, "limit", &limit->calls));
		LYF_TRY(compile_interval(&item, "interval", &limit->interval_ms));
	}
	return NULL;
}

static LyfFailure *
compile_fixed(const LyfComponent *c, Policy *policy)
{
	policy->limits = palloc0(sizeof(Limit));
	policy->limit_count = 1;
	policy->fixed = true;
	LYF_TRY(lyf_component_required_template(c, "call_limit", &policy->limits[0].calls));
	return compile_interval(c, "period", &policy->limits[0].interval_ms);
}

static LyfFailure *
compile_unlimited(const LyfComponent *c, Policy *policy)
{
	return NULL;
}

static const struct
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, Policy *policy);
}			kinds[] = {
	{"MovingWindowCallRatePolicy", compile_moving},
	{"FixedWindowCallRatePolicy", compile_fixed},
	{"UnlimitedCallRatePolicy", compile_unlimited},
};

static LyfFailure *
compile_matcher(const LyfComponent *c, Matcher *matcher)
{
	const char *pattern;
	const char *base;

	LYF_TRY(lyf_component_text(c, "method", "", &matcher->method));
	LYF_TRY(lyf_component_text(c, "url_base", "", &base));
	matcher->url_base = pnstrdup(base, strlen(base) - (base[0] != '\0' && base[strlen(base) - 1] == '/' ? 1 : 0));
	LYF_TRY(lyf_component_text(c, "url_path_pattern", "", &pattern));
	if (pattern[0] != '\0')
		LYF_TRY(lyf_pattern_compile(pattern, &matcher->path));
	LYF_TRY(lyf_component_value(c, "params", &matcher->params));
	LYF_TRY(lyf_component_value(c, "headers", &matcher->headers));
	return lyf_component_template(c, "weight", &matcher->weight);
}

static LyfFailure *
compile_policy(const LyfComponent *c, Policy *policy)
{
	size_t		count = lyf_component_count(c, "matchers");
	int			kind = 0;

	while (kind < lengthof(kinds) && strcmp(c->type, kinds[kind].type) != 0)
		kind++;
	if (kind == lengthof(kinds))
		return lyf_component_unsupported(c);
	if (count > MAX_POLICIES)
		return lyf_component_invalid(c, "there may be %d matchers at most", MAX_POLICIES);
	policy->matchers = palloc0(sizeof(Matcher) * Max(count, 1));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = lyf_component_item(c, "matchers", i);

		LYF_TRY(compile_matcher(&item, &policy->matchers[policy->matcher_count++]));
	}
	return kinds[kind].compile(c, policy);
}

/* Compile the manifest's api_budget; c->json NULL: *out is NULL. */
LyfFailure *
lyf_budget_compile(const LyfComponent *c, LyfBudget **out)
{
	size_t		count = lyf_component_count(c, "policies");
	LyfBudget  *budget;

	*out = NULL;
	if (c->json == NULL)
		return NULL;
	if (strcmp(c->type, "HTTPAPIBudget") != 0)
		return lyf_component_unsupported(c);
	if (count > MAX_POLICIES)
		return lyf_component_invalid(c, "there may be %d policies at most", MAX_POLICIES);

	budget = palloc0(sizeof(LyfBudget));
	budget->policies = palloc0(sizeof(Policy) * Max(count, 1));
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent item = lyf_component_item(c, "policies", i);

		LYF_TRY(compile_policy(&item, &budget->policies[budget->policy_count++]));
	}
	LYF_TRY(lyf_component_text(c, "ratelimit_reset_header", "ratelimit-reset", &budget->reset_header));
	LYF_TRY(lyf_component_text(c, "ratelimit_remaining_header", "ratelimit-remaining", &budget->remaining_header));
	LYF_TRY(lyf_component_value(c, "status_codes_for_ratelimit_hit", &budget->hit_codes));
	*out = budget;
	return NULL;
}

static bool
headers_match(const LyfValue *wanted, const LyfHttpRequest *request)
{
	lyf_foreach(member, wanted)
	{
		bool		found = false;

		for (int i = 0; i < request->header_count && !found; i++)
			found = pg_strcasecmp(request->headers[i].name, member->key) == 0 &&
				strcmp(request->headers[i].value, lyf_template_str(member)) == 0;
		if (!found)
			return false;
	}
	return true;
}

static bool
params_match(const LyfValue *wanted, const char *url)
{
	lyf_foreach(member, wanted)
	{
		char	   *there = lyf_query_value(url, member);

		if (there == NULL || strcmp(there, lyf_template_str(member)) != 0)
			return false;
	}
	return true;
}

static bool
matches(const Matcher *matcher, const LyfHttpRequest *request)
{
	const char *host = strstr(request->url, "://");
	size_t		base_len = host ? host - request->url + 3 + strcspn(host + 3, "/?#") : 0;
	const char *path = request->url + base_len;
	size_t		path_len = strcspn(path, "?#");
	int			start;
	int			end;

	if (matcher->method[0] != '\0' && pg_strcasecmp(matcher->method, request->method) != 0)
		return false;
	if (matcher->url_base[0] != '\0' &&
		(strlen(matcher->url_base) != base_len || strncmp(matcher->url_base, request->url, base_len) != 0))
		return false;
	if (path_len > 0 && path[path_len - 1] == '/')
		path_len--;
	if (matcher->path != NULL && !lyf_pattern_search(matcher->path, pnstrdup(path, path_len), &start, &end))
		return false;
	if (lyf_value_is(matcher->params, LYF_MAP) && !params_match(matcher->params, request->url))
		return false;
	return !lyf_value_is(matcher->headers, LYF_MAP) || headers_match(matcher->headers, request);
}

/* the policy for a request, NULL if there is none; *matcher is what matched, or NULL */
static const Policy *
find_policy(const LyfBudget *budget, const LyfHttpRequest *request, const Matcher **matcher)
{
	*matcher = NULL;
	for (int p = 0; budget != NULL && p < budget->policy_count; p++)
	{
		const Policy *policy = &budget->policies[p];

		if (policy->matcher_count == 0)
			return policy;
		for (int m = 0; m < policy->matcher_count; m++)
			if (matches(&policy->matchers[m], request))
			{
				*matcher = &policy->matchers[m];
				return policy;
			}
	}
	return NULL;
}

static LyfFailure *
eval_count(const LyfTemplate *compiled, const LyfSession *session, int *count)
{
	LyfValue   *value;

	LYF_TRY(lyf_template_eval_string(compiled, &session->scope, &value));
	if (!lyf_value_is(value, LYF_INT) || value->u.integer < 1 || value->u.integer > PG_INT32_MAX)
		return lyf_failure(ERRCODE_FDW_ERROR, "\"%s\" in the connector's api_budget gives no positive integer",
						   lyf_template_source(compiled));
	*count = (int) value->u.integer;
	return NULL;
}

/* the limits that a request comes under; policy may be NULL */
static LyfFailure *
find_limits(const LyfBudget *budget, const Policy *policy, const Matcher *matcher, LyfSession *session,
			LyfLimit *limits, int *count)
{
	int			weight = 1;

	*count = 0;
	if (policy == NULL)
		return NULL;
	if (matcher != NULL && matcher->weight != NULL)
		LYF_TRY(eval_count(matcher->weight, session, &weight));
	for (int i = 0; i < policy->limit_count; i++)
	{
		LyfLimit   *limit = &limits[(*count)++];

		limit->policy = (int) (policy - budget->policies) + 1;
		limit->place = i;
		limit->fixed = policy->fixed;
		limit->interval_ms = policy->limits[i].interval_ms;
		limit->weight = weight;
		LYF_TRY(eval_count(policy->limits[i].calls, session, &limit->calls));
		if (weight > limit->calls)
			return lyf_failure(ERRCODE_FDW_ERROR, "a request weighs %d calls, the connector's api_budget allows %d",
							   weight, limit->calls);
	}
	return NULL;
}

LyfFailure *
lyf_budget_acquire(LyfBudget *budget, LyfSession *session, LyfHttpRequest *request)
{
	LyfLimit	limits[LYF_MAX_POLICY_LIMITS];
	const Matcher *matcher;
	const Policy *policy = find_policy(budget, request, &matcher);
	int			count;

	LYF_TRY(find_limits(budget, policy, matcher, session, limits, &count));
	return lyf_gate_pass(session->gate, limits, count, request, session->stats);
}

LyfFailure *
lyf_budget_try(LyfBudget *budget, LyfSession *session, LyfHttpRequest *request, bool *allowed)
{
	LyfLimit	limits[LYF_MAX_POLICY_LIMITS];
	const Matcher *matcher;
	const Policy *policy = find_policy(budget, request, &matcher);
	int			count;

	LYF_TRY(find_limits(budget, policy, matcher, session, limits, &count));
	*allowed = lyf_gate_try(session->gate, limits, count, request);
	return NULL;
}

/* how many calls are left, -1: it does not say */
static int
calls_left(const LyfBudget *budget, const LyfHttpResponse *response)
{
	const char *text = lyf_http_header(response, budget->remaining_header);

	if (text != NULL && text[0] >= '0' && text[0] <= '9')
		return (int) Min(strtol(text, NULL, 10), PG_INT32_MAX);
	if (budget->hit_codes == NULL && response->status == 429)
		return 0;
	if (lyf_value_is(budget->hit_codes, LYF_LIST))
		lyf_foreach(code, budget->hit_codes)
			if (atoi(lyf_template_str(code)) == response->status)
				return 0;
	return -1;
}

/* when the window ends, 0: it does not say */
static TimestampTz
window_end(const LyfBudget *budget, const LyfHttpResponse *response)
{
	const char *text = lyf_http_header(response, budget->reset_header);
	int64		seconds;

	if (text == NULL || text[0] == '\0' || strlen(text) >= 12 || strspn(text, "0123456789") != strlen(text))
		return 0;
	seconds = strtoll(text, NULL, 10);
	if (seconds < SMALLEST_TIME)
		return GetCurrentTimestamp() + seconds * USECS_PER_SEC;
	return time_t_to_timestamptz((pg_time_t) seconds);
}

/* Take over what the response says about requests to come: calls left, the end of the window, Retry-After. */
LyfFailure *
lyf_budget_update(LyfBudget *budget, LyfSession *session, const LyfHttpRequest *request, const LyfHttpResponse *response)
{
	LyfLimit	limits[LYF_MAX_POLICY_LIMITS];
	const Matcher *matcher;
	const Policy *policy = find_policy(budget, request, &matcher);
	const char *retry_after = NULL;
	int			count;

	if (response->status == 429 || response->status == 503)
		retry_after = lyf_http_header(response, "Retry-After");
	if (retry_after != NULL)
		lyf_gate_hold(session->gate, lyf_retry_after_ms(retry_after, lyf_now()), true);
	LYF_TRY(find_limits(budget, policy, matcher, session, limits, &count));
	if (count > 0)
		lyf_gate_update(session->gate, limits, count, calls_left(budget, response), window_end(budget, response));
	return NULL;
}
