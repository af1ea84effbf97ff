/*
 * version.h
 *		The version of this library, and that of the extension in this database.
 *
 * ALTER EXTENSION UPDATE changes tables and functions, not the library that a session has
 * loaded; and a new library comes before some database has the new tables.  A library works with the versions
 * that it was built to know (SERVED in the Makefile), and with no other.
 */
#ifndef LYF_VERSION_H
#define LYF_VERSION_H

extern const char *const lyf_library_version;

/* counts changes of relations and functions of this database; where there was none, the extension is as it was, too */
extern uint64 lyf_version_changes(void);

/* Does this library know the extension's version, as far as there is one?  In a transaction. */
extern bool lyf_version_is_served(void);

/* the same, or raise; not while what was begun is held on to */
extern void lyf_version_require(void);

/*
 * What was begun (a task, a run) is ended with the library that it was begun with: statements that the new tables do not
 * suit raise by themselves.  Returns what was so before.
 */
extern bool lyf_version_hold(bool hold);

#endif							/* LYF_VERSION_H */
