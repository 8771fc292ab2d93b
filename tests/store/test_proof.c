/*
 * Proofs of rows and of growth as texts: what was written is read and holds, and nothing else does: no
 * bit flipped, no line changed, no other row, checkpoint, key or history.
 */
#include "base/err.h"
#include "tests/store/proof_case.h"

static const uint64_t OLDER[CASE_TENANTS] = {0, 700, 1999};
static const uint64_t NEWER[CASE_TENANTS] = {5, 1301, 2000};

struct texts {
    struct buf older;
    struct buf newer;
    struct buf row;
    struct buf growth;
};

static void texts_make(struct texts *t, struct proof_case *c)
{
    *t = (struct texts){0};
    case_sign(c, &t->older, 1, NULL, OLDER);
    struct slice first = buf_content(&t->older);
    case_sign(c, &t->newer, 2, &first, NEWER);
    struct slice both[] = {first, buf_content(&t->newer)};
    case_prove_row(c, &t->row, 1, 300, NEWER[1], both[1]);
    case_prove_growth(c, &t->growth, OLDER, NEWER, both);
}

static void texts_release(struct texts *t)
{
    buf_release(&t->older);
    buf_release(&t->newer);
    buf_release(&t->row);
    buf_release(&t->growth);
}

static void test_hold(void **state)
{
    (void)state;
    struct proof_case c;
    struct texts t;
    struct note_signer other;
    case_init(&c, 1);
    texts_make(&t, &c);
    assert_int_equal(case_judge(c.hasher, buf_content(&t.row), &c.signer.key), 0);
    assert_int_equal(case_judge(c.hasher, buf_content(&t.growth), &c.signer.key), 0);
    assert_int_equal(note_signer_make(&other, c.signer.key.name), 0);
    assert_int_equal(case_judge(c.hasher, buf_content(&t.row), &other.key), ERR_CORRUPT);
    assert_int_equal(case_judge(c.hasher, buf_content(&t.growth), &other.key), ERR_CORRUPT);
    texts_release(&t);
    case_release(&c);
}

/* Every row of a tenant at some sizes, rows of no and of any bytes, topics of any bytes. */
static void test_rows(void **state)
{
    (void)state;
    struct proof_case c;
    struct buf text = {0};
    struct buf checkpoint = {0};
    struct buf again = {0};
    const uint64_t sizes[CASE_TENANTS] = {600, 255, 256};
    case_init(&c, 2);
    case_sign(&c, &checkpoint, 1, NULL, sizes);
    for (size_t k = 0; k < CASE_TENANTS; k++) {
        for (uint64_t i = 0; i < sizes[k]; i += 3) {
            struct arena arena = {0};
            struct diag diag = {0};
            struct proof_row p;
            struct case_row row;
            buf_reset(&text);
            buf_reset(&again);
            case_prove_row(&c, &text, k, i, sizes[k], buf_content(&checkpoint));
            assert_int_equal(case_judge(c.hasher, buf_content(&text), &c.signer.key), 0);
            assert_int_equal(proof_row_parse(&p, &arena, buf_content(&text), "proof", &diag), 0);
            case_row_make(&row, CASE_CODES[k], 2, i);
            assert_true(slice_equal(p.row.raw, row.row.raw));
            assert_true(slice_equal(p.row.topic, row.row.topic));
            assert_int_equal(proof_row_print(&again, &p), 0);
            assert_true(slice_equal(buf_content(&again), buf_content(&text)));
            arena_release(&arena);
            diag_release(&diag);
        }
    }
    buf_release(&text);
    buf_release(&again);
    buf_release(&checkpoint);
    case_release(&c);
}

static void refuse_flips(struct proof_case *c, struct buf *text)
{
    for (size_t at = 0; at < text->len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text->data[at] = (char)(text->data[at] ^ 1 << bit);
            int err = case_judge(c->hasher, buf_content(text), &c->signer.key);
            assert_true(err == ERR_FORMAT || err == ERR_CORRUPT);
            text->data[at] = (char)(text->data[at] ^ 1 << bit);
        }
    }
}

static void refuse_cuts(struct proof_case *c, struct buf *text)
{
    for (size_t len = 0; len < text->len; len++)
        assert_int_equal(case_judge(c->hasher, slice_of(text->data, len), &c->signer.key),
                         ERR_FORMAT);
    buf_byte(text, '\n');
    assert_int_equal(case_judge(c->hasher, buf_content(text), &c->signer.key), ERR_FORMAT);
    text->len--;
}

static void test_damage(void **state)
{
    (void)state;
    struct proof_case c;
    struct texts t;
    case_init(&c, 3);
    texts_make(&t, &c);
    refuse_flips(&c, &t.row);
    refuse_flips(&c, &t.growth);
    refuse_cuts(&c, &t.row);
    refuse_cuts(&c, &t.growth);
    assert_int_equal(case_judge(c.hasher, buf_content(&t.row), &c.signer.key), 0);
    assert_int_equal(case_judge(c.hasher, buf_content(&t.growth), &c.signer.key), 0);
    texts_release(&t);
    case_release(&c);
}

/* The text with the first `from` replaced. */
static void replace(struct buf *out, const struct buf *text, const char *from, const char *to)
{
    const char *at = memmem(text->data, text->len, from, strlen(from));
    assert_non_null(at);
    buf_reset(out);
    buf_append(out, text->data, (size_t)(at - text->data));
    buf_text(out, to);
    size_t behind = (size_t)(at - text->data) + strlen(from);
    buf_append(out, text->data + behind, text->len - behind);
}

static void test_other_forms(void **state)
{
    (void)state;
    static const char *const ROW[][2] = {
        {"proof v1", "proof v2"},
        {"tenant 990001", "tenant 990019"},
        {"tenant 990001", "tenant 990000"},
        {"tenant 990001", "tenant 0990001"},
        {"index 300", "index 0300"},
        {"index 300", "index 301"},
        {"index 300", "index 281474976710655"},
        {"index 300", "index 18446744073709551616"},
        {"index 300\n", "index 300 \n"},
        {"index 300\n", "index  300\n"},
        {"index 300\n", "index 300\r\n"},
        {"topic ", "topic %2E"},
        {"topic ", "topic %2e"},
        {"topic ", "topic %"},
        {"topic ", "topic x"},
        {"partition ", "partition -"},
        {"partition ", "partition 1"},
        {"offset ", "offset 1"},
        {"sub ", "sub 4294967296"},
        {"hashes ", "hashes 9"},
        {"raw ", "raw 99999999"},
        {"checkpoint ", "checkpoint 1"},
        {"hash ", "Hash "},
        {"\nhash ", "\n\nhash "},
    };
    static const char *const GROWTH[][2] = {
        {"tenants 3", "tenants 2"},    {"tenants 3", "tenants 4"},
        {"tenants 3", "tenants 4096"}, {"tenant 011002", "tenant 011003"},
        {"older ", "newer "},          {"older ", "older 1"},
        {"growth v1", "growth v11"},
    };
    struct proof_case c;
    struct texts t;
    struct buf changed = {0};
    case_init(&c, 4);
    texts_make(&t, &c);
    for (size_t i = 0; i < COUNT(ROW); i++) {
        replace(&changed, &t.row, ROW[i][0], ROW[i][1]);
        assert_true(case_judge(c.hasher, buf_content(&changed), &c.signer.key) < 0);
    }
    for (size_t i = 0; i < COUNT(GROWTH); i++) {
        replace(&changed, &t.growth, GROWTH[i][0], GROWTH[i][1]);
        assert_true(case_judge(c.hasher, buf_content(&changed), &c.signer.key) < 0);
    }
    buf_release(&changed);
    texts_release(&t);
    case_release(&c);
}

/* Rows behind a checkpoint's back were changed: no proof takes an honest older one to the new one. */
static void test_rewritten(void **state)
{
    (void)state;
    struct proof_case c;
    struct texts honest;
    struct buf newer = {0};
    struct buf growth = {0};
    case_init(&c, 5);
    texts_make(&honest, &c);
    struct slice texts[] = {buf_content(&honest.older), {0}};
    case_grow(&c.trees[1], 6);
    case_sign(&c, &newer, 2, &texts[0], NEWER);
    texts[1] = buf_content(&newer);
    case_prove_growth(&c, &growth, OLDER, NEWER, texts);
    assert_int_equal(case_judge(c.hasher, buf_content(&growth), &c.signer.key), ERR_CORRUPT);
    buf_release(&newer);
    buf_release(&growth);
    texts_release(&honest);
    case_release(&c);
}

/* A newer one that names another one before it, is shorter, or is the older one. */
static void test_order(void **state)
{
    (void)state;
    struct proof_case c;
    struct texts t;
    struct buf newer = {0};
    struct buf growth = {0};
    case_init(&c, 7);
    texts_make(&t, &c);
    struct slice older = buf_content(&t.older);
    struct slice wrong = buf_content(&t.newer);
    case_sign(&c, &newer, 2, &wrong, NEWER);
    struct slice forked[] = {older, buf_content(&newer)};
    case_prove_growth(&c, &growth, OLDER, NEWER, forked);
    assert_int_equal(case_judge(c.hasher, buf_content(&growth), &c.signer.key), ERR_CORRUPT);
    buf_reset(&newer);
    buf_reset(&growth);
    case_sign(&c, &newer, 9, &wrong, NEWER);
    struct slice later[] = {older, buf_content(&newer)};
    case_prove_growth(&c, &growth, OLDER, NEWER, later);
    assert_int_equal(case_judge(c.hasher, buf_content(&growth), &c.signer.key), 0);
    buf_reset(&growth);
    struct slice same[] = {older, older};
    case_prove_growth(&c, &growth, OLDER, OLDER, same);
    assert_int_equal(case_judge(c.hasher, buf_content(&growth), &c.signer.key), ERR_CORRUPT);
    buf_release(&newer);
    buf_release(&growth);
    texts_release(&t);
    case_release(&c);
}

/* What cannot be a proof is not written. */
static void test_limits(void **state)
{
    (void)state;
    struct proof_case c;
    struct texts t;
    struct buf out = {0};
    case_init(&c, 8);
    texts_make(&t, &c);
    struct slice checkpoint = buf_content(&t.newer);
    struct proof_row good = {.tenant = 990001,
                             .row = {.topic = SLICE("t"), .raw = SLICE("x")},
                             .checkpoint = checkpoint};
    struct proof_row bad = good;
    assert_int_equal(proof_row_print(&out, &good), 0);
    bad.tenant = 1000000;
    assert_int_equal(proof_row_print(&out, &bad), ERR_RANGE);
    bad = good;
    bad.row.offset = -1;
    assert_int_equal(proof_row_print(&out, &bad), ERR_RANGE);
    bad = good;
    bad.row.topic.len = 0;
    assert_int_equal(proof_row_print(&out, &bad), ERR_RANGE);
    bad = good;
    bad.path.count = TREE_PROOF_HASHES_MAX + 1;
    assert_int_equal(proof_row_print(&out, &bad), ERR_RANGE);
    bad = good;
    bad.checkpoint.len--;
    assert_int_equal(proof_row_print(&out, &bad), ERR_RANGE);
    buf_release(&out);
    texts_release(&t);
    case_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_damage),    cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_rewritten), cmocka_unit_test(test_order),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
