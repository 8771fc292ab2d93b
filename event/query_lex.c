#include "event/query_lex.h"

#include <strings.h>

#include "base/err.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_alnum(char c)
{
    unsigned char byte = (unsigned char)c;
    return (unsigned char)(byte - '0') < 10 || (unsigned char)((byte | 0x20U) - 'a') < 26;
}

bool lex_is_name_byte(char c)
{
    return is_alnum(c) || c == '_' || c == '.' || c == '@' || c == '-' || (unsigned char)c >= 0x80;
}

bool lex_is_value_byte(char c)
{
    return lex_is_name_byte(c) || c == ':' || c == '+';
}

int lex_error(const struct query_lex *lex, size_t at, const char *format, ...)
{
    uint32_t column = 1;
    for (size_t i = 0; i < at && i < lex->text.len; i++)
        column += ((unsigned char)lex->text.data[i] & 0xc0) != 0x80; /* characters, not bytes */
    va_list args;
    va_start(args, format);
    diag_vadd(lex->diag, "query", 1, column, format, args);
    va_end(args);
    return ERR_CONF;
}

char lex_peek(const struct query_lex *lex, size_t ahead)
{
    size_t at = lex->at + ahead;
    if (at >= lex->text.len)
        return '\0';
    return lex->text.data[at];
}

bool lex_blanks(struct query_lex *lex)
{
    while (lex->at < lex->text.len && is_blank(lex->text.data[lex->at]))
        lex->at++;
    return lex->at < lex->text.len;
}

static bool ends_word(const struct query_lex *lex, size_t at)
{
    if (at >= lex->text.len)
        return true;
    char c = lex->text.data[at];
    return is_blank(c) || c == '(' || c == ')' || c == '"' || c == '|';
}

bool lex_keyword(struct query_lex *lex, const char *keyword)
{
    size_t len = strlen(keyword);
    if (lex->text.len - lex->at < len || !ends_word(lex, lex->at + len) ||
        strncasecmp(lex->text.data + lex->at, keyword, len) != 0)
        return false;
    lex->at += len;
    return true;
}

size_t lex_name_len(const struct query_lex *lex)
{
    size_t len = 0;
    if (lex_peek(lex, 0) >= '0' && lex_peek(lex, 0) <= '9')
        return 0;
    while (lex->at + len < lex->text.len && lex_is_name_byte(lex_peek(lex, len)))
        len++;
    char next = lex_peek(lex, len);
    return next == ':' || next == '<' || next == '>' ? len : 0;
}

static bool is_escape(const struct query_lex *lex, size_t at, size_t end)
{
    if (lex->text.data[at] != '\\' || at + 1 >= end)
        return false;
    char next = lex->text.data[at + 1];
    return next == '*' || next == '?' || next == '\\' || next == '"';
}

/* Where the word ends; with quotes at its closing quote. */
static size_t word_end(const struct query_lex *lex, const char *stop, bool quoted)
{
    size_t at = lex->at;
    while (at < lex->text.len) {
        char c = lex->text.data[at];
        if (is_escape(lex, at, lex->text.len)) {
            at += 2;
            continue;
        }
        if (quoted ? c == '"' : ends_word(lex, at) || (c != '\0' && strchr(stop, c) != NULL))
            break;
        at++;
    }
    return at;
}

/* Decode bytes [lex->at, end) into the two readings of a word. */
static int word_decode(const struct query_lex *lex, size_t end, struct query_word *out)
{
    size_t len = end - lex->at;
    char *plain = arena_alloc(lex->arena, len + 1);
    char *glob = arena_alloc(lex->arena, 2 * len + 1);
    if (plain == NULL || glob == NULL)
        return ERR_NOMEM;
    size_t plain_len = 0;
    size_t glob_len = 0;
    for (size_t at = lex->at; at < end; at++) {
        bool escaped = is_escape(lex, at, end);
        char c = lex->text.data[escaped ? ++at : at];
        out->has_star |= !escaped && c == '*';
        out->has_question |= !escaped && c == '?';
        if (c == '\\' || (escaped && c != '"'))
            glob[glob_len++] = '\\';
        glob[glob_len++] = c;
        plain[plain_len++] = c;
    }
    out->plain = slice_of(plain, plain_len);
    out->glob = slice_of(glob, glob_len);
    return 0;
}

int lex_word(struct query_lex *lex, const char *stop, struct query_word *out)
{
    struct query_word word = {.at = lex->at, .quoted = lex_peek(lex, 0) == '"'};
    lex->at += word.quoted;
    size_t end = word_end(lex, stop, word.quoted);
    if (word.quoted && end >= lex->text.len) {
        return lex_error(
            lex, word.at,
            "this quote is never closed; write \\\" for a quote and \\\\ for a backslash");
    }
    if (!word.quoted && end == lex->at)
        return lex_error(lex, word.at, "a value is missing here");
    int err = word_decode(lex, end, &word);
    if (err != 0)
        return err;
    lex->at = end + word.quoted;
    *out = word;
    return 0;
}

int lex_regex(struct query_lex *lex, struct slice *out)
{
    size_t first = lex->at;
    size_t at = first + 1;
    while (at < lex->text.len && lex->text.data[at] != '/')
        at += lex->text.data[at] == '\\' ? 2 : 1;
    if (at >= lex->text.len)
        return lex_error(lex, first,
                         "a regex ends with a slash; a path that begins with one is quoted");
    if (!ends_word(lex, at + 1))
        return lex_error(lex, at,
                         "the regex ends here; write \\/ for a slash in it, or quote a path");
    size_t len = at - first - 1;
    const char *copy = arena_copy(lex->arena, slice_of(lex->text.data + first + 1, len));
    if (copy == NULL)
        return ERR_NOMEM;
    lex->at = at + 1;
    *out = slice_of(copy, len);
    return 0;
}
