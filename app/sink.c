#include "app/sink.h"

#include <errno.h>
#include <unistd.h>

#include "base/err.h"

int sink_flush(struct sink *s)
{
    if (s->err == 0 && !buf_ok(&s->out))
        s->err = ERR_NOMEM;
    size_t at = 0;
    while (s->err == 0 && at < s->out.len) {
        ssize_t wrote = write(s->fd, s->out.data + at, s->out.len - at);
        if (wrote >= 0)
            at += (size_t)wrote;
        else if (errno != EINTR)
            s->err = errno == EPIPE ? ERR_DOWN : ERR_IO;
    }
    buf_reset(&s->out);
    return s->err;
}

int sink_close(struct sink *s)
{
    int err = sink_flush(s);
    buf_release(&s->out);
    return err;
}
