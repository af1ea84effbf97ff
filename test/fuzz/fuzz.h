/*
 * fuzz.h
 *		What the targets share.
 */
#ifndef LYF_FUZZ_H
#define LYF_FUZZ_H

#include "base/failure.h"
#include "base/value.h"

/* try one input; in a memory context that is emptied afterwards.  An ERROR that it raises is no finding. */
typedef void (*FuzzTarget) (const char *data, size_t size);

/*
 * Run libFuzzer with these arguments and a target.  An input that is not done after its time is
 * cancelled, as a user would; one that does not end then is a finding.  Does not return.
 */
extern void fuzz_run(ArrayType *arguments, FuzzTarget target);

/* a finding: say what, and abort */
extern void fuzz_finding(const char *fmt,...) pg_attribute_printf(1, 2) pg_attribute_noreturn();
#define fuzz_expect(condition, ...) \
	do { \
		if (!(condition)) \
			fuzz_finding(__VA_ARGS__); \
	} while (0)

/* a failure says something, in valid text;  NULL: there is none */
extern void fuzz_look_at(const LyfFailure *failure);

/* jsonb_in of the text: NULL if it refuses it */
extern Jsonb *fuzz_jsonb_in(const char *text);

/* to jsonb: NULL if jsonb cannot hold the value */
extern Jsonb *fuzz_to_jsonb(const LyfValue *value);

extern bool fuzz_same_jsonb(const Jsonb *a, const Jsonb *b);

/* print a value in each of its ways: each must be readable, and give the same */
extern void fuzz_print(const LyfValue *value);

#endif							/* LYF_FUZZ_H */
