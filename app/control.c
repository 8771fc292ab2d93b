#include "app/control.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/err.h"
#include "ingest/ingest.h"

#define ID_DIGITS (2 * sizeof((struct alert_id){0}.bytes))

static int read_hex(struct alert_id *out, const char *text)
{
    if (strlen(text) != ID_DIGITS)
        return ERR_FORMAT;
    for (size_t i = 0; i < ID_DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = strchr(digits, text[i]);
        if (at == NULL)
            return ERR_FORMAT;
        out->bytes[i / 2] = (uint8_t)(out->bytes[i / 2] << 4 | (at - digits));
    }
    return 0;
}

/* A text member into a buffer; absent is empty. ERR_FORMAT when it is too long or no text. */
static int read_text(char *out, size_t cap, const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    if (member == NULL) {
        out[0] = '\0';
        return 0;
    }
    const char *text = json_string_value(member);
    if (text == NULL || strlen(text) >= cap)
        return ERR_FORMAT;
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

static int read_action(struct detect_control *c, const char *action)
{
    if (action == NULL)
        return ERR_FORMAT;
    if (strcmp(action, "suppress") == 0)
        c->action = DETECT_SUPPRESS;
    else if (strcmp(action, "ack") == 0)
        c->action = DETECT_ACK;
    else if (strcmp(action, "close") == 0)
        c->action = DETECT_CLOSE;
    else
        return ERR_FORMAT;
    return 0;
}

static int read_object(struct detect_control *c, const json_t *object)
{
    const char *id = json_string_value(json_object_get(object, "id"));
    const char *tenant = json_string_value(json_object_get(object, "tenant"));
    const char *until = json_string_value(json_object_get(object, "until"));
    int status = read_action(c, json_string_value(json_object_get(object, "action")));
    if (status == 0 && id != NULL) {
        c->by_id = true;
        status = read_hex(&c->id, id);
    }
    if (status == 0 && tenant != NULL)
        status = tenant_code_parse(&c->tenant, slice_from(tenant));
    if (status == 0)
        status = read_text(c->kind, sizeof(c->kind), object, "kind");
    if (status == 0)
        status = read_text(c->key, sizeof(c->key), object, "key");
    if (status == 0)
        status = read_text(c->reason, sizeof(c->reason), object, "reason");
    if (status == 0 && until != NULL)
        status = clock_parse(&c->until_ns, slice_from(until));
    if (status != 0 || c->reason[0] == '\0')
        return ERR_FORMAT;
    bool says_what = c->by_id;
    if (c->action == DETECT_SUPPRESS)
        says_what = c->until_ns > 0 && (c->by_id || c->kind[0] != '\0' || c->key[0] != '\0');
    return says_what ? 0 : ERR_FORMAT;
}

int control_read(struct detect_control *out, struct slice json)
{
    struct detect_control c = {0};
    json_t *object = json_loadb(json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
    int status = json_is_object(object) ? read_object(&c, object) : ERR_FORMAT;
    json_decref(object);
    if (status == 0)
        *out = c;
    return status;
}
