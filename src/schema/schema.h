/*
 * schema.h
 *		Shapes kept in step: how types relate, what changed between two schemas, and what a pipeline answers to that.
 *
 * A schema is JSON, a map with the list "columns"; each column is a map: name, type (as format_type has it), and where known
 * not_null, default (text), enum (list of texts), number (of the column in its relation), key and cursor (true).
 */
#ifndef LYF_SCHEMA_H
#define LYF_SCHEMA_H

#include "base/value.h"
#include "nodes/pg_list.h"

/* in type.c */

/* A type with its modifier. */
typedef struct LyfType
{
	Oid			oid;
	int32		typmod;
} LyfType;

typedef enum LyfTypeStep
{
	LYF_TYPE_SAME,
	LYF_TYPE_WIDER,				/* the new one holds all values of the old one */
	LYF_TYPE_NARROWER,			/* the old one holds all values of the new one */
	LYF_TYPE_OTHER				/* neither */
} LyfTypeStep;

extern LyfTypeStep lyf_type_step(LyfType from, LyfType to);

/* can a column of type a take values of type b as they are, a number as a number, a time as a time? */
extern bool lyf_type_takes(LyfType a, LyfType b);

/* the expression that makes of a column (quoted) of an old type one of a wider type; NULL: an assignment does */
extern char *lyf_type_widening(const char *column, LyfType from, LyfType to);

/* does ALTER COLUMN TYPE have to write each row anew? */
extern bool lyf_type_rewrites(LyfType from, LyfType to);

/* "pg_catalog.numeric(10,2)", to be put into SQL; and the type that a user means by a name, raises where there is none */
extern char *lyf_type_sql(LyfType type);
extern LyfType lyf_type_parse(const char *text);

/* in compare.c */

/* What may change, in the order in which changes are told. */
typedef enum LyfChangeKind
{
	LYF_STREAM_ADDED, LYF_STREAM_REMOVED,
	LYF_COLUMN_ADDED, LYF_COLUMN_REMOVED, LYF_COLUMN_RENAMED,
	LYF_TYPE_WIDENED, LYF_TYPE_NARROWED, LYF_TYPE_CHANGED,
	LYF_NULLABLE, LYF_NOT_NULL, LYF_DEFAULT_CHANGED, LYF_ENUM_CHANGED,
	LYF_KEY_CHANGED, LYF_CURSOR_CHANGED,
	LYF_CHANGE_KINDS
} LyfChangeKind;

typedef struct LyfChange
{
	LyfChangeKind kind;
	const char *column;			/* the new name where it was renamed; NULL: of the stream */
	const LyfValue *before;		/* or NULL; of one kind of facts: a column's map, or its one member that changed */
	const LyfValue *after;
	const char *evidence;		/* of a guess: why; or NULL */
} LyfChange;

extern const char *lyf_change_name(LyfChangeKind kind);
extern const char *lyf_change_severity(LyfChangeKind kind);	/* info, warning or error */

/* what is different in after; a List of LyfChange *, in CurrentMemoryContext, which points into both */
extern List *lyf_schema_compare(const LyfValue *before, const LyfValue *after);

/* in policy.c */

typedef enum LyfAnswer
{
	LYF_ANSWER_EVOLVE, LYF_ANSWER_FREEZE, LYF_ANSWER_IGNORE, LYF_ANSWER_ALERT
} LyfAnswer;

typedef struct LyfPolicy LyfPolicy;

/*
 * A policy is the name of an answer, or JSON: {"default": answer, "<kind of change>": answer, "columns": {"<name>": answer}}.
 * Raises for anything else.
 */
extern const LyfPolicy *lyf_policy_get(const char *text);
extern LyfAnswer lyf_policy_answer(const LyfPolicy *policy, LyfChangeKind kind, const char *column);
extern const char *lyf_answer_name(LyfAnswer answer);

#endif							/* LYF_SCHEMA_H */
