/* tests/fuzz/fuzz_codec.c - any bytes as a pack of batches: refused or read, never a crash. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "store/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CHECKSUM_AT = 8,
    CHECKED_FROM = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codec *codec = codec_new(1);
    struct batch *b = batch_new();
    struct buf blob = {0};
    struct buf line = {0};
    struct pack_view view;
    struct batch_head head;
    buf_append(&blob, data, size);
    /* With the right checksum, so that what lies behind it is reached. */
    if (size > CHECKED_FROM)
        bytes_put64(blob.data + CHECKSUM_AT,
                    hash_slice(bytes_get16(blob.data + 6),
                               slice_from_offset(buf_content(&blob), CHECKED_FROM)));
    int status = codec == NULL || b == NULL ? -1 : pack_open(&view, buf_content(&blob));
    while (status == 0 && (status = pack_next(&view, &head)) == 0) {
        batch_reset(b);
        if (codec_texts(codec, &head, b) != 0 || codec_rows(codec, &head, b, NULL) != 0)
            continue;
        for (uint32_t row = 0; row < b->row_count; row++) {
            buf_reset(&line);
            (void)batch_render(b, row, &line);
        }
    }
    buf_release(&blob);
    buf_release(&line);
    batch_free(b);
    codec_free(codec);
    return 0;
}
