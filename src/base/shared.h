/*
 * shared.h
 *		Memory that the processes of a server share, found without shared_preload_libraries,
 *		and the waking of one process by another.  Each version of the library has its own.
 *
 * Nothing of value is kept there: a crash clears it, and where there is no room
 * everything works without it.
 */
#ifndef LYF_SHARED_H
#define LYF_SHARED_H

#include "storage/lwlock.h"

/* what each such piece of memory begins with */
typedef struct LyfShared
{
	LWLock		lock;
	int			tranche;
} LyfShared;

/* the piece of that name, made of zeros but for its head by whoever asks first; NULL: there is no room for it */
extern void *lyf_shared_find(const char *name, Size size);

/* a process, so that others can wake it; pid 0: there is none */
typedef struct LyfProcess
{
	int			pid;
	int			number;			/* in the array of processes */
} LyfProcess;

/* this process; and wake one, with the lock held under which it can be read */
extern LyfProcess lyf_process_self(void);
extern void lyf_process_wake(const LyfProcess *process);

#endif							/* LYF_SHARED_H */
