/*
 * document_internal.h
 *		What document.c and the files that read YAML share.
 */
#ifndef LYF_DOCUMENT_INTERNAL_H
#define LYF_DOCUMENT_INTERNAL_H

#include "base/document.h"

#define LYF_DOCUMENT_SIZE	(8 * 1024 * 1024)	/* bytes of text */
#define LYF_DOCUMENT_DEPTH	200
#define LYF_DOCUMENT_NODES	1000000 /* aliases counted as what they stand for */

/* in document.c: is a tree, put at this depth, within the limits?  *nodes counts on */
extern bool lyf_document_fits(const json_t *json, int depth, int64 *nodes);

/* in yaml_scalar.c */

/* How a scalar of YAML says what it is. */
typedef enum LyfYamlTag
{
	LYF_YAML_PLAIN,				/* it does not: its form decides */
	LYF_YAML_STR,
	LYF_YAML_INT,
	LYF_YAML_FLOAT,
	LYF_YAML_BOOL,
	LYF_YAML_NULL,
	LYF_YAML_TIMESTAMP
} LyfYamlTag;

/* the scalar as JSON, a new reference; NULL if it is no value of its type (or memory is out) */
extern json_t *lyf_yaml_scalar(const char *text, size_t len, LyfYamlTag tag);

#endif							/* LYF_DOCUMENT_INTERNAL_H */
