#include "ingest/domain.h"

#include <libpsl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hostname.h"

struct domain_list {
    struct buf content; /* empty: the one inside libpsl */
    const psl_ctx_t *psl;
    psl_ctx_t *own; /* the same, where it is to be freed */
};

static int parse(struct domain_list *list)
{
    FILE *stream = fmemopen(list->content.data, list->content.len, "r");
    if (stream == NULL)
        return ERR_NOMEM;
    list->own = psl_load_fp(stream);
    list->psl = list->own;
    (void)fclose(stream);
    return list->own == NULL ? ERR_FORMAT : 0;
}

/* A page that says "not found" is a list of suffixes, too, by its form. */
static bool is_plausible(const struct domain_list *list)
{
    const int listed = PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE;
    return psl_is_public_suffix2(list->psl, "com", listed) == 1 ||
           psl_is_public_suffix2(list->psl, "jp", listed) == 1;
}

static int load(struct domain_list *list, const char *path)
{
    int status = file_read_all(&list->content, path, DOMAIN_LIST_BYTES_MAX);
    if (status == 0)
        status = list->content.len == 0 ? ERR_FORMAT : parse(list);
    if (status == 0 && !is_plausible(list))
        status = ERR_FORMAT;
    return status;
}

int domain_open(struct domain_list **out, const char *path)
{
    struct domain_list *list = calloc(1, sizeof(*list));
    if (list == NULL)
        return ERR_NOMEM;
    int status = load(list, path != NULL ? path : psl_dist_filename());
    if (path == NULL && status == ERR_NOTFOUND) {
        list->psl = psl_builtin();
        status = list->psl == NULL ? ERR_NOTFOUND : 0;
    }
    if (status != 0) {
        domain_close(list);
        return status;
    }
    *out = list;
    return 0;
}

void domain_close(struct domain_list *list)
{
    if (list == NULL)
        return;
    psl_free(list->own);
    buf_release(&list->content);
    free(list);
}

struct slice domain_content(const struct domain_list *list)
{
    return buf_content(&list->content);
}

struct slice domain_registered(const struct domain_list *list, struct slice name,
                               struct domain_scratch *scratch)
{
    struct slice none = {.data = scratch->name, .len = 0};
    if (name.len < 3 || memchr(name.data, '.', name.len) == NULL)
        return none;
    size_t len = hostname_normalize(scratch->name, name);
    if (len == 0 || hostname_ends_in_number(slice_of(scratch->name, len)))
        return none;
    const char *registered = psl_registrable_domain(list->psl, scratch->name);
    return registered == NULL ? none : slice_from(registered);
}

bool domain_is_suffix(const struct domain_list *list, const char *name)
{
    return psl_is_public_suffix2(list->psl, name, PSL_TYPE_ICANN) == 1;
}
