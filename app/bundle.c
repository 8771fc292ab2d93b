#include "app/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/alert_find.h"
#include "app/bundle_parts.h"
#include "app/bundle_text.h"
#include "app/options.h"
#include "app/output_alert.h"
#include "base/clock.h"
#include "base/escape.h"
#include "event/ndjson.h"

enum {
    FILES_MAX = 8,
};

/* What a bundle is made of. */
struct bundle {
    const struct bundle_options *options;
    struct diag *diag;
    struct note_key key;
    struct signed_checkpoint checkpoint;
    const struct tree_head *head;
    struct buf alert; /* its line */
    struct evidence places[ALERT_EVIDENCE_MAX];
    size_t place_count;
    struct bundle_choice choice;
    struct bundle_evidence evidence;
    char created[40];
    struct buf choice_text; /* for people */
    struct buf raw, manifest, proof, readme, public_key;
};

static void bundle_release(struct bundle *b)
{
    struct buf *bufs[] = {&b->alert, &b->choice_text, &b->raw,       &b->manifest,
                          &b->proof, &b->readme,      &b->public_key};
    signed_checkpoint_release(&b->checkpoint);
    bundle_choice_release(&b->choice);
    bundle_evidence_release(&b->evidence);
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_release(bufs[i]);
    free(b);
}

/* ------------------------------------------------------------------------------ what is chosen */

/* The places that the line names; they borrow from `texts`. */
static int take_places(struct bundle *b, const struct alert_entry *e, struct buf *texts)
{
    struct output_alert a = {0};
    const struct alert_record record = {
        .tenant = e->tenant, .revision = e->revision, .id = e->id, .line = buf_content(&b->alert)};
    size_t at[ALERT_EVIDENCE_MAX + 1] = {0};
    int err = output_alert_read(&a, &record);
    const json_t *places = json_object_get(a.root, "evidence");
    for (size_t i = 0; err == 0 && i < json_array_size(places) && i < ALERT_EVIDENCE_MAX; i++) {
        const char *text = json_string_value(json_array_get(places, i));
        buf_text(texts, text == NULL ? "" : text);
        at[++b->place_count] = texts->len;
    }
    output_alert_release(&a);
    if (err == 0 && !buf_ok(texts))
        err = ERR_NOMEM;
    for (size_t i = 0; i < b->place_count && err == 0; i++)
        err = evidence_parse(&b->places[i].place, slice_of(texts->data + at[i], at[i + 1] - at[i]));
    return err;
}

static int read_alert(struct bundle *b, struct buf *texts)
{
    const struct bundle_options *o = b->options;
    const struct alert_store_options look = {
        .dir = o->dir, .has_tenant = true, .tenant = o->query->tenant};
    const struct alert_wanted wanted = {
        .dir = o->dir, .id = o->alert, .has_tenant = true, .tenant = o->query->tenant};
    const struct alert_entry *e = NULL;
    struct alert_store *s = NULL;
    int err = alert_store_open(&s, &look, b->diag);
    if (err == 0) {
        int code = alert_find(&e, &wanted, s, b->diag);
        err = code == EXIT_CODE_OK ? 0 : code == EXIT_CODE_FINDINGS ? ERR_NOTFOUND : ERR_CONF;
    }
    if (err == 0)
        err = alert_store_line(s, e, &b->alert);
    if (err == 0)
        err = take_places(b, e, texts);
    if (err == ERR_FORMAT)
        diag_add(b->diag, o->dir, 0, 0, "alert %s: its line cannot be read", o->alert);
    if (err == 0)
        buf_byte(&b->alert, '\n');
    alert_store_close(s);
    return err;
}

/* What lacks for a bundle of what was chosen. */
static int check_choice(struct bundle *b)
{
    const struct bundle_choice *c = &b->choice;
    uint64_t late = c->log_rows;
    for (size_t i = c->count; i > 0 && (b->head == NULL || c->numbers[i - 1] >= b->head->size); i--)
        late++;
    if (late != 0) {
        diag_add(
            b->diag, b->options->dir, 0, 0,
            "%" PRIu64 " of the chosen rows came after the newest checkpoint (%" PRIu64
            ") or are not in segments as yet, so nothing vouches for them. A collector sees to "
            "both by itself, once an hour; without one: sekisho compact --data DIR, then "
            "sekisho checkpoint --data DIR --sign. Or leave them out with --until",
            late, b->checkpoint.is.number);
        return ERR_NOTFOUND;
    }
    if (c->count == 0 && c->damage == 0) {
        diag_add(b->diag, b->options->dir, 0, 0, "no row was chosen; no bundle was made");
        return ERR_NOTFOUND;
    }
    if (c->count != 0)
        return 0;
    diag_add(b->diag, b->options->dir, 0, 0, "no row that can be read was chosen");
    return ERR_CORRUPT;
}

static int choose(struct bundle *b)
{
    struct buf texts = {0};
    struct bundle_wish wish = {.dir = b->options->dir, .query = b->options->query};
    int err = b->options->alert == NULL ? 0 : read_alert(b, &texts);
    if (err == 0 && b->options->alert != NULL) {
        wish.places = b->places;
        wish.place_count = b->place_count;
    }
    if (err == 0)
        err = bundle_choose(&b->choice, &wish, b->diag);
    buf_release(&texts);
    return err == 0 ? check_choice(b) : err;
}

/* ------------------------------------------------------------------------------ what is written */

/* Bytes other than A-Z a-z 0-9 . _ - as %XX, as in proofs. */
static void print_topic(struct buf *out, struct slice topic)
{
    for (size_t i = 0; i < topic.len; i++) {
        unsigned char c = (unsigned char)topic.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '.' || c == '_' || c == '-';
        buf_printf(out, plain ? "%c" : "%%%02X", c);
    }
}

static void print_row(struct bundle *b, const struct bundle_row *row)
{
    struct buf *out = &b->manifest;
    char hex[SHA256_HEX_BYTES + 1];
    struct slice line = slice_of(b->evidence.raw.data + row->at, row->len);
    sha256_hex(hex, &row->hash);
    buf_printf(out, "{\"number\":%" PRIu64 ",\"topic\":\"", row->number);
    print_topic(out, slice_of(b->evidence.topics.data + row->topic.offset, row->topic.len));
    buf_printf(out,
               "\",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"line\":%" PRIu32
               ",\"at\":%zu,\"bytes\":%" PRIu32 ",\"sha256\":\"%s\"}\n",
               row->partition, row->offset, row->sub, b->raw.len, row->len, hex);
    buf_slice(&b->raw, line);
    if (row->len == 0 || line.data[row->len - 1] != '\n')
        buf_byte(&b->raw, '\n');
}

static void print_manifest(struct bundle *b)
{
    const struct bundle_evidence *e = &b->evidence;
    buf_printf(&b->manifest,
               "{\"bundle\":\"sekisho bundle v1\",\"tenant\":\"%06" PRIu32
               "\",\"created\":\"%s\",\"checkpoint\":%" PRIu64 ",\"size\":%" PRIu64
               ",\"rows\":%zu,\"bytes\":%zu,\"complete\":%s,\"choice\":",
               b->options->query->tenant, b->created, b->checkpoint.is.number, b->head->size,
               e->row_count, e->raw.len, b->choice.damage == 0 ? "true" : "false");
    ndjson_string(&b->manifest, buf_content(&b->choice_text));
    buf_text(&b->manifest, "}\n");
    for (size_t i = 0; i < e->row_count; i++)
        print_row(b, &e->rows[i]);
}

static void print_proof(struct bundle *b)
{
    const struct buf *hashes = &b->evidence.proof;
    buf_printf(&b->proof,
               "sekisho bundle proof v1\ntenant %06" PRIu32 "\nsize %" PRIu64 "\nhashes %zu\n",
               b->options->query->tenant, b->head->size, hashes->len / SHA256_BYTES);
    for (size_t at = 0; at < hashes->len; at += SHA256_BYTES) {
        struct sha256 hash;
        char hex[SHA256_HEX_BYTES + 1];
        memcpy(hash.bytes, hashes->data + at, SHA256_BYTES);
        sha256_hex(hex, &hash);
        buf_printf(&b->proof, "%s\n", hex);
    }
}

/* The query, the alert, and the bounds, in words of the command line. */
static void describe_choice(struct bundle *b)
{
    const struct bundle_options *o = b->options;
    const struct sieve_query *q = o->query;
    struct buf *out = &b->choice_text;
    struct buf text = {0};
    buf_printf(&text, "--tenant %06" PRIu32, q->tenant);
    if (o->alert != NULL)
        buf_printf(&text, " --alert %s", o->alert);
    if (q->topic.len != 0)
        buf_printf(&text, " --topic %.*s", (int)q->topic.len, q->topic.data);
    if (q->has_partition)
        buf_printf(&text, " --partition %" PRId32, q->partition);
    if (q->since_ns != INT64_MIN) {
        buf_text(&text, " --since ");
        clock_print(&text, q->since_ns);
    }
    if (q->until_ns != INT64_MAX) {
        buf_text(&text, " --until ");
        clock_print(&text, q->until_ns);
    }
    if (o->query_text != NULL)
        buf_printf(&text, " --query '%s'", o->query_text);
    if (buf_ok(&text))
        escape_text(out, buf_content(&text));
    else
        out->failed = true;
    buf_release(&text);
}

static const char NOTE_JA[] =
    "\n  注意: 作成時に読めない部分がありました。条件に合う行がほかにもあるかもしれません。";
static const char NOTE_EN[] =
    "\n  Note: a part of the store could not be read; more rows may have met the choice.";

/* What stands for a name between two @ in the text for people. */
static void print_word(struct bundle *b, struct slice name, struct buf *out)
{
    bool whole = b->choice.damage == 0;
    if (slice_equal(name, SLICE("TENANT")))
        buf_printf(out, "%06" PRIu32, b->options->query->tenant);
    else if (slice_equal(name, SLICE("ROWS")))
        buf_printf(out, "%zu", b->evidence.row_count);
    else if (slice_equal(name, SLICE("CREATED")))
        buf_text(out, b->created);
    else if (slice_equal(name, SLICE("CHOICE")))
        buf_slice(out, buf_content(&b->choice_text));
    else if (slice_equal(name, SLICE("CHECKPOINT")))
        buf_printf(out, "%" PRIu64, b->checkpoint.is.number);
    else if (slice_equal(name, SLICE("CHECKED")))
        clock_print(out, b->checkpoint.is.time_ns);
    else if (slice_equal(name, SLICE("KEY")))
        buf_append(out, b->public_key.data, b->public_key.len - 1);
    else if (!whole && slice_equal(name, SLICE("NOTEJA")))
        buf_text(out, NOTE_JA);
    else if (!whole && slice_equal(name, SLICE("NOTEEN")))
        buf_text(out, NOTE_EN);
}

static void print_readme(struct bundle *b)
{
    struct slice rest = slice_of(BUNDLE_README, sizeof(BUNDLE_README));
    while (rest.len != 0) {
        const char *from = memchr(rest.data, '@', rest.len);
        size_t at = from == NULL ? rest.len : (size_t)(from - rest.data);
        buf_append(&b->readme, rest.data, at);
        if (from == NULL)
            return;
        rest = slice_from_offset(rest, at + 1);
        const char *to = memchr(rest.data, '@', rest.len);
        size_t len = to == NULL ? rest.len : (size_t)(to - rest.data);
        print_word(b, slice_of(rest.data, len), &b->readme);
        rest = slice_from_offset(rest, to == NULL ? len : len + 1);
    }
}

static int write_all(struct bundle *b)
{
    const struct bundle_file files[FILES_MAX] = {
        {"README.txt", buf_content(&b->readme)},
        {"checkpoint.pub", buf_content(&b->public_key)},
        {"checkpoint.txt", buf_content(&b->checkpoint.text)},
        {"manifest.ndjson", buf_content(&b->manifest)},
        {"proof.txt", buf_content(&b->proof)},
        {"rows.raw", buf_content(&b->raw)},
        {"verify_bundle.py", slice_of(BUNDLE_VERIFIER, sizeof(BUNDLE_VERIFIER))},
        {"alert.json", buf_content(&b->alert)},
    };
    const struct buf *bufs[] = {&b->readme, &b->public_key, &b->manifest,
                                &b->proof,  &b->raw,        &b->alert};
    size_t count = b->options->alert == NULL ? FILES_MAX - 1 : FILES_MAX;
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++) {
        if (!buf_ok(bufs[i]))
            return ERR_NOMEM;
    }
    return bundle_write(b->options->out, files, count, b->checkpoint.is.time_ns, b->diag);
}

/* ------------------------------------------------------------------------------ the whole */

static int prove(struct bundle *b)
{
    struct tree_rows *rows = NULL;
    int err = tree_rows_open(&rows, b->options->dir, b->options->query->tenant, b->diag);
    if (err == 0 && tree_rows_catalog(rows)->tree.size < b->head->size) {
        diag_add(
            b->diag, b->options->dir, 0, 0,
            "the checkpoint vouches for more rows than the store has; sekisho verify tells more");
        err = ERR_CORRUPT;
    }
    if (err == 0)
        err = bundle_prove(&b->evidence, rows, &b->choice, b->head, b->diag);
    if (err == ERR_AGAIN)
        diag_add(b->diag, b->options->dir, 0, 0, "a compaction came in between; try again");
    tree_rows_close(rows);
    return err;
}

static int read_checkpoint(struct bundle *b)
{
    int err = proof_key_read(&b->key, b->options->dir, b->diag);
    if (err == 0)
        err = signed_checkpoint_last(&b->checkpoint, b->options->dir, &b->key, b->diag);
    if (err == 0) {
        b->head = checkpoint_head(&b->checkpoint.is, b->options->query->tenant);
        note_key_print(&b->public_key, &b->key);
    }
    return err;
}

int bundle_make(struct bundle_report *out, const struct bundle_options *options, struct diag *diag)
{
    struct buf now = {0};
    struct bundle *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return ERR_NOMEM;
    b->options = options;
    b->diag = diag;
    clock_print(&now, clock_now_ns() / 1000000000 * 1000000000);
    (void)snprintf(b->created, sizeof(b->created), "%s", buf_string(&now));
    buf_release(&now);
    int err = read_checkpoint(b);
    if (err == 0)
        err = choose(b);
    if (err == 0)
        err = prove(b);
    if (err == 0) {
        describe_choice(b);
        print_manifest(b);
        print_proof(b);
        print_readme(b);
        err = write_all(b);
    }
    if (err == 0) {
        *out = (struct bundle_report){.rows = b->evidence.row_count,
                                      .bytes = b->evidence.raw.len,
                                      .hashes = b->evidence.proof.len / SHA256_BYTES,
                                      .checkpoint = b->checkpoint.is.number,
                                      .damage = b->choice.damage};
    }
    bundle_release(b);
    return err;
}
