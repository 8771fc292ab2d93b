/*
 * make_proofs DIR COUNT SEED: proofs for tests/checker/test_proof.py, about half of them damaged, each
 * with what the product says of it.
 *
 *   DIR/key      the public key
 *   DIR/0 ...    proofs of rows and of growth
 *   DIR/said     one line each: 1 it holds, 0 it does not
 *   DIR/checkpoints, DIR/held    a chain, and one of it
 */
#include <errno.h>

#include "tests/store/proof_case.h"

enum {
    CHAIN = 5
};

static void write_text(const char *dir, const char *name, struct slice text)
{
    char path[FILE_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (file_write_atomic(path, text) != 0)
        abort();
}

/* Another byte, a byte more or less, or two lines in the other order. */
static void damage(struct proof_case *c, struct buf *text)
{
    size_t at = case_draw(c, text->len);
    const char *line = memchr(text->data + at, '\n', text->len - at);
    size_t next = line == NULL ? text->len : (size_t)(line - text->data) + 1;
    switch (case_draw(c, 5)) {
    case 0:
        text->data[at] = (char)(text->data[at] ^ 1 << case_draw(c, 8));
        break;
    case 1:
        memmove(text->data + at, text->data + at + 1, text->len - at - 1);
        text->len--;
        break;
    case 2:
        buf_byte(text, 'x');
        memmove(text->data + at + 1, text->data + at, text->len - at - 1);
        break;
    case 3: /* a digit becomes another one */
        while (at < text->len && (text->data[at] < '0' || text->data[at] > '8'))
            at++;
        if (at < text->len)
            text->data[at]++;
        break;
    default:
        if (next + 1 < text->len && text->data[at] != text->data[next]) {
            char kept = text->data[at];
            text->data[at] = text->data[next];
            text->data[next] = kept;
        }
        break;
    }
}

static void make_row(struct proof_case *c, struct buf *text)
{
    uint64_t sizes[CASE_TENANTS];
    struct buf checkpoint = {0};
    size_t t = case_draw(c, CASE_TENANTS);
    for (size_t i = 0; i < CASE_TENANTS; i++)
        sizes[i] = 1 + case_draw(c, case_draw(c, 2) ? CASE_ROWS_MAX : 20);
    case_sign(c, &checkpoint, 1, NULL, sizes);
    uint64_t index = case_draw(c, sizes[t]);
    case_prove_row(c, text, t, index, sizes[t], buf_content(&checkpoint));
    buf_release(&checkpoint);
}

static void make_growth(struct proof_case *c, struct buf *text)
{
    uint64_t older[CASE_TENANTS];
    uint64_t newer[CASE_TENANTS];
    struct buf texts[2] = {{0}, {0}};
    for (size_t i = 0; i < CASE_TENANTS; i++) {
        newer[i] = case_draw(c, CASE_ROWS_MAX + 1);
        older[i] = case_draw(c, newer[i] + 1);
    }
    /* Forks, jumps and sizes that say nothing of the log are what the other side must judge alike. */
    case_sign(c, &texts[0], 1, NULL, older);
    struct slice first = buf_content(&texts[0]);
    case_sign(c, &texts[1], 2 + case_draw(c, 2), &first, newer);
    struct slice both[] = {first, buf_content(&texts[1])};
    case_prove_growth(c, text, older, newer, both);
    buf_release(&texts[0]);
    buf_release(&texts[1]);
}

static void make_chain(struct proof_case *c, const char *dir)
{
    struct buf all = {0};
    struct slice last = {0};
    for (uint64_t i = 1; i <= CHAIN; i++) {
        struct buf one = {0};
        const uint64_t sizes[CASE_TENANTS] = {i, i * 100, i * 300};
        case_sign(c, &one, i, i == 1 ? NULL : &last, sizes);
        size_t at = all.len;
        buf_slice(&all, buf_content(&one));
        if (!buf_ok(&all))
            abort();
        last = slice_of(all.data + at, one.len);
        buf_release(&one);
        if (i == CHAIN - 1)
            write_text(dir, "held", last);
    }
    write_text(dir, "checkpoints", buf_content(&all));
    buf_release(&all);
}

static uint64_t number(const char *text)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0')
        abort();
    return value;
}

int main(int argc, char **argv)
{
    struct proof_case c;
    struct buf said = {0};
    struct buf text = {0};
    if (argc != 4)
        return 2;
    case_init(&c, number(argv[3]));
    note_key_print(&text, &c.signer.key);
    write_text(argv[1], "key", buf_content(&text));
    make_chain(&c, argv[1]);
    for (uint64_t i = 0; i < number(argv[2]); i++) {
        char name[32];
        buf_reset(&text);
        if (case_draw(&c, 2) == 0)
            make_row(&c, &text);
        else
            make_growth(&c, &text);
        if (case_draw(&c, 2) == 0)
            damage(&c, &text);
        buf_byte(&said, case_judge(c.hasher, buf_content(&text), &c.signer.key) == 0 ? '1' : '0');
        buf_byte(&said, '\n');
        (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)i);
        write_text(argv[1], name, buf_content(&text));
    }
    write_text(argv[1], "said", buf_content(&said));
    buf_release(&text);
    buf_release(&said);
    case_release(&c);
    return 0;
}
