// Keys: the layout of every table of the store, in one place.
//
// All numbers are big-endian, so that the order of the bytes is the order of the
// numbers. Names stand last in their key, or are hashed to 16 bytes, so that no name
// can look like another's prefix. Values are messages of proto/messages/record.h unless
// said otherwise.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_KEYS_H
#define KEDGE_CONTROLLER_LOG_KEYS_H

#include <stdint.h>

#include "common/base/span.h"
#include "controller/log/shelf.h"

// The number that stands for "all hosts" where an agent would be.
#define KEY_ALL_HOSTS NULL

enum key_resolution { KEY_RAW = 0, KEY_HOUR = 1, KEY_DAY = 2 };

// --- SHELF_META: names in clear
// --------------------------------------------------------- "schema" be32; "fleet" 16
// bytes; "generation" be64; "now" be64 (fold time); "head" the tape's (generation, seq,
// chain); "number.*" the counters of shelf_next_number.
struct shelf_key key_meta(const char *name);

// --- SHELF_LOG
// -------------------------------------------------------------------------- be32
// partition | be64 seq -> the driver's own row (log row of the embedded driver).
struct shelf_key key_log(uint32_t partition, uint64_t seq);

// --- SHELF_WINDOW
// ----------------------------------------------------------------------- be32 series |
// u8 resolution | be32 time (s) | u8 part -> window blob (fold/blob.h).
struct shelf_key key_window(uint32_t series, enum key_resolution res, uint64_t start_ns,
                            uint8_t part);
// The prefix of all parts of one start, and of all windows of a series.
struct shelf_key key_window_start(uint32_t series, enum key_resolution res,
                                  uint64_t start_ns);
struct shelf_key key_window_series(uint32_t series, enum key_resolution res);

// --- SHELF_CATALOG
// ----------------------------------------------------------------------
struct shelf_key key_model(struct span name);    // 'm' name -> record_model
struct shelf_key key_models(void);               // prefix of all models
struct shelf_key key_model_name(uint32_t model); // 'n' be32 model -> its name, in clear
struct shelf_key key_version(uint32_t model,
                             struct span version); // 'v' -> record_version
struct shelf_key key_versions(uint32_t model);     // prefix
struct shelf_key key_version_name(uint32_t model,
                                  uint32_t version); // 'w' -> name, in clear
struct shelf_key key_baseline(uint32_t model,
                              uint32_t version); // 'b' -> record_baseline
struct shelf_key key_baselines(void);            // prefix
struct shelf_key key_policy(void);               // 'p' -> policy text as set
// The number of a series: (model, version, agent, or all hosts merged).
struct shelf_key key_series(uint32_t model, uint32_t version, const uint8_t *agent);
struct shelf_key key_series_of(uint32_t model); // prefix of a model's series
// 'u' name -> be64 first seen, be64 last seen, be64 rows: a model that agents report
// and nobody has added.
struct shelf_key key_unknown(struct span name);
struct shelf_key key_unknowns(void);

// --- SHELF_AGENT
// ------------------------------------------------------------------------
struct shelf_key key_agent(const uint8_t *agent); // 'a' 16 bytes -> record_agent
struct shelf_key key_agents(void);
struct shelf_key key_agent_curve(const uint8_t *curve); // 'k' 32 bytes -> agent id
struct shelf_key key_token(const uint8_t *token);       // 't' 8 bytes -> record_token
struct shelf_key key_tokens(void);
struct shelf_key key_operator(struct span name); // 'o' name -> record_operator
struct shelf_key key_operators(void);
struct shelf_key key_operator_curve(const uint8_t *curve); // 'q' 32 bytes -> name
struct shelf_key key_mark(const uint8_t *agent,
                          const uint8_t *boot); // 'd': fold/marks.h
struct shelf_key key_marks(const uint8_t *agent);
// 'c' agent | be32 model -> counts (fold/counts.h): observed, merged, late, dropped.
struct shelf_key key_counts(const uint8_t *agent, uint32_t model);
struct shelf_key key_counts_all(void);
// 'i' be32 model | agent -> instance (fold/instance.h): watermark, last seen, version.
struct shelf_key key_instance(uint32_t model, const uint8_t *agent);
struct shelf_key key_instances(uint32_t model);
struct shelf_key key_instances_all(void);
// 'h' be32 model | agent | be64 event time -> record_attest: this host served this
// version from then on, until its next one.
struct shelf_key key_served(uint32_t model, const uint8_t *agent, uint64_t at_ns);
struct shelf_key key_served_by(uint32_t model, const uint8_t *agent);
struct shelf_key key_served_all(uint32_t model);

// --- SHELF_STATE
// ------------------------------------------------------------------------ 'w' be32
// model | be64 end | be32 version | be64 start -> window that waits for its other hosts
// (fold/pending.h).
struct shelf_key key_pending(uint32_t model, uint64_t end_ns, uint32_t version,
                             uint64_t start_ns);
struct shelf_key key_pendings(uint32_t model);
struct shelf_key key_carry(uint32_t model,
                           uint32_t version); // 'c': late parts kept over
struct shelf_key key_judged(uint32_t model, uint32_t version); // 'j': judged up to
// 'd' be32 model | be32 version -> the detector's state (watch).
struct shelf_key key_detector(uint32_t model, uint32_t version);
// 'x' be32 room tag | any bytes: what a room keeps besides.
struct shelf_key key_state(char tag, uint32_t model);

// --- SHELF_ALERT, SHELF_PLAN, SHELF_EVENT, SHELF_AUDIT, SHELF_COMPONENT
// -----------------
struct shelf_key key_alert(uint64_t alert); // 'a' be64 -> record_alert
struct shelf_key key_alerts(void);
struct shelf_key key_alert_open(uint32_t model); // 'o' be32 model -> be64 alert
struct shelf_key key_plan(uint64_t plan);        // 'p' be64 -> record_plan
struct shelf_key key_plans(void);
struct shelf_key key_plan_of(uint32_t model); // 'm' be32 model -> be64 plan in flight
struct shelf_key
key_order(const uint8_t *order); // 'r' 16 bytes order id -> be64 plan ..
struct shelf_key key_event(uint64_t at_ns,
                           uint64_t number); // be64 | be64 -> record_event
struct shelf_key key_leaf(uint64_t n);       // 'l' be64 (0 first) -> record_leaf
// be32 model | be32 version | be64 end -> what the judge made of each feature of a
// window.
struct shelf_key key_component(uint32_t model, uint32_t version, uint64_t end_ns);

#endif
