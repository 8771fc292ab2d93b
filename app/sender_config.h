/*
 * app/sender_config.h - what to paste so that a source arrives: the collector's keys, and the
 * configuration of a relay that sends its lines to Kafka.
 *
 *   device -- syslog, or a file --> relay -- Kafka over mTLS --> seclog.raw.<code6>.<source>
 *
 * Each relay gets the line byte for byte as the device wrote it, waits for all replicas, keeps what
 * the broker does not take on disk, and sends in batches (linger 150 ms). None of the three puts
 * several lines into one record: a batch of records is what saves the broker's work.
 *
 * Ownership: texts are borrowed for the call.
 * Threads:   pure functions.
 * Failures:  those of the buffer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum sender_kind {
    SENDER_COLLECTOR,
    SENDER_RSYSLOG,
    SENDER_SYSLOG_NG,
    SENDER_FLUENT_BIT,
    SENDER_KINDS
};

/* From where a relay takes the lines. */
enum sender_input {
    INPUT_UDP,
    INPUT_TCP,
    INPUT_FILE,
};

struct sender_options {
    uint32_t tenant;
    struct slice source;
    const char *broker; /* host:port, several with commas */
    const char *tls;    /* folder of ca.pem, relay-<code6>.crt, relay-<code6>.key */
    enum sender_input input;
    uint16_t port;    /* of INPUT_UDP, INPUT_TCP */
    const char *path; /* of INPUT_FILE */
    const char *format;
    int32_t zone_minutes;
    bool zone_matters; /* lines do not say it */
    bool japanese;     /* language of the comments */
};

/* Is the text fit to stand between the quotes of each of these languages? */
bool sender_text_fits(const char *text);

/* "collector", "rsyslog", "syslog-ng", "fluent-bit"; static. */
const char *sender_name(enum sender_kind kind);
/* The file that the text goes into on Debian; static. */
const char *sender_file(enum sender_kind kind);
void sender_config_print(struct buf *out, enum sender_kind kind, const struct sender_options *o);
