// kedge.h: tells the Kedge agent of this host what a model sees and answers.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_CLIENT_KEDGE_H
#define KEDGE_AGENT_CLIENT_KEDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KEDGE_API __attribute__((visibility("default")))

// Libkedge is a guest. It starts no thread, touches no signal, prints nothing and never
// waits: rows go into memory that this thread shares with the agent, and one that finds
// no room there is dropped and counted. While the agent is away they stay there, and
// it is looked for again about once a second. Every call is safe from any thread, and
// in a child after fork(); a signal handler must not make them. No raw text leaves the
// process, only its figures; categories leave it, and the agent hashes them.

enum kedge_status {
    KEDGE_OK = 0,
    KEDGE_DROPPED = 1, // no room, or not a row of this model; it has been counted
    KEDGE_RANGE = 2,   // an argument outside its bounds
    KEDGE_NOMEM = 3,
    KEDGE_FULL = 4, // KEDGE_MODELS_MAX
};

#define KEDGE_MODELS_MAX 128   // different ones that a process may open
#define KEDGE_THREADS_MAX 256  // that observe at one time
#define KEDGE_FEATURES_MAX 512 // of one model
#define KEDGE_NAME_MAX 128     // bytes of a name, an id, a category

enum kedge_side { KEDGE_INPUT, KEDGE_OUTPUT, KEDGE_LABEL, KEDGE_SIGNAL };
enum kedge_kind { KEDGE_NUMBER, KEDGE_CATEGORY, KEDGE_TEXT, KEDGE_VECTOR };

// One feature of a model. The output "prediction" is what labels are compared with.
struct kedge_feature {
    const char *name;
    enum kedge_kind kind;
    enum kedge_side side;
};

struct kedge_model;

// Before the first model is opened: where the agent's socket is (NULL: what the
// environment says in KEDGE_SOCKET, else /var/lib/kedge-agent/lane.sock), and how many
// bytes each observing thread shares with it (0: 1 MiB; 256 KiB to 16 MiB, rounded up
// to a power of two). KEDGE_RANGE: out of bounds, or a model is open already.
KEDGE_API enum kedge_status kedge_setup(const char *socket_path, size_t lane_bytes);

// Opens a version of a model with the features of its rows, in their order. Copies all.
// The same one again gives the same handle. An agent that is away is no error.
// KEDGE_RANGE: no name, one longer than KEDGE_NAME_MAX, too many features; KEDGE_FULL,
// KEDGE_NOMEM.
KEDGE_API enum kedge_status kedge_open(const char *model, const char *version,
                                       const struct kedge_feature *feature,
                                       size_t features, struct kedge_model **out);

// Gives the handle back; as often as it was opened. NULL is fine.
KEDGE_API void kedge_close(struct kedge_model *m);

// Takes what this thread needs, so that its first row does not have to (0.3 ms once).
KEDGE_API enum kedge_status kedge_thread_ready(void);

// What a row may tell of itself. NULL instead of it: no id, and it is now.
struct kedge_event {
    const char *id;   // joins a prediction with its label; NULL: none
    size_t id_size;   // 0: up to its closing zero
    uint64_t time_ns; // since 1970; 0: now
};

// One row of numbers, in the order of the features; NaN is missing, and so are the
// features that are left out at the end. No allocation, no lock, no system call.
KEDGE_API enum kedge_status kedge_observe_f32(struct kedge_model *m, const float *value,
                                              size_t n, const struct kedge_event *e);
KEDGE_API enum kedge_status kedge_observe_f64(struct kedge_model *m,
                                              const double *value, size_t n,
                                              const struct kedge_event *e);

enum kedge_type {
    KEDGE_MISSING,
    KEDGE_F32,
    KEDGE_F64,
    KEDGE_I64,
    KEDGE_STRING,     // a category or a text, as the feature is declared
    KEDGE_VECTOR_F32, // an embedding
    KEDGE_VECTOR_F64,
    // In columns only.
    KEDGE_I8,
    KEDGE_I16,
    KEDGE_I32,
    KEDGE_U8,
    KEDGE_U16,
    KEDGE_U32,
    KEDGE_U64,
    KEDGE_CODE8, // places in a dictionary; negative: missing
    KEDGE_CODE16,
    KEDGE_CODE32,
    KEDGE_CODE64,
    KEDGE_BYTES // fixed width, padded with zeros
};

struct kedge_string {
    const char *data; // NULL: missing
    size_t size;
};

struct kedge_array {
    const void *data;
    size_t n;
};

// One value of any type; borrowed for the call.
struct kedge_value {
    enum kedge_type type;
    union {
        float f32;
        double f64;
        int64_t i64;
        struct kedge_string string;
        struct kedge_array vector;
    } as;
};

// One row of any values.
KEDGE_API enum kedge_status kedge_observe(struct kedge_model *m,
                                          const struct kedge_value *value, size_t n,
                                          const struct kedge_event *e);

// A column of a batch: `data` is its first value, `stride` the bytes to the next one
// (0: the same for all rows). KEDGE_STRING: struct kedge_string; KEDGE_CODE*: places in
// `dictionary`; KEDGE_BYTES: `width` bytes each; KEDGE_VECTOR_*: `width` numbers each.
struct kedge_column {
    const void *data;
    ptrdiff_t stride;
    enum kedge_type type;
    uint32_t width;
    const struct kedge_string *dictionary;
    size_t words;
};

// Many rows at once, column by column in the order of the features. `id` (integers,
// strings or bytes) and `time_ns` (one for each row) may be NULL. *taken (may be NULL)
// is how many rows found room; KEDGE_DROPPED when not all did.
KEDGE_API enum kedge_status kedge_observe_batch(struct kedge_model *m,
                                                const struct kedge_column *column,
                                                size_t columns, size_t rows,
                                                const struct kedge_column *id,
                                                const uint64_t *time_ns, size_t *taken);

// What became true of an earlier prediction; e->id says which one.
KEDGE_API enum kedge_status kedge_label(struct kedge_model *m, double value,
                                        const struct kedge_event *e);

// A number of your own that is watched beside the model: a latency, a queue.
KEDGE_API enum kedge_status kedge_metric(struct kedge_model *m, const char *name,
                                         double value, const struct kedge_event *e);

struct kedge_stats {
    uint64_t observed; // rows that found room, in this process
    uint64_t dropped;  // that did not
    uint64_t refused;  // that were none of this model
    uint64_t beside;   // labels and metrics that found no room
    uint64_t waiting;  // bytes that the agent has not taken yet, of all threads
    int is_attached;   // the agent has taken this process in
};

KEDGE_API void kedge_stats(struct kedge_model *m, struct kedge_stats *out);

// "0.1.0"
KEDGE_API const char *kedge_version(void);

#ifdef __cplusplus
}
#endif

#endif
