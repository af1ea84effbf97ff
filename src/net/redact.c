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
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "net/net_internal.h"

#define MASK	"***"

/* shorter ones would mask half of any text, and hide little */
#define MIN_SECRET_BYTES	4

/* what is shorter behind "Basic" or "Bearer" is a word of a sentence */
#define MIN_TOKEN_BYTES		12

/* shorter paths are those of many services */
#define MIN_PATH_BYTES		8

/* the first bytes of a secret, where a text was cut within it */
#define MIN_SECRET_PART		4

/* how often what was quoted is quoted again; less is looked for in long texts */
#define MAX_READINGS		3
#define SHORT_TEXT			(64 * 1024)

/* longer runs of letters and digits are looked at in pieces */
#define MAX_BASE64			65536

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

/*
 * Ways in which a text may be written.  A reading takes the bytes that a place in
 * a text stands for, at most MAX_UNIT of them, and says how many bytes of text
 * they take.
 */
#define MAX_UNIT	4

typedef size_t (*Reading) (const char *at, unsigned char *unit, int *unit_len);

static size_t
read_plain(const char *at, unsigned char *unit, int *unit_len)
{
	unit[0] = (unsigned char) at[0];
	*unit_len = 1;
	return 1;
}

/* the value of so many hexadecimal digits, or -1 */
static int
hex_value(const char *digits, int count)
{
	int			value = 0;

	for (int i = 0; i < count; i++)
	{
		const char *digit;

		if (digits[i] == '\0' || (digit = strchr("0123456789abcdef", pg_ascii_tolower(digits[i]))) == NULL)
			return -1;
		value = value * 16 + (int) (digit - "0123456789abcdef");
	}
	return value;
}

static size_t
read_character(unsigned int character, size_t taken, unsigned char *unit, int *unit_len)
{
	unicode_to_utf8(character, unit);
	*unit_len = pg_utf_mblen(unit);
	return taken;
}

/* in a URL */
static size_t
read_percent(const char *at, unsigned char *unit, int *unit_len)
{
	int			value = at[0] == '%' ? hex_value(at + 1, 2) : -1;

	if (value < 0)
		return read_plain(at, unit, unit_len);
	unit[0] = (unsigned char) value;
	*unit_len = 1;
	return 3;
}

/* in a form */
static size_t
read_form(const char *at, unsigned char *unit, int *unit_len)
{
	return read_percent(at[0] == '+' ? " " : at, unit, unit_len);
}

/* in JSON, or as programming languages quote it */
static size_t
read_escaped(const char *at, unsigned char *unit, int *unit_len)
{
	static const char names[] = "nrtbf";
	static const char values[] = "\n\r\t\b\f";
	const char *name;
	int			high;
	int			low;

	if (at[0] != '\\' || at[1] == '\0')
		return read_plain(at, unit, unit_len);
	if (at[1] == 'u' && (high = hex_value(at + 2, 4)) >= 0)
	{
		if (!is_utf16_surrogate_first(high))
			return read_character(high, 6, unit, unit_len);
		low = at[6] == '\\' && at[7] == 'u' ? hex_value(at + 8, 4) : -1;
		if (low >= 0 && is_utf16_surrogate_second(low))
			return read_character(surrogate_pair_to_codepoint(high, low), 12, unit, unit_len);
	}
	name = strchr(names, at[1]);
	unit[0] = (unsigned char) (name == NULL ? at[1] : values[name - names]);
	*unit_len = 1;
	return 2;
}

/* in HTML and XML */
static size_t
read_entity(const char *at, unsigned char *unit, int *unit_len)
{
	static const struct
	{
		const char *entity;
		char		value;
	}			entities[] = {
		{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}
	};
	bool		hex = at[0] == '&' && at[1] == '#' && (at[2] == 'x' || at[2] == 'X');
	char	   *end;

	if (at[0] == '&' && at[1] == '#' && isxdigit((unsigned char) at[2 + hex]))
	{
		unsigned long value = strtoul(at + 2 + hex, &end, hex ? 16 : 10);

		if (*end == ';' && value > 0 && value <= 0x10FFFF)
			return read_character((unsigned int) value, end + 1 - at, unit, unit_len);
	}
	for (int i = 0; at[0] == '&' && i < lengthof(entities); i++)
	{
		if (strncmp(at, entities[i].entity, strlen(entities[i].entity)) != 0)
			continue;
		unit[0] = (unsigned char) entities[i].value;
		*unit_len = 1;
		return strlen(entities[i].entity);
	}
	return read_plain(at, unit, unit_len);
}

static const Reading readings[] = {read_percent, read_form, read_escaped, read_entity};

/* what begins like that may be the first half of something that is written otherwise */
#define ESCAPES		"%\\&"
#define MAX_WRITTEN 12

/* A text, read in some way, and where each byte of it stands in the text that is redacted. */
typedef struct View
{
	char	   *bytes;			/* bytes[len] is 0 */
	size_t	   *origin;			/* len + 1 of them */
	size_t		len;
} View;

typedef struct Redaction
{
	const char **secrets;		/* with their variants */
	int			count;
	bool	   *covered;		/* of the bytes of the text */
} Redaction;

static void
add_variant(Redaction *redaction, const char *secret)
{
	for (int i = 0; i < redaction->count; i++)
	{
		if (strcmp(redaction->secrets[i], secret) == 0)
			return;
	}
	if (strlen(secret) >= MIN_SECRET_BYTES)
		redaction->secrets[redaction->count++] = secret;
}

/*
 * A secret that is part of a URL may become another one: what looks like %XX in it
 * is taken as that, tabs and line breaks are dropped.
 */
static void
add_variants(Redaction *redaction, const char *secret)
{
	char	   *kept = pstrdup(secret);
	size_t		n = 0;

	for (const char *p = secret; *p != '\0'; p++)
	{
		if (strchr("\t\r\n", *p) == NULL)
			kept[n++] = *p;
	}
	kept[n] = '\0';
	add_variant(redaction, secret);
	add_variant(redaction, lyf_url_decode(secret, strlen(secret)));
	add_variant(redaction, kept);
	add_variant(redaction, lyf_url_decode(kept, n));
}

static View
make_view(size_t len)
{
	View		view;

	view.bytes = MemoryContextAllocHuge(CurrentMemoryContext, len + MAX_UNIT + 1);
	view.origin = MemoryContextAllocHuge(CurrentMemoryContext, (len + MAX_UNIT + 1) * sizeof(size_t));
	view.len = 0;
	return view;
}

static void
free_view(View *view)
{
	pfree(view->bytes);
	pfree(view->origin);
}

/* Read a view once more; false: that makes no difference. */
static bool
read_view(const View *view, Reading reading, View *made)
{
	*made = make_view(view->len);
	for (size_t i = 0; i < view->len;)
	{
		unsigned char unit[MAX_UNIT + 1];
		int			unit_len;
		size_t		taken = reading(view->bytes + i, unit, &unit_len);

		for (int j = 0; j < unit_len; j++)
		{
			made->origin[made->len] = view->origin[i];
			made->bytes[made->len++] = (char) unit[j];
		}
		i += taken;
	}
	made->bytes[made->len] = '\0';
	made->origin[made->len] = view->origin[view->len];
	if (made->len != view->len || memcmp(made->bytes, view->bytes, view->len) != 0)
		return true;
	free_view(made);
	return false;
}

static void
cover(const Redaction *redaction, const View *view, size_t start, size_t len)
{
	size_t		from = view->origin[start];

	memset(redaction->covered + from, true, view->origin[start + len] - from);
}

/* is the text cut off there, maybe within what stands for one character? */
static bool
is_cut(const View *view, size_t at)
{
	const char *rest = view->bytes + at;
	const char *dots;

	if (at == view->len || strncmp(rest, "...", 3) == 0)
		return true;
	if (*rest == '\0' || strchr(ESCAPES, *rest) == NULL)
		return false;
	dots = strstr(rest, "...");
	return (dots != NULL ? dots - rest : view->len - at) <= MAX_WRITTEN;
}

/* a secret as a whole; or a good part of it, where the text was cut */
static void
cover_secret(const Redaction *redaction, const View *view, const char *secret)
{
	size_t		len = strlen(secret);
	const char *end = view->bytes + view->len;

	for (const char *p = view->bytes; (p = memchr(p, *secret, end - p)) != NULL; p++)
	{
		size_t		start = p - view->bytes;
		size_t		same = 0;

		while (same < len && start + same < view->len && p[same] == secret[same])
			same++;
		if (same == len || (same >= MIN_SECRET_PART && is_cut(view, start + same)))
			cover(redaction, view, start, same);
	}
}

static int
base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *digit;

	if (c == '-' || c == '_')	/* as in URLs */
		c = c == '-' ? '+' : '/';
	digit = c == '\0' ? NULL : strchr(digits, c);
	return digit == NULL ? -1 : (int) (digit - digits);
}

/* the bytes that so many base64 digits stand for, ended by a zero */
static char *
base64_bytes(const char *digits, size_t count)
{
	char	   *bytes = palloc(count + 1);
	size_t		len = 0;
	unsigned int bits = 0;

	for (size_t i = 0; i < count; i++)
	{
		bits = (bits << 6) | base64_value(digits[i]);
		if (i % 4 != 0)
			bytes[len++] = (char) ((bits >> (6 - 2 * (i % 4))) & 0xFF);
	}
	bytes[len] = '\0';
	return bytes;
}

static bool
holds_secret(const Redaction *redaction, const char *bytes, size_t size)
{
	for (int i = 0; i < redaction->count; i++)
	{
		size_t		len = strlen(redaction->secrets[i]);

		for (size_t at = 0; at + len <= size; at++)
			if (memcmp(bytes + at, redaction->secrets[i], len) == 0)
				return true;
	}
	return false;
}

/* what is base64 of something that has a secret in it ("user:password"), as a whole */
static void
cover_base64(const Redaction *redaction, const View *view)
{
	for (size_t at = 0; at < view->len;)
	{
		const char *p = view->bytes + at;
		size_t		run = 0;

		while (run < MAX_BASE64 && base64_value(p[run]) >= 0)
			run++;

		/* What stands before it without a gap may be of its digits, too */
		for (size_t skip = 0; skip < 4 && run >= MIN_TOKEN_BYTES / 2; skip++)
		{
			char	   *bytes = base64_bytes(p + skip, run - skip);

			if (holds_secret(redaction, bytes, (run - skip) * 3 / 4))
				cover(redaction, view, at, run + strspn(p + run, "="));
			pfree(bytes);
		}
		at += Max(run, 1);
	}
}

/* what stands behind the name of a scheme is a secret, too, if it is long enough: "Basic dXNlcjpwYXNz" */
static void
cover_credentials(const Redaction *redaction, const View *view)
{
	static const char *const schemes[] = {"Basic ", "Bearer "};
	static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

	for (int i = 0; i < lengthof(schemes); i++)
	{
		size_t		len = strlen(schemes[i]);

		for (const char *p = view->bytes; (p = strstr(p, schemes[i])) != NULL; p += len)
		{
			size_t		size = strspn(p + len, token);

			if (size >= MIN_TOKEN_BYTES)
				cover(redaction, view, p + len - view->bytes, size);
		}
	}
}

/*
 * Cover what a view has, and what it turns out to have when it is read further:
 * a service that quotes a request may quote what was quoted already.
 */
static void
cover_view(const Redaction *redaction, const View *view, int depth)
{
	for (int i = 0; i < redaction->count; i++)
		cover_secret(redaction, view, redaction->secrets[i]);
	cover_base64(redaction, view);
	cover_credentials(redaction, view);
	for (int i = 0; i < lengthof(readings) && depth > 0; i++)
	{
		View		further;

		if (!read_view(view, readings[i], &further))
			continue;
		cover_view(redaction, &further, depth - 1);
		free_view(&further);
	}
}

char *
lyf_redact_text(const char *text, const char *const *secrets, int count)
{
	size_t		len = strlen(text);
	View		view = make_view(len);
	Redaction	redaction = {palloc(sizeof(char *) * (4 * count + 1))};
	StringInfoData out;

	for (int i = 0; i < count; i++)
		add_variants(&redaction, secrets[i]);

	memcpy(view.bytes, text, len + 1);
	view.len = len;
	for (size_t i = 0; i <= len; i++)
		view.origin[i] = i;
	redaction.covered = MemoryContextAllocExtended(CurrentMemoryContext, len + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	cover_view(&redaction, &view, len <= SHORT_TEXT ? MAX_READINGS : 1);
	free_view(&view);

	initStringInfo(&out);
	for (size_t i = 0; i < len; i++)
	{
		if (!redaction.covered[i])
			appendStringInfoChar(&out, text[i]);
		else if (!redaction.covered[i + 1])
			appendStringInfoString(&out, MASK);
	}
	pfree(redaction.covered);
	return out.data;
}

LyfFailure *
lyf_redact_failure(const LyfFailure *failure, const char *const *secrets, int count)
{
	LyfFailure *shown;

	if (failure == NULL)
		return NULL;
	shown = lyf_failure_copy(failure);
	shown->message = lyf_redact_text(shown->message, secrets, count);
	if (shown->detail != NULL)
		shown->detail = lyf_redact_text(shown->detail, secrets, count);
	if (shown->hint != NULL)
		shown->hint = lyf_redact_text(shown->hint, secrets, count);
	return shown;
}

static bool
is_secret(const char *text, const char *const *secrets, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(text, secrets[i]) == 0)
			return true;
	}
	return false;
}

LyfValue *
lyf_redact_value(const LyfValue *value, const char *const *secrets, int count)
{
	LyfValue   *shown;

	check_stack_depth();
	if (value->kind == LYF_STRING)
		return lyf_value_string(lyf_redact_text(value->u.text, secrets, count));
	if ((value->kind == LYF_INT || value->kind == LYF_NUMBER) && is_secret(lyf_value_to_text(value), secrets, count))
		return lyf_value_string(MASK);
	if (value->kind != LYF_MAP && value->kind != LYF_LIST)
		return lyf_value_copy(value);
	shown = lyf_value_make(value->kind);
	lyf_foreach(member, value)
	{
		if (value->kind == LYF_MAP)
			lyf_value_set(shown, member->key, lyf_redact_value(member, secrets, count));
		else
			lyf_value_append(shown, lyf_redact_value(member, secrets, count));
	}
	return shown;
}

/* a part of a URL that is secret as a whole: as it is, and what it stands for */
static List *
add_part(List *secrets, const char *part, size_t len)
{
	if (len < MIN_SECRET_BYTES)
		return secrets;
	secrets = lappend(secrets, pnstrdup(part, len));
	return lappend(secrets, lyf_url_decode(part, len));
}

List *
lyf_redact_url_parts(const char *url, List *secrets)
{
	const char *authority;
	const char *user;
	const char *path;
	const char *p;
	size_t		len;

	if (strstr(url, "://") == NULL || !lyf_url_authority(url, &authority, &len))
		return secrets;
	user = userinfo_end(authority);
	if (user > authority)
	{
		const char *colon = memchr(authority, ':', user - authority);

		secrets = add_part(secrets, authority, (colon != NULL ? colon : user - 1) - authority);
		if (colon != NULL)
			secrets = add_part(secrets, colon + 1, user - colon - 2);
	}
	path = authority + len;
	path += strspn(path, "/");
	len = strcspn(path, "?#");
	p = path + len;
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len >= MIN_PATH_BYTES)
		secrets = add_part(secrets, path, len);
	while (*p != '\0')
	{
		const char *end = p + 1 + strcspn(p + 1, "&;#");
		const char *equals = memchr(p, '=', end - p);

		if (equals != NULL)
			secrets = add_part(secrets, equals + 1, end - equals - 1);
		p = end;
	}
	return secrets;
}
