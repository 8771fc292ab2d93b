#include "app/alert_request.h"

#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>

#include "app/alert_find.h"
#include "app/control_client.h"
#include "app/control_server.h"
#include "app/options.h"
#include "base/clock.h"
#include "base/escape.h"
#include "event/ndjson.h"

enum {
    USER_BYTES = 16 * 1024,
};

#define DURABLE_WAIT_NS (10 * CLOCK_NS_PER_SECOND)

/* What the control says, as text. */
struct wording {
    struct buf id;
    struct buf kind;
    struct buf key;
    uint32_t tenant; /* 0 = all */
};

static void wording_release(struct wording *w)
{
    buf_release(&w->id);
    buf_release(&w->kind);
    buf_release(&w->key);
}

/* ------------------------------------------------------------------------------ the alert */

/* The first of the keys that detection groups by stands behind the texts. */
static void put_first_key(struct buf *out, json_t *root)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(root, name, value)
    {
        if (!alert_print_is_key(name) || (!json_is_string(value) && !json_is_integer(value)))
            continue;
        buf_printf(out, "%s=", name);
        if (json_is_string(value))
            buf_text(out, json_string_value(value));
        else
            buf_decimal(out, json_integer_value(value));
        return;
    }
}

/* An id stands for its alert's municipality, and in a suppression for kind and first group key. */
static int word_alert(struct wording *w, const struct alert_request *r, struct alert_store *s,
                      const struct alert_entry *e)
{
    struct buf line = {0};
    struct output_alert a;
    alert_print_id(&w->id, &e->id);
    w->tenant = e->tenant;
    if (r->action != DETECT_SUPPRESS)
        return 0;
    int status = alert_store_line(s, e, &line);
    if (status == 0) {
        const struct alert_record record = {
            .tenant = e->tenant, .id = e->id, .line = buf_content(&line)};
        (void)output_alert_read(&a, &record);
        buf_text(&w->kind, a.kind);
        put_first_key(&w->key, a.root);
        output_alert_release(&a);
    }
    buf_release(&line);
    return status;
}

/* ------------------------------------------------------------------------------ the control */

static void put_user(struct buf *out)
{
    char memory[USER_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    if (getpwuid_r(getuid(), &entry, memory, sizeof(memory), &found) == 0 && found != NULL)
        buf_text(out, found->pw_name);
    else
        buf_printf(out, "uid %u", (unsigned)getuid());
}

static void put_member(struct buf *out, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    buf_printf(out, ",\"%s\":", name);
    ndjson_string(out, text);
}

static void put_time(struct buf *out, const char *name, int64_t ns)
{
    buf_printf(out, ",\"%s\":\"", name);
    clock_print(out, ns);
    buf_byte(out, '"');
}

static const char *action_name(int action)
{
    return action == DETECT_SUPPRESS ? "suppress" : action == DETECT_ACK ? "ack" : "close";
}

static void put_control(struct buf *out, const struct alert_request *r, struct wording *w)
{
    struct buf by = {0};
    if (r->by == NULL)
        put_user(&by);
    else
        buf_text(&by, r->by);
    buf_printf(out, "{\"action\":\"%s\"", action_name(r->action));
    put_member(out, "id", buf_content(&w->id));
    if (w->tenant != 0)
        buf_printf(out, ",\"tenant\":\"%06" PRIu32 "\"", w->tenant);
    put_member(out, "kind", buf_content(&w->kind));
    put_member(out, "key", buf_content(&w->key));
    if (r->action == DETECT_SUPPRESS)
        put_time(out, "until", r->until_ns);
    put_member(out, "reason", slice_from(r->reason));
    put_member(out, "by", buf_content(&by));
    put_time(out, "at", clock_now_ns());
    buf_byte(out, '}');
    buf_release(&by);
}

/* Suppressions that a municipality has already. */
static size_t count_in_force(const struct alert_store *s, uint32_t tenant, int64_t now_ns)
{
    uint64_t begin = 0;
    uint64_t end = 0;
    size_t count = 0;
    alert_store_controls(s, &begin, &end);
    for (; begin < end; begin++) {
        if (!alert_store_in_force(s, begin, now_ns))
            continue;
        uint32_t of = alert_store_control(s, begin)->what.tenant;
        count += of == 0 || tenant == 0 || of == tenant;
    }
    return count;
}

static int check_control(const struct alert_request *r, const struct wording *w, struct slice json,
                         struct diag *diag)
{
    const struct {
        const char *name;
        size_t len;
        size_t cap;
    } texts[] = {{"the reason", strlen(r->reason), DETECT_CONTROL_REASON_MAX},
                 {"--kind", w->kind.len, DETECT_CONTROL_KIND_MAX},
                 {"the key", w->key.len, DETECT_CONTROL_KEY_MAX},
                 {"--by", r->by == NULL ? 0 : strlen(r->by), ALERT_STORE_BY_MAX},
                 {"the request", json.len, CONTROL_SERVER_REQUEST_BYTES_MAX}};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].len < texts[i].cap)
            continue;
        diag_add(diag, NULL, 0, 0, "%s has %zu bytes: at most %zu fit", texts[i].name, texts[i].len,
                 texts[i].cap - 1);
        return EXIT_CODE_USAGE;
    }
    return EXIT_CODE_OK;
}

static int send_failed(const struct alert_request *r, int status, struct buf *why,
                       struct diag *diag)
{
    if (status == ERR_CONF) {
        diag_add(diag, NULL, 0, 0, "the collector refused it: %s", buf_string(why));
        return EXIT_CODE_FINDINGS;
    }
    diag_add(diag, NULL, 0, 0, "no collector answers on %s/control.sock (%s): is it running?",
             r->dir, err_name(status));
    return EXIT_CODE_DOWN;
}

/* ------------------------------------------------------------------------------ all of it */

static void say_done(const struct alert_request *r, const struct wording *w, struct slice json,
                     struct buf *out)
{
    static const char *const DONE[][2] = {
        [DETECT_SUPPRESS] = {"suppressed", "抑止しました"},
        [DETECT_ACK] = {"acknowledged", "確認済みにしました"},
        [DETECT_CLOSE] = {"closed", "終了にしました"},
    };
    if (r->json) {
        buf_slice(out, json);
        buf_byte(out, '\n');
        return;
    }
    buf_printf(out, "%s:", DONE[r->action][r->print.japanese]);
    const struct slice parts[] = {buf_content(&w->id), buf_content(&w->kind), buf_content(&w->key)};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        buf_text(out, parts[i].len == 0 ? "" : " ");
        escape_text(out, parts[i]);
    }
    if (r->action == DETECT_SUPPRESS) {
        buf_text(out, r->print.japanese ? " 期限 " : " until ");
        alert_print_time(out, &r->print, r->until_ns);
    }
    buf_byte(out, '\n');
}

static int hand_over(const struct alert_request *r, struct alert_store *s, struct slice json,
                     struct diag *diag)
{
    struct buf why = {0};
    int status = control_send(r->dir, json, &why);
    int code = status == 0 ? EXIT_CODE_OK : send_failed(r, status, &why, diag);
    buf_release(&why);
    if (code != EXIT_CODE_OK)
        return code;
    status = alert_store_await(s, json, DURABLE_WAIT_NS);
    if (status == ERR_AGAIN) {
        diag_add(diag, NULL, 0, 0,
                 "the collector took it, but it is not in the log after ten seconds: "
                 "see sekisho status --data %s",
                 r->dir);
        return EXIT_CODE_DOWN;
    }
    return option_exit_code(status);
}

static int word_request(struct wording *w, const struct alert_request *r, struct alert_store *s,
                        struct diag *diag)
{
    const struct alert_entry *e = NULL;
    if (r->id == NULL) {
        w->tenant = r->has_tenant ? r->tenant : 0;
        buf_text(&w->kind, r->kind == NULL ? "" : r->kind);
        buf_text(&w->key, r->key == NULL ? "" : r->key);
    } else {
        const struct alert_wanted wanted = {
            .dir = r->dir, .id = r->id, .has_tenant = r->has_tenant, .tenant = r->tenant};
        int code = alert_find(&e, &wanted, s, diag);
        if (code == EXIT_CODE_OK)
            code = option_exit_code(word_alert(w, r, s, e));
        if (code != EXIT_CODE_OK)
            return code;
    }
    int64_t now_ns = clock_now_ns();
    if (r->action == DETECT_SUPPRESS && r->until_ns > now_ns &&
        count_in_force(s, w->tenant, now_ns) >= DETECT_SUPPRESSIONS_MAX) {
        diag_add(diag, NULL, 0, 0,
                 "%d suppressions are in force already, and no more fit: end one "
                 "with --until now; sekisho alerts suppressions --data %s lists them",
                 DETECT_SUPPRESSIONS_MAX, r->dir);
        return EXIT_CODE_FINDINGS;
    }
    return EXIT_CODE_OK;
}

int alert_request_run(const struct alert_request *r, struct buf *out, struct diag *diag)
{
    const struct alert_store_options options = {.dir = r->dir};
    struct alert_store *s = NULL;
    struct wording w = {0};
    struct buf json = {0};
    int status = alert_store_open(&s, &options, diag);
    int code = option_exit_code(status);
    if (code == EXIT_CODE_OK)
        code = word_request(&w, r, s, diag);
    if (code == EXIT_CODE_OK) {
        put_control(&json, r, &w);
        code = check_control(r, &w, buf_content(&json), diag);
    }
    if (code == EXIT_CODE_OK)
        code = hand_over(r, s, buf_content(&json), diag);
    if (code == EXIT_CODE_OK)
        say_done(r, &w, buf_content(&json), out);
    wording_release(&w);
    buf_release(&json);
    alert_store_close(s);
    return code;
}
