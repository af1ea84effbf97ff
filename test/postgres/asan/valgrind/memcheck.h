/*
 * memcheck.h
 *		PostgreSQL's allocator tells Valgrind what may be touched, when built with
 *		USE_VALGRIND.  In place of Valgrind's header, this tells AddressSanitizer
 *		the same: else it saw whole blocks of memory contexts, and not the chunks.
 */
#ifndef LYF_ASAN_MEMCHECK_H
#define LYF_ASAN_MEMCHECK_H

extern void __asan_poison_memory_region(void const volatile *addr, unsigned long size);
extern void __asan_unpoison_memory_region(void const volatile *addr, unsigned long size);

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size)	__asan_poison_memory_region((addr), (size))
#define VALGRIND_MAKE_MEM_DEFINED(addr, size)	__asan_unpoison_memory_region((addr), (size))
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size)	__asan_unpoison_memory_region((addr), (size))

/* the pool's own calls come with those above; what is undefined is not ASan's business */
#define VALGRIND_CREATE_MEMPOOL(context, redzones, zeroed)	do {} while (0)
#define VALGRIND_DESTROY_MEMPOOL(context)					do {} while (0)
#define VALGRIND_MEMPOOL_ALLOC(context, addr, size)			__asan_unpoison_memory_region((addr), (size))
#define VALGRIND_MEMPOOL_FREE(context, addr)				do {} while (0)
#define VALGRIND_MEMPOOL_CHANGE(context, optr, nptr, size)	__asan_unpoison_memory_region((nptr), (size))
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size)			do {} while (0)
#define VALGRIND_GET_VBITS(addr, bits, size)				0
#define VALGRIND_SET_VBITS(addr, bits, size)				0

#endif							/* LYF_ASAN_MEMCHECK_H */
