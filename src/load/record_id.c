/*
 * record_id.c
 *		_lyftron_id: 128 bits that say which record a row is, the same on every
 *		server and in every session.
 *
 * Two hashes (hash_bytes_extended with two seeds) over a canonical encoding of
 * the primary key's values, in the key's order; or, of a whole record, of the
 * columns that are not null, in the order of their names, each led by a hash of its name:
 * so a column that is added, and null, leaves ids as they are.  A value is a
 * letter for its class and then: integers of any width 8 bytes, floats 8 bytes
 * (-0 as 0, one NaN), times their microseconds, all big-endian; numeric its
 * digits without trailing zeros; strings length and bytes; anything else what
 * its type's send function gives, or its text.
 */
#include "postgres.h"

#include <math.h>

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "port/pg_bswap.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/syscache.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "load/load_internal.h"

#define SEED_HIGH	UINT64CONST(0x6c796674726f6e31)
#define SEED_LOW	UINT64CONST(0x9e3779b97f4a7c15)

typedef struct KeyColumn
{
	int			attno;
	Oid			type;
	const char *name;
	uint64		name_hash;
	void		(*encode) (struct KeyColumn *column, StringInfo out, Datum value);
	FmgrInfo	output;			/* of types that have no encoding of their own */
} KeyColumn;

struct LyfRecordId
{
	KeyColumn  *columns;
	int			count;
	bool		whole;
	StringInfoData buffer;
};

/* room for len more bytes: where they go */
static inline char *
reserve(StringInfo out, int len)
{
	char	   *place;

	if (out->maxlen - out->len <= len)
		enlargeStringInfo(out, len);
	place = out->data + out->len;
	out->len += len;
	return place;
}

static inline void
put_bytes(StringInfo out, char letter, const char *bytes, int len)
{
	char	   *place = reserve(out, 5 + len);
	uint32		size = pg_hton32((uint32) len);

	place[0] = letter;
	memcpy(place + 1, &size, 4);
	memcpy(place + 5, bytes, len);
}

static inline void
put_int64(StringInfo out, char letter, int64 number)
{
	char	   *place = reserve(out, 9);
	uint64		bytes = pg_hton64((uint64) number);

	place[0] = letter;
	memcpy(place + 1, &bytes, 8);
}

static void
encode_int2(KeyColumn *column, StringInfo out, Datum value)
{
	put_int64(out, 'i', DatumGetInt16(value));
}

static void
encode_int4(KeyColumn *column, StringInfo out, Datum value)
{
	put_int64(out, 'i', DatumGetInt32(value));
}

static void
encode_int8(KeyColumn *column, StringInfo out, Datum value)
{
	put_int64(out, 'i', DatumGetInt64(value));
}

static void
encode_bool(KeyColumn *column, StringInfo out, Datum value)
{
	put_int64(out, 'b', DatumGetBool(value) ? 1 : 0);
}

static void
put_double(StringInfo out, double number)
{
	union
	{
		double		number;
		int64		bits;
	}			u;

	u.number = isnan(number) ? get_float8_nan() : number == 0 ? 0.0 : number;
	put_int64(out, 'f', u.bits);
}

static void
encode_float4(KeyColumn *column, StringInfo out, Datum value)
{
	put_double(out, DatumGetFloat4(value));
}

static void
encode_float8(KeyColumn *column, StringInfo out, Datum value)
{
	put_double(out, DatumGetFloat8(value));
}

static void
encode_date(KeyColumn *column, StringInfo out, Datum value)
{
	put_int64(out, 'd', DatumGetDateADT(value));
}

static void
encode_timestamp(KeyColumn *column, StringInfo out, Datum value)
{
	put_int64(out, column->type == TIMESTAMPTZOID ? 'z' : 's', DatumGetTimestamp(value));
}

static void
encode_uuid(KeyColumn *column, StringInfo out, Datum value)
{
	put_bytes(out, 'u', (char *) DatumGetUUIDP(value)->data, UUID_LEN);
}

static void
encode_text(KeyColumn *column, StringInfo out, Datum value)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(value);
	int			len = VARSIZE_ANY_EXHDR(text);
	char	   *bytes = VARDATA_ANY(text);

	if (column->type == BPCHAROID)
	{
		while (len > 0 && bytes[len - 1] == ' ')
			len--;
	}
	put_bytes(out, column->type == BYTEAOID ? 'x' : 't', bytes, len);
}

static void
encode_numeric(KeyColumn *column, StringInfo out, Datum value)
{
	char	   *digits = numeric_normalize(DatumGetNumeric(value));

	put_bytes(out, 'n', digits, strlen(digits));
}

static void
encode_jsonb(KeyColumn *column, StringInfo out, Datum value)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	char	   *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

	put_bytes(out, 'j', text, strlen(text));
}

static void
encode_send(KeyColumn *column, StringInfo out, Datum value)
{
	bytea	   *bytes = SendFunctionCall(&column->output, value);

	put_bytes(out, 'o', VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

static void
encode_output(KeyColumn *column, StringInfo out, Datum value)
{
	char	   *text = OutputFunctionCall(&column->output, value);

	put_bytes(out, 'o', text, strlen(text));
}

static const struct
{
	Oid			type;
	void		(*encode) (KeyColumn *column, StringInfo out, Datum value);
}			encoders[] =
{
	{INT8OID, encode_int8}, {INT4OID, encode_int4}, {INT2OID, encode_int2},
	{TEXTOID, encode_text}, {VARCHAROID, encode_text}, {BPCHAROID, encode_text}, {BYTEAOID, encode_text},
	{BOOLOID, encode_bool}, {FLOAT8OID, encode_float8}, {FLOAT4OID, encode_float4},
	{TIMESTAMPTZOID, encode_timestamp}, {TIMESTAMPOID, encode_timestamp}, {DATEOID, encode_date},
	{NUMERICOID, encode_numeric}, {UUIDOID, encode_uuid}, {JSONBOID, encode_jsonb},
};

/*
 * Types without an encoding of their own.  A send function does not depend on
 * the session; but that of an array or a row type names its parts by OID, which
 * only built-in types have everywhere.
 */
static void
choose_output(KeyColumn *column)
{
	Oid			element = get_element_type(column->type);
	bool		portable = !type_is_rowtype(column->type) &&
		(!OidIsValid(element) || element < FirstGenbkiObjectId);
	HeapTuple	type = typeidType(column->type);
	Oid			send = ((Form_pg_type) GETSTRUCT(type))->typsend;
	bool		varlena;
	Oid			output;

	ReleaseSysCache(type);
	if (portable && OidIsValid(send))
	{
		fmgr_info(send, &column->output);
		column->encode = encode_send;
		return;
	}
	getTypeOutputInfo(column->type, &output, &varlena);
	fmgr_info(output, &column->output);
	column->encode = encode_output;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const KeyColumn *) a)->name, ((const KeyColumn *) b)->name);
}

/* Ids of rows of desc: of the key in attnos, or (whole) of the record that these columns are. */
LyfRecordId *
lyf_record_id_begin(TupleDesc desc, const int *attnos, int count, bool whole)
{
	LyfRecordId *record_id = palloc0(sizeof(LyfRecordId));

	record_id->columns = palloc0(sizeof(KeyColumn) * Max(count, 1));
	record_id->count = count;
	record_id->whole = whole;
	initStringInfo(&record_id->buffer);
	for (int i = 0; i < count; i++)
	{
		KeyColumn  *column = &record_id->columns[i];
		Form_pg_attribute attribute = TupleDescAttr(desc, attnos[i] - 1);

		column->attno = attnos[i];
		column->type = getBaseType(attribute->atttypid);
		column->name = NameStr(attribute->attname);
		column->name_hash = pg_hton64(hash_bytes_extended((const unsigned char *) column->name,
														  strlen(column->name), SEED_HIGH));
		for (int j = 0; j < lengthof(encoders) && column->encode == NULL; j++)
		{
			if (encoders[j].type == column->type)
				column->encode = encoders[j].encode;
		}
		if (column->encode == NULL)
			choose_output(column);
	}
	if (whole)
		qsort(record_id->columns, count, sizeof(KeyColumn), compare_names);
	return record_id;
}

static void
hash_buffer(const char *bytes, int len, pg_uuid_t *id)
{
	uint64		high = pg_hton64(hash_bytes_extended((const unsigned char *) bytes, len, SEED_HIGH));
	uint64		low = pg_hton64(hash_bytes_extended((const unsigned char *) bytes, len, SEED_LOW));

	memcpy(id->data, &high, 8);
	memcpy(id->data + 8, &low, 8);
}

/* The id of a row (all attributes there).  A key with a null in it is a failure. */
LyfFailure *
lyf_record_id(LyfRecordId *record_id, TupleTableSlot *slot, pg_uuid_t *id)
{
	StringInfo	buffer = &record_id->buffer;

	buffer->len = 0;
	for (int i = 0; i < record_id->count; i++)
	{
		KeyColumn  *column = &record_id->columns[i];
		bool		isnull = slot->tts_isnull[column->attno - 1];

		if (isnull && record_id->whole)
			continue;
		if (isnull)
			return lyf_failure(ERRCODE_NOT_NULL_VIOLATION,
							   "primary key column \"%s\" is null", column->name);
		if (record_id->whole)
			memcpy(reserve(buffer, 8), &column->name_hash, 8);
		column->encode(column, buffer, slot->tts_values[column->attno - 1]);
	}
	hash_buffer(buffer->data, buffer->len, id);
	return NULL;
}

/* The id of an item: of its parent's, the table it is in and its number there. */
void
lyf_child_id(const pg_uuid_t *parent, const char *table, int64 index, pg_uuid_t *id)
{
	char		buffer[UUID_LEN + 8 + NAMEDATALEN];
	uint64		number = pg_hton64((uint64) index);
	int			len = strnlen(table, NAMEDATALEN);

	memcpy(buffer, parent->data, UUID_LEN);
	memcpy(buffer + UUID_LEN, &number, 8);
	memcpy(buffer + UUID_LEN + 8, table, len);
	hash_buffer(buffer, UUID_LEN + 8 + len, id);
}

char *
lyf_cursor_text(Datum value, Oid type)
{
	Oid			base = getBaseType(type);
	Oid			output;
	bool		varlena;

	if (base == DATEOID || base == TIMESTAMPOID || base == TIMESTAMPTZOID)
	{
		char	   *text = palloc(MAXDATELEN + 1);
		int			utc = 0;

		JsonEncodeDateTime(text, value, base, base == TIMESTAMPTZOID ? &utc : NULL);
		return text;
	}
	getTypeOutputInfo(base, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}
