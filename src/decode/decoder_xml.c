/*
 * decoder_xml.c
 *		A page of XML: one body, in the shape that the reference engine gives it.
 *
 * An element becomes a member of its parent, by its name; elements of one name become a
 * list.  One without attributes and children is its text, or null.  Else it is an object:
 * attributes are its members "@name", text that it has beside its children is "#text".
 * The white space around a text is none of it.  Names keep their prefixes.
 *
 * expat reads the text.  Its callbacks only note what they saw, and never raise; when there are
 * enough notes they have it pause, and values are made of them.  Entities of a document's own,
 * which could make much of little or ask for other documents, are refused.
 */
#include "postgres.h"

#include <expat.h>
#include <limits.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/json.h"
#include "base/memory.h"
#include "decode/decode_internal.h"

/* bytes of notes that are enough */
#define ENOUGH		((size_t) 65536)

#define FIRST_ROOM	(2 * ENOUGH)

/* what white space is: as Python's strip, of ASCII */
#define WHITE		" \t\n\r\v\f\034\035\036\037"

typedef enum NoteKind
{
	NOTE_START = 1,				/* an element's name */
	NOTE_NAME,					/* of an attribute of the element that was started */
	NOTE_VALUE,					/* of the attribute that was named */
	NOTE_TEXT,
	NOTE_END
} NoteKind;

/* a note: this, and behind it len bytes and a 0 */
typedef struct NoteHead
{
	uint32		kind;
	uint32		len;
} NoteHead;

typedef struct Notes
{
	MemoryContext cxt;
	XML_Parser	parser;
	char	   *data;
	size_t		len;
	size_t		room;
	bool		out_of_memory;
	bool		entity;			/* the document declares one */
} Notes;

/* an element that is not over yet */
typedef struct Element
{
	struct Element *outer;
	const char *name;
	LyfValue   *members;		/* in order, maybe several of one name; or NULL */
	LyfValue   *last;
	int			count;			/* of members */
	StringInfoData text;		/* data is NULL: none */
} Element;

/* one of the members, to be put beside others of its name */
typedef struct Member
{
	LyfValue   *value;
	int			place;
} Member;

typedef struct Tree
{
	Element    *element;		/* the innermost open one; the outermost stands for the document */
	int			depth;
	const char *name;			/* of an attribute */
} Tree;

/* --- expat's callbacks: nothing in here raises --- */

static bool
make_room(Notes *notes, size_t more)
{
	size_t		room = Max(notes->room, FIRST_ROOM);
	char	   *data;

	if (notes->room - notes->len >= more)
		return true;
	while (room - notes->len < more)
		room *= 2;
	data = MemoryContextAllocExtended(notes->cxt, room, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (data == NULL)
		return false;
	if (notes->data != NULL)
	{
		memcpy(data, notes->data, notes->len);
		pfree(notes->data);
	}
	notes->data = data;
	notes->room = room;
	return true;
}

static void
note(Notes *notes, NoteKind kind, const char *text, size_t len)
{
	NoteHead	head = {kind, len};

	if (notes->out_of_memory || !make_room(notes, sizeof(head) + len + 1))
	{
		notes->out_of_memory = true;
		XML_StopParser(notes->parser, XML_FALSE);
		return;
	}
	memcpy(notes->data + notes->len, &head, sizeof(head));
	if (len > 0)
		memcpy(notes->data + notes->len + sizeof(head), text, len);
	notes->len += sizeof(head) + len + 1;
	notes->data[notes->len - 1] = '\0';
	if (notes->len >= ENOUGH)
		XML_StopParser(notes->parser, XML_TRUE);
}

static void
on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	note(arg, NOTE_START, name, strlen(name));
	for (int i = 0; attributes[i] != NULL; i += 2)
	{
		note(arg, NOTE_NAME, attributes[i], strlen(attributes[i]));
		note(arg, NOTE_VALUE, attributes[i + 1], strlen(attributes[i + 1]));
	}
}

static void
on_end(void *arg, const XML_Char *name)
{
	note(arg, NOTE_END, NULL, 0);
}

static void
on_text(void *arg, const XML_Char *text, int len)
{
	note(arg, NOTE_TEXT, text, len);
}

static void
on_entity(void *arg, const XML_Char *name, int is_parameter, const XML_Char *value, int len,
		  const XML_Char *base, const XML_Char *system_id, const XML_Char *public_id, const XML_Char *notation)
{
	Notes	   *notes = arg;

	notes->entity = true;
	XML_StopParser(notes->parser, XML_FALSE);
}

/* --- values of notes --- */

static void
add_member(Element *element, const char *name, LyfValue *member)
{
	member->key = name;
	member->key_len = strlen(name);
	member->next = NULL;
	if (element->last != NULL)
		element->last->next = member;
	else
		element->members = member;
	element->last = member;
	element->count++;
}

static int
by_name(const void *a, const void *b)
{
	const Member *x = a;
	const Member *y = b;
	int			order = strcmp(x->value->key, y->value->key);

	return order != 0 ? order : x->place - y->place;
}

static int
by_place(const void *a, const void *b)
{
	return ((const Member *) a)->place - ((const Member *) b)->place;
}

/* members of one name, count of them in order: the list of them */
static LyfValue *
make_list(const Member *members, int count)
{
	LyfValue   *list = lyf_value_make(LYF_LIST);
	LyfValue  **tail = &list->u.first;

	list->key = members->value->key;
	list->key_len = members->value->key_len;
	list->len = count;
	for (int i = 0; i < count; i++)
	{
		members[i].value->key = NULL;
		members[i].value->key_len = 0;
		*tail = members[i].value;
		tail = &members[i].value->next;
	}
	*tail = NULL;
	return list;
}

/* the element's members as a map: several of one name are a list where the first one was */
static LyfValue *
make_map(const Element *element)
{
	LyfValue   *map = lyf_value_make(LYF_MAP);
	LyfValue  **tail = &map->u.first;
	Member	   *members = palloc_extended(element->count * sizeof(Member), MCXT_ALLOC_HUGE);
	int			count = 0;
	int			kept = 0;

	for (LyfValue *member = element->members; member != NULL; member = member->next, count++)
		members[count] = (Member) {member, count};
	qsort(members, count, sizeof(Member), by_name);
	for (int i = 0, same; i < count; i += same)
	{
		for (same = 1; i + same < count && strcmp(members[i].value->key, members[i + same].value->key) == 0;)
			same++;
		members[kept] = members[i];
		if (same > 1)
			members[kept].value = make_list(&members[i], same);
		kept++;
	}
	qsort(members, kept, sizeof(Member), by_place);
	for (int i = 0; i < kept; i++)
	{
		*tail = members[i].value;
		tail = &members[i].value->next;
	}
	*tail = NULL;
	map->len = kept;
	pfree(members);
	return map;
}

/* the element's text without the white space around it; NULL: none */
static LyfValue *
text_of(const Element *element)
{
	const char *text = element->text.data;
	size_t		len = element->text.len;
	size_t		skip;

	if (text == NULL)
		return NULL;
	skip = strspn(text, WHITE);
	while (len > skip && strchr(WHITE, text[len - 1]) != NULL)
		len--;
	return len > skip ? lyf_value_string_len(text + skip, len - skip) : NULL;
}

static LyfFailure *
start_element(Tree *tree, const char *name, size_t len)
{
	Element    *element = palloc0(sizeof(Element));

	if (++tree->depth > LYF_JSON_MAX_DEPTH)
		return lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "XML is nested more than %d levels deep", LYF_JSON_MAX_DEPTH);
	element->name = pnstrdup(name, len);
	element->outer = tree->element;
	tree->element = element;
	return NULL;
}

static LyfFailure *
end_element(Tree *tree, const char *name, size_t len)
{
	Element    *element = tree->element;
	LyfValue   *text = text_of(element);

	tree->element = element->outer;
	tree->depth--;
	if (element->count > 0 && text != NULL)
		add_member(element, "#text", text);
	add_member(tree->element, element->name,
			   element->count > 0 ? make_map(element) : text != NULL ? text : lyf_value_make(LYF_NULL));
	if (element->text.data != NULL)
		pfree(element->text.data);
	pfree(element);
	return NULL;
}

static LyfFailure *
name_attribute(Tree *tree, const char *name, size_t len)
{
	tree->name = psprintf("@%s", name);
	return NULL;
}

static LyfFailure *
set_attribute(Tree *tree, const char *value, size_t len)
{
	add_member(tree->element, tree->name, lyf_value_string_len(value, len));
	return NULL;
}

static LyfFailure *
add_text(Tree *tree, const char *text, size_t len)
{
	Element    *element = tree->element;

	if (element->text.data == NULL)
		initStringInfo(&element->text);
	if (len >= MaxAllocSize - element->text.len)
		return lyf_memory_failure();
	appendBinaryStringInfo(&element->text, text, len);
	return NULL;
}

static LyfFailure *(*const actions[]) (Tree *tree, const char *text, size_t len) =
{
	[NOTE_START] = start_element,
	[NOTE_NAME] = name_attribute,
	[NOTE_VALUE] = set_attribute,
	[NOTE_TEXT] = add_text,
	[NOTE_END] = end_element,
};

/* the notes of a piece become part of the tree */
static LyfFailure *
grow(Tree *tree, Notes *notes)
{
	for (size_t at = 0; at < notes->len;)
	{
		NoteHead	head;

		memcpy(&head, notes->data + at, sizeof(head));
		LYF_TRY(actions[head.kind] (tree, notes->data + at + sizeof(head), head.len));
		at += sizeof(head) + head.len + 1;
	}
	notes->len = 0;
	return lyf_memory_check(0);
}

/* --- the parser --- */

static void
free_parser(void *arg)
{
	XML_ParserFree((XML_Parser) arg);
}

static LyfFailure *
explain(const Notes *notes)
{
	if (notes->out_of_memory || XML_GetErrorCode(notes->parser) == XML_ERROR_NO_MEMORY)
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	if (notes->entity)
		return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "XML that declares entities is not supported");
	return lyf_failure(ERRCODE_INVALID_XML_DOCUMENT, "invalid XML in line %lu, column %lu: %s",
					   (unsigned long) XML_GetCurrentLineNumber(notes->parser),
					   (unsigned long) XML_GetCurrentColumnNumber(notes->parser) + 1,
					   XML_ErrorString(XML_GetErrorCode(notes->parser)));
}

/* in a context of its own, whose end frees the parser */
static LyfFailure *
make_parser(Notes *notes)
{
	MemoryContextCallback *callback;

	notes->cxt = AllocSetContextCreate(CurrentMemoryContext, "lyftron XML", ALLOCSET_DEFAULT_SIZES);
	callback = MemoryContextAlloc(notes->cxt, sizeof(MemoryContextCallback));
	notes->parser = XML_ParserCreate(NULL);
	if (notes->parser == NULL)
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	callback->func = free_parser;
	callback->arg = notes->parser;
	MemoryContextRegisterResetCallback(notes->cxt, callback);
	XML_SetUserData(notes->parser, notes);
	XML_SetElementHandler(notes->parser, on_start, on_end);
	XML_SetCharacterDataHandler(notes->parser, on_text);
	XML_SetEntityDeclHandler(notes->parser, on_entity);
	return NULL;
}

static LyfFailure *
parse_text(Notes *notes, const char *bytes, size_t len, Tree *tree)
{
	enum XML_Status status;

	if (len > INT_MAX)
		return lyf_memory_failure();
	for (status = XML_Parse(notes->parser, bytes, len, true); status == XML_STATUS_SUSPENDED;
		 status = XML_ResumeParser(notes->parser))
	{
		CHECK_FOR_INTERRUPTS();
		LYF_TRY(grow(tree, notes));
	}
	return status == XML_STATUS_OK ? grow(tree, notes) : explain(notes);
}

static LyfFailure *
parse_xml(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	Element		document = {0};
	Tree		tree = {&document};
	Notes		notes = {0};
	LyfFailure *failure = make_parser(&notes);

	if (failure == NULL)
		failure = parse_text(&notes, bytes, len, &tree);
	MemoryContextDelete(notes.cxt);
	if (failure == NULL)
		lyf_bodies_add(bodies, make_map(&document));
	return failure;
}

const LyfDecoderKind lyf_decoder_xml = {"XmlDecoder", NULL, NULL, parse_xml};
