/*
 * yaml.c
 *		YAML to jansson's trees, over libyaml's events, as PyYAML's safe_load has it.
 *
 * Collections that are not closed yet are frames on a stack; one that is closed
 * goes into the frame below.  An alias is a copy of what its anchor stands for,
 * counted node by node, so that aliases of aliases cannot blow up.  All that is
 * libyaml's or jansson's hangs on the reader, and the reader on a memory context
 * of its own: deleting that releases it, also when an error unwinds the stack.
 */
#include "postgres.h"

#include <yaml.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/document_internal.h"

/* A collection that is not closed yet; references in it are its own. */
typedef struct Frame
{
	json_t	   *json;			/* object or array */
	json_t	   *merges;			/* of an object: what << named, in order, or NULL */
	char	   *anchor;			/* or NULL */
	char	   *key;			/* of the value that comes, NULL: a key comes */
	bool		merge;			/* the value that comes belongs to a << */
} Frame;

typedef struct Reader
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool		has_event;
	json_t	   *anchors;		/* name to tree */
	json_t	   *root;
	int64		nodes;
	int			depth;
	Frame		stack[LYF_DOCUMENT_DEPTH];
} Reader;

static void
release_reader(void *arg)
{
	Reader	   *reader = arg;

	if (reader->has_event)
		yaml_event_delete(&reader->event);
	yaml_parser_delete(&reader->parser);
	json_decref(reader->anchors);
	json_decref(reader->root);
	for (int i = 0; i < reader->depth; i++)
	{
		json_decref(reader->stack[i].json);
		json_decref(reader->stack[i].merges);
	}
}

static LyfFailure *
fail(Reader *reader, const char *what)
{
	return lyf_failure(ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid YAML at line %zu, column %zu: %s",
					   reader->event.start_mark.line + 1, reader->event.start_mark.column + 1, what);
}

static LyfFailure *
fail_parser(Reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;

	return lyf_failure(ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid YAML at line %zu, column %zu: %s",
					   parser->problem_mark.line + 1, parser->problem_mark.column + 1,
					   parser->problem != NULL ? parser->problem : "out of memory");
}

static LyfFailure *
next_event(Reader *reader)
{
	CHECK_FOR_INTERRUPTS();
	if (reader->has_event)
		yaml_event_delete(&reader->event);
	reader->has_event = false;
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return fail_parser(reader);
	reader->has_event = true;
	return NULL;
}

/* a key as text; *json is a scalar of any type and is released */
static LyfFailure *
make_key(Reader *reader, json_t *json, char **key)
{
	*key = NULL;
	if (json_is_string(json) && strlen(json_string_value(json)) == json_string_length(json))
		*key = pstrdup(json_string_value(json));
	else if (!json_is_string(json) && !json_is_array(json) && !json_is_object(json))
		*key = lyf_value_to_text(lyf_document_to_value(json));
	json_decref(json);
	return *key != NULL ? NULL : fail(reader, "a key must be a scalar without NUL bytes");
}

/* keep what << names, a map or a list of maps; of the list the first one wins */
static LyfFailure *
add_merge(Reader *reader, Frame *frame, json_t *value)
{
	size_t		count = json_is_array(value) ? json_array_size(value) : 1;
	bool		good = true;

	if (frame->merges == NULL)
		frame->merges = json_array();
	for (size_t i = count; i > 0 && good; i--)
	{
		json_t	   *map = json_is_array(value) ? json_array_get(value, i - 1) : value;

		good = json_is_object(map) && json_array_append(frame->merges, map) == 0;
	}
	json_decref(value);
	return good ? NULL : fail(reader, "<< must name a map or a list of maps");
}

/* put a value where it belongs: into the innermost frame, as its key or its value; takes the reference */
static LyfFailure *
add_value(Reader *reader, json_t *value)
{
	Frame	   *frame;
	char	   *key;

	if (reader->depth == 0)
	{
		reader->root = value;
		return NULL;
	}
	frame = &reader->stack[reader->depth - 1];
	if (json_is_array(frame->json))
		return json_array_append_new(frame->json, value) == 0 ? NULL : fail(reader, "out of memory");
	if (frame->key == NULL)
		return make_key(reader, value, &frame->key);

	key = frame->key;
	frame->key = NULL;
	if (frame->merge)
	{
		frame->merge = false;
		return add_merge(reader, frame, value);
	}
	return json_object_set_new(frame->json, key, value) == 0 ? NULL : fail(reader, "out of memory");
}

static LyfFailure *
count_node(Reader *reader)
{
	return ++reader->nodes > LYF_DOCUMENT_NODES ? fail(reader, "the document is too large") : NULL;
}

static LyfFailure *
keep_anchor(Reader *reader, const char *anchor, json_t *value)
{
	if (anchor != NULL && json_object_set(reader->anchors, anchor, value) != 0)
		return fail(reader, "out of memory");
	return NULL;
}

static LyfFailure *
read_alias(Reader *reader)
{
	json_t	   *value = json_object_get(reader->anchors, (char *) reader->event.data.alias.anchor);

	if (value == NULL)
		return fail(reader, "alias of an anchor that is not there, or not complete");
	if (!lyf_document_fits(value, reader->depth, &reader->nodes))
		return fail(reader, "the document is nested too deeply or too large with its aliases");
	value = json_deep_copy(value);
	return value != NULL ? add_value(reader, value) : fail(reader, "out of memory");
}

static const struct
{
	const char *name;
	LyfYamlTag	tag;
}			scalar_tags[] = {
	{YAML_STR_TAG, LYF_YAML_STR},
	{YAML_INT_TAG, LYF_YAML_INT},
	{YAML_FLOAT_TAG, LYF_YAML_FLOAT},
	{YAML_BOOL_TAG, LYF_YAML_BOOL},
	{YAML_NULL_TAG, LYF_YAML_NULL},
	{YAML_TIMESTAMP_TAG, LYF_YAML_TIMESTAMP}
};

static LyfFailure *
find_tag(Reader *reader, LyfYamlTag *tag)
{
	const char *name = (const char *) reader->event.data.scalar.tag;

	*tag = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? LYF_YAML_PLAIN : LYF_YAML_STR;
	if (name == NULL || strcmp(name, "!") == 0)
		return NULL;
	for (int i = 0; i < lengthof(scalar_tags); i++)
	{
		if (strcmp(name, scalar_tags[i].name) == 0)
		{
			*tag = scalar_tags[i].tag;
			return NULL;
		}
	}
	return fail(reader, "unknown tag of a scalar");
}

static LyfFailure *
read_scalar(Reader *reader)
{
	const char *text = (const char *) reader->event.data.scalar.value;
	size_t		len = reader->event.data.scalar.length;
	Frame	   *frame = reader->depth > 0 ? &reader->stack[reader->depth - 1] : NULL;
	LyfYamlTag	tag;
	json_t	   *value;
	LyfFailure *failure;

	LYF_TRY(count_node(reader));
	LYF_TRY(find_tag(reader, &tag));
	if (frame != NULL && json_is_object(frame->json) && frame->key == NULL &&
		tag == LYF_YAML_PLAIN && strcmp(text, "<<") == 0)
		frame->merge = true;
	value = lyf_yaml_scalar(text, len, tag);
	if (value == NULL)
		return fail(reader, "not a value of its type");
	failure = keep_anchor(reader, (char *) reader->event.data.scalar.anchor, value);
	if (failure != NULL)
	{
		json_decref(value);
		return failure;
	}
	return add_value(reader, value);
}

static LyfFailure *
open_frame(Reader *reader, json_t *json, yaml_char_t *anchor, yaml_char_t *tag, const char *valid_tag)
{
	Frame	   *frame;

	if (json == NULL || reader->depth == LYF_DOCUMENT_DEPTH)
	{
		json_decref(json);
		return fail(reader, json == NULL ? "out of memory" : "nested too deeply");
	}
	frame = &reader->stack[reader->depth++];
	memset(frame, 0, sizeof(Frame));
	frame->json = json;
	if (tag != NULL && strcmp((char *) tag, valid_tag) != 0 && strcmp((char *) tag, "!") != 0)
		return fail(reader, "unknown tag of a collection");
	if (anchor != NULL)
		frame->anchor = pstrdup((char *) anchor);
	return count_node(reader);
}

/* the maps that << named come first, so that the map's own members win */
static bool
apply_merges(Frame *frame)
{
	json_t	   *own;
	json_t	   *map;
	size_t		index;
	bool		good;

	if (frame->merges == NULL)
		return true;
	own = json_copy(frame->json);
	good = own != NULL && json_object_clear(frame->json) == 0;
	json_array_foreach(frame->merges, index, map)
		good = good && json_object_update(frame->json, map) == 0;
	good = good && json_object_update(frame->json, own) == 0;
	json_decref(own);
	return good;
}

static LyfFailure *
close_frame(Reader *reader)
{
	Frame	   *frame = &reader->stack[reader->depth - 1];

	if (!apply_merges(frame))
		return fail(reader, "out of memory");
	LYF_TRY(keep_anchor(reader, frame->anchor, frame->json));
	json_decref(frame->merges);
	reader->depth--;
	return add_value(reader, frame->json);
}

/* one event of the document; *done at the end of the stream */
static LyfFailure *
take_event(Reader *reader, bool *done)
{
	const yaml_event_t *event = &reader->event;

	switch (event->type)
	{
		case YAML_SCALAR_EVENT:
			return read_scalar(reader);
		case YAML_ALIAS_EVENT:
			return read_alias(reader);
		case YAML_MAPPING_START_EVENT:
			return open_frame(reader, lyf_document_object(), event->data.mapping_start.anchor,
							  event->data.mapping_start.tag, YAML_MAP_TAG);
		case YAML_SEQUENCE_START_EVENT:
			return open_frame(reader, json_array(), event->data.sequence_start.anchor,
							  event->data.sequence_start.tag, YAML_SEQ_TAG);
		case YAML_MAPPING_END_EVENT:
		case YAML_SEQUENCE_END_EVENT:
			return close_frame(reader);
		case YAML_DOCUMENT_START_EVENT:
			return reader->root == NULL ? NULL : fail(reader, "a second document begins");
		case YAML_STREAM_END_EVENT:
			*done = true;
			return NULL;
		default:
			return NULL;
	}
}

static LyfFailure *
read_document(Reader *reader)
{
	bool		done = false;

	while (!done)
	{
		LYF_TRY(next_event(reader));
		LYF_TRY(take_event(reader, &done));
	}
	return NULL;
}

/* in CurrentMemoryContext, with which it is released */
static Reader *
make_reader(const char *text, size_t len)
{
	Reader	   *reader = palloc0(sizeof(Reader));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	if (!yaml_parser_initialize(&reader->parser))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	callback->func = release_reader;
	callback->arg = reader;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *) text, len);
	reader->anchors = lyf_document_object();
	return reader;
}

LyfFailure *
lyf_document_from_yaml(const char *text, size_t len, json_t **document)
{
	MemoryContext cxt;
	MemoryContext caller;
	Reader	   *reader;
	LyfFailure *failure;

	*document = NULL;
	if (len > LYF_DOCUMENT_SIZE)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "document is larger than %d bytes",
						   LYF_DOCUMENT_SIZE);
	cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron yaml", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(cxt);
	reader = make_reader(text, len);
	failure = read_document(reader);
	MemoryContextSwitchTo(caller);
	if (failure != NULL)
		failure = lyf_failure_copy(failure);
	else
		*document = lyf_document_own(reader->root != NULL ? json_incref(reader->root) : json_null());
	MemoryContextDelete(cxt);
	return failure;
}
