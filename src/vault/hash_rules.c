/*
 * hash_rules.c
 *		How hashes are made: profiles, and settings that change single rules of one.
 *
 * The rules of automate_dv and datavault4dbt are those of these packages for PostgreSQL (AutomateDV 0.11, datavault4dbt 2.0), to the
 * bit, with what is strange in them; docs/vault-hashes.md says what that is.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "base/compat.h"
#include "vault/hash_internal.h"

static const LyfHashRules profiles[] = {
	{
		.profile = "lyftron",
		.parts = {
			{LYF_TRIM_SPACE, false, false, LYF_TRAILING_KEEP, true},
			{LYF_TRIM_NONE, false, false, LYF_TRAILING_NULL, false}
		},
		.null = "\\N",
		.delimiter = "|",
		.write = lyf_hash_write_escaped
	},
	{
		.profile = "automate_dv",
		.parts = {
			{LYF_TRIM_BLANK, true, false, LYF_TRAILING_KEEP, true},
			{LYF_TRIM_BLANK, true, true, LYF_TRAILING_KEEP, false}
		},
		.empty_is_null = true,
		.null = "^^",
		.delimiter = "||",
		.null_by_text = true
	},
	{
		.profile = "datavault4dbt",
		.text = true,
		.parts = {
			{LYF_TRIM_BLANK, true, false, LYF_TRAILING_KEEP, true},
			{LYF_TRIM_BLANK, true, false, LYF_TRAILING_KEEP, true}
		},
		.null = "^^",
		.delimiter = "||",
		.write = lyf_hash_write_quoted,
		.upper_whole = true,
		.first_controls = true
	},
};

/* \ and | get a \ before them: a null is \N, so that no two lists of values have one text */
void
lyf_hash_write_escaped(StringInfo out, const char *value, int len)
{
	const char *end = value + len;
	const char *start = value;

	for (; value < end; value++)
	{
		if (*value != '\\' && *value != '|')
			continue;
		appendBinaryStringInfo(out, start, value - start);
		appendStringInfoChar(out, '\\');
		start = value;
	}
	appendBinaryStringInfo(out, start, end - start);
}

/* a value in quotes, as datavault4dbt has it: of backslashes and of quotes in it only the first one is replaced */
void
lyf_hash_write_quoted(StringInfo out, const char *value, int len)
{
	const char *end = value + len;
	bool		escaped = false;
	bool		quoted = false;

	appendStringInfoChar(out, '"');
	for (; value < end; value++)
	{
		if (*value == '\\' && !escaped)
		{
			appendStringInfoString(out, "\\\\");
			escaped = true;
		}
		else if (*value == '"' && !quoted)
		{
			appendStringInfoString(out, "dv4dbt-quote-replacement");
			quoted = true;
		}
		else if (value + 1 < end && value[0] == '^' && value[1] == '^')
		{
			appendStringInfoString(out, "dv4dbt-null-replacement");
			value++;
		}
		else if (value + 1 < end && value[0] == '|' && value[1] == '|')
		{
			appendStringInfoString(out, "dv4dbt-concat-replacement");
			value++;
		}
		else
			appendStringInfoCharMacro(out, *value);
	}
	appendStringInfoChar(out, '"');
}

typedef struct Word
{
	const char *word;
	int			value;
} Word;

static const Word trims[] = {{"none", LYF_TRIM_NONE}, {"blank", LYF_TRIM_BLANK}, {"space", LYF_TRIM_SPACE}, {NULL}};
static const Word cases[] = {{"keep", false}, {"upper", true}, {NULL}};
static const Word orders[] = {{"given", false}, {"name", true}, {NULL}};
static const Word empties[] = {{"keep", false}, {"null", true}, {NULL}};
static const Word types[] = {{"bytea", false}, {"text", true}, {NULL}};
static const Word trailings[] = {{"keep", LYF_TRAILING_KEEP}, {"null", LYF_TRAILING_NULL}, {"rtrim", LYF_TRAILING_RTRIM}, {NULL}};

static LYF_NORETURN void
raise_setting(const char *key, const char *given, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the setting \"%s\" of hashes cannot be \"%s\"", key, given),
			 errhint("It may be: %s.", hint)));
}

/* the value of a word; raises, naming those there are */
static int
read_word(const char *key, const char *given, const Word *words)
{
	StringInfoData names;

	initStringInfo(&names);
	for (; words->word != NULL; words++)
	{
		if (strcmp(words->word, given) == 0)
			return words->value;
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", words->word);
	}
	raise_setting(key, given, names.data);
}

static const LyfHashRules *
find_profile(const char *name)
{
	for (int i = 0; i < lengthof(profiles); i++)
		if (strcmp(profiles[i].profile, name) == 0)
			return &profiles[i];
	raise_setting("profile", name, "lyftron, automate_dv, datavault4dbt");
}

static LyfDigest *
find_digest(const char *name)
{
	LyfDigest  *digest = lyf_digest_get(name);

	if (digest == NULL)
		raise_setting("algorithm", name, lyf_digest_names());
	return digest;
}

/* a text of a profile that lets it be chosen */
static const char *
own_text(const LyfHashRules *rules, const char *key, const char *given)
{
	if (rules->write == lyf_hash_write_escaped)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the profile %s has its own %s", rules->profile, key)));
	if (given[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the setting \"%s\" of hashes must not be empty", key)));
	return pstrdup(given);
}

static void
apply_setting(LyfHashRules *rules, const char *key, const char *given)
{
	LyfHashPart *keys = &rules->parts[LYF_HASH_KEY];
	LyfHashPart *diffs = &rules->parts[LYF_HASH_DIFF];

	if (strcmp(key, "profile") == 0)
		return;
	if (strcmp(key, "algorithm") == 0)
		rules->digest = find_digest(given);
	else if (strcmp(key, "type") == 0)
		rules->text = read_word(key, given, types);
	else if (strcmp(key, "trim") == 0)
		keys->trim = read_word(key, given, trims);
	else if (strcmp(key, "case") == 0)
		keys->upper = read_word(key, given, cases);
	else if (strcmp(key, "diff_trim") == 0)
		diffs->trim = read_word(key, given, trims);
	else if (strcmp(key, "diff_case") == 0)
		diffs->upper = read_word(key, given, cases);
	else if (strcmp(key, "diff_order") == 0)
		diffs->by_name = read_word(key, given, orders);
	else if (strcmp(key, "diff_trailing") == 0)
		diffs->trailing = read_word(key, given, trailings);
	else if (strcmp(key, "empty") == 0)
		rules->empty_is_null = read_word(key, given, empties);
	else if (strcmp(key, "null") == 0)
		rules->null = own_text(rules, key, given);
	else if (strcmp(key, "delimiter") == 0)
		rules->delimiter = own_text(rules, key, given);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no setting \"%s\" of hashes", key),
				 errhint("There are: profile, algorithm, type, trim, case, empty, null, delimiter, diff_trim, diff_case, diff_order, diff_trailing.")));
}

/* does upper() treat ASCII as C does?  Not in Turkish. */
static bool
has_ascii_upper(void)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return strcmp(str_toupper(lower, strlen(lower), DEFAULT_COLLATION_OID), upper) == 0;
}

static const char *
setting_text(const LyfValue *setting, const char *key)
{
	if (!lyf_value_is(setting, LYF_STRING))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the setting \"%s\" of hashes must be a string", key)));
	return lyf_value_text(setting);
}

const LyfHashRules *
lyf_hash_rules(const LyfValue *settings)
{
	LyfHashRules *rules = palloc(sizeof(LyfHashRules));
	const LyfValue *profile = lyf_value_get(settings, "profile");

	if (settings != NULL && !lyf_value_is(settings, LYF_MAP))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("settings of hashes must be an object"),
				 errhint("For example: {\"profile\": \"automate_dv\", \"algorithm\": \"sha256\"}.")));
	*rules = *find_profile(profile != NULL ? setting_text(profile, "profile") : "lyftron");
	rules->digest = lyf_digest_get("md5");
	rules->ascii_upper = has_ascii_upper();
	if (settings != NULL)
	{
		lyf_foreach(setting, settings)
			apply_setting(rules, setting->key, setting_text(setting, setting->key));
	}
	return rules;
}

int
lyf_hash_size(const LyfHashRules *rules)
{
	return lyf_digest_size(rules->digest);
}

bool
lyf_hash_is_text(const LyfHashRules *rules)
{
	return rules->text;
}

const char *
lyf_hash_profile(const LyfHashRules *rules)
{
	return rules->profile;
}

Datum
lyf_hash_datum(const LyfHashRules *rules, const uint8 *digest)
{
	int			size = lyf_hash_size(rules);
	int			len = rules->text ? 2 * size : size;
	struct varlena *hash = palloc(VARHDRSZ + len);

	SET_VARSIZE(hash, VARHDRSZ + len);
	if (rules->text)
		hex_encode((const char *) digest, size, VARDATA(hash));
	else
		memcpy(VARDATA(hash), digest, size);
	return PointerGetDatum(hash);
}
