/*
 * AWS VPC flow logs as text: the default format, and those of later versions that begin like it.
 *
 *   2 123456789012 eni-0a1b2c3d 192.0.2.7 198.51.100.9 40000 443 6 10 840 1795222800 1795222860 ACCEPT OK
 *   5 123456789012 eni-0a1b2c3d ... REJECT OK vpc-0a subnet-0b i-0c 3 IPv4 192.0.2.7 198.51.100.9 ...
 *
 * version account interface source destination ports protocol packets bytes start end action status,
 * then what the operator added. '-' stands for no value.
 */
#include "event/verdict.h"
#include "ingest/cursor.h"
#include "ingest/parsers.h"
#include "ingest/word.h"

enum {
    COLUMN_ACCOUNT = 1,
    COLUMN_END = 11,
    WORDS_MIN = 14,
    WORDS_MAX = 64,
};

static const uint16_t FIELDS[WORDS_MIN] = {
    FIELD_COLUMN(0),        FIELD_COLUMN(COLUMN_ACCOUNT),
    FIELD_OBSERVER_INGRESS, FIELD_SOURCE_IP,
    FIELD_DESTINATION_IP,   FIELD_SOURCE_PORT,
    FIELD_DESTINATION_PORT, FIELD_NETWORK_TRANSPORT,
    FIELD_SOURCE_PACKETS,   FIELD_SOURCE_BYTES,
    FIELD_TIME_EPOCH,       FIELD_COLUMN(COLUMN_END),
    FIELD_EVENT_ACTION,     FIELD_EVENT_OUTCOME,
};

/* The first three words: a version, twelve digits or "unknown", an interface. */
static bool is_ours(struct slice text)
{
    struct slots none;
    struct cursor c = cursor_at(&none, text, 0);
    struct slice version = cursor_word(&c);
    struct slice account = cursor_word(&c);
    struct slice interface = cursor_word(&c);
    bool known = account.len == 12 && word_is_digit(*account.data);
    return version.len == 1 && word_is_digit(*version.data) &&
           (known || slice_equal(account, SLICE("unknown"))) &&
           slice_starts(interface, SLICE("eni-"));
}

static enum parse_result parse(struct parser_state *state, struct slice line, uint32_t from,
                               struct slots *out)
{
    struct cursor c = cursor_at(out, line, from);
    (void)state;
    cursor_skip_blanks(&c);
    if (!is_ours(cursor_rest(&c)))
        return PARSE_MISMATCH;
    uint16_t count = 0;
    for (; c.at < c.end && count < WORDS_MAX; count++) {
        struct slice word = cursor_word(&c);
        uint16_t field = count < WORDS_MIN ? FIELDS[count] : FIELD_COLUMN(count);
        if (!slice_equal(word, SLICE("-")) && !cursor_add_slice(&c, word, field))
            return PARSE_PARTIAL;
    }
    if (c.at < c.end && !cursor_add(&c, c.at, c.end, FIELD_COLUMN(WORDS_MAX)))
        return PARSE_PARTIAL;
    return count < WORDS_MIN ? PARSE_PARTIAL : PARSE_OK;
}

static bool probe(struct slice message)
{
    struct slice head = word_head(message);
    while (head.len > 0 && *head.data == ' ')
        head = slice_from_offset(head, 1);
    return is_ours(head);
}

static uint8_t verdict(struct slice action, struct slice beside)
{
    static const struct verdict_word WORDS[] = {VERDICT_WORD("accept", ALLOW),
                                                VERDICT_WORD("reject", DENY)};
    (void)beside;
    return word_verdict(WORDS, sizeof(WORDS) / sizeof(WORDS[0]), action);
}

const struct parser parser_aws_flow = {
    .name = "aws_flow",
    .format = FORMAT_AWS_FLOW,
    .probe = probe,
    .parse = parse,
    .verdict = verdict,
};
