#include "ingest/encoding.h"

static bool is_text(uint16_t field)
{
    const struct field_info *info = field < FIELD_LOCAL_FIRST ? field_info(field) : NULL;
    return info == NULL || info->type == FIELD_TYPE_TEXT;
}

void encoding_mark(struct slots *slots, struct slice line, enum charset setting)
{
    if (setting == CHARSET_UTF8 || slots->count == 0 || charset_is_ascii(line))
        return;
    enum charset charset = setting == CHARSET_AUTO ? charset_guess(line) : setting;
    for (uint32_t i = 0; charset != CHARSET_UTF8 && i < slots->count; i++) {
        struct slot *slot = &slots->items[i];
        if (!slot_kind_takes_charset(slot->kind) || !is_text(slot->field))
            continue;
        if (setting == CHARSET_AUTO &&
            charset_is_utf8(slice_of(line.data + slot->offset, slot->length)))
            continue;
        slot->kind |= (uint8_t)(charset << SLOT_CHARSET_SHIFT);
    }
}
