/*
 * Indicators of compromise: a host met what a list of the configuration names.
 *
 *   flow.hit -> let through: contact    refused: attempt    a listed user agent: agent
 *            -> a listed address came in and was let through: inbound
 *
 * Listed addresses that knock and are refused are the Internet's everyday noise: no alert. A host
 * and an entry are one alert a day. Of the hosts of one day the first HOSTS_ALONE that meet an entry
 * have alerts of their own, the others are told together: either something spreads, or the entry is
 * of wide use and does not belong on a list.
 */
#include "base/calendar.h"
#include "base/hash.h"
#include "detect/detector.h"
#include "detect/indicator_set.h"

enum {
    HOSTS_ALONE = 10, /* a day and entry */
    ENTRIES = 1024,   /* whose hosts are counted */
};

#define WINDOW_NS CALENDAR_DAY_NS

enum text {
    TEXT_CONTACT,
    TEXT_ATTEMPT,
    TEXT_AGENT,
    TEXT_INBOUND,
    TEXT_MANY, /* hosts, of either kind */
    TEXT_COUNT,
};

/* A host that met an entry, or on whose day it did. */
struct host {
    uint64_t key;
    int64_t day;
    uint64_t together;
};

/* An entry, and its hosts of that day. */
struct entry {
    uint64_t key;
    int64_t day;
    uint64_t hosts;
};

struct indicator_state {
    struct table hosts;
    struct table entries;
};

#define WHERE_JA "脅威情報リスト「{feed}」（版 {version}）に載っている {threat.indicator.name}"
#define WHERE_EN "{threat.indicator.name}, which the list {feed} (version {version}) names"

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_CONTACT] =
        {"contact", ALERT_HIGH, "T1071",
         "端末 {source} が、" WHERE_JA " と通信し、許可されました（接続先 {destination}）。",
         "Host {source} communicated with " WHERE_EN
         ", and was let through (destination {destination}).",
         "本日中に、端末 {source} をネットワークから切り離し（電源は切らない）、{first} 前後の操作（開いたメール、"
         "リンク、入れたソフトウェア）を利用者に確認して、県のSOCに連絡してください。業務で使う正当な接続先と"
         "分かったときは、リストからこの項目を外してください。",
         "Today, take {source} off the network (do not switch it off), ask its user what was opened or installed "
         "around {first}, and tell the SOC of the prefecture. If the destination proves rightful, take the entry off "
         "the list."},
    [TEXT_ATTEMPT] =
        {"attempt", ALERT_MEDIUM, "T1071",
         "端末 {source} が、" WHERE_JA " への通信を試み、装置が止めました（接続先 {destination}）。"
         "通信は成立していませんが、端末に原因があります。",
         "Host {source} tried to reach " WHERE_EN
         ", and the device refused it (destination {destination}). "
         "Nothing got through, but something on the host tries.",
         "本日中に、端末 {source} のウイルス検査を行い、{first} 前後の操作を利用者に確認してください。繰り返すときは"
         "ネットワークから切り離し、県のSOCに連絡してください。",
         "Today, scan {source} for malware and ask its user what was done around {first}. If it goes on, take it off "
         "the network and tell the SOC of the prefecture."},
    [TEXT_AGENT] =
        {"agent", ALERT_MEDIUM, "T1071.001",
         "端末 {source} が、" WHERE_JA
         " というユーザーエージェントで通信しました（接続先 {destination}）。",
         "Host {source} sent the user agent " WHERE_EN " (destination {destination}).",
         "本日中に、端末 {source} で動いているソフトウェアを調べ、業務で入れたものでなければネットワークから"
         "切り離し、県のSOCに連絡してください。",
         "Today, find out which program on {source} this is. If nobody installed it for work, take the host off the "
         "network and tell the SOC of the prefecture."},
    [TEXT_INBOUND] =
        {"inbound", ALERT_MEDIUM, "T1190",
         WHERE_JA " から庁内の {destination}（ポート {port}）への通信が許可されました。",
         "A connection of " WHERE_EN ", to {destination} (port {port}) inside was let through.",
         "本日中に、{destination} のこのサービスを外部に公開する必要があるかを確認し、{first} 前後のログイン記録と"
         "変更を調べてください。不要なら境界の装置で止めてください。",
         "Today, find out whether this service of {destination} must be open to the Internet, and look at its logins "
         "and changes around {first}. If not, close it at the border device."},
    [TEXT_MANY] =
        {"many", ALERT_HIGH, "T1071",
         "多数の端末（本日 {hosts} 台目: {source}）が、" WHERE_JA
         " と通信しています。感染の拡大か、広く使われる"
         "接続先が誤ってリストに載っているかのどちらかです。",
         "Many hosts (number {hosts} of the day is {source}) communicate with " WHERE_EN
         ". Either something "
         "spreads, or the list names by mistake what everybody uses.",
         "直ちに、この接続先が業務で使うものかを確認してください。そうでなければ境界の装置で止め、県のSOCに連絡して"
         "ください。誤りであれば、リストからこの項目を外してください。",
         "Find out now whether the destination is used for work. If not, block it at the border device and call the "
         "SOC of the prefecture; if so, take the entry off the list."},
};

/* -------------------------------------------------------------------------- the state */

static size_t indicator_bytes(const struct detect_size *size)
{
    return sizeof(struct indicator_state) + table_bytes(size->hosts, sizeof(struct host)) +
           table_bytes(ENTRIES, sizeof(struct entry));
}

static void indicator_init(void *state, const struct detect_size *size)
{
    struct indicator_state *s = state;
    unsigned char *at = state;
    at += sizeof(*s);
    table_init(&s->hosts, at, size->hosts, sizeof(struct host));
    at += table_bytes(size->hosts, sizeof(struct host));
    table_init(&s->entries, at, ENTRIES, sizeof(struct entry));
}

static void indicator_gaps(const void *state, struct gaps *out)
{
    const struct indicator_state *s = state;
    table_gap(&s->hosts, out);
    table_gap(&s->entries, out);
}

static uint64_t indicator_evictions(const void *state)
{
    const struct indicator_state *s = state;
    return s->hosts.evictions + s->entries.evictions;
}

/* Whether the host is told about with others of its day; *hosts is its number. */
static bool joins_others(struct indicator_state *s, uint64_t entry_key, const struct flow *flow,
                         uint64_t *hosts)
{
    int64_t day = calendar_day(flow->time_ns);
    bool fresh = false;
    struct entry *entry = table_take(&s->entries, detect_key(entry_key, 1), &fresh, NULL);
    if (fresh || day > entry->day) {
        entry->day = day;
        entry->hosts = 0;
    }
    struct host *host =
        table_take(&s->hosts, detect_key(entry_key, flow->source_key), &fresh, NULL);
    if (fresh || day > host->day) {
        host->day = day;
        host->together = entry->hosts >= HOSTS_ALONE;
        entry->hosts++;
    }
    *hosts = entry->hosts;
    return host->together != 0;
}

/* -------------------------------------------------------------------------- the finding */

static bool is_address(enum indicator_kind kind)
{
    return kind == INDICATOR_ADDRESS || kind == INDICATOR_ADDRESS_PORT || kind == INDICATOR_NETWORK;
}

/* Whether the listed address is the source: not, when the destination is listed by the same entry. */
static bool came_in(const struct indicator_set *set, const struct indicator_info *info,
                    const struct flow *flow)
{
    if (!is_address(info->kind) || flow->direction != FLOW_IN)
        return false;
    uint32_t hit =
        indicator_find_address(set, &flow->destination, flow->destination_port, flow->time_ns);
    return hit != flow->hit;
}

static void add_destination(const struct detect_run *run, struct finding *f,
                            const struct flow *flow)
{
    struct slice domain = detect_text(run, flow->domain);
    if (flow->url != 0)
        finding_text(f, "url", detect_text(run, flow->url));
    if (domain.len != 0)
        finding_text(f, "destination", domain);
    else if ((flow->flags & FLOW_HAS_DESTINATION) != 0)
        finding_ip(f, "destination", &flow->destination);
    if (flow->destination_port != 0)
        finding_int(f, "port", flow->destination_port);
}

/* Which list says so: the first that does, and how many more. */
static void add_feed(struct finding *f, const struct indicator_info *info)
{
    const struct indicator_feed *feed = &info->feeds[0];
    finding_text(f, "type", slice_from(indicator_kind_name(info->kind)));
    if (info->feed_count == 0)
        return;
    finding_text(f, "feed", feed->name);
    finding_text(f, "version", feed->version);
    if (feed->expires_ns != INT64_MAX)
        finding_time(f, "expires", feed->expires_ns);
    if (info->feed_count > 1)
        finding_text(f, "feed.2", info->feeds[1].name);
    finding_int(f, "feeds", (int64_t)(info->feed_count + info->feeds_more));
}

static void tell(struct detect_run *run, struct indicator_state *s, const struct flow *flow,
                 enum text text, const struct indicator_info *info)
{
    uint64_t hosts = 0;
    uint64_t entry_key = hash_slice(info->kind, info->text);
    bool together = text != TEXT_INBOUND && joins_others(s, entry_key, flow, &hosts);
    struct finding f;
    finding_begin(&f, (uint8_t)(together ? TEXT_MANY : text), flow, WINDOW_NS);
    if (!together && text != TEXT_INBOUND && (flow->flags & FLOW_HAS_SOURCE) != 0)
        finding_key_ip(&f, "source.ip", &flow->source);
    finding_key_text(&f, "threat.indicator.name", info->text);
    if ((flow->flags & FLOW_HAS_SOURCE) != 0)
        finding_ip(&f, "source", &flow->source);
    add_destination(run, &f, flow);
    add_feed(&f, info);
    finding_time(&f, "first", flow->time_ns);
    if (together)
        finding_int(&f, "hosts", (int64_t)hosts);
    detect_fire(run, &f);
}

static void indicator_flow(struct detect_run *run, void *state, const struct flow *flow)
{
    const struct indicator_set *set = detect_indicators(run);
    struct indicator_info info;
    bool refused = (flow->flags & FLOW_REFUSED) != 0;
    if (flow->hit == 0 || set == NULL)
        return;
    indicator_describe(&info, set, flow->hit, flow->time_ns);
    if (came_in(set, &info, flow)) {
        if (!refused)
            tell(run, state, flow, TEXT_INBOUND, &info);
        return;
    }
    enum text text = refused ? TEXT_ATTEMPT : TEXT_CONTACT;
    tell(run, state, flow, info.kind == INDICATOR_AGENT ? TEXT_AGENT : text, &info);
}

const struct detector detector_indicator = {
    .id = "indicator",
    .version = 1,
    .text_count = TEXT_COUNT,
    .texts = TEXTS,
    .avoids = FLOW_EXCLUDED,
    .bytes = indicator_bytes,
    .init = indicator_init,
    .gaps = indicator_gaps,
    .flow = indicator_flow,
    .evictions = indicator_evictions,
};
