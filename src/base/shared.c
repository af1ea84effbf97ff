/*
 * shared.c
 *		Memory that the processes of a server share, and the waking of one by another.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/shared.h"
#include "base/version.h"

/* of the piece that is being looked for: who sets it up is not told */
static Size size_wanted;

static void
set_up(void *memory)
{
	LyfShared  *shared = memory;

	memset(memory, 0, size_wanted);
	shared->tranche = LWLockNewTrancheId();
	LWLockInitialize(&shared->lock, shared->tranche);
}

void *
lyf_shared_find(const char *name, Size size)
{
	MemoryContext cxt = CurrentMemoryContext;
	LyfShared  *volatile shared = NULL;

	if (!IsUnderPostmaster)
		return NULL;
	size_wanted = size;
	PG_TRY();
	{
		/* another version's may be laid out otherwise */
		shared = lyf_shared_memory(psprintf("%s %s", name, lyf_library_version), size, set_up);
		LWLockRegisterTranche(shared->tranche, "lyftron");
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		FlushErrorState();
		shared = NULL;
	}
	PG_END_TRY();
	return shared;
}

LyfProcess
lyf_process_self(void)
{
	LyfProcess	self = {MyProcPid, lyf_process_number()};

	return self;
}

void
lyf_process_wake(const LyfProcess *process)
{
	if (process->pid != 0)
		SetLatch(&ProcGlobal->allProcs[process->number].procLatch);
}
