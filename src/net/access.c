/*-------------------------------------------------------------------------
 *
 * access.c
 *		Which hosts a role may be connected to: lyftron.allowed_hosts.
 *
 * What counts is the address that is really connected to, whatever the name that
 * led there, so that neither a name's owner nor a redirect gets around it.  Some
 * addresses are guarded: an entry opens them only by being one of them, or a block
 * that is no wider than what is guarded.  So "*" and names never do.
 *
 * The role is the one that asked for the request: all redirects that follow,
 * and a connection that another role has left open, are held to what it may.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/hosts.h"
#include "base/settings.h"
#include "net/net_internal.h"

typedef struct Guard
{
	LyfAddress	block;
	int			bits;
	bool		local;			/* superusers may */
} Guard;

#define IPV4(a, b, c, d)	{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d}}

static const Guard guards[] = {
	/* this machine */
	{IPV4(127, 0, 0, 0), 96 + 8, true},
	{IPV4(0, 0, 0, 0), 96 + 8, true},
	{{{[15] = 1}}, 128, true},
	{{{0}}, 128, true},
	/* link-local, and where else clouds hand out a machine's credentials */
	{IPV4(169, 254, 0, 0), 96 + 16, false},
	{{{0xFE, 0x80}}, 10, false},
	{IPV4(100, 100, 100, 200), 128, false},
	{IPV4(168, 63, 129, 16), 128, false},
	{IPV4(192, 0, 0, 192), 128, false},
	{{{0xFD, 0x00, 0x0E, 0xC2, [14] = 0x02, [15] = 0x54}}, 128, false},
	{{{0xFD, 0x20, 0x00, 0xCE, [14] = 0x02, [15] = 0x54}}, 128, false},
};

/* IPv6 blocks that hold IPv4 addresses, and at which byte */
static const struct
{
	LyfAddress	block;
	int			bits;
	int			at;
}			embeddings[] = {
	{{{0}}, 96, 12},
	{{{0x00, 0x64, 0xFF, 0x9B}}, 96, 12},
	{{{0x20, 0x02}}, 16, 2},
};

/* the IPv4 address that an IPv6 one leads to; others stay as they are */
static LyfAddress
unwrap(const LyfAddress *address)
{
	LyfAddress	inner = IPV4(0, 0, 0, 0);

	for (int i = 0; i < lengthof(embeddings); i++)
	{
		if (!lyf_address_within(address, &embeddings[i].block, embeddings[i].bits))
			continue;
		memcpy(inner.bytes + 12, address->bytes + embeddings[i].at, 4);
		return inner;
	}
	return *address;
}

/* what guards an address against this role, or NULL */
static const Guard *
find_guard(const LyfAccess *access, const LyfAddress *address)
{
	LyfAddress	inner = unwrap(address);

	for (int i = 0; i < lengthof(guards); i++)
		if (!(guards[i].local && access->superuser) &&
			(lyf_address_within(address, &guards[i].block, guards[i].bits) ||
			 lyf_address_within(&inner, &guards[i].block, guards[i].bits)))
			return &guards[i];
	return NULL;
}

/* an entry for an address also holds for the IPv6 forms that lead to it */
static bool
entry_covers(const LyfHostEntry *entry, const LyfAddress *address)
{
	LyfAddress	inner = unwrap(address);

	return entry->is_block &&
		(lyf_address_within(address, &entry->block, entry->bits) ||
		 lyf_address_within(&inner, &entry->block, entry->bits));
}

/* false: go on with the next entry; a name of this machine opens this machine */
static bool
entry_allows(const LyfHostEntry *entry, const LyfAccess *access, const LyfAddress *address)
{
	const Guard *guard = find_guard(access, address);

	if (!entry->valid || (entry->port != 0 && entry->port != access->port))
		return false;
	if (entry_covers(entry, address))
		return guard == NULL || entry->bits >= guard->bits;
	if (guard == NULL)
		return entry->any || lyf_hosts_named(entry, access->host);
	return guard->local && strcmp(access->host, "localhost") == 0 && !entry->any &&
		lyf_hosts_named(entry, access->host);
}

bool
lyf_access_allows(const LyfAccess *access, const char *address)
{
	const char *list = access->allowed;
	LyfAddress	parsed;
	LyfHostEntry entry;

	if (!lyf_address_parse(address, strlen(address), &parsed))
		return false;
	while (lyf_hosts_next(&list, &entry))
		if (entry_allows(&entry, access, &parsed))
			return true;
	return false;
}

/* may some address be allowed for this name?  If none may, it need not be looked up */
static bool
allows_name(const LyfAccess *access)
{
	const char *list = access->allowed;
	LyfHostEntry entry;

	while (lyf_hosts_next(&list, &entry))
		if (entry.valid && (entry.port == 0 || entry.port == access->port) &&
			(entry.any || entry.is_block || lyf_hosts_named(&entry, access->host)))
			return true;
	return false;
}

LyfFailure *
lyf_access_failure(const LyfAccess *access, const char *address)
{
	LyfFailure *failure;
	LyfAddress	parsed;
	const Guard *guard = NULL;

	if (address == NULL || strcmp(address, access->host) == 0)
		failure = lyf_failure(ERRCODE_INSUFFICIENT_PRIVILEGE, "connection to host \"%s\" is not allowed", access->host);
	else
		failure = lyf_failure(ERRCODE_INSUFFICIENT_PRIVILEGE, "connection to host \"%s\" at address %s is not allowed",
							  access->host, address);
	if (address != NULL && lyf_address_parse(address, strlen(address), &parsed))
		guard = find_guard(access, &parsed);
	if (guard == NULL)
		lyf_failure_detail(failure, "The setting lyftron.allowed_hosts does not name it, port %d.", access->port);
	else if (guard->local)
		lyf_failure_detail(failure, "It is this database server's own machine, open to superusers only where the setting lyftron.allowed_hosts does not name the address.");
	else
		lyf_failure_detail(failure, "It is link-local, or where a cloud hands out credentials: open only where the setting lyftron.allowed_hosts names the address.");
	return lyf_failure_hint(failure, "An administrator can add \"%s\" to lyftron.allowed_hosts, for all or with ALTER DATABASE or ALTER ROLE.",
							address != NULL ? address : access->host);
}

static LyfFailure *
check_host(LyfAccess *access)
{
	LyfAddress	parsed;

	if (lyf_address_parse(access->host, strlen(access->host), &parsed))
		return lyf_access_allows(access, access->host) ? NULL : lyf_access_failure(access, access->host);
	return allows_name(access) ? NULL : lyf_access_failure(access, NULL);
}

static void
set_role(LyfAccess *access)
{
	access->superuser = superuser_arg(GetUserId());
	access->allowed = pstrdup(lyf_allowed_hosts);
}

LyfFailure *
lyf_access_url(LyfAccess *access, const char *url)
{
	access->host = lyf_url_host(url, &access->port);
	return check_host(access);
}

LyfFailure *
lyf_access_begin(LyfAccess *access, const char *url)
{
	set_role(access);
	return lyf_access_url(access, url);
}

LyfFailure *
lyf_access_begin_host(LyfAccess *access, const char *host, int port)
{
	set_role(access);
	access->host = host;
	access->port = port;
	return check_host(access);
}
