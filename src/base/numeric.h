/*
 * numeric.h
 *		Decimal digits straight to PostgreSQL's numeric.
 */
#ifndef LYF_NUMERIC_H
#define LYF_NUMERIC_H

/* bytes that a numeric of a text of so many bytes takes at most */
#define LYF_NUMERIC_ROOM(len)	(16 + (len) / 2)

/*
 * Make a numeric(typmod) of a text like -12.50 in room (aligned as for an int).  Its size, or 0: the text is no plain
 * decimal (it has an exponent, say), or it does not fit exactly: numeric_in knows what to do then.
 */
extern Size lyf_numeric_make(const char *text, size_t len, int32 typmod, void *room);

#endif							/* LYF_NUMERIC_H */
