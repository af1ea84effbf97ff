/*
 * select.c
 *		Bodies to records: RecordSelector.
 *
 * The extractor finds records at a path of each body; the filter keeps some, the
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
	LyfPathTemplate field_path;
	LyfTemplate *filter;		/* RecordFilter's condition, or NULL */
	LyfTransform **transforms;
	int			transform_count;
	bool		transform_first;
	bool		normalize;
	const LyfValue *normalize_by;	/* the schema, or NULL: as the source has it */
};

static LyfFailure *
compile_extractor(const LyfComponent *c, LyfSelector *selector)
{
	LyfComponent expander = lyf_component_child(c, "record_expander");

	if (strcmp(c->type, "DpathExtractor") != 0)
		return lyf_component_unsupported(c);
	if (expander.json != NULL)
		return lyf_component_unsupported(&expander);
	return lyf_path_template_compile(c, "field_path", &selector->field_path);
}

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
					 LyfSelector **out)
{
	LyfComponent retriever = lyf_component_child(stream, "retriever");
	LyfComponent c = lyf_component_child(&retriever, "record_selector");
	LyfComponent extractor = lyf_component_child(&c, "extractor");
	LyfComponent filter = lyf_component_child(&c, "record_filter");
	LyfSelector *selector = palloc0(sizeof(LyfSelector));

	if (c.json == NULL)
		return lyf_component_invalid(&retriever, "record_selector is missing");
	if (strcmp(c.type, "RecordSelector") != 0)
		return lyf_component_unsupported(&c);
	if (extractor.json == NULL)
		return lyf_component_invalid(&c, "extractor is missing");
	LYF_TRY(compile_extractor(&extractor, selector));
	LYF_TRY(compile_filter(&filter, transform_first, selector));
	LYF_TRY(compile_transforms(stream, selector));
	LYF_TRY(compile_normalization(&c, schema, selector));
	LYF_TRY(lyf_component_bool(&c, "transform_before_filtering", transform_first,
							   &selector->transform_first));
	*out = selector;
	return NULL;
}

/* the path of this read: it sees nothing but the configuration */
static LyfFailure *
evaluate_path(const LyfSelector *selector, const LyfSession *session, LyfPath *path, bool *fan_out)
{
	LYF_TRY(lyf_path_template_eval(&selector->field_path, &session->scope, path));
	*fan_out = false;
	for (int i = 0; i < path->len; i++)
		*fan_out = *fan_out || strcmp(path->part[i], "*") == 0;
	return NULL;
}

static void
add_record(LyfRecords *records, LyfValue *record)
{
	if (records->count == records->room)
	{
		records->room = Max(1024, records->room * 2);
		records->record = records->record == NULL ? palloc(records->room * sizeof(LyfValue *)) :
			repalloc_huge(records->record, records->room * sizeof(LyfValue *));
	}
	records->record[records->count++] = record;
}

/* a list's items, or the value itself if there is something to it */
static void
add_extracted(LyfRecords *records, LyfValue *extracted)
{
	if (extracted->kind == LYF_LIST)
	{
		lyf_foreach(record, extracted)
			add_record(records, record);
	}
	else if (lyf_value_truth(extracted))
		add_record(records, extracted);
}

/*
 * With a * in it, all that matches is records, lists among them too; else there may be one
 * match.
 */
static LyfFailure *
extract(LyfValue *body, const LyfPath *path, bool fan_out, LyfRecords *records)
{
	LyfMatches	places = {0};
	LyfValue   *found;

	if (!path->glob)
	{
		found = lyf_path_get(body, path);
		if (found != NULL)
			add_extracted(records, found);
		return NULL;
	}
	lyf_path_find(body, path, &places);
	if (fan_out)
	{
		for (int i = 0; i < places.count; i++)
			add_record(records, places.match[i].value);
		return NULL;
	}
	if (places.count > 1)
		return lyf_failure(ERRCODE_DATA_EXCEPTION,
						   "field_path matches more than one value of the response");
	if (places.count == 1)
		add_extracted(records, places.match[0].value);
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

/* the order matters to what paging counts: extracted ones, and the last one that is left */
LyfFailure *
lyf_select_records(LyfSelector *selector, LyfSession *session, const LyfScope *scope,
				   LyfDecoder *decoder, LyfPage *page, LyfRecords *records)
{
	LyfScope	inner;
	LyfValue   *bodies;
	LyfPath		path;
	bool		fan_out;

	memset(records, 0, sizeof(LyfRecords));
	LYF_TRY(lyf_decode_page(decoder, page, &bodies));
	LYF_TRY(evaluate_path(selector, session, &path, &fan_out));
	if (page->watched && (selector->transform_count > 0 || selector->normalize_by != NULL))
	{
		/* the copy may be as large as all there is */
		LYF_TRY(lyf_memory_check(MemoryContextMemAllocated(CurrentMemoryContext, true)));
		lyf_page_keep_response(page);
	}
	lyf_foreach(body, bodies)
		LYF_TRY(extract(body, &path, fan_out, records));
	LYF_TRY(lyf_memory_check(0));
	records->facts.record_count = records->count;

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
