/*
 * policy.c
 *		Schema policies: what a pipeline answers to a change of its source.
 *
 * The answer for a column by its name goes before the one for the kind of change, and that before the default.
 */
#include "postgres.h"

#include "base/json.h"
#include "schema/schema.h"

struct LyfPolicy
{
	LyfAnswer	fallback;
	const LyfValue *answers;	/* the JSON, or NULL */
};

static const char *const answers[] = {
	[LYF_ANSWER_EVOLVE] = "evolve", [LYF_ANSWER_FREEZE] = "freeze", [LYF_ANSWER_IGNORE] = "ignore", [LYF_ANSWER_ALERT] = "alert"
};

const char *
lyf_answer_name(LyfAnswer answer)
{
	return answers[answer];
}

static bool
answer_of(const char *name, LyfAnswer *answer)
{
	for (int i = 0; name != NULL && i < lengthof(answers); i++)
	{
		if (strcmp(answers[i], name) == 0)
		{
			*answer = i;
			return true;
		}
	}
	return false;
}

static void
raise_unknown(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("there is no schema policy \"%s\"", what),
			 errhint("Schema policies are: evolve, freeze, ignore, alert; or JSON, as "
					 "{\"default\": \"evolve\", \"column_removed\": \"freeze\", \"columns\": {\"price\": \"freeze\"}}.")));
}

static void
check_answer(const LyfValue *value)
{
	LyfAnswer	answer;

	if (!answer_of(lyf_value_text(value), &answer))
		raise_unknown(value->kind == LYF_STRING ? value->u.text : lyf_value_to_text(value));
}

static bool
is_kind(const char *name)
{
	for (int i = 0; i < LYF_CHANGE_KINDS; i++)
	{
		if (strcmp(lyf_change_name(i), name) == 0)
			return true;
	}
	return false;
}

static void
check_answers(const LyfValue *map)
{
	lyf_foreach(member, map)
	{
		if (strcmp(member->key, "columns") == 0 && member->kind == LYF_MAP)
		{
			lyf_foreach(column, member)
				check_answer(column);
		}
		else if (strcmp(member->key, "default") != 0 && !is_kind(member->key))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a schema policy has no answer to \"%s\"", member->key),
					 errhint("It has default, columns, and kinds of changes, such as column_added, column_removed, type_changed.")));
		else
			check_answer(member);
	}
}

const LyfPolicy *
lyf_policy_get(const char *text)
{
	LyfPolicy  *policy = palloc0(sizeof(LyfPolicy));
	LyfValue   *map = NULL;

	if (answer_of(text, &policy->fallback))
		return policy;
	if (text[strspn(text, " \t\r\n")] != '{' ||
		lyf_json_parse_copy(text, strlen(text), &map) != NULL || !lyf_value_is(map, LYF_MAP))
		raise_unknown(text);
	check_answers(map);
	policy->fallback = LYF_ANSWER_EVOLVE;
	(void) answer_of(lyf_value_text(lyf_value_get(map, "default")), &policy->fallback);
	policy->answers = map;
	return policy;
}

LyfAnswer
lyf_policy_answer(const LyfPolicy *policy, LyfChangeKind kind, const char *column)
{
	LyfAnswer	answer = policy->fallback;

	if (policy->answers == NULL)
		return answer;
	if (column != NULL &&
		answer_of(lyf_value_text(lyf_value_get(lyf_value_get(policy->answers, "columns"), column)), &answer))
		return answer;
	(void) answer_of(lyf_value_text(lyf_value_get(policy->answers, lyf_change_name(kind))), &answer);
	return answer;
}
