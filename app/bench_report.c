/* app/bench_report.c - rows as a table for people and as JSON for `bench compare`. */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "app/bench.h"
#include "app/options.h"
#include "base/file.h"

enum {
    CPUINFO_BYTES_MAX = 1 << 20,
    MODEL_BYTES_MAX = 95,
    STATM_BYTES_MAX = 4096,
};

struct bench_row *bench_row_add(struct bench_report *r, const char *unit, const char *format, ...)
{
    if (r->row_count == BENCH_ROWS_MAX)
        return NULL;
    struct bench_row *row = &r->rows[r->row_count++];
    *row = (struct bench_row){.unit = unit};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(row->name, sizeof(row->name), format, args);
    va_end(args);
    return row;
}

uint64_t bench_resident_bytes(void)
{
    struct buf text = {0};
    uint64_t pages = 0;
    if (file_read_all(&text, "/proc/self/statm", STATM_BYTES_MAX) == 0) {
        const char *at = strchr(buf_string(&text), ' ');
        pages = at == NULL ? 0 : strtoull(at, NULL, 10);
    }
    buf_release(&text);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void bench_sample(struct bench_row *row, double value)
{
    if (row->sample_count < BENCH_REPEAT_MAX)
        row->samples[row->sample_count++] = value;
}

static int compare_samples(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

double bench_median(const struct bench_row *row)
{
    double sorted[BENCH_REPEAT_MAX];
    unsigned n = row->sample_count;
    memcpy(sorted, row->samples, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_samples);
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double bench_min(const struct bench_row *row)
{
    double least = row->samples[0];
    for (unsigned i = 1; i < row->sample_count; i++)
        least = row->samples[i] < least ? row->samples[i] : least;
    return least;
}

double bench_max(const struct bench_row *row)
{
    double most = row->samples[0];
    for (unsigned i = 1; i < row->sample_count; i++)
        most = row->samples[i] > most ? row->samples[i] : most;
    return most;
}

/* What it was measured on. */
struct machine {
    char model[MODEL_BYTES_MAX + 1];
    struct utsname system;
    unsigned cores;
    uint64_t memory_bytes;
};

static void read_machine(struct machine *m)
{
    const struct slice key = SLICE("model name\t: ");
    struct buf text = {0};
    *m = (struct machine){.model = "unknown", .cores = option_processors()};
    if (uname(&m->system) != 0)
        m->system = (struct utsname){.sysname = "unknown"};
    m->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (file_read_all(&text, "/proc/cpuinfo", CPUINFO_BYTES_MAX) == 0) {
        const char *at = memmem(text.data, text.len, key.data, key.len);
        if (at != NULL) {
            at += key.len;
            size_t left = text.len - (size_t)(at - text.data);
            const char *end = memchr(at, '\n', left);
            size_t len = end == NULL ? left : (size_t)(end - at);
            (void)snprintf(m->model, sizeof(m->model), "%.*s", (int)len, at);
        }
    }
    buf_release(&text);
}

static uint64_t peak_resident_bytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static bool is_cpu(const struct bench_row *row)
{
    return strcmp(row->unit, BENCH_UNIT_CPU) == 0;
}

/* Of a row of CPU seconds per million events whose lines have a length. */
static double ns_per_byte(const struct bench_row *row)
{
    return 1e3 * bench_median(row) / row->line_bytes;
}

void bench_print_table(FILE *to, const struct bench_report *r, const struct bench_options *o)
{
    struct machine m;
    read_machine(&m);
    (void)fprintf(to, "%s, %u cores, %.1f GB, %s %s, %s, sekisho %s, seed %llu\n\n", m.model,
                  m.cores, (double)m.memory_bytes / 1e9, m.system.sysname, m.system.release,
                  "compiler " __VERSION__, SEKISHO_VERSION, (unsigned long long)o->seed);
    (void)fprintf(to, "%-34s %10s %19s  %-8s %14s %10s %7s %6s\n", "row", "median", "min..max",
                  "unit", "events/s/core", "events", "B/line", "ns/B");
    for (size_t i = 0; i < r->row_count; i++) {
        const struct bench_row *row = &r->rows[i];
        char spread[48];
        char rate[32] = "";
        char length[16] = "";
        char per_byte[16] = "";
        (void)snprintf(spread, sizeof(spread), "%.3f..%.3f", bench_min(row), bench_max(row));
        if (is_cpu(row))
            (void)snprintf(rate, sizeof(rate), "%.0f", 1e6 / bench_median(row));
        if (row->line_bytes > 0)
            (void)snprintf(length, sizeof(length), "%.0f", row->line_bytes);
        if (is_cpu(row) && row->line_bytes > 0)
            (void)snprintf(per_byte, sizeof(per_byte), "%.2f", ns_per_byte(row));
        (void)fprintf(to, "%-34s %10.3f %19s  %-8s %14s %10llu %7s %6s%s%s\n", row->name,
                      bench_median(row), spread, row->unit, rate, (unsigned long long)row->events,
                      length, per_byte, row->note[0] == '\0' ? "" : "  ", row->note);
    }
    (void)fprintf(to, "\n%u repeats; less is better; peak resident %.0f MB, lines held included\n",
                  o->repeat, (double)peak_resident_bytes() / 1e6);
}

static void json_text(FILE *to, const char *key, const char *text)
{
    (void)fprintf(to, "\"%s\":\"", key);
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char byte = (unsigned char)*p;
        if (byte == '"' || byte == '\\')
            (void)fprintf(to, "\\%c", byte);
        else
            (void)fputc(byte < 0x20 || byte > 0x7e ? '?' : byte, to);
    }
    (void)fputc('"', to);
}

void bench_print_json(FILE *to, const struct bench_report *r, const struct bench_options *o)
{
    struct machine m;
    read_machine(&m);
    (void)fprintf(to, "{\"sekisho\":\"%s\",\"seed\":%llu,\"repeat\":%u,\"machine\":{",
                  SEKISHO_VERSION, (unsigned long long)o->seed, o->repeat);
    json_text(to, "cpu", m.model);
    (void)fprintf(to, ",\"cores\":%u,\"memory_bytes\":%llu,", m.cores,
                  (unsigned long long)m.memory_bytes);
    json_text(to, "kernel", m.system.release);
    (void)fputc(',', to);
    json_text(to, "compiler", __VERSION__);
    (void)fprintf(to, "},\"peak_resident_bytes\":%llu,\"rows\":[\n",
                  (unsigned long long)peak_resident_bytes());
    for (size_t i = 0; i < r->row_count; i++) {
        const struct bench_row *row = &r->rows[i];
        (void)fprintf(to, "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.6f,\"min\":%.6f,",
                      row->name, row->unit, bench_median(row), bench_min(row));
        (void)fprintf(to, "\"max\":%.6f,\"events\":%llu,\"line_bytes\":%.1f,", bench_max(row),
                      (unsigned long long)row->events, row->line_bytes);
        if (is_cpu(row))
            (void)fprintf(to, "\"events_per_second_core\":%.0f,", 1e6 / bench_median(row));
        if (is_cpu(row) && row->line_bytes > 0)
            (void)fprintf(to, "\"ns_per_byte\":%.4f,", ns_per_byte(row));
        if (row->note[0] != '\0') {
            json_text(to, "note", row->note);
            (void)fputc(',', to);
        }
        (void)fputs("\"samples\":[", to);
        for (unsigned s = 0; s < row->sample_count; s++)
            (void)fprintf(to, "%s%.6f", s == 0 ? "" : ",", row->samples[s]);
        (void)fprintf(to, "]}%s\n", i + 1 == r->row_count ? "" : ",");
    }
    (void)fputs("]}\n", to);
}
