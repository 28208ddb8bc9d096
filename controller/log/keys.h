// Keys: the layout of every table of the store, in one place.
//
// All numbers are big-endian, so that the order of the bytes is the order of the
// numbers. A name stands last in its key. Values are messages of
// proto/messages/record.h unless the line says otherwise.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_LOG_KEYS_H
#define KEDGE_CONTROLLER_LOG_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"
#include "controller/log/shelf.h"

enum key_resolution { KEY_RAW = 0, KEY_HOUR = 1, KEY_DAY = 2 };

// --- SHELF_META ---
// '.' name. "head." be32 partition: the ledger's. "now": be64 fold time. "fleet": 16
// bytes. '#' name: the counters of shelf_next_number.
struct shelf_key key_meta(const char *name);

// --- SHELF_LOG ---
// be32 partition, be64 seq: the ledger's rows.
struct shelf_key key_log(uint32_t partition, uint64_t seq);

// --- SHELF_WINDOW ---
// be32 series, u8 resolution, be32 time (s), u8 part: window blobs (fold/blob.h).
struct shelf_key key_window(uint32_t series, enum key_resolution res, uint64_t start_ns,
                            uint8_t part);
// The prefixes: all parts of one start, all windows of a series.
struct shelf_key key_window_start(uint32_t series, enum key_resolution res,
                                  uint64_t start_ns);
struct shelf_key key_window_series(uint32_t series, enum key_resolution res);

// --- SHELF_CATALOG ---
// A name gets a number when it is first seen, whether or not anybody has added it.
// 'N' name: be32. 'n' be32 model: the name. 'W' be32 model, version: be32.
// 'w' be32 model, be32 version: the version's name.
struct shelf_key key_model_number(struct span name);
struct shelf_key key_model_name(uint32_t model);
struct shelf_key key_version_number(uint32_t model, struct span version);
struct shelf_key key_version_name(uint32_t model, uint32_t version);
// 'm' name: record_model.
struct shelf_key key_model(struct span name);
struct shelf_key key_models(void);
// 'v' be32 model, version: record_version.
struct shelf_key key_version(uint32_t model, struct span version);
struct shelf_key key_versions(uint32_t model);
// 'b' be32 model, be32 version: record_baseline.
struct shelf_key key_baseline(uint32_t model, uint32_t version);
struct shelf_key key_baselines_of(uint32_t model);
struct shelf_key key_baselines(void);
// 'r' be32 model, be32 version: the body of its kedge.reference.v1.
struct shelf_key key_reference(uint32_t model, uint32_t version);
// 'p': the text of the fleet's policy as it was set.
struct shelf_key key_policy(void);
// 's' be32 model, be32 version, agent (or nothing: merged over all hosts): be32 series.
struct shelf_key key_series(uint32_t model, uint32_t version, const uint8_t *agent);
struct shelf_key key_series_of(uint32_t model);
// 'u' name: record_event of its first report: a model that agents report and nobody has
// added.
struct shelf_key key_unknown(struct span name);
struct shelf_key key_unknowns(void);
// 'l' be64, be64: the text of the lineage that holds from this event time on, and the
// fold time since which that is known.
struct shelf_key key_lineage(uint64_t from_ns, uint64_t known_ns);
struct shelf_key key_lineages(void);

// --- SHELF_AGENT ---
// 'a' 16 bytes: record_agent. 'k' 32 bytes of transport key: the agent's id.
struct shelf_key key_agent(const uint8_t *agent);
struct shelf_key key_agents(void);
struct shelf_key key_agent_curve(const uint8_t *curve);
// 't' 8 bytes: record_token.
struct shelf_key key_token(const uint8_t *token);
struct shelf_key key_tokens(void);
// 'o' name: record_operator. 'q' 32 bytes of transport key: the operator's name.
struct shelf_key key_operator(struct span name);
struct shelf_key key_operators(void);
struct shelf_key key_operator_curve(const uint8_t *curve);
// 'd' agent, boot: record_mark.
struct shelf_key key_mark(const uint8_t *agent, const uint8_t *boot);
struct shelf_key key_marks(const uint8_t *agent);
// 'i' be32 model, be32 version, agent: record_instance, what was counted.
struct shelf_key key_instance(uint32_t model, uint32_t version, const uint8_t *agent);
struct shelf_key key_instances(uint32_t model);
struct shelf_key key_instances_all(void);
// 'y' be32 model, agent: how far this host is with this model (log/progress.h).
struct shelf_key key_host(uint32_t model, const uint8_t *agent);
struct shelf_key key_hosts(uint32_t model);
struct shelf_key key_hosts_all(void);
// 'h' be32 model, agent, be64 event time: record_attest: this host served this version
// from then on, until its next one.
struct shelf_key key_served(uint32_t model, const uint8_t *agent, uint64_t at_ns);
struct shelf_key key_served_by(uint32_t model, const uint8_t *agent);
struct shelf_key key_served_all(uint32_t model);

// --- SHELF_STATE ---
// 'w' be32 model, be64 end, be32 version, be64 start: a window that waits for its other
// hosts (fold/pending.h). 'c' be32 model, be32 version: late parts that wait for the
// next window (the same).
struct shelf_key key_pending(uint32_t model, uint64_t end_ns, uint32_t version,
                             uint64_t start_ns);
struct shelf_key key_pendings(uint32_t model);
struct shelf_key key_pendings_all(void);
struct shelf_key key_carry(uint32_t model, uint32_t version);
// 'j' be32 model: how far it was judged (log/progress.h).
struct shelf_key key_judged(uint32_t model);
// 'd' be32 model, be32 version: the detector's state (watch).
struct shelf_key key_detector(uint32_t model, uint32_t version);
// 'x' a room's own letter, be32 model: what a room keeps besides.
struct shelf_key key_state(char tag, uint32_t model);

// --- SHELF_ALERT, SHELF_PLAN ---
// 'a' 16 bytes: record_alert. 'p' 16 bytes: record_plan. 'r' 16 bytes of order id: the
// act room's own.
struct shelf_key key_alert(const uint8_t *alert);
struct shelf_key key_alerts(void);
struct shelf_key key_plan(const uint8_t *plan);
struct shelf_key key_plans(void);
struct shelf_key key_order(const uint8_t *order);
// SHELF_ALERT besides. 'i' 16 bytes: record_incident. 'm' incident, alert:
// record_member. 'n' alert: the id of its incident. 'q' incident: empty, one that is
// not over. 's' name: the incident that a thing of the lineage may be the cause of, and
// be64 event time of its onset.
struct shelf_key key_incident(const uint8_t *incident);
struct shelf_key key_incidents(void);
struct shelf_key key_member(const uint8_t *incident, const uint8_t *alert);
struct shelf_key key_members(const uint8_t *incident);
struct shelf_key key_incident_of(const uint8_t *alert);
struct shelf_key key_active(const uint8_t *incident);
struct shelf_key key_actives(void);
struct shelf_key key_suspected(struct span name);

// --- SHELF_EVENT ---
// be64 event time, be64 number: record_event.
struct shelf_key key_event(uint64_t at_ns, uint64_t number);

// --- SHELF_AUDIT ---
// 'l' be64 (0 is the first): record_leaf. 'h' u8 level, be64 index: 32 bytes, the tree
// over the leaves (common/trust/chain.h).
struct shelf_key key_leaf(uint64_t n);
struct shelf_key key_leaf_hash(uint8_t level, uint64_t index);

// --- SHELF_COMPONENT ---
// be32 model, be32 version, be64 end: what a window says in a few numbers
// (watch/pulse.h).
struct shelf_key key_component(uint32_t model, uint32_t version, uint64_t end_ns);
// be32 of all ones, u8 size, name, be64 event time, be64 fold time: a value of a
// business signal and since when it is known, 8 bytes of a little-endian double. The
// prefixes: of one signal, of all.
struct shelf_key key_signal(struct span name, uint64_t at_ns, uint64_t known_ns);
// The times behind a prefix of that size. False: no signal's key.
bool key_signal_read(struct span key, size_t prefix, uint64_t *at_ns,
                     uint64_t *known_ns);
struct shelf_key key_signal_of(struct span name);
struct shelf_key key_signals(void);

#endif
