#include "app/signals.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static void end_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

void signals_block(void)
{
    sigset_t set;
    end_signals(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

bool signals_wait(int timeout_ms)
{
    sigset_t set;
    end_signals(&set);
    struct timespec wait = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    return sigtimedwait(&set, NULL, &wait) > 0;
}
