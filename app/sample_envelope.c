#include "app/sample_envelope.h"

#include <jansson.h>
#include <string.h>

#include "app/sample_formats.h"
#include "base/err.h"

/* Where log shippers put a line: a key, or a key in an object. */
static const struct {
    const char *key;
    const char *object;
    const char *member;
} PLACES[] = {
    {"message", NULL, NULL}, {"event.original", "event", "original"},
    {"log", NULL, NULL},     {"msg", NULL, NULL},
    {"MESSAGE", NULL, NULL}, {"raw", NULL, NULL},
    {"_raw", NULL, NULL},    {"line", NULL, NULL},
    {"text", NULL, NULL},    {"body", NULL, NULL},
    {"data", NULL, NULL},
};

enum {
    PLACE_COUNT = sizeof(PLACES) / sizeof(PLACES[0]),
};

static const json_t *value_at(const json_t *root, size_t place)
{
    const json_t *value = json_object_get(root, PLACES[place].key);
    if (value != NULL || PLACES[place].object == NULL)
        return value;
    return json_object_get(json_object_get(root, PLACES[place].object), PLACES[place].member);
}

/* Add the texts of an envelope to those of their places, each as one line. */
static void texts_take(struct buf *texts, const json_t *root)
{
    for (size_t i = 0; i < PLACE_COUNT; i++) {
        const json_t *value = value_at(root, i);
        if (!json_is_string(value))
            continue;
        const char *text = json_string_value(value);
        buf_slice(&texts[i], slice_of(text, strcspn(text, "\r\n")));
        buf_byte(&texts[i], '\n');
    }
}

/* Are the texts of a place lines of one format? */
static int place_judge(struct sample_envelope *out, struct buf *texts, size_t place,
                       struct sample_reading how)
{
    struct sample inner = {0};
    struct sample_formats formats = {.certainty = FORMAT_UNKNOWN};
    how.format = FORMAT_AUTO;
    how.layout = NULL;
    int err = sample_from(&inner, texts);
    if (err == 0 && inner.count * 2 >= out->tried)
        err = sample_formats_find(&formats, &inner, &how);
    if (err == 0 && (formats.certainty == FORMAT_SURE || formats.certainty == FORMAT_LIKELY)) {
        out->key = PLACES[place].key;
        out->format = formats.name;
        out->lines = inner.count;
    }
    sample_release(&inner);
    return err;
}

int sample_envelope_find(struct sample_envelope *out, const struct sample *s,
                         const struct sample_reading *how)
{
    struct buf texts[PLACE_COUNT] = {0};
    struct sample_envelope found = {0};
    int err = 0;
    for (; found.tried < s->count && found.tried < ENVELOPE_LINES_MAX; found.tried++) {
        struct slice line = sample_text(s, found.tried);
        json_t *root = json_loadb(line.data, line.len, 0, NULL);
        texts_take(texts, root);
        json_decref(root);
    }
    for (size_t i = 0; i < PLACE_COUNT; i++) {
        if (err == 0 && found.key == NULL && texts[i].len != 0)
            err = place_judge(&found, &texts[i], i, *how);
        buf_release(&texts[i]);
    }
    if (err == 0)
        *out = found;
    return err;
}
