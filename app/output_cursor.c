#include "app/output_cursor.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"

enum {
    CURSOR_BYTES_MAX = OUTPUT_STATE_BYTES_MAX + 4096,
    HEX_DIGITS = 16,
    CHECK_LINE_BYTES = 6 + HEX_DIGITS + 1, /* "check ", digits, newline */
};

#define CURSOR_MAGIC "sekisho-output 1\nstore "
/* Only damage is looked for: whoever may write the file may write what he likes. */
#define CHECK_SEED UINT64_C(0x73656b6973686f31)

static void put_check(struct buf *out)
{
    buf_printf(out, "check %016" PRIx64 "\n", hash_bytes(CHECK_SEED, out->data, out->len));
}

static bool checks(struct slice text)
{
    if (text.len < CHECK_LINE_BYTES)
        return false;
    struct buf want = {0};
    buf_slice(&want, slice_of(text.data, text.len - CHECK_LINE_BYTES));
    put_check(&want);
    bool same = buf_ok(&want) && slice_equal(buf_content(&want), text);
    buf_release(&want);
    return same;
}

/* Take a decimal number and the byte behind it. */
static bool take_number(struct slice *text, uint64_t *out, char behind)
{
    uint64_t value = 0;
    size_t i = 0;
    while (i < text->len && text->data[i] >= '0' && text->data[i] <= '9') {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text->data[i] - '0'), &value))
            return false;
        i++;
    }
    if (i == 0 || i == text->len || text->data[i] != behind)
        return false;
    *text = slice_from_offset(*text, i + 1);
    *out = value;
    return true;
}

static bool take_text(struct slice *text, struct slice want)
{
    if (!slice_starts(*text, want))
        return false;
    *text = slice_from_offset(*text, want.len);
    return true;
}

static bool take_all(struct output_cursor *out, struct slice *state, struct slice text)
{
    size_t got = 0;
    uint64_t len = 0;
    if (!checks(text) || !take_text(&text, SLICE(CURSOR_MAGIC)) ||
        text.len < (size_t)2 * STORE_ID_BYTES ||
        sodium_hex2bin(out->store_id, sizeof(out->store_id), text.data, (size_t)2 * STORE_ID_BYTES,
                       NULL, &got, NULL) != 0 ||
        got != STORE_ID_BYTES)
        return false;
    text = slice_from_offset(text, (size_t)2 * STORE_ID_BYTES);
    if (!take_text(&text, SLICE("\nnext ")) || !take_number(&text, &out->place.seq, ' ') ||
        !take_number(&text, &out->place.skip, '\n') || !take_text(&text, SLICE("state ")) ||
        !take_number(&text, &len, '\n') || len > text.len ||
        text.len - (size_t)len != CHECK_LINE_BYTES)
        return false;
    *state = slice_of(text.data, (size_t)len);
    return true;
}

int output_cursor_read(struct output_cursor *out, struct buf *state, const char *path,
                       struct diag *diag)
{
    struct buf text = {0};
    struct slice kept = {0};
    struct output_cursor cursor = {0};
    int err = file_read_all(&text, path, CURSOR_BYTES_MAX);
    if (err == 0 && !take_all(&cursor, &kept, buf_content(&text))) {
        diag_add(diag, path, 0, 0,
                 "the file is damaged: how far this output got is not known; remove it, and alerts "
                 "come again from the beginning of the log (mail and syslog: from now on)");
        err = ERR_CORRUPT;
    } else if (err != 0 && err != ERR_NOTFOUND) {
        diag_add(diag, path, 0, 0, "cannot be read: %s", err_name(err));
    }
    if (err == 0) {
        buf_slice(state, kept);
        err = buf_ok(state) ? 0 : ERR_NOMEM;
    }
    if (err == 0)
        *out = cursor;
    buf_release(&text);
    return err;
}

int output_cursor_write(const char *path, const struct output_cursor *cursor, struct slice state)
{
    char id[2 * STORE_ID_BYTES + 1];
    struct buf text = {0};
    (void)sodium_bin2hex(id, sizeof(id), cursor->store_id, STORE_ID_BYTES);
    buf_printf(&text, CURSOR_MAGIC "%s\nnext %" PRIu64 " %" PRIu64 "\nstate %zu\n", id,
               cursor->place.seq, cursor->place.skip, state.len);
    buf_slice(&text, state);
    put_check(&text);
    int err = buf_ok(&text) ? file_write_atomic(path, buf_content(&text)) : ERR_NOMEM;
    buf_release(&text);
    return err;
}
