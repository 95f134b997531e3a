/* Threads that share a step, phase by phase: each takes the next piece that nobody has taken.
 *
 * Pieces are the same whoever takes them, so that the numbers do not depend on the threads. A phase is over when all its
 * pieces are done, whoever did them: a thread whose core was needed elsewhere, and that holds no piece, is not waited
 * for. Who waits spins for some microseconds and then sleeps: a core that is needed elsewhere is not kept busy.
 */
#ifndef CHAINRULE_THREADS_H
#define CHAINRULE_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define SPINS 4000
#define SPACING 8 /* int64: each counter on a cache line of its own */

typedef _Atomic int64_t counter;

typedef struct Team {
    int64_t threads;
    counter *over;     /* the last phase that is over, counted from 1 on */
    counter *finished; /* pieces of the phase that goes on */
    counter *sleeping; /* threads */
    counter *taken;    /* of each piece, the phase in which it was taken last */
    pthread_mutex_t mutex;
    pthread_cond_t is_over;
} Team;

static inline void pause_a_little(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether this thread gets piece number `piece` of a phase. */
static inline int take(Team *team, int64_t piece, int64_t phase) {
    if (team->threads == 1) return 1;
    counter *taken = team->taken + piece * SPACING;
    int64_t last = atomic_load_explicit(taken, memory_order_relaxed);
    return last < phase && atomic_compare_exchange_strong(taken, &last, phase);
}

/* Whether the pieces that this thread has done, `own` of `all`, were the last ones of their phase. */
static inline int was_last(Team *team, int64_t own, int64_t all) {
    if (team->threads == 1) return 1;
    if (!own || atomic_fetch_add(team->finished, own) + own < all) return 0;
    atomic_store(team->finished, 0);
    return 1;
}

/* Let all go on that wait for the end of a phase. */
static inline void end(Team *team, int64_t phase) {
    if (team->threads == 1) return;
    atomic_store(team->over, phase);
    if (!atomic_load(team->sleeping)) return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->is_over);
    pthread_mutex_unlock(&team->mutex);
}

/* Wait for the end of a phase; returns the last one that is over. */
static inline int64_t wait_for(Team *team, int64_t phase) {
    for (int i = 0; i < SPINS; i++) {
        const int64_t over = atomic_load_explicit(team->over, memory_order_acquire);
        if (over >= phase) return over;
        pause_a_little();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(team->sleeping, 1);
    while (atomic_load(team->over) < phase) pthread_cond_wait(&team->is_over, &team->mutex);
    atomic_fetch_sub(team->sleeping, 1);
    pthread_mutex_unlock(&team->mutex);
    return atomic_load(team->over);
}

#endif
