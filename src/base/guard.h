/*
 * guard.h
 *		Run something that may raise, and have its error instead.
 */
#ifndef LYF_GUARD_H
#define LYF_GUARD_H

/* false: undo what it did, though nothing is wrong */
typedef bool (*LyfGuarded) (void *arg);

/*
 * Run function in a subtransaction: NULL, and what it did stays; or its error, and what
 * it did is undone.  The error lives in CurrentMemoryContext, which function runs in too.
 * Cancel and the end of the session are errors like others: who goes on after them must
 * mean it.
 */
extern ErrorData *lyf_guarded(LyfGuarded function, void *arg);

/*
 * SPI_commit, where what only a commit meets (a deferred constraint, a serialization
 * failure) is to be a value too.  A transaction is open afterwards either way.
 */
extern ErrorData *lyf_guarded_commit(void);

#endif							/* LYF_GUARD_H */
