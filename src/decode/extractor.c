/*
 * extractor.c
 *		Bodies to raw records: which values of a page are records.
 *
 * DpathExtractor finds them at a path of each body; its record_expander takes lists that
 * they hold apart.  CombinedExtractor has several others.  ResponseToFileExtractor has a
 * decoder of its own: the page is CSV, maybe compressed.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/memory.h"
#include "decode/decode_internal.h"

/* what the other extractors have of a page */
typedef struct Page
{
	const LyfSession *session;
	LyfValue   *bodies;
} Page;

typedef struct ExtractorKind
{
	const char *type;
	LyfFailure *(*compile) (const LyfComponent *c, LyfExtractor *extractor);
	/* add records; and to *dropped, how many were left out that paging counts */
	LyfFailure *(*extract) (const LyfExtractor *extractor, const Page *page, LyfRecords *records, int *dropped);
} ExtractorKind;

struct LyfExtractor
{
	const ExtractorKind *kind;
	LyfDecoder *decoder;		/* in place of the stream's, or NULL */
	LyfPathTemplate field_path;
	LyfExpander *expander;		/* or NULL */
	LyfExtractor **extractor;	/* of a CombinedExtractor */
	size_t		count;
	bool		first_match;	/* the first one that finds a record is the only one */
	bool		skip_empty;
};

/* --- DpathExtractor --- */

static LyfFailure *
compile_dpath(const LyfComponent *c, LyfExtractor *extractor)
{
	LyfComponent expander = lyf_component_child(c, "record_expander");

	LYF_TRY(lyf_path_template_compile(c, "field_path", &extractor->field_path));
	return lyf_expander_compile(&expander, &extractor->expander);
}

static LyfFailure *
add_found(const LyfExtractor *extractor, const LyfSession *session, LyfValue *found, LyfRecords *records)
{
	if (extractor->expander != NULL)
		return lyf_expand(extractor->expander, session, found, records);
	lyf_records_add(records, found);
	return NULL;
}

/* a list's items, or the value itself if there is something to it */
static LyfFailure *
add_extracted(const LyfExtractor *extractor, const LyfSession *session, LyfValue *extracted, LyfRecords *records)
{
	if (extracted->kind == LYF_LIST)
	{
		/* what it becomes may not be a part of the list any more */
		for (LyfValue *next, *item = extracted->u.first; item != NULL; item = next)
		{
			next = item->next;
			LYF_TRY(add_found(extractor, session, item, records));
		}
		return NULL;
	}
	return lyf_value_truth(extracted) ? add_found(extractor, session, extracted, records) : NULL;
}

/* With a * in the path, all that matches is records, lists among them too; else there may be one match. */
static LyfFailure *
extract_body(const LyfExtractor *extractor, const LyfSession *session, LyfValue *body, const LyfPath *path,
			 bool fan_out, LyfRecords *records)
{
	LyfMatches	matches = {0};
	LyfValue   *found;

	if (fan_out)
	{
		lyf_path_find(body, path, &matches);
		for (int i = 0; i < matches.count; i++)
			LYF_TRY(add_found(extractor, session, matches.match[i].value, records));
		return NULL;
	}
	LYF_TRY(lyf_path_get_sole(body, path, &found));
	return found != NULL ? add_extracted(extractor, session, found, records) : NULL;
}

/* the path sees nothing but the configuration */
static LyfFailure *
extract_dpath(const LyfExtractor *extractor, const Page *page, LyfRecords *records, int *dropped)
{
	bool		fan_out = false;
	LyfPath		path;

	LYF_TRY(lyf_path_template_eval(&extractor->field_path, &page->session->scope, &path));
	for (int i = 0; i < path.len; i++)
		fan_out = fan_out || strcmp(path.part[i], "*") == 0;
	lyf_foreach(body, page->bodies)
	{
		LYF_TRY(extract_body(extractor, page->session, body, &path, fan_out, records));
		if (extractor->expander != NULL)
			LYF_TRY(lyf_memory_check(0));
	}
	return NULL;
}

/* --- CombinedExtractor --- */

static LyfFailure *
compile_combined(const LyfComponent *c, LyfExtractor *extractor)
{
	const char *mode;

	LYF_TRY(lyf_component_list(c, "extractors", &extractor->count));
	if (extractor->count == 0)
		return lyf_component_invalid(c, "extractors must name at least one");
	extractor->extractor = palloc(sizeof(LyfExtractor *) * extractor->count);
	for (size_t i = 0; i < extractor->count; i++)
	{
		LyfComponent inner = lyf_component_item(c, "extractors", i);

		LYF_TRY(lyf_extractor_compile(&inner, &extractor->extractor[i]));
		if (extractor->extractor[i]->decoder != NULL)
			return lyf_component_invalid(&inner, "it cannot be one of several");
	}
	LYF_TRY(lyf_component_text(c, "mode", "union", &mode));
	extractor->first_match = strcmp(mode, "first_match") == 0;
	if (!extractor->first_match && strcmp(mode, "union") != 0)
		return lyf_component_invalid(c, "mode must be union or first_match");
	return lyf_component_bool(c, "skip_empty_records", false, &extractor->skip_empty);
}

/* leave out the records from a place on that hold nothing */
static void
drop_empty(LyfRecords *records, int from, int *dropped)
{
	int			kept = from;

	for (int i = from; i < records->count; i++)
	{
		if (lyf_value_truth(records->record[i]))
			records->record[kept++] = records->record[i];
	}
	*dropped += records->count - kept;
	records->count = kept;
}

static LyfFailure *
extract_combined(const LyfExtractor *extractor, const Page *page, LyfRecords *records, int *dropped)
{
	int			before = records->count;

	for (size_t i = 0; i < extractor->count; i++)
	{
		const LyfExtractor *inner = extractor->extractor[i];
		int			from = records->count;
		int			left_out = 0;

		LYF_TRY(inner->kind->extract(inner, page, records, &left_out));
		if (extractor->skip_empty)
			drop_empty(records, from, &left_out);
		if (!extractor->first_match || records->count > before)
			*dropped += left_out;
		if (extractor->first_match && records->count > before)
			return NULL;
	}
	return NULL;
}

/* --- ResponseToFileExtractor --- */

/* what stands for a missing value in CSV that pandas reads, and what it keeps if the manifest says so */
#define CSV_WITH_NULLS \
	"{\"type\": \"GzipDecoder\", \"decoder\": {\"type\": \"CsvDecoder\", \"set_values_to_none\": [\"\", \"#N/A\", \"#N/A N/A\"," \
	" \"#NA\", \"-1.#IND\", \"-1.#QNAN\", \"-NaN\", \"-nan\", \"1.#IND\", \"1.#QNAN\", \"<NA>\", \"N/A\", \"NA\", \"NULL\"," \
	" \"NaN\", \"None\", \"n/a\", \"nan\", \"null\"]}}"
#define CSV_AS_IT_IS \
	"{\"type\": \"GzipDecoder\", \"decoder\": {\"type\": \"CsvDecoder\", \"set_values_to_none\": [\"\"]}}"

static LyfFailure *
compile_file(const LyfComponent *c, LyfExtractor *extractor)
{
	const char *text;
	LyfComponent decoder;
	json_t	   *document;
	bool		preserve;

	LYF_TRY(lyf_component_bool(c, "preserve_na_values", false, &preserve));
	text = preserve ? CSV_AS_IT_IS : CSV_WITH_NULLS;
	LYF_TRY(lyf_document_from_yaml(text, strlen(text), &document));
	decoder = lyf_component(document, c->path);
	return lyf_decoder_compile(&decoder, &extractor->decoder);
}

static LyfFailure *
extract_file(const LyfExtractor *extractor, const Page *page, LyfRecords *records, int *dropped)
{
	lyf_foreach(body, page->bodies)
		lyf_records_add(records, body);
	return NULL;
}

/* --- all of them --- */

static const ExtractorKind kinds[] = {
	{"DpathExtractor", compile_dpath, extract_dpath},
	{"CombinedExtractor", compile_combined, extract_combined},
	{"ResponseToFileExtractor", compile_file, extract_file}
};

LyfFailure *
lyf_extractor_compile(const LyfComponent *c, LyfExtractor **out)
{
	LyfExtractor *extractor = palloc0(sizeof(LyfExtractor));

	*out = extractor;
	extractor->kind = &kinds[0];
	if (c->json == NULL)
		return NULL;			/* a path of no parts */
	for (int i = 0; i < lengthof(kinds); i++)
	{
		extractor->kind = &kinds[i];
		if (strcmp(kinds[i].type, c->type) == 0)
			return kinds[i].compile(c, extractor);
	}
	return lyf_component_unsupported(c);
}

void
lyf_records_add(LyfRecords *records, LyfValue *record)
{
	if (records->count == records->room)
	{
		records->room = Max(1024, records->room * 2);
		records->record = records->record == NULL ? palloc(records->room * sizeof(LyfValue *)) :
			repalloc_huge(records->record, records->room * sizeof(LyfValue *));
	}
	records->record[records->count++] = record;
}

LyfFailure *
lyf_extract(const LyfExtractor *extractor, const LyfSession *session, LyfDecoder *decoder, LyfPage *page,
			LyfRecords *records)
{
	Page		known = {session};
	int			dropped = 0;

	memset(records, 0, sizeof(LyfRecords));
	LYF_TRY(lyf_decode_page(extractor->decoder != NULL ? extractor->decoder : decoder, page, &known.bodies));
	LYF_TRY(extractor->kind->extract(extractor, &known, records, &dropped));
	LYF_TRY(lyf_memory_check(0));
	records->facts.record_count = records->count + dropped;
	return NULL;
}
