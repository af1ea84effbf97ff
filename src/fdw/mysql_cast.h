/*
 * mysql_cast.h
 *		What the files mysql_cast*.c share: a field of a result on its way to a Datum.
 */
#ifndef LYF_MYSQL_CAST_H
#define LYF_MYSQL_CAST_H

#include "fmgr.h"

#include "fdw/mysql_internal.h"

typedef struct LyfMysqlCastField LyfMysqlCastField;

/*
 * Make the Datum of a value, which is not NULL: len bytes with a 0 behind them.  May set *isnull, which is false before.
 * A failure need not name the column.
 */
typedef LyfFailure *(*LyfMysqlCastFunction) (LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len,
											 Datum *datum, bool *isnull);

struct LyfMysqlCastField
{
	LyfMysqlCastFunction function;
	int			place;			/* of the attribute, from 0 */
	Oid			type;			/* of the attribute; a domain's base type */
	int32		typmod;
	LyfMysqlKind kind;
	int			precision;		/* of the source, as in LyfMysqlRemoteType */
	LyfZeroDates zero_dates;
	const char *name;			/* of the attribute */
	Oid			domain;			/* or InvalidOid */
	void	   *domain_cache;
	FmgrInfo	input;			/* the type's input function, for lyf_mysql_cast_other */
	Oid			typioparam;
};

struct LyfMysqlCast
{
	int			count;
	char	   *next;			/* room for the row's values */
	char	   *end;
	MemoryContext cxt;			/* in which it was made */
	LyfMysqlCastField fields[FLEXIBLE_ARRAY_MEMBER];
};

/* in mysql_cast.c: room for a value, aligned for all */
extern void *lyf_mysql_cast_more_room(LyfMysqlCast *cast, Size size);

static inline void *
lyf_mysql_cast_room(LyfMysqlCast *cast, Size size)
{
	char	   *room = cast->next;

	size = MAXALIGN(size);
	if (unlikely((Size) (cast->end - room) < size))
		return lyf_mysql_cast_more_room(cast, size);
	cast->next = room + size;
	return room;
}

/* a failure: the value "..." is not valid for type integer */
extern LyfFailure *lyf_mysql_cast_failure(const LyfMysqlCastField *field, const char *text, size_t len, int sqlstate, const char *what);

/* as the string of a JSON record would be cast: the slow way with all forms that a type has, and good failures */
extern LyfFailure *lyf_mysql_cast_string(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len,
										 Datum *datum, bool *isnull);

#define LYF_MYSQL_CAST_FUNCTION(name) \
	extern LyfFailure *name(LyfMysqlCast *cast, LyfMysqlCastField *field, const char *text, size_t len, Datum *datum, bool *isnull)

/* in mysql_cast_number.c */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_int2);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_int4);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_int8);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_float4);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_float8);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_numeric);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_quotient);	/* SUM/COUNT, or a number */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_truth);	/* 0 or 1 */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_bits);	/* BIT to bit, varbit */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_bits_truth);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_bits_number);	/* BIT to integers, numeric, text of its digits */

/* in mysql_cast_text.c */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_text);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_varchar);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_bytes);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_wkb);	/* GEOMETRY as the server stores it, without its SRID */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_set);	/* SET to text[] */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_uuid);	/* BINARY(16) */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_other);	/* by the type's input function */

/* in mysql_cast_time.c */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_date);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_timestamp);	/* and timestamptz */
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_time);
LYF_MYSQL_CAST_FUNCTION(lyf_mysql_cast_interval);

#endif							/* LYF_MYSQL_CAST_H */
