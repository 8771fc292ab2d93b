/*
 * New ports: a PC of the municipality talks to the Internet on a port that nobody here ever used.
 *
 *   two sets of 65,536 bits, TCP and UDP: every port that was ever answered outside
 *   new ports a working day, over about a month: where they are common, a new one is no news
 *
 * Fires at the first contact that was let through and did not fail: what is refused is a matter of
 * D3 and D5. Two days teach, five more tell how often new ports come up here; then a new one is an
 * alert while they come up less than once a week. One new port raises the rate at once, so a
 * program that tries many is one alert.
 */
#include <assert.h>

#include "base/calendar.h"
#include "detect/detector.h"
#include "detect/real.h"

enum new_port_limits {
    TEACH_DAYS = 2, /* in which new ports are not counted */
    LEARN_DAYS = 7,
    FADE_DAYS = 30, /* of memory of the rate */
    PORTS = 1 << 16,
    WORD_BITS = 64,
    PORT_EPHEMERAL = 49152, /* from here on answers are mistaken for contacts */
    TCP = 6,
    UDP = 17,
};

#define RATE_MOST  0.2 /* new ports a day */
#define EPISODE_NS CALENDAR_DAY_NS

struct new_port_state {
    uint64_t used[2][PORTS / WORD_BITS]; /* TCP, UDP */
    uint64_t ports;                      /* that are set */
    int64_t first_day;                   /* JST; 0 = none yet */
    int64_t day;                         /* of the last count */
    double days;                         /* working days counted, faded */
    double found;                        /* new ports on them */
};

static const struct detector_text TEXTS[] = {
    {.name = "new-port",
     .severity = ALERT_MEDIUM,
     .technique = "T1571",
     .message_ja =
         "端末{source.ip}が、これまで庁内のどの端末も使っていなかったポート{destination.port}({protocol})で"
         "外部の{destination}と通信しました。庁内で使われている外部のポートは{ports_known}種類で、新しいポートは"
         "1日に{new_ports_a_day}種類ほどしか増えません。",
     .message_en =
         "Host {source.ip} talked to {destination} on port {destination.port} ({protocol}), which "
         "no host of the municipality used before. {ports_known} ports of the Internet are in use "
         "here, and about {new_ports_a_day} new ones come up a day.",
     .action_ja =
         "今日中に端末{source.ip}の利用者に、新しいソフトを入れたか、{destination}に心当たりがあるかを確認してください。"
         "なければ端末をネットワークから切り離し、県のSOCに連絡してください。業務に不要なポートはファイアウォールで"
         "閉じてください。",
     .action_en =
         "Today, ask the user of {source.ip} about new programs and about {destination}. If nobody "
         "knows, unplug the PC and call the SOC. Close ports at the firewall that work does not "
         "need."},
};

static size_t new_port_bytes(const struct detect_size *size)
{
    (void)size;
    return sizeof(struct new_port_state);
}

/* Days pass, also those on which nothing is new. Only working days tell a rate. */
static void pass_days(struct new_port_state *s, int64_t day)
{
    if (s->first_day == 0) {
        s->first_day = day;
        s->day = day;
    }
    if (day <= s->day)
        return;
    bool counted = s->day >= s->first_day + TEACH_DAYS && calendar_open(s->day);
    s->day = day;
    if (!counted)
        return;
    s->days += 1.0;
    if (s->days > FADE_DAYS) {
        s->days *= 0.5;
        s->found *= 0.5;
    }
}

/* New ports a day, one more than were found: nobody knows a rate of nothing. */
static double rate_of(const struct new_port_state *s)
{
    return (s->found + 1.0) / (s->days + 1.0);
}

static bool is_contact(const struct flow *f)
{
    return f->direction == FLOW_OUT && (f->protocol == TCP || f->protocol == UDP) &&
           f->destination_port != 0 && f->destination_port < PORT_EPHEMERAL &&
           (f->flags & (FLOW_REFUSED | FLOW_FAILED | FLOW_BEGINS)) == 0;
}

static void fire(struct detect_run *run, const struct new_port_state *s, const struct flow *flow,
                 double rate)
{
    struct finding f;
    finding_begin(&f, 0, flow, EPISODE_NS);
    finding_score(&f, 1.0 - real_exp(-rate));
    finding_key_ip(&f, "source.ip", &flow->source);
    finding_key_int(&f, "destination.port", flow->destination_port);
    finding_text(&f, "protocol", flow->protocol == TCP ? SLICE("TCP") : SLICE("UDP"));
    if (flow->domain != 0)
        finding_text(&f, "destination", detect_text(run, flow->domain));
    else
        finding_ip(&f, "destination", &flow->destination);
    finding_int(&f, "ports_known", (int64_t)s->ports);
    finding_real(&f, "new_ports_before", s->found);
    finding_real(&f, "days_counted", s->days);
    finding_real(&f, "new_ports_a_day", rate);
    detect_fire(run, &f);
}

static void new_port_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    struct new_port_state *s = state;
    if (!is_contact(flow))
        return;
    uint64_t *word = &s->used[flow->protocol == UDP][flow->destination_port / WORD_BITS];
    uint64_t bit = UINT64_C(1) << flow->destination_port % WORD_BITS;
    if ((*word & bit) != 0)
        return;
    int64_t day = calendar_day(flow->time_ns);
    pass_days(s, day);
    double rate = rate_of(s);
    bool shared = (flow->flags & FLOW_SHARED_SOURCE) != 0;
    if (day >= s->first_day + LEARN_DAYS && rate <= RATE_MOST && !shared)
        fire(run, s, flow, rate);
    *word |= bit;
    s->ports++;
    if (day >= s->first_day + TEACH_DAYS)
        s->found += 1.0;
}

static void new_port_tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct new_port_state *s = state;
    (void)run;
    /* It has been learning from the first contact on. */
    if (s->first_day != 0)
        pass_days(s, calendar_day(tick_ns));
}

const struct detector detector_new_port = {
    .id = "new-port",
    .version = 1,
    .text_count = 1,
    .texts = TEXTS,
    .needs = FLOW_HAS_SOURCE | FLOW_HAS_DESTINATION,
    .avoids = FLOW_EXCLUDED | FLOW_LGWAN,
    .bytes = new_port_bytes,
    .flow = new_port_flow,
    .tick = new_port_tick,
};
