/*
 * template_filter_crypto.c
 *		Filters that the reference engine adds to Jinja's: hash, hmac, base64.
 */
#include "postgres.h"

#include "common/base64.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/md5.h"
#include "common/sha1.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"

#include "base/bytes.h"
#include "base/datetime.h"
#include "base/template_internal.h"

static const struct
{
	const char *name;
	pg_cryptohash_type type;
	int			len;
}			hashes[] = {
	{"md5", PG_MD5, MD5_DIGEST_LENGTH},
	{"sha1", PG_SHA1, SHA1_DIGEST_LENGTH},
	{"sha224", PG_SHA224, PG_SHA224_DIGEST_LENGTH},
	{"sha256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
	{"sha384", PG_SHA384, PG_SHA384_DIGEST_LENGTH},
	{"sha512", PG_SHA512, PG_SHA512_DIGEST_LENGTH},
};

static bool
digest(pg_cryptohash_ctx *ctx, const LyfValue *text, const LyfValue *salt, uint8 *bytes, int len)
{
	return ctx != NULL && pg_cryptohash_init(ctx) >= 0 &&
		pg_cryptohash_update(ctx, (const uint8 *) text->u.text, text->len) >= 0 &&
		pg_cryptohash_update(ctx, (const uint8 *) salt->u.text, salt->len) >= 0 &&
		pg_cryptohash_final(ctx, bytes, len) >= 0;
}

static LyfFailure *
filter_hash(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *text = lyf_template_to_string(call->self);
	const LyfValue *salt = lyf_value_string_len("", 0);
	const char *name = "md5";
	size_t		len;

	if (call->arg[0] != NULL)
		LYF_TRY(lyf_arg_text(ev, call->arg[0], &name, &len));
	if (call->arg[1] != NULL && lyf_template_truth(call->arg[1]))
		salt = lyf_template_to_string(call->arg[1]);
	for (int i = 0; i < lengthof(hashes); i++)
	{
		uint8		bytes[PG_SHA512_DIGEST_LENGTH];
		pg_cryptohash_ctx *ctx;
		bool		done;

		if (strcmp(name, hashes[i].name) != 0)
			continue;
		ctx = pg_cryptohash_create(hashes[i].type);
		done = digest(ctx, text, salt, bytes, hashes[i].len);
		pg_cryptohash_free(ctx);
		if (!done)
			return lyf_template_fail_value(ev, "hash \"%s\" could not be computed", name);
		*result = lyf_value_string(lyf_hex(bytes, hashes[i].len));
		return NULL;
	}
	return lyf_template_fail_value(ev, "hash \"%s\" in a template is not known", lyf_clip(name, 60));
}

static LyfFailure *
filter_hmac(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	const LyfValue *text = lyf_template_to_string(call->self);
	const LyfValue *key = lyf_template_to_string(call->arg[0]);
	uint8		bytes[PG_SHA256_DIGEST_LENGTH];
	pg_hmac_ctx *ctx;
	bool		done;

	if (call->arg[1] != NULL && (call->arg[1]->kind != LYF_STRING || strcmp(call->arg[1]->u.text, "sha256") != 0))
		return lyf_template_fail_value(ev, "hash type of hmac must be sha256");
	ctx = pg_hmac_create(PG_SHA256);
	done = ctx != NULL && pg_hmac_init(ctx, (const uint8 *) key->u.text, key->len) >= 0 &&
		pg_hmac_update(ctx, (const uint8 *) text->u.text, text->len) >= 0 &&
		pg_hmac_final(ctx, bytes, sizeof(bytes)) >= 0;
	pg_hmac_free(ctx);
	if (!done)
		return lyf_template_fail_value(ev, "hmac could not be computed");
	*result = lyf_value_string(lyf_hex(bytes, sizeof(bytes)));
	return NULL;
}

/* encode() or decode() of a text that is none is an AttributeError in Python, no TypeError */
static LyfFailure *
check_text(LyfEval *ev, const LyfValue *value)
{
	if (value->kind == LYF_UNDEFINED)
		return lyf_template_fail_undefined(ev);
	if (value->kind != LYF_STRING)
		return lyf_template_fail_value(ev, "base64 in a template takes a text only");
	return NULL;
}

static LyfFailure *
filter_base64encode(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	LYF_TRY(check_text(ev, call->self));
	*result = lyf_value_string(lyf_base64(call->self->u.text, call->self->len));
	return NULL;
}

/* other characters than those of base64 are passed over, as Python does */
static LyfFailure *
filter_base64decode(LyfEval *ev, LyfCall *call, LyfValue **result)
{
	StringInfoData clean;
	char	   *decoded;
	int			len;

	LYF_TRY(check_text(ev, call->self));
	initStringInfo(&clean);
	for (uint32 i = 0; i < call->self->len; i++)
	{
		unsigned char c = call->self->u.text[i];

		if (isalnum(c) || c == '+' || c == '/' || c == '=')
			appendStringInfoChar(&clean, c);
	}
	decoded = palloc(pg_b64_dec_len(clean.len) + 1);
	len = pg_b64_decode(clean.data, clean.len, (void *) decoded, pg_b64_dec_len(clean.len));
	if (len < 0 || clean.len % 4 != 0 || pg_encoding_verifymbstr(PG_UTF8, decoded, len) != len)
		return lyf_template_fail_value(ev, "a text in a template is not valid base64 of UTF-8");
	*result = lyf_value_string_len(decoded, len);
	return NULL;
}

const LyfBuiltin lyf_crypto_filters[] = {
	{"hash", filter_hash, 0, {"hash_type", "salt"}},
	{"hmac", filter_hmac, 1, {"key", "hash_type"}},
	{"base64encode", filter_base64encode, 0},
	{"base64decode", filter_base64decode, 0},
	{"base64binascii_decode", filter_base64encode, 0},
	{NULL}
};
