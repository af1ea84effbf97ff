/*
 * progress_state.c
 *		The state of a stream as JSON, in the forms that Airbyte has it, in and
 *		out.
 *
 * Of one stream:		{"<field>": "<latest>"}
 *		or, in only:	{"state_type": "date-range", "slices": [{start, end, most_recent_cursor_value}]}
 * Of its partitions:	{"use_global_cursor", "states": [{"partition", "cursor"}], "state": <global>,
 *						"lookback_window": seconds, "parent_state": {"<parent>": ...}}
 *		or, in only:	the form of one stream, for all partitions
 *		or, in only:	{"<value of the partition>": {"<field>": "<latest>"}, ...}, where the stream has a migration of it
 * Without a cursor:	{"__ab_no_cursor_state_message": true}
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/json.h"
#include "extract/progress_internal.h"

#define NO_CURSOR_STATE	"__ab_no_cursor_state_message"

static LyfFailure *
bad_value(const LyfProgress *progress, const LyfValue *value)
{
	return lyf_failure_hint(lyf_failure_detail(lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
														   "the state of cursor \"%s\" cannot be read", progress->run.field),
											   "The value is %s, the format is \"%s\".",
											   lyf_value_to_text(value), progress->cursor->format),
							"Correct the state, or start without one.");
}

/* The time in a member of a state; *found is false if there is none. */
static LyfFailure *
read_member(const LyfProgress *progress, const LyfValue *map, const char *key, LyfInstant *instant, bool *found)
{
	const LyfValue *value = lyf_value_get(map, key);

	*found = false;
	if (value == NULL || value->kind == LYF_NULL)
		return NULL;
	if (!lyf_cursor_read(progress->cursor, value, instant))
		return bad_value(progress, value);
	*found = true;
	return NULL;
}

static const char *
text_of(const LyfValue *map, const char *key)
{
	const char *text = lyf_value_text(lyf_value_get(map, key));

	return text != NULL ? text : "";
}

static bool
is_date_range(const LyfValue *cursor)
{
	const LyfValue *slices = lyf_value_get(cursor, "slices");

	return strcmp(text_of(cursor, "state_type"), "date-range") == 0 &&
		lyf_value_is(slices, LYF_LIST) && slices->len > 0;
}

/* Intervals of a date-range state, into the track. */
static LyfFailure *
plan_date_range(LyfProgress *progress, const LyfValue *cursor)
{
	LyfTrack   *track = &progress->track;
	const LyfValue *slices = lyf_value_get(cursor, "slices");

	track->plan = palloc0(sizeof(LyfInterval) * slices->len);
	lyf_foreach(slice, slices)
	{
		LyfInterval *interval = &track->plan[track->plan_count];
		bool		has_start;
		bool		has_end;

		LYF_TRY(read_member(progress, slice, "start", &interval->start, &has_start));
		LYF_TRY(read_member(progress, slice, "end", &interval->end, &has_end));
		LYF_TRY(read_member(progress, slice, "most_recent_cursor_value", &interval->seen, &interval->has_seen));
		if (!has_start || !has_end)
			return bad_value(progress, slice);
		track->plan_count++;
	}
	track->floor = track->plan[0].has_seen ? track->plan[0].seen : track->plan[0].end;
	return NULL;
}

/* The one interval of a sequential state: from the start to the state, all read. */
static LyfFailure *
plan_sequential(LyfProgress *progress, const LyfValue *cursor, int64 lookback)
{
	LyfTrack   *track = &progress->track;
	LyfInstant	reached;
	bool		found;

	LYF_TRY(read_member(progress, cursor, progress->run.field, &reached, &found));
	if (found && lookback > 0)
	{
		reached.us -= lookback * USECS_PER_SEC;
		if (!lyf_cursor_read(progress->cursor, lyf_cursor_value(progress->cursor, reached), &reached))
			found = false;
	}
	if (!found || reached.us < progress->run.start.us)
		reached = progress->run.start;
	track->plan = palloc0(sizeof(LyfInterval));
	track->plan[0] = (LyfInterval) {
		.start = progress->run.start,.end = reached,.seen = reached,.has_seen = true
	};
	track->plan_count = 1;
	track->floor = reached;
	return NULL;
}

/* While only the global cursor counts, it also says which records are known. */
static LyfFailure *
plan_floor(LyfProgress *progress)
{
	LyfTrack	track = progress->track;
	LyfValue   *cursor = lyf_value_make(LYF_MAP);
	LyfFailure *failure;

	if (progress->has_global)
		lyf_value_set(cursor, progress->run.field,
					  lyf_cursor_value(progress->cursor, progress->global));
	failure = plan_sequential(progress, cursor, progress->has_global ? progress->lookback : 0);
	track.floor = progress->track.floor;
	progress->track = track;
	return failure;
}

/*
 * Lay out what the open partition has behind it, from its cursor (a state of
 * one stream) less lookback seconds, in CurrentMemoryContext.
 */
LyfFailure *
lyf_progress_plan(LyfProgress *progress, const LyfValue *cursor, int64 lookback)
{
	LyfTrack   *track = &progress->track;

	if (progress->track_resumed)
	{
		lyf_progress_note(progress);
		return NULL;
	}
	memset(track, 0, sizeof(LyfTrack));
	track->windows.range = -1;
	if (is_date_range(cursor))
		LYF_TRY(plan_date_range(progress, cursor));
	else
		LYF_TRY(plan_sequential(progress, cursor, lookback));
	track->plan_count = lyf_intervals_merge(&progress->run, track->plan, track->plan_count);
	track->done = palloc(sizeof(LyfInterval) * track->plan_count);
	memcpy(track->done, track->plan, sizeof(LyfInterval) * track->plan_count);
	track->done_count = track->plan_count;
	if (progress->partitioned && progress->use_global)
		LYF_TRY(plan_floor(progress));
	lyf_progress_note(progress);
	return NULL;
}

/* How far the open partition was read without a gap. */
LyfInstant
lyf_progress_reached(const LyfProgress *progress)
{
	const LyfInterval *first = &progress->track.done[0];

	return first->has_seen ? first->seen : first->start;
}

/*
 * Write that into the partition's cursor.  A number, or a text of the same length, is written over
 * the old one, so that this takes no memory each time.
 */
void
lyf_progress_note(LyfProgress *progress)
{
	LyfPartition *partition = progress->current;
	LyfValue   *reached = lyf_cursor_value(progress->cursor, lyf_progress_reached(progress));
	LyfValue   *value;
	MemoryContext old;

	if (partition->cursor == NULL)
		return;
	if (is_date_range(partition->cursor))
	{
		const LyfValue *legacy = lyf_value_get(partition->cursor, "legacy");

		old = MemoryContextSwitchTo(progress->cxt);
		partition->cursor = lyf_value_is(legacy, LYF_MAP) ? lyf_value_copy(legacy) : lyf_value_make(LYF_MAP);
		MemoryContextSwitchTo(old);
	}
	value = lyf_value_get(partition->cursor, progress->run.field);
	if (lyf_value_is(value, LYF_STRING) && reached->kind == LYF_STRING && value->len == reached->len)
		memcpy(unconstify(char *, value->u.text), reached->u.text, value->len);
	else if (lyf_value_is(value, LYF_INT) && reached->kind == LYF_INT)
		value->u.integer = reached->u.integer;
	else
	{
		old = MemoryContextSwitchTo(progress->cxt);
		lyf_value_set(partition->cursor, progress->run.field, lyf_value_copy(reached));
		MemoryContextSwitchTo(old);
	}
	if (reached->kind == LYF_STRING)
		pfree(unconstify(char *, reached->u.text));
	pfree(reached);
}

static LyfFailure *
load_global(LyfProgress *progress, const LyfValue *global)
{
	LYF_TRY(read_member(progress, global, progress->run.field, &progress->global, &progress->has_global));
	progress->new_global = progress->global;
	progress->has_new_global = progress->has_global;
	return NULL;
}

/* A partition's cursor as it would be given back: in the cursor's format, and not before the start. */
static LyfFailure *
load_cursor(const LyfProgress *progress, const LyfValue *given, LyfValue **cursor)
{
	LyfInstant	reached;
	bool		found;

	*cursor = lyf_value_copy(given);
	if (is_date_range(given))
		return NULL;
	LYF_TRY(read_member(progress, given, progress->run.field, &reached, &found));
	if (!found || reached.us < progress->run.start.us)
		reached = progress->run.start;
	lyf_value_set(*cursor, progress->run.field, lyf_cursor_value(progress->cursor, reached));
	return NULL;
}

/* partitions by their values alone; what is anything else is another form of state */
static bool
is_legacy(const LyfProgress *progress, const LyfValue *state)
{
	if (progress->cursor->legacy_field == NULL || !lyf_value_is(state, LYF_MAP) || state->len == 0)
		return false;
	lyf_foreach(member, state)
	{
		if (member->kind != LYF_MAP || member->len != 1 || strcmp(member->u.first->key, progress->run.field) != 0)
			return false;
	}
	return true;
}

/* the same with the partitions written out */
static LyfValue *
migrate_legacy(const LyfProgress *progress, const LyfValue *legacy)
{
	LyfValue   *states = lyf_value_make(LYF_LIST);
	LyfValue   *last = NULL;

	lyf_foreach(member, legacy)
	{
		LyfValue   *partition = lyf_value_make(LYF_MAP);
		LyfValue   *state = lyf_value_make(LYF_MAP);

		lyf_value_set(partition, progress->cursor->legacy_field, lyf_value_string_len(member->key, member->key_len));
		lyf_value_set(state, "partition", partition);
		lyf_value_set(state, "cursor", lyf_value_alias(member));
		lyf_progress_push(states, &last, state);
	}
	return states;
}

static LyfFailure *
load_partitions(LyfProgress *progress, const LyfValue *states)
{
	if (!lyf_value_is(states, LYF_LIST))
		return NULL;
	lyf_foreach(state, states)
	{
		const LyfValue *partition = lyf_value_get(state, "partition");
		const LyfValue *cursor = lyf_value_get(state, "cursor");
		LyfValue   *loaded;
		StringInfoData key;

		CHECK_FOR_INTERRUPTS();
		if (!lyf_value_is(partition, LYF_MAP) || !lyf_value_is(cursor, LYF_MAP))
			return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE,
							   "each of the state's partitions must have the maps \"partition\" and \"cursor\"");
		initStringInfo(&key);
		lyf_value_print_sorted(&key, partition);
		LYF_TRY(load_cursor(progress, cursor, &loaded));
		lyf_progress_add(progress, key.data, loaded);
		pfree(key.data);
	}
	return NULL;
}

/* Take in the state that the read begins with. */
LyfFailure *
lyf_progress_load(LyfProgress *progress)
{
	const LyfValue *state = progress->initial;
	const LyfValue *states = lyf_value_get(state, "states");
	const LyfValue *global = lyf_value_get(state, "state");
	const LyfValue *seconds = lyf_value_get(state, "lookback_window");

	if (state != NULL && state->kind != LYF_MAP && state->kind != LYF_NULL)
		return lyf_failure(ERRCODE_INVALID_PARAMETER_VALUE, "the state must be a JSON object");
	if (!progress->partitioned)
	{
		progress->current = palloc0(sizeof(LyfPartition));
		progress->current->cursor = lyf_value_is(state, LYF_MAP) ? lyf_value_copy(state) : lyf_value_make(LYF_MAP);
		return NULL;
	}
	if (is_legacy(progress, state))
		return load_partitions(progress, migrate_legacy(progress, state));
	if (states == NULL && global == NULL)
		return load_global(progress, state);
	progress->use_global = lyf_value_is(lyf_value_get(state, "use_global_cursor"), LYF_BOOL) &&
		lyf_value_get(state, "use_global_cursor")->u.boolean;
	if (seconds != NULL && (seconds->kind == LYF_INT || seconds->kind == LYF_NUMBER))
		progress->lookback = (int64) Min(Max(lyf_value_double(seconds), 0), 1e10);
	LYF_TRY(load_partitions(progress, states));
	return load_global(progress, global);
}

static LyfFailure *
partition_states(LyfProgress *progress, LyfValue **states)
{
	LyfValue   *last = NULL;
	dlist_iter	iter;

	*states = lyf_value_make(LYF_LIST);
	dlist_foreach(iter, &progress->partitions)
	{
		LyfPartition *partition = dlist_container(LyfPartition, node, iter.cur);
		LyfValue   *state;
		LyfValue   *key;

		if (partition->cursor == NULL || partition->cursor->len == 0)
			continue;
		LYF_TRY(lyf_json_parse_copy(partition->key, strlen(partition->key), &key));
		state = lyf_value_make(LYF_MAP);
		lyf_value_set(state, "partition", key);
		lyf_value_set(state, "cursor", lyf_value_alias(partition->cursor));
		lyf_progress_push(*states, &last, state);
	}
	return NULL;
}

static LyfFailure *
partitioned_state(LyfProgress *progress, const LyfValue *parent_state, LyfValue **out)
{
	LyfValue   *state = lyf_value_make(LYF_MAP);
	LyfValue   *states;
	LyfValue   *global;

	lyf_value_set(state, "use_global_cursor", lyf_value_bool(progress->use_global));
	if (!progress->use_global)
	{
		LYF_TRY(partition_states(progress, &states));
		lyf_value_set(state, "states", states);
	}
	if (progress->has_global)
	{
		global = lyf_value_make(LYF_MAP);
		lyf_value_set(global, progress->run.field,
					  lyf_cursor_value(progress->cursor, progress->global));
		lyf_value_set(state, "state", global);
	}
	lyf_value_set(state, "lookback_window", lyf_value_int(progress->lookback));
	if (parent_state == NULL && !progress->finished)
		parent_state = lyf_value_get(progress->initial, "parent_state");
	if (parent_state != NULL)
		lyf_value_set(state, "parent_state", lyf_value_alias(parent_state));
	*out = state;
	return NULL;
}

/* The state shares nodes with the progress: print or copy it before the read goes on. */
LyfFailure *
lyf_progress_state(LyfProgress *progress, const LyfValue *parent_state, LyfValue **state)
{
	if (progress->run.restricted)
		*state = progress->initial != NULL ? lyf_value_alias(progress->initial) : lyf_value_make(LYF_MAP);
	else if (progress->cursor == NULL)
	{
		*state = lyf_value_make(LYF_MAP);
		lyf_value_set(*state, NO_CURSOR_STATE, lyf_value_bool(true));
	}
	else if (progress->partitioned)
		return partitioned_state(progress, parent_state, state);
	else
		*state = lyf_value_alias(progress->current->cursor);
	return NULL;
}
