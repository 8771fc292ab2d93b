#include "app/rejudge.h"

#include <inttypes.h>
#include <string.h>

#include "app/alert_list.h"
#include "app/environment.h"
#include "app/hidden.h"
#include "app/rebuild.h"

const uint8_t REJUDGE_REPLAY_ID[16] = {'s', 'e', 'k', 'i', 's', 'h', 'o', ' ',
                                       'r', 'e', 'p', 'l', 'a', 'y', ' ', '1'};

static void count_different(void *self, uint32_t tenant, uint64_t seq)
{
    uint64_t *different = self;
    (*different)++;
    (void)fprintf(
        stderr, "municipality %06u: its state after frame %" PRIu64 " is not what the log names\n",
        tenant, seq);
}

/* What the filters took out, municipality by municipality. */
struct hiding {
    struct tally *tally;
    struct buf records;
    int status;
};

static void hidden_add(void *self, uint32_t tenant, struct detect_tenant *t)
{
    struct hiding *h = self;
    buf_reset(&h->records);
    if (h->status == 0)
        h->status = hidden_take(&h->records, t, tenant);
    hidden_tally(h->tally, buf_content(&h->records));
}

static int hidden_say(struct watch *watch)
{
    struct hiding h = {0};
    int status = tally_new(&h.tally);
    if (status != 0)
        return status;
    watch_each(watch, hidden_add, &h);
    if (h.status == 0)
        hidden_print(h.tally, stderr);
    buf_release(&h.records);
    tally_free(h.tally);
    return h.status;
}

/* What rows are judged with: a configuration for all of them, or what the log names for each. */
struct judges {
    struct environment environment; /* of the configuration that was given */
    struct config *defaults;        /* until the first frame names something */
    struct past *past;              /* NULL: the environment, throughout */
    struct watch_sets first;
};

static int open_judges(struct judges *j, const struct rejudge *what, const struct store *store,
                       struct diag *diag)
{
    bool given = what->config != NULL || what->rules != NULL;
    const struct past_options past = {.dir = what->dir, .loaded = {given ? &j->environment : NULL}};
    int status = what->config == NULL ? config_load(&j->defaults, NULL, diag) : 0;
    const struct config *config = what->config == NULL ? j->defaults : what->config;
    j->first.config = config;
    if (status == 0 && given)
        status = environment_open(&j->environment, config, what->rules, diag);
    if (status == 0 && given) {
        j->first.indicators = j->environment.indicators;
        j->first.rules = j->environment.rules;
        if (!environment_is_current(&j->environment, store)) {
            (void)fputs("all rows are judged with the configuration that was given; the log's last "
                        "one is another\n",
                        stderr);
            return 0;
        }
    }
    return status == 0 ? past_new(&j->past, &past) : status;
}

static void close_judges(struct judges *j)
{
    past_free(j->past);
    environment_close(&j->environment);
    config_free(j->defaults);
}

static void say(const struct rebuild_stats *stats, uint64_t different)
{
    (void)fprintf(stderr,
                  "%" PRIu64 " frames, %" PRIu64 " events judged again, %" PRIu64
                  " changes of what they are judged with, %" PRIu64 " states compared, %" PRIu64
                  " different\n",
                  stats->frames, stats->rows, stats->changes, stats->states, different);
}

int rejudge_run(const struct rejudge *what, uint64_t *different, struct diag *diag)
{
    struct store_options options = {.dir = what->dir, .read_only = true};
    struct store *store = NULL;
    struct alert_list *alerts = NULL;
    struct watch *watch = NULL;
    struct rebuild_stats stats = {0};
    uint64_t count = 0;
    struct judges judges = {0};
    int status = store_open(&store, &options, diag);
    if (status == 0)
        status = open_judges(&judges, what, store, diag);
    if (status == 0)
        status = alert_list_new(&alerts);
    if (status == 0) {
        struct watch_options wanted = {
            .config = judges.first.config,
            .indicators = judges.first.indicators,
            .rules = judges.first.rules,
            .seed = watch_seed(store_id(store)),
            .rows_tick = memcmp(store_id(store), REJUDGE_REPLAY_ID, sizeof(REJUDGE_REPLAY_ID)) == 0,
            .tap = alert_list_add,
            .tap_self = alerts};
        status = watch_new(&watch, &wanted);
    }
    struct rebuild_options rebuild = {.dir = what->dir,
                                      .watch = watch,
                                      .past = judges.past,
                                      .from_start = true,
                                      .differs = judges.past == NULL ? NULL : count_different,
                                      .self = &count};
    if (status == 0)
        status = rebuild_run(&rebuild, &stats, diag);
    if (status == 0)
        status = alert_list_print(alerts, stdout);
    if (status == 0)
        status = hidden_say(watch);
    if (status == 0) {
        say(&stats, count);
        *different = count;
    }
    watch_free(watch);
    alert_list_free(alerts);
    store_close(store);
    close_judges(&judges);
    return status;
}
