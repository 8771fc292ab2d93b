/* Certificates of deletion: what was signed is read, everything else is refused; their chain and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "store/deletion.h"

enum {
    TENANT = 52027,
};

static const uint8_t STORE_ID[STORE_ID_BYTES] = {1, 2, 3};

struct fixture {
    char dir[256];
    struct note_signer signer;
    struct deletion_class classes[2];
    struct deletion_range ranges[2];
    struct deletion_segment segments[2];
    struct deletion_stretch stretches[2];
    struct deletion_node nodes[2];
    struct deletion d;
};

/* Seven rows of two hours: 10..12 and 300..303. */
static void begin(struct fixture *f)
{
    *f = (struct fixture){0};
    assert_int_equal(dir_create_temp(f->dir, sizeof(f->dir), "/tmp/sekisho-deletion-"), 0);
    assert_int_equal(note_signer_make(&f->signer, "sekisho/test"), 0);
    f->classes[0] = (struct deletion_class){SLICE("firewall"), 31536000, 3, 700};
    f->classes[1] = (struct deletion_class){SLICE("proxy"), 86400, 4, 900};
    f->ranges[0] = (struct deletion_range){SLICE("seclog.raw.052027.fw1"), 0, 5, 7, 3};
    f->ranges[1] = (struct deletion_range){SLICE("odd %\x01"), 2, 0, 9, 4};
    f->segments[0] = (struct deletion_segment){.name = {TENANT, -1, 1},
                                               .bytes = 1000,
                                               .rest_rows = 2,
                                               .classes = &f->classes[0],
                                               .class_count = 1,
                                               .ranges = &f->ranges[0],
                                               .range_count = 1};
    f->segments[1] = (struct deletion_segment){.name = {TENANT, 489722, 3},
                                               .bytes = 2000,
                                               .classes = &f->classes[1],
                                               .class_count = 1,
                                               .ranges = &f->ranges[1],
                                               .range_count = 1};
    f->segments[1].hash.bytes[5] = 9;
    f->stretches[0] = (struct deletion_stretch){10, 12};
    f->stretches[1] = (struct deletion_stretch){300, 303};
    f->nodes[0] = (struct deletion_node){.level = 1, .index = 5};
    f->nodes[1] = (struct deletion_node){.level = 2, .index = 75};
    f->d = (struct deletion){.tenant = TENANT,
                             .number = 1,
                             .time_ns = 1763000000123000000,
                             .clock_ns = 1763000009000000000,
                             .segments = f->segments,
                             .segment_count = 2,
                             .stretches = f->stretches,
                             .stretch_count = 2,
                             .nodes = f->nodes,
                             .node_count = 2};
    memcpy(f->d.store_id, STORE_ID, sizeof(STORE_ID));
}

static void end(struct fixture *f)
{
    note_signer_wipe(&f->signer);
    assert_int_equal(dir_remove_tree(f->dir), 0);
}

static int parse(struct deletion *out, struct arena *arena, struct slice text,
                 const struct note_key *key)
{
    struct diag diag = {0};
    int err = deletion_parse(out, arena, text, key, "note", &diag);
    assert_true(err == ERR_NOMEM || (err != 0) == (diag.count != 0));
    diag_release(&diag);
    return err;
}

static void test_round(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    struct buf again = {0};
    struct arena arena = {0};
    struct deletion back = {0};
    begin(&f);
    assert_int_equal(deletion_sign(&text, &f.d, &f.signer), 0);
    assert_int_equal(parse(&back, &arena, buf_content(&text), &f.signer.key), 0);
    assert_int_equal(back.tenant, TENANT);
    assert_int_equal(back.time_ns, f.d.time_ns);
    assert_int_equal(back.segment_count, 2);
    assert_int_equal(back.segments[0].name.hour, -1);
    assert_int_equal(back.segments[0].rest_rows, 2);
    assert_int_equal(back.segments[1].hash.bytes[5], 9);
    assert_true(slice_equal(back.segments[1].ranges[0].topic, f.ranges[1].topic));
    assert_int_equal(back.segments[1].classes[0].raw_bytes, 900);
    assert_int_equal(back.stretches[1].last, 303);
    assert_int_equal(back.nodes[1].index, 75);
    assert_int_equal(deletion_sign(&again, &back, &f.signer), 0);
    assert_true(slice_equal(buf_content(&text), buf_content(&again)));
    /* Every byte counts. */
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        assert_int_not_equal(parse(&back, &arena, buf_content(&text), &f.signer.key), 0);
        text.data[i] ^= 1;
        assert_int_not_equal(parse(&back, &arena, slice_of(text.data, i), &f.signer.key), 0);
        arena_reset(&arena);
    }
    struct note_signer other;
    assert_int_equal(note_signer_make(&other, "sekisho/test"), 0);
    assert_int_equal(parse(&back, &arena, buf_content(&text), &other.key), ERR_CORRUPT);
    note_signer_wipe(&other);
    buf_release(&text);
    buf_release(&again);
    arena_release(&arena);
    end(&f);
}

/* What cannot be is not signed. */
static void test_faults(void **state)
{
    (void)state;
    struct fixture f;
    struct buf text = {0};
    for (int fault = 0; fault < 14; fault++) {
        begin(&f);
        switch (fault) {
        case 0:
            f.d.number = 0;
            break;
        case 1:
            f.d.number = 2;
            break; /* and names none before it */
        case 2:
            f.d.previous.bytes[0] = 1;
            break;
        case 3:
            f.d.withdraws = 1;
            break;
        case 4:
            f.d.segment_count = 0;
            break;
        case 5:
            f.classes[0].rows = 4;
            break;
        case 6:
            f.ranges[1].rows = 5;
            break;
        case 7:
            f.stretches[0].last = 13;
            break;
        case 8:
            f.stretches[1].first = 13;
            break;
        case 9:
            f.segments[1].name.hour = -1;
            break;
        case 10:
            f.nodes[0].level = TREE_STORED_LEVEL;
            break;
        case 11:
            f.nodes[1].index = 0;
            break;
        case 12:
            f.ranges[0].last = 4;
            break;
        default:
            f.classes[0].name = SLICE("Fire wall");
            break;
        }
        assert_int_equal(deletion_sign(&text, &f.d, &f.signer), ERR_RANGE);
        assert_int_equal(text.len, 0);
        end(&f);
    }
    buf_release(&text);
}

static int open_all(struct deletions **out, const struct fixture *f, bool write, struct diag *diag)
{
    const struct deletions_options options = {.dir = f->dir,
                                              .store_id = STORE_ID,
                                              .tenant = TENANT,
                                              .key = &f->signer.key,
                                              .signer = write ? &f->signer : NULL};
    return deletions_open(out, &options, diag);
}

static void test_files(void **state)
{
    (void)state;
    struct fixture f;
    struct deletions *all = NULL;
    const struct deletion *one = NULL;
    struct diag diag = {0};
    struct sha256 hash;
    char path[400];
    begin(&f);
    assert_int_equal(open_all(&all, &f, true, &diag), 0);
    assert_int_equal(deletions_count(all), 0);
    assert_int_equal(deletions_append(all, &f.d, &diag), 0);
    assert_int_equal(f.d.number, 1);
    struct deletion back = {.time_ns = f.d.time_ns, .withdraws = 1};
    assert_int_equal(deletions_append(all, &back, &diag), 0);
    assert_int_equal(back.number, 2);
    assert_int_equal(fault_set("ENOSPC@write=00000003"), 0);
    assert_int_equal(deletions_append(all, &f.d, &diag), ERR_AGAIN);
    assert_int_equal(fault_set(NULL), 0);
    assert_int_equal(deletions_count(all), 2);
    deletions_close(all);
    diag_release(&diag);
    assert_int_equal(open_all(&all, &f, true, &diag), 0);
    assert_int_equal(deletions_append(all, &f.d, &diag), 0);
    assert_int_equal(deletions_read(all, 2, &one, &hash, &diag), 0);
    assert_int_equal(one->withdraws, 1);
    assert_int_equal(deletions_read(all, 3, &one, NULL, &diag), 0);
    assert_true(sha256_equal(&one->previous, &hash));
    assert_int_equal(one->number, 3);
    assert_int_equal(deletions_read(all, 4, &one, NULL, &diag), ERR_NOTFOUND);
    deletions_close(all);
    assert_int_equal(diag.count, 0);
    assert_int_equal(open_all(&all, &f, false, &diag), 0);
    assert_int_equal(deletions_append(all, &f.d, &diag), ERR_RANGE); /* without a signer */
    deletions_close(all);
    (void)snprintf(path, sizeof(path), "%s/deletions/052027/00000002.note", f.dir);
    assert_int_equal(file_unlink(path), 0);
    assert_int_equal(open_all(&all, &f, false, &diag), ERR_CORRUPT);
    assert_non_null(strstr(diag_text(&diag), "certificate 2 is missing"));
    diag_release(&diag);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
