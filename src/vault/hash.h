/*
 * hash.h
 *		Hash keys and hash differences: values to texts, texts to one text, that to a digest.
 *
 * What a profile does with values is in docs/vault-hashes.md.
 */
#ifndef LYF_HASH_H
#define LYF_HASH_H

#include "base/digest.h"
#include "base/value.h"
#include "lib/stringinfo.h"

#define LYF_HASH_MAX	LYF_DIGEST_MAX

/* in hash_rules.c: settings, complete */
typedef struct LyfHashRules LyfHashRules;

/* settings: a map as in lyftron.vault.hash, or NULL; raises 22023 where wrong.  In CurrentMemoryContext. */
extern const LyfHashRules *lyf_hash_rules(const LyfValue *settings);
extern int	lyf_hash_size(const LyfHashRules *rules);	/* bytes of a digest: 16, 20, 32 */
extern bool lyf_hash_is_text(const LyfHashRules *rules);	/* hashes are lower-case hexadecimal text, not bytea */
extern const char *lyf_hash_profile(const LyfHashRules *rules); /* its name */

/* a digest as a bytea or a text, palloc'd */
extern Datum lyf_hash_datum(const LyfHashRules *rules, const uint8 *digest);

/* in text_form.c: the text of a value, CAST(value AS varchar), whatever the session's settings are */
typedef struct LyfTextForm LyfTextForm;

extern LyfTextForm *lyf_text_form_begin(Oid type, int32 typmod);

/* append it; what is allocated on the way is in CurrentMemoryContext, and small */
extern void lyf_text_form_append(LyfTextForm *form, Datum value, StringInfo out);

/* a column of the row at hand: where in the row's buffer it is */
typedef struct LyfText
{
	int			start;
	int			len;
	bool		null;
} LyfText;

/* append the text of a value, or nothing where it is null or has no form (NULL), and note where it is */
extern void lyf_text_put(LyfText *text, LyfTextForm *form, Datum value, bool isnull, StringInfo buffer);

/* in hasher.c */

typedef enum LyfHashKind
{
	LYF_HASH_KEY,
	LYF_HASH_DIFF
} LyfHashKind;

typedef struct LyfHasher LyfHasher;

/*
 * columns: numbers of the row's columns, from 0, in the order given; names: their names, for profiles that put a hash difference's
 * columns in the order of their names, or NULL: as given.
 */
extern LyfHasher *lyf_hasher_begin(const LyfHashRules *rules, LyfHashKind kind, int count, const int *columns, const char *const *names);

/* numbers of its columns, in the order in which they are put together */
extern const int *lyf_hasher_columns(const LyfHasher *hasher);

/* false: all parts of the key are null; its digest is that of the zero key: all zero */
extern bool lyf_hasher_run(LyfHasher *hasher, const char *buffer, const LyfText *texts, uint8 *digest);

#endif							/* LYF_HASH_H */
