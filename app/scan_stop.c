#include "app/scan_stop.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

static void interrupts(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
}

int scan_stop_begin(struct scan_stop *s, int64_t time_max_ns)
{
    sigset_t set;
    int64_t deadline_ns = 0;
    interrupts(&set);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return ERR_IO;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return ERR_IO;
    if (__builtin_add_overflow(clock_monotonic_ns(), time_max_ns, &deadline_ns))
        deadline_ns = INT64_MAX;
    s->deadline_ns = deadline_ns;
    s->signals = fd;
    atomic_store(&s->reason, SCAN_STOP_NONE);
    return 0;
}

void scan_stop_end(struct scan_stop *s)
{
    sigset_t set;
    if (s->signals < 0)
        return;
    (void)scan_stop_now(s); /* an interrupt that waits is one of the search */
    (void)close(s->signals);
    s->signals = -1;
    interrupts(&set);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void scan_stop_because(struct scan_stop *s, enum scan_stop_reason reason)
{
    int none = SCAN_STOP_NONE;
    (void)atomic_compare_exchange_strong(&s->reason, &none, reason);
}

bool scan_stop_now(struct scan_stop *s)
{
    struct signalfd_siginfo info;
    if (s->signals >= 0 && read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        scan_stop_because(s, SCAN_STOP_SIGNAL);
    if (s->deadline_ns != INT64_MAX && clock_monotonic_ns() >= s->deadline_ns)
        scan_stop_because(s, SCAN_STOP_TIME);
    return atomic_load(&s->reason) != SCAN_STOP_NONE;
}

const char *scan_stop_text(const struct scan_stop *s)
{
    switch (atomic_load(&s->reason)) {
    case SCAN_STOP_TIME:
        return "--max-time is over";
    case SCAN_STOP_SIGNAL:
        return "interrupted";
    case SCAN_STOP_MEMORY:
        return "--max-memory is full";
    default:
        return NULL;
    }
}
