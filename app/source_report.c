/* app/source_report.c - the report of `source try` for people, in Japanese or English. */
#include <inttypes.h>

#include "app/source_try.h"
#include "base/clock.h"
#include "base/escape.h"

enum {
    LINE_SHOWN_BYTES = 120,
    LACKS_SHOWN = 8, /* different ones */
    RULES_SHOWN = 6, /* that lack the same fields; the rest is counted */
    JAPAN_MINUTES = 9 * 60,
    FIELDS_A_LINE = 3,
};

/* A page as it is written. */
struct report {
    struct buf *out;
    const struct source_try *t;
    bool japanese;
};

static void say(struct report *r, const char *english, const char *japanese)
{
    buf_text(r->out, r->japanese ? japanese : english);
}

static void title(struct report *r, const char *english, const char *japanese)
{
    say(r, english, japanese);
    buf_text(r->out, "\n  ");
}

/* In tenths of a per cent, cut off: 100.0 is said of all only, and 0.0 of none. */
static void share(struct report *r, uint64_t part, uint64_t whole)
{
    uint64_t tenths = whole == 0 ? 0 : part * 1000 / whole;
    if (part != 0 && tenths == 0)
        buf_text(r->out, "<0.1 %");
    else
        buf_printf(r->out, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
}

static void number(struct report *r, uint64_t value, const char *english, const char *japanese)
{
    buf_printf(r->out, "%" PRIu64, value);
    say(r, english, japanese);
}

static void when(struct report *r, int64_t ns)
{
    clock_print_zone(r->out, ns / CLOCK_NS_PER_SECOND * CLOCK_NS_PER_SECOND, JAPAN_MINUTES);
}

/* "9 h 0 min 12 s" */
static void span_of(struct report *r, int64_t ns)
{
    int64_t seconds = (ns < 0 ? -ns : ns) / CLOCK_NS_PER_SECOND;
    if (seconds >= 86400)
        number(r, (uint64_t)seconds / 86400, " d ", " 日 ");
    if (seconds >= 3600)
        number(r, (uint64_t)seconds / 3600 % 24, " h ", " 時間 ");
    if (seconds >= 60 && seconds < 86400)
        number(r, (uint64_t)seconds / 60 % 60, " min ", " 分 ");
    if (seconds < 3600)
        number(r, (uint64_t)seconds % 60, " s", " 秒");
    else
        r->out->len -= r->out->len != 0 && r->out->data[r->out->len - 1] == ' ';
}

/* What it is */

static void print_sample(struct report *r)
{
    const struct sample *s = &r->t->sample;
    escape_text(r->out, slice_from(r->t->options->path == NULL ? "-" : r->t->options->path));
    buf_text(r->out, ": ");
    number(r, s->count, " lines", " 行");
    if (s->empty != 0) {
        say(r, ", and ", "、ほかに空行 ");
        number(r, s->empty, " empty ones", " 行");
    }
    if (s->cut)
        say(r, "; the file goes on, only its beginning was read",
            "(大きなファイルのため先頭だけを読みました)");
    buf_text(r->out, "\n\n");
}

static void print_shares(struct report *r)
{
    const struct sample_formats *f = &r->t->formats;
    for (size_t i = 0; i < f->share_count; i++) {
        const struct sample_share *part = &f->shares[i];
        buf_text(r->out, "\n  ");
        share(r, part->rows, f->rows);
        buf_printf(r->out, "  %s",
                   part->name != NULL ? part->name
                   : r->japanese      ? "どの形式でもない"
                                      : "no format");
        buf_printf(r->out, " (");
        number(r, part->rows, " lines)", " 行)");
    }
}

static void print_format(struct report *r)
{
    const struct sample_formats *f = &r->t->formats;
    title(r, "Format", "■ 形式");
    switch (f->certainty) {
    case FORMAT_GIVEN:
        buf_printf(r->out, "%s", f->name);
        say(r, ", as you said", " (指定のとおり)");
        break;
    case FORMAT_SURE:
        buf_printf(r->out, "%s", f->name);
        say(r, ": sure", ": 確実です");
        break;
    case FORMAT_LIKELY:
        buf_printf(r->out, "%s", f->name);
        say(r, ": likely; compare with the device's model, and give --format when it is another",
            ": おそらくこれです。機器の型番と見比べ、違うときは --format で指定してください");
        break;
    case FORMAT_MIXED:
        say(r,
            "a mixture of several formats; let each device send to a source of its own. If all lines "
            "are of one device, say which format with --format; as it is, it has to be "
            "format: auto",
            "複数の形式が混ざっています。機器ごとに別のソース名で送ってください。一台の機器の行だけ"
            "なら --format で形式を指定してください(このままなら auto)");
        break;
    case FORMAT_UNKNOWN:
    default:
        say(r,
            "none that is known; ask for a parser, or describe the layout as template:FILE. Lines "
            "are kept whole meanwhile, and can be searched",
            "知っている形式ではありません。template:FILE で並びを書くか、対応を依頼してください。"
            "行はそのまま保存され、検索もできます");
        break;
    }
    if (f->certainty == FORMAT_MIXED || f->share_count > 1)
        print_shares(r);
    for (size_t i = 0; i < f->rival_count; i++) {
        say(r, i == 0 ? "\n  could also be: " : ", ", i == 0 ? "\n  他の候補: " : "、");
        buf_printf(r->out, "%s (", f->rivals[i].name);
        share(r, f->rivals[i].parsed, f->tried);
        say(r, " of the lines)", " の行が読めます)");
    }
    buf_text(r->out, "\n\n");
}

static void print_envelope(struct report *r)
{
    const struct sample_envelope *e = &r->t->envelope;
    if (e->key == NULL)
        return;
    title(r, "Envelope", "■ 包み");
    buf_printf(r->out, "%s: %s, ", e->key, e->format);
    share(r, e->lines, e->tried);
    say(r,
        " of the lines\n"
        "  A log shipper has put JSON around what the device wrote; rules and detectors do not look into it.\n"
        "  Let it send that text alone: Filebeat with codec.format and string, Logstash with codec plain and\n"
        "  format, Fluent Bit with format raw and raw_log_key, Vector with codec text.",
        " の行\n"
        "  転送ソフトが、機器の書いた行を JSON で包んでいます。ルールと検知は包みの中を見ません。\n"
        "  中の文字列だけを送るように設定してください: Filebeat は codec.format と string、Logstash は codec plain と "
        "format、\n"
        "  Fluent Bit は format raw と raw_log_key、Vector は codec text。");
    buf_text(r->out, "\n\n");
}

static void print_parsed(struct report *r)
{
    const struct source_try *t = r->t;
    title(r, "Parsed", "■ 読めた行");
    share(r, t->parsed, t->rows);
    say(r, " of the lines", "");
    for (unsigned i = 1; i < REASON_COUNT; i++) {
        if (t->reasons[i] == 0)
            continue;
        buf_text(r->out, ", ");
        buf_printf(r->out, "%.*s ", (int)reason_code(i).len, reason_code(i).data);
        number(r, t->reasons[i], "", " 行");
    }
    for (size_t i = 0; i < t->unparsed_count; i++) {
        const struct try_unparsed *u = &t->unparsed[i];
        say(r, "\n  line ", "\n  行 ");
        buf_printf(r->out, "%" PRIu64 "  %.*s  ", t->sample.numbers[u->at],
                   (int)reason_code(u->reason).len, reason_code(u->reason).data);
        escape_quoted(r->out, sample_text(&t->sample, u->at), LINE_SHOWN_BYTES);
    }
    buf_text(r->out, "\n\n");
}

static void print_fields(struct report *r)
{
    const struct field_info *info = NULL;
    unsigned printed = 0;
    title(r, "Fields found, and in how many of the lines",
          "■ 見つかった項目と、それがある行の割合");
    for (size_t at = 0; (info = field_next(&at)) != NULL;) {
        uint64_t rows = r->t->values[info->id];
        if (rows == 0 || info->id == FIELD_TIMESTAMP)
            continue;
        if (printed != 0)
            buf_text(r->out, printed % FIELDS_A_LINE == 0 ? "\n  " : ", ");
        buf_printf(r->out, "%.*s ", (int)info->name.len, info->name.data);
        share(r, rows < r->t->rows ? rows : r->t->rows, r->t->rows);
        printed++;
    }
    if (printed == 0)
        say(r, "none", "ありません");
    if (r->t->unnamed != 0)
        say(r, "\n  and keys of the device itself (sekisho parse shows them)",
            "\n  ほかに機器独自の項目があります(sekisho parse で見られます)");
    buf_text(r->out, "\n\n");
}

/* Its clock and its letters */

static void print_zone(struct report *r)
{
    const struct sample_clock *c = &r->t->clock;
    title(r, "Time zone", "■ 時間帯");
    switch (c->basis) {
    case ZONE_IN_LINE:
        say(r, "the lines (or their format) say it themselves",
            "行または形式そのものから定まります");
        break;
    case ZONE_RELAY:
        clock_print_offset(r->out, c->zone_minutes);
        say(r, ", by comparison with the relay's time in the syslog header",
            " (syslog ヘッダーの中継時刻との差から)");
        break;
    case ZONE_REFERENCE:
        clock_print_offset(r->out, c->zone_minutes);
        say(r, ", as the newest line then lies by the reference",
            " (こうすると最新の行が基準時刻に合います)");
        break;
    case ZONE_NO_TIME:
        say(r, "no line says when it happened: the time of arrival will stand for it",
            "時刻のある行がありません。到着時刻で代用されます");
        break;
    case ZONE_ASSUMED:
    default:
        clock_print_offset(r->out, c->zone_minutes);
        say(r,
            " is assumed. To make sure: take a line that has just been written and give its time "
            "as --reference-time",
            " と仮定しました。確かめるには、今書かれた行を使い、その時刻を --reference-time で渡して"
            "ください");
        break;
    }
    buf_text(r->out, "\n\n");
}

static void print_clock(struct report *r)
{
    const struct sample_clock *c = &r->t->clock;
    print_zone(r);
    if (c->newest_ns == CLOCK_NONE)
        return;
    title(r, "Clock", "■ 時計");
    say(r, "newest line ", "最新の行 ");
    when(r, c->newest_ns);
    say(r, c->reference_given ? ", reference " : ", the file's own time ",
        c->reference_given ? "、基準時刻 " : "、ファイルの更新時刻 ");
    when(r, c->reference_ns);
    buf_text(r->out, "\n  ");
    if (c->offset_ns > 0) {
        say(r, "ahead by ", "進み ");
        span_of(r, c->offset_ns);
    } else {
        say(r, "behind by ", "遅れ ");
        span_of(r, c->offset_ns);
    }
    if (c->is_off) {
        say(r, ": the device's clock is wrong, or its zone is; set NTP and the zone there",
            "。機器の時計か時間帯が違っています。機器で NTP と時間帯を設定してください");
    } else if (!c->reference_given && c->offset_ns < -(120 * CLOCK_NS_PER_SECOND)) {
        say(r, "; an old file is no sign of a wrong clock: see --reference-time",
            "。古いファイルなら時計のずれとは限りません(--reference-time で確かめられます)");
    } else {
        say(r, ": right", "。合っています");
    }
    buf_text(r->out, "\n\n");
}

static void print_encoding(struct report *r)
{
    const struct text_encodings *e = &r->t->encodings;
    enum text_encoding most = text_encoding_most(e);
    const char *before = "";
    title(r, "Encoding", "■ 文字コード");
    for (unsigned i = 0; i < TEXT_ENCODINGS; i++) {
        if (e->lines[i] == 0)
            continue;
        buf_text(r->out, before);
        buf_text(r->out, i == TEXT_BROKEN && r->japanese
                             ? "壊れた並び"
                             : text_encoding_name((enum text_encoding)i));
        say(r, ": ", ": ");
        number(r, e->lines[i], " lines", " 行");
        if (i != TEXT_ASCII) {
            say(r, ", first line ", "、最初は行 ");
            buf_printf(r->out, "%" PRIu64, e->first[i]);
        }
        before = "\n  ";
    }
    if (most == TEXT_CP932 || most == TEXT_EUC_JP) {
        say(r,
            "\n  The bytes are kept as they are, and Japanese in them is shown and searched. Short texts "
            "are certain with this line behind format: of the source: encoding: ",
            "\n  バイト列はそのまま保存され、日本語部分も表示・検索できます。短い語まで確実に読むには、"
            "ソースの format: の次に次の行を加えてください: encoding: ");
        buf_text(r->out, most == TEXT_CP932 ? "cp932" : "euc-jp");
    }
    if (e->lines[TEXT_BROKEN] != 0) {
        say(r,
            "\n  Broken sequences are kept, too; look whether the device cuts lines or mixes "
            "encodings.",
            "\n  壊れた並びもそのまま保存されます。機器が行を途中で切っていないか、文字コードが混ざって"
            "いないか確かめてください。");
    }
    buf_text(r->out, "\n\n");
}

/* What it is good for */

static bool lacks_same(const struct sample_rule *a, const struct sample_rule *b)
{
    return a->reach == REACH_FIELDS && b->reach == REACH_FIELDS && slice_equal(a->lacks, b->lacks);
}

/* Rule `first` and the ones behind it that lack the same fields. */
static void print_lack(struct report *r, uint32_t first)
{
    const struct source_try *t = r->t;
    const struct sample_rule *rule = &t->rules[first];
    uint32_t shown = 0;
    uint32_t more = 0;
    say(r, "\n  without ", "\n  ないもの ");
    escape_text(r->out, rule->lacks);
    buf_text(r->out, ":");
    for (uint32_t i = first; i < t->rule_count; i++) {
        const struct sample_rule *other = &t->rules[i];
        if (!lacks_same(rule, other))
            continue;
        more += shown == RULES_SHOWN;
        if (shown == RULES_SHOWN)
            continue;
        buf_text(r->out, shown++ == 0 ? " " : ", ");
        escape_text(r->out, other->name.len != 0 ? other->name : other->id);
    }
    if (more != 0) {
        say(r, ", and ", "、ほか ");
        number(r, more, " more", " 件");
    }
}

/* Rules that lack the same fields, by the first of them. */
struct lack {
    uint32_t first;
    uint32_t rules;
};

/* Those of which there are most, first. */
static uint32_t lacks_find(const struct source_try *t, struct lack *lacks, uint32_t *left_out)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->rule_count; i++) {
        struct lack lack = {.first = i};
        bool first = t->rules[i].reach == REACH_FIELDS;
        for (uint32_t k = 0; k < i && first; k++)
            first = !lacks_same(&t->rules[i], &t->rules[k]);
        for (uint32_t k = i; k < t->rule_count && first; k++)
            lack.rules += lacks_same(&t->rules[i], &t->rules[k]);
        uint32_t at = count;
        while (at > 0 && lacks[at - 1].rules < lack.rules)
            at--;
        *left_out += first && count == LACKS_SHOWN;
        if (!first || at == LACKS_SHOWN)
            continue;
        count += count < LACKS_SHOWN;
        memmove(&lacks[at + 1], &lacks[at], (count - 1 - at) * sizeof(*lacks));
        lacks[at] = lack;
    }
    return count;
}

static void print_rules(struct report *r)
{
    const struct source_try *t = r->t;
    struct lack lacks[LACKS_SHOWN];
    uint64_t counts[REACH_DEPRECATED + 1] = {0};
    uint64_t networks = 0;
    uint32_t left_out = 0;
    title(r, "Rules", "■ 検知ルール");
    if (t->rules == NULL) {
        say(r, "not judged: ", "判定していません: ");
        escape_text(r->out, slice_from(t->options->rules));
        say(r, " is not there; give --rules\n\n", " がありません。--rules で指定してください\n\n");
        return;
    }
    for (uint32_t i = 0; i < t->rule_count; i++) {
        counts[t->rules[i].reach]++;
        networks += t->rules[i].needs_networks;
    }
    number(r, counts[REACH_BINDS], " can hold for these lines (", " 件がこのログで働きます(うち ");
    number(r, networks, " of them once the municipality's networks are configured)",
           " 件は収集側にネットワークを設定してから)");
    say(r, "\n  ", "\n  ");
    number(r, counts[REACH_FIELDS], " lack a field; ", " 件は項目が足りません。");
    number(r, t->rule_count - counts[REACH_BINDS] - counts[REACH_FIELDS],
           " are about other logs, or need other sources, too",
           " 件は別の種類のログ、または他のソースも要ります");
    if (counts[REACH_FIELDS] != 0) {
        say(r,
            "\n  A device writes what its kind knows: URLs are in a proxy's log, ports in a firewall's.",
            "\n  機器の種類で書ける項目は違います(URL はプロキシ、ポートはファイアウォールのログにあります)。");
    }
    uint32_t shown = lacks_find(t, lacks, &left_out);
    for (uint32_t i = 0; i < shown; i++)
        print_lack(r, lacks[i].first);
    if (left_out != 0)
        say(r, "\n  and less often others: --json lists all", "\n  ほかは --json で一覧できます");
    buf_text(r->out, "\n\n");
}

static void print_detectors(struct report *r)
{
    const struct detector_facts facts = {
        .values = r->t->values, .verdicts = r->t->verdicts, .refused = r->t->refused};
    const struct sample_detector *d = NULL;
    say(r, "Behavioural detectors\n", "■ 振る舞い検知\n");
    for (unsigned i = 0; (d = sample_detector_at(i)) != NULL; i++) {
        const struct detector_need *need = NULL;
        enum detector_state state = sample_detector_state(d->id, &facts);
        buf_printf(r->out, "  %-13s", d->id);
        switch (state) {
        case DETECTOR_WORKS:
            say(r, "works    ", "働きます   ");
            break;
        case DETECTOR_WEAKER:
            say(r, "weaker   ", "一部働きます ");
            break;
        case DETECTOR_BLIND:
        default:
            say(r, "blind    ", "働きません ");
            break;
        }
        say(r, d->english, d->japanese);
        for (size_t at = 0; (need = sample_detector_lacks(d->id, &facts, &at)) != NULL;) {
            say(r, "\n      without ", "\n      ないもの: ");
            detector_need_print(r->out, need, r->japanese);
            if (need->weaker_english == NULL)
                continue;
            say(r, ": ", "。");
            say(r, need->weaker_english, need->weaker_japanese);
        }
        buf_byte(r->out, '\n');
    }
    buf_byte(r->out, '\n');
}

static void print_configs(struct report *r)
{
    const struct source_try *t = r->t;
    const struct sender_options sender = source_try_sender(t);
    if (!t->options->has_source) {
        say(r,
            "For the configurations of the collector and of the relay, give --tenant CODE and "
            "--source NAME.\n",
            "収集側と中継サーバーの設定を出すには --tenant 団体コード と --source ソース名 を付けて"
            "ください。\n");
        return;
    }
    for (unsigned i = 0; i < SENDER_KINDS; i++) {
        enum sender_kind kind = (enum sender_kind)i;
        buf_printf(r->out, "== %s: %s", sender_name(kind), sender_file(kind));
        if (kind == SENDER_RSYSLOG)
            say(r, " (one of the three relays is enough)", " (中継はこの三つのうち一つで足ります)");
        buf_text(r->out, "\n");
        sender_config_print(r->out, kind, &sender);
        buf_byte(r->out, '\n');
    }
    say(r, "A single one of these, to put into its file: --print NAME.\n",
        "一つだけをファイルに入れるには --print 名前 を使います。\n");
}

void source_report_print(struct buf *out, const struct source_try *t)
{
    struct report r = {.out = out, .t = t, .japanese = t->options->sender.japanese};
    print_sample(&r);
    print_format(&r);
    print_envelope(&r);
    print_parsed(&r);
    print_fields(&r);
    print_clock(&r);
    print_encoding(&r);
    print_rules(&r);
    print_detectors(&r);
    print_configs(&r);
}
