/*
 * tests/fuzz/fuzz_builder.c - any lines with any slots: what the batch and the codec give back are
 * the lines' bytes. The input is a list of lines, each with a description of its slots:
 *
 *   u8 slots, per slot {u8 gap, u8 length, u8 field, u8 kind}, u8 line length, the line
 */
#include <assert.h>
#include <stdlib.h>

#include "event/builder.h"
#include "store/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ROWS_MAX = 64,
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t next(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static uint16_t field_of(uint8_t byte)
{
    static const uint16_t FIELDS[] = {
        FIELD_SOURCE_IP, FIELD_SOURCE_PORT, FIELD_TIME_EPOCH, FIELD_EVENT_ACTION, FIELD_URL_DOMAIN,
        FIELD_UNNAMED,   FIELD_COLUMN(3),   FIELD_NONE,       FIELD_URL_PATH,     FIELD_HTTP_STATUS,
    };
    return FIELDS[byte % (sizeof(FIELDS) / sizeof(FIELDS[0]))];
}

static void read_slots(struct input *in, struct slots *slots)
{
    uint32_t at = 0;
    slots->count = 0;
    for (uint8_t i = next(in) % 12; i > 0; i--) {
        at += next(in) % 16;
        uint32_t length = next(in) % 24;
        uint16_t field = field_of(next(in));
        (void)slots_add(slots, at, length, field, next(in) % (SLOT_KIND_COUNT + 1));
        at += length;
    }
}

static void check_same(const struct batch *b, const struct batch *back)
{
    struct buf left = {0};
    struct buf right = {0};
    for (uint32_t row = 0; row < b->row_count; row++) {
        buf_reset(&left);
        buf_reset(&right);
        int first = batch_render(b, row, &left);
        int second = batch_render(back, row, &right);
        if (first != 0 || second != 0 || !slice_equal(buf_content(&left), buf_content(&right)))
            abort();
    }
    buf_release(&left);
    buf_release(&right);
}

static void round_trip(struct codec *codec, const struct batch *b)
{
    struct batch *back = batch_new();
    struct buf blob = {0};
    struct batch_head head;
    if (back == NULL || codec_encode(codec, b, &blob) != 0 ||
        codec_head(&head, buf_content(&blob)) != 0 || codec_texts(codec, &head, back) != 0 ||
        codec_rows(codec, &head, back, NULL) != 0)
        abort();
    check_same(b, back);
    batch_free(back);
    buf_release(&blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.at = data, .left = size};
    struct codec *codec = codec_new(1);
    struct batch *b = batch_new();
    static struct slots slots;
    assert(codec != NULL && b != NULL);
    b->topic = SLICE("file");
    while (in.left != 0 && b->row_count < ROWS_MAX) {
        read_slots(&in, &slots);
        size_t len = next(&in);
        if (len > in.left)
            len = in.left;
        struct row row = {.bytes = slice_of(in.at, len),
                          .slots = &slots,
                          .reason = next(&in) % 7 == 0 ? REASON_FORMAT_MISMATCH : REASON_NONE,
                          .offset = b->row_count};
        row.bytes.len = len > in.left ? in.left : len;
        row.bytes.data = (const void *)in.at;
        if (batch_append(b, &row) != 0)
            abort();
        in.at += row.bytes.len;
        in.left -= row.bytes.len;
    }
    if (b->row_count != 0)
        round_trip(codec, b);
    batch_free(b);
    codec_free(codec);
    return 0;
}
