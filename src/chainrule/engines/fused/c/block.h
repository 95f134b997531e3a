/* A block of steps: each forward, backward and update, by one thread or by several that share its pieces. */
#ifndef CHAINRULE_BLOCK_H
#define CHAINRULE_BLOCK_H

#include "optimizers.h"
#include "step.h"
#include "threads.h"

#define CHUNK 16384 /* parameters that are updated while their gradients are in the cache */

/* What pieces and parts came to; each side is written in every second step, so that who is ahead disturbs nobody. */
typedef struct Sums {
    double loss, metric, penalty, squares, bad, unused[3];
} Sums;

static Step step_of(const Run *run, int64_t index) {
    const int64_t place = run->first + index, begin = place % run->per_epoch * run->batch;
    Step step = {.index = index, .epoch = place / run->per_epoch, .begin = begin, .total = 1};
    step.count = smaller(run->batch, run->samples - begin);
    step.pieces = (step.count + run->piece - 1) / run->piece;
    return step;
}

/* The most pieces of samples, or parts of parameters, that threads share. */
static int64_t most_shares(const Run *run) {
    return larger((run->batch + run->piece - 1) / run->piece, run->part_count);
}

/* What the samples of a step count: their number, or the sum of their weights. */
static double count_of(const Run *run, const Step *step, const double *weights) {
    double total = 0;
    if (!weights) return (double)step->count;
    for (int64_t s = 0; s < step->count; s++) total += weights[sample_at(run, step->epoch, step->begin + s)];
    return total;
}

/* The gradient of a part of the parameters, where all samples have come through before it is made. */
static void make_gradient(const Run *run, const Step *step, const Part *part) {
    const Operation *op = run->operations + part->operation;
    const Tile t = {
        .run = run, .P = run->P, .A = run->A, .D = run->D, .turned = run->turned, .G = run->G, .stride = run->stride,
        .samples = step->count, .width = filled(step->count, LINE),
    };
    if (op->kind == DENSE) dense_gradient(op, &t, part->first_row, part->last_row);
    else normalization_gradient(op, &t);
}

/* Move the parameters of a part by their gradients; with a limit to their norm only what comes before that. */
static void part_through(const Run *run, const Step *step, const Part *part, int limited, int moves, double scale,
                         Sums *sums) {
    const int64_t pieces = run->whole ? 1 : step->pieces;
    if (moves && part == run->parts)
        for (int64_t i = run->size; i < run->total; i++) sums->bad += (double)((const real *)run->P)[i] * 0;
    const double power = (double)(run->step + step->index + 1), *rates = run->rates + step->index * run->trainable_count;
    for (const Segment *s = run->segments; s < run->segments + run->segment_count; s++) {
        const int64_t begin = larger(part->start, s->start), end = smaller(part->stop, s->stop);
        if (begin >= end) continue;
        const int gathers = limited ? !moves : pieces > 1 || s->l1 != 0 || s->l2 != 0;
        const Moving moving = moving_of(s, rates[s->rate], power, run->clip_value, scale);
        for (int64_t from = begin; from < end; from += CHUNK) {
            const int64_t to = smaller(from + CHUNK, end);
            if (gathers) gather_gradient(s, run, pieces, from, to, run->clip_value, &sums->penalty, &sums->squares);
            if (moves) sums->bad += update(s, &moving, run, from, to);
        }
    }
}

/* The numbers of a step, in the row of its epoch. */
static void record(const Run *run, const Step *step, double loss, double metric, double penalty) {
    const double count = count_of(run, step, run->weights);
    run->epoch_steps[step->epoch] += 1;
    run->epoch_losses[step->epoch] += run->mean ? loss * count : loss;
    run->epoch_counts[step->epoch] += count;
    run->epoch_penalties[step->epoch] += penalty;
    run->epoch_metrics[step->epoch] += metric;
    run->epoch_weights[step->epoch] += count_of(run, step, run->metric_weights);
}

/* Σg² of each gradient of the step. */
static void record_squares(const Run *run, const Step *step) {
    for (int64_t n = 0; n < run->trainable_count; n++) {
        const int64_t begin = run->places[2 * n], end = run->places[2 * n + 1];
        run->squares[step->epoch * run->trainable_count + n] = squares_of((const real *)run->G + begin, end - begin);
    }
}

/* One thread's share of a block; returns how many steps met finite numbers only. */
static int64_t take_part(const Run *run, Team *team, int64_t thread) {
    const int64_t most = most_shares(run);
    const int limited = isfinite(run->clip_norm);
    int64_t turn = 0, seen = 0, loaded = 0;
    for (int64_t index = 0; index < run->steps; index++) {
        Step step = step_of(run, index);
        Sums *sums = (Sums *)run->sums + index % 2 * most;
        step.seen = seen, seen += step.count;
        if (run->mean && !(loaded && run->still)) {
            step.total = count_of(run, &step, run->weights);
            if (step.total == 0) step.total = 1; /* a batch that does not count: every share is 0 */
        }
        turn++;
        for (int64_t i = 0; i < step.pieces; i++) {
            const int64_t piece = (i + thread * step.pieces / team->threads) % step.pieces;
            if (!take(team, piece, turn)) continue;
            sums[piece].loss = sums[piece].metric = 0;
            piece_through(run, &step, piece, run->whole ? 0 : thread, loaded, &sums[piece].loss, &sums[piece].metric);
        }
        loaded = run->still;
        meet(team, turn);
        turn++;
        for (int64_t i = 0; i < run->part_count; i++) {
            const int64_t n = (i + thread * run->part_count / team->threads) % run->part_count;
            const Part *part = run->parts + n;
            if (!take(team, n, turn)) continue;
            sums[n].penalty = sums[n].squares = sums[n].bad = 0;
            if (run->whole && part->operation >= 0) make_gradient(run, &step, part);
            part_through(run, &step, part, limited, !limited, 1, &sums[n]);
        }
        meet(team, turn);
        if (limited) {
            double squares = 0;
            for (int64_t n = 0; n < run->part_count; n++) squares += sums[n].squares;
            const double norm = sqrt(squares), scale = norm > run->clip_norm ? run->clip_norm / norm : 1;
            turn++;
            for (int64_t i = 0; i < run->part_count; i++) {
                const int64_t n = (i + thread * run->part_count / team->threads) % run->part_count;
                if (take(team, n, turn)) part_through(run, &step, run->parts + n, limited, 1, scale, &sums[n]);
            }
            meet(team, turn);
        }
        Sums all_of = {0};
        for (int64_t n = 0; n < step.pieces; n++) all_of.loss += sums[n].loss, all_of.metric += sums[n].metric;
        for (int64_t n = 0; n < run->part_count; n++) all_of.penalty += sums[n].penalty, all_of.bad += sums[n].bad;
        if (thread == 0) run->losses[index] = all_of.loss, run->penalties[index] = all_of.penalty;
        if (!isfinite(all_of.loss + all_of.penalty + all_of.bad)) return index;
        if (!run->epoch_steps) continue;
        if (thread == 0) record(run, &step, all_of.loss, all_of.metric, all_of.penalty);
        if (index + 1 == run->steps || (run->first + index + 1) % run->per_epoch == 0) {
            if (thread == 0) record_squares(run, &step);
            meet(team, ++turn);
        }
    }
    return run->steps;
}

typedef struct Member {
    const Run *run;
    Team *team;
    int64_t thread;
} Member;

static void *join_in(void *given) {
    const Member *member = given;
    pthread_mutex_lock(&member->team->mutex); /* until it is known how many threads there are */
    pthread_mutex_unlock(&member->team->mutex);
    take_part(member->run, member->team, member->thread);
    return 0;
}

/* Carry out run->steps steps; returns how many of them met finite numbers only. */
int64_t NAME(block)(const Run *run) {
    counter *counters = run->meeting;
    Team team = {.threads = 1, .arrived = counters, .sleeping = counters + SPACING, .taken = counters + 2 * SPACING};
    if (run->threads == 1) return take_part(run, &team, 0);
    Member members[THREADS];
    pthread_t others[THREADS];
    for (int64_t i = 0; i < most_shares(run) + 2; i++) atomic_store(counters + i * SPACING, 0);
    pthread_mutex_init(&team.mutex, 0);
    pthread_cond_init(&team.all_here, 0);
    pthread_mutex_lock(&team.mutex);
    for (; team.threads < run->threads; team.threads++) { /* fewer where the system gives no more */
        members[team.threads] = (Member){run, &team, team.threads};
        if (pthread_create(&others[team.threads], 0, join_in, &members[team.threads])) break;
    }
    pthread_mutex_unlock(&team.mutex);
    const int64_t done = take_part(run, &team, 0);
    for (int64_t i = 1; i < team.threads; i++) pthread_join(others[i], 0);
    pthread_cond_destroy(&team.all_here);
    pthread_mutex_destroy(&team.mutex);
    return done;
}

#endif
