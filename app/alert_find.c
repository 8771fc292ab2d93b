#include "app/alert_find.h"

#include "app/alert_print.h"
#include "app/options.h"

enum {
    ID_DIGITS = 2 * ALERT_ID_BYTES,
    ID_DIGITS_MIN = 6, /* of a beginning that stands for the whole */
};

static bool id_begins(const struct alert_id *id, const char *digits, size_t len)
{
    struct buf text = {0};
    alert_print_id(&text, id);
    bool begins = slice_starts(buf_content(&text), slice_of(digits, len));
    buf_release(&text);
    return begins;
}

int alert_find(const struct alert_entry **out, const struct alert_wanted *wanted,
               const struct alert_store *s, struct diag *diag)
{
    const struct alert_entry *found = NULL;
    size_t len = strlen(wanted->id);
    if (len < ID_DIGITS_MIN || len > ID_DIGITS || strspn(wanted->id, "0123456789abcdef") != len) {
        diag_add(diag, NULL, 0, 0,
                 "\"%s\" is no alert id: give its %d hex digits, or at least the first %d",
                 wanted->id, ID_DIGITS, ID_DIGITS_MIN);
        return EXIT_CODE_USAGE;
    }
    for (size_t i = 0; i < alert_store_count(s); i++) {
        const struct alert_entry *e = alert_store_entry(s, i);
        if ((wanted->has_tenant && e->tenant != wanted->tenant) ||
            !id_begins(&e->id, wanted->id, len))
            continue;
        if (found != NULL) {
            diag_add(diag, NULL, 0, 0, "several alerts begin with %s: give more digits",
                     wanted->id);
            return EXIT_CODE_USAGE;
        }
        found = e;
    }
    if (found == NULL) {
        diag_add(diag, NULL, 0, 0, "no alert has the id %s; sekisho alerts --data %s lists them",
                 wanted->id, wanted->dir);
        return EXIT_CODE_FINDINGS;
    }
    *out = found;
    return EXIT_CODE_OK;
}
