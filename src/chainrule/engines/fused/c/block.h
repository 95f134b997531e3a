/* A block of steps: each forward, backward and update, by one thread or by several that share its pieces. */
#ifndef CHAINRULE_BLOCK_H
#define CHAINRULE_BLOCK_H

#include "optimizers.h"
#include "step.h"
#include "threads.h"

#define CHUNK 16384 /* parameters that are updated while their gradients are in the cache */

/* What a piece and a part came to. */
typedef struct Sums {
    double loss, metric, penalty, squares, bad, unused[3];
} Sums;


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

static Step step_of(const Run *run, int64_t index) {
    const int64_t place = run->first + index, begin = place % run->per_epoch * run->batch;
    Step step = {.index = index, .epoch = place / run->per_epoch, .begin = begin, .total = 1};
    step.count = smaller(run->batch, run->samples - begin);
    step.pieces = (step.count + run->piece - 1) / run->piece;
    if (run->mean && !(run->still && index > 0)) step.total = count_of(run, &step, run->weights);
    if (step.total == 0) step.total = 1; /* a batch that does not count: every share is 0 */
    return step;
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

/* Add the gradients of copies to those of their owners from `begin` to `end`, in each piece. */
static void gather_ties(const Run *run, int64_t pieces, int64_t begin, int64_t end) {
    for (const Tie *tie = run->ties; tie < run->ties + run->tie_count; tie++) {
        const int64_t low = larger(begin, tie->owner), high = smaller(end, tie->owner + tie->count);
        for (int64_t piece = 0; piece < pieces; piece++) {
            real *dW = (real *)run->G + piece * run->size, *copies = dW + tie->copy - tie->owner;
            for (int64_t i = low; i < high; i++) dW[i] += copies[i];
        }
    }
}

/* Make the copies of parameters from `begin` to `end` what these are now. */
static void copy_ties(const Run *run, int64_t begin, int64_t end) {
    for (const Tie *tie = run->ties; tie < run->ties + run->tie_count; tie++) {
        const int64_t low = larger(begin, tie->owner), high = smaller(end, tie->owner + tie->count);
        real *W = (real *)run->P, *copies = W + tie->copy - tie->owner;
        for (int64_t i = low; i < high; i++) copies[i] = W[i];
    }
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
            if (!limited || !moves) gather_ties(run, pieces, from, to);
            if (gathers) gather_gradient(s, run, pieces, from, to, run->clip_value, &sums->penalty, &sums->squares);
            if (moves) sums->bad += update(s, &moving, run, from, to), copy_ties(run, from, to);
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

/* A block as its threads share it. */
typedef struct Work {
    const Run *run;
    Team team;
    int64_t phases; /* of a step: its samples, its parameters, and with a limit to their gradient's norm those again;
                     * its samples alone where outputs are all that is asked for */
    double scale;   /* of the gradient, within that limit */
    int64_t done;   /* steps that met finite numbers only */
} Work;

/* Piece or part number n of a phase of a step. */
static void carry_out(Work *work, const Step *step, int64_t phase, int64_t n, int64_t thread) {
    const Run *run = work->run;
    Sums *sums = (Sums *)run->sums + n;
    const Part *part = run->parts + n;
    const int limited = work->phases > 2;
    if (run->predictions) {
        outputs_of_piece(run, step, n, thread);
        return;
    }
    if (phase == 0) {
        const int loaded = run->still && step->index > 0;
        sums->loss = sums->metric = 0;
        piece_through(run, step, n, run->whole ? 0 : thread, loaded, &sums->loss, &sums->metric);
        return;
    }
    if (phase == 1) {
        sums->penalty = sums->squares = sums->bad = 0;
        if (run->whole && part->operation >= 0) make_gradient(run, step, part);
    }
    part_through(run, step, part, limited, !limited || phase == 2, work->scale, sums);
}

/* After the last piece of a phase, before anybody goes on; returns 0 where numbers are not finite. */
static int conclude(Work *work, const Step *step, int64_t phase) {
    const Run *run = work->run;
    const Sums *sums = run->sums;
    Sums all_of = {0};
    if (phase == 1 && work->phases > 2) {
        for (int64_t n = 0; n < run->part_count; n++) all_of.squares += sums[n].squares;
        const double norm = sqrt(all_of.squares);
        work->scale = norm > run->clip_norm ? run->clip_norm / norm : 1;
    }
    if (phase + 1 < work->phases) return 1;
    if (run->predictions) return work->done = step->index + 1, 1;
    for (int64_t n = 0; n < step->pieces; n++) all_of.loss += sums[n].loss, all_of.metric += sums[n].metric;
    for (int64_t n = 0; n < run->part_count; n++) all_of.penalty += sums[n].penalty, all_of.bad += sums[n].bad;
    run->losses[step->index] = all_of.loss, run->penalties[step->index] = all_of.penalty;
    if (!isfinite(all_of.loss + all_of.penalty + all_of.bad)) return 0;
    work->done = step->index + 1;
    if (!run->epoch_steps) return 1;
    record(run, step, all_of.loss, all_of.metric, all_of.penalty);
    if (work->done == run->steps || (run->first + work->done) % run->per_epoch == 0) record_squares(run, step);
    return 1;
}

/* One thread's share of a block. */
static void take_part(Work *work, int64_t thread) {
    const Run *run = work->run;
    Team *team = &work->team;
    const int64_t phases = work->phases, all_phases = run->steps * phases;
    int64_t over = 0, phase = 0; /* phases of the block before this one; the number of this one in its step */
    Step step = step_of(run, 0);
    while (over < all_phases) {
        const int64_t shares = phase == 0 ? step.pieces : run->part_count;
        int64_t own = 0, now = over + 1;
        for (int64_t i = 0; i < shares; i++) {
            const int64_t n = (i + thread * shares / team->threads) % shares;
            if (!take(team, n, now)) continue;
            carry_out(work, &step, phase, n, thread);
            own++;
        }
        if (was_last(team, own, shares)) {
            if (!conclude(work, &step, phase)) now = all_phases;
            end(team, now);
        } else {
            now = wait_for(team, now);
        }
        const int same_step = now == over + 1 && ++phase < phases;
        over = now;
        if (same_step || over == all_phases) continue;
        step = step_of(run, over / phases), phase = over % phases;
    }
}

typedef struct Member {
    Work *work;
    int64_t thread;
} Member;

static void *join_in(void *given) {
    const Member *member = given;
    pthread_mutex_lock(&member->work->team.mutex); /* until it is known how many threads there are */
    pthread_mutex_unlock(&member->work->team.mutex);
    take_part(member->work, member->thread);
    return 0;
}

/* Carry out run->steps steps; returns how many of them met finite numbers only. */
int64_t NAME(block)(const Run *run) {
    counter *counters = run->meeting;
    Work work = {.run = run, .phases = run->predictions ? 1 : isfinite(run->clip_norm) ? 3 : 2, .scale = 1};
    Team *team = &work.team;
    *team = (Team){
        .threads = 1, .over = counters, .finished = counters + SPACING, .sleeping = counters + 2 * SPACING,
        .taken = counters + 3 * SPACING,
    };
    if (run->threads == 1) {
        take_part(&work, 0);
        return work.done;
    }
    Member members[THREADS];
    pthread_t others[THREADS];
    for (int64_t i = 0; i < most_shares(run) + 3; i++) atomic_store(counters + i * SPACING, 0);
    pthread_mutex_init(&team->mutex, 0);
    pthread_cond_init(&team->is_over, 0);
    pthread_mutex_lock(&team->mutex);
    for (; team->threads < run->threads; team->threads++) { /* fewer where the system gives no more */
        members[team->threads] = (Member){&work, team->threads};
        if (pthread_create(&others[team->threads], 0, join_in, &members[team->threads])) break;
    }
    pthread_mutex_unlock(&team->mutex);
    take_part(&work, 0);
    for (int64_t i = 1; i < team->threads; i++) pthread_join(others[i], 0);
    pthread_cond_destroy(&team->is_over);
    pthread_mutex_destroy(&team->mutex);
    return work.done;
}

#endif
