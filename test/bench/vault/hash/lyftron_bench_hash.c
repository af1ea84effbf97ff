/*
 * lyftron_bench_hash.c
 *		Digests of the same bytes by OpenSSL alone and by the extension, and the extension's way from values to a digest: a module of
 *		the benchmark alone, linked with the extension's own objects.  Each function gives nanoseconds of CPU a digest.
 */
#include "postgres.h"

#include <openssl/evp.h>
#include <time.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "vault/hash.h"

PG_MODULE_MAGIC;

LYF_FUNCTION_INFO_V1(bench_openssl);
LYF_FUNCTION_INFO_V1(bench_digest);
LYF_FUNCTION_INFO_V1(bench_hasher);

static double
cpu_nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* bench_openssl(algorithm, text, times): the least that can be asked of OpenSSL, one context for all */
Datum
bench_openssl(PG_FUNCTION_ARGS)
{
	EVP_MD	   *algorithm = EVP_MD_fetch(NULL, text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	text	   *bytes = PG_GETARG_TEXT_PP(1);
	int			times = PG_GETARG_INT32(2);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	double		start;

	if (algorithm == NULL || EVP_DigestInit_ex2(context, algorithm, NULL) != 1)
		ereport(ERROR, (errmsg("OpenSSL does not offer this digest")));
	start = cpu_nanoseconds();
	for (int i = 0; i < times; i++)
	{
		EVP_DigestInit_ex2(context, NULL, NULL);
		EVP_DigestUpdate(context, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		EVP_DigestFinal_ex(context, digest, NULL);
	}
	start = cpu_nanoseconds() - start;
	EVP_MD_CTX_free(context);
	EVP_MD_free(algorithm);
	PG_RETURN_FLOAT8(start / times);
}

/* bench_digest(algorithm, text, times): the same by the extension */
Datum
bench_digest(PG_FUNCTION_ARGS)
{
	LyfDigest  *algorithm = lyf_digest_get(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	text	   *bytes = PG_GETARG_TEXT_PP(1);
	int			times = PG_GETARG_INT32(2);
	uint8		digest[LYF_HASH_MAX];
	double		start;

	if (algorithm == NULL)
		ereport(ERROR, (errmsg("there is no such digest")));
	start = cpu_nanoseconds();
	for (int i = 0; i < times; i++)
		lyf_digest_run(algorithm, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes), digest);
	PG_RETURN_FLOAT8((cpu_nanoseconds() - start) / times);
}

/* the texts of an array, one behind the other */
static LyfText *
lay_out(ArrayType *array, StringInfo buffer, int *count)
{
	Datum	   *values;
	bool	   *nulls;
	LyfText    *texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, count);
	texts = palloc0(sizeof(LyfText) * *count);
	for (int i = 0; i < *count; i++)
	{
		texts[i].start = buffer->len;
		texts[i].null = nulls[i];
		if (!nulls[i])
			appendStringInfoString(buffer, TextDatumGetCString(values[i]));
		texts[i].len = buffer->len - texts[i].start;
	}
	return texts;
}

/* bench_hasher(settings, values, times): a hash difference of these texts, from values to digest */
Datum
bench_hasher(PG_FUNCTION_ARGS)
{
	const LyfHashRules *rules = lyf_hash_rules(lyf_value_from_jsonb(PG_GETARG_JSONB_P(0)));
	int			times = PG_GETARG_INT32(2);
	StringInfoData buffer;
	int			count;
	LyfText    *texts;
	int		   *columns;
	LyfHasher  *hasher;
	uint8		digest[LYF_HASH_MAX];
	double		start;

	initStringInfo(&buffer);
	texts = lay_out(PG_GETARG_ARRAYTYPE_P(1), &buffer, &count);
	columns = palloc(sizeof(int) * count);
	for (int i = 0; i < count; i++)
		columns[i] = i;
	hasher = lyf_hasher_begin(rules, LYF_HASH_DIFF, count, columns, NULL);
	start = cpu_nanoseconds();
	for (int i = 0; i < times; i++)
		lyf_hasher_run(hasher, buffer.data, texts, digest);
	PG_RETURN_FLOAT8((cpu_nanoseconds() - start) / times);
}
