/*
 * bytes.h
 *		Bytes as text, and their digest.
 */
#ifndef LYF_BYTES_H
#define LYF_BYTES_H

/* palloc'd; _url: RFC 4648's alphabet for URLs, without padding */
extern char *lyf_base64(const void *bytes, size_t len);
extern char *lyf_base64_url(const void *bytes, size_t len);
extern char *lyf_hex(const void *bytes, size_t len);

#define LYF_SHA256_BYTES	32

extern void lyf_sha256(const void *bytes, size_t len, uint8 digest[LYF_SHA256_BYTES]);

#endif							/* LYF_BYTES_H */
