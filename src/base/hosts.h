/*
 * hosts.h
 *		A list of hosts, as a setting has it: "api.example.com, *.example.com:443,
 *		10.0.0.0/8, ::1, [::1]:8080, *".  It is read anew at each look, and nothing is
 *		allocated: a library's callback may look, too.
 */
#ifndef LYF_HOSTS_H
#define LYF_HOSTS_H

/* an IPv6 address, or an IPv4 one as ::ffff:a.b.c.d */
typedef struct LyfAddress
{
	unsigned char bytes[16];
} LyfAddress;

/* dotted IPv4 or IPv6, without brackets; a zone (%eth0) is left out.  False: another text */
extern bool lyf_address_parse(const char *text, size_t len, LyfAddress *address);

/* do their first bits agree? */
extern bool lyf_address_within(const LyfAddress *address, const LyfAddress *block, int bits);

typedef struct LyfHostEntry
{
	const char *text;			/* of the whole entry, not terminated */
	size_t		len;
	bool		valid;
	bool		any;			/* "*" */
	bool		is_block;		/* an address, or a block of them; else a name */
	LyfAddress	block;
	int			bits;			/* of block, from 0 to 128 */
	const char *name;			/* "api.example.com", or ".example.com" of a wildcard */
	size_t		name_len;
	int			port;			/* 0: each */
} LyfHostEntry;

/* the next entry of the list, which moves on; false at its end */
extern bool lyf_hosts_next(const char **list, LyfHostEntry *entry);

/* does an entry of a name stand for this host (lower case)? */
extern bool lyf_hosts_named(const LyfHostEntry *entry, const char *host);

#endif							/* LYF_HOSTS_H */
