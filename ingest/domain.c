#include "ingest/domain.h"

#include <libpsl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hostname.h"

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
