#include "app/output_config.h"

#include "app/output_mail_text.h"
#include "app/output_socket.h"

enum {
    TOPIC_BYTES_MAX = 249,
};

static const struct conf_node *given(const struct conf *conf, const char *path)
{
    const struct conf_node *n = conf_find(conf_root(conf), path);
    return n != NULL && n->text.data != NULL ? n : NULL;
}

static bool made_of(struct slice text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\0' || strchr(set, text.data[i]) == NULL)
            return false;
    }
    return true;
}

static void check_kafka(const struct conf *conf, struct diag *diag)
{
    static const char LETTERS[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const struct conf_node *topic = given(conf, "outputs.kafka.topic");
    if (topic == NULL)
        return;
    if (topic->text.len > TOPIC_BYTES_MAX || !made_of(topic->text, LETTERS))
        conf_error(conf, topic, diag, "a topic is named by letters, digits, '.', '_' and '-'");
    else if (slice_starts(topic->text, SLICE("seclog.raw.")))
        conf_error(conf, topic, diag,
                   "topics seclog.raw.* are collected: the alerts would come back as log lines");
}

static void check_file(const struct conf *conf, struct diag *diag)
{
    const struct conf_node *section = conf_find(conf_root(conf), "outputs.file");
    if (section != NULL && section->given && given(conf, "outputs.file.path") == NULL &&
        given(conf, "outputs.file.tenant_directory") == NULL) {
        conf_error(conf, section, diag,
                   "nothing would be written: give path, tenant_directory or both");
    }
}

static void check_redis(const struct conf *conf, struct diag *diag)
{
    struct output_address address;
    const struct conf_node *n = given(conf, "outputs.redis.address");
    if (n == NULL)
        return;
    if (output_address_parse(&address, n->text.data) != 0 || address.transport == OUTPUT_UDP)
        conf_error(conf, n, diag, "give unix:PATH or 127.0.0.1:6379");
    else if (!output_address_local(&address))
        conf_error(conf, n, diag, "give a loopback address: the connection is not encrypted");
}

static void check_syslog(const struct conf *conf, struct diag *diag)
{
    struct output_address address;
    const struct conf_node *n = given(conf, "outputs.syslog.address");
    const struct conf_node *data_id = given(conf, "outputs.syslog.data_id");
    if (n != NULL && output_address_parse(&address, n->text.data) != 0)
        conf_error(conf, n, diag, "give udp:HOST:PORT, tcp:HOST:PORT or unix:PATH");
    if (data_id == NULL)
        return;
    bool good = memchr(data_id->text.data, '@', data_id->text.len) != NULL;
    for (size_t i = 0; i < data_id->text.len; i++) {
        char c = data_id->text.data[i];
        good = good && c > ' ' && c < 127 && c != '=' && c != ']' && c != '"';
    }
    if (!good)
        conf_error(conf, data_id, diag, "give name@number, the number being your enterprise's");
}

static void check_addresses(const struct conf *conf, const struct conf_node *list,
                            struct diag *diag)
{
    for (const struct conf_node *n = list == NULL ? NULL : list->first; n != NULL; n = n->next) {
        if (n->text.data != NULL && !mail_address_valid(n->text.data))
            conf_error(conf, n, diag, "\"%s\" is no mail address; give one as name@example.jp",
                       n->text.data);
    }
}

static void check_mail(const struct conf *conf, struct diag *diag)
{
    const struct conf_node *root = conf_root(conf);
    const struct conf_node *server = given(conf, "outputs.mail.server");
    const struct conf_node *from = given(conf, "outputs.mail.from");
    const struct conf_node *tenants = conf_find(root, "tenants");
    if (server != NULL) {
        bool good = slice_starts(server->text, SLICE("smtp://")) ||
                    slice_starts(server->text, SLICE("smtps://"));
        for (size_t i = 0; i < server->text.len; i++)
            good = good && server->text.data[i] > ' ' && server->text.data[i] < 127;
        if (!good)
            conf_error(conf, server, diag, "give smtp://HOST:PORT or smtps://HOST:PORT");
    }
    if (from != NULL && !mail_address_valid(from->text.data))
        conf_error(conf, from, diag, "\"%s\" is no mail address; give one as name@example.jp",
                   from->text.data);
    if (given(conf, "outputs.mail.user") != NULL &&
        given(conf, "outputs.mail.password_file") == NULL)
        conf_error(conf, given(conf, "outputs.mail.user"), diag,
                   "a user needs outputs.mail.password_file");
    check_addresses(conf, conf_find(root, "outputs.mail.to"), diag);
    for (const struct conf_node *n = tenants == NULL ? NULL : tenants->first; n != NULL;
         n = n->next)
        check_addresses(conf, conf_find(n, "mail"), diag);
}

void output_config_check(const struct conf *conf, struct diag *diag)
{
    check_kafka(conf, diag);
    check_file(conf, diag);
    check_redis(conf, diag);
    check_syslog(conf, diag);
    check_mail(conf, diag);
}
