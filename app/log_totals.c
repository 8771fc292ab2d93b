#include "app/log_totals.h"

#include "app/log_walk.h"

int log_totals_read(struct totals_count *count, const char *dir, uint64_t from_seq,
                    uint64_t through_seq, uint64_t *damage, struct diag *diag)
{
    struct log_walk walk = {0};
    struct frame_view frame;
    size_t said = diag->count;
    int err = log_walk_open(&walk, dir, false, diag);
    while (err == 0) {
        err = log_walk_next(&frame, &walk);
        if (err == 0 && frame.link.seq > through_seq)
            break;
        if (err == 0 && frame.link.seq > from_seq)
            err = totals_count_frame(count, &frame);
    }
    *damage = walk.damage;
    log_walk_close(&walk);
    if (err == ERR_AGAIN)
        err = 0;
    log_walk_explain(dir, err, said, diag);
    return err;
}
