#include "store/frame.h"
#include "tests/store/log_dir.h"

static const struct frame_link FIRST_LINK = {.epoch = 7, .seq = 42, .prev_hash = {{1, 2, 3}}};

static const struct frame_range FW_RANGES[] = {
    {FRAME_RANGE_DATA, 10, 20, {NULL, 0}},
    {FRAME_RANGE_GAP, 20, 22, {"transaction mark", 16}},
    {FRAME_RANGE_QUARANTINE, 22, 23, {"bad crc", 7}},
    {FRAME_RANGE_LOST, 23, 90, {"retention", 9}},
};
static const struct frame_range PROXY_RANGES[] = {{FRAME_RANGE_DATA, 0, 1, {NULL, 0}}};

/* Everything a frame may hold. */
static void encode_rich(struct buf *out, struct sha256 *hash)
{
    const struct frame_entry entries[] = {
        {SLICE("seclog.raw.990001.fw1"), 3, 10, 90, FW_RANGES, COUNT(FW_RANGES)},
        {SLICE("seclog.raw.990002.proxy"), 0, 0, 1, PROXY_RANGES, 1},
    };
    const struct frame_env envs[] = {{SLICE("rules"), {{9, 8}}, 77}};
    const struct frame_watermark marks[] = {{990001, -5}, {990002, INT64_MAX}};
    const struct slice batches[] = {SLICE("first batch"), SLICE(""), SLICE("third")};
    const struct frame_parts parts = {
        .tick_ns = 123456789,
        .flags = FRAME_FLAG_TICK_GAP,
        .entries = entries,
        .entry_count = COUNT(entries),
        .envs = envs,
        .env_count = COUNT(envs),
        .watermarks = marks,
        .watermark_count = COUNT(marks),
        .batches = batches,
        .batch_count = COUNT(batches),
    };
    assert_int_equal(frame_encode(out, hash, &parts, &FIRST_LINK), 0);
}

static void check_entries(const struct frame_view *view)
{
    struct frame_items entries = view->entries;
    struct frame_entry_view entry;
    struct frame_range range;
    assert_true(frame_next_entry(&entry, &entries));
    assert_true(slice_equal(entry.topic, SLICE("seclog.raw.990001.fw1")));
    assert_int_equal(entry.partition, 3);
    assert_int_equal(entry.off_start, 10);
    assert_int_equal(entry.off_end, 90);
    for (size_t i = 0; i < COUNT(FW_RANGES); i++) {
        assert_true(frame_next_range(&range, &entry.ranges));
        assert_int_equal(range.kind, FW_RANGES[i].kind);
        assert_int_equal(range.start, FW_RANGES[i].start);
        assert_int_equal(range.end, FW_RANGES[i].end);
        assert_true(slice_equal(range.reason, FW_RANGES[i].reason));
    }
    assert_false(frame_next_range(&range, &entry.ranges));
    assert_true(frame_next_entry(&entry, &entries));
    assert_true(slice_equal(entry.topic, SLICE("seclog.raw.990002.proxy")));
    assert_false(frame_next_entry(&entry, &entries));
}

static void round_trip(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct sha256 hash;
    struct frame_view view;
    struct frame_env env;
    struct frame_watermark mark;
    struct slice batch;
    const char *why = NULL;
    encode_rich(&bytes, &hash);
    buf_text(&bytes, "what follows is another frame's");
    assert_int_equal(frame_decode(&view, buf_content(&bytes), true, &why), 0);
    assert_int_equal(view.link.epoch, 7);
    assert_int_equal(view.link.seq, 42);
    assert_true(sha256_equal(&view.link.prev_hash, &FIRST_LINK.prev_hash));
    assert_true(sha256_equal(&view.hash, &hash));
    assert_int_equal(view.tick_ns, 123456789);
    assert_int_equal(view.flags, FRAME_FLAG_TICK_GAP);
    check_entries(&view);
    assert_true(frame_next_env(&env, &view.envs));
    assert_true(slice_equal(env.name, SLICE("rules")));
    assert_int_equal(env.sha256.bytes[1], 8);
    assert_int_equal(env.bytes, 77);
    assert_false(frame_next_env(&env, &view.envs));
    assert_true(frame_next_watermark(&mark, &view.watermarks));
    assert_int_equal(mark.time_ns, -5);
    assert_true(frame_next_watermark(&mark, &view.watermarks));
    assert_int_equal(mark.tenant, 990002);
    assert_int_equal(view.batches.left, 3);
    assert_true(frame_next_blob(&batch, &view.batches));
    assert_true(slice_equal(batch, SLICE("first batch")));
    assert_true(frame_next_blob(&batch, &view.batches));
    assert_int_equal(batch.len, 0);
    assert_true(frame_next_blob(&batch, &view.batches));
    assert_false(frame_next_blob(&batch, &view.batches));
    buf_release(&bytes);
}

static void empty_frame_is_the_smallest(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct sha256 hash;
    struct frame_view view;
    const char *why = NULL;
    const struct frame_parts parts = {.tick_ns = 5};
    assert_int_equal(frame_encode(&bytes, &hash, &parts, &FIRST_LINK), 0);
    assert_int_equal(bytes.len, FRAME_BYTES_MIN);
    assert_int_equal(frame_decode(&view, buf_content(&bytes), true, &why), 0);
    assert_int_equal(view.entries.left + view.batches.left, 0);
    buf_release(&bytes);
}

static void every_length_is_incomplete(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct sha256 hash;
    struct frame_view view;
    const char *why = NULL;
    encode_rich(&bytes, &hash);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(frame_decode(&view, slice_of(bytes.data, len), true, &why), ERR_AGAIN);
    buf_release(&bytes);
}

static void every_bit_counts(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct sha256 hash;
    struct frame_view view;
    encode_rich(&bytes, &hash);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        const char *why = NULL;
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
        int err = frame_decode(&view, buf_content(&bytes), true, &why);
        assert_true(err == ERR_CORRUPT || err == ERR_AGAIN);
        assert_non_null(why);
        /* Without the hash any outcome but a crash is fine; what passes can be walked. */
        if (frame_decode(&view, buf_content(&bytes), false, &why) == 0) {
            struct slice batch;
            while (frame_next_blob(&batch, &view.batches))
                assert_true(batch.len <= bytes.len);
        }
        bytes.data[bit / 8] = (char)(bytes.data[bit / 8] ^ 1 << bit % 8);
    }
    buf_release(&bytes);
}

/* An empty frame with one more section, its hash made right. */
static int decode_with_section(uint32_t type, struct slice content, struct frame_view *view)
{
    static struct buf bytes;
    struct sha256 hash;
    const char *why = NULL;
    const struct frame_parts parts = {0};
    buf_reset(&bytes);
    assert_int_equal(frame_encode(&bytes, &hash, &parts, &FIRST_LINK), 0);
    bytes.len -= SHA256_BYTES;
    buf_put32(&bytes, type);
    buf_put64(&bytes, content.len);
    buf_slice(&bytes, content);
    bytes_put64(bytes.data + 40, FRAME_SECTION_HEADER_BYTES + content.len);
    assert_int_equal(sha256_of(&hash, buf_content(&bytes)), 0);
    buf_append(&bytes, hash.bytes, SHA256_BYTES);
    return frame_decode(view, buf_content(&bytes), true, &why);
}

static void unknown_sections(void **state)
{
    (void)state;
    struct frame_view view;
    assert_int_equal(decode_with_section(1000, SLICE("skip me"), &view), 0);
    assert_int_equal(view.skipped, 1);
    assert_int_equal(decode_with_section(FRAME_SECTION_REQUIRED | 1000, SLICE("read me"), &view),
                     ERR_FORMAT);
    assert_int_equal(decode_with_section(FRAME_SECTION_ALERTS, SLICE(""), &view), ERR_FORMAT);
    /* A section number belongs to one type, with or without the bit. */
    assert_int_equal(decode_with_section(0, SLICE(""), &view), ERR_FORMAT);
}

static void malformed_sections(void **state)
{
    (void)state;
    struct frame_view view;
    static const struct {
        uint32_t type;
        const char *bytes;
        size_t len;
    } CASES[] = {
        {FRAME_SECTION_PARTITIONS, "", 0},
        {FRAME_SECTION_PARTITIONS, "\1\0\0\0", 4},
        {FRAME_SECTION_PARTITIONS, "\0\0\0\0more", 8},
        {FRAME_SECTION_PARTITIONS, "\377\377\377\377", 4},
        {FRAME_SECTION_ENVIRONMENT, "\1\0\0\0\0\0", 6},
        {FRAME_SECTION_WATERMARKS, "\2\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0", 16},
        {FRAME_SECTION_BATCHES, "\1\0\0\0\377\377\377\377\377\377\377\377", 12},
        {FRAME_SECTION_BATCHES, "\1\0\0\0\5\0\0\0\0\0\0\0four", 16},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct slice content = slice_of(CASES[i].bytes, CASES[i].len);
        assert_int_equal(decode_with_section(CASES[i].type, content, &view), ERR_FORMAT);
    }
}

static int encode_entry(const struct frame_entry *entry)
{
    struct buf bytes = {0};
    struct sha256 hash;
    const struct frame_parts parts = {.entries = entry, .entry_count = 1};
    int err = frame_encode(&bytes, &hash, &parts, &FIRST_LINK);
    assert_true(err == 0 || bytes.len == 0);
    buf_release(&bytes);
    return err;
}

static void entries_outside_the_limits(void **state)
{
    (void)state;
    char topic[FRAME_TOPIC_BYTES_MAX + 1];
    memset(topic, 't', sizeof(topic));
    const struct frame_range data = {FRAME_RANGE_DATA, 5, 9, {NULL, 0}};
    const struct frame_range reasoned = {FRAME_RANGE_DATA, 5, 9, SLICE("why")};
    const struct frame_range mute = {FRAME_RANGE_LOST, 5, 9, {NULL, 0}};
    const struct frame_range strange = {FRAME_RANGE_KIND_COUNT, 5, 9, SLICE("why")};
    const struct frame_range overlap[] = {data, {FRAME_RANGE_DATA, 8, 10, {NULL, 0}}};
    const struct frame_range hole[] = {data, {FRAME_RANGE_DATA, 10, 12, {NULL, 0}}};
    const struct slice t = SLICE("t");
    const struct frame_entry cases[] = {
        {{NULL, 0}, 0, 5, 9, &data, 1}, {slice_of(topic, sizeof(topic)), 0, 5, 9, &data, 1},
        {t, -1, 5, 9, &data, 1},        {t, 0, 5, 10, &data, 1},
        {t, 0, 4, 9, &data, 1},         {t, 0, 5, 9, &data, 0},
        {t, 0, 5, 9, &reasoned, 1},     {t, 0, 5, 9, &mute, 1},
        {t, 0, 5, 9, &strange, 1},      {t, 0, 5, 10, overlap, 2},
        {t, 0, 5, 12, hole, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(encode_entry(&cases[i]), ERR_RANGE);
    const struct frame_entry longest = {slice_of(topic, sizeof(topic) - 1), 0, 5, 9, &data, 1};
    assert_int_equal(encode_entry(&longest), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(empty_frame_is_the_smallest),
        cmocka_unit_test(every_length_is_incomplete),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(unknown_sections),
        cmocka_unit_test(malformed_sections),
        cmocka_unit_test(entries_outside_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
