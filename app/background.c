#include "app/background.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"

#define LOOK_NS CLOCK_NS_PER_SECOND /* so often the wall clock is looked at */

struct background {
    struct background_options o;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Wait until the next moment; false: stop. */
static bool wait_next(struct background *b)
{
    int64_t wall_ns = clock_now_ns() - b->o.delay_ns;
    int64_t left_ns = b->o.every_ns - wall_ns % b->o.every_ns;
    int64_t next_ns = clock_now_ns() + left_ns;
    int64_t last_ns = clock_monotonic_ns() + left_ns;
    (void)pthread_mutex_lock(&b->lock);
    while (!atomic_load(&b->stop) && clock_now_ns() < next_ns && clock_monotonic_ns() < last_ns) {
        int64_t look_ns = earlier(clock_monotonic_ns() + LOOK_NS, last_ns);
        (void)clock_cond_wait(&b->wake, &b->lock, look_ns);
        if (b->o.look != NULL)
            b->o.look(b->o.self);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return !atomic_load(&b->stop);
}

static void *background_main(void *arg)
{
    struct background *b = arg;
    if (b->o.begin != NULL)
        b->o.begin(b->o.self);
    while (wait_next(b))
        b->o.run(b->o.self, &b->stop);
    return NULL;
}

int background_start(struct background **out, const struct background_options *options)
{
    struct background *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return ERR_NOMEM;
    b->o = *options;
    (void)pthread_mutex_init(&b->lock, NULL);
    clock_cond_init(&b->wake);
    if (pthread_create(&b->thread, NULL, background_main, b) != 0) {
        (void)pthread_mutex_destroy(&b->lock);
        (void)pthread_cond_destroy(&b->wake);
        free(b);
        return ERR_NOMEM;
    }
    *out = b;
    return 0;
}

void background_stop(struct background *b)
{
    if (b == NULL)
        return;
    atomic_store(&b->stop, true);
    (void)pthread_mutex_lock(&b->lock);
    (void)pthread_cond_broadcast(&b->wake);
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_join(b->thread, NULL);
    (void)pthread_mutex_destroy(&b->lock);
    (void)pthread_cond_destroy(&b->wake);
    free(b);
}
