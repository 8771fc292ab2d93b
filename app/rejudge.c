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

int rejudge_run(const struct rejudge *what, uint64_t *different, struct diag *diag)
{
    struct store_options options = {.dir = what->dir, .read_only = true};
    struct store *store = NULL;
    struct alert_list *alerts = NULL;
    struct watch *watch = NULL;
    struct rebuild_stats stats = {0};
    uint64_t count = 0;
    struct environment environment = {0};
    int status = environment_open(&environment, what->config, what->rules, diag);
    if (status == 0)
        status = store_open(&store, &options, diag);
    if (status == 0)
        status = alert_list_new(&alerts);
    if (status == 0) {
        struct watch_options wanted = {
            .config = what->config,
            .indicators = environment.indicators,
            .rules = environment.rules,
            .seed = watch_seed(store_id(store)),
            .rows_tick = memcmp(store_id(store), REJUDGE_REPLAY_ID, sizeof(REJUDGE_REPLAY_ID)) == 0,
            .tap = alert_list_add,
            .tap_self = alerts};
        status = watch_new(&watch, &wanted);
    }
    struct rebuild_options rebuild = {.dir = what->dir,
                                      .watch = watch,
                                      .from_start = true,
                                      .differs = count_different,
                                      .self = &count};
    if (status == 0)
        status = rebuild_run(&rebuild, &stats, diag);
    if (status == 0)
        status = alert_list_print(alerts, stdout);
    if (status == 0)
        status = hidden_say(watch);
    if (status == 0) {
        (void)fprintf(stderr,
                      "%" PRIu64 " frames, %" PRIu64 " events judged again, %" PRIu64
                      " states compared, %" PRIu64 " different\n",
                      stats.frames, stats.rows, stats.states, count);
        *different = count;
    }
    watch_free(watch);
    alert_list_free(alerts);
    store_close(store);
    environment_close(&environment);
    return status;
}
