#include "app/output_alert.h"

#include "base/err.h"
#include "base/escape.h"

static const char *text_of(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));
    return text == NULL ? "" : text;
}

static int64_t time_of(const json_t *root, const char *key)
{
    int64_t ns = CLOCK_NONE;
    const char *text = text_of(root, key);
    if (text[0] == '\0' || clock_parse(&ns, slice_from(text)) != 0)
        return CLOCK_NONE;
    return ns;
}

static enum alert_severity severity_of(const char *name)
{
    for (unsigned i = 0; i < ALERT_SEVERITY_COUNT; i++) {
        if (strcmp(alert_severity_name(i), name) == 0)
            return (enum alert_severity)i;
    }
    return ALERT_INFORMATIONAL;
}

int output_alert_read(struct output_alert *out, const struct alert_record *record)
{
    static const char HEX[] = "0123456789abcdef";
    json_t *root = json_loadb(record->line.data == NULL ? "" : record->line.data, record->line.len,
                              JSON_ALLOW_NUL, NULL);
    const json_t *evidence = json_array_get(json_object_get(root, "evidence"), 0);
    *out = (struct output_alert){
        .root = root,
        .severity = severity_of(text_of(root, "alert.severity")),
        .state = text_of(root, "alert.state"),
        .kind = text_of(root, "alert.kind"),
        .superseded_by = text_of(root, "alert.superseded_by"),
        .tenant_name = text_of(root, "sekisho.tenant.name"),
        .rule_name = text_of(root, "rule.name"),
        .message_ja = text_of(root, "message.ja"),
        .message_en = text_of(root, "message.en"),
        .action_ja = text_of(root, "action.ja"),
        .evidence = json_is_string(evidence) ? json_string_value(evidence) : "",
        .count = json_integer_value(json_object_get(root, "alert.count")),
        .first_ns = time_of(root, "alert.first"),
        .last_ns = time_of(root, "alert.last"),
    };
    for (size_t i = 0; i < ALERT_ID_BYTES; i++) {
        out->id[2 * i] = HEX[record->id.bytes[i] >> 4];
        out->id[2 * i + 1] = HEX[record->id.bytes[i] & 15];
    }
    return json_is_object(root) ? 0 : ERR_FORMAT;
}

void output_alert_release(struct output_alert *a)
{
    json_decref(a->root);
    *a = (struct output_alert){0};
}

struct slice output_text_cut(const char *text, size_t max)
{
    struct slice all = slice_from(text);
    size_t end = 0;
    while (end < all.len && end < max) {
        uint32_t point = 0;
        size_t len = escape_utf8(&point, slice_from_offset(all, end));
        len = len == 0 ? 1 : len;
        if (end + len > max)
            break;
        end += len;
    }
    return slice_of(text, end);
}
