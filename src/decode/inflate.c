/*
 * inflate.c
 *		What was compressed: gzip files and deflated bytes, in bounded memory.
 *
 * zlib's own memory is taken from the current context, without raising, so an error
 * between two steps leaves nothing behind.
 */
#include "postgres.h"

#include <zlib.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/settings.h"
#include "decode/decode_internal.h"

/* inflate what has a gzip header; and what has none, as 2^15 is the largest window */
#define WINDOW_GZIP	(15 + 16)
#define WINDOW_RAW	(-15)

/* the first room for output, and the most that is inflated between two looks for interrupts */
#define FIRST_ROOM	65536
#define MAX_STEP	((size_t) 16 * 1024 * 1024)

static voidpf
take_memory(voidpf opaque, uInt items, uInt size)
{
	Size		bytes = (Size) items * size;

	if (!AllocSizeIsValid(bytes))
		return Z_NULL;
	return MemoryContextAllocExtended(opaque, bytes, MCXT_ALLOC_NO_OOM);
}

static void
give_memory(voidpf opaque, voidpf memory)
{
	pfree(memory);
}

LyfFailure *
lyf_inflate_check(size_t len)
{
	if (len <= (size_t) lyf_max_response_size * 1024)
		return NULL;
	return lyf_failure_hint(lyf_failure(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "response is larger than %d kB when it is decompressed",
										lyf_max_response_size),
							"Ask the source for smaller pages, or raise lyftron.max_response_size.");
}

static LyfFailure *
broken(const char *what)
{
	return lyf_failure(ERRCODE_DATA_CORRUPTED, "compressed data is broken: %s", what);
}

/* room for more; one byte is kept for the 0 */
static void
make_room(LyfInflated *out)
{
	if (out->len + 1 < out->room)
		return;
	out->room = Max(FIRST_ROOM, out->room * 2);
	out->bytes = out->bytes == NULL ? palloc(out->room) : repalloc_huge(out->bytes, out->room);
}

/* inflate to the end of a stream, or of the input; *result is zlib's last word */
static LyfFailure *
inflate_stream(z_stream *stream, LyfInflated *out, int *result)
{
	do
	{
		size_t		step;

		CHECK_FOR_INTERRUPTS();
		make_room(out);
		step = Min(out->room - out->len - 1, MAX_STEP);
		stream->next_out = (Bytef *) out->bytes + out->len;
		stream->avail_out = step;
		*result = inflate(stream, Z_NO_FLUSH);
		out->len += step - stream->avail_out;
		LYF_TRY(lyf_inflate_check(out->before + out->len));
	} while (*result == Z_OK && (stream->avail_in > 0 || stream->avail_out == 0));
	return NULL;
}

static LyfFailure *
begin(z_stream *stream, int window, const char *bytes, size_t len)
{
	memset(stream, 0, sizeof(*stream));
	stream->zalloc = take_memory;
	stream->zfree = give_memory;
	stream->opaque = CurrentMemoryContext;
	stream->next_in = (Bytef *) bytes;
	stream->avail_in = len;
	if (len > UINT_MAX)
		return broken("it is too long");
	if (inflateInit2(stream, window) != Z_OK)
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	return NULL;
}

/* the last word of a stream that is over */
static LyfFailure *
judge(int result, LyfInflated *out)
{
	if (result == Z_MEM_ERROR)
		return lyf_failure(ERRCODE_OUT_OF_MEMORY, "out of memory");
	if (result == Z_OK || result == Z_BUF_ERROR)
		return broken("it ends in the middle");
	if (result != Z_STREAM_END)
		return broken("it is not what deflate makes");
	out->bytes[out->len] = '\0';
	return NULL;
}

bool
lyf_is_gzip(const char *bytes, size_t len)
{
	return len >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

/* behind the last member there may be zeros */
LyfFailure *
lyf_gunzip(const char *bytes, size_t len, LyfInflated *out)
{
	z_stream	stream;
	int			result;

	LYF_TRY(begin(&stream, WINDOW_GZIP, bytes, len));
	for (;;)
	{
		LYF_TRY(inflate_stream(&stream, out, &result));
		if (result != Z_STREAM_END)
			break;
		while (stream.avail_in > 0 && *stream.next_in == 0)
		{
			stream.next_in++;
			stream.avail_in--;
		}
		if (stream.avail_in == 0)
			break;
		if (!lyf_is_gzip((const char *) stream.next_in, stream.avail_in))
			return broken("there is something else behind it");
		inflateReset(&stream);
	}
	inflateEnd(&stream);
	return judge(result, out);
}

LyfFailure *
lyf_inflate_raw(const char *bytes, size_t len, LyfInflated *out)
{
	z_stream	stream;
	int			result;

	LYF_TRY(begin(&stream, WINDOW_RAW, bytes, len));
	LYF_TRY(inflate_stream(&stream, out, &result));
	inflateEnd(&stream);
	return judge(result, out);
}

uint32
lyf_crc32(const char *bytes, size_t len)
{
	uLong		crc = crc32(0, NULL, 0);

	while (len > 0)
	{
		uInt		step = Min(len, MAX_STEP);

		crc = crc32(crc, (const Bytef *) bytes, step);
		bytes += step;
		len -= step;
	}
	return crc;
}
