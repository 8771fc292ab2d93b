#include "app/clickhouse_link.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    CONNECT_MS = 10 * 1000,
    REQUEST_MS = 5 * 60 * 1000,
    PAUSE_MS_FIRST = 250,
    PAUSE_MS_MOST = 30 * 1000,
    PASSWORD_BYTES_MAX = 1024,
    REASON_BYTES_MAX = 600, /* of what the server says */
};

struct clickhouse_link {
    const struct clickhouse_options *options;
    struct diag *diag;
    CURL *curl;
    struct curl_slist *headers;
    bool global;
    uint64_t retries;
    struct buf password;
    struct buf url;
    struct buf body; /* of the last answer */
    long code;       /* the server's, of what went wrong; 0: it said none */
    char error[CURL_ERROR_SIZE];
};

static int read_password(struct clickhouse_link *l)
{
    const char *path = l->options->password_file;
    if (path == NULL)
        return 0;
    int err = file_read_all(&l->password, path, PASSWORD_BYTES_MAX);
    while (err == 0 && l->password.len != 0 &&
           (l->password.data[l->password.len - 1] == '\n' ||
            l->password.data[l->password.len - 1] == '\r'))
        l->password.len--;
    if (err == 0 && l->password.len != 0 &&
        memchr(l->password.data, '\n', l->password.len) == NULL &&
        memchr(l->password.data, '\0', l->password.len) == NULL)
        return 0;
    diag_add(l->diag, path, 0, 0, "has no password: one line of at most %d bytes is wanted",
             PASSWORD_BYTES_MAX);
    return ERR_CONF;
}

static size_t take_body(char *data, size_t size, size_t items, void *self)
{
    struct clickhouse_link *l = self;
    size_t len = size * items;
    if (l->body.len + len > CLICKHOUSE_ANSWER_BYTES_MAX)
        return 0;
    buf_append(&l->body, data, len);
    return buf_ok(&l->body) ? len : 0;
}

static size_t take_header(char *line, size_t size, size_t items, void *self)
{
    static const char NAME[] = "x-clickhouse-exception-code:";
    struct clickhouse_link *l = self;
    size_t len = size * items;
    size_t name = sizeof(NAME) - 1;
    long code = 0;
    if (len <= name || strncasecmp(line, NAME, name) != 0)
        return len;
    for (size_t i = name; i < len && code < 1000000; i++) {
        if (line[i] >= '0' && line[i] <= '9')
            code = code * 10 + (line[i] - '0');
    }
    l->code = code;
    return len;
}

/* A header; user and password are no part of the URL, which others may see. */
static int add_header(struct clickhouse_link *l, const char *name, const char *value)
{
    struct buf line = {0};
    buf_printf(&line, "%s: %s", name, value);
    struct curl_slist *longer =
        buf_ok(&line) ? curl_slist_append(l->headers, buf_string(&line)) : NULL;
    buf_release(&line);
    if (longer == NULL)
        return ERR_NOMEM;
    l->headers = longer;
    return 0;
}

static int set_options(struct clickhouse_link *l)
{
    CURL *curl = l->curl;
    void *self = l;
    unsigned failed = 0;
#if LIBCURL_VERSION_NUM >= 0x075500
    failed |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    failed |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    failed |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    failed |= curl_easy_setopt(curl, CURLOPT_PROXY, "");
    failed |= curl_easy_setopt(curl, CURLOPT_POST, 1L);
    failed |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    failed |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, self);
    failed |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    failed |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, self);
    failed |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    failed |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)REQUEST_MS);
    failed |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, l->error);
    failed |= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, l->headers);
    failed |= l->options->ca == NULL ? 0U : curl_easy_setopt(curl, CURLOPT_CAINFO, l->options->ca);
    return failed == 0 ? 0 : ERR_NOMEM;
}

int clickhouse_link_open(struct clickhouse_link **out, const struct clickhouse_options *options,
                         struct diag *diag)
{
    struct clickhouse_link *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return ERR_NOMEM;
    l->options = options;
    l->diag = diag;
    int err = read_password(l);
    l->global = err == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    l->curl = l->global ? curl_easy_init() : NULL;
    if (err == 0 && l->curl == NULL)
        err = ERR_NOMEM;
    if (err == 0)
        err = add_header(l, "Content-Type", "application/octet-stream");
    if (err == 0)
        err = add_header(l, "Expect", ""); /* no question before the data */
    if (err == 0 && options->user != NULL)
        err = add_header(l, "X-ClickHouse-User", options->user);
    if (err == 0 && options->password_file != NULL)
        err = add_header(l, "X-ClickHouse-Key", buf_string(&l->password));
    if (err == 0)
        err = set_options(l);
    if (err != 0)
        clickhouse_link_close(l);
    else
        *out = l;
    return err;
}

void clickhouse_link_close(struct clickhouse_link *l)
{
    if (l == NULL)
        return;
    curl_easy_cleanup(l->curl);
    curl_slist_free_all(l->headers);
    if (l->global)
        curl_global_cleanup();
    if (l->password.data != NULL)
        explicit_bzero(l->password.data, l->password.cap);
    buf_release(&l->password);
    buf_release(&l->url);
    buf_release(&l->body);
    free(l);
}

uint64_t clickhouse_link_retries(const struct clickhouse_link *l)
{
    return l->retries;
}

static void add_parameter(struct clickhouse_link *l, const char *name, const char *value)
{
    char *text = curl_easy_escape(l->curl, value, 0);
    buf_printf(&l->url, "%s=%s", name, text == NULL ? "" : text);
    if (text == NULL)
        l->url.failed = true;
    curl_free(text);
}

static int make_url(struct clickhouse_link *l, const struct clickhouse_request *request)
{
    const char *url = l->options->url;
    size_t len = strlen(url);
    bool has_query = strchr(url, '?') != NULL;
    buf_reset(&l->url);
    buf_text(&l->url, url);
    buf_text(&l->url, has_query ? "&" : len != 0 && url[len - 1] == '/' ? "?" : "/?");
    add_parameter(l, "query", request->statement);
    /* The whole of it before the answer: what fails late must not look like success. */
    buf_text(&l->url, "&wait_end_of_query=1");
    /* A column that the table lacks is an error, not a loss that nobody sees. */
    if (request->token != NULL) {
        buf_text(&l->url,
                 "&async_insert=0&insert_deduplicate=1&input_format_skip_unknown_fields=0&");
        add_parameter(l, "insert_deduplication_token", request->token);
    }
    return buf_ok(&l->url) ? 0 : ERR_NOMEM;
}

/* What passes by itself, of what a server says: too much to do, no memory, read-only for now. */
static bool passes(long code, long status)
{
    static const long CODES[] = {
        159, /* TIMEOUT_EXCEEDED */
        160, /* TOO_SLOW */
        202, /* TOO_MANY_SIMULTANEOUS_QUERIES */
        209, /* SOCKET_TIMEOUT */
        210, /* NETWORK_ERROR */
        236, /* ABORTED */
        241, /* MEMORY_LIMIT_EXCEEDED */
        242, /* TABLE_IS_READ_ONLY */
        243, /* NOT_ENOUGH_SPACE */
        252, /* TOO_MANY_PARTS */
        285, /* TOO_FEW_LIVE_REPLICAS */
        319, /* UNKNOWN_STATUS_OF_INSERT */
        394, /* QUERY_WAS_CANCELLED */
        425, /* SYSTEM_ERROR */
        439, /* CANNOT_SCHEDULE_TASK */
        999, /* KEEPER_EXCEPTION */
    };
    if (code == 0)
        return status == 0 || status == 408 || status == 429 || status >= 500;
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        if (CODES[i] == code)
            return true;
    }
    return false;
}

/* One try. 0; ERR_AGAIN for what may pass; ERR_CONF for what does not. */
static int try_once(struct clickhouse_link *l, const struct clickhouse_request *request)
{
    unsigned failed = 0;
    long status = 0;
    l->code = 0;
    l->error[0] = '\0';
    buf_reset(&l->body);
    failed |= curl_easy_setopt(l->curl, CURLOPT_URL, buf_string(&l->url));
    failed |= curl_easy_setopt(l->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->data.len);
    failed |= curl_easy_setopt(l->curl, CURLOPT_POSTFIELDS,
                               request->data.len == 0 ? "" : request->data.data);
    if (failed != 0)
        return ERR_NOMEM;
    CURLcode code = curl_easy_perform(l->curl);
    (void)curl_easy_getinfo(l->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200 && l->code == 0)
        return 0;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        buf_reset(&l->body);
        buf_text(&l->body, l->error[0] != '\0' ? l->error : curl_easy_strerror(code));
        return ERR_CONF;
    }
    if (code != CURLE_OK) {
        buf_reset(&l->body);
        buf_text(&l->body, l->error[0] != '\0' ? l->error : curl_easy_strerror(code));
        return ERR_AGAIN;
    }
    return passes(l->code, status) ? ERR_AGAIN : ERR_CONF;
}

/* What the server said last, and what helps. */
static void explain(struct clickhouse_link *l, int err)
{
    static const struct {
        long code;
        const char *remedy;
    } REMEDIES[] = {
        {60, "; make the tables first: sekisho export --clickhouse-ddl"},
        {81, "; make the database first, or name another one: --table DATABASE.NAME"},
        {193, "; give --user and --password-file"},
        {194, "; give --user and --password-file"},
        {516, "; give --user and --password-file"},
        {117,
         "; the table is that of another version: compare it with sekisho export --clickhouse-ddl"},
        {53,
         "; the table is that of another version: compare it with sekisho export --clickhouse-ddl"},
    };
    struct slice said = buf_content(&l->body);
    const char *remedy = err == ERR_CONF ? "" : "; what was sent counts, start it again to go on";
    while (said.len != 0 && (said.data[said.len - 1] == '\n' || said.data[said.len - 1] == '\r'))
        said.len--;
    said.len = said.len > REASON_BYTES_MAX ? REASON_BYTES_MAX : said.len;
    for (size_t i = 0; i < sizeof(REMEDIES) / sizeof(REMEDIES[0]); i++) {
        if (REMEDIES[i].code == l->code)
            remedy = REMEDIES[i].remedy;
    }
    diag_add(l->diag, l->options->url, 0, 0, "%.*s%s", (int)said.len,
             said.data == NULL ? "" : said.data, remedy);
}

static void rest(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        continue;
}

int clickhouse_link_send(struct clickhouse_link *l, const struct clickhouse_request *request)
{
    int64_t until_ns = clock_monotonic_ns() + l->options->wait_ns;
    unsigned pause_ms = PAUSE_MS_FIRST;
    int err = make_url(l, request);
    if (err != 0)
        return err;
    for (;;) {
        err = try_once(l, request);
        if (err != ERR_AGAIN || clock_monotonic_ns() + (int64_t)pause_ms * 1000000 > until_ns)
            break;
        l->retries++;
        rest(pause_ms);
        pause_ms = pause_ms * 2 > PAUSE_MS_MOST ? PAUSE_MS_MOST : pause_ms * 2;
    }
    if (err == 0 && request->answer != NULL) {
        buf_slice(request->answer, buf_content(&l->body));
        return buf_ok(request->answer) ? 0 : ERR_NOMEM;
    }
    if (err == ERR_AGAIN || err == ERR_CONF)
        explain(l, err);
    return err == ERR_AGAIN ? ERR_DOWN : err;
}
