/*
 * fuzz_decoder.c
 *		Pages that are no JSON: CSV, XML, gzip and ZIP, each by decoders of several definitions.
 *
 * The input's first byte chooses the definition, the rest is the page.  What it is decoded to must be
 * printable in each way.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "fuzz.h"
#include "base/document.h"
#include "decode/decode_internal.h"

LYF_FUNCTION_INFO_V1(fuzz_csv);
LYF_FUNCTION_INFO_V1(fuzz_xml);
LYF_FUNCTION_INFO_V1(fuzz_gzip);
LYF_FUNCTION_INFO_V1(fuzz_zip);

#define MAX_DEFINITIONS	8

static const char *const csv_definitions[] = {
	"type: CsvDecoder",
	"{type: CsvDecoder, delimiter: ';', set_values_to_none: ['', 'NULL']}",
	"{type: CsvDecoder, delimiter: '\\t', encoding: latin-1}",
	"{type: CsvDecoder, encoding: utf-8-sig}",
	"{type: CsvDecoder, encoding: windows-1252}",
	"{type: CsvDecoder, encoding: shift_jis}"
};

static const char *const xml_definitions[] = {
	"type: XmlDecoder"
};

static const char *const gzip_definitions[] = {
	"{type: GzipDecoder, decoder: {type: JsonDecoder}}",
	"{type: GzipDecoder, decoder: {type: CsvDecoder}}",
	"{type: GzipDecoder, decoder: {type: JsonlDecoder}}",
	"{type: GzipDecoder, decoder: {type: GzipDecoder, decoder: {type: IterableDecoder}}}"
};

static const char *const zip_definitions[] = {
	"{type: ZipfileDecoder, decoder: {type: JsonDecoder}}",
	"{type: ZipfileDecoder, decoder: {type: CsvDecoder}}",
	"{type: ZipfileDecoder, decoder: {type: GzipDecoder, decoder: {type: JsonlDecoder}}}"
};

static LyfDecoder *decoders[MAX_DEFINITIONS];
static int	decoder_count;

static void
prepare(const char *const *definitions, int count)
{
	for (int i = 0; i < count; i++)
	{
		json_t	   *definition;
		LyfComponent component;
		LyfFailure *failure = lyf_document_from_yaml(definitions[i], strlen(definitions[i]), &definition);

		if (failure == NULL)
		{
			component = lyf_component(definition, "");
			failure = lyf_decoder_compile(&component, &decoders[i]);
		}
		if (failure != NULL)
			fuzz_finding("%s: %s", definitions[i], failure->message);
	}
	decoder_count = count;
}

static void
try_decoder(const char *data, size_t size)
{
	LyfBodies	bodies;
	LyfFailure *failure;
	char	   *page;

	if (size < 2)
		return;
	page = palloc(size);
	memcpy(page, data + 1, size - 1);
	page[size - 1] = '\0';
	lyf_bodies_init(&bodies);
	failure = lyf_decoder_parse(decoders[(unsigned char) data[0] % decoder_count], page, size - 1, &bodies);
	fuzz_look_at(failure);
	lyf_foreach(body, bodies.list)
		fuzz_print(body);
}

#define FUZZ_DECODER(kind) \
Datum \
fuzz_##kind(PG_FUNCTION_ARGS) \
{ \
	MemoryContextSwitchTo(TopMemoryContext); \
	prepare(kind##_definitions, lengthof(kind##_definitions)); \
	fuzz_run(PG_GETARG_ARRAYTYPE_P(0), try_decoder); \
	PG_RETURN_VOID(); \
}

FUZZ_DECODER(csv)
FUZZ_DECODER(xml)
FUZZ_DECODER(gzip)
FUZZ_DECODER(zip)
