// Deed: what became of one order on this host, and the register of all of them.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_DEED_H
#define KEDGE_AGENT_ACT_DEED_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/act/job.h"
#include "agent/act/journal.h"
#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "proto/messages/order.h"
#include "proto/messages/receipt.h"

#define DEEDS_MAX 10000 // finished ones that are remembered; the oldest go
#define DEED_KEEP_NS (30 * UINT64_C(86400) * 1000000000)
#define DEED_QUEUE_MAX 8 // received and not finished
#define DEED_MODELS_MAX 1024
#define DEED_EFFECTS_MAX 32 // times of effects that are kept for one model

enum deed_stage {
    DEED_RECEIVED, // every check was passed; nothing was done yet
    DEED_BEGUN,    // its effect may have happened
    DEED_DONE,
};

// The instants of one turn of the loop. `boot` runs while the machine sleeps.
struct instant {
    uint64_t wall_ns;
    uint64_t mono_ns;
    uint64_t boot_ns;
};

// What a receipt tells about an order. Texts are closed by a zero.
struct outcome {
    enum receipt_state state;
    char code[24]; // "", "ALREADY", "E_PRECOND", ...
    char before[JOB_NAME_MAX + 1];
    char after[JOB_NAME_MAX + 1];
    uint8_t after_digest[32]; // zeros: not known
    uint64_t started_ms;      // wall
    uint64_t ended_ms;
    uint64_t mono_ms; // CLOCK_BOOTTIME at the end
    bool has_run;     // a program ran, and the next five tell of it
    int exit_code;
    int signal;
    bool is_timeout;
    uint8_t output_digest[32];
    uint16_t tail_size;
    uint8_t tail[JOB_TAIL_MAX];
    bool is_probed; // the probe found what it looked for
    char detail[160];
    uint8_t plan[16]; // that the order belonged to; zeros: not known
};

struct deed {
    uint8_t order[16];
    uint8_t sess[16]; // of the connection that brought it
    struct token token;
    enum deed_stage stage;
    char model[JOB_NAME_MAX + 1];
    uint8_t kernel[16];   // boot of the machine in which it came
    uint64_t hb_boot_ns;  // CLOCK_BOOTTIME of the beat that it quotes
    uint64_t wall_ns;     // when it came, and when it was done
    uint64_t order_at;    // place of its bytes in the journal, while not done
    uint64_t outcome_at;  // place of its outcome, when done
    uint64_t moved_at;    // the same in a journal that is being rewritten
    uint64_t number;      // of its receipt, 1.., when done
    uint64_t answered_ns; // mono: when its receipt was last handed on; 0 = not yet
};

// What is kept of one model.
struct deed_model {
    char name[JOB_NAME_MAX + 1];
    struct token fence; // the highest that was accepted
    uint8_t fence_order[16];
    bool is_locked;                       // uncertain: a person must look
    uint64_t effect_ns[DEED_EFFECTS_MAX]; // wall, a ring
    uint32_t effects;
};

struct deeds;

// Reads the journal. Errors as journal_open.
MUST_USE enum status deeds_open(const char *journal_path, struct journal_report *report,
                                struct deeds **out);
void deeds_close(struct deeds *d);

struct deed *deeds_find(struct deeds *d, const uint8_t order[16]);
struct deed_model *deeds_model(struct deeds *d, struct span model); // NULL: none yet
uint32_t deeds_waiting(const struct deeds *d);                      // received or begun

// The oldest that is not done; of `model`, when that is not empty. NULL: none.
struct deed *deeds_next(struct deeds *d, struct span model);

// Walks all models: start with *at = 0; NULL at the end.
struct deed_model *deeds_each_model(struct deeds *d, size_t *at);

// The oldest one done whose receipt has a number above `number`; NULL: none.
struct deed *deeds_unanswered(struct deeds *d, uint64_t number);
uint64_t deeds_last_number(const struct deeds *d);

// Each is durable when it returns ST_OK, and nothing is changed otherwise. ST_FULL,
// ST_IO, ST_NOMEM.
MUST_USE enum status deeds_receive(struct deeds *d, const struct order *order,
                                   struct span body, const uint8_t kernel[16],
                                   uint64_t hb_boot_ns, uint64_t now_wall_ns,
                                   struct deed **out);
MUST_USE enum status deeds_begin(struct deeds *d, struct deed *deed, const char *before,
                                 uint64_t now_wall_ns);
MUST_USE enum status deeds_finish(struct deeds *d, struct deed *deed,
                                  const struct outcome *outcome, uint64_t now_wall_ns);
MUST_USE enum status deeds_unlock(struct deeds *d, struct deed_model *model);

// The newest one of this model that is done; NULL: none.
struct deed *deeds_newest(struct deeds *d, struct span model);

// Appends the order's bytes, as they came.
MUST_USE enum status deeds_order(struct deeds *d, const struct deed *deed,
                                 struct buf *out);
MUST_USE enum status deeds_outcome(struct deeds *d, const struct deed *deed,
                                   struct outcome *out);

// Rewrites the journal without what is no longer needed, when it has grown enough.
MUST_USE enum status deeds_tidy(struct deeds *d, uint64_t now_wall_ns);

uint64_t deeds_journal_bytes(const struct deeds *d);

// Effects of a model (all models when empty) within the last `span_ns`; *last_ns is the
// newest, 0 for none.
uint32_t deeds_effects(struct deeds *d, struct span model, uint64_t now_wall_ns,
                       uint64_t span_ns, uint64_t *last_ns);

// The bytes of an outcome in the journal. Bounded on reading: ST_CORRUPT.
void outcome_put(struct buf *out, const struct outcome *o);
MUST_USE enum status outcome_get(struct span bytes, struct outcome *out);

#endif
