#include "app/demo_alerts.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/output_alert.h"
#include "base/err.h"
#include "store/store.h"

enum {
    ALERTS_MAX = 4096, /* that are remembered; a demonstration has a few dozen */
};

/* The first revision of an alert. */
struct shown {
    struct output_alert alert;
    char *line; /* what alert.root was read from */
    uint32_t tenant;
    int64_t latency_ns; /* from the arrival of its first row until it could be read in the log */
    bool by_row;        /* a row completed it, not a tick */
    bool expected;      /* of a planted case */
};

struct demo_alerts {
    struct log_reader *reader;
    struct shown *items;
    size_t count;
    size_t printed;
};

int demo_alerts_open(struct demo_alerts **out, const char *store_dir, struct diag *diag)
{
    struct log_reader_options options = {.dir = store_dir, .remains = true};
    struct demo_alerts *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return ERR_NOMEM;
    a->items = calloc(ALERTS_MAX, sizeof(*a->items));
    int status = a->items == NULL ? ERR_NOMEM : log_reader_open(&a->reader, &options, diag);
    if (status != 0) {
        demo_alerts_close(a);
        return status;
    }
    *out = a;
    return 0;
}

void demo_alerts_close(struct demo_alerts *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->count; i++) {
        output_alert_release(&a->items[i].alert);
        free(a->items[i].line);
    }
    log_reader_close(a->reader);
    free(a->items);
    free(a);
}

static int64_t arrival_of(const struct output_alert *a)
{
    int64_t ns = CLOCK_NONE;
    const char *text = json_string_value(json_object_get(a->root, "alert.arrival"));
    return text != NULL && clock_parse(&ns, slice_from(text)) == 0 ? ns : CLOCK_NONE;
}

static int take(struct demo_alerts *a, const struct alert_record *record)
{
    if (record->revision != 1 || a->count == ALERTS_MAX)
        return 0;
    struct shown *s = &a->items[a->count];
    s->line = malloc(record->line.len + 1);
    if (s->line == NULL)
        return ERR_NOMEM;
    memcpy(s->line, record->line.data, record->line.len);
    struct alert_record own = *record;
    own.line = slice_of(s->line, record->line.len);
    s->tenant = record->tenant;
    if (output_alert_read(&s->alert, &own) != 0)
        return ERR_FORMAT;
    s->by_row = s->alert.evidence[0] != '\0';
    s->latency_ns = clock_now_ns() - arrival_of(&s->alert);
    a->count++;
    return 0;
}

static int compare_severity(const void *x, const void *y)
{
    const struct shown *a = x;
    const struct shown *b = y;
    return (int)b->alert.severity - (int)a->alert.severity;
}

static void print(const struct shown *s, bool japanese)
{
    const char *action =
        json_string_value(json_object_get(s->alert.root, japanese ? "action.ja" : "action.en"));
    (void)printf("%-8s %06u %s  [%s]\n    %s\n    -> %s\n", alert_severity_name(s->alert.severity),
                 s->tenant, s->alert.tenant_name, s->alert.rule_name,
                 japanese ? s->alert.message_ja : s->alert.message_en,
                 action == NULL ? "" : action);
    if (s->by_row)
        (void)printf("    evidence %s\n", s->alert.evidence);
}

int demo_alerts_poll(struct demo_alerts *a, bool show, bool japanese)
{
    struct frame_view frame;
    int status = 0;
    while ((status = ledger_read(&frame, a->reader, NULL)) == 0) {
        struct alert_record record;
        struct slice bytes;
        while (frame_next_blob(&bytes, &frame.alerts)) {
            status = alert_record_take(&record, bytes);
            if (status == 0)
                status = take(a, &record);
            if (status != 0)
                return status;
        }
    }
    qsort(a->items + a->printed, a->count - a->printed, sizeof(*a->items), compare_severity);
    for (; a->printed < a->count; a->printed++) {
        if (show)
            print(&a->items[a->printed], japanese);
    }
    return status == ERR_AGAIN ? 0 : status;
}

/* ------------------------------------------------------------------- against the labels */

/* No key of the label contradicts the alert, and one at least agrees. */
static bool matches(const struct shown *s, const struct gen_label *l)
{
    unsigned agree = 0;
    if (s->tenant != l->tenant || strcmp(s->alert.kind, l->kind) != 0)
        return false;
    for (uint32_t i = 0; i < l->key_count; i++) {
        const char *text = json_string_value(json_object_get(s->alert.root, l->keys[i].name));
        if (text == NULL)
            continue;
        if (strcmp(text, l->keys[i].value) != 0)
            return false;
        agree++;
    }
    return agree != 0;
}

static struct shown *find(const struct demo_alerts *a, const struct gen_label *l)
{
    for (size_t i = 0; i < a->count; i++) {
        if (matches(&a->items[i], l))
            return &a->items[i];
    }
    return NULL;
}

/* Counts of labels that came out whole. */
struct judgement {
    unsigned planted;
    unsigned found;
    unsigned alike;
    unsigned mistaken;
};

static void print_case(const struct gen_label *l, const struct shown *s)
{
    (void)printf("  %-14s %06u %s", l->name, l->tenant, s == NULL ? "NOT FOUND" : "found");
    if (s != NULL)
        (void)printf(" %s%lld ms%s", s->by_row ? "after " : "",
                     (long long)(s->latency_ns / 1000000), s->by_row ? "" : " after its tick");
    (void)printf("\n");
}

static struct judgement judge(const struct demo_alerts *a, const struct gen *gen, bool say)
{
    struct judgement j = {0};
    for (uint32_t i = 0; i < gen_label_count(gen); i++) {
        struct gen_label l;
        gen_label(&l, gen, i);
        if (!l.complete)
            continue;
        struct shown *s = find(a, &l);
        if (l.expect_alert) {
            j.planted++;
            j.found += s != NULL;
            if (s != NULL)
                s->expected = true;
            if (say)
                print_case(&l, s);
        } else {
            j.alike++;
            j.mistaken += s != NULL && !s->expected;
            if (say && s != NULL && !s->expected)
                (void)printf("  %-14s %06u look-alike was taken for one\n", l.name, l.tenant);
        }
    }
    return j;
}

unsigned demo_alerts_missed(const struct demo_alerts *a, const struct gen *gen)
{
    struct judgement j = judge(a, gen, false);
    return j.planted - j.found;
}

static int compare_latency(const void *x, const void *y)
{
    const int64_t *a = x;
    const int64_t *b = y;
    return *a < *b ? -1 : *a > *b;
}

static void print_latency(const struct demo_alerts *a, const char *of, bool planted)
{
    int64_t *ns = calloc(a->count + 1, sizeof(*ns));
    size_t count = 0;
    for (size_t i = 0; ns != NULL && i < a->count; i++) {
        if (a->items[i].by_row && (a->items[i].expected || !planted))
            ns[count++] = a->items[i].latency_ns;
    }
    if (count != 0) {
        qsort(ns, count, sizeof(*ns), compare_latency);
        (void)printf("arrival to alert, %s: p50 %lld ms, worst %lld ms\n", of,
                     (long long)(ns[count / 2] / 1000000), (long long)(ns[count - 1] / 1000000));
    }
    free(ns);
}

void demo_alerts_summary(struct demo_alerts *a, const struct gen *gen)
{
    (void)printf("\nplanted cases:\n");
    struct judgement j = judge(a, gen, true);
    (void)printf("%u of %u planted cases found, %u of %u look-alikes taken for one\n", j.found,
                 j.planted, j.mistaken, j.alike);
    for (uint32_t i = 0; i < gen_tenant_count(gen); i++) {
        const struct gen_tenant *t = gen_tenant(gen, i);
        unsigned all = 0;
        unsigned expected = 0;
        for (size_t k = 0; k < a->count; k++) {
            all += a->items[k].tenant == t->code;
            expected += a->items[k].tenant == t->code && a->items[k].expected;
        }
        (void)printf("  %06u %s: %u alerts today, %u of them of planted cases\n", t->code, t->name,
                     all, expected);
    }
    print_latency(a, "planted cases", true);
    print_latency(a, "all", false);
}
