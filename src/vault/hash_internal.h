/*
 * hash_internal.h
 *		How values become the text that is hashed.
 */
#ifndef LYF_HASH_INTERNAL_H
#define LYF_HASH_INTERNAL_H

#include "vault/hash.h"

typedef enum LyfHashTrim
{
	LYF_TRIM_NONE,
	LYF_TRIM_BLANK,				/* U+0020 at both ends */
	LYF_TRIM_SPACE				/* and tabs, line ends, form feeds */
} LyfHashTrim;

typedef enum LyfHashTrailing
{
	LYF_TRAILING_KEEP,
	LYF_TRAILING_NULL,			/* nulls at the end are not written, and each value has a delimiter behind it */
	LYF_TRAILING_RTRIM			/* all characters of the null's text and the delimiter are cut off at the end of the text */
} LyfHashTrailing;

/* rules that keys and differences have each */
typedef struct LyfHashPart
{
	LyfHashTrim trim;
	bool		upper;
	bool		by_name;		/* columns are put in the order of their names */
	LyfHashTrailing trailing;
	bool		zero;			/* all null: the zero key, else a hash like any */
} LyfHashPart;

struct LyfHashRules
{
	const char *profile;
	LyfDigest  *digest;
	bool		text;
	LyfHashPart parts[2];		/* by LyfHashKind */
	bool		empty_is_null;
	const char *null;			/* text of a null */
	const char *delimiter;
	/* how a value is written so that it is not taken for a delimiter, or a null; NULL: as it is */
	void		(*write) (StringInfo out, const char *value, int len);
	bool		upper_whole;	/* upper case once all is put together */
	bool		first_controls; /* the first one of each of the characters LF, TAB, VT, CR is taken out */
	bool		null_by_text;	/* all parts of a key of two or more are null where the text is like that of nulls */
	bool		ascii_upper;	/* upper() of ASCII letters is what C makes of them */
};

/* in hash_rules.c: ways to write a value */
extern void lyf_hash_write_escaped(StringInfo out, const char *value, int len);
extern void lyf_hash_write_quoted(StringInfo out, const char *value, int len);

#endif							/* LYF_HASH_INTERNAL_H */
