/*
 * fuzz.c
 *		libFuzzer inside a backend: memory contexts, errors, catalogs and jsonb_in are the server's own.
 *
 * A single-user backend calls a function of this module, which never returns: libFuzzer calls
 * the target over and over, and ends the process.  Only what is linked into this module is
 * watched for coverage.
 */
#include "postgres.h"

#include <sanitizer/allocator_interface.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "fuzz.h"
#include "base/json.h"

/* of processor time, so that a busy machine changes nothing */
#define TICK_MS			100
#define CANCEL_TICKS	100		/* then an input is cancelled */
#define END_TICKS		150		/* and by now it has ended */

#define LEAKS			20		/* runs of one input, each of which left memory behind */

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target) (const uint8 *data, size_t size));

PG_MODULE_MAGIC;

static volatile sig_atomic_t ticks;
static FuzzTarget current;
static MemoryContext fuzz_cxt;
static uint64 inputs;
static uint64 errors;
static uint64 cancels;

void
fuzz_finding(const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	fputs("finding: ", stderr);
	vfprintf(stderr, fmt, args);
	fputs("\n", stderr);
	va_end(args);
	abort();
}

/* cancel what takes long, once, and abort what goes on after that */
static void
tick(int signo)
{
	ticks++;
	if (ticks == CANCEL_TICKS)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
	else if (ticks == END_TICKS)
	{
		static const char message[] = "finding: goes on after it was cancelled\n";

		(void) !write(STDERR_FILENO, message, sizeof(message) - 1);
		abort();
	}
}

static void
start_ticks(void)
{
	struct itimerval every = {{0, TICK_MS * 1000}, {0, TICK_MS * 1000}};

	pqsignal(SIGVTALRM, tick);
	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

static void
print_counts(void)
{
	fprintf(stderr, "lyftron: " UINT64_FORMAT " inputs, " UINT64_FORMAT " ended with an error, " UINT64_FORMAT " cancelled\n",
			inputs, errors, cancels);
}

static void
run_target(const uint8 *data, size_t size)
{
	MemoryContext caller = CurrentMemoryContext;

	ticks = 0;
	MemoryContextSwitchTo(fuzz_cxt);
	PG_TRY();
	{
		current((const char *) data, size);
	}
	PG_CATCH();
	{
		errors++;
		cancels += geterrcode() == ERRCODE_QUERY_CANCELED;
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(fuzz_cxt);
}

/* Memory that stays may be a cache's, once; an input that leaves as much each time leaks. */
static int
run_one(const uint8 *data, size_t size)
{
	size_t		before = __sanitizer_get_current_allocated_bytes();
	int			leaks = 0;
	size_t		after;

	inputs++;
	run_target(data, size);
	for (;;)
	{
		after = __sanitizer_get_current_allocated_bytes();
		if (after <= before)
			return 0;
		fuzz_expect(++leaks < LEAKS, "leaks %zu bytes each time", after - before);
		before = after;
		run_target(data, size);
	}
}

void
fuzz_run(ArrayType *arguments, FuzzTarget target)
{
	Datum	   *elements;
	int			count;
	int			argc = 1;
	char	  **argv;

	deconstruct_array(arguments, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	argv = palloc0((count + 2) * sizeof(char *));
	argv[0] = my_exec_path;
	while (argc <= count)
	{
		argv[argc] = TextDatumGetCString(elements[argc - 1]);
		argc++;
	}
	current = target;
	fuzz_cxt = AllocSetContextCreate(TopMemoryContext, "fuzz", ALLOCSET_DEFAULT_SIZES);
	start_ticks();
	atexit(print_counts);
	exit(LLVMFuzzerRunDriver(&argc, &argv, run_one));
}

void
fuzz_look_at(const LyfFailure *failure)
{
	size_t		len;

	if (failure == NULL)
		return;
	fuzz_expect(failure->message != NULL && failure->message[0] != '\0', "a failure without a message");
	len = strlen(failure->message);
	fuzz_expect(pg_encoding_verifymbstr(PG_UTF8, failure->message, len) == len, "a message that is not valid text");
}

Jsonb *
fuzz_jsonb_in(const char *text)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile jsonb = NULL;

	PG_TRY();
	{
		jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		if (geterrcode() == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return jsonb;
}

Jsonb *
fuzz_to_jsonb(const LyfValue *value)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile jsonb = NULL;

	PG_TRY();
	{
		jsonb = lyf_value_to_jsonb(value);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		if (geterrcode() == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return jsonb;
}

bool
fuzz_same_jsonb(const Jsonb *a, const Jsonb *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(VARDATA(a), VARDATA(b), VARSIZE(a) - VARHDRSZ) == 0;
}

void
fuzz_print(const LyfValue *value)
{
	StringInfoData sorted;
	char	   *text = lyf_value_to_text(value);
	Jsonb	   *jsonb = fuzz_to_jsonb(value);
	LyfValue   *again;
	Jsonb	   *printed;

	initStringInfo(&sorted);
	lyf_value_print_sorted(&sorted, value);
	if (jsonb == NULL)
		return;
	fuzz_expect(lyf_json_parse_copy(text, strlen(text), &again) == NULL, "cannot read what was printed: %s", text);
	printed = fuzz_jsonb_in(text);
	fuzz_expect(printed != NULL, "jsonb refuses what was printed: %s", text);
	fuzz_expect(fuzz_same_jsonb(jsonb, printed), "jsonb reads what was printed as something else: %s", text);
	printed = fuzz_jsonb_in(sorted.data);
	fuzz_expect(printed != NULL && fuzz_same_jsonb(jsonb, printed), "printed sorted it is something else: %s", sorted.data);
	again = lyf_value_from_jsonb(jsonb);
	fuzz_expect(fuzz_same_jsonb(jsonb, lyf_value_to_jsonb(again)), "to and from jsonb it is something else: %s", text);
}
