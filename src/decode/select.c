/*
 * select.c
 *		Bodies to records: RecordSelector.
 *
 * The extractor finds records in the bodies; the filter keeps some, the
 * stream's transformations change them in place (the other way round where the
 * manifest or a client-side cursor says so), and normalization, if asked for, brings
 * their values to the schema's types.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/memory.h"
#include "decode/decode_internal.h"

struct LyfSelector
{
	LyfExtractor *extractor;
	LyfTemplate *filter;		/* RecordFilter's condition, or NULL */
	LyfTransform **transforms;
	int			transform_count;
	bool		transform_first;
	bool		normalize;
	const LyfValue *normalize_by;	/* the schema, or NULL: as the source has it */
};

/* a client-side cursor filters by itself: without a condition there is nothing else to do then */
static LyfFailure *
compile_filter(const LyfComponent *c, bool cursor_filters, LyfSelector *selector)
{
	const char *condition;

	if (c->json == NULL)
		return NULL;
	if (strcmp(c->type, "RecordFilter") != 0)
		return lyf_component_unsupported(c);
	LYF_TRY(lyf_component_text(c, "condition", "", &condition));
	if (condition[0] == '\0' && cursor_filters)
		return NULL;
	return lyf_component_compile(c, condition, &selector->filter);
}

static LyfFailure *
compile_transforms(const LyfComponent *stream, LyfSelector *selector)
{
	size_t		count;

	LYF_TRY(lyf_component_list(stream, "transformations", &count));
	selector->transforms = palloc(sizeof(LyfTransform *) * (count + 1));
	selector->transform_count = count;
	for (size_t i = 0; i < count; i++)
	{
		LyfComponent c = lyf_component_item(stream, "transformations", i);

		LYF_TRY(lyf_transform_compile(&c, &selector->transforms[i]));
	}
	return NULL;
}

void
lyf_selector_set_schema(LyfSelector *selector, const LyfValue *schema)
{
	if (selector->normalize)
		selector->normalize_by = schema;
}

static LyfFailure *
compile_normalization(const LyfComponent *c, const LyfValue *schema, LyfSelector *selector)
{
	LyfComponent custom = lyf_component_child(c, "schema_normalization");
	const char *how;

	if (json_is_object(custom.json))
		return lyf_component_unsupported(&custom);
	LYF_TRY(lyf_component_text(c, "schema_normalization", "None", &how));
	selector->normalize = strcmp(how, "Default") == 0;
	if (!selector->normalize && strcmp(how, "None") != 0)
		return lyf_component_invalid(c, "schema_normalization must be None or Default");
	lyf_selector_set_schema(selector, schema);
	return NULL;
}

LyfFailure *
lyf_selector_compile(const LyfComponent *stream, const LyfValue *schema, bool transform_first,
					 LyfExtractor *extractor, LyfSelector **out)
{
	LyfComponent retriever = lyf_component_child(stream, "retriever");
	LyfComponent c = lyf_component_child(&retriever, "record_selector");
	LyfComponent own = lyf_component_child(&c, "extractor");
	LyfComponent filter = lyf_component_child(&c, "record_filter");
	LyfSelector *selector = palloc0(sizeof(LyfSelector));

	if (c.json == NULL)
		return lyf_component_invalid(&retriever, "record_selector is missing");
	if (strcmp(c.type, "RecordSelector") != 0)
		return lyf_component_unsupported(&c);
	if (own.json == NULL)
		return lyf_component_invalid(&c, "extractor is missing");
	selector->extractor = extractor;
	if (extractor == NULL)
		LYF_TRY(lyf_extractor_compile(&own, &selector->extractor));
	LYF_TRY(compile_filter(&filter, transform_first, selector));
	LYF_TRY(compile_transforms(stream, selector));
	LYF_TRY(compile_normalization(&c, schema, selector));
	LYF_TRY(lyf_component_bool(&c, "transform_before_filtering", transform_first,
							   &selector->transform_first));
	*out = selector;
	return NULL;
}

static LyfFailure *
filter_records(const LyfSelector *selector, LyfScope *scope, LyfRecords *records)
{
	int			kept = 0;

	if (selector->filter == NULL)
		return NULL;
	for (int i = 0; i < records->count; i++)
	{
		bool		keep;

		CHECK_FOR_INTERRUPTS();
		LYF_TRY(lyf_memory_check(0));
		lyf_scope_set(scope, "record", records->record[i]);
		LYF_TRY(lyf_template_eval_bool(selector->filter, scope, &keep));
		if (keep)
			records->record[kept++] = records->record[i];
	}
	records->count = kept;
	return NULL;
}

static LyfFailure *
transform_records(const LyfSelector *selector, LyfScope *scope, LyfRecords *records)
{
	for (int i = 0; i < records->count && selector->transform_count > 0; i++)
	{
		LyfValue   *record = records->record[i];

		CHECK_FOR_INTERRUPTS();
		if (record->kind != LYF_MAP)
			continue;
		LYF_TRY(lyf_memory_check(0));
		lyf_scope_set(scope, "record", record);
		for (int j = 0; j < selector->transform_count; j++)
			LYF_TRY(lyf_transform_apply(selector->transforms[j], scope, record));
	}
	return NULL;
}

static void
normalize_records(const LyfSelector *selector, LyfRecords *records)
{
	if (selector->normalize_by == NULL)
		return;
	for (int i = 0; i < records->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		lyf_normalize(records->record[i], selector->normalize_by);
	}
}

/* templates that look at the response must not see what is made of the records */
static LyfFailure *
keep_response(const LyfSelector *selector, LyfPage *page)
{
	if (!page->watched || (selector->transform_count == 0 && selector->normalize_by == NULL))
		return NULL;
	/* the copy may be as large as all there is */
	LYF_TRY(lyf_memory_check(MemoryContextMemAllocated(CurrentMemoryContext, true)));
	lyf_page_keep_response(page);
	return NULL;
}

/* the order matters to what paging counts: extracted ones, and the last one that is left */
LyfFailure *
lyf_select_records(LyfSelector *selector, LyfSession *session, const LyfScope *scope,
				   LyfDecoder *decoder, LyfPage *page, LyfRecords *records)
{
	LyfScope	inner;

	LYF_TRY(lyf_extract(selector->extractor, session, decoder, page, records));
	LYF_TRY(keep_response(selector, page));
	lyf_scope_init(&inner, scope);
	if (selector->transform_first)
		LYF_TRY(transform_records(selector, &inner, records));
	LYF_TRY(filter_records(selector, &inner, records));
	if (!selector->transform_first)
		LYF_TRY(transform_records(selector, &inner, records));
	normalize_records(selector, records);
	records->facts.emitted_count = records->count;
	if (records->count > 0)
		records->facts.last_record = records->record[records->count - 1];
	return NULL;
}

const char *
lyf_selector_partition_field(const LyfSelector *selector, const char *partition_field)
{
	const char *field = NULL;

	for (int i = 0; i < selector->transform_count; i++)
	{
		const char *set = lyf_transform_slice_field(selector->transforms[i], partition_field);

		if (set != NULL)
			field = set;
		else if (field != NULL && lyf_transform_touches(selector->transforms[i], field))
			field = NULL;
	}
	return field;
}
