/*
 * mysql_import.h
 *		What the files mysql_import*.c share.
 */
#ifndef LYF_MYSQL_IMPORT_H
#define LYF_MYSQL_IMPORT_H

#include "fdw/mysql_internal.h"

/* options of the statement */
typedef struct LyfMysqlImportOptions
{
	LyfMysqlTypeChoice types;
	const char *zero_dates;		/* as the tables' option, NULL: not said */
	bool		zero_dates_null;	/* that, or what the server's option says */
	bool		defaults;
	bool		generated;
	bool		not_null;
} LyfMysqlImportOptions;

/* A table or view of the server's. */
typedef struct LyfMysqlRemoteTable
{
	const char *name;			/* in UTF-8, as comment */
	const char *local_name;
	const char *type;			/* BASE TABLE, VIEW, SEQUENCE ... */
	const char *rows;			/* the server's estimate, or NULL */
	const char *comment;		/* or NULL */
	List	   *columns;		/* of LyfMysqlRemoteColumn * */
} LyfMysqlRemoteTable;

/* Where tables come from and go to. */
typedef struct LyfMysqlImport
{
	LyfMysqlImportOptions options;
	const char *server;			/* name of the foreign server */
	const char *database;
	const char *schema;			/* of the foreign tables */
	bool		mariadb;
} LyfMysqlImport;

/* in mysql_import_table.c: statements that make the foreign table and its comments */
extern char *lyf_mysql_import_table(const LyfMysqlImport *import, const LyfMysqlRemoteTable *table);

/* in mysql_import_default.c: a column's default as an expression of PostgreSQL, NULL: it has none, or only the server knows */
extern char *lyf_mysql_import_default(const LyfMysqlRemoteColumn *column, const LyfMysqlRemoteType *remote, const char *type, bool mariadb);

#endif							/* LYF_MYSQL_IMPORT_H */
