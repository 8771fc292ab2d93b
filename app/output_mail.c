/* app/output_mail.c - alerts as mails through an SMTP server, one municipality's in each. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/output_mail_text.h"
#include "app/output_socket.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ingest/ingest.h"

enum {
    CONNECT_MS = 10000,
    SEND_MS = 60000,
    SECRET_BYTES_MAX = 1024,
    REPLY_REFUSED = 400, /* SMTP's answers from here on say no */
};

/* Who gets a municipality's mails. */
struct mail_receivers {
    uint32_t tenant;
    const char **addresses;
    size_t count;
};

struct mail_output {
    struct output_host *host;
    struct arena texts;
    const char *server;
    const char *from;
    const char *user;
    const char *secret;
    const char *ca;
    long use_ssl;          /* curl's */
    const char **everyone; /* of the prefecture */
    size_t everyone_count;
    struct mail_receivers *receivers;
    size_t receiver_count;
    struct mail_groups groups;
    bool dirty;
    bool global; /* curl was initialised */
    struct buf message;
    size_t uploaded;
    char refusal[OUTPUT_WHY_BYTES_MAX]; /* the last answer of the server that says no */
    char error[CURL_ERROR_SIZE];
};

static bool mail_configured(const struct config *config)
{
    return conf_text(config_root(config), "outputs.mail.server") != NULL;
}

static const char *copy_text(struct mail_output *m, const char *text)
{
    return text == NULL ? NULL : arena_copy(&m->texts, slice_from(text));
}

static int copy_list(struct mail_output *m, const struct conf_node *list, const char ***out,
                     size_t *count)
{
    size_t cap = list == NULL ? 0 : list->count;
    const char **copies = arena_array(&m->texts, cap + 1, sizeof(*copies));
    if (copies == NULL)
        return ERR_NOMEM;
    *count = 0;
    for (const struct conf_node *n = cap == 0 ? NULL : list->first; n != NULL; n = n->next) {
        const char *copy = arena_copy(&m->texts, n->text);
        if (copy == NULL)
            return ERR_NOMEM;
        copies[(*count)++] = copy;
    }
    *out = copies;
    return 0;
}

static int read_receivers(struct mail_output *m)
{
    const struct conf_node *root = config_root(m->host->config);
    const struct conf_node *tenants = conf_find(root, "tenants");
    int err = copy_list(m, conf_find(root, "outputs.mail.to"), &m->everyone, &m->everyone_count);
    m->receivers =
        arena_array(&m->texts, tenants == NULL ? 1 : tenants->count + 1, sizeof(*m->receivers));
    if (m->receivers == NULL)
        return ERR_NOMEM;
    for (const struct conf_node *n = tenants == NULL ? NULL : tenants->first; n != NULL && err == 0;
         n = n->next) {
        struct mail_receivers *r = &m->receivers[m->receiver_count];
        if (conf_count(n, "mail") == 0 || tenant_code_parse(&r->tenant, slice_from(n->key)) != 0)
            continue;
        err = copy_list(m, conf_find(n, "mail"), &r->addresses, &r->count);
        m->receiver_count++;
    }
    return err;
}

static int read_secret(struct mail_output *m, struct diag *diag)
{
    const char *path = config_path(m->host->config, "outputs.mail.password_file");
    struct buf text = {0};
    if (path == NULL)
        return 0;
    int err = file_read_all(&text, path, SECRET_BYTES_MAX);
    while (err == 0 && text.len != 0 &&
           (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    m->secret = err == 0 ? arena_copy(&m->texts, buf_content(&text)) : NULL;
    buf_release(&text);
    if (m->secret == NULL)
        diag_add(diag, path, 0, 0, "has no password of at most %d bytes", SECRET_BYTES_MAX);
    return m->secret == NULL ? ERR_CONF : 0;
}

static int read_config(struct mail_output *m, struct diag *diag)
{
    static const long SSL[] = {CURLUSESSL_TRY, CURLUSESSL_ALL, CURLUSESSL_NONE};
    const struct conf_node *root = config_root(m->host->config);
    m->server = copy_text(m, conf_text(root, "outputs.mail.server"));
    m->from = copy_text(m, conf_text(root, "outputs.mail.from"));
    m->user = copy_text(m, conf_text(root, "outputs.mail.user"));
    m->ca = copy_text(m, config_path(m->host->config, "outputs.mail.ca"));
    m->use_ssl = SSL[conf_int(root, "outputs.mail.starttls")];
    m->groups.policy = (struct mail_policy){
        .window_ns = conf_int(root, "outputs.mail.window"),
        .per_hour = (unsigned)conf_int(root, "outputs.mail.per_hour"),
        .minimum = (enum alert_severity)conf_int(root, "outputs.mail.minimum_severity"),
        .summary_hour = (int)conf_int(root, "outputs.mail.summary_hour")};
    if (m->server == NULL || m->from == NULL)
        return ERR_NOMEM;
    int err = read_receivers(m);
    return err == 0 ? read_secret(m, diag) : err;
}

static void mail_done(void *self)
{
    struct mail_output *m = self;
    mail_groups_release(&m->groups);
    buf_release(&m->message);
    arena_release(&m->texts);
    if (m->global)
        curl_global_cleanup();
    free(m);
}

static int mail_begin(void **out, struct output_host *host, struct slice state, struct diag *diag)
{
    struct mail_output *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return ERR_NOMEM;
    m->host = host;
    int err = read_config(m, diag);
    if (err == 0)
        err = mail_groups_read(&m->groups, state);
    if (err == 0) {
        m->global = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
        err = m->global ? 0 : ERR_NOMEM;
    }
    if (err != 0) {
        mail_done(m);
        return err;
    }
    *out = m;
    return 0;
}

/* Alerts only enter the groups here; with the cursor these are kept. */
static int mail_deliver(void *self, struct output_batch *batch)
{
    struct mail_output *m = self;
    int err = 0;
    for (size_t i = 0; i < batch->count && err == 0; i++) {
        if (batch->done[i])
            continue;
        err = mail_groups_add(&m->groups, &batch->alerts[i], batch->now_ns);
        batch->done[i] = err == 0;
    }
    if (err != 0)
        output_why(m->host, "alerts of more than %d municipalities, or no memory",
                   MAIL_TENANTS_MAX);
    return err;
}

static size_t upload(char *to, size_t size, size_t items, void *self)
{
    struct mail_output *m = self;
    size_t left = m->message.len - m->uploaded;
    size_t len = size * items < left ? size * items : left;
    if (len != 0)
        memcpy(to, m->message.data + m->uploaded, len);
    m->uploaded += len;
    return len;
}

/* The server's answers, one line a call. */
static size_t answered(char *line, size_t size, size_t items, void *self)
{
    struct mail_output *m = self;
    size_t len = size * items;
    if (len > 3 && (line[0] == '4' || line[0] == '5')) {
        while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
            len--;
        (void)snprintf(m->refusal, sizeof(m->refusal), "%.*s", (int)len, line);
    }
    return size * items;
}

static int progress(void *self, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct mail_output *m = self;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return output_stopping(m->host);
}

static struct curl_slist *receivers_of(const char *const *const lists[2], const size_t counts[2])
{
    struct curl_slist *all = NULL;
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < counts[i]; k++) {
            char address[OUTPUT_HOST_BYTES_MAX + 4];
            (void)snprintf(address, sizeof(address), "<%s>", lists[i][k]);
            struct curl_slist *longer = curl_slist_append(all, address);
            if (longer == NULL) {
                curl_slist_free_all(all);
                return NULL;
            }
            all = longer;
        }
    }
    return all;
}

/* Every option that must hold; a refusal of one would send something else than was meant. */
static CURLcode set_options(struct mail_output *m, CURL *curl, const struct curl_slist *receivers)
{
    char from[OUTPUT_HOST_BYTES_MAX + 4];
    unsigned failed = 0;
    void *self = m;
    (void)snprintf(from, sizeof(from), "<%s>", m->from);
    failed |= curl_easy_setopt(curl, CURLOPT_URL, m->server);
#if LIBCURL_VERSION_NUM >= 0x075500
    failed |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
    failed |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x080200
    failed |= curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
#else
    failed |= curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
#endif
    failed |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(curl, CURLOPT_USE_SSL, m->use_ssl);
    failed |= curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
    failed |= curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, receivers);
    failed |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, answered);
    failed |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, self);
    failed |= curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    failed |= curl_easy_setopt(curl, CURLOPT_READFUNCTION, upload);
    failed |= curl_easy_setopt(curl, CURLOPT_READDATA, self);
    failed |= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    failed |= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress);
    failed |= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, self);
    failed |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    failed |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)SEND_MS);
    failed |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, m->error);
    failed |= m->ca == NULL ? 0U : curl_easy_setopt(curl, CURLOPT_CAINFO, m->ca);
    failed |= curl_easy_setopt(curl, CURLOPT_USERNAME, m->user);
    failed |= curl_easy_setopt(curl, CURLOPT_PASSWORD, m->secret);
    return failed == 0 ? CURLE_OK : CURLE_FAILED_INIT;
}

/* Send what is in the message. *reply is the server's last answer, 0 when there was none. */
static CURLcode transfer(struct mail_output *m, const struct curl_slist *receivers, long *reply)
{
    CURL *curl = curl_easy_init();
    CURLcode code = curl == NULL ? CURLE_OUT_OF_MEMORY : set_options(m, curl, receivers);
    m->uploaded = 0;
    m->refusal[0] = '\0';
    m->error[0] = '\0';
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    *reply = 0;
    if (curl != NULL)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, reply);
    curl_easy_cleanup(curl);
    return code;
}

/*
 * Nobody is to get the mail, or it went out: 0. A server that says no to this mail does not keep
 * the others': *refused. A failure is one of the server as a whole.
 */
static int send_mail(struct mail_output *m, const struct mail_tenant *t, enum mail_due what,
                     bool *refused)
{
    const struct mail_receivers *own = NULL;
    for (size_t i = 0; i < m->receiver_count; i++) {
        if (m->receivers[i].tenant == t->tenant)
            own = &m->receivers[i];
    }
    const char *const *const lists[2] = {own == NULL ? NULL : own->addresses, m->everyone};
    const size_t counts[2] = {own == NULL ? 0 : own->count, m->everyone_count};
    if (counts[0] + counts[1] == 0)
        return 0;
    const struct mail_envelope envelope = {.from = m->from,
                                           .to = lists[0],
                                           .to_count = counts[0],
                                           .cc = lists[1],
                                           .cc_count = counts[1],
                                           .date_ns = clock_now_ns()};
    struct curl_slist *receivers = receivers_of(lists, counts);
    buf_reset(&m->message);
    mail_print(&m->message, &envelope, t, what);
    if (receivers == NULL || !buf_ok(&m->message)) {
        curl_slist_free_all(receivers);
        return ERR_NOMEM;
    }
    long reply = 0;
    CURLcode code = transfer(m, receivers, &reply);
    curl_slist_free_all(receivers);
    if (code == CURLE_OK) {
        if (m->refusal[0] != '\0')
            log_warn("output", "a mail went out, but not to everybody: see the addresses",
                     "tenant=%06u why=%s", t->tenant, m->refusal);
        return 0;
    }
    output_why(m->host, "%s: %s%s%s", m->server,
               m->error[0] != '\0' ? m->error : curl_easy_strerror(code),
               m->refusal[0] != '\0' ? ": " : "", m->refusal);
    *refused = reply >= REPLY_REFUSED;
    return ERR_DOWN;
}

/* One mail a call: what was sent is kept before the next one goes out. */
static int mail_tick(void *self, int64_t now_ns, const struct output_rows *rows)
{
    struct mail_output *m = self;
    struct mail_tenant *t = NULL;
    bool refused = false;
    (void)rows;
    enum mail_due what = mail_groups_due(&m->groups, now_ns, &t);
    if (what == MAIL_NONE || output_stopping(m->host))
        return 0;
    int err = send_mail(m, t, what, &refused);
    if (err == 0) {
        mail_groups_sent(&m->groups, t, what, now_ns);
        m->dirty = true;
    } else if (refused) {
        mail_groups_refused(t, now_ns);
        m->dirty = true;
        log_warn("output", "the mail server refuses a mail; it is tried again later",
                 "tenant=%06u why=%s refusals=%lld", t->tenant, m->host->why,
                 (long long)t->refusals);
        err = 0;
    }
    return err;
}

static bool mail_dirty(const void *self)
{
    const struct mail_output *m = self;
    return m->dirty;
}

static void mail_save(void *self, struct buf *state)
{
    struct mail_output *m = self;
    mail_groups_write(&m->groups, state);
    m->dirty = false;
}

const struct output_driver OUTPUT_MAIL = {
    .name = "mail",
    .from_now = true,
    .configured = mail_configured,
    .open = mail_begin,
    .close = mail_done,
    .deliver = mail_deliver,
    .tick = mail_tick,
    .dirty = mail_dirty,
    .save = mail_save,
};
