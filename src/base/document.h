/*
 * document.h
 *		Documents that people write, manifests above all: YAML 1.1 (JSON is some, too)
 *		to a jansson tree, and from there to values.
 *
 * jansson's memory is its own.  A document returned here is owned by
 * CurrentMemoryContext: it is released when that context is reset or deleted.
 */
#ifndef LYF_DOCUMENT_H
#define LYF_DOCUMENT_H

/*
 * PostgreSQL has a json_object too: jansson's, which makes an empty object, is
 * lyf_document_object here.
 */
#define json_object lyf_document_object
#include <jansson.h>
#undef json_object

#include "base/failure.h"
#include "base/value.h"

/*
 * YAML 1.1 as PyYAML's safe_load reads it (yes/no/on/off, octal, floats, dates;
 * anchors, merge keys; dates become text in ISO form), one document.  Bounded in
 * size, depth and alias expansion.  The failure names the line and column.
 */
extern LyfFailure *lyf_document_from_yaml(const char *text, size_t len, json_t **document);

/* hand the caller's reference over to CurrentMemoryContext (released with it); returns json */
extern json_t *lyf_document_own(json_t *json);

/* a value of JSON as a document, owned by CurrentMemoryContext */
extern LyfFailure *lyf_document_from_value(const LyfValue *value, json_t **document);

/* a document as a value in CurrentMemoryContext */
extern LyfValue *lyf_document_to_value(const json_t *json);

#endif							/* LYF_DOCUMENT_H */
