/*
 * The YAML reader and the configuration on any bytes: no crash, no hang, no silent refusal, and
 * what was accepted prints as a text that is accepted with the same values.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/yaml.h"

static const char *const CHOICES[] = {"a", "bb", "ccc", NULL};

static const struct conf_key TABLE[] = {
    {.path = "s", .type = CONF_STRING, .initial = "x"},
    {.path = "i", .type = CONF_INT, .min = -5, .max = 99},
    {.path = "b", .type = CONF_BOOL},
    {.path = "d", .type = CONF_DURATION},
    {.path = "n.z", .type = CONF_SIZE, .initial = "1MiB"},
    {.path = "n.e", .type = CONF_ENUM, .choices = CHOICES},
    {.path = "m.*", .type = CONF_STRING},
    {.path = "l[]", .type = CONF_CIDR},
    {.path = "t.*.o[].p", .type = CONF_PATH, .required = true},
    {.path = "t.*.o[].z", .type = CONF_ZONE, .initial = "Z"},
};

enum {
    KEYS = sizeof(TABLE) / sizeof(TABLE[0]),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct conf *conf)
{
    struct buf once = {0};
    struct buf twice = {0};
    struct diag diag = {0};
    struct conf *again = NULL;
    conf_print(conf, &once);
    int err = conf_parse(&again, TABLE, KEYS, buf_content(&once), "f", &diag);
    assert(err == 0);
    conf_print(again, &twice);
    assert(slice_equal(buf_content(&once), buf_content(&twice)));
    conf_free(again);
    diag_release(&diag);
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct diag diag = {0};
    struct yaml_node *root = NULL;
    struct conf *conf = NULL;
    int err = yaml_read_stream(&root, &arena, slice_of(data, size), "f", &diag);
    assert((err == 0) == (diag.count == 0));
    arena_release(&arena);
    diag_release(&diag);
    err = conf_parse(&conf, TABLE, KEYS, slice_of(data, size), "f", &diag);
    assert((err == 0) == (diag.count == 0));
    if (err == 0)
        check_round_trip(conf);
    conf_free(conf);
    diag_release(&diag);
    return 0;
}
