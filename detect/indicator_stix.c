/*
 * detect/indicator_stix.c - STIX 2.1: the indicators of a bundle.
 *
 *   {"type": "bundle", "objects": [{"type": "indicator", "pattern_type": "stix", "pattern": "[...]"}, ...]}
 *
 * An envelope of TAXII 2.1 ({"objects": [...]}) is read alike.
 */
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "detect/indicator_feed.h"

int indicator_stix_open(struct indicator_feed *f, struct diag *diag)
{
    struct slice key;
    struct slice value;
    bool bundle = false;
    if (json_walk_peek(&f->walk) == '{') {
        json_walk_enter(&f->walk);
        while (json_walk_key(&f->walk, &key)) {
            if (slice_equal(key, SLICE("objects")) && json_walk_peek(&f->walk) == '[') {
                json_walk_enter(&f->walk);
                f->depth = 1;
                return stix_versions_read(&f->versions, &f->walk);
            }
            json_walk_value(&f->walk, &value, NULL);
            bundle = bundle ||
                     (slice_equal(key, SLICE("type")) && slice_equal(value, SLICE("\"bundle\"")));
        }
    }
    if (bundle)
        return 0; /* an empty one */
    diag_add(diag, f->source->path, 1, 1,
             "no STIX bundle: no \"objects\" in it; is its format another one (misp)?");
    return ERR_CONF;
}

/* valid_until, where there is one. */
static const char *read_expiry(int64_t *out, const json_t *element)
{
    struct slice text = feed_text(element, "valid_until");
    int64_t until = 0;
    if (json_object_get(element, "valid_until") == NULL)
        return NULL;
    if (clock_parse(&until, text) != 0)
        return "its valid_until is no time (2026-11-21T10:00:00Z)";
    int64_t from = 0;
    text = feed_text(element, "valid_from");
    if (text.len != 0 && (clock_parse(&from, text) != 0 || from >= until))
        return "its valid_from is no time before its valid_until";
    *out = until;
    return NULL;
}

/* One alternative of the pattern at hand. */
static void take_alternative(struct indicator_feed *f, struct indicator_entry *out)
{
    static const enum indicator_type TYPE_OF[] = {
        [STIX_ADDRESS] = INDICATOR_TYPE_ADDRESS,  [STIX_DOMAIN] = INDICATOR_TYPE_DOMAIN,
        [STIX_URL] = INDICATOR_TYPE_URL,          [STIX_AGENT] = INDICATOR_TYPE_AGENT,
        [STIX_DESTINATION] = INDICATOR_TYPE_AUTO,
    };
    const struct stix_alternative *a = &f->pattern.items[f->next++];
    struct slice text = stix_pattern_text(&f->pattern, a);
    if (a->kind == STIX_UNSUPPORTED) {
        feed_unused(f, out, text);
        return;
    }
    feed_entry(f, out);
    out->fault = read_expiry(&out->expires_ns, f->element);
    out->type = TYPE_OF[a->kind];
    const char *why = feed_value(&f->text, text);
    out->fault = out->fault == NULL ? why : out->fault;
    out->text = buf_content(&f->text);
    if (a->port != 0 && out->fault == NULL)
        feed_port(f, out, a->port);
}

/* What kind of object that is not one of ours. */
static void say_other(struct indicator_feed *f, struct slice type, struct indicator_entry *out)
{
    if (type.len == 0)
        feed_fault(f, out, "an object without a type");
    else
        feed_unused(f, out, type);
}

/* Read an object's pattern. True when *out is to be told instead of its alternatives. */
static bool read_indicator(struct indicator_feed *f, struct indicator_entry *out)
{
    struct slice type = feed_text(f->element, "type");
    struct slice language = feed_text(f->element, "pattern_type");
    struct slice pattern = feed_text(f->element, "pattern");
    feed_id(f, feed_text(f->element, "id"));
    if (!slice_equal(type, SLICE("indicator"))) {
        say_other(f, type, out);
    } else if (stix_versions_is_old(&f->versions, feed_text(f->element, "id"),
                                    feed_text(f->element, "modified"))) {
        feed_unused(f, out, SLICE("older version"));
    } else if (json_is_true(json_object_get(f->element, "revoked"))) {
        feed_unused(f, out, SLICE("revoked"));
    } else if (language.len != 0 && !slice_equal(language, SLICE("stix"))) {
        struct buf what = {0};
        buf_text(&what, "pattern_type ");
        buf_append(&what, language.data, language.len < 40 ? language.len : 40);
        feed_unused(f, out, buf_content(&what));
        buf_release(&what);
    } else {
        const char *why = pattern.len == 0 ? "an indicator without a pattern"
                                           : stix_pattern_read(&f->pattern, pattern);
        if (why == NULL)
            return false;
        buf_reset(&f->said);
        buf_printf(&f->said, "%s (byte %zu of it)", why, f->pattern.fault_at);
        feed_fault(f, out, pattern.len == 0 ? why : buf_string(&f->said));
    }
    return true;
}

bool indicator_stix_next(struct indicator_feed *f, struct indicator_entry *out)
{
    for (;;) {
        if (f->next < f->pattern.count) {
            take_alternative(f, out);
            return true;
        }
        if (f->depth == 0)
            return false;
        if (!json_walk_item(&f->walk)) {
            f->depth = 0;
            return false;
        }
        f->pattern.count = 0;
        f->next = 0;
        const char *why = feed_take(f);
        if (why == NULL && !json_is_object(f->element))
            why = "no object where one of STIX should be";
        if (why != NULL) {
            feed_fault(f, out, why);
            return true;
        }
        if (read_indicator(f, out))
            return true;
    }
}
