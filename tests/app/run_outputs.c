/*
 * tests/app/run_outputs.c - the outputs of a configuration on its own store, without a collector:
 * what tests/broker/test_outputs.py drives.
 *
 *   run_outputs CONF < commands
 *
 *   alert TENANT ID REVISION LINE     an alert for the next frame
 *   commit                            the frame
 *   tally TENANT SOURCE ROWS BYTES UNPARSED LAG
 *   stats                             a line of numbers per output
 *   stop                              also at the end of the input
 *
 * Each command is answered by a line that begins with "ok", after what it prints.
 */
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/output.h"
#include "app/signals.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "event/alert.h"

enum {
    ALERTS_MAX = 4096,
    COMMAND_BYTES_MAX = 128 * 1024,
    WORDS_MAX = 8,
    OBSERVE_MS = 200,
};

struct runner {
    struct config *config;
    struct store *store;
    struct outputs *outputs;
    struct tally *tally;
    struct buf bytes;
    size_t at[ALERTS_MAX + 1];
    size_t count;
    struct buf input;
};

/* Split the first `count` words off; the rest is the last. */
static bool split(char *line, char **words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        words[i] = line;
        if (i + 1 == count)
            return true;
        line = strchr(line, ' ');
        if (line == NULL)
            return false;
        *line++ = '\0';
    }
    return true;
}

static bool take_alert(struct runner *r, char *rest)
{
    char *words[4];
    struct alert_record a = {0};
    if (r->count == ALERTS_MAX || !split(rest, words, 4) ||
        sodium_hex2bin(a.id.bytes, sizeof(a.id.bytes), words[1], strlen(words[1]), NULL, NULL,
                       NULL) != 0)
        return false;
    a.tenant = (uint32_t)strtoul(words[0], NULL, 10);
    a.revision = (uint32_t)strtoul(words[2], NULL, 10);
    a.line = slice_from(words[3]);
    alert_record_put(&r->bytes, &a);
    r->at[++r->count] = r->bytes.len;
    return true;
}

static bool commit(struct runner *r)
{
    struct slice *blobs = calloc(r->count + 1, sizeof(*blobs));
    if (blobs == NULL)
        return false;
    for (size_t i = 0; i < r->count; i++)
        blobs[i] = slice_of(r->bytes.data + r->at[i], r->at[i + 1] - r->at[i]);
    int64_t tick = store_last_tick_ns(r->store);
    const struct frame_parts parts = {.tick_ns = tick > 0 ? tick + 1 : 1,
                                      .alerts = {.items = blobs, .count = r->count}};
    int err = store_append(r->store, &parts);
    free(blobs);
    r->count = 0;
    buf_reset(&r->bytes);
    outputs_wake(r->outputs);
    return err == 0;
}

static bool take_tally(struct runner *r, char *rest)
{
    char *words[6];
    if (!split(rest, words, 6))
        return false;
    struct tally_row row = {.tenant = (uint32_t)strtoul(words[0], NULL, 10),
                            .rows = strtoull(words[2], NULL, 10),
                            .raw_bytes = strtoull(words[3], NULL, 10),
                            .unparsed = strtoull(words[4], NULL, 10),
                            .last_arrival_ns = clock_now_ns()};
    (void)snprintf(row.source, sizeof(row.source), "%s", words[1]);
    tally_add(r->tally, &row);
    tally_set_lag(r->tally, row.tenant, slice_from(row.source), strtoll(words[5], NULL, 10));
    return true;
}

static void observe(struct runner *r)
{
    const struct outputs_look look = {.tally = r->tally, .last_seq = store_last_seq(r->store)};
    outputs_observe(r->outputs, &look);
}

static bool print_stats(struct runner *r)
{
    struct output_stats stats[OUTPUTS_MAX];
    observe(r);
    size_t count = outputs_stats(r->outputs, stats, OUTPUTS_MAX);
    for (size_t i = 0; i < count; i++) {
        (void)printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", stats[i].name,
                     stats[i].delivered, stats[i].failed, stats[i].retries, stats[i].behind,
                     stats[i].open);
    }
    return true;
}

/* Returns false at the end. */
static bool obey(struct runner *r, char *line)
{
    char *rest = strchr(line, ' ');
    bool good = false;
    if (rest != NULL)
        *rest++ = '\0';
    if (strcmp(line, "stop") == 0)
        return false;
    if (strcmp(line, "alert") == 0 && rest != NULL)
        good = take_alert(r, rest);
    else if (strcmp(line, "commit") == 0)
        good = commit(r);
    else if (strcmp(line, "tally") == 0 && rest != NULL)
        good = take_tally(r, rest);
    else if (strcmp(line, "stats") == 0)
        good = print_stats(r);
    (void)printf("%s\n", good ? "ok" : "bad");
    (void)fflush(stdout);
    return true;
}

static bool obey_all(struct runner *r)
{
    char *end = NULL;
    while ((end = memchr(r->input.data, '\n', r->input.len)) != NULL) {
        *end = '\0';
        size_t len = (size_t)(end - r->input.data) + 1;
        if (!obey(r, r->input.data))
            return false;
        memmove(r->input.data, r->input.data + len, r->input.len - len);
        r->input.len -= len;
    }
    return true;
}

static void serve(struct runner *r)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        observe(r);
        if (poll(&p, 1, OBSERVE_MS) <= 0)
            continue;
        char *to = buf_reserve(&r->input, COMMAND_BYTES_MAX);
        ssize_t got = to == NULL ? 0 : read(STDIN_FILENO, to, COMMAND_BYTES_MAX);
        if (got <= 0)
            return;
        r->input.len += (size_t)got;
        if (!obey_all(r))
            return;
    }
}

int main(int argc, char **argv)
{
    struct runner r = {0};
    struct diag diag = {0};
    if (argc != 2 || fault_set(getenv("SEKISHO_FAULTS")) != 0)
        return 2;
    signals_block();
    int err = config_load(&r.config, argv[1], &diag);
    if (err == 0) {
        const struct store_options store = {.dir = config_path(r.config, "data")};
        err = store_open(&r.store, &store, &diag);
    }
    if (err == 0)
        err = tally_new(&r.tally);
    if (err == 0) {
        const struct outputs_options options = {.config = r.config,
                                                .dir = config_path(r.config, "data"),
                                                .last_seq = store_last_seq(r.store)};
        err = outputs_start(&r.outputs, &options, &diag);
    }
    if (err == 0) {
        (void)printf("started\n");
        (void)fflush(stdout);
        serve(&r);
        int64_t start = clock_monotonic_ns();
        outputs_stop(r.outputs);
        (void)printf("stopped %" PRId64 "\n", (clock_monotonic_ns() - start) / 1000000);
    }
    (void)fputs(diag_text(&diag), stderr);
    tally_free(r.tally);
    store_close(r.store);
    config_free(r.config);
    buf_release(&r.bytes);
    buf_release(&r.input);
    diag_release(&diag);
    return err == 0 ? 0 : 1;
}
