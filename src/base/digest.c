/*
 * digest.c
 *		Message digests, by OpenSSL: an algorithm is fetched once a process, and its context is used again and again.
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "base/digest.h"

struct LyfDigest
{
	const char *name;
	const char *fetched_as;
	int			size;
	EVP_MD_CTX *context;		/* NULL: not yet fetched; lives as long as the process */
};

static LyfDigest digests[] = {
	{"md5", "MD5", 16, NULL},
	{"sha1", "SHA1", 20, NULL},
	{"sha256", "SHA256", 32, NULL},
};

LyfDigest *
lyf_digest_get(const char *algorithm)
{
	for (int i = 0; i < lengthof(digests); i++)
		if (strcmp(digests[i].name, algorithm) == 0)
			return &digests[i];
	return NULL;
}

const char *
lyf_digest_names(void)
{
	return "md5, sha1, sha256";
}

int
lyf_digest_size(const LyfDigest *digest)
{
	return digest->size;
}

static void
raise_refused(const LyfDigest *digest)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the server's cryptographic library does not offer %s", digest->name),
			 errhint("Use another algorithm: %s.", lyf_digest_names())));
}

static void
fetch(LyfDigest *digest)
{
	EVP_MD	   *algorithm = EVP_MD_fetch(NULL, digest->fetched_as, NULL);
	EVP_MD_CTX *context = algorithm != NULL ? EVP_MD_CTX_new() : NULL;

	if (context == NULL || EVP_DigestInit_ex2(context, algorithm, NULL) != 1)
	{
		EVP_MD_CTX_free(context);
		EVP_MD_free(algorithm);
		raise_refused(digest);
	}
	/* the context holds it */
	EVP_MD_free(algorithm);
	digest->context = context;
}

void
lyf_digest_run(LyfDigest *digest, const char *bytes, size_t len, uint8 *result)
{
	if (digest->context == NULL)
		fetch(digest);
	if (EVP_DigestInit_ex2(digest->context, NULL, NULL) != 1 ||
		EVP_DigestUpdate(digest->context, bytes, len) != 1 ||
		EVP_DigestFinal_ex(digest->context, result, NULL) != 1)
		raise_refused(digest);
}
