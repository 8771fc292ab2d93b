#include "app/output_mail_text.h"

#include <inttypes.h>
#include <sodium.h>

#include "base/escape.h"

enum {
    ADDRESS_BYTES_MAX = 254,
    WORD_BYTES_MAX =
        42, /* of text in an encoded word: 56 characters of base64, 75 in all with its frame */
    BASE64_LINE_BYTES = 57, /* make 76 characters */
    JAPAN_MINUTES = 540,
    WEEK_DAYS = 7,
    EPOCH_WEEK_DAY = 4, /* 1970-01-01 was a Thursday */
    ID_BYTES = 16,
    DAY_SECONDS = 86400,
};

static const char *const SEVERITIES[ALERT_SEVERITY_COUNT] = {
    [ALERT_INFORMATIONAL] = "情報", [ALERT_LOW] = "低", [ALERT_MEDIUM] = "中", [ALERT_HIGH] = "高",
    [ALERT_CRITICAL] = "緊急",
};

bool mail_address_valid(const char *text)
{
    static const char ATOM[] = "!#$%&'*+-/=?^_`{|}~.";
    const char *at = strchr(text, '@');
    if (at == NULL || at == text || at[1] == '\0' || strlen(text) > ADDRESS_BYTES_MAX)
        return false;
    for (const char *p = text; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                      (*p >= '0' && *p <= '9') || *p == '-' || *p == '.';
        if (p != at && !letter && (p > at || strchr(ATOM, *p) == NULL))
            return false;
    }
    return true;
}

static void put_base64(struct buf *out, const char *bytes, size_t len)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)(uint8_t)bytes[i] << 16;
        group |= i + 1 < len ? (uint32_t)(uint8_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < len ? (uint32_t)(uint8_t)bytes[i + 2] : 0;
        buf_byte(out, DIGITS[group >> 18]);
        buf_byte(out, DIGITS[(group >> 12) & 63]);
        buf_append(out, i + 1 < len ? &DIGITS[(group >> 6) & 63] : "=", 1);
        buf_append(out, i + 2 < len ? &DIGITS[group & 63] : "=", 1);
    }
}

void mail_put_base64(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i += BASE64_LINE_BYTES) {
        size_t left = bytes.len - i;
        put_base64(out, bytes.data + i, left < BASE64_LINE_BYTES ? left : BASE64_LINE_BYTES);
        buf_text(out, "\r\n");
    }
}

static bool plain_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] == 127)
            return false;
    }
    /* What looks like an encoded word is encoded, too. */
    return memmem(text.data == NULL ? "" : text.data, text.len, "=?", 2) == NULL &&
           text.len <= (size_t)WORD_BYTES_MAX;
}

void mail_put_header(struct buf *out, const char *name, struct slice text)
{
    struct buf safe = {0};
    escape_text(&safe, text);
    buf_printf(out, "%s: ", name);
    if (plain_ascii(buf_content(&safe))) {
        buf_slice(out, buf_content(&safe));
    } else {
        const char *rest = buf_string(&safe);
        while (*rest != '\0') {
            struct slice word = output_text_cut(rest, WORD_BYTES_MAX);
            buf_text(out, rest == safe.data ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
            put_base64(out, word.data, word.len);
            buf_text(out, "?=");
            rest += word.len;
        }
    }
    buf_text(out, "\r\n");
    buf_release(&safe);
}

static void put_addresses(struct buf *out, const char *name, const char *const *list, size_t count)
{
    if (count == 0)
        return;
    buf_printf(out, "%s: ", name);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : ",\r\n ", list[i]);
    buf_text(out, "\r\n");
}

void mail_put_date(struct buf *out, int64_t ns)
{
    static const char *const DAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct clock_civil c;
    int64_t local_ns = ns + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE;
    clock_to_civil(&c, local_ns);
    int64_t day = clock_days(c.year, c.month, c.day);
    buf_printf(out, "%s, %d %s %d %02d:%02d:%02d +0900", DAYS[(day + EPOCH_WEEK_DAY) % WEEK_DAYS],
               c.day, MONTHS[c.month - 1], c.year, c.hour, c.minute, c.second);
}

/* Text of an alert on one line: no control characters, no link that a reader could follow. */
static void put_line(struct buf *out, const char *text)
{
    struct buf safe = {0};
    escape_text(&safe, slice_from(text));
    const char *rest = buf_string(&safe);
    for (const char *link = strstr(rest, "://"); link != NULL; link = strstr(rest, "://")) {
        buf_append(out, rest, (size_t)(link - rest));
        buf_text(out, "[:]//");
        rest = link + 3;
    }
    buf_text(out, rest);
    buf_release(&safe);
}

static void put_time(struct buf *out, int64_t ns)
{
    struct clock_civil c;
    if (ns == CLOCK_NONE) {
        buf_text(out, "-");
        return;
    }
    clock_to_civil(&c, ns + JAPAN_MINUTES * CLOCK_NS_PER_MINUTE);
    buf_printf(out, "%d年%d月%d日 %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute,
               c.second);
}

static void put_field(struct buf *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    buf_printf(out, "   %s: ", name);
    put_line(out, text);
    buf_text(out, "\r\n");
}

static void put_item(struct buf *out, size_t number, const struct mail_item *item)
{
    buf_printf(out, "%zu. [%s] ", number, SEVERITIES[item->severity]);
    put_line(out, item->name[0] != '\0' ? item->name : item->kind);
    buf_text(out, "\r\n   日時: ");
    put_time(out, item->first_ns);
    if (item->last_ns != item->first_ns) {
        buf_text(out, " から ");
        put_time(out, item->last_ns);
        buf_text(out, " まで");
    }
    if (item->count > 0)
        buf_printf(out, " (%" PRId64 " 件の通信)", item->count);
    buf_text(out, "\r\n");
    put_field(out, "内容", item->message);
    put_field(out, "対応", item->action);
    put_field(out, "検知", item->kind);
    put_field(out, "根拠のログ", item->evidence);
    put_field(out, "番号", item->id);
    buf_text(out, "\r\n");
}

struct counts {
    int64_t by[ALERT_SEVERITY_COUNT];
    int64_t all;
};

static struct counts count_pending(const struct mail_tenant *t, bool listed)
{
    struct counts c = {.all = 0};
    for (size_t i = 0; i < ALERT_SEVERITY_COUNT; i++)
        c.by[i] = t->more[i];
    for (size_t i = 0; listed && i < t->item_count; i++)
        c.by[t->items[i].severity]++;
    for (size_t i = 0; i < ALERT_SEVERITY_COUNT; i++)
        c.all += c.by[i];
    return c;
}

/* "緊急 1 件、高 2 件" */
static void put_counts(struct buf *out, const struct counts *c)
{
    bool first = true;
    for (size_t i = ALERT_SEVERITY_COUNT; i-- > 0;) {
        if (c->by[i] == 0)
            continue;
        buf_printf(out, "%s%s %" PRId64 " 件", first ? "" : "、", SEVERITIES[i], c->by[i]);
        first = false;
    }
}

static void put_name(struct buf *out, const struct mail_tenant *t)
{
    if (t->name[0] != '\0')
        put_line(out, t->name);
    else
        buf_printf(out, "団体コード %06" PRIu32, t->tenant);
}

static void put_alerts(struct buf *out, const struct mail_tenant *t)
{
    struct counts all = count_pending(t, true);
    struct counts rest = count_pending(t, false);
    buf_printf(out, "不正な通信の疑いを %" PRId64 " 件検知しました (", all.all);
    put_counts(out, &all);
    buf_text(out, ")。\r\n重大なものから順に記します。\r\n\r\n");
    for (size_t i = 0; i < t->item_count; i++)
        put_item(out, i + 1, &t->items[i]);
    if (rest.all != 0) {
        buf_printf(out, "このほかに %" PRId64 " 件あります (", rest.all);
        put_counts(out, &rest);
        buf_text(out, ")。\r\n");
    }
    if (t->updates != 0)
        buf_printf(out, "すでにお知らせした検知の続報が %" PRId64 " 件あります。\r\n", t->updates);
}

static void put_summary(struct buf *out, const struct mail_tenant *t)
{
    buf_text(out, "前日までに検知した、重大度の低いものの件数です。至急の対応は必要ありません。"
                  "\r\n\r\n");
    for (size_t i = 0; i < t->kind_count; i++) {
        buf_text(out, "   ");
        put_line(out, t->kinds[i].kind[0] != '\0' ? t->kinds[i].kind : "-");
        buf_printf(out, ": %" PRId64 " 件\r\n", t->kinds[i].count);
    }
}

static void put_body(struct buf *out, const struct mail_tenant *t, enum mail_due what)
{
    put_name(out, t);
    buf_text(out, " 情報セキュリティご担当者様\r\n\r\n");
    if (what == MAIL_SUMMARY)
        put_summary(out, t);
    else
        put_alerts(out, t);
    buf_printf(out,
               "\r\nすべての検知と根拠のログは、次のコマンドで確認できます。\r\n"
               "   sekisho alerts --data DIR --tenant %06" PRIu32 "\r\n\r\n"
               "このメールは自動で送信しています。\r\n",
               t->tenant);
}

static void put_subject(struct buf *out, const struct mail_tenant *t, enum mail_due what)
{
    struct buf text = {0};
    struct counts all = count_pending(t, true);
    put_name(&text, t);
    if (what == MAIL_SUMMARY) {
        buf_text(&text, ": 重大度の低い検知の一日のまとめ");
    } else {
        buf_printf(&text, ": 不正な通信の疑い %" PRId64 " 件 (", all.all);
        put_counts(&text, &all);
        buf_text(&text, ")");
    }
    mail_put_header(out, "Subject", buf_content(&text));
    buf_release(&text);
}

/* The same content has the same id, so that a mail that comes twice can be known. */
static void put_message_id(struct buf *out, const char *from, struct slice body, int64_t day)
{
    unsigned char hash[ID_BYTES];
    char text[2 * ID_BYTES + 1];
    const unsigned char *bytes = (const void *)body.data;
    (void)crypto_generichash(hash, sizeof(hash), bytes, body.len, NULL, 0);
    (void)sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
    buf_printf(out, "Message-ID: <%s.%" PRId64 "@%s>\r\n", text, day, strchr(from, '@') + 1);
}

void mail_print(struct buf *out, const struct mail_envelope *envelope, const struct mail_tenant *t,
                enum mail_due what)
{
    struct buf body = {0};
    put_body(&body, t, what);
    buf_text(out, "Date: ");
    mail_put_date(out, envelope->date_ns);
    buf_printf(out, "\r\nFrom: %s\r\n", envelope->from);
    put_addresses(out, "To", envelope->to, envelope->to_count);
    put_addresses(out, envelope->to_count == 0 ? "To" : "Cc", envelope->cc, envelope->cc_count);
    put_subject(out, t, what);
    put_message_id(out, envelope->from, buf_content(&body),
                   envelope->date_ns / (DAY_SECONDS * CLOCK_NS_PER_SECOND));
    buf_text(out, "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=UTF-8\r\n"
                  "Content-Transfer-Encoding: base64\r\n"
                  "Auto-Submitted: auto-generated\r\n\r\n");
    mail_put_base64(out, buf_content(&body));
    if (!buf_ok(&body))
        out->failed = true;
    buf_release(&body);
}
