/*
 * hasher.c
 *		Values of a row to one text by the rules, and that to a digest.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/pg_collation.h"
#include "utils/formatting.h"

#include "vault/hash_internal.h"

struct LyfHasher
{
	const LyfHashRules *rules;
	const LyfHashPart *part;
	LyfHashKind kind;
	int			count;
	int		   *columns;
	StringInfoData text;
	bool		null_by_text;
	StringInfoData nulls;		/* the text of a row of nulls */
};

/* for qsort: names without regard to case */
typedef struct Named
{
	const char *name;
	int			column;
	int			place;
} Named;

static int
compare_names(const void *a, const void *b)
{
	const Named *one = a;
	const Named *other = b;
	int			order = pg_strcasecmp(one->name, other->name);

	return order != 0 ? order : one->place - other->place;
}

static void
sort_by_name(LyfHasher *hasher, const char *const *names)
{
	Named	   *named = palloc(sizeof(Named) * Max(hasher->count, 1));

	for (int i = 0; i < hasher->count; i++)
		named[i] = (Named) {names[i], hasher->columns[i], i};
	qsort(named, hasher->count, sizeof(Named), compare_names);
	for (int i = 0; i < hasher->count; i++)
		hasher->columns[i] = named[i].column;
	pfree(named);
}

LyfHasher *
lyf_hasher_begin(const LyfHashRules *rules, LyfHashKind kind, int count, const int *columns, const char *const *names)
{
	LyfHasher  *hasher = palloc0(sizeof(LyfHasher));

	hasher->rules = rules;
	hasher->part = &rules->parts[kind];
	hasher->kind = kind;
	hasher->count = count;
	hasher->columns = palloc(sizeof(int) * Max(count, 1));
	memcpy(hasher->columns, columns, sizeof(int) * count);
	if (hasher->part->by_name && names != NULL)
		sort_by_name(hasher, names);
	initStringInfo(&hasher->text);
	/* the package compares texts only where it puts some together */
	hasher->null_by_text = rules->null_by_text && kind == LYF_HASH_KEY && count > 1;
	initStringInfo(&hasher->nulls);
	for (int i = 0; i < count; i++)
		appendStringInfo(&hasher->nulls, "%s%s", i > 0 ? rules->delimiter : "", rules->null);
	return hasher;
}

const int *
lyf_hasher_columns(const LyfHasher *hasher)
{
	return hasher->columns;
}

static inline bool
is_trimmed(char c, LyfHashTrim trim)
{
	return c == ' ' || (trim == LYF_TRIM_SPACE && c >= '\t' && c <= '\r');
}

static void
trim_value(LyfHashTrim trim, const char **value, int *len)
{
	if (trim == LYF_TRIM_NONE)
		return;
	while (*len > 0 && is_trimmed((*value)[*len - 1], trim))
		(*len)--;
	while (*len > 0 && is_trimmed((*value)[0], trim))
	{
		(*value)++;
		(*len)--;
	}
}

/* upper() of what stands from start on: of ASCII in its place, of others as the database has it */
static void
make_upper(const LyfHashRules *rules, StringInfo text, int start)
{
	bool		ascii = rules->ascii_upper;
	char	   *upper;

	for (int i = start; ascii && i < text->len; i++)
		ascii = !IS_HIGHBIT_SET(text->data[i]);
	if (ascii)
	{
		for (int i = start; i < text->len; i++)
			if (text->data[i] >= 'a' && text->data[i] <= 'z')
				text->data[i] -= 'a' - 'A';
		return;
	}
	upper = str_toupper(text->data + start, text->len - start, DEFAULT_COLLATION_OID);
	text->len = start;
	appendStringInfoString(text, upper);
	pfree(upper);
}

static void
append_value(LyfHasher *hasher, const char *value, int len)
{
	const LyfHashRules *rules = hasher->rules;
	int			start = hasher->text.len;

	if (rules->write != NULL)
		rules->write(&hasher->text, value, len);
	else
		appendBinaryStringInfo(&hasher->text, value, len);
	if (hasher->part->upper && !rules->upper_whole)
		make_upper(rules, &hasher->text, start);
}

static inline void
append_text(StringInfo out, const char *text)
{
	for (; *text != '\0'; text++)
		appendStringInfoCharMacro(out, *text);
}

/* Put the values together; false: all are null. */
static bool
build_text(LyfHasher *hasher, const char *buffer, const LyfText *texts)
{
	const LyfHashRules *rules = hasher->rules;
	bool		terminated = hasher->part->trailing == LYF_TRAILING_NULL;
	int			end = 0;		/* of the last value that is not null */
	bool		any = false;

	resetStringInfo(&hasher->text);
	for (int i = 0; i < hasher->count; i++)
	{
		const LyfText *text = &texts[hasher->columns[i]];
		const char *value = buffer + text->start;
		int			len = text->len;

		if (i > 0 && !terminated)
			append_text(&hasher->text, rules->delimiter);
		if (!text->null)
			trim_value(hasher->part->trim, &value, &len);
		if (text->null || (len == 0 && rules->empty_is_null))
			append_text(&hasher->text, rules->null);
		else
		{
			append_value(hasher, value, len);
			any = true;
			end = hasher->text.len + strlen(rules->delimiter);
		}
		if (terminated)
			append_text(&hasher->text, rules->delimiter);
	}
	if (terminated)
		hasher->text.len = end;
	return any;
}

/* the first one of each is taken out, as a REGEXP_REPLACE without flag g does */
static void
remove_first_controls(StringInfo text)
{
	static const char controls[] = {'\n', '\t', '\v', '\r'};

	for (int i = 0; i < lengthof(controls); i++)
	{
		char	   *found = memchr(text->data, controls[i], text->len);

		if (found == NULL)
			continue;
		memmove(found, found + 1, text->data + text->len - found - 1);
		text->len--;
	}
}

static void
finish_text(LyfHasher *hasher)
{
	const LyfHashRules *rules = hasher->rules;
	StringInfo	text = &hasher->text;

	if (hasher->part->upper && rules->upper_whole)
		make_upper(rules, text, 0);
	if (rules->first_controls)
		remove_first_controls(text);
	if (hasher->part->trailing == LYF_TRAILING_RTRIM)
		while (text->len > 0 && (strchr(rules->null, text->data[text->len - 1]) != NULL || strchr(rules->delimiter, text->data[text->len - 1]) != NULL))
			text->len--;
}

bool
lyf_hasher_run(LyfHasher *hasher, const char *buffer, const LyfText *texts, uint8 *digest)
{
	const LyfHashRules *rules = hasher->rules;
	bool		any = build_text(hasher, buffer, texts);

	finish_text(hasher);
	if (hasher->null_by_text)
		any = hasher->text.len != hasher->nulls.len || memcmp(hasher->text.data, hasher->nulls.data, hasher->nulls.len) != 0;
	if (!any && hasher->part->zero)
		memset(digest, 0, lyf_digest_size(rules->digest));
	else
		lyf_digest_run(rules->digest, hasher->text.data, hasher->text.len, digest);
	return any || hasher->kind == LYF_HASH_DIFF;
}
