/*
 * digest.h
 *		Message digests of bytes.
 */
#ifndef LYF_DIGEST_H
#define LYF_DIGEST_H

typedef struct LyfDigest LyfDigest;

/* bytes of the longest one */
#define LYF_DIGEST_MAX	32

/* by the name of an algorithm: "md5", "sha1", "sha256"; NULL if it is none */
extern LyfDigest *lyf_digest_get(const char *algorithm);
extern const char *lyf_digest_names(void);	/* those there are, for messages */
extern int	lyf_digest_size(const LyfDigest *digest);	/* bytes */

/* the digest of len bytes, into as many bytes as it has; raises where the library refuses the algorithm */
extern void lyf_digest_run(LyfDigest *digest, const char *bytes, size_t len, uint8 *result);

#endif							/* LYF_DIGEST_H */
