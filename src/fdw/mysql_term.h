/*
 * mysql_term.h
 *		Terms: expressions of a query as the server evaluates them.
 *
 * An expression becomes a term only if the server's value is PostgreSQL's for every row.
 * What is known when the query begins (constants, parameters, expressions of them) is
 * evaluated here: a value.  The text of a term has places for values that only the run
 * of the plan knows:  0xFF, the number of the place, 0xFF (bytes that UTF-8 does not have).
 */
#ifndef LYF_MYSQL_TERM_H
#define LYF_MYSQL_TERM_H

#include "fdw/mysql_internal.h"

/* Terms are compared and calculated with others of their kind, as PostgreSQL's casts make them. */
typedef enum LyfTermKind
{
	LYF_TERM_BOOLEAN,			/* 1, 0 or NULL */
	LYF_TERM_INTEGER,
	LYF_TERM_DECIMAL,
	LYF_TERM_DOUBLE,
	LYF_TERM_TEXT,
	LYF_TERM_BYTES,
	LYF_TERM_DATE,
	LYF_TERM_DATETIME,			/* without time zone */
	LYF_TERM_MOMENT,			/* with time zone */
	LYF_TERM_SPAN,				/* interval */
	LYF_TERM_CLOCK,				/* time without time zone */
	LYF_TERM_BITS,
	LYF_TERM_UUID,
	LYF_TERM_OPAQUE				/* only whether it is NULL can be asked */
} LyfTermKind;

/* digits of the server's decimals, and how many of them may stand behind the point */
#define LYF_MYSQL_DIGITS	65
#define LYF_MYSQL_SCALE		30

#define LYF_TERM_KINDS	(LYF_TERM_OPAQUE + 1)

typedef struct LyfTerm
{
	LyfTermKind kind;
	const char *sql;			/* for comparisons, so that indexes can serve; NULL: a value */
	const char *operand;		/* for calculating: a signed BIGINT, a DECIMAL, a DOUBLE, a text in utf8mb4_bin */
	const LyfMysqlColumn *column;	/* it is this one as it is, or NULL */
	Expr	   *value;			/* known when the query begins, or NULL */
	int64		low;			/* integers lie between them */
	int64		high;
	int			digits;			/* decimal: before the point */
	int			scale;			/* decimal: behind it; times: digits of the second; bits: how many */
	int			length;			/* text, bytes: at most, in characters; 0: not known */
	bool		uneven;			/* decimal: its digits behind the point are not those that PostgreSQL would show */
	bool		superset;		/* boolean: may be true where the expression is not, never the other way round */
	bool		zero_dates;		/* may be a date that reads as NULL */
} LyfTerm;

/* The making of terms for one query. */
typedef struct LyfTranslation
{
	PlannerInfo *root;
	Relids		relids;			/* whose columns are at hand, each with a LyfMysqlRel of a table */
	bool		qualify;		/* columns have a table's alias before them */
	bool		aggregates;		/* at hand, too */
	int			conditional;	/* inside CASE and its like: what may fail must not be evaluated before */
	LyfTerm    *tested;			/* x of CASE x WHEN */
	List	   *values;			/* expressions whose values are needed */
	List	   *places;			/* what goes to the places, as lyf_mysql_place_save has them */
	const char *reason;			/* why the first expression that failed did, if it says so */
} LyfTranslation;

/* in mysql_term.c */
extern LyfTerm *lyf_mysql_term(LyfTranslation *t, Expr *expr);	/* NULL: not for the server, see reason */
extern LyfTerm *lyf_mysql_term_fail(LyfTranslation *t, const char *reason);
extern const char *lyf_mysql_reason(const LyfTranslation *t);	/* never NULL */
extern LyfTerm *lyf_mysql_term_make(LyfTermKind kind, const char *sql);

/* the alias of a member of the range table */
extern const char *lyf_mysql_alias(Index varno);

/* a condition: with superset if the server's answer has to be checked here */
extern const char *lyf_mysql_condition(LyfTranslation *t, Expr *expr, bool *superset);

/* a term made fit for calculating: NULL if it is a value that the server cannot be given */
extern const char *lyf_mysql_operand(LyfTranslation *t, LyfTerm *term);

/* can it be evaluated before the query, and sent? */
extern bool lyf_mysql_is_value(LyfTranslation *t, Expr *expr);

/* in mysql_column.c */
extern LyfTerm *lyf_mysql_column_term(LyfTranslation *t, const LyfMysqlTable *table, const LyfMysqlColumn *column,
									  const char *qualifier);

/* in mysql_value.c: values, and places for them */

typedef enum LyfPlaceUse
{
	LYF_PLACE_OPERAND,			/* the value alone */
	LYF_PLACE_EQUAL,			/* with an operator before it */
	LYF_PLACE_UNEQUAL,
	LYF_PLACE_LESS,
	LYF_PLACE_LESS_EQUAL,
	LYF_PLACE_GREATER,
	LYF_PLACE_GREATER_EQUAL,
	LYF_PLACE_SAME,				/* <=> */
	LYF_PLACE_IN,				/* an array */
	LYF_PLACE_NOT_IN,
	LYF_PLACE_LIMIT,			/* NULL: all */
	LYF_PLACE_OFFSET
} LyfPlaceUse;

typedef struct LyfPlace
{
	int			value;			/* its index */
	LyfPlaceUse use;
	LyfTermKind kind;			/* of what it is compared with */
	int			scale;			/* of that */
	const char *before;			/* text around the value, or "" */
	const char *after;
} LyfPlace;

extern List *lyf_mysql_place_save(const LyfPlace *place);
extern LyfPlace lyf_mysql_place_load(const List *saved);

/* what a place gets for this value; false: the server cannot be given it */
extern bool lyf_mysql_place_fill(StringInfo sql, const LyfPlace *place, Oid type, Datum value, bool isnull);

/* "= $1" */
extern void lyf_mysql_place_show(StringInfo sql, const LyfPlace *place);

/* what kind of term a value of this type is; false: of none */
extern bool lyf_mysql_kind_of(Oid type, LyfTermKind *kind);

/* a term of a value, by its type */
extern LyfTerm *lyf_mysql_value_term(LyfTranslation *t, Expr *value);

/* text for the value where it is used: itself if it is a constant, else a place.  NULL: it cannot be used so. */
extern const char *lyf_mysql_use_value(LyfTranslation *t, LyfTerm *value, const LyfPlace *place);

/* copy text to sql, calling fill for each place in it; the caller's text otherwise */
typedef void (*LyfPlaceFill) (void *arg, StringInfo sql, int place);
extern void lyf_mysql_fill_places(StringInfo sql, const char *text, LyfPlaceFill fill, void *arg);

/* in mysql_compare.c */

/* IN and NOT IN have the term of an array on the right */
extern LyfTerm *lyf_mysql_compare(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation);
extern LyfTerm *lyf_mysql_translate_any(LyfTranslation *t, Expr *expr);

/* what a builtin operator of a type's btree family compares for; false: it is another one */
extern bool lyf_mysql_comparison(Oid operator, Oid type, LyfPlaceUse *use);

/* can rows be sorted by it (LYF_PLACE_LESS), or grouped (LYF_PLACE_EQUAL)? then by its bytes, where it is text */
extern bool lyf_mysql_sortable(LyfTranslation *t, const LyfTerm *term, LyfPlaceUse use, Oid collation);
extern const char *lyf_mysql_bytes_of(LyfTranslation *t, LyfTerm *term);

/* in mysql_operator.c */
extern LyfTerm *lyf_mysql_translate_operator(LyfTranslation *t, Expr *expr);
extern LyfTerm *lyf_mysql_translate_distinct(LyfTranslation *t, Expr *expr);
extern LyfTerm *lyf_mysql_translate_same(LyfTranslation *t, Expr *expr);	/* IS NOT DISTINCT FROM */

/* an operator of PostgreSQL's that does not compare; right is NULL where it has one argument */
extern LyfTerm *lyf_mysql_apply_operator(LyfTranslation *t, const char *name, LyfTerm *left, LyfTerm *right, Oid type);

/* let an integer term be out of range at the server where it is for the type */
extern LyfTerm *lyf_mysql_limit_integer(LyfTerm *term, Oid type);

/* in mysql_function.c */
extern LyfTerm *lyf_mysql_translate_function(LyfTranslation *t, Expr *expr);

/* in mysql_aggregate.c */
extern LyfTerm *lyf_mysql_translate_aggregate(LyfTranslation *t, Expr *expr);

#endif							/* LYF_MYSQL_TERM_H */
