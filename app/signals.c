#include "app/signals.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static void waited_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
}

void signals_block(void)
{
    sigset_t set;
    waited_signals(&set);
    (void)sigaddset(&set, SIGPIPE);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

enum signals_event signals_wait(int timeout_ms)
{
    sigset_t set;
    waited_signals(&set);
    struct timespec wait = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    int got = sigtimedwait(&set, NULL, &wait);
    if (got <= 0)
        return SIGNALS_NONE;
    return got == SIGHUP ? SIGNALS_RELOAD : SIGNALS_END;
}
