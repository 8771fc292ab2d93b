#include "app/gen_mess.h"

#include "app/gen_name.h"
#include "base/clock.h"

enum gen_mess_kind gen_mess_draw(struct gen_mess *m)
{
    if (m->permille == 0 && m->huge_permillion == 0)
        return GEN_MESS_NONE;
    if (m->huge_permillion > 0 && gen_random_below(&m->random, 1000000) < m->huge_permillion)
        return GEN_MESS_HUGE;
    if (!gen_random_permille(&m->random, m->permille))
        return GEN_MESS_NONE;
    return (enum gen_mess_kind)gen_random_between(&m->random, GEN_MESS_CP932, GEN_MESS_TWICE);
}

/* Put bytes into the middle of the line. */
static void insert(struct buf *line, size_t at, const char *data, size_t len)
{
    size_t rest = line->len - at;
    if (buf_reserve(line, len) == NULL)
        return;
    memmove(line->data + at + len, line->data + at, rest);
    memcpy(line->data + at, data, len);
    line->len += len;
}

/* The login becomes the family name, where the line has it; else the name stands at the end. */
static void name_in_cp932(struct buf *line, uint32_t tenant, uint32_t host)
{
    struct buf login = {0};
    struct buf name = {0};
    gen_name_user(&login, tenant, host);
    gen_name_user_cp932(&name, tenant, host);
    char *at = memmem(line->data, line->len, login.data, login.len);
    size_t from = at == NULL ? line->len : (size_t)(at - line->data);
    size_t gone = at == NULL ? 0 : login.len;
    memmove(line->data + from, line->data + from + gone, line->len - from - gone);
    line->len -= gone;
    insert(line, from, name.data, name.len);
    buf_release(&login);
    buf_release(&name);
}

static void break_quote(struct gen_mess *m, struct buf *line)
{
    char *quote = line->len == 0 ? NULL : memrchr(line->data, '"', line->len);
    if (quote == NULL) {
        insert(line, gen_random_below(&m->random, (uint32_t)line->len), "\"", 1);
        return;
    }
    size_t at = (size_t)(quote - line->data);
    memmove(quote, quote + 1, line->len - at - 1);
    line->len--;
}

static void blow_up(struct buf *line)
{
    if (line->len >= GEN_HUGE_BYTES)
        return;
    size_t more = GEN_HUGE_BYTES - line->len;
    char *to = buf_reserve(line, more);
    if (to == NULL)
        return;
    memset(to, 'A', more);
    line->len += more;
}

void gen_mess_apply(struct gen_mess *m, struct buf *line, enum gen_mess_kind kind, uint32_t tenant,
                    uint32_t host)
{
    uint32_t at = gen_random_below(&m->random, (uint32_t)line->len);
    switch (kind) {
    case GEN_MESS_CP932:
        name_in_cp932(line, tenant, host);
        break;
    case GEN_MESS_NUL:
        insert(line, at, "\0", 1);
        break;
    case GEN_MESS_CRLF:
        buf_byte(line, '\r');
        break;
    case GEN_MESS_EMPTY:
        line->len = 0;
        break;
    case GEN_MESS_CUT:
        line->len = at;
        break;
    case GEN_MESS_HEAD:
        memmove(line->data, line->data + at, line->len - at);
        line->len -= at;
        break;
    case GEN_MESS_QUOTE:
        break_quote(m, line);
        break;
    case GEN_MESS_ESCAPE:
        insert(line, at, "#011", 4);
        break;
    case GEN_MESS_BYTES:
        insert(line, at, "\xc0\xaf\xff\xed\xa0\x80", 6);
        break;
    case GEN_MESS_HUGE:
        blow_up(line);
        break;
    case GEN_MESS_NONE:
    case GEN_MESS_TWICE:
    case GEN_MESS_KINDS:
        break;
    }
}

void gen_mess_layout(struct buf *line, int64_t time_ns)
{
    struct buf head = {0};
    for (size_t i = 0; i < line->len; i++) {
        char *at = &line->data[i];
        if (*at == '=' || *at == ',' || *at == '%' || *at == '[' || *at == ']' || *at == '"')
            *at = '|';
    }
    buf_text(&head, "<134>1 ");
    clock_print(&head, time_ns);
    buf_text(&head, " gw event/2 - - - (");
    insert(line, 0, head.data, head.len);
    buf_byte(line, ')');
    if (!buf_ok(&head))
        line->failed = true;
    buf_release(&head);
}
