/*
 * client.c
 *		The benchmark's limits at MariaDB: the least that a client of its library does.
 *
 *		client PORT drain TABLE					read all rows, drop them
 *		client PORT keys TABLE TIMES KEYS		read the rows of a list of keys, so many times
 *		client PORT point TABLE TIMES ROWS		by a prepared statement, the rows of keys from 1 to ROWS, one at a time
 *		client PORT insert TABLE FILE			insert the rows of a file for COPY in statements of many rows
 *
 * It prints rows, and the microseconds from before the connection to the first row.
 */
#include <mysql.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS 16
#define NUMBERS 8				/* of them, the first ones */
#define ROWS_PER_INSERT 1000
#define VALUE_SIZE 256			/* of a value in a prepared statement's result */

static MYSQL *mysql;
static double started;
static double first_row;
static long rows;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, mysql_error(mysql));
	exit(1);
}

static void
connect_to(int port)
{
	mysql = mysql_init(NULL);
	mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(mysql, "127.0.0.1", "bench", "bench", "bench", port, NULL, 0) == NULL)
		fail("connecting");
}

static void
run(const char *sql)
{
	if (mysql_real_query(mysql, sql, strlen(sql)) != 0)
		fail(sql);
}

static void
read_rows(const char *sql)
{
	MYSQL_RES  *result;

	run(sql);
	if ((result = mysql_use_result(mysql)) == NULL)
		fail(sql);
	while (mysql_fetch_row(result) != NULL)
		if (rows++ == 0)
			first_row = now();
	if (mysql_errno(mysql) != 0)
		fail(sql);
	mysql_free_result(result);
}

static void
drain(char **args)
{
	char		sql[200];

	snprintf(sql, sizeof(sql), "SELECT * FROM %s", args[0]);
	read_rows(sql);
}

static void
read_keys(char **args)
{
	size_t		size = strlen(args[2]) + 200;
	char	   *sql = malloc(size);

	snprintf(sql, size, "SELECT * FROM %s WHERE id IN (%s)", args[0], args[2]);
	for (int i = 0; i < atoi(args[1]); i++)
		read_rows(sql);
	free(sql);
}

/* Integers come as such, all others as text. */
static void
bind_row(MYSQL_STMT *stmt)
{
	static int	integers[4];
	static char values[COLUMNS][VALUE_SIZE];
	static unsigned long lengths[COLUMNS];
	static my_bool nulls[COLUMNS];
	MYSQL_BIND	binds[COLUMNS];

	memset(binds, 0, sizeof(binds));
	for (int i = 0; i < COLUMNS; i++)
	{
		binds[i].buffer_type = i < 4 ? MYSQL_TYPE_LONG : MYSQL_TYPE_STRING;
		binds[i].buffer = i < 4 ? (void *) &integers[i] : (void *) values[i];
		binds[i].buffer_length = i < 4 ? sizeof(int) : VALUE_SIZE;
		binds[i].length = &lengths[i];
		binds[i].is_null = &nulls[i];
	}
	if (mysql_stmt_bind_result(stmt, binds))
		fail("binding a row");
}

static void
read_points(char **args)
{
	MYSQL_STMT *stmt = mysql_stmt_init(mysql);
	MYSQL_BIND	key;
	int			id;
	char		sql[200];

	snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE id = ?", args[0]);
	memset(&key, 0, sizeof(key));
	key.buffer_type = MYSQL_TYPE_LONG;
	key.buffer = &id;
	if (mysql_stmt_prepare(stmt, sql, strlen(sql)) || mysql_stmt_bind_param(stmt, &key))
		fail(sql);
	bind_row(stmt);
	for (long i = 1; i <= atol(args[1]); i++)
	{
		id = 1 + i * 7919 % atol(args[2]);
		if (mysql_stmt_execute(stmt) || mysql_stmt_fetch(stmt) != 0)
			fail(sql);
		rows++;
		mysql_stmt_free_result(stmt);
	}
	mysql_stmt_close(stmt);
}

/* COPY's escapes are the server's as well; quotes are doubled.  Returns the end of what was written. */
static char *
append_value(char *out, const char *value, size_t len, int column)
{
	if (len == 2 && memcmp(value, "\\N", 2) == 0)
		return stpcpy(out, "NULL");
	if (column < NUMBERS)
		return (char *) mempcpy(out, value, len);
	*out++ = '\'';
	for (size_t i = 0; i < len; i++)
	{
		if (value[i] == '\'')
			*out++ = '\'';
		*out++ = value[i];
	}
	*out++ = '\'';
	return out;
}

static char *
append_row(char *out, char *line)
{
	*out++ = '(';
	for (int column = 0; column < COLUMNS; column++)
	{
		size_t		len = strcspn(line, "\t\n");

		if (column > 0)
			*out++ = ',';
		out = append_value(out, line, len, column);
		line += len + 1;
	}
	*out++ = ')';
	return out;
}

static void
insert(char **args)
{
	FILE	   *file = fopen(args[1], "r");
	char	   *sql = malloc(ROWS_PER_INSERT * 2000 + 200);
	char	   *values = sql + sprintf(sql, "INSERT INTO %s VALUES ", args[0]);
	char	   *out = values;
	char	   *line = NULL;
	size_t		size = 0;

	if (file == NULL)
	{
		perror(args[1]);
		exit(1);
	}
	run("BEGIN");
	for (;;)
	{
		int			more = getline(&line, &size, file) >= 0;

		if (more && rows++ % ROWS_PER_INSERT != 0)
			*out++ = ',';
		if (more)
			out = append_row(out, line);
		if (out != values && (!more || rows % ROWS_PER_INSERT == 0))
		{
			if (mysql_real_query(mysql, sql, out - sql) != 0)
				fail("inserting");
			out = values;
		}
		if (!more)
			break;
	}
	run("COMMIT");
	free(line);
	free(sql);
	fclose(file);
}

int
main(int argc, char **argv)
{
	static const struct
	{
		const char *name;
		int			args;
		void		(*run) (char **args);
	}			modes[] = {{"drain", 1, drain}, {"keys", 3, read_keys}, {"point", 3, read_points}, {"insert", 2, insert}};

	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
	{
		if (strcmp(argv[2], modes[i].name) != 0 || argc != 3 + modes[i].args)
			continue;
		started = now();
		connect_to(atoi(argv[1]));
		modes[i].run(argv + 3);
		mysql_close(mysql);
		printf("%ld %.0f\n", rows, first_row > 0 ? (first_row - started) * 1e6 : 0);
		return 0;
	}
	fprintf(stderr, "usage: client PORT drain|keys|point|insert ARGUMENT...\n");
	return 2;
}
