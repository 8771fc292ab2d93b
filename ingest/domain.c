#include "ingest/domain.h"

#include <libpsl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "ingest/punycode.h"

struct domain_list {
    psl_ctx_t *psl;
};

int domain_open(struct domain_list **out, const char *path)
{
    if (path != NULL && access(path, R_OK) != 0)
        return ERR_NOTFOUND;
    struct domain_list *list = calloc(1, sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    list->psl = path != NULL ? psl_load_file(path) : psl_latest(NULL);
    if (list->psl == NULL) {
        free(list);
        return ERR_FORMAT;
    }
    *out = list;
    return 0;
}

void domain_close(struct domain_list *list)
{
    if (list == NULL)
        return;
    psl_free(list->psl);
    free(list);
}

static bool is_label_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Write a label in lower case, as an A-label when it is not ASCII; its length, or 0. */
static size_t write_label(char *out, size_t cap, struct slice label)
{
    bool ascii = true;
    for (size_t i = 0; i < label.len; i++)
        ascii = ascii && (unsigned char)label.data[i] < 0x80;
    if (!ascii)
        return punycode_label(out, cap, label);
    if (label.len > cap)
        return 0;
    for (size_t i = 0; i < label.len; i++) {
        out[i] = label.data[i];
        if (out[i] >= 'A' && out[i] <= 'Z')
            out[i] = (char)(out[i] + ('a' - 'A'));
    }
    return label.len;
}

/* Append a label; the length of the name so far, or 0 when it is none or does not fit. */
static size_t append_label(struct domain_scratch *scratch, size_t at, struct slice label)
{
    size_t len = write_label(scratch->name + at, DOMAIN_BYTES_MAX - at, label);
    if (len == 0 || len > DOMAIN_LABEL_BYTES_MAX)
        return 0;
    for (size_t i = at; i < at + len; i++) {
        if (!is_label_byte(scratch->name[i]))
            return 0;
    }
    return at + len;
}

/* The canonical form of the whole name in the scratch; its length, or 0. */
static size_t normalize(struct domain_scratch *scratch, struct slice name)
{
    size_t at = 0;
    size_t from = 0;
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    while (from <= name.len) {
        const char *start = name.data + from;
        const char *dot = memchr(start, '.', name.len - from);
        size_t len = dot == NULL ? name.len - from : (size_t)(dot - start);
        at = append_label(scratch, at, slice_of(start, len));
        if (at == 0)
            return 0;
        from += len + 1;
        if (from > name.len)
            break;
        if (at == DOMAIN_BYTES_MAX)
            return 0;
        scratch->name[at++] = '.';
    }
    scratch->name[at] = '\0';
    return at;
}

/* No top-level domain is a number: such a name is an address, well written or not. */
static bool ends_in_number(const char *name, size_t len)
{
    size_t at = len;
    while (at > 0 && name[at - 1] >= '0' && name[at - 1] <= '9')
        at--;
    return at < len && (at == 0 || name[at - 1] == '.');
}

struct slice domain_registered(const struct domain_list *list, struct slice name,
                               struct domain_scratch *scratch)
{
    struct slice none = {.data = scratch->name, .len = 0};
    if (name.len < 3 || memchr(name.data, '.', name.len) == NULL)
        return none;
    size_t len = normalize(scratch, name);
    if (len == 0 || ends_in_number(scratch->name, len))
        return none;
    const char *registered = psl_registrable_domain(list->psl, scratch->name);
    return registered == NULL ? none : slice_from(registered);
}
