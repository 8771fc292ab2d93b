/* app/bench_indicators.c - a set of indicators of full size: its memory, its making, its lookups. */
#include <malloc.h>
#include <stdlib.h>

#include "app/bench.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "detect/detect.h"

enum {
    INDICATOR_ENTRIES = 1500000,
    PROBES = 16384, /* values that are looked up, again and again */
    ROUNDS = 32,
    LINE_BYTES = 128,
    IP_BASE = 11 << 24, /* what is listed lies in 11.0.0.0/8, 12.0.0.0/8 and 13.0.0.0/8 */
};

/* A line of a list, and so what is looked up; numbers below the list's size are in it. */
static size_t write_line(char out[LINE_BYTES], uint64_t seed, uint32_t number,
                         enum indicator_kind *kind)
{
    static const char *const ENDS[] = {"com", "example", "co.jp", "net",
                                       "xyz", "ne.jp",   "org",   "info"};
    static const char DIGITS[] = "abcdefghijkmnpqrstuvwxyz23456789";
    /* Both scramble, and give different numbers different results. */
    uint32_t place = number * UINT32_C(2654435761);
    uint32_t host = number * UINT32_C(0x9e3779) & 0xffffff;
    uint64_t random = hash_bytes(seed, &number, sizeof(number));
    unsigned share = number % 100;
    char name[16];
    size_t len = 0;
    for (uint32_t rest = place; len < 7; rest >>= 5)
        name[len++] = DIGITS[rest & 31];
    for (uint64_t rest = random; rest % 8 != 0 && len < sizeof(name) - 1; rest >>= 5)
        name[len++] = DIGITS[rest & 31];
    name[len] = '\0';
    const char *end = ENDS[random >> 60 & 7];
    if (share < 70) {
        *kind = INDICATOR_DOMAIN;
        return (size_t)snprintf(out, LINE_BYTES, "%s%s.%s", share < 20 ? "www3." : "", name, end);
    }
    if (share < 88) {
        *kind = INDICATOR_ADDRESS_PORT;
        host += IP_BASE;
        return (size_t)snprintf(out, LINE_BYTES, "%u.%u.%u.%u:%u", host >> 24, host >> 16 & 255,
                                host >> 8 & 255, host & 255, 1024 + (unsigned)(random & 0x7fff));
    }
    if (share < 98) {
        *kind = INDICATOR_URL;
        return (size_t)snprintf(out, LINE_BYTES, "http://%s.%s/wp-content/%x.php", name, end,
                                place);
    }
    bool network = share == 98 && number % 1000 == 98;
    *kind = network ? INDICATOR_NETWORK : INDICATOR_ADDRESS;
    host = network ? (host & 0xffff) << 8 : host;
    host += IP_BASE + (network ? UINT32_C(2) << 24 : UINT32_C(1) << 24);
    return (size_t)snprintf(out, LINE_BYTES, "%u.%u.%u.%u%s", host >> 24, host >> 16 & 255,
                            host >> 8 & 255, host & 255, network ? "/24" : "");
}

/* A value as a batch has it. */
struct probe {
    enum indicator_kind kind;
    struct ip ip;
    uint16_t port;
    size_t len;
    char text[LINE_BYTES];
};

static void make_probe(struct probe *p, uint64_t seed, uint32_t number)
{
    struct indicator_url url;
    uint32_t v4 = 0;
    *p = (struct probe){0};
    p->len = write_line(p->text, seed, number, &p->kind);
    struct slice text = slice_of(p->text, p->len);
    if (p->kind == INDICATOR_NETWORK)
        text.len -= sizeof("/24") - 1;
    if (p->kind == INDICATOR_DOMAIN || p->kind == INDICATOR_URL ||
        !indicator_url_split(&url, text) || value_ip4(url.host, &v4) != VALUE_CANONICAL)
        return;
    p->ip = ip_from_v4(v4 + (p->kind == INDICATOR_NETWORK ? 77U : 0U));
    p->port = p->kind == INDICATOR_ADDRESS_PORT ? url.port : 443;
}

static uint32_t look_up(const struct indicator_set *set, const struct probe *p)
{
    struct slice text = slice_of(p->text, p->len);
    if (p->kind == INDICATOR_DOMAIN)
        return indicator_find_domain(set, text, 0);
    if (p->kind == INDICATOR_URL)
        return indicator_find_url(set, text, 0);
    return indicator_find_address(set, &p->ip, p->port, 0);
}

/* The text of the entry that a number's line gives: a URL's without its scheme. */
static bool is_entry(const struct indicator_set *set, uint32_t handle, const struct probe *p)
{
    struct indicator_info info;
    struct slice text = slice_of(p->text, p->len);
    if (handle == 0)
        return false;
    if (p->kind == INDICATOR_URL)
        text = slice_from_offset(text, sizeof("http://") - 1);
    indicator_describe(&info, set, handle, 0);
    return info.kind == p->kind && slice_equal(info.text, text);
}

/* Every entry is found as itself, and as many values that are no entries are not found. */
static int check(const struct indicator_set *set, uint32_t count, const struct bench_options *o)
{
    for (uint32_t i = 0; i < 2 * count; i++) {
        struct probe p;
        make_probe(&p, o->seed, i);
        uint32_t handle = look_up(set, &p);
        if (i < count ? is_entry(set, handle, &p) : handle == 0)
            continue;
        diag_add(o->diag, "indicators", 0, 0, "%s %s: no speed is shown", p.text,
                 i < count ? "is listed and was not found as itself"
                           : "is not listed and was found");
        return ERR_CORRUPT;
    }
    return 0;
}

static int build(struct indicator_set **out, struct slice content, const struct bench_options *o)
{
    const struct indicator_source source = {.name = SLICE("bench"),
                                            .version = SLICE("1"),
                                            .content = content,
                                            .path = "bench",
                                            .expires_ns = INT64_MAX};
    return indicator_set_new(out, &source, 1, NULL, o->diag);
}

static int measure_making(struct bench_report *r, struct slice content, uint32_t count,
                          const struct bench_options *o)
{
    struct bench_row *load = bench_row_add(r, BENCH_UNIT_CPU, "indicators.load");
    struct bench_row *held = bench_row_add(r, BENCH_UNIT_ENTRY, "indicators.bytes");
    struct bench_row *resident = bench_row_add(r, BENCH_UNIT_ENTRY, "indicators.resident");
    if (load == NULL || held == NULL || resident == NULL)
        return ERR_RANGE;
    for (unsigned i = 0; i < o->repeat; i++) {
        struct indicator_set *set = NULL;
        (void)malloc_trim(0); /* what earlier work freed would hide what this takes */
        uint64_t before_bytes = bench_resident_bytes();
        int64_t before = clock_cpu_ns();
        int status = build(&set, content, o);
        if (status != 0)
            return status;
        bench_sample(load, (double)(clock_cpu_ns() - before) / 1e3 / (double)count);
        uint64_t after_bytes = bench_resident_bytes();
        uint64_t grown = after_bytes > before_bytes ? after_bytes - before_bytes : 0;
        bench_sample(held, (double)indicator_set_bytes(set) / (double)count);
        bench_sample(resident, (double)grown / (double)count);
        indicator_set_free(set);
    }
    load->events = held->events = resident->events = count;
    load->line_bytes = (double)content.len / (double)count;
    return 0;
}

/* Lookups of one kind, of what is listed or of what is not. */
static int measure_lookups(struct bench_report *r, const struct indicator_set *set, uint32_t count,
                           bool hit, enum indicator_kind kind, const struct bench_options *o)
{
    struct probe *probes = calloc(PROBES, sizeof(*probes));
    struct bench_row *row = bench_row_add(r, BENCH_UNIT_CPU, "indicators.%s.%s",
                                          indicator_kind_name(kind), hit ? "hit" : "miss");
    int status = probes == NULL ? ERR_NOMEM : row == NULL ? ERR_RANGE : 0;
    for (uint32_t at = 0, number = o->seed & 1; at < PROBES && status == 0;
         number += UINT32_C(7919)) {
        make_probe(&probes[at], o->seed, number % count + (hit ? 0 : count));
        at += probes[at].kind == kind;
    }
    for (unsigned i = 0; i < o->repeat && status == 0; i++) {
        uint64_t found = 0;
        int64_t before = clock_cpu_ns();
        for (unsigned round = 0; round < ROUNDS; round++) {
            for (size_t at = 0; at < PROBES; at++)
                found += look_up(set, &probes[at]) != 0;
        }
        bench_sample(row, (double)(clock_cpu_ns() - before) / 1e3 / (ROUNDS * PROBES));
        row->events = (uint64_t)ROUNDS * PROBES;
        if (found != (hit ? row->events : 0))
            status = ERR_CORRUPT;
    }
    free(probes);
    return status;
}

int bench_indicators(struct bench_report *r, const struct bench_options *o)
{
    static const enum indicator_kind KINDS[] = {INDICATOR_DOMAIN, INDICATOR_ADDRESS_PORT,
                                                INDICATOR_URL};
    uint64_t wanted = o->events == 0 ? INDICATOR_ENTRIES : o->events;
    uint32_t count =
        wanted < INDICATOR_ENTRIES_MAX / 2 ? (uint32_t)wanted : INDICATOR_ENTRIES_MAX / 2;
    struct indicator_set *set = NULL;
    struct buf list = {0};
    for (uint32_t i = 0; i < count; i++) {
        enum indicator_kind kind = INDICATOR_NONE;
        char line[LINE_BYTES];
        buf_append(&list, line, write_line(line, o->seed, i, &kind));
        buf_byte(&list, '\n');
    }
    int status = buf_ok(&list) ? measure_making(r, buf_content(&list), count, o) : ERR_NOMEM;
    if (status == 0)
        status = build(&set, buf_content(&list), o);
    if (status == 0)
        status = check(set, count, o);
    for (size_t i = 0; i < 2 * sizeof(KINDS) / sizeof(KINDS[0]) && status == 0; i++)
        status = measure_lookups(r, set, count, i % 2 != 0, KINDS[i / 2], o);
    indicator_set_free(set);
    buf_release(&list);
    return status;
}
