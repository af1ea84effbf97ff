/*
 * hosts.c
 *		A list of hosts, as a setting has it.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "base/hosts.h"

#define SEPARATORS	", \t\r\n"

bool
lyf_address_parse(const char *text, size_t len, LyfAddress *address)
{
	char		copy[INET6_ADDRSTRLEN + 1];
	const char *zone = memchr(text, '%', len);

	if (zone != NULL)
		len = zone - text;
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	memset(address->bytes, 0, sizeof(address->bytes));
	if (inet_pton(AF_INET, copy, address->bytes + 12) == 1)
	{
		address->bytes[10] = address->bytes[11] = 0xFF;
		return true;
	}
	return inet_pton(AF_INET6, copy, address->bytes) == 1;
}

bool
lyf_address_within(const LyfAddress *address, const LyfAddress *block, int bits)
{
	unsigned char mask = (unsigned char) (0xFF00 >> (bits % 8));

	return memcmp(address->bytes, block->bytes, bits / 8) == 0 &&
		(bits % 8 == 0 || ((address->bytes[bits / 8] ^ block->bytes[bits / 8]) & mask) == 0);
}

/* digits at text, all of them, from 0 to max; -1 if they are none */
static int
read_number(const char *text, size_t len, int max)
{
	int			number = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
		if (number > max)
			return -1;
	}
	return len > 0 ? number : -1;
}

/* cut ":port" off, and the brackets around an IPv6 address; false: neither is right */
static bool
cut_port(LyfHostEntry *entry, const char **host, size_t *len)
{
	const char *colon;

	*host = entry->text;
	*len = entry->len;
	if (**host == '[')
	{
		const char *end = memchr(*host, ']', *len);

		if (end == NULL)
			return false;
		colon = end + 1 < *host + *len ? end + 1 : NULL;
		if (colon != NULL && *colon != ':')
			return false;
	}
	else
	{
		colon = memchr(*host, ':', *len);
		if (colon != NULL && memchr(colon + 1, ':', *host + *len - colon - 1) != NULL)
			return true;		/* an IPv6 address */
	}
	if (colon != NULL)
	{
		entry->port = read_number(colon + 1, *host + *len - colon - 1, 65535);
		if (entry->port <= 0)
			return false;
		*len = colon - *host;
	}
	if (**host == '[')
	{
		*host += 1;
		*len -= 2;
	}
	return *len > 0;
}

/* an address, or "address/bits" */
static bool
read_block(LyfHostEntry *entry, const char *host, size_t len)
{
	const char *slash = memchr(host, '/', len);
	size_t		address_len = slash != NULL ? slash - host : len;
	bool		ipv4 = memchr(host, ':', address_len) == NULL;
	int			bits = ipv4 ? 32 : 128;

	if (memchr(host, '%', len) != NULL || !lyf_address_parse(host, address_len, &entry->block))
		return false;
	if (slash != NULL)
		bits = read_number(slash + 1, host + len - slash - 1, bits);
	entry->bits = ipv4 ? bits + 96 : bits;
	entry->is_block = true;
	return bits >= 0;
}

static bool
read_name(LyfHostEntry *entry, const char *host, size_t len)
{
	if (len > 2 && host[0] == '*' && host[1] == '.')
	{
		host++;
		len--;
	}
	entry->name = host;
	entry->name_len = len;
	for (size_t i = 0; i < len; i++)
		if (!((host[i] >= '0' && host[i] <= '9') || (host[i] >= 'a' && host[i] <= 'z') ||
			  (host[i] >= 'A' && host[i] <= 'Z') || strchr("-._", host[i]) != NULL))
			return false;
	return true;
}

bool
lyf_hosts_next(const char **list, LyfHostEntry *entry)
{
	const char *host;
	size_t		len;

	memset(entry, 0, sizeof(LyfHostEntry));
	entry->text = *list + strspn(*list, SEPARATORS);
	entry->len = strcspn(entry->text, SEPARATORS);
	*list = entry->text + entry->len;
	if (entry->len == 0)
		return false;
	if (!cut_port(entry, &host, &len))
		return true;
	entry->any = len == 1 && host[0] == '*';
	entry->valid = entry->any || read_block(entry, host, len) ||
		(!entry->is_block && read_name(entry, host, len));
	return true;
}

bool
lyf_hosts_named(const LyfHostEntry *entry, const char *host)
{
	size_t		len = strlen(host);

	if (!entry->valid || entry->any || entry->is_block)
		return false;
	if (entry->name[0] == '.' && len > entry->name_len)
		return pg_strncasecmp(host + len - entry->name_len, entry->name, entry->name_len) == 0;
	return len == entry->name_len && pg_strncasecmp(host, entry->name, len) == 0;
}
