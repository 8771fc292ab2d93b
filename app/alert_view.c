#include "app/alert_view.h"

#include <stdlib.h>

#include "app/evidence.h"
#include "app/follow.h"
#include "app/options.h"
#include "app/sink.h"
#include "base/clock.h"

enum {
    WAIT_MS = 200, /* between looks at the log */
};

/* An alert that is shown. */
struct shown {
    const struct alert_entry *entry;
    size_t group;    /* of its municipality; 0 = the one with the worst alert */
    struct buf json; /* its line */
    struct output_alert alert;
    struct evidence *evidence; /* its first line, or NULL */
};

struct list {
    const struct alert_view *view;
    struct alert_store *store;
    struct shown *items; /* worst first */
    size_t count;
    struct evidence *evidence; /* one at most for each item; in the order of places once found */
    size_t evidence_count;
    struct sink sink;
    struct diag *diag;
    bool damaged; /* beyond what the store counted */
};

static bool wanted(const struct alert_view *v, const struct alert_entry *e)
{
    if (v->has_tenant && e->tenant != v->tenant)
        return false;
    if (e->severity < v->severity_min || (v->kind != NULL && strcmp(v->kind, e->kind) != 0))
        return false;
    if (v->state != NULL && strcmp(v->state, alert_entry_state(e)) != 0)
        return false;
    return e->last_ns >= v->since_ns && e->first_ns < v->until_ns;
}

static int worst_first(const void *x, const void *y)
{
    const struct shown *left = x;
    const struct shown *right = y;
    const struct alert_entry *a = left->entry;
    const struct alert_entry *b = right->entry;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    if (a->last_ns != b->last_ns)
        return a->last_ns > b->last_ns ? -1 : 1;
    return memcmp(a->id.bytes, b->id.bytes, ALERT_ID_BYTES);
}

/* The alerts asked for, in order. */
static int choose(struct list *l)
{
    size_t all = alert_store_count(l->store);
    l->items = calloc(all + 1, sizeof(*l->items));
    if (l->items == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < all; i++) {
        const struct alert_entry *e = alert_store_entry(l->store, i);
        if (wanted(l->view, e))
            l->items[l->count++].entry = e;
    }
    qsort(l->items, l->count, sizeof(*l->items), worst_first);
    return 0;
}

static size_t shown_count(const struct list *l)
{
    return l->view->limit == 0 || l->count < l->view->limit ? l->count : (size_t)l->view->limit;
}

static int read_line(struct list *l, struct shown *s)
{
    int err = alert_store_line(l->store, s->entry, &s->json);
    if (err != 0)
        return err;
    const struct alert_record record = {.tenant = s->entry->tenant,
                                        .revision = s->entry->revision,
                                        .id = s->entry->id,
                                        .line = buf_content(&s->json)};
    (void)output_alert_read(&s->alert, &record);
    return 0;
}

static void shown_release(struct shown *s)
{
    output_alert_release(&s->alert);
    buf_release(&s->json);
}

/* ------------------------------------------------------------------------------ JSON */

static int print_json(struct list *l)
{
    int err = 0;
    for (size_t i = 0; i < shown_count(l) && err == 0; i++) {
        err = alert_store_line(l->store, l->items[i].entry, &l->sink.out);
        buf_byte(&l->sink.out, '\n');
        if (err == 0)
            err = sink_check(&l->sink);
    }
    return err;
}

/* ------------------------------------------------------------------------------ text */

static int by_group(const void *x, const void *y)
{
    const struct shown *a = x;
    const struct shown *b = y;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return worst_first(x, y);
}

/* Each municipality has its place where its worst alert stands. */
static int group_tenants(struct list *l)
{
    size_t count = shown_count(l);
    size_t groups = 0;
    uint32_t *tenants = calloc(count + 1, sizeof(*tenants));
    if (tenants == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t group = 0;
        while (group < groups && tenants[group] != l->items[i].entry->tenant)
            group++;
        if (group == groups)
            tenants[groups++] = l->items[i].entry->tenant;
        l->items[i].group = group;
    }
    free(tenants);
    qsort(l->items, count, sizeof(*l->items), by_group);
    return 0;
}

/* The first evidence of every alert that is shown, in one walk over the log. */
static int find_evidence(struct list *l, bool from_newest)
{
    const struct evidence_log log = {.dir = l->view->dir, .from_newest = from_newest};
    struct diag said = {0};
    size_t count = shown_count(l);
    l->evidence = calloc(count + 1, sizeof(*l->evidence));
    if (l->evidence == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct evidence_place place;
        if (evidence_parse(&place, slice_from(l->items[i].alert.evidence)) != 0)
            continue;
        l->evidence[l->evidence_count].owner = i;
        l->evidence[l->evidence_count++].place = place;
    }
    int err = evidence_find(l->evidence, l->evidence_count, &log, &said);
    /* The store has named what is damaged already, but for batches. */
    if (said.count != 0 && alert_store_damage(l->store) == 0) {
        diag_add(l->diag, NULL, 0, 0, "some evidence cannot be read:\n%s", diag_text(&said));
        l->damaged = true;
    }
    diag_release(&said);
    for (size_t i = 0; i < l->evidence_count; i++)
        l->items[l->evidence[i].owner].evidence = &l->evidence[i];
    return err;
}

static void print_block(struct list *l, const struct shown *s, const struct alert_print *how)
{
    struct slice line = {0};
    struct alert_text text = {.entry = s->entry, .alert = &s->alert};
    if (s->entry->handling != ALERT_NOT_HANDLED)
        text.control = alert_store_control(l->store, s->entry->control);
    if (s->evidence != NULL && s->evidence->found) {
        line = buf_content(&s->evidence->line);
        text.line = &line;
    }
    alert_print_block(&l->sink.out, how, &text);
}

static void print_tenant(struct list *l, size_t at)
{
    struct alert_counts counts = {0};
    const struct shown *first = &l->items[at];
    for (size_t i = at; i < shown_count(l) && l->items[i].group == first->group; i++)
        counts.by[l->items[i].entry->severity]++;
    alert_print_tenant(&l->sink.out, &l->view->print, first->entry->tenant,
                       first->alert.tenant_name, &counts);
}

static int print_text(struct list *l)
{
    size_t count = shown_count(l);
    int err = 0;
    if (count != 0)
        err = group_tenants(l);
    for (size_t i = 0; i < count && err == 0; i++)
        err = read_line(l, &l->items[i]);
    if (err == 0)
        err = find_evidence(l, false);
    for (size_t i = 0; i < count && err == 0; i++) {
        if (i == 0 || l->items[i].group != l->items[i - 1].group)
            print_tenant(l, i);
        print_block(l, &l->items[i], &l->view->print);
        err = sink_check(&l->sink);
    }
    if (err == 0 && count < l->count) {
        buf_printf(&l->sink.out,
                   l->view->print.japanese ? "ほかに%zu件あります (--limit)\n"
                                           : "%zu more; see --limit\n",
                   l->count - count);
    }
    return err;
}

/* ------------------------------------------------------------------------------ following */

static void list_clear(struct list *l)
{
    for (size_t i = 0; i < l->count; i++)
        shown_release(&l->items[i]);
    for (size_t i = 0; i < l->evidence_count; i++)
        buf_release(&l->evidence[i].line);
    free(l->items);
    free(l->evidence);
    l->items = NULL;
    l->evidence = NULL;
    l->count = 0;
    l->evidence_count = 0;
}

/* One revision, as a list of its own. */
static int print_new(void *self, const struct alert_entry *e)
{
    struct list *l = self;
    struct alert_print how = l->view->print;
    int err = 0;
    if (!wanted(l->view, e))
        return 0;
    how.name_tenant = true;
    l->items = calloc(1, sizeof(*l->items));
    if (l->items == NULL)
        return ERR_NOMEM;
    l->count = 1;
    l->items[0].entry = e;
    if (l->view->json) {
        err = print_json(l);
    } else {
        err = read_line(l, &l->items[0]);
        if (err == 0)
            err = find_evidence(l, true);
        if (err == 0)
            print_block(l, &l->items[0], &how);
    }
    list_clear(l);
    return err;
}

static int follow(struct list *l, const struct follow *f)
{
    int err = 0;
    do {
        err = alert_store_follow(l->store, print_new, l);
        if (err == 0)
            err = sink_flush(&l->sink);
    } while (err == 0 && !follow_wait(f, WAIT_MS));
    return err;
}

/* ------------------------------------------------------------------------------ all of it */

static int print_list(struct list *l, const struct follow *f)
{
    int err = choose(l);
    bool any = l->count != 0;
    if (err == 0)
        err = l->view->json ? print_json(l) : print_text(l);
    if (err == 0)
        err = sink_flush(&l->sink);
    list_clear(l);
    if (err == 0 && l->view->follow)
        err = follow(l, f);
    if (err != 0)
        return option_exit_code(err == ERR_DOWN ? 0 : err);
    if (l->damaged || alert_store_damage(l->store) != 0)
        return EXIT_CODE_INCOMPLETE;
    if (any || l->view->follow)
        return EXIT_CODE_OK;
    diag_add(l->diag, NULL, 0, 0,
             l->view->print.japanese ? "該当する警報はありません" : "no alert matches");
    return EXIT_CODE_FINDINGS;
}

int alert_view_list(const struct alert_view *v, int out, struct diag *diag)
{
    const struct alert_store_options options = {
        .dir = v->dir, .has_tenant = v->has_tenant, .tenant = v->tenant};
    struct list l = {.view = v, .diag = diag, .sink = {.fd = out}};
    struct follow f = {.signals = -1};
    int err = v->follow ? follow_begin(&f, out) : 0;
    if (err == 0)
        err = alert_store_open(&l.store, &options, diag);
    int code = err == 0 ? print_list(&l, &f) : option_exit_code(err);
    int closed = sink_close(&l.sink);
    if (code == EXIT_CODE_OK && closed != 0 && closed != ERR_DOWN)
        code = option_exit_code(closed);
    alert_store_close(l.store);
    follow_end(&f);
    return code;
}

static bool suppression_wanted(const struct alert_view *v, const struct alert_store *s,
                               uint64_t number, int64_t now_ns)
{
    if (!alert_store_in_force(s, number, now_ns))
        return false;
    uint32_t tenant = alert_store_control(s, number)->what.tenant;
    return !v->has_tenant || tenant == 0 || tenant == v->tenant;
}

static size_t print_suppressions(const struct alert_view *v, const struct alert_store *s,
                                 struct sink *sink)
{
    int64_t now_ns = clock_now_ns();
    uint64_t begin = 0;
    uint64_t end = 0;
    size_t count = 0;
    alert_store_controls(s, &begin, &end);
    for (; begin < end; begin++) {
        if (!suppression_wanted(v, s, begin, now_ns))
            continue;
        if (count++ == 0 && !v->json)
            alert_print_suppressions_head(&sink->out, &v->print);
        if (v->json)
            alert_print_suppression_json(&sink->out, alert_store_control(s, begin));
        else
            alert_print_suppression(&sink->out, &v->print, alert_store_control(s, begin));
        if (sink_check(sink) != 0)
            break;
    }
    return count;
}

int alert_view_suppressions(const struct alert_view *v, int out, struct diag *diag)
{
    const struct alert_store_options options = {.dir = v->dir};
    struct alert_store *s = NULL;
    struct sink sink = {.fd = out};
    int err = alert_store_open(&s, &options, diag);
    if (err != 0)
        return option_exit_code(err);
    size_t count = print_suppressions(v, s, &sink);
    err = sink_close(&sink);
    int code = option_exit_code(err == ERR_DOWN ? 0 : err);
    if (code == EXIT_CODE_OK && alert_store_damage(s) != 0)
        code = EXIT_CODE_INCOMPLETE;
    alert_store_close(s);
    if (code != EXIT_CODE_OK || count != 0)
        return code;
    diag_add(diag, NULL, 0, 0,
             v->print.japanese ? "有効な抑止はありません" : "no suppression is in force");
    return EXIT_CODE_FINDINGS;
}
