/*
 * app/output_redis.c - live counters and the feed of alerts, for other programs, in Redis.
 *
 *   sekisho:count:<code6>:<source>   hash: lines bytes unparsed lag_ms lag_records last_event
 *   sekisho:alerts                   stream: id revision tenant severity line
 *   sekisho:latest                   sorted set of ids: seconds of the last event, a day more for
 *                                    each level of severity
 *   sekisho:alert:<id>               hash of the last revision: revision tenant severity state line
 *   sekisho:cursor:<store>           how far this Redis has got in our log
 *
 * Alerts and cursor change together in one script, and the cursor in Redis is the one that counts:
 * after a crash, a FLUSHALL or a restart from an older dump the alerts that it lacks come again, and
 * no others.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/output_alert.h"
#include "app/output_redis_link.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"

enum {
    SCRIPT_KEYS = 3,
    SCRIPT_FIXED = 5, /* arguments before the alerts' */
    SCRIPT_PER_ALERT = 7,
    COMMAND_FIXED = 3 + SCRIPT_KEYS + SCRIPT_FIXED, /* EVAL, script, number of keys, ... */
    SECRET_BYTES_MAX = 1024,
    COUNTER_FIELDS = 6,
    COUNTER_ARGUMENTS = 2 + 2 * COUNTER_FIELDS,
    COUNTER_SECONDS = 3600, /* a source that is gone disappears */
    NUMBER_BYTES = 24,
    DAY_SECONDS = 86400,
    NS_PER_MS = 1000000,
    SAY_NS_FACTOR = 60,
};

static_assert((int)COMMAND_FIXED + (int)OUTPUT_BATCH_ALERTS_MAX * (int)SCRIPT_PER_ALERT <=
                  (int)REDIS_ARGUMENTS_MAX,
              "a batch is one command");

/* Types are looked at before anything is written: a script that stops has changed nothing. */
static const char SCRIPT[] =
    "local function want(key, kind)\n"
    "  local is = redis.call('TYPE', key).ok\n"
    "  if is ~= 'none' and is ~= kind then\n"
    "    return 'WRONGTYPE ' .. key .. ' is a ' .. is .. ' and not a ' .. kind .. ': delete it'\n"
    "  end\n"
    "end\n"
    "local bad = want(KEYS[1], 'string') or want(KEYS[2], 'zset') or want(KEYS[3], 'stream')\n"
    "if not bad and (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 'MOVED' end\n"
    "for i = 6, #ARGV, 7 do\n"
    "  bad = bad or want('sekisho:alert:' .. ARGV[i], 'hash')\n"
    "end\n"
    "if bad then return redis.error_reply(bad) end\n"
    "for i = 6, #ARGV, 7 do\n"
    "  local id, revision = ARGV[i], ARGV[i + 1]\n"
    "  local score, tenant, severity = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]\n"
    "  local state, line = ARGV[i + 5], ARGV[i + 6]\n"
    "  local key = 'sekisho:alert:' .. id\n"
    "  local old = tonumber(redis.call('HGET', key, 'revision') or '0') or 0\n"
    "  if tonumber(revision) > old then\n"
    "    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'id', id, 'revision', revision,\n"
    "      'tenant', tenant, 'severity', severity, 'line', line)\n"
    "    redis.call('HSET', key, 'revision', revision, 'tenant', tenant, 'severity', severity,\n"
    "      'state', state, 'line', line)\n"
    "    redis.call('EXPIRE', key, ARGV[3])\n"
    "    if state == 'superseded' then redis.call('ZREM', KEYS[2], id)\n"
    "    else redis.call('ZADD', KEYS[2], score, id) end\n"
    "  end\n"
    "end\n"
    "redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[4]))\n"
    "redis.call('SET', KEYS[1], ARGV[2])\n"
    "return 'OK'\n";

struct redis_output {
    struct output_host *host;
    struct output_address address;
    char secret[SECRET_BYTES_MAX + 1];
    char user[OUTPUT_HOST_BYTES_MAX + 1];
    char database[NUMBER_BYTES];
    char keep[NUMBER_BYTES];   /* seconds */
    char latest[NUMBER_BYTES]; /* ids */
    char stream[NUMBER_BYTES]; /* entries */
    char cursor_key[64];
    struct redis_link *link;
    char at[REDIS_TEXT_BYTES_MAX + 1];     /* the cursor in Redis; "" = none */
    char agreed[REDIS_TEXT_BYTES_MAX + 1]; /* the one up to which ours holds, too */
    struct arena texts;
    struct slice arguments[REDIS_ARGUMENTS_MAX];
    size_t count;
    int64_t said_ns; /* that counters cannot be written */
};

static bool redis_configured(const struct config *config)
{
    return conf_text(config_root(config), "outputs.redis.address") != NULL;
}

static int read_secret(struct redis_output *r, struct diag *diag)
{
    const char *path = config_path(r->host->config, "outputs.redis.password_file");
    struct buf text = {0};
    if (path == NULL)
        return 0;
    int err = file_read_all(&text, path, SECRET_BYTES_MAX);
    while (err == 0 && text.len != 0 &&
           (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    if (err == 0 && text.len != 0)
        memcpy(r->secret, text.data, text.len);
    if (err != 0 || text.len == 0) {
        diag_add(diag, path, 0, 0, "has no password of at most %d bytes", SECRET_BYTES_MAX);
        err = ERR_CONF;
    }
    buf_release(&text);
    return err;
}

static void redis_done(void *self)
{
    struct redis_output *r = self;
    redis_link_close(r->link);
    arena_release(&r->texts);
    free(r);
}

static void print_number(char out[NUMBER_BYTES], int64_t value)
{
    (void)snprintf(out, NUMBER_BYTES, "%" PRId64, value);
}

static int redis_begin(void **out, struct output_host *host, struct slice state, struct diag *diag)
{
    const struct conf_node *root = config_root(host->config);
    const char *address = conf_text(root, "outputs.redis.address");
    const char *user = conf_text(root, "outputs.redis.user");
    struct redis_output *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return ERR_NOMEM;
    r->host = host;
    print_number(r->database, conf_int(root, "outputs.redis.database"));
    print_number(r->keep, conf_int(root, "outputs.redis.keep") / CLOCK_NS_PER_SECOND);
    print_number(r->latest, conf_int(root, "outputs.redis.latest"));
    print_number(r->stream, conf_int(root, "outputs.redis.stream"));
    int len = snprintf(r->cursor_key, sizeof(r->cursor_key), "sekisho:cursor:");
    for (size_t i = 0; i < STORE_ID_BYTES; i++)
        len += snprintf(r->cursor_key + len, sizeof(r->cursor_key) - (size_t)len, "%02x",
                        host->store_id[i]);
    int err = output_address_parse(&r->address, address);
    if (err != 0 || !output_address_local(&r->address)) {
        diag_add(diag, NULL, 0, 0,
                 "outputs.redis.address \"%s\": give unix:PATH or a loopback HOST:PORT", address);
        err = ERR_CONF;
    }
    if (state.len < sizeof(r->agreed) && state.len != 0)
        memcpy(r->agreed, state.data, state.len);
    if (err == 0 && user != NULL)
        (void)snprintf(r->user, sizeof(r->user), "%s", user);
    if (err == 0)
        err = read_secret(r, diag);
    if (err != 0) {
        redis_done(r);
        return err;
    }
    *out = r;
    return 0;
}

/* Commands */

static void argument(struct redis_output *r, struct slice text)
{
    if (r->count < REDIS_ARGUMENTS_MAX)
        r->arguments[r->count++] = text;
}

static void argument_text(struct redis_output *r, const char *text)
{
    argument(r, slice_from(text));
}

/* The text lives until the arena is reset. */
static void argument_number(struct redis_output *r, int64_t value)
{
    char text[NUMBER_BYTES];
    print_number(text, value);
    const char *copy = arena_copy(&r->texts, slice_from(text));
    argument_text(r, copy == NULL ? "" : copy);
}

static int put(struct redis_output *r)
{
    int err = redis_link_put(r->link, r->arguments, r->count);
    if (err != 0)
        output_why(r->host, "redis: a command of %zu arguments cannot be built", r->count);
    r->count = 0;
    return err;
}

static void redis_leave(void *self)
{
    struct redis_output *r = self;
    redis_link_close(r->link);
    r->link = NULL;
}

/* Greeting */

struct greeting {
    struct redis_output *r;
    size_t last; /* number of the command that asks for the cursor */
    bool failed;
};

static void greeted(void *self, size_t command, const struct redis_answer *a)
{
    struct greeting *g = self;
    if (a->kind == REDIS_ERROR) {
        output_why(g->r->host, "redis: %s", a->text);
        g->failed = true;
    } else if (command == g->last) {
        memcpy(g->r->at, a->text, strlen(a->text) + 1);
    }
}

static int redis_connect(void *self)
{
    struct redis_output *r = self;
    struct greeting g = {.r = r};
    int err = redis_link_open(&r->link, &r->address, r->host);
    if (err == 0 && r->secret[0] != '\0') {
        argument_text(r, "AUTH");
        if (r->user[0] != '\0')
            argument_text(r, r->user);
        argument_text(r, r->secret);
        err = put(r);
        g.last++;
    }
    if (err == 0 && strcmp(r->database, "0") != 0) {
        argument_text(r, "SELECT");
        argument_text(r, r->database);
        err = put(r);
        g.last++;
    }
    if (err == 0) {
        argument_text(r, "GET");
        argument_text(r, r->cursor_key);
        err = put(r);
    }
    if (err == 0)
        err = redis_link_run(r->link, greeted, &g);
    if (err == 0 && g.failed)
        err = ERR_DOWN;
    if (err != 0)
        redis_leave(r);
    return err;
}

/*
 * "frame alerts" as in the cursor; what cannot be read is the log's beginning. Frames without
 * alerts do not move the cursor in Redis, so that one where we left it says nothing new.
 */
static void redis_place(void *self, struct output_place *place)
{
    struct redis_output *r = self;
    if (strcmp(r->at, r->agreed) == 0)
        return;
    memcpy(r->agreed, r->at, sizeof(r->agreed));
    struct output_place at = {.seq = 1};
    uint64_t numbers[2] = {0};
    size_t i = 0;
    bool good = r->at[0] != '\0';
    for (const char *p = r->at; *p != '\0' && good; p++) {
        if (*p == ' ' && i == 0)
            i = 1;
        else if (*p < '0' || *p > '9' ||
                 __builtin_mul_overflow(numbers[i], (uint64_t)10, &numbers[i]) ||
                 __builtin_add_overflow(numbers[i], (uint64_t)(*p - '0'), &numbers[i]))
            good = false;
    }
    if (good && i == 1 && numbers[0] != 0)
        at = (struct output_place){.seq = numbers[0], .skip = numbers[1]};
    *place = at;
}

/* Alerts */

/* Newest last, a level of severity worth a day. */
static int64_t score_of(const struct output_alert *a)
{
    int64_t ns = a->last_ns != CLOCK_NONE ? a->last_ns : 0;
    return ns / CLOCK_NS_PER_SECOND + (int64_t)a->severity * DAY_SECONDS;
}

static void put_alert(struct redis_output *r, const struct alert_record *record)
{
    struct output_alert a;
    char tenant[NUMBER_BYTES];
    (void)output_alert_read(&a, record);
    (void)snprintf(tenant, sizeof(tenant), "%06" PRIu32, record->tenant);
    const char *id = arena_copy(&r->texts, slice_from(a.id));
    const char *state = arena_copy(&r->texts, slice_from(a.state));
    const char *code = arena_copy(&r->texts, slice_from(tenant));
    argument_text(r, id == NULL ? "" : id);
    argument_number(r, record->revision);
    argument_number(r, score_of(&a));
    argument_text(r, code == NULL ? "" : code);
    argument_text(r, alert_severity_name(a.severity));
    argument_text(r, state == NULL ? "" : state);
    argument(r, record->line);
    output_alert_release(&a);
}

struct outcome {
    struct redis_output *r;
    int err;
};

static void scripted(void *self, size_t command, const struct redis_answer *a)
{
    struct outcome *o = self;
    (void)command;
    if (a->kind == REDIS_ERROR) {
        output_why(o->r->host, "redis: %s", a->text);
        o->err = ERR_DOWN;
    } else if (strcmp(a->text, "MOVED") == 0) {
        o->err = ERR_RANGE;
    } else if (strcmp(a->text, "OK") != 0) {
        output_why(o->r->host, "redis: an answer that is none to a script");
        o->err = ERR_DOWN;
    }
}

static void asked(void *self, size_t command, const struct redis_answer *a)
{
    struct outcome *o = self;
    (void)command;
    if (a->kind == REDIS_ERROR) {
        output_why(o->r->host, "redis: %s", a->text);
        o->err = ERR_DOWN;
    } else {
        memcpy(o->r->at, a->text, strlen(a->text) + 1);
    }
}

/* Learn where Redis stands now. */
static int ask_cursor(struct redis_output *r)
{
    struct outcome outcome = {.r = r};
    argument_text(r, "GET");
    argument_text(r, r->cursor_key);
    int err = put(r);
    if (err == 0)
        err = redis_link_run(r->link, asked, &outcome);
    return err == 0 ? outcome.err : err;
}

static int redis_deliver(void *self, struct output_batch *batch)
{
    struct redis_output *r = self;
    struct outcome outcome = {.r = r};
    char next[2 * NUMBER_BYTES];
    arena_reset(&r->texts);
    (void)snprintf(next, sizeof(next), "%" PRIu64 " %" PRIu64, batch->end.seq, batch->end.skip);
    argument_text(r, "EVAL");
    argument(r, slice_of(SCRIPT, sizeof(SCRIPT) - 1));
    argument_text(r, "3");
    argument_text(r, r->cursor_key);
    argument_text(r, "sekisho:latest");
    argument_text(r, "sekisho:alerts");
    argument_text(r, r->at);
    argument_text(r, next);
    argument_text(r, r->keep);
    argument_text(r, r->latest);
    argument_text(r, r->stream);
    for (size_t i = 0; i < batch->count; i++)
        put_alert(r, &batch->alerts[i]);
    int err = put(r);
    if (err == 0)
        err = redis_link_run(r->link, scripted, &outcome);
    if (err == 0)
        err = outcome.err;
    if (err == 0) {
        memcpy(r->at, next, strlen(next) + 1);
        memcpy(r->agreed, r->at, sizeof(r->agreed));
    }
    if (err == ERR_RANGE) {
        int asked_err = ask_cursor(r);
        err = asked_err != 0 ? asked_err : ERR_RANGE;
    }
    return err;
}

/* Counters */

static void put_counter(struct redis_output *r, const struct tally_row *row, int64_t now_ns)
{
    struct buf text = {0};
    int64_t age_ms = (now_ns - row->last_arrival_ns) / NS_PER_MS;
    int64_t lag_ms = row->lag_records <= 0 ? row->lag_records : age_ms > 0 ? age_ms : 0;
    buf_printf(&text, "sekisho:count:%06" PRIu32 ":%s", row->tenant, row->source);
    const char *key = arena_copy(&r->texts, buf_content(&text));
    buf_reset(&text);
    if (row->last_arrival_ns > 0)
        clock_print_ms(&text, row->last_arrival_ns);
    const char *last = arena_copy(&r->texts, buf_content(&text));
    buf_release(&text);
    argument_text(r, "HSET");
    argument_text(r, key == NULL ? "" : key);
    argument_text(r, "lines");
    argument_number(r, (int64_t)row->rows);
    argument_text(r, "bytes");
    argument_number(r, (int64_t)row->raw_bytes);
    argument_text(r, "unparsed");
    argument_number(r, (int64_t)row->unparsed);
    argument_text(r, "lag_ms");
    argument_number(r, lag_ms);
    argument_text(r, "lag_records");
    argument_number(r, row->lag_records);
    argument_text(r, "last_event");
    argument_text(r, last == NULL ? "" : last);
    assert(r->count == COUNTER_ARGUMENTS);
}

struct counting {
    struct redis_output *r;
    bool known;
    char moved[REDIS_TEXT_BYTES_MAX + 1]; /* the cursor as it is now, when known */
    char error[REDIS_TEXT_BYTES_MAX + 1];
    size_t errors;
};

/* The first answer is the cursor's; the others are to HSET and EXPIRE in turn. */
static void counted(void *self, size_t command, const struct redis_answer *a)
{
    struct counting *c = self;
    if (a->kind == REDIS_ERROR) {
        memcpy(c->error, a->text, strlen(a->text) + 1);
        c->errors++;
    } else if (command == 0) {
        c->known = true;
        memcpy(c->moved, a->text, strlen(a->text) + 1);
    }
}

/* A key that is something else is said, and keeps nothing else from being written. */
static void say_counting(struct redis_output *r, const struct counting *c)
{
    int64_t now = clock_monotonic_ns();
    if (c->errors == 0 ||
        (r->said_ns != 0 && now - r->said_ns < SAY_NS_FACTOR * CLOCK_NS_PER_SECOND))
        return;
    r->said_ns = now;
    log_warn("output", "Redis refuses counters; is a key sekisho:count:* of another type?",
             "refused=%zu why=%s", c->errors, c->error);
}

static int redis_tick(void *self, int64_t now_ns, const struct output_rows *rows)
{
    struct redis_output *r = self;
    struct counting c = {.r = r};
    arena_reset(&r->texts);
    argument_text(r, "GET");
    argument_text(r, r->cursor_key);
    int err = put(r);
    for (size_t i = 0; i < rows->count && err == 0; i++) {
        put_counter(r, &rows->rows[i], now_ns);
        struct slice key = r->arguments[1];
        err = put(r);
        if (err == 0) {
            argument_text(r, "EXPIRE");
            argument(r, key);
            argument_number(r, COUNTER_SECONDS);
            err = put(r);
        }
    }
    if (err == 0)
        err = redis_link_run(r->link, counted, &c);
    if (err != 0)
        return err;
    say_counting(r, &c);
    /* Emptied, or put back to an older dump, by somebody. */
    if (c.known && strcmp(c.moved, r->at) != 0) {
        memcpy(r->at, c.moved, sizeof(c.moved));
        return ERR_RANGE;
    }
    return 0;
}

static void redis_save(void *self, struct buf *state)
{
    const struct redis_output *r = self;
    buf_text(state, r->agreed);
}

const struct output_driver OUTPUT_REDIS = {
    .name = "redis",
    .configured = redis_configured,
    .open = redis_begin,
    .close = redis_done,
    .connect = redis_connect,
    .disconnect = redis_leave,
    .place = redis_place,
    .deliver = redis_deliver,
    .tick = redis_tick,
    .save = redis_save,
};
