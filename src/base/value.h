/*
 * value.h
 *		The one value type of Lyftron: what JSON can hold, plus what an expression
 *		can.  A record of a page, a configuration, a slice, a state, the result of
 *		a template are all LyfValues.
 *
 * A value is a node; lists and maps are singly linked chains of nodes, in the
 * order of the source.  Nodes are never freed one by one: they live in the
 * memory context they were made in (a page's values die with the page).  A
 * node belongs to at most one list or map, since `next` and `key` are its own:
 * to put a value into a second container, put a lyf_value_alias() of it there.
 */
#ifndef LYF_VALUE_H
#define LYF_VALUE_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

typedef enum LyfKind
{
	LYF_UNDEFINED,				/* a name or key that is not there (expressions only) */
	LYF_NULL,
	LYF_BOOL,
	LYF_INT,					/* fits int64 */
	LYF_NUMBER,					/* any other number */
	LYF_STRING,					/* UTF-8, NUL-terminated, may hold NUL bytes */
	LYF_LIST,
	LYF_MAP,
	/* expressions only */
	LYF_DATETIME,				/* u.time.us since 2000 UTC, shown at u.time.offset */
	LYF_DATE,					/* as LYF_DATETIME, at 00:00 */
	LYF_DURATION,				/* u.span: months and microseconds */
	LYF_OPAQUE					/* the expression evaluator's own (functions, namespaces) */
} LyfKind;

#define LYF_FLAG_TEXT	0x01	/* LYF_NUMBER: u.text holds the source's digits */
#define LYF_FLAG_NAIVE	0x02	/* LYF_DATETIME: without a zone */
#define LYF_FLAG_QUOTED	0x04	/* LYF_STRING: as it stood in JSON text, without escapes: no NUL
								 * in it, and the byte before u.text may be overwritten (clear
								 * the flag where u.text is changed) */

typedef struct LyfValue
{
	uint8		kind;			/* LyfKind */
	uint8		flags;
	uint32		key_len;		/* bytes of key */
	uint32		len;			/* bytes of u.text; members of a LIST or MAP */
	const char *key;			/* in a map: UTF-8, NUL-terminated */
	struct LyfValue *next;		/* next member of the same list or map */
	union
	{
		bool		boolean;
		int64		integer;
		double		number;		/* LYF_NUMBER without LYF_FLAG_TEXT */
		const char *text;		/* LYF_STRING; LYF_NUMBER with LYF_FLAG_TEXT (not terminated) */
		struct LyfValue *first; /* LYF_LIST, LYF_MAP */
		struct
		{
			int64		us;
			int32		offset; /* seconds east of UTC */
		}			time;
		struct
		{
			int64		us;
			int32		months;
		}			span;
		void	   *opaque;
	}			u;
} LyfValue;

#define lyf_value_is(v, k)	((v) != NULL && (v)->kind == (k))
#define lyf_foreach(m, container) \
	for (LyfValue *m = (container)->u.first; m != NULL; m = m->next)

/* make: all in CurrentMemoryContext; text is copied */
extern LyfValue *lyf_value_make(LyfKind kind);
extern LyfValue *lyf_value_bool(bool boolean);
extern LyfValue *lyf_value_int(int64 integer);
extern LyfValue *lyf_value_number(double number);
extern LyfValue *lyf_value_string(const char *text);
extern LyfValue *lyf_value_string_len(const char *text, size_t len);
extern LyfValue *lyf_value_alias(const LyfValue *value);	/* same contents, a node of its own */
extern LyfValue *lyf_value_copy(const LyfValue *value);	/* deep, nothing shared */
extern LyfValue *lyf_value_copy_nodes(const LyfValue *value);	/* deep, but keys and texts are shared */

/*
 * look: lyf_value_get is a map's member (the last one of that key) or NULL,
 * also for NULL or a value that is no map; _path follows keys and list indexes.
 */
extern LyfValue *lyf_value_get(const LyfValue *map, const char *key);
extern LyfValue *lyf_value_get_len(const LyfValue *map, const char *key, size_t key_len);
extern LyfValue *lyf_value_at(const LyfValue *list, int64 index);	/* negative from the end */
extern const char *lyf_value_text(const LyfValue *value);	/* of a STRING, else NULL */
extern double lyf_value_double(const LyfValue *value);	/* of INT, NUMBER, BOOL */
extern bool lyf_value_whole(const LyfValue *value, int64 *integer);	/* as int() reads it: a text, or the whole part of a number */
extern double lyf_number_double(const char *text, size_t len);	/* of a number's text, and nothing else */
extern bool lyf_value_equal(const LyfValue *a, const LyfValue *b);	/* as Python's ==: 1 == 1.0 == true */
extern bool lyf_value_truth(const LyfValue *value); /* as Python's bool(); NULL is false */
extern int	lyf_value_compare_keys(const void *a, const void *b);	/* for qsort of an array of members */

/*
 * change: set replaces a member of that key or appends; member's key/next are overwritten.
 * It looks through the whole map: to make a long one, hang its members on each other, and
 * then have unique leave one of each key, the last one in the place of the first.
 */
extern void lyf_value_set(LyfValue *map, const char *key, LyfValue *member);
extern void lyf_value_append(LyfValue *list, LyfValue *member);
extern bool lyf_value_remove(LyfValue *map, const char *key);
extern void lyf_value_unique(LyfValue *map);
extern LyfValue *lyf_value_merge(const LyfValue *base, const LyfValue *over);	/* shallow, a new map */
extern LyfValue *lyf_value_merge_deep(const LyfValue *base, const LyfValue *over);	/* maps within maps, too */

/* as JSON text (database-encoding-neutral UTF-8), and to and from jsonb */
extern void lyf_value_print(StringInfo out, const LyfValue *value);
extern void lyf_value_print_sorted(StringInfo out, const LyfValue *value);	/* keys sorted, compact: a partition's key */
extern char *lyf_value_to_text(const LyfValue *value);	/* lyf_value_print into a palloc'd string */
extern Jsonb *lyf_value_to_jsonb(const LyfValue *value);	/* raises on \u0000 as jsonb_in does, and where memory.h's limit is passed */
extern Datum lyf_jsonb_or_null(const LyfValue *value, bool *isnull);	/* the same as a Datum of a row that is made; NULL: *isnull */
extern LyfValue *lyf_value_from_jsonb(const Jsonb *jsonb);

/*
 * The text of a number like -12.50, of 18 digits at most and without an exponent: the
 * integer of its digits and how many of them stand behind the point.  False: it is another.
 */
static inline bool
lyf_plain_decimal(const char *text, size_t len, int64 *digits, int *scale)
{
	const char *p = text;
	const char *end = text + len;
	const char *point = NULL;
	int64		integer = 0;

	if (len == 0 || len > 18)
		return false;
	if (*p == '-')
		p++;
	for (; p < end; p++)
	{
		unsigned char digit = (unsigned char) (*p - '0');

		if (digit <= 9)
			integer = integer * 10 + digit;
		else if (*p == '.' && point == NULL)
			point = p;
		else
			return false;
	}
	*digits = *text == '-' ? -integer : integer;
	*scale = point != NULL ? (int) (end - point) - 1 : 0;
	return true;
}

#endif							/* LYF_VALUE_H */
