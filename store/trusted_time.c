#include "store/trusted_time.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/file.h"
#include "store/lines.h"

enum {
    FILE_BYTES_MAX = 4096,
};

#define TITLE "sekisho clock v1"
#define NAME  "clock"

/* The boots' own names are 8-4-4-4-12 hexadecimal digits. */
static bool is_boot_id(struct slice s)
{
    if (s.len != TRUSTED_BOOT_ID_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (!hex && c != '-')
            return false;
    }
    return true;
}

/* How much has passed since the last look, at least: what another boot slept is not known. */
static int64_t passed(const struct trusted_time *t, const struct time_look *look)
{
    if (look->boot_id[0] == '\0' || strcmp(t->boot_id, look->boot_id) != 0 ||
        look->boot_ns < t->boot_ns)
        return 0;
    return look->boot_ns - t->boot_ns;
}

/* The system clock stands below: nothing goes on, and after a while what was trusted was too late. */
static void look_below(struct trusted_time *t, int64_t system_ns, int64_t passed_ns)
{
    t->below_ns += passed_ns;
    if (t->below_ns < TRUSTED_PATIENCE_NS)
        return;
    t->time_ns = system_ns;
    t->since_ns = t->since_ns < system_ns ? t->since_ns : system_ns;
    t->below_ns = 0;
}

void trusted_time_look(struct trusted_time *t, const struct time_look *look)
{
    int64_t passed_ns = passed(t, look);
    if (!t->known) {
        *t = (struct trusted_time){
            .known = true, .time_ns = look->system_ns, .since_ns = look->system_ns};
    } else if (look->system_ns < t->time_ns) {
        look_below(t, look->system_ns, passed_ns);
    } else {
        int64_t reached = t->time_ns;
        if (__builtin_add_overflow(reached, passed_ns + passed_ns / TRUSTED_DRIFT_PARTS, &reached))
            reached = t->time_ns;
        reached = look->witness_ns > reached ? look->witness_ns : reached;
        t->time_ns = look->system_ns < reached ? look->system_ns : reached;
        t->below_ns = 0;
    }
    t->boot_ns = look->boot_ns;
    (void)snprintf(t->boot_id, sizeof(t->boot_id), "%s", look->boot_id);
}

int64_t trusted_time_now(const struct trusted_time *t, int64_t system_ns)
{
    if (!t->known)
        return CLOCK_NONE;
    return system_ns < t->time_ns ? system_ns : t->time_ns;
}

int64_t trusted_time_witness(const int64_t *stamps_ns, size_t count)
{
    int64_t first = CLOCK_NONE;
    int64_t second = CLOCK_NONE;
    for (size_t i = 0; i < count; i++) {
        if (stamps_ns[i] > first) {
            second = first;
            first = stamps_ns[i];
        } else if (stamps_ns[i] > second) {
            second = stamps_ns[i];
        }
    }
    return second;
}

void trusted_time_boot_id(char out[TRUSTED_BOOT_ID_BYTES + 1])
{
    struct buf text = {0};
    out[0] = '\0';
    if (file_read_all(&text, "/proc/sys/kernel/random/boot_id", FILE_BYTES_MAX) == 0 &&
        text.len == TRUSTED_BOOT_ID_BYTES + 1 &&
        is_boot_id(slice_of(text.data, TRUSTED_BOOT_ID_BYTES)))
        (void)snprintf(out, TRUSTED_BOOT_ID_BYTES + 1, "%s", buf_string(&text));
    buf_release(&text);
}

static int path_of(char *out, const char *dir)
{
    int len = snprintf(out, FILE_PATH_BYTES_MAX, "%s/" NAME, dir);
    return len > 0 && len < FILE_PATH_BYTES_MAX ? 0 : ERR_RANGE;
}

/* The hash line is that of all before it. */
static bool hash_right(struct slice text, size_t signed_len, const struct sha256 *said)
{
    struct sha256 made;
    return sha256_of(&made, slice_of(text.data, signed_len)) == 0 && sha256_equal(&made, said);
}

static void read_lines(struct lines *in, struct trusted_time *t, struct slice text)
{
    struct sha256 hash;
    lines_title(in, TITLE);
    t->time_ns = lines_field_time(in, "time");
    t->since_ns = lines_field_time(in, "since");
    lines_next(in, "boot");
    struct slice id = lines_word(in, "the boot's id");
    if (!in->failed && !is_boot_id(id))
        lines_fail(in, "the boot's id is none");
    t->boot_ns = (int64_t)lines_number(in, "the time since the boot", INT64_MAX);
    lines_end(in);
    lines_next(in, "below");
    t->below_ns = (int64_t)lines_number(in, "a span", INT64_MAX);
    lines_end(in);
    size_t len = text.len - in->rest.len;
    lines_field_hash(in, "hash", "the hash", &hash);
    lines_end_of_text(in);
    if (!in->failed && !hash_right(text, len, &hash))
        lines_fail(in, "the hash of the text differs");
    if (!in->failed)
        memcpy(t->boot_id, id.data, TRUSTED_BOOT_ID_BYTES);
}

int trusted_time_read(struct trusted_time *out, const char *dir, struct diag *diag)
{
    char path[FILE_PATH_BYTES_MAX];
    struct buf text = {0};
    struct trusted_time t = {.known = true};
    int err = path_of(path, dir);
    if (err == 0)
        err = file_read_all(&text, path, FILE_BYTES_MAX);
    if (err == 0) {
        struct lines in = lines_of(buf_content(&text), path, diag);
        read_lines(&in, &t, buf_content(&text));
        err = in.failed ? ERR_CORRUPT : 0;
    } else if (err == ERR_RANGE) {
        err = ERR_CORRUPT;
    }
    buf_release(&text);
    if (err == 0)
        *out = t;
    return err;
}

int trusted_time_write(const char *dir, const struct trusted_time *t)
{
    char path[FILE_PATH_BYTES_MAX];
    char hex[SHA256_HEX_BYTES + 1];
    struct buf text = {0};
    struct sha256 hash;
    static const char NONE[] = "00000000-0000-0000-0000-000000000000";
    buf_text(&text, TITLE "\ntime ");
    clock_print(&text, t->time_ns);
    buf_text(&text, "\nsince ");
    clock_print(&text, t->since_ns);
    buf_printf(&text, "\nboot %s %" PRId64 "\nbelow %" PRId64 "\n",
               t->boot_id[0] == '\0' ? NONE : t->boot_id, t->boot_ns, t->below_ns);
    int err = buf_ok(&text) ? sha256_of(&hash, buf_content(&text)) : ERR_NOMEM;
    if (err == 0) {
        sha256_hex(hex, &hash);
        buf_printf(&text, "hash %s\n", hex);
        err = buf_ok(&text) ? path_of(path, dir) : ERR_NOMEM;
    }
    if (err == 0)
        err = file_write_atomic(path, buf_content(&text));
    buf_release(&text);
    return err;
}
