/*
 * bytes.c
 *		Bytes as text, and their digest.
 */
#include "postgres.h"

#include "common/base64.h"
#include "common/cryptohash.h"
#include "common/sha2.h"

#include "base/bytes.h"

StaticAssertDecl(LYF_SHA256_BYTES == PG_SHA256_DIGEST_LENGTH, "a SHA-256 digest has 32 bytes");

char *
lyf_base64(const void *bytes, size_t len)
{
	int			size = pg_b64_enc_len((int) len);
	char	   *encoded = palloc(size + 1);
	int			used = pg_b64_encode(bytes, (int) len, encoded, size);

	encoded[Max(used, 0)] = '\0';
	return encoded;
}

char *
lyf_base64_url(const void *bytes, size_t len)
{
	char	   *encoded = lyf_base64(bytes, len);

	for (char *p = encoded; *p != '\0'; p++)
	{
		if (*p == '+')
			*p = '-';
		else if (*p == '/')
			*p = '_';
		else if (*p == '=')
		{
			*p = '\0';
			break;
		}
	}
	return encoded;
}

char *
lyf_hex(const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8 *in = bytes;
	char	   *text = palloc(len * 2 + 1);

	for (size_t i = 0; i < len; i++)
	{
		text[i * 2] = digits[in[i] >> 4];
		text[i * 2 + 1] = digits[in[i] & 15];
	}
	text[len * 2] = '\0';
	return text;
}

void
lyf_sha256(const void *bytes, size_t len, uint8 digest[LYF_SHA256_BYTES])
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	bool		done = ctx != NULL && pg_cryptohash_init(ctx) >= 0 &&
		pg_cryptohash_update(ctx, bytes, len) >= 0 &&
		pg_cryptohash_final(ctx, digest, LYF_SHA256_BYTES) >= 0;

	pg_cryptohash_free(ctx);
	if (!done)
		elog(ERROR, "could not compute a SHA-256 digest");
}
