/*
 * json.h
 *		JSON text to values, in one pass, in place.
 */
#ifndef LYF_JSON_H
#define LYF_JSON_H

#include "base/failure.h"
#include "base/value.h"

#define LYF_JSON_MAX_DEPTH	1024

/*
 * Parse one JSON document.  text is changed in place and must outlive the
 * values (strings point into it); text[len] must be writable.  Values are made
 * in CurrentMemoryContext, in blocks, never one palloc a node, and no more of
 * them than fit base/memory.h's limit.  The failure names the byte offset.
 */
extern LyfFailure *lyf_json_parse(char *text, size_t len, LyfValue **value);

/* the same from text that must stay as it is: a copy is parsed */
extern LyfFailure *lyf_json_parse_copy(const char *text, size_t len, LyfValue **value);

#endif							/* LYF_JSON_H */
