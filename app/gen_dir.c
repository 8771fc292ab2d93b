/* What gen_write_dir() and its parts put into files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/gen.h"
#include "app/gen_mmdb.h"
#include "app/gen_text.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"

enum {
    FLUSH_BYTES = 64 << 10, /* a source's lines are kept until there are so many */
};

/* ------------------------------------------------------------- configuration */

static void print_sources(struct buf *out, const struct gen_tenant *t)
{
    buf_text(out, "    sources:\n");
    for (uint32_t i = 0; i < t->source_count; i++) {
        buf_printf(out, "      %s: {format: %s, zone: \"+09:00\"%s}\n", t->sources[i].name,
                   gen_format_name((enum gen_format)t->sources[i].format),
                   t->sources[i].lgwan ? ", class: lgwan_deny" : "");
    }
}

/* What stands before many people: proxies, and the address that the inside is translated to. */
static void print_shared(struct buf *out, const struct gen_tenant *t)
{
    buf_text(out, "    shared:\n      - ");
    text_ip4(out, t->translated);
    buf_byte(out, '\n');
    for (uint32_t i = t->firewalls; i < gen_world_sources(t); i++) {
        buf_text(out, "      - ");
        text_ip4(out, t->sources[i].address);
        buf_byte(out, '\n');
    }
}

/* The zones as they were named, in the order of gen_world.c: the third and fourth network. */
static void print_policy(struct buf *out, const struct gen_tenant *t)
{
    const char *lgwan = t->networks[2].zone;
    const char *number = t->networks[3].zone;
    buf_printf(out, "    model: \"%s\"\n    gateways:\n", t->model);
    buf_text(out, "      - {name: 更新プラットフォーム, role: update, cidr: ");
    text_ip4(out, t->inside | 128 << 8 | 10);
    buf_printf(out, ", zones: [%s, Internet]}\n", lgwan);
    buf_text(out, "      - {name: 無害化サーバ, role: sanitizer, cidr: ");
    text_ip4(out, t->inside | 64 << 8 | 90);
    buf_printf(out, ", zones: [%s, %s]}\n", t->networks[0].zone, lgwan);
    buf_printf(out,
               "    flows:\n"
               "      - {name: 基幹系データ連携, from: %s, to: ",
               number);
    text_ip4(out, t->inside | 128 << 8 | 20);
    buf_text(out, ", protocol: tcp, ports: \"8443\", hours: office, reason: 庁内データ連携}\n");
    if (strcmp(t->model, "alpha'") == 0)
        buf_text(out, "    clouds:\n"
                      "      - {name: 回覧板クラウド, to: kairan-board.example}\n");
}

static void print_tenant(struct buf *out, const struct gen_tenant *t)
{
    const char *size = t->pcs <= 1000 ? "small" : t->pcs <= 4000 ? "medium" : "large";
    buf_printf(out, "  \"%06u\":\n    name: %s\n    size: %s\n    networks:\n", t->code, t->name,
               size);
    for (uint32_t i = 0; i < t->network_count; i++) {
        const struct gen_network *n = &t->networks[i];
        buf_printf(out, "      - {cidr: %s, zone: %s, asset: %s%s}\n", n->cidr, n->zone, n->asset,
                   n->exclude ? ", exclude: true" : "");
    }
    print_shared(out, t);
    print_policy(out, t);
    print_sources(out, t);
}

void gen_print_config(struct buf *out, const struct gen *g)
{
    buf_text(out, "mmdb:\n"
                  "  country: country.mmdb\n"
                  "  asn: asn.mmdb\n"
                  "lists:\n"
                  "  - {name: invented-addresses, file: lists/ip.txt}\n"
                  "  - {name: invented-domains, file: lists/domain.txt}\n"
                  "  - {name: invented-urls, file: lists/url.txt}\n"
                  "tenants:\n");
    for (uint32_t i = 0; i < gen_tenant_count(g); i++)
        print_tenant(out, gen_tenant(g, i));
}

static void print_manifest(struct buf *out, const struct gen *g)
{
    for (uint32_t i = 0; i < gen_tenant_count(g); i++) {
        const struct gen_tenant *t = gen_tenant(g, i);
        for (uint32_t k = 0; k < t->source_count; k++) {
            const struct gen_source *s = &t->sources[k];
            buf_printf(out,
                       "- {tenant: \"%06u\", source: %s, format: %s, file: %06u/%s.log, "
                       "zone: \"+09:00\"}\n",
                       t->code, s->name, gen_format_name((enum gen_format)s->format), t->code,
                       s->name);
        }
    }
}

/* --------------------------------------------------------------------- labels */

static void print_label(struct buf *out, const struct gen_label *l)
{
    buf_printf(out, "{\"case\":\"%s-%u%s\",\"kind\":\"%s\",\"expect\":\"%s\",\"tenant\":\"%06u\"",
               l->name, l->number, l->expect_alert ? "" : "-like", l->kind,
               l->expect_alert ? "alert" : "none", l->tenant);
    buf_text(out, ",\"first\":\"");
    clock_print(out, l->first_ns);
    buf_text(out, "\",\"last\":\"");
    clock_print(out, l->last_ns);
    buf_printf(out, "\",\"lines\":%llu,\"keys\":{", (unsigned long long)l->lines);
    for (uint32_t k = 0; k < l->key_count; k++)
        buf_printf(out, "%s\"%s\":\"%s\"", k == 0 ? "" : ",", l->keys[k].name, l->keys[k].value);
    buf_text(out, "}}\n");
}

void gen_print_labels(struct buf *out, const struct gen *g)
{
    /* A few hundred at most: the next in order is looked for each time. */
    int64_t after_ns = INT64_MIN;
    uint32_t after = 0;
    for (;;) {
        struct gen_label best = {.first_ns = INT64_MAX};
        uint32_t best_index = UINT32_MAX;
        for (uint32_t i = 0; i < gen_label_count(g); i++) {
            struct gen_label l;
            gen_label(&l, g, i);
            bool later = l.first_ns > after_ns || (l.first_ns == after_ns && i > after);
            if (l.complete && later && l.first_ns < best.first_ns) {
                best = l;
                best_index = i;
            }
        }
        if (best_index == UINT32_MAX)
            return;
        print_label(out, &best);
        after_ns = best.first_ns;
        after = best_index;
    }
}

/* ------------------------------------------------------------------- database */

static int write_file(const char *dir, const char *name, const struct buf *content)
{
    char path[FILE_PATH_BYTES_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof(path))
        return ERR_RANGE;
    if (!buf_ok(content))
        return ERR_NOMEM;
    struct file *file = NULL;
    int result = file_open(&file, path, FILE_CREATE);
    if (result != 0)
        return result;
    result = file_append(file, content->data, content->len);
    file_close(file);
    return result;
}

static int write_list(const struct gen *g, const char *dir, const char *name,
                      enum gen_indicator type)
{
    struct buf text = {0};
    gen_print_list(&text, g, type);
    int result = write_file(dir, name, &text);
    buf_release(&text);
    return result;
}

static int write_database(const char *dir, const char *name, enum gen_mmdb_kind kind)
{
    struct buf bytes = {0};
    int result = gen_mmdb_make(&bytes, kind);
    if (result == 0)
        result = write_file(dir, name, &bytes);
    buf_release(&bytes);
    return result;
}

static int write_support(const struct gen *g, const char *dir)
{
    char lists[FILE_PATH_BYTES_MAX];
    struct buf config = {0};
    int len = snprintf(lists, sizeof(lists), "%s/lists", dir);
    if (len < 0 || (size_t)len >= sizeof(lists))
        return ERR_RANGE;
    int result = dir_create(lists);
    buf_text(&config, "# The invented prefecture 99: municipalities, their networks and devices.\n"
                      "data: data\n");
    gen_print_config(&config, g);
    if (result == 0)
        result = write_file(dir, "config.yaml", &config);
    if (result == 0)
        result = write_list(g, dir, "lists/ip.txt", GEN_INDICATOR_IP);
    if (result == 0)
        result = write_list(g, dir, "lists/domain.txt", GEN_INDICATOR_DOMAIN);
    if (result == 0)
        result = write_list(g, dir, "lists/url.txt", GEN_INDICATOR_URL);
    if (result == 0)
        result = write_database(dir, "country.mmdb", GEN_MMDB_COUNTRY);
    if (result == 0)
        result = write_database(dir, "asn.mmdb", GEN_MMDB_ASN);
    buf_release(&config);
    return result;
}

static int explain(int result, const char *dir, struct diag *diag)
{
    if (result == ERR_BUSY)
        diag_add(diag, dir, 0, 0, "a file of an earlier run is there; give a folder of its own");
    else if (result == ERR_IO)
        diag_add(diag, dir, 0, 0, "cannot be written: %s", strerrordesc_np(errno));
    else if (result != 0)
        diag_add(diag, dir, 0, 0, "%s", err_name(result));
    return result;
}

int gen_write_support(const struct gen *g, const char *dir, struct diag *diag)
{
    return explain(write_support(g, dir), dir, diag);
}

/* ------------------------------------------------------------------------ logs */

struct log_file {
    struct buf pending;
    bool begun; /* made by this run */
};

struct log_dir {
    const char *dir;
    struct log_file *files; /* tenant * GEN_SOURCES_MAX + source */
    const struct gen *gen;
};

static struct log_file *log_file(struct log_dir *d, uint32_t tenant, uint32_t source)
{
    return &d->files[tenant * GEN_SOURCES_MAX + source];
}

/* Open for each flush: 180 municipalities have more files than a process may hold open. */
static int flush(struct log_dir *d, uint32_t tenant, uint32_t source)
{
    struct log_file *l = log_file(d, tenant, source);
    const struct gen_tenant *t = gen_tenant(d->gen, tenant);
    char path[FILE_PATH_BYTES_MAX];
    int len =
        snprintf(path, sizeof(path), "%s/%06u/%s.log", d->dir, t->code, t->sources[source].name);
    if (len < 0 || (size_t)len >= sizeof(path))
        return ERR_RANGE;
    if (!buf_ok(&l->pending))
        return ERR_NOMEM;
    struct file *file = NULL;
    int result = file_open(&file, path, l->begun ? FILE_APPEND : FILE_CREATE);
    if (result != 0)
        return result;
    l->begun = true;
    result = file_append(file, l->pending.data, l->pending.len);
    file_close(file);
    buf_reset(&l->pending);
    return result;
}

static int make_folders(const struct gen *g, const char *dir)
{
    int result = dir_create(dir);
    for (uint32_t i = 0; result == 0 && i < gen_tenant_count(g); i++) {
        char path[FILE_PATH_BYTES_MAX];
        int len = snprintf(path, sizeof(path), "%s/%06u", dir, gen_tenant(g, i)->code);
        result = len < 0 || (size_t)len >= sizeof(path) ? ERR_RANGE : dir_create(path);
    }
    return result;
}

static int write_lines(struct log_dir *d, struct gen *g, uint64_t *lines)
{
    struct gen_line line;
    int result = 0;
    while ((result = gen_next(g, &line)) == 0) {
        struct log_file *l = log_file(d, line.tenant_index, line.source_index);
        buf_slice(&l->pending, line.line);
        buf_byte(&l->pending, '\n');
        (*lines)++;
        if (l->pending.len >= FLUSH_BYTES || !buf_ok(&l->pending)) {
            result = flush(d, line.tenant_index, line.source_index);
            if (result != 0)
                return result;
        }
    }
    if (result != ERR_NOTFOUND)
        return result;
    result = 0;
    /* A source without a line has an empty file: the manifest names it. */
    for (uint32_t i = 0; i < gen_tenant_count(g); i++)
        for (uint32_t k = 0; result == 0 && k < gen_tenant(g, i)->source_count; k++)
            result = flush(d, i, k);
    return result;
}

static int write_texts(const struct gen *g, const char *dir)
{
    struct buf text = {0};
    print_manifest(&text, g);
    int result = write_file(dir, "manifest.yaml", &text);
    buf_reset(&text);
    gen_print_labels(&text, g);
    if (result == 0)
        result = write_file(dir, "labels.ndjson", &text);
    buf_release(&text);
    return result;
}

int gen_write_dir(struct gen *g, const char *dir, uint64_t *lines, struct diag *diag)
{
    size_t count = (size_t)gen_tenant_count(g) * GEN_SOURCES_MAX;
    uint64_t written = 0;
    struct log_dir d = {.dir = dir, .gen = g};
    d.files = calloc(count, sizeof(*d.files));
    int result = d.files == NULL ? ERR_NOMEM : make_folders(g, dir);
    if (result == 0)
        result = write_support(g, dir);
    if (result == 0)
        result = write_lines(&d, g, &written);
    if (result == 0)
        result = write_texts(g, dir);
    for (size_t i = 0; d.files != NULL && i < count; i++)
        buf_release(&d.files[i].pending);
    free(d.files);
    if (result == 0 && lines != NULL)
        *lines = written;
    return explain(result, dir, diag);
}
