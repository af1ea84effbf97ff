/*
 * mysql_compare.c
 *		Comparisons.
 *
 * PostgreSQL's deterministic collations call two texts equal that have the same bytes, the
 * server's do so for letters of either case, accents, and blanks at the end.  So texts are compared
 * there as bytes; an equality with a column stands before that once more as the server
 * understands it, for its indexes.  Texts are less or greater there only by bytes, too: as in the
 * collation "C".
 *
 * Columns of unequal scale are converted to compare them: the server could put a constant that the
 * one equals in place of the other, and round it; and MySQL's hash joins clip decimals.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/pg_locale.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "fdw/mysql_term.h"

/* what the server sorts by, of texts and bytes (max_sort_length) */
#define SORTED_BYTES	1024

static const char *const operators[] = {
	[LYF_PLACE_EQUAL] = "=",
	[LYF_PLACE_UNEQUAL] = "<>",
	[LYF_PLACE_LESS] = "<",
	[LYF_PLACE_LESS_EQUAL] = "<=",
	[LYF_PLACE_GREATER] = ">",
	[LYF_PLACE_GREATER_EQUAL] = ">=",
	[LYF_PLACE_SAME] = "<=>"
};

/* the same with the sides exchanged */
static LyfPlaceUse
mirror(LyfPlaceUse use)
{
	static const LyfPlaceUse mirrored[] = {
		[LYF_PLACE_EQUAL] = LYF_PLACE_EQUAL,
		[LYF_PLACE_UNEQUAL] = LYF_PLACE_UNEQUAL,
		[LYF_PLACE_LESS] = LYF_PLACE_GREATER,
		[LYF_PLACE_LESS_EQUAL] = LYF_PLACE_GREATER_EQUAL,
		[LYF_PLACE_GREATER] = LYF_PLACE_LESS,
		[LYF_PLACE_GREATER_EQUAL] = LYF_PLACE_LESS_EQUAL,
		[LYF_PLACE_SAME] = LYF_PLACE_SAME
	};

	return mirrored[use];
}

bool
lyf_mysql_comparison(Oid operator, Oid type, LyfPlaceUse *use)
{
	static const LyfPlaceUse uses[] = {
		[BTLessStrategyNumber] = LYF_PLACE_LESS,
		[BTLessEqualStrategyNumber] = LYF_PLACE_LESS_EQUAL,
		[BTEqualStrategyNumber] = LYF_PLACE_EQUAL,
		[BTGreaterEqualStrategyNumber] = LYF_PLACE_GREATER_EQUAL,
		[BTGreaterStrategyNumber] = LYF_PLACE_GREATER
	};
	Oid			family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int			strategy;

	/* somebody else's operator may be in a builtin family */
	if (operator >= FirstGenbkiObjectId || !OidIsValid(family))
		return false;
	strategy = get_op_opfamily_strategy(operator, family);
	*use = strategy != 0 ? uses[strategy] : LYF_PLACE_UNEQUAL;
	return strategy != 0 || get_op_opfamily_strategy(get_negator(operator), family) == BTEqualStrategyNumber;
}

static bool
is_number(const LyfTerm *term)
{
	return term->kind == LYF_TERM_INTEGER || term->kind == LYF_TERM_DECIMAL;
}

static bool
is_wall_clock(const LyfTerm *term)
{
	return term->kind == LYF_TERM_DATE || term->kind == LYF_TERM_DATETIME;
}

static bool
are_comparable(const LyfTerm *left, const LyfTerm *right)
{
	if (left->superset || right->superset || left->kind == LYF_TERM_OPAQUE)
		return false;
	return left->kind == right->kind || (is_number(left) && is_number(right)) || (is_wall_clock(left) && is_wall_clock(right));
}

static bool
is_order(LyfPlaceUse use)
{
	return use >= LYF_PLACE_LESS && use <= LYF_PLACE_GREATER_EQUAL;
}

/* a number that the server compares as an integer */
static bool
is_integer(const LyfTerm *term)
{
	return term->kind == LYF_TERM_INTEGER || (term->kind == LYF_TERM_DECIMAL && strcmp(term->sql, term->operand) != 0);
}

/* both as decimals of the same digits; false: they are too many */
static bool
match_numbers(const LyfTerm *left, const LyfTerm *right, const char **left_sql, const char **right_sql)
{
	int			scale = Max(left->scale, right->scale);
	int			precision = Max(left->digits, right->digits) + scale;

	if ((is_integer(left) && is_integer(right)) || (left->scale == right->scale && !is_integer(left) && !is_integer(right)))
		return true;
	*left_sql = psprintf("CAST(%s AS DECIMAL(%d,%d))", left->sql, precision, scale);
	*right_sql = psprintf("CAST(%s AS DECIMAL(%d,%d))", right->sql, precision, scale);
	return precision <= LYF_MYSQL_DIGITS;
}

/* a time beside one of a finer scale */
static const char *
refine(const LyfTerm *term, const LyfTerm *other)
{
	if (term->kind == LYF_TERM_DATE && other->kind == LYF_TERM_DATETIME)
		return psprintf("CAST(%s AS DATETIME)", term->sql);
	if (term->scale >= other->scale)
		return term->sql;
	return psprintf(term->kind == LYF_TERM_SPAN || term->kind == LYF_TERM_CLOCK ? "CAST(%s AS TIME(6))" : "CAST(%s AS DATETIME(6))",
					term->sql);
}

/* two that are not values */
static LyfTerm *
compare_terms(LyfTranslation *t, const LyfTerm *left, LyfPlaceUse use, const LyfTerm *right)
{
	const char *left_sql = left->sql;
	const char *right_sql = right->sql;

	if (!is_number(left))
	{
		left_sql = refine(left, right);
		right_sql = refine(right, left);
	}
	else if (!match_numbers(left, right, &left_sql, &right_sql))
		return lyf_mysql_term_fail(t, "more digits than the server has");
	return lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(%s %s %s)", left_sql, operators[use], right_sql));
}

static LyfTerm *
compare_plain(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation)
{
	LyfPlace	place = {.use = use,.kind = left->kind,.scale = left->scale,.before = "",.after = ""};
	const char *text;

	if (right->value == NULL)
		return compare_terms(t, left, use, right);
	text = lyf_mysql_use_value(t, right, &place);
	if (text == NULL)
		return lyf_mysql_term_fail(t, "a value that the server has not");
	return lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(%s %s)", left->sql, text));
}

static LyfTerm *
compare_uuids(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation)
{
	if (is_order(use))
		return lyf_mysql_term_fail(t, "the server sorts UUIDs in another order");
	return compare_plain(t, left, use, right, collation);
}

/* of the same length, as numbers */
static LyfTerm *
compare_bits(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation)
{
	LyfPlace	place = {.use = use,.kind = LYF_TERM_BITS,.before = "CAST(",.after = " AS UNSIGNED)"};

	if (left->scale != right->scale)
		return lyf_mysql_term_fail(t, "bits that may be of another length");
	if (right->value == NULL)
		return compare_plain(t, left, use, right, collation);
	return lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(%s %s)", left->sql, lyf_mysql_use_value(t, right, &place)));
}

static bool
is_collation(const LyfTerm *term, const char *name)
{
	return term->column->remote.collation != NULL && strcmp(term->column->remote.collation, name) == 0;
}

/* does the server compare the column by bytes, blanks at the end as well? */
static bool
is_compared_by_bytes(const LyfTerm *term)
{
	return term->column != NULL && term->column->remote.kind == LYF_MY_TEXT &&
		(is_collation(term, "utf8mb4_nopad_bin") || is_collation(term, "utf8mb4_0900_bin"));
}

const char *
lyf_mysql_bytes_of(LyfTranslation *t, LyfTerm *term)
{
	if (term->kind != LYF_TERM_TEXT || is_compared_by_bytes(term))
		return term->sql;
	return psprintf("CAST(%s AS BINARY)", lyf_mysql_operand(t, term));
}

static bool
is_indexable(const LyfTerm *term)
{
	return term->column != NULL && term->column->remote.kind == LYF_MY_TEXT && term->column->remote.charset != NULL &&
		!is_compared_by_bytes(term);
}

/* an equality of a column as the server understands it, " AND " behind it; "" if there is none that an index could serve */
static const char *
index_part(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right)
{
	LyfPlace	place = {.use = use,.kind = LYF_TERM_TEXT,.before = "",.after = ""};
	const LyfMysqlRemoteType *remote;

	if ((use != LYF_PLACE_EQUAL && use != LYF_PLACE_IN) || !is_indexable(left))
		return "";
	remote = &left->column->remote;
	if (right->value == NULL)
		return is_indexable(right) && strcmp(remote->collation, right->column->remote.collation) == 0
			? psprintf("%s = %s AND ", left->sql, right->sql) : "";
	if (strcmp(remote->charset, "utf8mb4") != 0)
	{
		place.before = "CONVERT(";
		place.after = psprintf(" USING %s) COLLATE %s", remote->charset, remote->collation);
	}
	return psprintf("%s %s AND ", left->sql, lyf_mysql_use_value(t, right, &place));
}

static bool
check_collation(LyfTranslation *t, LyfPlaceUse use, Oid collation)
{
	if (!OidIsValid(collation) || !get_collation_isdeterministic(collation))
		lyf_mysql_term_fail(t, "the collation is not deterministic");
	else if (is_order(use) && (!lyf_collation_is_c(collation) || GetDatabaseEncoding() != PG_UTF8))
		lyf_mysql_term_fail(t, "the collation's order is not that of \"C\"");
	else
		return true;
	return false;
}

static LyfTerm *
compare_texts(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation)
{
	LyfPlace	place = {.use = use,.kind = LYF_TERM_TEXT,.before = "",.after = ""};
	const char *bytes;

	if (!check_collation(t, use, collation))
		return NULL;
	if (right->value != NULL)
		bytes = psprintf("%s %s", lyf_mysql_bytes_of(t, left), lyf_mysql_use_value(t, right, &place));
	else
		bytes = psprintf("%s %s %s", lyf_mysql_bytes_of(t, left), operators[use], lyf_mysql_bytes_of(t, right));
	return lyf_mysql_term_make(LYF_TERM_BOOLEAN, psprintf("(%s%s)", index_part(t, left, use, right), bytes));
}

static LyfTerm *(*const compare_kinds[LYF_TERM_KINDS]) (LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation) = {
	[LYF_TERM_BOOLEAN] = compare_plain,
	[LYF_TERM_INTEGER] = compare_plain,
	[LYF_TERM_DECIMAL] = compare_plain,
	[LYF_TERM_DOUBLE] = compare_plain,
	[LYF_TERM_TEXT] = compare_texts,
	[LYF_TERM_BYTES] = compare_plain,
	[LYF_TERM_DATE] = compare_plain,
	[LYF_TERM_DATETIME] = compare_plain,
	[LYF_TERM_MOMENT] = compare_plain,
	[LYF_TERM_SPAN] = compare_plain,
	[LYF_TERM_CLOCK] = compare_plain,
	[LYF_TERM_BITS] = compare_bits,
	[LYF_TERM_UUID] = compare_uuids
};

LyfTerm *
lyf_mysql_compare(LyfTranslation *t, LyfTerm *left, LyfPlaceUse use, LyfTerm *right, Oid collation)
{
	LyfTerm    *result;

	if (left->value != NULL)
		return right->value != NULL ? lyf_mysql_term_fail(t, "values that are not known before the query")
			: lyf_mysql_compare(t, right, mirror(use), left, collation);
	if (!are_comparable(left, right))
		return lyf_mysql_term_fail(t, "types that the server compares differently");
	if (use == LYF_PLACE_SAME && (left->zero_dates || right->zero_dates))
		return lyf_mysql_term_fail(t, "a date that may read as NULL");
	result = compare_kinds[left->kind] (t, left, use, right, collation);
	if (result != NULL)
		result->superset = left->zero_dates || right->zero_dates;
	return result;
}

/* a term for the members of an array */
static LyfTerm *
members_term(LyfTranslation *t, Expr *array)
{
	LyfTerm    *member = lyf_mysql_term_make(LYF_TERM_OPAQUE, NULL);

	member->value = array;
	if (!lyf_mysql_kind_of(get_element_type(exprType((Node *) array)), &member->kind))
		return lyf_mysql_term_fail(t, "an array of a type that the server has not");
	return member;
}

LyfTerm *
lyf_mysql_translate_any(LyfTranslation *t, Expr *expr)
{
	ScalarArrayOpExpr *any = (ScalarArrayOpExpr *) expr;
	Expr	   *array = lsecond(any->args);
	LyfTerm    *left = lyf_mysql_term(t, linitial(any->args));
	LyfTerm    *members;
	LyfPlaceUse use;

	if (left == NULL)
		return NULL;
	if (left->value != NULL || !lyf_mysql_is_value(t, array))
		return lyf_mysql_term_fail(t, "an array that is not known before the query");
	if (!lyf_mysql_comparison(any->opno, exprType(linitial(any->args)), &use) ||
		use != (any->useOr ? LYF_PLACE_EQUAL : LYF_PLACE_UNEQUAL))
		return lyf_mysql_term_fail(t, "an operator with an array that the server has not");
	members = members_term(t, array);
	if (members == NULL)
		return NULL;
	return lyf_mysql_compare(t, left, any->useOr ? LYF_PLACE_IN : LYF_PLACE_NOT_IN, members, any->inputcollid);
}

bool
lyf_mysql_sortable(LyfTranslation *t, const LyfTerm *term, LyfPlaceUse use, Oid collation)
{
	int			bytes = term->kind == LYF_TERM_TEXT ? MAX_MULTIBYTE_CHAR_LEN : 1;
	bool		sized = term->kind == LYF_TERM_TEXT || term->kind == LYF_TERM_BYTES;

	if (term->value != NULL || term->kind == LYF_TERM_OPAQUE || term->superset || term->zero_dates ||
		(term->kind == LYF_TERM_UUID && is_order(use)))
		lyf_mysql_term_fail(t, "what the server cannot sort");
	else if (term->kind == LYF_TERM_SPAN && term->column == NULL)
		lyf_mysql_term_fail(t, "an interval that may be one of days, which the server takes for hours");
	else if (sized && (term->length == 0 || term->length * bytes > SORTED_BYTES))
		lyf_mysql_term_fail(t, "more bytes than the server sorts by");
	else if (use == LYF_PLACE_EQUAL && term->kind == LYF_TERM_DOUBLE)
		lyf_mysql_term_fail(t, "the server has two zeros of floating-point numbers");
	else
		return term->kind != LYF_TERM_TEXT || check_collation(t, use, collation);
	return false;
}
