/*-------------------------------------------------------------------------
 *
 * redact.c
 *		What may be shown: secrets taken out of URLs and texts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "net/net_internal.h"

#define MASK	"***"

/* shorter ones would mask half of any text, and hide little */
#define MIN_SECRET_BYTES	4

/* what is shorter behind "Basic" or "Bearer" is a word of a sentence */
#define MIN_TOKEN_BYTES		12

/* a parameter is secret if its name, lower-case and without separators, contains one of these ... */
static const char *const secret_parts[] = {
	"token", "secret", "passw", "passphrase", "apikey", "accesskey", "privatekey", "credential",
	"signature", "authorization", "session", "jwt", "bearer", NULL
};

/* ... or is one of these, or ends in "key" */
static const char *const secret_names[] = {
	"auth", "key", "sig", "pwd", "pass", "pin", "code", "assertion", "sid", NULL
};

static bool
is_secret_name(const char *text, size_t len)
{
	char	   *name = lyf_url_decode(text, len);
	size_t		n = 0;

	for (const char *p = name; *p != '\0'; p++)
		if (isalnum((unsigned char) *p))
			name[n++] = pg_ascii_tolower(*p);
	name[n] = '\0';

	for (const char *const *part = secret_parts; *part != NULL; part++)
		if (strstr(name, *part) != NULL)
			return true;
	for (const char *const *whole = secret_names; *whole != NULL; whole++)
		if (strcmp(name, *whole) == 0)
			return true;
	return n > 3 && strcmp(name + n - 3, "key") == 0;
}

/*
 * Where does user:password@ end, if there is one?  Someone may have forgotten to
 * escape a slash in a password: a port that is no number means that.
 */
static const char *
userinfo_end(const char *authority)
{
	const char *end = authority + strcspn(authority, "/?#");
	const char *colon;

	for (const char *p = end; p > authority; p--)
		if (p[-1] == '@')
			return p;
	colon = memchr(authority, ':', end - authority);
	if (authority[0] != '[' && colon != NULL &&
		colon + 1 + strspn(colon + 1, "0123456789") != end)
	{
		const char *at = strrchr(authority, '@');

		return at == NULL ? end : at + 1;
	}
	return authority;
}

char *
lyf_redact_url(const char *url)
{
	const char *authority = strstr(url, "//");
	StringInfoData out;

	initStringInfo(&out);
	if (authority != NULL && authority < url + strcspn(url, "?#"))
	{
		const char *host = userinfo_end(authority + 2);

		appendBinaryStringInfo(&out, url, authority + 2 - url);
		if (host > authority + 2)
			appendStringInfoString(&out, MASK "@");
		url = host;
	}
	appendBinaryStringInfo(&out, url, strcspn(url, "?#"));
	url += strcspn(url, "?#");

	/* Parameters, each with the separator before it */
	while (*url != '\0')
	{
		size_t		len = 1 + strcspn(url + 1, "&;?#");
		const char *equals = memchr(url, '=', len);

		if (equals != NULL && is_secret_name(url + 1, equals - url - 1))
		{
			appendBinaryStringInfo(&out, url, equals + 1 - url);
			appendStringInfoString(&out, MASK);
		}
		else
			appendBinaryStringInfo(&out, url, len);
		url += len;
	}
	return out.data;
}

/* note which bytes of text belong to an occurrence of the secret; they may overlap */
static void
cover(const char *text, bool *covered, const char *secret)
{
	size_t		len = strlen(secret);

	for (const char *p = text; (p = strstr(p, secret)) != NULL; p++)
		memset(covered + (p - text), true, len);
}

/* what stands behind the name of a scheme is a secret, too, if it is long enough: "Basic dXNlcjpwYXNz" */
static void
cover_credentials(const char *text, bool *covered)
{
	static const char *const schemes[] = {"Basic ", "Bearer "};
	static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

	for (int i = 0; i < lengthof(schemes); i++)
	{
		size_t		len = strlen(schemes[i]);

		for (const char *p = text; (p = strstr(p, schemes[i])) != NULL; p += len)
		{
			size_t		size = strspn(p + len, token);

			if (size >= MIN_TOKEN_BYTES)
				memset(covered + (p + len - text), true, size);
		}
	}
}

/* a secret shows as it is, and as it goes into a URL or a form */
char *
lyf_redact_text(const char *text, const char *const *secrets, int count)
{
	size_t		len = strlen(text);
	bool	   *covered = MemoryContextAllocExtended(CurrentMemoryContext, len + 1,
													 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	StringInfoData out;

	for (int i = 0; i < count; i++)
	{
		size_t		secret_len = strlen(secrets[i]);

		if (secret_len < MIN_SECRET_BYTES)
			continue;
		cover(text, covered, secrets[i]);
		cover(text, covered, lyf_url_encode(secrets[i], secret_len));
		cover(text, covered, lyf_url_encode_form(secrets[i], secret_len));
	}

	cover_credentials(text, covered);

	initStringInfo(&out);
	for (size_t i = 0; i < len; i++)
	{
		if (!covered[i])
			appendStringInfoChar(&out, text[i]);
		else if (!covered[i + 1])
			appendStringInfoString(&out, MASK);
	}
	return out.data;
}
