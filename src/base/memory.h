/*
 * memory.h
 *		How much memory the values of one page may take: what an input says in two
 *		bytes becomes a node of fifty.
 */
#ifndef LYF_MEMORY_H
#define LYF_MEMORY_H

#include "base/failure.h"

/* bytes that a page's values, records and rows may take, beside its body */
extern Size lyf_memory_limit(void);

/* the failure of taking more */
extern LyfFailure *lyf_memory_failure(void);

/* CurrentMemoryContext is a page's: may it take that many more bytes? */
extern LyfFailure *lyf_memory_check(Size more);

#endif							/* LYF_MEMORY_H */
