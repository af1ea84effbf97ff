/*
 * memory.c
 *		How much memory the values of one page may take.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/memory.h"
#include "base/settings.h"

/* times the largest body */
#define FACTOR	6

/* whatever the largest body is: more than a page leaves to the next one */
#define AT_LEAST	((Size) 32 * 1024 * 1024)

Size
lyf_memory_limit(void)
{
	return Max((Size) lyf_max_response_size * 1024 * FACTOR, AT_LEAST);
}

LyfFailure *
lyf_memory_failure(void)
{
	LyfFailure *failure = lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "a page takes too much memory");

	lyf_failure_detail(failure, "The limit is %zu MB, beside the response itself.", lyf_memory_limit() / 1024 / 1024);
	return lyf_failure_hint(failure, "Ask the source for smaller pages, or raise lyftron.max_response_size: the limit is %d times as much.", FACTOR);
}

LyfFailure *
lyf_memory_check(Size more)
{
	Size		taken = MemoryContextMemAllocated(CurrentMemoryContext, true);

	return taken + more > lyf_memory_limit() ? lyf_memory_failure() : NULL;
}
