#include "app/gen_mmdb.h"

#include <assert.h>
#include <stdlib.h>

#include "app/gen_text.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    NODES_MAX = 1 << 20,
    ADDRESS_BITS = 128,
    ROWS_MAX = 32,
    SEPARATOR_BYTES = 16,
    IPV6_NETWORK_BITS = 51,
    IPV4_NETWORK_BITS = 30,
    BUILD_EPOCH = 1791126000, /* a fixed day: the bytes must not depend on the clock */
};

/* Types of the format's data section. */
enum mmdb_type {
    TYPE_POINTER = 1,
    TYPE_STRING = 2,
    TYPE_UINT16 = 5,
    TYPE_UINT32 = 6,
    TYPE_MAP = 7,
    TYPE_UINT64 = 9,
    TYPE_ARRAY = 11,
};

/* A record is a node, or EMPTY, or LEAF + row. */
#define EMPTY UINT32_MAX
#define LEAF  UINT32_C(0x80000000)

struct tree {
    uint32_t (*nodes)[2];
    uint32_t count;
};

struct prefix {
    uint8_t bytes[16];
    uint32_t bits;
};

static int add_node(uint32_t *out, struct tree *t)
{
    if (t->count >= NODES_MAX)
        return ERR_NOMEM;
    t->nodes[t->count][0] = EMPTY;
    t->nodes[t->count][1] = EMPTY;
    *out = t->count++;
    return 0;
}

/* Set the record of a prefix; needs that no network above it is set. */
static int insert(struct tree *t, const struct prefix *p, uint32_t record)
{
    uint32_t node = 0;
    for (uint32_t bit = 0; bit + 1 < p->bits; bit++) {
        uint32_t *next = &t->nodes[node][p->bytes[bit / 8] >> (7 - bit % 8) & 1];
        if (*next == EMPTY) {
            int result = add_node(next, t);
            if (result != 0)
                return result;
        }
        assert(*next < LEAF);
        node = *next;
    }
    uint32_t last = p->bits - 1;
    t->nodes[node][p->bytes[last / 8] >> (7 - last % 8) & 1] = record;
    return 0;
}

static struct prefix ipv4_prefix(uint32_t address, uint32_t bits)
{
    struct prefix p = {.bits = 96 + bits};
    bytes_put32_be(p.bytes + 12, address);
    return p;
}

static struct prefix ipv6_prefix(uint32_t value, uint32_t bits)
{
    struct prefix p = {.bits = bits};
    bytes_put32_be(p.bytes, UINT32_C(0x20010db8));
    bytes_put32_be(p.bytes + 4, value);
    return p;
}

static uint32_t row_of(enum gen_mmdb_kind kind, uint32_t value, bool v6)
{
    struct gen_address a = {.value = value, .v6 = v6};
    return kind == GEN_MMDB_COUNTRY ? gen_country_of(a) : gen_system_of(a);
}

static int fill_ipv4(struct tree *t, enum gen_mmdb_kind kind, uint32_t base, uint32_t bits)
{
    uint32_t step = UINT32_C(1) << (32 - IPV4_NETWORK_BITS);
    uint32_t size = UINT32_C(1) << (32 - bits);
    int result = 0;
    for (uint32_t at = 0; result == 0 && at < size; at += step) {
        struct prefix p = ipv4_prefix(base + at, IPV4_NETWORK_BITS);
        result = insert(t, &p, LEAF | row_of(kind, base + at, false));
    }
    return result;
}

static int fill(struct tree *t, enum gen_mmdb_kind kind)
{
    uint32_t root = 0;
    int result = add_node(&root, t);
    if (result == 0)
        result = fill_ipv4(t, kind, GEN_DEST_BASE, 15);
    if (result == 0)
        result = fill_ipv4(t, kind, UINT32_C(0xC0000200), 24);
    if (result == 0)
        result = fill_ipv4(t, kind, UINT32_C(0xC6336400), 24);
    if (result == 0)
        result = fill_ipv4(t, kind, GEN_ATTACK_BASE, 24);
    uint32_t networks = UINT32_C(1) << (IPV6_NETWORK_BITS - 32);
    for (uint32_t i = 0; result == 0 && i < networks; i++) {
        uint32_t value = i << (64 - IPV6_NETWORK_BITS);
        struct prefix p = ipv6_prefix(value, IPV6_NETWORK_BITS);
        result = insert(t, &p, LEAF | row_of(kind, value, true));
    }
    if (result != 0)
        return result;
    /* The IPv4 part also stands under ::ffff:0:0/96. */
    uint32_t ipv4_root = 0;
    for (uint32_t bit = 0; bit < 96; bit++)
        ipv4_root = t->nodes[ipv4_root][0];
    struct prefix mapped = {.bits = 96};
    mapped.bytes[10] = mapped.bytes[11] = 0xFF;
    return insert(t, &mapped, ipv4_root);
}

/* ------------------------------------------------------------------ data section */

static void put_control(struct buf *b, enum mmdb_type type, size_t size)
{
    /* All sizes here are below 285. */
    size_t low = size < 29 ? size : 29;
    buf_byte(b, (char)((type < 8 ? type << 5 : 0) | low));
    if (type >= 8)
        buf_byte(b, (char)(type - 7));
    if (size >= 29)
        buf_byte(b, (char)(size - 29));
}

static void put_string(struct buf *b, const char *text)
{
    put_control(b, TYPE_STRING, strlen(text));
    buf_text(b, text);
}

/* An unsigned number in as few bytes as it needs. */
static void put_number(struct buf *b, enum mmdb_type type, uint64_t v)
{
    uint32_t bytes = 0;
    while (bytes < 8 && v >> (8 * bytes) != 0)
        bytes++;
    put_control(b, type, bytes);
    for (uint32_t i = bytes; i-- > 0;)
        buf_byte(b, (char)(v >> (8 * i) & 255));
}

static void put_country(struct buf *b, uint32_t row)
{
    const struct gen_country *c = gen_country(row);
    put_control(b, TYPE_MAP, 1);
    put_string(b, "country");
    put_control(b, TYPE_MAP, 2);
    put_string(b, "iso_code");
    put_string(b, c->code);
    put_string(b, "names");
    put_control(b, TYPE_MAP, 2);
    put_string(b, "en");
    put_string(b, c->name);
    put_string(b, "ja");
    put_string(b, c->name_ja);
}

static void put_system(struct buf *b, uint32_t row)
{
    put_control(b, TYPE_MAP, 2);
    put_string(b, "autonomous_system_number");
    put_number(b, TYPE_UINT32, gen_system_number(row));
    put_string(b, "autonomous_system_organization");
    put_string(b, gen_system_name(row));
}

static void put_metadata(struct buf *b, enum gen_mmdb_kind kind, uint32_t nodes)
{
    static const char MARKER[] = "\xab\xcd\xefMaxMind.com";
    buf_append(b, MARKER, sizeof(MARKER) - 1);
    put_control(b, TYPE_MAP, 9);
    put_string(b, "binary_format_major_version");
    put_number(b, TYPE_UINT16, 2);
    put_string(b, "binary_format_minor_version");
    put_number(b, TYPE_UINT16, 0);
    put_string(b, "build_epoch");
    put_number(b, TYPE_UINT64, BUILD_EPOCH);
    put_string(b, "database_type");
    put_string(b, kind == GEN_MMDB_COUNTRY ? "Sekisho-Synthetic-Country" : "Sekisho-Synthetic-ASN");
    put_string(b, "description");
    put_control(b, TYPE_MAP, 1);
    put_string(b, "en");
    put_string(b, "Invented values for documentation and benchmarking networks");
    put_string(b, "ip_version");
    put_number(b, TYPE_UINT16, 6);
    put_string(b, "languages");
    put_control(b, TYPE_ARRAY, 2);
    put_string(b, "en");
    put_string(b, "ja");
    put_string(b, "node_count");
    put_number(b, TYPE_UINT32, nodes);
    put_string(b, "record_size");
    put_number(b, TYPE_UINT16, 32);
}

static uint32_t encode(uint32_t record, uint32_t nodes, const uint32_t *rows)
{
    if (record == EMPTY)
        return nodes;
    if (record < LEAF)
        return record;
    return nodes + SEPARATOR_BYTES + rows[record & ~LEAF];
}

static void write_tree(struct buf *out, const struct tree *t, const uint32_t *rows)
{
    char *to = buf_reserve(out, (size_t)t->count * 8);
    if (to == NULL)
        return;
    for (uint32_t i = 0; i < t->count; i++) {
        bytes_put32_be(to + i * 8UL, encode(t->nodes[i][0], t->count, rows));
        bytes_put32_be(to + i * 8UL + 4, encode(t->nodes[i][1], t->count, rows));
    }
    out->len += (size_t)t->count * 8;
}

int gen_mmdb_make(struct buf *out, enum gen_mmdb_kind kind)
{
    assert(out->len == 0);
    struct tree tree = {0};
    struct buf data = {0};
    uint32_t rows[ROWS_MAX];
    uint32_t count = kind == GEN_MMDB_COUNTRY ? GEN_COUNTRIES : GEN_AUTONOMOUS_SYSTEMS;
    assert(count <= ROWS_MAX);
    tree.nodes = calloc(NODES_MAX, sizeof(*tree.nodes));
    int result = tree.nodes == NULL ? ERR_NOMEM : fill(&tree, kind);
    if (result != 0)
        goto out;
    for (uint32_t row = 0; row < count; row++) {
        rows[row] = (uint32_t)data.len;
        if (kind == GEN_MMDB_COUNTRY)
            put_country(&data, row);
        else
            put_system(&data, row);
    }
    static const char SEPARATOR[SEPARATOR_BYTES];
    write_tree(out, &tree, rows);
    buf_append(out, SEPARATOR, sizeof(SEPARATOR));
    buf_slice(out, buf_content(&data));
    put_metadata(out, kind, tree.count);
    if (!buf_ok(out) || !buf_ok(&data))
        result = ERR_NOMEM;
out:
    free(tree.nodes);
    buf_release(&data);
    return result;
}
