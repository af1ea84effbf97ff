/*
 * budget.c
 *		HTTPAPIBudget: how many calls an API allows.  The first policy that matches
 *		a request holds it back until its windows have room.
 *
 * The counts belong to the process and to the configuration (one account's calls
 * do not count for another's), so they go on from one read to the next.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/datetime.h"
#include "base/settings.h"
#include "extract/extract_internal.h"

#define MAX_POLICIES	100
#define MAX_RATES		20
#define MAX_COUNTERS	1000
#define MAX_WAITS		10000

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
	LyfRate    *(*make) (int limit, int64 interval_ms);
} Policy;

struct LyfBudget
{
	Policy	   *policies;
	int			policy_count;
	const char *reset_header;
	const char *remaining_header;
	LyfValue   *hit_codes;		/* list */
};

/* counters of this process, by what they count */
typedef struct Counter
{
	uint64		key;
	LyfRate    *rate;
} Counter;

static Counter counters[MAX_COUNTERS];
static int	counter_count;

/* until the server says when its window ends, a whole one begins with the first call */
static LyfRate *
make_fixed(int limit, int64 interval_ms)
{
	return lyf_rate_fixed(limit, interval_ms, GetCurrentTimestamp() + interval_ms * 1000);
}

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

	if (count == 0 || count > MAX_RATES)
		return lyf_component_invalid(c, "1 to %d rates are needed", MAX_RATES);
	policy->limits = palloc0(sizeof(Limit) * count);
	policy->make = lyf_rate_moving;
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
	policy->make = make_fixed;
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

/* the counter of one limit, made when it is first asked for; where there are too many, another one makes room */
static LyfFailure *
find_rate(const LyfBudget *budget, const Policy *policy, const Limit *limit, LyfSession *session, LyfRate **rate)
{
	StringInfoData key;
	MemoryContext cxt;
	MemoryContext old;
	uint64		hash;
	int			calls;
	int			slot;

	LYF_TRY(eval_count(limit->calls, session, &calls));
	initStringInfo(&key);
	appendStringInfo(&key, "%d %d %d " INT64_FORMAT " ", (int) (policy - budget->policies), (int) (limit - policy->limits),
					 calls, limit->interval_ms);
	if (session->config != NULL)
		lyf_value_print_sorted(&key, session->config);
	hash = hash_bytes_extended((const unsigned char *) key.data, key.len, 0);
	pfree(key.data);
	for (int i = 0; i < counter_count; i++)
		if (counters[i].key == hash)
		{
			*rate = counters[i].rate;
			return NULL;
		}

	/* Each in a context of its own, which goes with it */
	cxt = AllocSetContextCreate(TopMemoryContext, "lyftron call rate", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	*rate = policy->make(calls, limit->interval_ms);
	MemoryContextSwitchTo(old);
	slot = counter_count < MAX_COUNTERS ? counter_count++ : (int) (hash % MAX_COUNTERS);
	if (counters[slot].rate != NULL)
		MemoryContextDelete(GetMemoryChunkContext(counters[slot].rate));
	counters[slot].key = hash;
	counters[slot].rate = *rate;
	return NULL;
}

static LyfFailure *
used_up(int64 wait_ms)
{
	LyfFailure *failure = lyf_failure(ERRCODE_FDW_ERROR, "the API's call budget is used up for another %lld s",
									  (long long) (wait_ms / 1000));

	lyf_failure_hint(failure, "Try again later, or allow a longer wait with lyftron.max_retry_wait (now %d s).",
					 lyf_max_retry_wait);
	return lyf_failure_retryable(failure, (int) Min(wait_ms, PG_INT32_MAX));
}

/* take it, waiting until that is possible; where it must not be waited, *allowed says whether it was */
static LyfFailure *
take(LyfRate *rate, int weight, LyfSession *session, bool wait, bool *allowed)
{
	for (int i = 0; i < MAX_WAITS; i++)
	{
		int64		wait_ms = lyf_rate_acquire(rate, weight, GetCurrentTimestamp());

		*allowed = wait_ms <= 0;
		if (*allowed || !wait)
			return NULL;
		if (wait_ms > INT64CONST(1000) * lyf_max_retry_wait)
			return used_up(wait_ms);
		lyf_net_sleep(wait_ms, session->stats);
	}
	return lyf_failure_retryable(lyf_failure(ERRCODE_FDW_ERROR, "the API's call budget stays used up"), 0);
}

/* of several limits the first ones may be taken though a later one has no room: a call too many is counted then */
static LyfFailure *
acquire(LyfBudget *budget, LyfSession *session, const LyfHttpRequest *request, bool wait, bool *allowed)
{
	const Matcher *matcher;
	const Policy *policy = find_policy(budget, request, &matcher);
	int			weight = 1;

	*allowed = true;
	if (policy == NULL)
		return NULL;
	if (matcher != NULL && matcher->weight != NULL)
		LYF_TRY(eval_count(matcher->weight, session, &weight));
	for (int i = 0; i < policy->limit_count && *allowed; i++)
	{
		LyfRate    *rate;
		int			calls;

		LYF_TRY(eval_count(policy->limits[i].calls, session, &calls));
		if (weight > calls)
			return lyf_failure(ERRCODE_FDW_ERROR, "a request weighs %d calls, the connector's api_budget allows %d",
							   weight, calls);
		LYF_TRY(find_rate(budget, policy, &policy->limits[i], session, &rate));
		LYF_TRY(take(rate, weight, session, wait, allowed));
	}
	return NULL;
}

/* Wait until the budget allows this request; it is counted then. */
LyfFailure *
lyf_budget_acquire(LyfBudget *budget, LyfSession *session, const LyfHttpRequest *request)
{
	bool		allowed;

	return acquire(budget, session, request, true, &allowed);
}

LyfFailure *
lyf_budget_try(LyfBudget *budget, LyfSession *session, const LyfHttpRequest *request, bool *allowed)
{
	return acquire(budget, session, request, false, allowed);
}

/* Take over what the response says about calls left and the end of the window. */
LyfFailure *
lyf_budget_update(LyfBudget *budget, LyfSession *session, const LyfHttpRequest *request, const LyfHttpResponse *response)
{
	const Matcher *matcher;
	const Policy *policy = find_policy(budget, request, &matcher);
	const char *text;
	TimestampTz reset = 0;
	int			remaining = -1;

	if (policy == NULL)
		return NULL;
	text = lyf_http_header(response, budget->remaining_header);
	if (text != NULL && text[0] >= '0' && text[0] <= '9')
		remaining = (int) Min(strtol(text, NULL, 10), PG_INT32_MAX);
	else if (budget->hit_codes == NULL && response->status == 429)
		remaining = 0;
	else if (lyf_value_is(budget->hit_codes, LYF_LIST))
		lyf_foreach(code, budget->hit_codes)
			if (atoi(lyf_template_str(code)) == response->status)
				remaining = 0;
	text = lyf_http_header(response, budget->reset_header);
	if (text != NULL && strlen(text) < 12 && strspn(text, "0123456789") == strlen(text) && text[0] != '\0')
		reset = time_t_to_timestamptz((pg_time_t) strtoll(text, NULL, 10));

	for (int i = 0; i < policy->limit_count; i++)
	{
		LyfRate    *rate;

		LYF_TRY(find_rate(budget, policy, &policy->limits[i], session, &rate));
		lyf_rate_update(rate, remaining, reset);
	}
	return NULL;
}
