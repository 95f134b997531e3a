/* Threads that share a step: each takes the next piece that nobody has taken, and they meet when all are done.
 *
 * Pieces are the same whoever takes them, so that the numbers do not depend on the threads. Who waits spins for some
 * microseconds and then sleeps: a core that is needed elsewhere is not kept busy.
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
    counter *arrived, *sleeping, *taken;
    pthread_mutex_t mutex;
    pthread_cond_t all_here;
} Team;

static inline void pause_a_little(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether this thread gets piece number `piece` of the phase number `turn`, from 1 on. */
static inline int take(Team *team, int64_t piece, int64_t turn) {
    if (team->threads == 1) return 1;
    counter *taken = team->taken + piece * SPACING;
    int64_t last = atomic_load_explicit(taken, memory_order_relaxed);
    return last < turn && atomic_compare_exchange_strong(taken, &last, turn);
}

/* Wait until all threads have finished the phase number `turn`. */
static inline void meet(Team *team, int64_t turn) {
    const int64_t goal = turn * team->threads;
    if (team->threads == 1) return;
    if (atomic_fetch_add(team->arrived, 1) + 1 == goal) {
        if (atomic_load(team->sleeping)) {
            pthread_mutex_lock(&team->mutex);
            pthread_cond_broadcast(&team->all_here);
            pthread_mutex_unlock(&team->mutex);
        }
        return;
    }
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(team->arrived, memory_order_acquire) >= goal) return;
        pause_a_little();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(team->sleeping, 1);
    while (atomic_load(team->arrived) < goal) pthread_cond_wait(&team->all_here, &team->mutex);
    atomic_fetch_sub(team->sleeping, 1);
    pthread_mutex_unlock(&team->mutex);
}

#endif
