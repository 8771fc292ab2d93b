#include "app/follow.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/err.h"

int follow_begin(struct follow *f, int out)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return ERR_IO;
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    *f = (struct follow){.signals = fd, .out = out};
    return 0;
}

void follow_end(struct follow *f)
{
    if (f->signals >= 0)
        (void)close(f->signals);
    f->signals = -1;
}

bool follow_wait(const struct follow *f, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = f->signals, .events = POLLIN}, {.fd = f->out}};
    return poll(fds, 2, timeout_ms) > 0 &&
           (fds[0].revents != 0 || (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0);
}
