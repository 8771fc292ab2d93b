/*
 * i-FILTER and D-SPA: blank separated values in the order of a template. Three layouts are told
 * apart by the bracketed time and what follows it; others are read through a template of the
 * operator's own.
 *
 *   Nov 21 18:00:00 4872 1000/01/ - 203.0.113.5 ... [21/Nov/2026:18:00:00 +0900] 200 ...   access
 *   Nov 21 18:00:00 5207 104/01/ 192.0.2.9:8000 ... [21/Nov/2026:18:00:00 +0900] "GET ...  D-SPA 1
 *   4582 192.0.2.7 taro group 7 21/Nov/2026:18:00:00 +0900 http://www.example.com/ ...     block
 */
#include "event/verdict.h"
#include "ingest/parser.h"
#include "ingest/parsers.h"
#include "ingest/scan.h"
#include "ingest/template.h"

enum {
    HEAD_BYTES_MAX = 512, /* the time begins within so many bytes */
    STAMP_BYTES_MIN = 18, /* d/Mon/yyyy:H:M:S, at least */
    BLOCK_TOKENS_BEFORE = 5,
    ACCESS_TOKENS_BEFORE = 8, /* from the process on */
    DSPA1_TOKENS_BEFORE = 6,
    BSD_TOKENS = 3,
};

#define UNNAMED               \
    {                         \
        .form = TEMPLATE_TEXT \
    }
#define NAMED(id)                                  \
    {                                              \
        .field = FIELD_##id, .form = TEMPLATE_TEXT \
    }
#define WRITTEN(id, how)                            \
    {                                               \
        .field = FIELD_##id, .form = TEMPLATE_##how \
    }

/* i-FILTER 10 and D-SPA 4: 30 values in 35 words. */
static const struct template_field ACCESS_FIELDS[] = {
    WRITTEN(TIME_SYSLOG, BSD),
    NAMED(LOG_PROCID),
    NAMED(OBSERVER_VERSION),
    NAMED(OBSERVER_PROXY),
    WRITTEN(DESTINATION_IP, PEER), /* the cloud's has the port, too */
    NAMED(SOURCE_PROXY_IP),
    NAMED(SOURCE_IP),
    WRITTEN(HOST_NAME, ENCODED),
    WRITTEN(USER_NAME, ACCOUNT),
    WRITTEN(TIME_STAMP, STAMP),
    NAMED(HTTP_STATUS),
    UNNAMED,
    NAMED(HTTP_RESPONSE_BYTES),
    NAMED(EVENT_ACTION),
    NAMED(EVENT_REASON),
    NAMED(RULE_ID),
    NAMED(RULE_CATEGORY),
    UNNAMED,
    UNNAMED,
    UNNAMED,
    UNNAMED,
    WRITTEN(USER_GROUP, ENCODED),
    UNNAMED,
    UNNAMED,
    UNNAMED,
    WRITTEN(URL_ORIGINAL, REQUEST),
    NAMED(HTTP_REFERRER),
    WRITTEN(USER_AGENT, ENCODED),
    WRITTEN(HTTP_MIME, ENCODED),
    UNNAMED,
};

/* D-SPA 1 and 2: 24 values in 29 words; request, referrer and user agent may be glued. */
static const struct template_field DSPA1_FIELDS[] = {
    WRITTEN(TIME_SYSLOG, BSD),
    NAMED(LOG_PROCID),
    NAMED(OBSERVER_VERSION),
    NAMED(OBSERVER_PROXY),
    NAMED(SOURCE_IP),
    WRITTEN(HOST_NAME, ENCODED),
    WRITTEN(USER_NAME, ACCOUNT),
    WRITTEN(TIME_STAMP, STAMP),
    WRITTEN(URL_ORIGINAL, REQUEST),
    NAMED(HTTP_REFERRER),
    WRITTEN(USER_AGENT, ENCODED),
    NAMED(HTTP_STATUS),
    UNNAMED,
    NAMED(HTTP_RESPONSE_BYTES),
    NAMED(EVENT_ACTION),
    NAMED(EVENT_REASON),
    NAMED(RULE_ID),
    NAMED(RULE_CATEGORY),
    WRITTEN(USER_GROUP, ENCODED),
    WRITTEN(HTTP_MIME, ENCODED),
    UNNAMED,
    UNNAMED,
    UNNAMED,
    UNNAMED,
};

/* The block log of i-FILTER 9: 17 words. */
static const struct template_field BLOCK_FIELDS[] = {
    NAMED(LOG_PROCID),
    NAMED(SOURCE_IP),
    WRITTEN(USER_NAME, ACCOUNT),
    WRITTEN(USER_GROUP, ENCODED),
    UNNAMED,
    WRITTEN(TIME_STAMP, STAMP),
    WRITTEN(URL_ORIGINAL, URL),
    NAMED(EVENT_ACTION),
    NAMED(EVENT_REASON),
    NAMED(RULE_ID),
    UNNAMED,
    NAMED(RULE_CATEGORY),
    UNNAMED,
    UNNAMED,
    UNNAMED,
    WRITTEN(THREAT_NAME, ENCODED),
};

static const struct template_verdict VERDICTS[] = {
    {{"proxied", 7}, VERDICT_ALLOW},  {{"pass", 4}, VERDICT_ALLOW},
    {{"passed", 6}, VERDICT_ALLOW},   {{"allow", 5}, VERDICT_ALLOW},
    {{"allowed", 7}, VERDICT_ALLOW},  {{"permit", 6}, VERDICT_ALLOW},
    {{"override", 8}, VERDICT_ALLOW}, {{"release", 7}, VERDICT_ALLOW},
    {{"block", 5}, VERDICT_BLOCK},    {{"blocked", 7}, VERDICT_BLOCK},
    {{"blkpost", 7}, VERDICT_BLOCK},  {{"postblock", 9}, VERDICT_BLOCK},
    {{"forbid", 6}, VERDICT_BLOCK},   {{"virus", 5}, VERDICT_BLOCK},
    {{"deny", 4}, VERDICT_DENY},      {{"denied", 6}, VERDICT_DENY},
    {{"authfail", 8}, VERDICT_DENY},  {{"confirm", 7}, VERDICT_ALERT},
    {{"warn", 4}, VERDICT_ALERT},     {{"monitor", 7}, VERDICT_ALERT},
};

#define TEMPLATE(list)                                                         \
    {                                                                          \
        .separator = ' ', .quote = '"', .fields = (list),                      \
        .field_count = sizeof(list) / sizeof((list)[0]), .verdicts = VERDICTS, \
        .verdict_count = sizeof(VERDICTS) / sizeof(VERDICTS[0])                \
    }

static const struct template ACCESS = TEMPLATE(ACCESS_FIELDS);
static const struct template DSPA1 = TEMPLATE(DSPA1_FIELDS);
static const struct template BLOCK = TEMPLATE(BLOCK_FIELDS);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* d[d]/Mon/yyyy: at the start of s. */
static bool is_stamp(struct slice s)
{
    if (s.len < STAMP_BYTES_MIN || !is_digit(s.data[0]))
        return false;
    size_t at = is_digit(s.data[1]) ? 2 : 1;
    return s.data[at] == '/' && s.data[at + 4] == '/' && is_digit(s.data[at + 5]) &&
           s.data[at + 9] == ':';
}

static bool is_date_bsd(struct slice s)
{
    return s.len > 8 && s.data[0] >= 'A' && s.data[0] <= 'Z' && s.data[3] == ' ' &&
           (is_digit(s.data[4]) || (s.data[4] == ' ' && is_digit(s.data[5])));
}

/* The block log has no brackets: its time is the sixth word. */
static bool is_block_log(struct slice head)
{
    size_t at = 0;
    if (head.len == 0 || !is_digit(head.data[0]))
        return false;
    for (int i = 0; i < BLOCK_TOKENS_BEFORE; i++) {
        const char *blank = memchr(head.data + at, ' ', head.len - at);
        if (blank == NULL)
            return false;
        at = (size_t)(blank - head.data) + 1;
    }
    return is_stamp(slice_from_offset(head, at));
}

/* The bracket that a time stands in, not that of an IPv6 address; head.len when there is none. */
static size_t find_stamp(struct slice head)
{
    const char *end = head.data + head.len;
    const char *open = scan_byte(head.data, end, '[');
    while (open < end && !is_stamp(slice_of(open + 1, (size_t)(end - open - 1))))
        open = scan_byte(open + 1, end, '[');
    return (size_t)(open - head.data);
}

/* How many columns stand in front of the time, of the date in front none. */
static int columns_before(struct slice front)
{
    const char *end = front.data + front.len;
    int words = 0;
    for (const char *p = front.data; p < end; p = scan_byte(p, end, ' ') + 1)
        words += *p != ' ';
    return is_date_bsd(front) ? words - BSD_TOKENS : words;
}

/*
 * An order that an administrator made has another count of columns in front of the time: it is none
 * of these, for the addresses would be taken for each other.
 */
static const struct template *layout_find(struct slice message)
{
    struct slice head = message;
    if (head.len > HEAD_BYTES_MAX)
        head.len = HEAD_BYTES_MAX;
    size_t open = find_stamp(head);
    if (open == head.len)
        return is_block_log(head) ? &BLOCK : NULL;
    if (!is_digit(head.data[0]) && !is_date_bsd(head))
        return NULL;
    struct slice stamp = slice_from_offset(head, open + 1);
    const char *close = memchr(stamp.data, ']', stamp.len);
    if (close == NULL)
        return NULL;
    struct slice rest = slice_from_offset(head, (size_t)(close + 1 - head.data));
    if (rest.len < 2 || rest.data[0] != ' ')
        return NULL;
    int columns = columns_before(slice_of(head.data, open));
    if (rest.data[1] == '"')
        return columns == DSPA1_TOKENS_BEFORE ? &DSPA1 : NULL;
    bool status = is_digit(rest.data[1]) || rest.data[1] == '-';
    return status && columns == ACCESS_TOKENS_BEFORE ? &ACCESS : NULL;
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    (void)state;
    struct slice message = slice_from_offset(line, from);
    const struct template *layout = layout_find(message);
    if (layout == NULL)
        return PARSE_MISMATCH;
    struct template t = *layout;
    /* A relay may have taken the date in front for its own. */
    t.first = t.fields[0].form == TEMPLATE_BSD && !is_date_bsd(message) ? 1 : 0;
    return template_parse(&t, line, from, out);
}

/*
 * Squid's httpd style has a bracketed time and a quoted request too, so the version in front of
 * them ("1000/01/") counts as well.
 */
static bool has_version(struct slice message)
{
    size_t end = message.len < HEAD_BYTES_MAX ? message.len : HEAD_BYTES_MAX;
    size_t word = 0;
    size_t digits = 0;
    for (size_t at = 0; at < end && message.data[at] != '['; at++) {
        char c = message.data[at];
        if (c == ' ') {
            word++;
            digits = 0;
        } else if (c == '/' && digits > 0 && word <= 5) {
            return at + 1 < end && (is_digit(message.data[at + 1]) || message.data[at + 1] == 'R');
        } else {
            digits = is_digit(c) ? digits + 1 : 0;
        }
    }
    return false;
}

static bool probe_i_filter(struct slice message)
{
    const struct template *layout = layout_find(message);
    return layout == &BLOCK || (layout == &ACCESS && has_version(message));
}

static bool probe_d_spa(struct slice message)
{
    const struct template *layout = layout_find(message);
    return layout == &DSPA1 && has_version(message);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    (void)beside;
    return template_verdict(&ACCESS, action);
}

const struct parser parser_i_filter = {
    .name = "i_filter",
    .format = FORMAT_I_FILTER,
    .kind = PARSER_PROXY,
    .probe = probe_i_filter,
    .parse = parse,
    .verdict = verdict,
};

const struct parser parser_d_spa = {
    .name = "d_spa",
    .format = FORMAT_D_SPA,
    .kind = PARSER_PROXY,
    .probe = probe_d_spa,
    .parse = parse,
    .verdict = verdict,
};
