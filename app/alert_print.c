#include "app/alert_print.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"
#include "event/ndjson.h"

enum {
    JAPAN_MINUTES = 540,
    LINE_SHOWN_BYTES = 4000, /* of a log line; sekisho export has all of it */
    TEXT_SHOWN_BYTES = 2000,
};

enum word {
    WORD_WHAT,
    WORD_KEY,
    WORD_NUMBER,
    WORD_TECHNIQUE,
    WORD_ACTION,
    WORD_EVIDENCE,
    WORD_LINE,
    WORD_RECORD,
    WORD_ID,
    WORD_NO_LINE,
    WORD_UNKNOWN_PERSON,
    WORDS_COUNT
};

static const char *const WORDS[WORDS_COUNT][2] = {
    [WORD_WHAT] = {"what    ", "内容"},
    [WORD_KEY] = {"about   ", "対象"},
    [WORD_NUMBER] = {"because ", "根拠"},
    [WORD_TECHNIQUE] = {"ATT&CK  ", "手口"},
    [WORD_ACTION] = {"action  ", "対応"},
    [WORD_EVIDENCE] = {"evidence", "証拠"},
    [WORD_LINE] = {"line    ", "原文"},
    [WORD_RECORD] = {"record  ", "記録"},
    [WORD_ID] = {"id      ", "番号"},
    [WORD_NO_LINE] = {"(not in the log)", "(ログにありません)"},
    [WORD_UNKNOWN_PERSON] = {"(unnamed)", "(記名なし)"},
};

static const char *const SEVERITIES[ALERT_SEVERITY_COUNT] = {
    [ALERT_INFORMATIONAL] = "情報", [ALERT_LOW] = "低", [ALERT_MEDIUM] = "中", [ALERT_HIGH] = "高",
    [ALERT_CRITICAL] = "緊急",
};

static const char *word(const struct alert_print *p, enum word w)
{
    return WORDS[w][p->japanese];
}

const char *alert_print_severity(const struct alert_print *p, unsigned severity)
{
    if (severity >= ALERT_SEVERITY_COUNT)
        return "";
    return p->japanese ? SEVERITIES[severity] : alert_severity_name(severity);
}

static const char *state_word(const struct alert_print *p, const char *state)
{
    static const struct {
        const char *state;
        const char *japanese;
    } STATES[] = {
        {"open", "未対応"}, {"amended", "未対応(更新あり)"}, {"acknowledged", "確認済み"},
        {"closed", "終了"}, {"superseded", "統合済み"},
    };
    for (size_t i = 0; p->japanese && i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        if (strcmp(STATES[i].state, state) == 0)
            return STATES[i].japanese;
    }
    return state;
}

int alert_language(bool *japanese, const char *text)
{
    if (strcmp(text, "ja") != 0 && strcmp(text, "en") != 0)
        return ERR_CONF;
    *japanese = text[0] == 'j';
    return 0;
}

bool alert_language_default(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const char *value = getenv(NAMES[i]);
        if (value != NULL && value[0] != '\0')
            return strncmp(value, "ja", 2) == 0;
    }
    return false;
}

/* ------------------------------------------------------------------------------ parts */

static void put_civil(struct buf *out, const struct clock_civil *c, bool with_date)
{
    if (with_date)
        buf_printf(out, "%04d-%02d-%02d ", c->year, c->month, c->day);
    buf_printf(out, "%02d:%02d:%02d", c->hour, c->minute, c->second);
}

static struct clock_civil civil_of(const struct alert_print *p, int64_t ns)
{
    struct clock_civil c;
    clock_to_civil(&c, ns + (p->utc ? 0 : JAPAN_MINUTES * CLOCK_NS_PER_MINUTE));
    return c;
}

void alert_print_time(struct buf *out, const struct alert_print *p, int64_t ns)
{
    if (ns == CLOCK_NONE) {
        buf_byte(out, '-');
        return;
    }
    struct clock_civil c = civil_of(p, ns);
    put_civil(out, &c, true);
    buf_text(out, p->utc ? " UTC" : " JST");
}

/* First to last; the date is said once where it is the same. */
static void put_span(struct buf *out, const struct alert_print *p, int64_t first_ns,
                     int64_t last_ns)
{
    if (first_ns != CLOCK_NONE && last_ns != CLOCK_NONE &&
        first_ns / CLOCK_NS_PER_SECOND != last_ns / CLOCK_NS_PER_SECOND) {
        struct clock_civil a = civil_of(p, first_ns);
        struct clock_civil b = civil_of(p, last_ns);
        put_civil(out, &a, true);
        buf_text(out, " - ");
        put_civil(out, &b, a.year != b.year || a.month != b.month || a.day != b.day);
        buf_text(out, p->utc ? " UTC" : " JST");
        return;
    }
    alert_print_time(out, p, first_ns);
}

void alert_print_id(struct buf *out, const struct alert_id *id)
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < ALERT_ID_BYTES; i++) {
        buf_byte(out, HEX[id->bytes[i] >> 4]);
        buf_byte(out, HEX[id->bytes[i] & 15]);
    }
}

/* Quotes and backslashes harm nobody here, and log lines are full of them. */
static void put_harmless(struct buf *out, struct slice s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '"' && s.data[i] != '\\')
            continue;
        escape_text(out, slice_of(s.data + from, i - from));
        buf_byte(out, s.data[i]);
        from = i + 1;
    }
    escape_text(out, slice_from_offset(s, from));
}

static void put_safe(struct buf *out, const char *text)
{
    struct slice shown = output_text_cut(text, TEXT_SHOWN_BYTES);
    put_harmless(out, shown);
    if (shown.len != strlen(text))
        buf_text(out, "...");
}

static void begin(struct buf *out, const struct alert_print *p, enum word w)
{
    buf_printf(out, "  %s  ", word(p, w));
}

/* ------------------------------------------------------------------------------ blocks */

void alert_print_tenant(struct buf *out, const struct alert_print *p, uint32_t tenant,
                        const char *name, const struct alert_counts *counts)
{
    put_safe(out, name);
    buf_printf(out, "%s(%06" PRIu32 ")  ", name[0] == '\0' ? "" : " ", tenant);
    const char *between = "";
    for (unsigned i = ALERT_SEVERITY_COUNT; i-- > 0;) {
        if (counts->by[i] == 0)
            continue;
        if (p->japanese)
            buf_printf(out, "%s%s %zu件", between, SEVERITIES[i], counts->by[i]);
        else
            buf_printf(out, "%s%zu %s", between, counts->by[i], alert_severity_name(i));
        between = p->japanese ? "、" : ", ";
    }
    buf_text(out, "\n\n");
}

static void put_title(struct buf *out, const struct alert_print *p, const struct alert_text *t)
{
    const struct alert_entry *e = t->entry;
    buf_printf(out, "[%s] ", alert_print_severity(p, e->severity));
    if (p->name_tenant) {
        put_safe(out, t->alert->tenant_name);
        buf_printf(out, " (%06" PRIu32 ")  ", e->tenant);
    }
    put_safe(out, t->alert->rule_name[0] == '\0' ? e->kind : t->alert->rule_name);
    buf_text(out, "  ");
    put_span(out, p, e->first_ns, e->last_ns);
    const char *unit = p->japanese ? "件" : t->alert->count == 1 ? " row" : " rows";
    buf_printf(out, "  %" PRId64 "%s  %s", t->alert->count, unit,
               state_word(p, alert_entry_state(e)));
    if (alert_entry_amended_since(e))
        buf_text(out, p->japanese ? "(その後更新あり)" : " (amended since)");
    buf_byte(out, '\n');
}

static const char *member(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    return text == NULL ? "" : text;
}

static void put_texts(struct buf *out, const struct alert_print *p, const struct output_alert *a)
{
    const char *message = p->japanese ? a->message_ja : a->message_en;
    const char *action = p->japanese ? a->action_ja : member(a->root, "action.en");
    if (message[0] != '\0') {
        begin(out, p, WORD_WHAT);
        put_safe(out, message);
        buf_byte(out, '\n');
    }
    if (action[0] != '\0') {
        begin(out, p, WORD_ACTION);
        put_safe(out, action);
        buf_byte(out, '\n');
    }
}

/* ------------------------------------------------------------------------------ numbers */

bool alert_print_is_key(const char *name)
{
    static const char *const OTHERS[] = {"alert.",  "rule.",    "threat.",  "message.",
                                         "action.", "explain.", "evidence", "sekisho.tenant"};
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        if (strncmp(name, OTHERS[i], strlen(OTHERS[i])) == 0)
            return false;
    }
    return true;
}

static void put_scalar(struct buf *out, const char *name, const json_t *value)
{
    put_safe(out, name);
    buf_byte(out, '=');
    if (json_is_string(value))
        put_safe(out, json_string_value(value));
    else if (json_is_integer(value))
        buf_decimal(out, json_integer_value(value));
    else if (json_is_real(value))
        buf_printf(out, "%g", json_real_value(value));
    else
        buf_byte(out, '?');
}

/* Texts that an alert has in both languages. */
static bool is_foreign(const struct alert_print *p, const char *name)
{
    const char *other = p->japanese ? ".en" : ".ja";
    size_t len = strlen(name);
    return len > strlen(other) && strcmp(name + len - strlen(other), other) == 0;
}

/* A line of the members that begin with `start`, which is left out; of the group keys without. */
static void put_members(struct buf *out, const struct alert_print *p, enum word w, json_t *root,
                        const char *start)
{
    const char *name = NULL;
    json_t *value = NULL;
    bool any = false;
    json_object_foreach(root, name, value)
    {
        bool chosen =
            start == NULL ? alert_print_is_key(name) : strncmp(name, start, strlen(start)) == 0;
        if (!chosen || is_foreign(p, name))
            continue;
        if (!any)
            begin(out, p, w);
        else
            buf_text(out, "  ");
        any = true;
        put_scalar(out, start == NULL ? name : name + strlen(start), value);
    }
    if (any)
        buf_byte(out, '\n');
}

void alert_print_numbers(struct buf *out, const struct alert_print *p, const struct output_alert *a)
{
    const json_t *techniques = json_object_get(a->root, "threat.technique.id");
    put_members(out, p, WORD_KEY, a->root, NULL);
    put_members(out, p, WORD_NUMBER, a->root, "explain.");
    if (json_array_size(techniques) == 0)
        return;
    begin(out, p, WORD_TECHNIQUE);
    for (size_t i = 0; i < json_array_size(techniques); i++) {
        const char *id = json_string_value(json_array_get(techniques, i));
        buf_text(out, i == 0 ? "" : ", ");
        put_safe(out, id == NULL ? "" : id);
    }
    buf_byte(out, '\n');
}

/* ------------------------------------------------------------------------------ evidence */

/* The line without its end; `line` may be NULL. */
static void put_line(struct buf *out, const struct alert_print *p, const struct slice *line)
{
    begin(out, p, WORD_LINE);
    if (line == NULL || line->data == NULL) {
        buf_text(out, word(p, WORD_NO_LINE));
        buf_byte(out, '\n');
        return;
    }
    struct slice rest = *line;
    while (rest.len != 0 && (rest.data[rest.len - 1] == '\n' || rest.data[rest.len - 1] == '\r'))
        rest.len--;
    struct slice shown = rest;
    shown.len = rest.len < LINE_SHOWN_BYTES ? rest.len : LINE_SHOWN_BYTES;
    put_harmless(out, shown);
    buf_text(out, shown.len != rest.len ? "...\n" : "\n");
}

void alert_print_evidence(struct buf *out, const struct alert_print *p,
                          const struct output_alert *a, size_t at, const struct slice *line)
{
    const json_t *places = json_object_get(a->root, "evidence");
    const char *place = json_string_value(json_array_get(places, at));
    begin(out, p, WORD_EVIDENCE);
    put_safe(out, place == NULL ? "" : place);
    buf_byte(out, '\n');
    put_line(out, p, line);
}

static void put_evidence(struct buf *out, const struct alert_print *p, const struct alert_text *t)
{
    size_t count = json_array_size(json_object_get(t->alert->root, "evidence"));
    if (count == 0)
        return;
    begin(out, p, WORD_EVIDENCE);
    put_safe(out, t->alert->evidence);
    if (count > 1)
        buf_printf(out, p->japanese ? " ほか%zu件" : " and %zu more", count - 1);
    buf_byte(out, '\n');
    put_line(out, p, t->line);
}

/* ------------------------------------------------------------------------------ blocks */

static const char *deed(const struct alert_print *p, int action)
{
    static const char *const DEEDS[][2] = {
        [DETECT_SUPPRESS] = {"suppressed", "抑止"},
        [DETECT_ACK] = {"acknowledged", "確認"},
        [DETECT_CLOSE] = {"closed", "終了"},
    };
    return DEEDS[action][p->japanese];
}

void alert_print_control(struct buf *out, const struct alert_print *p,
                         const struct alert_control *c)
{
    begin(out, p, WORD_RECORD);
    alert_print_time(out, p, c->at_ns);
    buf_printf(out, " %s", deed(p, (int)c->what.action));
    if (c->what.action == DETECT_SUPPRESS) {
        buf_text(out, p->japanese ? "(" : " until ");
        alert_print_time(out, p, c->what.until_ns);
        buf_text(out, p->japanese ? " まで)" : "");
    }
    buf_text(out, p->japanese ? " " : " by ");
    put_safe(out, c->by[0] == '\0' ? word(p, WORD_UNKNOWN_PERSON) : c->by);
    buf_text(out, ": ");
    put_safe(out, c->what.reason);
    buf_byte(out, '\n');
}

void alert_print_head(struct buf *out, const struct alert_print *p, const struct alert_text *t)
{
    put_title(out, p, t);
    put_texts(out, p, t->alert);
}

void alert_print_tail(struct buf *out, const struct alert_print *p, const struct alert_entry *e)
{
    begin(out, p, WORD_ID);
    alert_print_id(out, &e->id);
    buf_printf(out, p->japanese ? " (第%" PRIu32 "版)\n\n" : " (revision %" PRIu32 ")\n\n",
               e->revision);
}

void alert_print_block(struct buf *out, const struct alert_print *p, const struct alert_text *t)
{
    alert_print_head(out, p, t);
    put_evidence(out, p, t);
    if (t->control != NULL)
        alert_print_control(out, p, t->control);
    alert_print_tail(out, p, t->entry);
}

/* ------------------------------------------------------------------------------ suppressions */

void alert_print_suppressions_head(struct buf *out, const struct alert_print *p)
{
    buf_text(out, p->japanese ? "自治体    種別        対象                              期限"
                                "                     担当者: 理由\n"
                              : "tenant    kind        key                               until"
                                "                    by: reason\n");
}

void alert_print_suppression(struct buf *out, const struct alert_print *p,
                             const struct alert_control *c)
{
    struct buf key = {0};
    const struct detect_control *w = &c->what;
    if (w->tenant == 0)
        buf_text(out, "*         ");
    else
        buf_printf(out, "%06" PRIu32 "    ", w->tenant);
    if (w->kind[0] == '\0' && w->key[0] == '\0' && w->by_id)
        alert_print_id(&key, &w->id);
    else if (w->key[0] == '\0')
        buf_byte(&key, '*');
    else
        put_safe(&key, w->key);
    struct buf kind = {0};
    put_safe(&kind, w->kind[0] == '\0' ? "*" : w->kind);
    buf_printf(out, "%-10s  %-32s  ", buf_string(&kind), buf_string(&key));
    alert_print_time(out, p, w->until_ns);
    buf_text(out, "  ");
    put_safe(out, c->by[0] == '\0' ? word(p, WORD_UNKNOWN_PERSON) : c->by);
    buf_text(out, ": ");
    put_safe(out, w->reason);
    buf_byte(out, '\n');
    buf_release(&kind);
    buf_release(&key);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    buf_printf(out, ",\"%s\":", name);
    ndjson_string(out, slice_from(text));
}

static void put_time_member(struct buf *out, const char *name, int64_t ns)
{
    if (ns == CLOCK_NONE)
        return;
    buf_printf(out, ",\"%s\":\"", name);
    clock_print(out, ns);
    buf_byte(out, '"');
}

void alert_print_suppression_json(struct buf *out, const struct alert_control *c)
{
    const struct detect_control *w = &c->what;
    buf_text(out, "{\"action\":\"suppress\"");
    if (w->by_id) {
        buf_text(out, ",\"id\":\"");
        alert_print_id(out, &w->id);
        buf_byte(out, '"');
    }
    if (w->tenant != 0)
        buf_printf(out, ",\"tenant\":\"%06" PRIu32 "\"", w->tenant);
    put_member(out, "kind", w->kind);
    put_member(out, "key", w->key);
    put_time_member(out, "until", w->until_ns);
    put_member(out, "reason", w->reason);
    put_member(out, "by", c->by);
    put_time_member(out, "at", c->at_ns);
    buf_text(out, "}\n");
}
