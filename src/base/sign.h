/*
 * sign.h
 *		Signatures of JSON Web Tokens (RFC 7518, RFC 8037, RFC 8812).
 */
#ifndef LYF_SIGN_H
#define LYF_SIGN_H

#include "base/failure.h"

/* longest one: RSA with 16384 bits */
#define LYF_SIGNATURE_BYTES	2048

typedef struct LyfSignature
{
	size_t		len;
	uint8		bytes[LYF_SIGNATURE_BYTES];
} LyfSignature;

typedef struct LyfSigner LyfSigner;

/* by the name of an algorithm: "HS256", "RS512" ...; NULL if it is none */
extern const LyfSigner *lyf_signer(const char *algorithm);

/*
 * Sign.  key is a secret for HS*, a private key in PEM for the others, which a passphrase
 * (or NULL) opens.  No failure has anything of the key in it.
 */
extern LyfFailure *lyf_sign(const LyfSigner *signer, const char *key, const char *passphrase,
							const char *text, LyfSignature *signature);

#endif							/* LYF_SIGN_H */
