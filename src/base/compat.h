/*
 * compat.h
 *		Every difference between PostgreSQL 15, 16, 17 and 18, under a name that
 *		says the difference.  No other file looks at PG_VERSION_NUM.
 */
#ifndef LYF_COMPAT_H
#define LYF_COMPAT_H

/* VARDATA and its like; part of postgres.h before PostgreSQL 16 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* a number without its sign; PostgreSQL 16 left this to the C library, which wants to know the type */
#ifndef Abs
#define Abs(x)	((x) >= 0 ? (x) : -(x))
#endif

/*
 * Declare and register a function that SQL can call.  PostgreSQL 15's own macro
 * does not export it when the module is built with -fvisibility=hidden.
 */
#define LYF_FUNCTION_INFO_V1(name) \
	PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/* before a declaration: it does not return.  PostgreSQL 18 has the attribute in front, others behind */
#if PG_VERSION_NUM >= 180000
#define LYF_NORETURN	pg_noreturn
#else
#define LYF_NORETURN	__attribute__((noreturn))
#endif

/*
 * A wait event of our own; before PostgreSQL 17 extensions share one.  The name
 * is registered for good: keep the result.
 */
#if PG_VERSION_NUM >= 170000
#define LYF_WAIT_EVENT(name)	WaitEventExtensionNew(name)
#else
#define LYF_WAIT_EVENT(name)	PG_WAIT_EXTENSION
#endif

/* is this process an autovacuum worker?  In miscadmin.h since PostgreSQL 17, in postmaster/autovacuum.h before */
#if PG_VERSION_NUM >= 170000
#define lyf_is_autovacuum_worker()	AmAutoVacuumWorkerProcess()
#else
#define lyf_is_autovacuum_worker()	IsAutoVacuumWorkerProcess()
#endif

/* a set of events that no resource owner frees; PostgreSQL 17 replaced the context by an owner */
#if PG_VERSION_NUM >= 170000
#define LYF_CREATE_WAIT_EVENT_SET(nevents)	CreateWaitEventSet(NULL, nevents)
#else
#define LYF_CREATE_WAIT_EVENT_SET(nevents)	CreateWaitEventSet(TopMemoryContext, nevents)
#endif

/* the members of the range table that a foreign scan reads; since 16 without outer joins */
#if PG_VERSION_NUM >= 160000
#define lyf_scan_relids(node)	((node)->fs_base_relids)
#else
#define lyf_scan_relids(node)	((node)->fs_relids)
#endif

/* the role that a foreign scan's permissions are checked as, 0: the current one */
#if PG_VERSION_NUM >= 160000
#define lyf_scan_check_as_user(node, estate)	((node)->checkAsUser)
#define lyf_rel_check_as_user(root, rel)		((rel)->userid)
#else
#define lyf_scan_check_as_user(node, estate) \
	(exec_rt_fetch(bms_next_member((node)->fs_relids, -1), (estate))->checkAsUser)
#define lyf_rel_check_as_user(root, rel) \
	(planner_rt_fetch((rel)->relid, (root))->checkAsUser)
#endif

/* the role that writing to a table is checked as, 0: the current one; a partition is written as its root */
#if PG_VERSION_NUM >= 160000
#define lyf_result_check_as_user(target, estate)	ExecGetResultRelCheckAsUser((target), (estate))
#define lyf_rte_check_as_user(root, rte) \
	((rte)->perminfoindex != 0 ? getRTEPermissionInfo((root)->parse->rteperminfos, (rte))->checkAsUser : InvalidOid)
#else
#define lyf_result_check_as_user(target, estate) \
	(exec_rt_fetch((target)->ri_RangeTableIndex != 0 ? (target)->ri_RangeTableIndex : \
				   (target)->ri_RootResultRelInfo->ri_RangeTableIndex, (estate))->checkAsUser)
#define lyf_rte_check_as_user(root, rte)	((rte)->checkAsUser)
#endif

/* Does COPY bring a foreign table its rows in batches, where it may?  Not before PostgreSQL 16. */
#define LYF_COPY_BRINGS_BATCHES		(PG_VERSION_NUM >= 160000)

/* a path of a foreign table that needs nothing of its own */

/*
 * Arguments of create_foreign*_path: 17 added the restrictions of a join behind the path of EvalPlanQual, 18 the number of
 * disabled nodes behind the rows.
 */
#if PG_VERSION_NUM >= 180000
#define LYF_PATH_ROWS(rows)		(rows), 0
#else
#define LYF_PATH_ROWS(rows)		(rows)
#endif
#if PG_VERSION_NUM >= 170000
#define LYF_PATH_OUTER(path, restrictinfo)	(path), (restrictinfo)
#else
#define LYF_PATH_OUTER(path, restrictinfo)	(path)
#endif

/* the restrictions of a join that a custom scan does, of which the plan makes those that are checked once; before 17 there are none such */
#if PG_VERSION_NUM >= 170000
#define lyf_custom_join(path, restrictinfo)	((path)->custom_restrictinfo = (restrictinfo))
#else
#define lyf_custom_join(path, restrictinfo)	((void) 0)
#endif

/* a path of a foreign table that needs nothing of its own */
#define lyf_create_foreignscan_path(root, rel, rows, startup, total, outer) \
	create_foreignscan_path(root, rel, NULL, LYF_PATH_ROWS(rows), startup, total, NIL, outer, LYF_PATH_OUTER(NULL, NIL), NIL)

/* does a pathkey sort downwards?  Of btree's strategies in 18 only the comparison is left */
#if PG_VERSION_NUM >= 180000
#define lyf_pathkey_descends(pathkey)	((pathkey)->pk_cmptype == COMPARE_GT)
#else
#define lyf_pathkey_descends(pathkey)	((pathkey)->pk_strategy == BTGreaterStrategyNumber)
#endif

/* does a collation sort by bytes? */
#if PG_VERSION_NUM >= 180000
#define lyf_collation_is_c(collation)	(pg_newlocale_from_collation(collation)->collate_is_c)
#else
#define lyf_collation_is_c(collation)	lc_collate_is_c(collation)
#endif

/* may this role use this foreign server, this foreign data wrapper? */
#if PG_VERSION_NUM >= 160000
#define lyf_server_aclcheck(server, role) \
	object_aclcheck(ForeignServerRelationId, (server), (role), ACL_USAGE)
#define lyf_wrapper_aclcheck(wrapper, role) \
	object_aclcheck(ForeignDataWrapperRelationId, (wrapper), (role), ACL_USAGE)
#else
#define lyf_server_aclcheck(server, role) \
	pg_foreign_server_aclcheck((server), (role), ACL_USAGE)
#define lyf_wrapper_aclcheck(wrapper, role) \
	pg_foreign_data_wrapper_aclcheck((wrapper), (role), ACL_USAGE)
#endif

/* where ExplainState and ExplainProperty* are declared */
#if PG_VERSION_NUM >= 180000
#define LYF_EXPLAIN_STATE_H		"commands/explain_state.h"
#define LYF_EXPLAIN_FORMAT_H	"commands/explain_format.h"
#else
#define LYF_EXPLAIN_STATE_H		"commands/explain.h"
#define LYF_EXPLAIN_FORMAT_H	"commands/explain.h"
#endif

/* DecodeDateTime, 0 if it could read the fields; PostgreSQL 16 gave it a place for more about an error */
#if PG_VERSION_NUM >= 160000
#define lyf_decode_datetime(field, types, count, kind, tm, fsec, zone) \
	DecodeDateTime((field), (types), (count), (kind), (tm), (fsec), (zone), &(DateTimeErrorExtra) {0})
#else
#define lyf_decode_datetime(field, types, count, kind, tm, fsec, zone) \
	DecodeDateTime((field), (types), (count), (kind), (tm), (fsec), (zone))
#endif

/* Owner of a relation, or a member of it: pg_class_ownercheck went in 16. */
#if PG_VERSION_NUM >= 160000
#define lyf_owns_relation(relid, role)	object_ownercheck(RelationRelationId, relid, role)
#else
#define lyf_owns_relation(relid, role)	pg_class_ownercheck(relid, role)
#endif

#if PG_VERSION_NUM >= 160000
#define lyf_owns_database(database, role)	object_ownercheck(DatabaseRelationId, database, role)
#else
#define lyf_owns_database(database, role)	pg_database_ownercheck(database, role)
#endif

/* CHECK constraints can be NOT ENFORCED since 18. */
#if PG_VERSION_NUM >= 180000
#define lyf_check_is_enforced(check)	((check)->ccenforced)
#else
#define lyf_check_is_enforced(check)	true
#endif

/* ExecutorRun lost its argument execute_once in 18. */
#if PG_VERSION_NUM >= 180000
#define lyf_executor_run(desc)	ExecutorRun(desc, ForwardScanDirection, 0)
#else
#define lyf_executor_run(desc)	ExecutorRun(desc, ForwardScanDirection, 0, true)
#endif

/*
 * finish_heap_swap takes the storage for one of this transaction: what is written to it would not be logged where
 * wal_level is minimal, nor flushed.  For one that is older, take that back.
 */
#if PG_VERSION_NUM >= 160000
#define lyf_forget_new_storage(rel) \
	((rel)->rd_newRelfilelocatorSubid = (rel)->rd_firstRelfilelocatorSubid = InvalidSubTransactionId)
#else
#define lyf_forget_new_storage(rel) \
	((rel)->rd_newRelfilenodeSubid = (rel)->rd_firstRelfilenodeSubid = InvalidSubTransactionId)
#endif

/* the names of a qualified name; 16 added a place for soft errors */
#if PG_VERSION_NUM >= 160000
#define lyf_name_list(text)	stringToQualifiedNameList(text, NULL)
#else
#define lyf_name_list(text)	stringToQualifiedNameList(text)
#endif

/* does this session hold a lock in this mode?  17 can also ask for stronger ones */
#if PG_VERSION_NUM >= 170000
#define lyf_lock_held_by_me(tag, mode)	LockHeldByMe(tag, mode, false)
#else
#define lyf_lock_held_by_me(tag, mode)	LockHeldByMe(tag, mode)
#endif

/* Memory that all processes share, made and set up by whoever asks for it first; raises where there is no room. */
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#define lyf_shared_memory(name, size, init)	GetNamedDSMSegment((name), (size), (init), &(bool) {false})
#else
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
static inline void *
lyf_shared_memory(const char *name, Size size, void (*init) (void *memory))
{
	bool		found;
	void	   *memory;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	PG_TRY();
	{
		memory = ShmemInitStruct(name, size, &found);
	}
	PG_CATCH();
	{
		/* the error has forgotten that interrupts are held off */
		HOLD_INTERRUPTS();
		LWLockRelease(AddinShmemInitLock);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!found)
		init(memory);
	LWLockRelease(AddinShmemInitLock);
	return memory;
}
#endif

/* this process' place in the array of processes */
#if PG_VERSION_NUM >= 170000
#define lyf_process_number()	MyProcNumber
#else
#define lyf_process_number()	MyProc->pgprocno
#endif

/* a background worker of a role that may not log in */
#if PG_VERSION_NUM >= 170000
#define LYF_BGWORKER_ANY_ROLE	BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define LYF_BGWORKER_ANY_ROLE	0
#endif

/* the process of a virtual transaction, NULL: it is over */
#if PG_VERSION_NUM >= 170000
#define lyf_vxid_proc(vxid)	ProcNumberGetProc((vxid).procNumber)
#else
#define lyf_vxid_proc(vxid)	BackendIdGetProc((vxid).backendId)
#endif

/* what is known of a backend, by its place from 1 on */
#if PG_VERSION_NUM >= 160000
#define lyf_backend_status(place)	pgstat_get_local_beentry_by_index(place)
#else
#define lyf_backend_status(place)	pgstat_fetch_stat_local_beentry(place)
#endif

/* PortalRun lost its argument run_once in 18, PortalDefineQuery's have stayed */
#if PG_VERSION_NUM >= 180000
#define lyf_portal_run(portal, dest, completion)	PortalRun(portal, FETCH_ALL, true, dest, dest, completion)
#else
#define lyf_portal_run(portal, dest, completion)	PortalRun(portal, FETCH_ALL, true, true, dest, dest, completion)
#endif

/*
 * Since 16 a Var says which outer joins may have made it null.  Those that this join stands for; whether they are no more
 * than its own one, of which those that may change places with it add nothing; an expression whose Vars of one side say so.
 */
#if PG_VERSION_NUM >= 160000
#define lyf_nulled_by(both, outer, inner)	bms_difference((both), bms_union((outer), (inner)))
#define lyf_nulls_simply(sjinfo, both, outer, inner) \
	((sjinfo) == NULL || (sjinfo)->ojrelid == 0 ? bms_equal((both), bms_union((outer), (inner))) : \
	 bms_equal(lyf_nulled_by(both, outer, inner), bms_make_singleton((sjinfo)->ojrelid)) && \
	 !bms_overlap((sjinfo)->commute_above_r, both))
#define lyf_add_nulling(node, side, nulled_by) \
	(bms_is_empty(nulled_by) ? (Node *) (node) : add_nulling_relids((Node *) (node), (side), (nulled_by)))
#else
#define lyf_nulled_by(both, outer, inner)	NULL
#define lyf_nulls_simply(sjinfo, both, outer, inner)	true
#define lyf_add_nulling(node, side, nulled_by)	((Node *) (node))
#endif

/* the index of the primary key, which others must not find deferrable; 18 asks whether it may be */
#if PG_VERSION_NUM >= 180000
#define lyf_primary_key_index(rel)	RelationGetPrimaryKeyIndex((rel), false)
#else
#define lyf_primary_key_index(rel)	RelationGetPrimaryKeyIndex(rel)
#endif

/* a scan of an index by keys; 18 added a place to count */
#if PG_VERSION_NUM >= 180000
#define lyf_index_beginscan(rel, index, snapshot, keys)	index_beginscan((rel), (index), (snapshot), NULL, (keys), 0)
#else
#define lyf_index_beginscan(rel, index, snapshot, keys)	index_beginscan((rel), (index), (snapshot), (keys), 0)
#endif

#endif							/* LYF_COMPAT_H */
