/*
 * Keys, signed notes, checkpoints and their file: what was signed holds, nothing else does; a crash costs
 * at most the checkpoint that was being written; who holds a checkpoint sees cut, forked and
 * rewritten histories.
 */
#include "base/err.h"
#include "tests/store/proof_case.h"

static void path_in(char out[FILE_PATH_BYTES_MAX], const struct log_dir *d, const char *name)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/%s", d->path, name);
    assert_in_range(len, 1, FILE_PATH_BYTES_MAX - 1);
}

static const char OTHER_KEY[] =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n";

/* A key and a note of another program: those of the Go documentation of signed notes. */
static void test_other_program(void **state)
{
    (void)state;
    static const char NOTE[] =
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
        "KvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    struct note_key key;
    struct note note;
    struct diag diag = {0};
    struct buf printed = {0};
    assert_int_equal(note_key_parse(&key, slice_from(OTHER_KEY), "key", &diag), 0);
    assert_int_equal(note_parse(&note, slice_from(NOTE), "note", &diag), 0);
    assert_int_equal(note_verify(&note, &key, "note", &diag), 0);
    assert_int_equal(note_length(slice_from(NOTE)), sizeof(NOTE) - 1);
    note_key_print(&printed, &key);
    assert_true(slice_equal(buf_content(&printed), slice_from(OTHER_KEY)));
    assert_int_equal(diag.count, 0);
    buf_release(&printed);
}

static int open_signer(struct note_signer *s, const struct log_dir *d, const char *name)
{
    char path[FILE_PATH_BYTES_MAX];
    char public_path[FILE_PATH_BYTES_MAX];
    struct diag diag = {0};
    path_in(path, d, "keys.signing");
    path_in(public_path, d, "keys.public");
    int err = note_signer_open(s, path, public_path, name, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    diag_release(&diag);
    return err;
}

static void test_key_files(void **state)
{
    (void)state;
    struct log_dir d;
    struct note_signer first;
    struct note_signer again = {.key.name = "untouched"};
    struct note_key key;
    struct file_info info;
    struct diag diag = {0};
    struct buf text = {0};
    char path[FILE_PATH_BYTES_MAX];
    log_dir_make(&d);
    path_in(path, &d, "keys.signing");
    assert_int_equal(open_signer(&first, &d, "sekisho/1"), 0);
    assert_int_equal(file_stat(&info, path), 0);
    assert_int_equal(info.mode, 0600);
    assert_int_equal(open_signer(&again, &d, "sekisho/1"), 0);
    assert_memory_equal(&first, &again, sizeof(first));
    again = (struct note_signer){.key.name = "untouched"};
    assert_int_equal(open_signer(&again, &d, "sekisho/2"), ERR_CONF);
    /* The public key is as the file beside it says, and comes back when it is lost. */
    path_in(path, &d, "keys.public");
    assert_int_equal(note_key_read(&key, path, &diag), 0);
    assert_memory_equal(&key, &first.key, sizeof(key));
    assert_int_equal(file_unlink(path), 0);
    assert_int_equal(open_signer(&again, &d, "sekisho/1"), 0);
    assert_int_equal(note_key_read(&key, path, &diag), 0);
    assert_memory_equal(&key, &first.key, sizeof(key));
    assert_int_equal(file_write_atomic(path, SLICE("another's\n")), 0);
    again = (struct note_signer){.key.name = "untouched"};
    assert_int_equal(open_signer(&again, &d, "sekisho/1"), ERR_CONF);
    /* A secret key that was lost is not replaced behind anybody's back. */
    path_in(path, &d, "keys.signing");
    assert_int_equal(file_read_all(&text, path, 4096), 0);
    assert_int_equal(file_unlink(path), 0);
    assert_int_equal(open_signer(&again, &d, "sekisho/1"), ERR_CONF);
    assert_int_equal(file_stat(&info, path), ERR_NOTFOUND);
    /* Written by hand, it can be read by others. */
    assert_int_equal(file_write_atomic(path, buf_content(&text)), 0);
    assert_int_equal(open_signer(&again, &d, "sekisho/1"), ERR_CONF);
    assert_string_equal(again.key.name, "untouched");
    buf_release(&text);
    log_dir_remove(&d);
}

static void refuse_key_flips(struct slice text)
{
    struct buf copy = {0};
    struct note_key key;
    buf_slice(&copy, text);
    for (size_t at = 0; at < copy.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct diag diag = {0};
            copy.data[at] = (char)(copy.data[at] ^ 1 << bit);
            assert_int_equal(note_key_parse(&key, buf_content(&copy), "key", &diag), ERR_FORMAT);
            assert_int_equal(diag.count, 1);
            diag_release(&diag);
            copy.data[at] = (char)(copy.data[at] ^ 1 << bit);
        }
    }
    buf_release(&copy);
}

/* Every bit of a key, with and without the slash of base64 in it. */
static void test_key_damage(void **state)
{
    (void)state;
    struct note_signer s;
    struct buf text = {0};
    assert_int_equal(note_signer_make(&s, "sekisho/1"), 0);
    note_key_print(&text, &s.key);
    refuse_key_flips(buf_content(&text));
    refuse_key_flips(slice_from(OTHER_KEY));
    assert_int_equal(note_signer_make(&s, "with blank"), ERR_RANGE);
    assert_int_equal(note_signer_make(&s, "with+plus"), ERR_RANGE);
    assert_int_equal(note_signer_make(&s, ""), ERR_RANGE);
    buf_release(&text);
}

/* The disk fails at each call: no key, and the next start makes one. */
static void test_key_faults(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"EIO@open=keys", "ENOSPC@write=keys", "EIO@sync=keys",
                                         "EIO@rename=keys", "EIO@dirsync=store"};
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        struct log_dir d;
        struct note_signer s;
        log_dir_make(&d);
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(open_signer(&s, &d, "sekisho/1"), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(open_signer(&s, &d, "sekisho/1"), 0);
        log_dir_remove(&d);
    }
}

static int parse(struct checkpoint *out, struct arena *arena, struct slice text,
                 const struct note_key *key)
{
    struct diag diag = {0};
    int err = checkpoint_parse(out, arena, text, key, "checkpoint", &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    diag_release(&diag);
    return err;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const uint64_t SIZES[CASE_TENANTS] = {0, 17, 2000};
    struct proof_case c;
    struct checkpoint_tenant room[CASE_TENANTS];
    struct checkpoint got;
    struct arena arena = {0};
    struct buf text = {0};
    struct buf again = {0};
    case_init(&c, 1);
    struct checkpoint want = case_checkpoint(&c, room, SIZES);
    want.number = 1;
    assert_int_equal(checkpoint_sign(&text, &want, &c.signer), 0);
    assert_int_equal(parse(&got, &arena, buf_content(&text), &c.signer.key), 0);
    assert_int_equal(got.tenant_count, CASE_TENANTS);
    assert_memory_equal(got.tenants, room, sizeof(room));
    assert_int_equal(got.time_ns, want.time_ns);
    assert_int_equal(got.log_seq, want.log_seq);
    assert_true(sha256_equal(&got.log_hash, &want.log_hash));
    assert_memory_equal(got.store_id, TEST_STORE_ID, STORE_ID_BYTES);
    assert_int_equal(got.record_count, 1);
    assert_true(slice_equal(got.records[0].name, SLICE("ledger")));
    assert_int_equal(checkpoint_head(&got, 990001)->size, 17);
    assert_null(checkpoint_head(&got, 990002));
    assert_int_equal(checkpoint_sign(&again, &got, &c.signer), 0);
    assert_true(slice_equal(buf_content(&again), buf_content(&text)));
    arena_release(&arena);
    buf_release(&text);
    buf_release(&again);
    case_release(&c);
}

static void test_unsignable(void **state)
{
    (void)state;
    static const uint64_t SIZES[CASE_TENANTS] = {1, 2, 3};
    struct proof_case c;
    struct checkpoint_tenant room[CASE_TENANTS];
    struct checkpoint_record record = {.name = SLICE("Ledger")};
    struct buf text = {0};
    case_init(&c, 1);
    struct checkpoint good = case_checkpoint(&c, room, SIZES);
    struct checkpoint bad = good;
    assert_int_equal(checkpoint_sign(&text, &bad, &c.signer), ERR_RANGE);
    bad.number = 2;
    assert_int_equal(checkpoint_sign(&text, &bad, &c.signer), ERR_RANGE);
    bad.number = 1;
    bad.records = &record;
    assert_int_equal(checkpoint_sign(&text, &bad, &c.signer), ERR_RANGE);
    bad = good;
    bad.number = 1;
    room[1].tenant = room[0].tenant;
    assert_int_equal(checkpoint_sign(&text, &bad, &c.signer), ERR_RANGE);
    room[1].tenant = room[2].tenant - 1;
    room[1].head.size = TREE_ROWS_MAX + 1;
    assert_int_equal(checkpoint_sign(&text, &bad, &c.signer), ERR_RANGE);
    assert_int_equal(text.len, 0);
    buf_release(&text);
    case_release(&c);
}

static void test_every_flip(void **state)
{
    (void)state;
    static const uint64_t SIZES[CASE_TENANTS] = {3, 17, 2000};
    struct proof_case c;
    struct checkpoint got;
    struct arena arena = {0};
    struct buf text = {0};
    case_init(&c, 1);
    case_sign(&c, &text, 1, NULL, SIZES);
    for (size_t at = 0; at < text.len; at++) {
        assert_true(parse(&got, &arena, slice_of(text.data, at), &c.signer.key) < 0);
        for (unsigned bit = 0; bit < 8; bit++) {
            text.data[at] = (char)(text.data[at] ^ 1 << bit);
            assert_true(parse(&got, &arena, buf_content(&text), &c.signer.key) < 0);
            text.data[at] = (char)(text.data[at] ^ 1 << bit);
        }
    }
    buf_byte(&text, '\n');
    assert_true(parse(&got, &arena, buf_content(&text), &c.signer.key) < 0);
    arena_release(&arena);
    buf_release(&text);
    case_release(&c);
}

/* Signed with the right key, but written otherwise: refused with the line. */
static void test_other_forms(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *said;
    } FORMS[] = {
        {"checkpoint v1", "checkpoint v2", "text:1:"},
        {"number 1", "number 01", "text:3:"},
        {"number 1", "number 0", "numbered from 1"},
        {"number 1", "number 2", "names none before it"},
        {"T00:00:00.123Z", "T00:00:00.123000Z", "not written as"},
        {"T00:00:00.123Z", "T00:00:00.123+00:00", "not written as"},
        {"T00:00:00.123Z", "T24:00:00.123Z", "text:4:"},
        {"log ", "log -", "text:5:"},
        {"tenants 3", "tenants 2", "text:10:"},
        {"tenants 3", "tenants 4", "text:11:"},
        {"tenants 3", "tenants 4097", "text:7:"},
        {"tenant 011002", "tenant 990001", "ascending"},
        {"tenant 011002", "tenant 11002", "text:8:"},
        {"records 1", "records 1 ", "text:11:"},
        {"record ledger", "record LEDGER", "a-z"},
        {"record ledger", "ledger", "text:12:"},
        {"73656b", "73656B", "not written as"},
    };
    static const uint64_t SIZES[CASE_TENANTS] = {3, 17, 2000};
    struct proof_case c;
    struct buf text = {0};
    struct note note;
    struct diag diag = {0};
    case_init(&c, 1);
    case_sign(&c, &text, 1, NULL, SIZES);
    assert_int_equal(note_parse(&note, buf_content(&text), "text", &diag), 0);
    for (size_t i = 0; i < COUNT(FORMS); i++) {
        struct buf body = {0};
        struct buf whole = {0};
        struct checkpoint got;
        struct arena arena = {0};
        const char *at =
            memmem(note.text.data, note.text.len, FORMS[i].from, strlen(FORMS[i].from));
        assert_non_null(at);
        size_t before = (size_t)(at - note.text.data);
        buf_append(&body, note.text.data, before);
        buf_text(&body, FORMS[i].to);
        buf_slice(&body, slice_from_offset(note.text, before + strlen(FORMS[i].from)));
        assert_int_equal(note_sign(&whole, &c.signer, buf_content(&body)), 0);
        assert_int_equal(
            checkpoint_parse(&got, &arena, buf_content(&whole), &c.signer.key, "text", &diag),
            ERR_FORMAT);
        assert_int_equal(diag.count, 1);
        if (strstr(diag_text(&diag), FORMS[i].said) == NULL)
            fail_msg("%s -> %s: %s", FORMS[i].from, FORMS[i].to, diag_text(&diag));
        diag_release(&diag);
        diag = (struct diag){0};
        arena_release(&arena);
        buf_release(&body);
        buf_release(&whole);
    }
    buf_release(&text);
    case_release(&c);
}

/* The file. */

static int open_file(struct checkpoint_file **f, const struct log_dir *d,
                     const struct proof_case *c)
{
    struct diag diag = {0};
    int err = checkpoint_file_open(f, d->path, &c->signer, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    diag_release(&diag);
    return err;
}

static int append(struct proof_case *c, struct checkpoint_file *f, uint64_t rows, struct buf *text)
{
    const uint64_t sizes[CASE_TENANTS] = {0, rows, rows / 2};
    struct checkpoint_tenant room[CASE_TENANTS];
    struct checkpoint cp = case_checkpoint(c, room, sizes);
    struct diag diag = {0};
    int err = checkpoint_file_append(f, &cp, text, &diag);
    diag_release(&diag);
    return err;
}

static int check(const struct proof_case *c, const struct log_dir *d, struct slice held,
                 struct checkpoint_summary *sum)
{
    struct checkpoint_check what = {.key = &c->signer.key, .held = held};
    struct diag diag = {0};
    int err = checkpoint_file_check(sum, d->path, &what, &diag);
    assert_int_equal(diag.count, err == 0 ? 0 : 1);
    diag_release(&diag);
    return err;
}

static void write_file(const struct log_dir *d, struct slice content)
{
    char path[FILE_PATH_BYTES_MAX];
    path_in(path, d, "checkpoints");
    assert_int_equal(file_write_atomic(path, content), 0);
}

static void read_file(const struct log_dir *d, struct buf *out)
{
    char path[FILE_PATH_BYTES_MAX];
    path_in(path, d, "checkpoints");
    buf_reset(out);
    assert_int_equal(file_read_all(out, path, 1 << 20), 0);
}

/* `count` checkpoints; their texts one by one when wanted. */
static void fill(struct proof_case *c, const struct log_dir *d, uint64_t count, uint64_t step,
                 struct buf *texts)
{
    struct checkpoint_file *f = NULL;
    assert_int_equal(open_file(&f, d, c), 0);
    uint64_t from = checkpoint_file_number(f);
    for (uint64_t i = from; i < from + count; i++) {
        assert_int_equal(append(c, f, (i + 1) * step, texts == NULL ? NULL : &texts[i]), 0);
        assert_int_equal(checkpoint_file_number(f), i + 1);
        assert_int_equal(checkpoint_file_last(f)->tenants[1].head.size, (i + 1) * step);
    }
    checkpoint_file_close(f);
}

static int count_visits(void *self, const struct checkpoint *cp, struct slice text)
{
    uint64_t *count = self;
    assert_int_equal(cp->number, ++*count);
    assert_int_equal(note_length(text), text.len);
    return 0;
}

static void test_file(void **state)
{
    (void)state;
    struct proof_case c;
    struct log_dir d;
    struct checkpoint_summary sum;
    struct checkpoint_file *f = NULL;
    struct diag diag = {0};
    uint64_t visits = 0;
    case_init(&c, 1);
    log_dir_make(&d);
    assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
    assert_int_equal(sum.count, 0);
    fill(&c, &d, 3, 100, NULL);
    fill(&c, &d, 4, 100, NULL);
    struct checkpoint_check what = {.key = &c.signer.key, .visit = count_visits, .self = &visits};
    assert_int_equal(checkpoint_file_check(&sum, d.path, &what, &diag), 0);
    assert_int_equal(sum.count, 7);
    assert_int_equal(sum.torn_bytes, 0);
    assert_int_equal(visits, 7);
    /* What cannot follow is not written. */
    assert_int_equal(open_file(&f, &d, &c), 0);
    assert_int_equal(append(&c, f, 300, NULL), ERR_CORRUPT);
    assert_int_equal(append(&c, f, 700, NULL), 0);
    assert_int_equal(checkpoint_file_number(f), 8);
    checkpoint_file_close(f);
    assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
    assert_int_equal(sum.count, 8);
    log_dir_remove(&d);
    case_release(&c);
}

/* A crash at every byte, and with zeroes where a page did not arrive: the one before is the last. */
static void test_torn(void **state)
{
    (void)state;
    struct proof_case c;
    struct log_dir d;
    struct buf two = {0};
    struct buf texts[2] = {{0}, {0}};
    struct checkpoint_summary sum;
    case_init(&c, 1);
    log_dir_make(&d);
    fill(&c, &d, 2, 50, texts);
    read_file(&d, &two);
    size_t first = texts[0].len;
    for (size_t len = 0; len < two.len; len += len < first ? 97 : 1) {
        struct checkpoint_file *f = NULL;
        write_file(&d, slice_of(two.data, len));
        uint64_t whole = len >= first;
        assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
        assert_int_equal(sum.count, whole);
        assert_int_equal(sum.torn_bytes, whole ? len - first : len);
        assert_int_equal(open_file(&f, &d, &c), 0);
        assert_int_equal(checkpoint_file_number(f), whole);
        assert_int_equal(checkpoint_file_cut_bytes(f), whole ? len - first : len);
        assert_int_equal(append(&c, f, 60, NULL), 0);
        checkpoint_file_close(f);
        assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
        assert_int_equal(sum.count, whole + 1);
    }
    memset(two.data + first + 100, 0, 64);
    write_file(&d, buf_content(&two));
    struct checkpoint_file *f = NULL;
    assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
    assert_int_equal(sum.torn_bytes, two.len - first);
    assert_int_equal(open_file(&f, &d, &c), 0);
    assert_int_equal(checkpoint_file_cut_bytes(f), two.len - first);
    checkpoint_file_close(f);
    buf_release(&two);
    buf_release(&texts[0]);
    buf_release(&texts[1]);
    log_dir_remove(&d);
    case_release(&c);
}

/* A flipped bit anywhere is damage, and never a crash's doing. */
static void test_file_flips(void **state)
{
    (void)state;
    struct proof_case c;
    struct log_dir d;
    struct buf all = {0};
    struct buf texts[3] = {{0}, {0}, {0}};
    struct checkpoint_summary sum;
    case_init(&c, 1);
    log_dir_make(&d);
    fill(&c, &d, 3, 50, texts);
    read_file(&d, &all);
    size_t last = texts[0].len + texts[1].len;
    for (size_t at = 0; at < all.len; at++) {
        all.data[at] = (char)(all.data[at] ^ 1 << at % 8);
        write_file(&d, buf_content(&all));
        int err = check(&c, &d, buf_content(&texts[2]), &sum);
        assert_true(err == ERR_FORMAT || err == ERR_CORRUPT);
        struct checkpoint_file *f = NULL;
        err = open_file(&f, &d, &c);
        /* Without its last newline or the empty line a checkpoint has no end. */
        if (err == 0)
            assert_true(at < last || checkpoint_file_cut_bytes(f) == all.len - last);
        else
            assert_true(err == ERR_CORRUPT);
        checkpoint_file_close(err == 0 ? f : NULL);
        all.data[at] = (char)(all.data[at] ^ 1 << at % 8);
    }
    buf_release(&all);
    for (size_t i = 0; i < COUNT(texts); i++)
        buf_release(&texts[i]);
    log_dir_remove(&d);
    case_release(&c);
}

static void test_held(void **state)
{
    (void)state;
    struct proof_case c;
    struct log_dir d;
    struct buf texts[4] = {{0}, {0}, {0}, {0}};
    struct buf all = {0};
    struct checkpoint_summary sum;
    case_init(&c, 1);
    log_dir_make(&d);
    fill(&c, &d, 4, 50, texts);
    read_file(&d, &all);
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(check(&c, &d, buf_content(&texts[i]), &sum), 0);
    /* The end cut off: seen by who holds what was cut. */
    write_file(&d, slice_of(all.data, texts[0].len + texts[1].len));
    assert_int_equal(check(&c, &d, buf_content(&texts[1]), &sum), 0);
    assert_int_equal(check(&c, &d, buf_content(&texts[2]), &sum), ERR_CORRUPT);
    /* Another history from there on, signed with the right key. */
    fill(&c, &d, 3, 60, NULL);
    assert_int_equal(check(&c, &d, buf_content(&texts[1]), &sum), 0);
    assert_int_equal(check(&c, &d, buf_content(&texts[2]), &sum), ERR_CORRUPT);
    /* One taken out of the middle, and the beginning cut off: seen by everybody. */
    size_t second = texts[0].len;
    size_t third = second + texts[1].len;
    write_file(&d, slice_of(all.data + second, all.len - second));
    assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), ERR_CORRUPT);
    memmove(all.data + second, all.data + third, all.len - third);
    write_file(&d, slice_of(all.data, all.len - texts[1].len));
    assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), ERR_CORRUPT);
    /* No file at all. */
    write_file(&d, slice_of(NULL, 0));
    assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
    assert_int_equal(check(&c, &d, buf_content(&texts[0]), &sum), ERR_CORRUPT);
    buf_release(&all);
    for (size_t i = 0; i < COUNT(texts); i++)
        buf_release(&texts[i]);
    log_dir_remove(&d);
    case_release(&c);
}

static void test_tree(void **state)
{
    (void)state;
    static const uint64_t SIZES[CASE_TENANTS] = {3, 700, 2000};
    struct proof_case c;
    struct checkpoint_tenant room[CASE_TENANTS];
    struct diag diag = {0};
    case_init(&c, 1);
    struct checkpoint cp = case_checkpoint(&c, room, SIZES);
    struct tree_source source = case_source(&c.trees[1]);
    assert_int_equal(checkpoint_check_tree(c.hasher, &cp, 990001, &source, "d", &diag), 0);
    assert_int_equal(checkpoint_check_tree(c.hasher, &cp, 123456, &source, "d", &diag), 0);
    assert_int_equal(diag.count, 0);
    source.nodes.len = SHA256_BYTES;
    assert_int_equal(checkpoint_check_tree(c.hasher, &cp, 990001, &source, "d", &diag),
                     ERR_CORRUPT);
    case_grow(&c.trees[1], 2);
    source = case_source(&c.trees[1]);
    assert_int_equal(checkpoint_check_tree(c.hasher, &cp, 990001, &source, "d", &diag),
                     ERR_CORRUPT);
    assert_int_equal(diag.count, 2);
    diag_release(&diag);
    case_release(&c);
}

static void test_file_faults(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"ENOSPC@write=checkpoints", "EIO@sync=checkpoints"};
    for (size_t i = 0; i < COUNT(FAULTS); i++) {
        struct proof_case c;
        struct log_dir d;
        struct checkpoint_file *f = NULL;
        struct checkpoint_summary sum;
        case_init(&c, 1);
        log_dir_make(&d);
        fill(&c, &d, 1, 50, NULL);
        assert_int_equal(open_file(&f, &d, &c), 0);
        assert_int_equal(fault_set(FAULTS[i]), 0);
        assert_int_equal(append(&c, f, 80, NULL), ERR_IO);
        assert_int_equal(fault_set(NULL), 0);
        assert_int_equal(append(&c, f, 80, NULL), ERR_IO);
        checkpoint_file_close(f);
        assert_int_equal(open_file(&f, &d, &c), 0);
        assert_int_equal(append(&c, f, 150, NULL), 0);
        checkpoint_file_close(f);
        assert_int_equal(check(&c, &d, slice_of(NULL, 0), &sum), 0);
        assert_in_range(sum.count, 2, 3);
        log_dir_remove(&d);
        case_release(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_program), cmocka_unit_test(test_key_files),
        cmocka_unit_test(test_key_damage),    cmocka_unit_test(test_key_faults),
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_unsignable),
        cmocka_unit_test(test_every_flip),    cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_file),          cmocka_unit_test(test_torn),
        cmocka_unit_test(test_file_flips),    cmocka_unit_test(test_held),
        cmocka_unit_test(test_tree),          cmocka_unit_test(test_file_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
