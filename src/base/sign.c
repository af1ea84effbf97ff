/*
 * sign.c
 *		Signatures of JSON Web Tokens, by OpenSSL.
 *
 * Nothing is allocated by palloc while one of the library's objects is open, so
 * that no error of ours leaves one behind.
 */
#include "postgres.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/sign.h"

/* why there is no signature */
typedef enum SignResult
{
	SIGN_OK,
	SIGN_NO_KEY,				/* it is no private key in PEM, or its passphrase is wrong */
	SIGN_WRONG_KEY,				/* it is one, but for another algorithm */
	SIGN_FAILED
} SignResult;

struct LyfSigner
{
	const char *name;
	SignResult	(*sign) (const LyfSigner *signer, const char *key, const char *passphrase,
						 const char *text, LyfSignature *signature);
	const EVP_MD *(*digest) (void);	/* or NULL: the key's own */
	int			key_type;		/* EVP_PKEY_..., 0: Ed25519 or Ed448 */
	int			curve_bits;		/* ES* */
	bool		pss;
};

static SignResult
sign_hmac(const LyfSigner *signer, const char *key, const char *passphrase,
		  const char *text, LyfSignature *signature)
{
	unsigned int len = 0;

	if (HMAC(signer->digest(), key, (int) strlen(key), (const unsigned char *) text, strlen(text),
			 signature->bytes, &len) == NULL)
		return SIGN_FAILED;
	signature->len = len;
	return SIGN_OK;
}

/* the library would ask the terminal if there were no callback */
static int
give_passphrase(char *buffer, int size, int writing, void *arg)
{
	const char *passphrase = arg;
	size_t		len = passphrase != NULL ? strlen(passphrase) : 0;

	if (len == 0 || len > (size_t) size)
		return -1;
	memcpy(buffer, passphrase, len);
	return (int) len;
}

static EVP_PKEY *
read_key(const char *key, const char *passphrase)
{
	BIO		   *bio = BIO_new_mem_buf(key, (int) strlen(key));
	EVP_PKEY   *pkey;

	if (bio == NULL)
		return NULL;
	pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, unconstify(char *, passphrase));
	BIO_free(bio);
	return pkey;
}

static bool
key_fits(const LyfSigner *signer, EVP_PKEY *pkey)
{
	int			type = EVP_PKEY_base_id(pkey);

	if (signer->key_type == 0)
		return type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448;
	return type == signer->key_type &&
		(signer->curve_bits == 0 || EVP_PKEY_bits(pkey) == signer->curve_bits);
}

/* an ECDSA signature as two numbers of fixed length, as JWS has it, from DER */
static bool
flatten_ecdsa(const LyfSigner *signer, LyfSignature *signature)
{
	const unsigned char *der = signature->bytes;
	ECDSA_SIG  *pair = d2i_ECDSA_SIG(NULL, &der, (long) signature->len);
	int			size = (signer->curve_bits + 7) / 8;
	const BIGNUM *r;
	const BIGNUM *s;
	bool		done;

	if (pair == NULL)
		return false;
	ECDSA_SIG_get0(pair, &r, &s);
	done = BN_bn2binpad(r, signature->bytes, size) == size &&
		BN_bn2binpad(s, signature->bytes + size, size) == size;
	signature->len = (size_t) size * 2;
	ECDSA_SIG_free(pair);
	return done;
}

static bool
digest_sign(const LyfSigner *signer, EVP_MD_CTX *ctx, EVP_PKEY *pkey, const char *text, LyfSignature *signature)
{
	EVP_PKEY_CTX *options;

	if (EVP_DigestSignInit(ctx, &options, signer->digest ? signer->digest() : NULL, NULL, pkey) != 1)
		return false;
	if (signer->pss &&
		(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) <= 0 ||
		 EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) <= 0))
		return false;
	signature->len = sizeof(signature->bytes);
	return EVP_DigestSign(ctx, signature->bytes, &signature->len,
						  (const unsigned char *) text, strlen(text)) == 1;
}

static SignResult
sign_with_key(const LyfSigner *signer, const char *key, const char *passphrase,
			  const char *text, LyfSignature *signature)
{
	EVP_PKEY   *pkey = read_key(key, passphrase);
	EVP_MD_CTX *ctx;
	SignResult	result = SIGN_FAILED;

	if (pkey == NULL)
		return SIGN_NO_KEY;
	ctx = EVP_MD_CTX_new();
	if (!key_fits(signer, pkey))
		result = SIGN_WRONG_KEY;
	else if (ctx != NULL && digest_sign(signer, ctx, pkey, text, signature) &&
			 (signer->key_type != EVP_PKEY_EC || flatten_ecdsa(signer, signature)))
		result = SIGN_OK;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return result;
}

static const LyfSigner signers[] = {
	{"HS256", sign_hmac, EVP_sha256},
	{"HS384", sign_hmac, EVP_sha384},
	{"HS512", sign_hmac, EVP_sha512},
	{"RS256", sign_with_key, EVP_sha256, EVP_PKEY_RSA},
	{"RS384", sign_with_key, EVP_sha384, EVP_PKEY_RSA},
	{"RS512", sign_with_key, EVP_sha512, EVP_PKEY_RSA},
	{"PS256", sign_with_key, EVP_sha256, EVP_PKEY_RSA, 0, true},
	{"PS384", sign_with_key, EVP_sha384, EVP_PKEY_RSA, 0, true},
	{"PS512", sign_with_key, EVP_sha512, EVP_PKEY_RSA, 0, true},
	{"ES256", sign_with_key, EVP_sha256, EVP_PKEY_EC, 256},
	{"ES256K", sign_with_key, EVP_sha256, EVP_PKEY_EC, 256},
	{"ES384", sign_with_key, EVP_sha384, EVP_PKEY_EC, 384},
	{"ES512", sign_with_key, EVP_sha512, EVP_PKEY_EC, 521},
	{"EdDSA", sign_with_key, NULL, 0},
};

const LyfSigner *
lyf_signer(const char *algorithm)
{
	for (int i = 0; i < lengthof(signers); i++)
		if (strcmp(signers[i].name, algorithm) == 0)
			return &signers[i];
	return NULL;
}

/* what is left in the library's queue of errors would be taken for an error of someone else */
LyfFailure *
lyf_sign(const LyfSigner *signer, const char *key, const char *passphrase,
		 const char *text, LyfSignature *signature)
{
	SignResult	result;

	ERR_clear_error();
	result = signer->sign(signer, key, passphrase, text, signature);
	ERR_clear_error();
	if (result == SIGN_NO_KEY)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "a token cannot be signed with %s: there is no private key", signer->name),
								"The key must be in PEM, with its line breaks (\\n in JSON) and with the right passphrase if it has one.");
	if (result == SIGN_WRONG_KEY)
		return lyf_failure_hint(lyf_failure(ERRCODE_FDW_ERROR, "a token cannot be signed with %s: the private key is of another kind", signer->name),
								"RS and PS need an RSA key, ES a key on the curve that belongs to it, EdDSA one of Ed25519 or Ed448.");
	if (result != SIGN_OK)
		return lyf_failure(ERRCODE_FDW_ERROR, "a token cannot be signed with %s", signer->name);
	return NULL;
}
