/*
 * template_lex.c
 *		Text to tokens: data outside of {{ }} and {% %}, and what is inside.
 *
 * A '-' at the inner side of a delimiter takes the white space of the data that
 * it touches away.  Inside brackets the closing delimiter is no delimiter, so
 * that {{ {'a': {}} }} works.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "base/datetime.h"
#include "base/template_internal.h"

typedef struct Lexer
{
	const char *at;
	const char *end;
	LyfToken   *tokens;
	int			count;
	int			size;
	int			nesting;		/* open brackets */
	bool		trim;			/* the data that comes loses its leading white space */
} Lexer;

static LyfToken *
add_token(Lexer *lexer, LyfTokenType type, const char *text, size_t len)
{
	LyfToken   *token;

	if (lexer->count == lexer->size)
	{
		lexer->size *= 2;
		lexer->tokens = repalloc(lexer->tokens, lexer->size * sizeof(LyfToken));
	}
	token = &lexer->tokens[lexer->count++];
	token->type = type;
	token->text = text != NULL ? pnstrdup(text, len) : "";
	token->len = len;
	token->value = NULL;
	return token;
}

bool
lyf_text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static bool
starts(const Lexer *lexer, const char *at, const char *what)
{
	size_t		len = strlen(what);

	return (size_t) (lexer->end - at) >= len && memcmp(at, what, len) == 0;
}

static const char *
find(const Lexer *lexer, const char *at, const char *what)
{
	for (; at < lexer->end; at++)
	{
		if (starts(lexer, at, what))
			return at;
	}
	return NULL;
}

/* data up to `end`; trim: a '-' stands behind it */
static void
add_data(Lexer *lexer, const char *end, bool trim)
{
	const char *start = lexer->at;

	if (lexer->trim)
	{
		while (start < end && lyf_text_is_space(*start))
			start++;
	}
	if (trim)
	{
		while (end > start && lyf_text_is_space(end[-1]))
			end--;
	}
	lexer->trim = false;
	if (end > start)
		add_token(lexer, LYF_TOKEN_DATA, start, end - start);
}

/* one digit of an escape's base, or -1 */
static int
digit_value(char c, int base)
{
	int			value;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		value = (c | 0x20) - 'a' + 10;
	else
		return -1;
	return value < base ? value : -1;
}

static bool
append_code_point(StringInfo out, uint32 code)
{
	unsigned char bytes[8];

	if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		return false;
	unicode_to_utf8(code, bytes);
	appendBinaryStringInfo(out, (char *) bytes, code == 0 ? 1 : pg_utf_mblen(bytes));
	return true;
}

/* exactly `digits` of them, or up to that many if octal; *at moves on */
static bool
append_coded(StringInfo out, const char **at, const char *end, int base, int digits)
{
	uint32		code = 0;
	int			count = 0;

	while (count < digits && *at < end && digit_value(**at, base) >= 0)
	{
		code = code * base + digit_value(**at, base);
		(*at)++;
		count++;
	}
	return (base == 8 || count == digits) && append_code_point(out, code);
}

bool
lyf_template_unescape(StringInfo out, const char *text, size_t len)
{
	static const char names[] = "abfnrtv\\'\"";
	static const char meant[] = "\a\b\f\n\r\t\v\\'\"";
	const char *end = text + len;

	while (text < end)
	{
		const char *name;
		char		c = *text++;

		if (c != '\\' || text == end)
		{
			appendStringInfoChar(out, c);
			continue;
		}
		c = *text++;
		name = c != '\0' ? strchr(names, c) : NULL;
		if (name != NULL)
			appendStringInfoChar(out, meant[name - names]);
		else if (c == 'x' || c == 'u' || c == 'U')
		{
			if (!append_coded(out, &text, end, 16, c == 'x' ? 2 : c == 'u' ? 4 : 8))
				return false;
		}
		else if (c >= '0' && c <= '7')
		{
			text--;
			if (!append_coded(out, &text, end, 8, 3))
				return false;
		}
		else if (c == 'N')
			return false;
		else if (c != '\n')
		{
			appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, c);
		}
	}
	return true;
}

static LyfFailure *
lex_string(Lexer *lexer)
{
	char		quote = *lexer->at;
	const char *start = lexer->at + 1;
	const char *at = start;
	StringInfoData text;

	while (at < lexer->end && *at != quote)
		at += *at == '\\' && at + 1 < lexer->end ? 2 : 1;
	if (at >= lexer->end)
		return lyf_template_syntax("a string has no closing quote");
	initStringInfo(&text);
	if (!lyf_template_unescape(&text, start, at - start))
		return lyf_template_syntax("wrong escape in a string");
	add_token(lexer, LYF_TOKEN_CONSTANT, start, at - start)->value = lyf_template_take(&text);
	lexer->at = at + 1;
	return NULL;
}

/* digits, with single underscores between; the place behind them */
static const char *
skip_digits(const Lexer *lexer, const char *at)
{
	while (at < lexer->end &&
		   (isdigit((unsigned char) *at) ||
			(*at == '_' && at + 1 < lexer->end && isdigit((unsigned char) at[1]))))
		at++;
	return at;
}

static LyfFailure *
lex_number(Lexer *lexer)
{
	const char *start = lexer->at;
	const char *at = skip_digits(lexer, start);
	bool		is_float = false;
	double		number;
	LyfToken   *token;

	if (at == start + 1 && *start == '0' && at < lexer->end && strchr("xXoObB", *at) != NULL)
	{
		at++;
		while (at < lexer->end && (isalnum((unsigned char) *at) || *at == '_'))
			at++;
	}
	else
	{
		const char *behind;

		if (at + 1 < lexer->end && *at == '.' && isdigit((unsigned char) at[1]) &&
			(lexer->count == 0 || strcmp(lexer->tokens[lexer->count - 1].text, ".") != 0))
		{
			is_float = true;
			at = skip_digits(lexer, at + 1);
		}
		behind = at;
		if (behind < lexer->end && (*behind | 0x20) == 'e')
		{
			behind++;
			if (behind < lexer->end && (*behind == '+' || *behind == '-'))
				behind++;
			if (behind < lexer->end && isdigit((unsigned char) *behind))
			{
				is_float = true;
				at = skip_digits(lexer, behind);
			}
		}
	}
	token = add_token(lexer, LYF_TOKEN_CONSTANT, start, at - start);
	lexer->at = at;
	if (!is_float)
	{
		if (lyf_template_parse_int(start, at - start, 0, &token->value))
			return NULL;
	}
	else if (lyf_template_parse_float(start, at - start, &number))
	{
		token->value = lyf_value_number(number);
		return NULL;
	}
	return lyf_template_syntax("wrong number \"%s\"", lyf_clip(token->text, 60));
}

static LyfFailure *
lex_operator(Lexer *lexer)
{
	static const char *const operators[] = {
		"**", "//", "==", "!=", ">=", "<=",
		"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"
	};

	for (int i = 0; i < lengthof(operators); i++)
	{
		const char *op = operators[i];

		if (!starts(lexer, lexer->at, op))
			continue;
		if (strchr("([{", *op) != NULL)
			lexer->nesting++;
		else if (strchr(")]}", *op) != NULL && --lexer->nesting < 0)
			return lyf_template_syntax("unexpected \"%s\"", op);
		add_token(lexer, LYF_TOKEN_OPERATOR, op, strlen(op));
		lexer->at += strlen(op);
		return NULL;
	}
	return lyf_template_syntax("unexpected character \"%.*s\"",
							   Min(pg_utf_mblen((const unsigned char *) lexer->at),
								   (int) (lexer->end - lexer->at)), lexer->at);
}

static bool
is_name_byte(char c)
{
	return isalnum((unsigned char) c) || c == '_' || (unsigned char) c >= 0x80;
}

/* the tokens up to the closing delimiter, and that one */
static LyfFailure *
lex_inside(Lexer *lexer, const char *close, LyfTokenType type)
{
	lexer->nesting = 0;
	for (;;)
	{
		const char *at;

		CHECK_FOR_INTERRUPTS();
		while (lexer->at < lexer->end && lyf_text_is_space(*lexer->at))
			lexer->at++;
		at = lexer->at;
		if (at >= lexer->end)
			return lyf_template_syntax("\"%s\" is missing", close);
		if (lexer->nesting == 0)
		{
			bool		trim = *at == '-' && starts(lexer, at + 1, close);

			if (trim || (*at == '+' && *close == '%' && starts(lexer, at + 1, close)))
				at++;
			if (starts(lexer, at, close))
			{
				add_token(lexer, type, close, 2);
				lexer->at = at + 2;
				lexer->trim = trim;
				return NULL;
			}
		}
		if (isdigit((unsigned char) *at))
			LYF_TRY(lex_number(lexer));
		else if (is_name_byte(*at))
		{
			while (lexer->at < lexer->end && is_name_byte(*lexer->at))
				lexer->at++;
			add_token(lexer, LYF_TOKEN_NAME, at, lexer->at - at);
		}
		else if (*at == '\'' || *at == '"')
			LYF_TRY(lex_string(lexer));
		else
			LYF_TRY(lex_operator(lexer));
	}
}

/* {% raw %} at lexer->at (behind the "{%")?  Then up to {% endraw %} all is data. */
static bool
lex_raw(Lexer *lexer)
{
	const char *at = lexer->at;
	const char *close;
	const char *open;

	while (at < lexer->end && (lyf_text_is_space(*at)))
		at++;
	if (!starts(lexer, at, "raw"))
		return false;
	for (at += 3; at < lexer->end && lyf_text_is_space(*at);)
		at++;
	lexer->trim = at < lexer->end && *at == '-';
	if (lexer->trim)
		at++;
	if (!starts(lexer, at, "%}"))
		return false;
	lexer->at = at + 2;
	for (open = find(lexer, lexer->at, "{%"); open != NULL; open = find(lexer, open + 2, "{%"))
	{
		bool		trim = open + 2 < lexer->end && open[2] == '-';

		at = open + 2 + trim;
		while (at < lexer->end && lyf_text_is_space(*at))
			at++;
		if (!starts(lexer, at, "endraw"))
			continue;
		close = find(lexer, at, "%}");
		if (close == NULL)
			return false;
		add_data(lexer, open, trim);
		lexer->trim = close[-1] == '-';
		lexer->at = close + 2;
		return true;
	}
	return false;
}

/* the delimiter at lexer->at ("{{", "{%" or "{#") and all up to its end */
static LyfFailure *
lex_delimited(Lexer *lexer)
{
	char		kind = lexer->at[1];

	lexer->at += 2;
	if (kind == '#')
	{
		const char *close = find(lexer, lexer->at, "#}");

		if (close == NULL)
			return lyf_template_syntax("\"#}\" is missing");
		lexer->trim = close > lexer->at && close[-1] == '-';
		lexer->at = close + 2;
		return NULL;
	}
	if (lexer->at < lexer->end && (*lexer->at == '-' || *lexer->at == '+'))
		lexer->at++;
	if (kind == '{')
	{
		add_token(lexer, LYF_TOKEN_VARIABLE_BEGIN, "{{", 2);
		return lex_inside(lexer, "}}", LYF_TOKEN_VARIABLE_END);
	}
	if (lex_raw(lexer))
		return NULL;
	add_token(lexer, LYF_TOKEN_BLOCK_BEGIN, "{%", 2);
	return lex_inside(lexer, "%}", LYF_TOKEN_BLOCK_END);
}

LyfFailure *
lyf_template_lex(const char *text, size_t len, LyfToken **tokens)
{
	Lexer		lexer = {0};

	lexer.at = text;
	lexer.end = text + len;
	lexer.size = 32;
	lexer.tokens = palloc(lexer.size * sizeof(LyfToken));
	while (lexer.at < lexer.end)
	{
		const char *open = lexer.at;

		while (open + 1 < lexer.end && !(open[0] == '{' && strchr("{%#", open[1]) != NULL && open[1] != '\0'))
			open++;
		if (open + 1 >= lexer.end)
		{
			add_data(&lexer, lexer.end, false);
			break;
		}
		add_data(&lexer, open, open + 2 < lexer.end && open[2] == '-');
		lexer.at = open;
		LYF_TRY(lex_delimited(&lexer));
	}
	add_token(&lexer, LYF_TOKEN_END, "end of template", strlen("end of template"));
	*tokens = lexer.tokens;
	return NULL;
}
