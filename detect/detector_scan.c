/*
 * D3: scans. One walk per source and kind of destination, one per source and host for ports, one
 * per source outside, one per source at the firewall before the LGWAN (detect/scan_walk.h). Only refused first contacts begin a walk and only sources
 * with a walk need a memory of whom they met, so traffic that is answered costs two lookups.
 */
#include "detect/detector_scan.h"

#include "base/clock.h"
#include "detect/detectors.h"
#include "detect/scan_flow.h"

enum {
    TEXT_HOSTS,
    TEXT_PORTS,
    TEXT_MACHINES,
    TEXT_INBOUND,
    TEXT_LGWAN,
    TEXT_LGWAN_FOREIGN,
    TEXT_COUNT,
};

enum {
    PORT_ALERTS_MAX = 3,    /* a source that scans the ports of more machines is one alert */
    PORT_ADDRESSES_MAX = 8, /* of a port probed from outside, that count */
    KEY_REPORTS = 0x100,    /* beside enum scan_kind, in keys of a source */
    KEY_SEEN = 0x101,
    KEY_PORT = 0x10000,  /* added to a port */
    KEY_LGWAN = 0x20000, /* the same, at the firewall before the LGWAN */
    AGAIN_STEPS = 7,     /* of contacts: about a day, the window of an alert */
};

#define WINDOW_NS  (INT64_C(24) * 3600 * CLOCK_NS_PER_SECOND)
#define LATE_S     INT64_C(86400) /* rows come at most so late */
#define MACHINES_S INT64_C(21600)
#define SWEEP_NS   (INT64_C(6) * 3600 * CLOCK_NS_PER_SECOND)

/* The note of a contact. */
enum {
    NOTE_REFUSED = 1,
    NOTE_ANSWERED = 2,
};

struct scan_state {
    uint64_t tells; /* log sources that tell bytes */
    int64_t swept_ns;
    struct scan_count counts[SCAN_KINDS];
    struct table walks;   /* struct scan_walk of (source, kind), and of what was told */
    struct table pairs;   /* struct scan_walk of (source, host) */
    struct table inbound; /* struct scan_walk of sources outside */
    struct contact_set contacts;
    struct contact_set inbound_contacts;
    struct contact_set targets;
};

static const struct detector_text TEXTS[TEXT_COUNT] = {
    [TEXT_HOSTS] =
        {.name = "hosts",
         .severity = ALERT_HIGH,
         .technique = "T1046 T1018",
         .message_ja =
             "庁内の端末 {source.ip} が、初めての通信先 {contacts} か所のうち {refused} か所で拒否または無応答に"
             "なりました({since} から)。普通の端末の失敗は {failure_normal} 程度までで、これほど続くのは、つながる"
             "相手を手当たり次第に探す動き(スキャン)です。マルウェアが感染を広げる前触れのことがあります。",
         .message_en =
             "Host {source.ip} met {contacts} destinations for the first time and was refused or not "
             "answered by {refused} of them since {since}. An ordinary host fails at a share of "
             "{failure_normal} at most; so many in a row mean that it searches for machines to connect "
             "to (a scan), often the first step of malware that spreads.",
         .action_ja =
             "1時間以内に、この端末の使用者と、資産管理ツールや脆弱性診断など業務上の予定がないかを確認してください。"
             "心当たりがなければ端末をネットワークから切り離し(電源は切らない)、ウイルス対策ソフトの検知履歴を確認の"
             "うえ、県のSOCに連絡してください。",
         .action_en =
             "Within the hour ask who uses this host and whether an inventory tool or a vulnerability "
             "scan was planned. If not, take it off the network (leave it switched on), look at its "
             "antivirus history and call the prefecture's SOC."},
    [TEXT_PORTS] =
        {.name = "ports",
         .severity = ALERT_HIGH,
         .technique = "T1046",
         .message_ja =
             "庁内の端末 {source.ip} が、1台の機器 {destination.ip} の {contacts} 個のポート(接続口)を次々に試し、"
             "{refused} 個で拒否または無応答になりました({since} から)。普通の利用では1台に対して使うポートは数個で"
             "す。動いているサービスや弱点を探す動き(ポートスキャン)です。",
         .message_en =
             "Host {source.ip} tried {contacts} ports of one machine, {destination.ip}, and was refused "
             "or not answered on {refused} of them since {since}. Ordinary use takes a few ports of a "
             "machine; this searches for services and weaknesses (a port scan).",
         .action_ja =
             "1時間以内に、この端末の使用者と、点検や脆弱性診断の予定がないかを確認してください。心当たりがなければ端末"
             "をネットワークから切り離し(電源は切らない)、試された機器のログイン記録も確認して、県のSOCに連絡してくだ"
             "さい。",
         .action_en =
             "Within the hour ask who uses this host and whether maintenance or a vulnerability scan was "
             "planned. If not, take it off the network (leave it switched on), look at the logins of the "
             "machine that was tried, and call the prefecture's SOC."},
    [TEXT_MACHINES] =
        {.name = "machines",
         .severity = ALERT_HIGH,
         .technique = "T1046 T1018",
         .message_ja =
             "庁内の端末 {source.ip} が、{machines} 台の機器のポート(接続口)を次々に試しています。最後の "
             "{last_destination} では {contacts} 個のうち {refused} 個が拒否または無応答でした。1台から多くの機器の"
             "ポートを調べるのは、ネットワーク全体の弱点を探す動きです。",
         .message_en =
             "Host {source.ip} goes through the ports of {machines} machines; on the last one, "
             "{last_destination}, {refused} of {contacts} were refused or did not answer. One host that "
             "looks through the ports of many machines searches the network for weaknesses.",
         .action_ja =
             "直ちに、この端末の使用者と、脆弱性診断など業務上の予定がないかを確認してください。心当たりがなければ端末を"
             "ネットワークから切り離し(電源は切らない)、県のSOCに連絡してください。",
         .action_en =
             "At once ask who uses this host and whether a vulnerability scan was planned. If not, take "
             "it off the network (leave it switched on) and call the prefecture's SOC."},
    [TEXT_INBOUND] =
        {.name = "inbound",
         .severity = ALERT_LOW,
         .technique = "T1595.001",
         .message_ja =
             "外部の {source.ip} が、こちらの公開アドレスとポートの組 {contacts} 個を試し、{refused} 個で拒否または無応答"
             "になりました({since} から、応答したもの {accepted} 個)。インターネットからの単発の探りは常にありますが、"
             "1つの送信元がこれだけ広く試すのは、入口を探す組織的な調査です。",
         .message_en =
             "{source.ip} on the Internet tried {contacts} pairs of published address and port; {refused} "
             "were refused or did not answer, {accepted} answered, since {since}. Single probes come all "
             "day; one source that tries this many is looking for a way in.",
         .action_ja =
             "拒否できていれば緊急ではありません。翌営業日までに、応答したポートがあれば公開の必要があるものかを確認し、"
             "同じ送信元が続くようならファイアウォールでの遮断を検討してください。",
         .action_en =
             "Not urgent while it is refused. By the next business day check that every port that "
             "answered has to be public, and consider blocking the source at the firewall if it goes on."},
    [TEXT_LGWAN] =
        {.name = "lgwan",
         .severity = ALERT_HIGH,
         .technique = "T1046 T1210",
         .message_ja =
             "庁内の端末 {source.ip} からLGWAN側への通信が、LGWAN接続系のファイアウォールで {refused} 件の異なる接続先"
             "(機器とポートの組)について拒否されています({since} から)。LGWANで決まった業務だけを使う端末の接続先は"
             "数か所です。LGWANに接続する他団体やLGWAN-ASPへ感染を広げようとする動き(スキャン)が疑われます。",
         .message_en =
             "Host {source.ip} was refused {refused} different services (machine and port) of the LGWAN by "
             "the municipality's LGWAN firewall since {since}. A host that does its work over the LGWAN uses "
             "a few. It seems to search for machines of other municipalities and LGWAN-ASPs (a scan), as "
             "malware does that spreads.",
         .action_ja =
             "直ちに、この端末の使用者と、LGWAN-ASPの接続先変更や点検の予定がないかを確認してください。心当たりがなけれ"
             "ば端末をLGWAN接続系のネットワークから切り離し(電源は切らない)、県のSOCに連絡してください。LGWAN運営主体"
             "への連絡の要否は県のSOCと決めてください。",
         .action_en =
             "At once ask who uses this host and whether an LGWAN-ASP moved or maintenance was planned. If "
             "not, take the host off the LGWAN segment (leave it switched on) and call the prefecture's SOC, "
             "which decides with you whether the LGWAN's operator is to be told."},
    [TEXT_LGWAN_FOREIGN] =
        {.name = "lgwan-foreign",
         .severity = ALERT_HIGH,
         .technique = "T1046 T1210",
         .message_ja =
             "LGWAN側の {source.ip} から庁内への通信が、LGWAN接続系のファイアウォールで {refused} 件の異なる接続先"
             "(機器とポートの組)について拒否されています({since} から)。LGWANは閉じたネットワークで、正規の相手は決"
             "まった接続先しか使いません。LGWANに接続する他の団体などの機器が感染し、侵入先を探しているおそれがあります。",
         .message_en =
             "{source.ip} in the LGWAN was refused {refused} different services (machine and port) of this "
             "municipality by its LGWAN firewall since {since}. The LGWAN is closed, and its members use "
             "what they were told to use. A machine of another member may be infected and look for a way in.",
         .action_ja =
             "直ちに県のSOCに連絡し、{source.ip} がどの団体・LGWAN-ASPのものかを確認してもらってください。拒否されてい"
             "るため庁内への侵入は確認されていませんが、同じ相手との許可された通信がないかもあわせて確認してください。",
         .action_en =
             "Call the prefecture's SOC at once and have it find out whose address {source.ip} is. It was "
             "refused, so nothing got in here; look all the same for traffic with it that was let through."},
};

/* -------------------------------------------------------------------- the state */

/* Where the tables and sets begin; the last is the end. */
enum part {
    PART_WALKS,
    PART_PAIRS,
    PART_INBOUND,
    PART_CONTACTS,
    PART_INBOUND_CONTACTS,
    PART_TARGETS,
    PARTS,
};

static size_t room_of(const struct detect_size *size, enum part part)
{
    static const size_t PER_HOST[PARTS] = {
        [PART_WALKS] = 2,     [PART_PAIRS] = 2,    [PART_INBOUND] = 4,
        [PART_CONTACTS] = 32, [PART_TARGETS] = 16, [PART_INBOUND_CONTACTS] = 32};
    return PER_HOST[part] * size->hosts;
}

static size_t bytes_of(const struct detect_size *size, enum part part)
{
    size_t room = room_of(size, part);
    return part < PART_CONTACTS ? table_bytes(room, sizeof(struct scan_walk))
                                : contact_set_bytes(room);
}

static size_t offset_of(const struct detect_size *size, enum part part)
{
    size_t at = sizeof(struct scan_state);
    for (unsigned before = 0; before < part; before++)
        at += bytes_of(size, (enum part)before);
    return at;
}

static size_t scan_bytes(const struct detect_size *size)
{
    return offset_of(size, PARTS);
}

static void make_table(struct scan_state *s, struct table *t, const struct detect_size *size,
                       enum part part)
{
    unsigned char *base = (void *)s;
    table_init(t, base + offset_of(size, part), room_of(size, part), sizeof(struct scan_walk));
}

static void make_set(struct scan_state *s, struct contact_set *set, const struct detect_size *size,
                     enum part part)
{
    unsigned char *base = (void *)s;
    contact_set_init(set, base + offset_of(size, part), room_of(size, part));
}

static void scan_init(void *state, const struct detect_size *size)
{
    struct scan_state *s = state;
    make_table(s, &s->walks, size, PART_WALKS);
    make_table(s, &s->pairs, size, PART_PAIRS);
    make_table(s, &s->inbound, size, PART_INBOUND);
    make_set(s, &s->contacts, size, PART_CONTACTS);
    make_set(s, &s->inbound_contacts, size, PART_INBOUND_CONTACTS);
    make_set(s, &s->targets, size, PART_TARGETS);
}

static void scan_gaps(const void *state, struct gaps *out)
{
    const struct scan_state *s = state;
    table_gap(&s->walks, out);
    table_gap(&s->pairs, out);
    table_gap(&s->inbound, out);
    contact_set_gaps(&s->contacts, out);
    contact_set_gaps(&s->inbound_contacts, out);
    contact_set_gaps(&s->targets, out);
}

static uint64_t scan_evictions(const void *state)
{
    const struct scan_state *s = state;
    return s->walks.evictions + s->pairs.evictions + s->inbound.evictions + s->contacts.evictions +
           s->inbound_contacts.evictions + s->targets.evictions;
}

void detector_scan_counts(const void *state, struct scan_count *out)
{
    const struct scan_state *s = state;
    memcpy(out, s->counts, sizeof(s->counts));
}

static uint64_t source_key(const struct flow *f, unsigned what)
{
    return detect_key(f->source_key, what);
}

static uint64_t host_key(const struct flow *f, unsigned what)
{
    return detect_key(f->source_key ^ f->destination_key << 1, what);
}

/* The walk of a refused first contact. */
static struct scan_walk *take_walk(struct scan_state *s, struct table *table, uint64_t key,
                                   const struct flow *f, enum scan_kind kind)
{
    bool fresh = false;
    struct scan_walk *w = table_take(table, key, &fresh, NULL);
    w->kind = (uint8_t)kind;
    if (fresh || scan_walk_expire(w, f->time_ns) || w->refused == 0)
        s->counts[kind].walks++;
    return w;
}

/* The walk that an answer may count in, or NULL. */
static struct scan_walk *find_walk(struct table *table, uint64_t key, const struct flow *f)
{
    struct scan_walk *w = table_find(table, key);
    if (w == NULL || (!scan_walk_expire(w, f->time_ns) && w->refused != 0))
        return w;
    table_remove(table, key);
    return NULL;
}

/* --------------------------------------------------------------------- findings */

static void explain(struct finding *out, const struct scan_walk *w)
{
    const struct scan_rule *rule = scan_rule_of((enum scan_kind)w->kind);
    finding_int(out, "contacts", (int64_t)w->refused + w->accepted + w->open);
    finding_int(out, "refused", w->refused);
    finding_real(out, "refused_weighted", (double)w->weight_refused / SCAN_WHOLE);
    finding_int(out, "accepted", (int64_t)w->accepted + w->open);
    finding_real(out, "accepted_weighted", (double)w->weight_accepted / SCAN_WHOLE);
    finding_time(out, "since", w->start_s * CLOCK_NS_PER_SECOND);
    finding_real(out, "score", scan_walk_score(w));
    finding_real(out, "bound", rule->bound);
    finding_real(out, "score_per_refused", rule->up);
    finding_real(out, "score_per_accepted", -rule->down);
    finding_real(out, "failure_normal", rule->failure_normal);
    finding_real(out, "failure_scan", rule->failure_scan);
    finding_real(out, "false_alarms_per_walk", rule->nominal);
    finding_text(out, "rule", slice_from(rule->name));
}

static void add_destination(struct detect_run *run, struct finding *out, const struct flow *f,
                            bool key)
{
    bool named = (f->flags & FLOW_HAS_DESTINATION) == 0;
    if (named && key)
        finding_key_text(out, "url.domain", detect_text(run, f->domain));
    else if (named)
        finding_text(out, "last_destination", detect_text(run, f->domain));
    else if (key)
        finding_key_ip(out, "destination.ip", &f->destination);
    else
        finding_ip(out, "last_destination", &f->destination);
}

static void fire(struct detect_run *run, const struct flow *f, const struct scan_walk *w,
                 uint8_t text)
{
    struct finding out;
    finding_begin(&out, text, f, WINDOW_NS);
    finding_key_ip(&out, "source.ip", &f->source);
    add_destination(run, &out, f, text == TEXT_PORTS);
    explain(&out, w);
    if (w->kind != SCAN_PORTS && scan_walk_port(w) != 0)
        finding_int(&out, "port", scan_walk_port(w));
    if (w->kind == SCAN_EVERYDAY)
        out.severity_step = -1;
    if (w->kind == SCAN_INBOUND && (w->accepted > 0 || w->open != 0))
        out.severity_step = 1;
    detect_fire(run, &out);
}

/* A refused contact of a walk that was told of, met before or not: the scan may be going on. */
static bool goes_on(struct scan_walk *w, const struct flow *f)
{
    uint64_t contact = host_key(f, KEY_PORT + f->destination_port);
    return w->told != UINT16_MAX && scan_walk_more(w, contact, f->time_ns);
}

/* Whether a refused first contact is to be told of. */
static bool is_to_tell(struct scan_state *s, struct scan_walk *w, const struct flow *f)
{
    bool first = w->told == 0;
    if (!scan_walk_tell(w, f->time_ns))
        return goes_on(w, f);
    s->counts[w->kind].alarms += first;
    return true;
}

static void fire_known(struct detect_run *run, struct table *walks, uint64_t walk_key,
                       const struct flow *f, uint8_t text)
{
    struct scan_walk *w = table_find(walks, walk_key);
    if (w != NULL && goes_on(w, f))
        fire(run, f, w, text);
}

/* Machines whose ports the source was reported for within MACHINES_S, this one included. */
static unsigned count_machine(struct scan_state *s, const struct flow *f)
{
    bool fresh = false;
    int64_t now_s = f->time_ns / CLOCK_NS_PER_SECOND;
    struct scan_walk *told = table_take(&s->walks, source_key(f, KEY_REPORTS), &fresh, NULL);
    int64_t age_s = now_s - (int64_t)told->start_s;
    if (fresh || age_s > MACHINES_S || age_s < -MACHINES_S) {
        told->start_s = (uint32_t)now_s;
        told->told = 0;
    }
    if (told->told < UINT16_MAX)
        told->told++;
    return told->told;
}

/* A source that goes through the ports of many machines is one story, not one a machine. */
static void fire_ports(struct detect_run *run, struct scan_state *s, const struct flow *f,
                       struct scan_walk *w, bool first)
{
    unsigned machines = first ? count_machine(s, f) : 0;
    if (machines <= PORT_ALERTS_MAX) {
        fire(run, f, w, TEXT_PORTS);
        return;
    }
    w->told = UINT16_MAX; /* never twice as much */
    struct finding out;
    finding_begin(&out, TEXT_MACHINES, f, WINDOW_NS);
    finding_key_ip(&out, "source.ip", &f->source);
    finding_int(&out, "machines", machines);
    add_destination(run, &out, f, false);
    explain(&out, w);
    detect_fire(run, &out);
}

/* ------------------------------------------------------------- from inside: hosts */

/*
 * Note a refused contact. Returns what is left of its weight: nothing when it was met within a day
 * or ever answered this source, half when it was refused on an earlier day: some hosts look for what
 * is long gone every morning. *before: it had been refused.
 */
static unsigned note_refused(struct contact_set *set, uint64_t key, const struct flow *f,
                             unsigned weight, bool *before)
{
    unsigned age = 0;
    uint32_t *contact = contact_take(set, key, f->time_ns, &age);
    unsigned note = contact_note(contact);
    *before = (note & NOTE_REFUSED) != 0;
    contact_note_set(contact, note | NOTE_REFUSED);
    if ((note & NOTE_ANSWERED) != 0 || age < AGAIN_STEPS)
        return 0;
    return age == CONTACT_NEVER ? weight : weight / 2;
}

/* Note an answered contact. Returns whether it is the first answer; *refused: it had been refused. */
static bool note_answered(struct contact_set *set, uint64_t key, const struct flow *f,
                          bool *refused)
{
    uint32_t *contact = contact_take(set, key, f->time_ns, NULL);
    unsigned note = contact_note(contact);
    *refused = (note & NOTE_REFUSED) != 0;
    contact_note_set(contact, note | NOTE_ANSWERED);
    return (note & NOTE_ANSWERED) == 0;
}

/* A first answer counts in the walk that there is; the walk may be over with it. */
static void count_answer(struct table *walks, struct scan_walk *w, unsigned weight, bool refused)
{
    if (refused ? scan_walk_forgive(w, weight) : scan_walk_accept(w, weight))
        table_remove(walks, w->key);
}

/* Returns whether the source was refused by this host before, whatever the port. */
static bool refuse_host(struct detect_run *run, struct scan_state *s, const struct flow *f,
                        enum scan_kind kind, unsigned weight)
{
    bool before = false;
    weight = note_refused(&s->contacts, host_key(f, kind), f, weight, &before);
    uint64_t walk_key = source_key(f, kind);
    if (weight == 0) {
        fire_known(run, &s->walks, walk_key, f, TEXT_HOSTS);
        return before;
    }
    struct scan_walk *w = take_walk(s, &s->walks, walk_key, f, kind);
    scan_walk_refuse(w, weight, f->destination_port, f->time_ns);
    if (is_to_tell(s, w, f))
        fire(run, f, w, TEXT_HOSTS);
    return before;
}

static void answer_host(struct scan_state *s, const struct flow *f, enum scan_kind kind)
{
    struct scan_walk *w = find_walk(&s->walks, source_key(f, kind), f);
    bool refused = false;
    if (w != NULL && note_answered(&s->contacts, host_key(f, kind), f, &refused))
        count_answer(&s->walks, w, SCAN_WHOLE, refused);
}

/* ------------------------------------------------------------- from inside: ports */

static void refuse_port(struct detect_run *run, struct scan_state *s, const struct flow *f,
                        bool before)
{
    bool known = false;
    if (f->destination_port == 0)
        return;
    unsigned weight = f->destination_port >= SCAN_PORT_EPHEMERAL ? 1 : SCAN_WHOLE;
    uint64_t key = host_key(f, KEY_PORT + f->destination_port);
    weight = note_refused(&s->contacts, key, f, weight, &known);
    uint64_t walk_key = host_key(f, SCAN_PORTS);
    if (weight == 0)
        fire_known(run, &s->pairs, walk_key, f, TEXT_PORTS);
    if (weight == 0 || !before)
        return;
    struct scan_walk *w = take_walk(s, &s->pairs, walk_key, f, SCAN_PORTS);
    if (w->refused == 0) /* the port before it, which only now has company */
        scan_walk_refuse(w, SCAN_WHOLE, 0, f->time_ns);
    scan_walk_refuse(w, weight, f->destination_port, f->time_ns);
    bool first = w->told == 0;
    if (is_to_tell(s, w, f))
        fire_ports(run, s, f, w, first);
}

static void answer_port(struct scan_state *s, const struct flow *f)
{
    struct scan_walk *w = find_walk(&s->pairs, host_key(f, SCAN_PORTS), f);
    bool refused = false;
    uint64_t key = host_key(f, KEY_PORT + f->destination_port);
    if (w != NULL && note_answered(&s->contacts, key, f, &refused))
        count_answer(&s->pairs, w, SCAN_WHOLE, refused);
}

/* ------------------------------------------------------------------- from outside */

/* A port on its first addresses; the same one on the next hundred is the noise of the Internet. */
static unsigned weight_of_probe(struct scan_state *s, const struct flow *f)
{
    uint64_t key = source_key(f, KEY_PORT + f->destination_port);
    uint32_t *slot = contact_take(&s->inbound_contacts, key, f->time_ns, NULL);
    unsigned addresses = contact_note(slot);
    if (addresses == PORT_ADDRESSES_MAX)
        return 0;
    contact_note_set(slot, addresses + 1);
    return addresses == 0 ? SCAN_WHOLE : SCAN_WHOLE / 2;
}

static void refuse_inbound(struct detect_run *run, struct scan_state *s, const struct flow *f)
{
    bool before = false;
    uint64_t key = host_key(f, KEY_PORT + f->destination_port);
    uint64_t walk_key = source_key(f, SCAN_INBOUND);
    if (note_refused(&s->inbound_contacts, key, f, SCAN_WHOLE, &before) == 0) {
        fire_known(run, &s->inbound, walk_key, f, TEXT_INBOUND);
        return;
    }
    unsigned seen = 0;
    if (table_find(&s->inbound, walk_key) == NULL)
        (void)contact_take(&s->inbound_contacts, source_key(f, KEY_SEEN), f->time_ns, &seen);
    unsigned weight = weight_of_probe(s, f);
    if (seen == CONTACT_NEVER || weight == 0)
        return;
    struct scan_walk *w = take_walk(s, &s->inbound, walk_key, f, SCAN_INBOUND);
    if (w->refused == 0) /* the probe that came alone */
        scan_walk_refuse(w, SCAN_WHOLE, 0, f->time_ns);
    scan_walk_refuse(w, weight, f->destination_port, f->time_ns);
    if (is_to_tell(s, w, f))
        fire(run, f, w, TEXT_INBOUND);
}

static void answer_inbound(struct scan_state *s, const struct flow *f)
{
    struct scan_walk *w = find_walk(&s->inbound, source_key(f, SCAN_INBOUND), f);
    bool refused = false;
    uint64_t key = host_key(f, KEY_PORT + f->destination_port);
    if (w != NULL && note_answered(&s->inbound_contacts, key, f, &refused))
        count_answer(&s->inbound, w, weight_of_probe(s, f), refused);
}

/* ------------------------------------------------------------- before the LGWAN */

/* Of any source; a contact is a service, so that one walk sees sweeps and scans of ports. */
static void refuse_lgwan(struct detect_run *run, struct scan_state *s, const struct flow *f)
{
    bool before = false;
    bool foreign = f->source_zone == 0 && f->destination_zone != 0;
    uint8_t text = foreign ? TEXT_LGWAN_FOREIGN : TEXT_LGWAN;
    unsigned weight = scan_target_weight(f, SCAN_LGWAN, scan_target_refused(&s->targets, f));
    if (f->destination_port >= SCAN_PORT_EPHEMERAL && weight != 0)
        weight = 1;
    uint64_t contact = host_key(f, KEY_LGWAN + f->destination_port);
    weight = note_refused(&s->contacts, contact, f, weight, &before);
    uint64_t walk_key = source_key(f, SCAN_LGWAN);
    if (weight == 0) {
        fire_known(run, &s->walks, walk_key, f, text);
        return;
    }
    struct scan_walk *w = take_walk(s, &s->walks, walk_key, f, SCAN_LGWAN);
    scan_walk_refuse(w, weight, f->destination_port, f->time_ns);
    if (is_to_tell(s, w, f))
        fire(run, f, w, text);
}

static void refuse_from_inside(struct detect_run *run, struct scan_state *s, const struct flow *f,
                               enum scan_kind kind)
{
    unsigned known = scan_target_refused(&s->targets, f);
    unsigned weight = scan_target_weight(f, kind, known);
    if (weight != 0)
        refuse_port(run, s, f, refuse_host(run, s, f, kind, weight));
}

static void scan_ahead(const void *state, const struct flow *f, bool near)
{
    const struct scan_state *s = state;
    if (!near && f->direction != FLOW_IN && !scan_flow_is_noise(f))
        scan_target_ahead(&s->targets, f);
}

static void scan_flow(struct detect_run *run, void *state, const struct flow *f)
{
    struct scan_state *s = state;
    if (f->destination_key == 0)
        return;
    enum scan_outcome outcome = scan_flow_outcome(f, &s->tells);
    if (outcome == SCAN_SILENT || scan_flow_is_noise(f))
        return;
    enum scan_kind kind = scan_flow_kind(f);
    if (kind == SCAN_LGWAN) {
        refuse_lgwan(run, s, f);
    } else if (kind == SCAN_INBOUND && outcome == SCAN_REFUSED) {
        refuse_inbound(run, s, f);
    } else if (kind == SCAN_INBOUND) {
        answer_inbound(s, f);
    } else if (outcome == SCAN_REFUSED) {
        refuse_from_inside(run, s, f, kind);
    } else {
        scan_target_answered(&s->targets, f);
        answer_host(s, f, kind);
        answer_port(s, f);
    }
}

static void sweep(struct table *walks, int64_t now_ns)
{
    size_t at = 0;
    struct scan_walk *w = NULL;
    while ((w = table_next(walks, &at)) != NULL) {
        int64_t last_s = w->told_s > w->start_s ? w->told_s : w->start_s;
        int64_t age_s = now_ns / CLOCK_NS_PER_SECOND - last_s;
        if (age_s > (int64_t)scan_rule_of((enum scan_kind)w->kind)->span_s + LATE_S)
            table_remove(walks, w->key);
    }
}

/* Walks that nobody will come back to make room, so that an eviction means something. */
static void scan_tick(struct detect_run *run, void *state, int64_t tick_ns)
{
    struct scan_state *s = state;
    (void)run;
    bool first = s->swept_ns == 0; /* nothing can be old yet */
    if (!first && tick_ns - s->swept_ns < SWEEP_NS && tick_ns >= s->swept_ns)
        return;
    s->swept_ns = tick_ns;
    if (first)
        return;
    sweep(&s->walks, tick_ns);
    sweep(&s->pairs, tick_ns);
    sweep(&s->inbound, tick_ns);
    contact_set_sweep(&s->contacts, tick_ns);
    contact_set_sweep(&s->inbound_contacts, tick_ns);
    contact_set_sweep(&s->targets, tick_ns);
}

const struct detector detector_scan = {.id = "D3",
                                       .version = 1,
                                       .text_count = TEXT_COUNT,
                                       .texts = TEXTS,
                                       .needs = FLOW_HAS_SOURCE,
                                       .avoids = FLOW_SHARED_SOURCE | FLOW_EXCLUDED |
                                                 FLOW_UNPARSED | FLOW_LOGIN_FAILED |
                                                 FLOW_LOGIN_DONE,
                                       .bytes = scan_bytes,
                                       .init = scan_init,
                                       .gaps = scan_gaps,
                                       .flow = scan_flow,
                                       .ahead = scan_ahead,
                                       .tick = scan_tick,
                                       .evictions = scan_evictions};
