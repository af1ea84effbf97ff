/*
 * mysql_load.c
 *		The client of MySQL and MariaDB, loaded when it is first needed, and which
 *		addresses it may connect to.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/formatting.h"

#include "base/clock.h"
#include "net/mysql.h"
#include "net/net_internal.h"

typedef const LyfMysqlFunctions *(*ClientFunction) (void);

static const LyfMysqlFunctions *client = NULL;

/* a copy of the client's, but for `connect` */
static LyfMysqlFunctions functions;

/* of those that a name stands for, the addresses that the role may be connected to */
static LyfFailure *
allowed_addresses(const char *host, int port, int timeout_ms, const char ***allowed)
{
	char	   *name = asc_tolower(host, strlen(host));
	const char **found;
	const char *refused = NULL;
	LyfAccess	access;
	int			count = 0;

	LYF_TRY(lyf_access_begin_host(&access, name, port));
	LYF_TRY(lyf_resolve(host, timeout_ms, &found));
	for (int i = 0; found[i] != NULL; i++)
		if (lyf_access_allows(&access, found[i]))
			found[count++] = found[i];
		else
			refused = found[i];
	found[count] = NULL;
	*allowed = found;
	return count == 0 ? lyf_access_failure(&access, refused) : NULL;
}

/* a socket is this machine's */
static LyfFailure *
check_socket(void)
{
	LyfAccess	access;

	LYF_TRY(lyf_access_begin_host(&access, "localhost", 0));
	return lyf_access_allows(&access, "127.0.0.1") ? NULL : lyf_access_failure(&access, "127.0.0.1");
}

static LyfFailure *
connect_allowed(const LyfMysqlOptions *options, LyfMysql **mysql)
{
	LyfMysqlOptions copy = *options;
	int64		began = lyf_monotonic_us();
	const char **addresses;

	if (options->socket != NULL)
		LYF_TRY(check_socket());
	else
	{
		LYF_TRY(allowed_addresses(options->host, options->port, options->connect_timeout_ms, &addresses));
		copy.addresses = addresses;
	}
	if (options->connect_timeout_ms > 0)
		copy.connect_timeout_ms = Max(options->connect_timeout_ms - (int) ((lyf_monotonic_us() - began) / 1000), 1);
	return client->connect(&copy, mysql);
}

/* why it cannot be loaded is in the dynamic linker's words: a file of ours, or one of the library's, is missing */
static void
raise_not_loaded(const ErrorData *error)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("the client of MySQL and MariaDB cannot be loaded"),
			 errdetail_internal("%s", error->message),
			 errhint("Install MariaDB's client library (on Debian the package libmariadb3); if Lyftron was built without it, "
					 "install its development files (libmariadb-dev), then build and install Lyftron once more.")));
}

const LyfMysqlFunctions *
lyf_mysql_functions(void)
{
	MemoryContext old = CurrentMemoryContext;

	if (client != NULL)
		return &functions;
	PG_TRY();
	{
		ClientFunction get = (ClientFunction) load_external_function("$libdir/lyftron_mysql", "lyf_mysql_client", true, NULL);

		client = get();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		raise_not_loaded(error);
	}
	PG_END_TRY();
	functions = *client;
	functions.connect = connect_allowed;
	return &functions;
}
