/*
 * decoder_zip.c
 *		A page that is a ZIP archive: each of its files, in the order of the archive's
 *		directory, is for another decoder.
 *
 * The directory stands at the end, behind the files.  All numbers are little-endian and
 * come from a stranger: each place is checked to be within the page before it is read.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "decode/decode_internal.h"

/* the records' signatures, and how long each is without what varies */
#define END_MARK		0x06054b50
#define END_LEN			22
#define END_64_MARK		0x06064b50
#define END_64_LEN		56
#define LOCATOR_64_MARK 0x07064b50
#define LOCATOR_64_LEN	20
#define ENTRY_MARK		0x02014b50
#define ENTRY_LEN		46
#define FILE_MARK		0x04034b50
#define FILE_LEN		30

#define MAX_COMMENT		65535

#define FLAG_ENCRYPTED	0x0001
#define METHOD_STORED	0
#define METHOD_DEFLATED 8
#define EXTRA_64		0x0001

typedef struct Archive
{
	char	   *bytes;
	size_t		len;
	uint64		count;			/* of files */
	uint64		at;				/* the directory's next entry */
	size_t		inflated;		/* bytes of the files so far */
} Archive;

typedef struct Entry
{
	int			flags;
	int			method;
	uint32		crc;
	uint64		packed;
	uint64		size;
	uint64		file_at;
	const char *name;			/* name_len bytes */
	size_t		name_len;
} Entry;

static uint64
number(const char *bytes, int width)
{
	uint64		value = 0;

	for (int i = width - 1; i >= 0; i--)
		value = value << 8 | (unsigned char) bytes[i];
	return value;
}

static LyfFailure *
broken(const char *what)
{
	return lyf_failure(ERRCODE_DATA_CORRUPTED, "response is no valid ZIP archive: %s", what);
}

/* are there len bytes at a place? */
static bool
holds(const Archive *archive, uint64 at, uint64 len)
{
	return at <= archive->len && len <= archive->len - at;
}

static bool
has_mark(const Archive *archive, uint64 at, uint64 len, uint32 mark)
{
	return holds(archive, at, len) && number(archive->bytes + at, 4) == mark;
}

/* where the archive's end record says that its directory is */
static LyfFailure *
find_directory(Archive *archive)
{
	uint64		end = archive->len >= END_LEN ? archive->len - END_LEN : 0;
	uint64		lowest = end > MAX_COMMENT ? end - MAX_COMMENT : 0;
	uint64		locator;

	while (end > lowest && !has_mark(archive, end, END_LEN, END_MARK))
		end--;
	if (!has_mark(archive, end, END_LEN, END_MARK))
		return broken("it has no directory");
	archive->count = number(archive->bytes + end + 10, 2);
	archive->at = number(archive->bytes + end + 16, 4);
	if (end < LOCATOR_64_LEN)
		return NULL;
	locator = end - LOCATOR_64_LEN;
	if (!has_mark(archive, locator, LOCATOR_64_LEN, LOCATOR_64_MARK))
		return NULL;
	end = number(archive->bytes + locator + 8, 8);
	if (!has_mark(archive, end, END_64_LEN, END_64_MARK))
		return broken("its directory is not where it should be");
	archive->count = number(archive->bytes + end + 32, 8);
	archive->at = number(archive->bytes + end + 48, 8);
	return NULL;
}

/* numbers that need more than 32 bits stand in the entry's extra fields */
static void
read_long_numbers(Entry *entry, const char *extra, size_t len)
{
	uint64	   *numbers[] = {&entry->size, &entry->packed, &entry->file_at};

	while (len >= 4)
	{
		size_t		field_len = Min(number(extra + 2, 2), len - 4);
		size_t		read = 0;

		for (int i = 0; i < lengthof(numbers) && number(extra, 2) == EXTRA_64; i++)
		{
			if (*numbers[i] != PG_UINT32_MAX || read + 8 > field_len)
				continue;
			*numbers[i] = number(extra + 4 + read, 8);
			read += 8;
		}
		extra += 4 + field_len;
		len -= 4 + field_len;
	}
}

static LyfFailure *
next_entry(Archive *archive, Entry *entry)
{
	const char *p;
	size_t		extra_len;
	uint64		len;

	if (!has_mark(archive, archive->at, ENTRY_LEN, ENTRY_MARK))
		return broken("its directory is cut off");
	p = archive->bytes + archive->at;
	entry->flags = number(p + 8, 2);
	entry->method = number(p + 10, 2);
	entry->crc = number(p + 16, 4);
	entry->packed = number(p + 20, 4);
	entry->size = number(p + 24, 4);
	entry->name_len = number(p + 28, 2);
	extra_len = number(p + 30, 2);
	entry->file_at = number(p + 42, 4);
	entry->name = p + ENTRY_LEN;
	len = ENTRY_LEN + entry->name_len + extra_len + number(p + 32, 2);
	if (!holds(archive, archive->at, len))
		return broken("its directory is cut off");
	read_long_numbers(entry, entry->name + entry->name_len, extra_len);
	archive->at += len;
	return NULL;
}

/* the file's bytes, inflated, with a 0 behind them */
static LyfFailure *
unpack(Archive *archive, const Entry *entry, LyfInflated *out)
{
	uint64		at;

	if (!has_mark(archive, entry->file_at, FILE_LEN, FILE_MARK))
		return broken("a file is not where it should be");
	at = entry->file_at + FILE_LEN + number(archive->bytes + entry->file_at + 26, 2) +
		number(archive->bytes + entry->file_at + 28, 2);
	if (!holds(archive, at, entry->packed))
		return broken("a file is cut off");
	if (entry->flags & FLAG_ENCRYPTED)
		return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "ZIP archives with encrypted files are not supported");
	LYF_TRY(lyf_inflate_check(archive->inflated + entry->size));
	out->before = archive->inflated;
	if (entry->method == METHOD_DEFLATED)
		LYF_TRY(lyf_inflate_raw(archive->bytes + at, entry->packed, out));
	else if (entry->method == METHOD_STORED)
	{
		out->len = entry->packed;
		out->bytes = MemoryContextAllocHuge(CurrentMemoryContext, out->len + 1);
		memcpy(out->bytes, archive->bytes + at, out->len);
		out->bytes[out->len] = '\0';
	}
	else
		return lyf_failure(ERRCODE_FEATURE_NOT_SUPPORTED, "compression method %d of ZIP archives is not supported", entry->method);
	if (out->len != entry->size || lyf_crc32(out->bytes, out->len) != entry->crc)
		return broken("a file's checksum is wrong");
	archive->inflated += out->len;
	return NULL;
}

static LyfFailure *
parse_zip(const void *state, char *bytes, size_t len, LyfBodies *bodies)
{
	Archive		archive = {bytes, len};

	LYF_TRY(find_directory(&archive));
	for (uint64 i = 0; i < archive.count; i++)
	{
		LyfInflated file = {0};
		LyfFailure *failure;
		Entry		entry;

		CHECK_FOR_INTERRUPTS();
		LYF_TRY(next_entry(&archive, &entry));
		if (entry.name_len > 0 && entry.name[entry.name_len - 1] == '/')
			continue;			/* a folder */
		LYF_TRY(unpack(&archive, &entry, &file));
		failure = lyf_decoder_parse(state, file.bytes, file.len, bodies);
		if (failure != NULL)
			return lyf_failure_detail(failure, "It is in file number " UINT64_FORMAT " of the archive.", i + 1);
	}
	return NULL;
}

const LyfDecoderKind lyf_decoder_zip = {"ZipfileDecoder", lyf_decoder_compile_inner, NULL, parse_zip};
