// Keys: builds each key of keys.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/log/keys.h"

#include "common/base/clock.h"

// A table whose keys are plain numbers has no tag; an empty key grows from its first
// piece.
static struct shelf_key untagged_be32(uint32_t v)
{
    struct shelf_key k = {.size = 4};
    store_be32(k.bytes, v);
    return k;
}

static struct shelf_key untagged_be64(uint64_t v)
{
    struct shelf_key k = {.size = 8};
    store_be64(k.bytes, v);
    return k;
}

static struct shelf_key tagged_be32(char tag, uint32_t v)
{
    struct shelf_key k = shelf_key_of(tag);
    shelf_key_be32(&k, v);
    return k;
}

static struct shelf_key tagged_be64(char tag, uint64_t v)
{
    struct shelf_key k = shelf_key_of(tag);
    shelf_key_be64(&k, v);
    return k;
}

static struct shelf_key tagged_bytes(char tag, struct span bytes)
{
    struct shelf_key k = shelf_key_of(tag);
    shelf_key_bytes(&k, bytes);
    return k;
}

struct shelf_key key_meta(const char *name)
{
    return tagged_bytes('.', span_text(name));
}

struct shelf_key key_log(uint32_t partition, uint64_t seq)
{
    struct shelf_key k = untagged_be32(partition);
    shelf_key_be64(&k, seq);
    return k;
}

struct shelf_key key_window_series(uint32_t series, enum key_resolution res)
{
    struct shelf_key k = untagged_be32(series);
    shelf_key_u8(&k, (uint8_t)res);
    return k;
}

struct shelf_key key_window_start(uint32_t series, enum key_resolution res,
                                  uint64_t start_ns)
{
    struct shelf_key k = key_window_series(series, res);
    shelf_key_be32(&k, (uint32_t)(start_ns / NS_PER_S));
    return k;
}

struct shelf_key key_window(uint32_t series, enum key_resolution res, uint64_t start_ns,
                            uint8_t part)
{
    struct shelf_key k = key_window_start(series, res, start_ns);
    shelf_key_u8(&k, part);
    return k;
}

struct shelf_key key_model(struct span name)
{
    return tagged_bytes('m', name);
}

struct shelf_key key_models(void)
{
    return shelf_key_of('m');
}

struct shelf_key key_model_number(struct span name)
{
    return tagged_bytes('N', name);
}

struct shelf_key key_version_number(uint32_t model, struct span version)
{
    struct shelf_key k = tagged_be32('W', model);
    shelf_key_bytes(&k, version);
    return k;
}

struct shelf_key key_model_name(uint32_t model)
{
    return tagged_be32('n', model);
}

struct shelf_key key_version(uint32_t model, struct span version)
{
    struct shelf_key k = tagged_be32('v', model);
    shelf_key_bytes(&k, version);
    return k;
}

struct shelf_key key_versions(uint32_t model)
{
    return tagged_be32('v', model);
}

struct shelf_key key_version_name(uint32_t model, uint32_t version)
{
    struct shelf_key k = tagged_be32('w', model);
    shelf_key_be32(&k, version);
    return k;
}

struct shelf_key key_baseline(uint32_t model, uint32_t version)
{
    struct shelf_key k = tagged_be32('b', model);
    shelf_key_be32(&k, version);
    return k;
}

struct shelf_key key_baselines_of(uint32_t model)
{
    return tagged_be32('b', model);
}

struct shelf_key key_baselines(void)
{
    return shelf_key_of('b');
}

struct shelf_key key_reference(uint32_t model, uint32_t version)
{
    struct shelf_key k = tagged_be32('r', model);
    shelf_key_be32(&k, version);
    return k;
}

struct shelf_key key_policy(void)
{
    return shelf_key_of('p');
}

struct shelf_key key_series(uint32_t model, uint32_t version, const uint8_t *agent)
{
    struct shelf_key k = tagged_be32('s', model);
    shelf_key_be32(&k, version);
    if (agent)
        shelf_key_bytes(&k, span_of(agent, 16));
    return k;
}

struct shelf_key key_series_of(uint32_t model)
{
    return tagged_be32('s', model);
}

struct shelf_key key_unknown(struct span name)
{
    return tagged_bytes('u', name);
}

struct shelf_key key_unknowns(void)
{
    return shelf_key_of('u');
}

struct shelf_key key_agent(const uint8_t *agent)
{
    return tagged_bytes('a', span_of(agent, 16));
}

struct shelf_key key_agents(void)
{
    return shelf_key_of('a');
}

struct shelf_key key_agent_curve(const uint8_t *curve)
{
    return tagged_bytes('k', span_of(curve, 32));
}

struct shelf_key key_token(const uint8_t *token)
{
    return tagged_bytes('t', span_of(token, 8));
}

struct shelf_key key_tokens(void)
{
    return shelf_key_of('t');
}

struct shelf_key key_operator(struct span name)
{
    return tagged_bytes('o', name);
}

struct shelf_key key_operators(void)
{
    return shelf_key_of('o');
}

struct shelf_key key_operator_curve(const uint8_t *curve)
{
    return tagged_bytes('q', span_of(curve, 32));
}

struct shelf_key key_mark(const uint8_t *agent, const uint8_t *boot)
{
    struct shelf_key k = tagged_bytes('d', span_of(agent, 16));
    shelf_key_bytes(&k, span_of(boot, 16));
    return k;
}

struct shelf_key key_marks(const uint8_t *agent)
{
    return tagged_bytes('d', span_of(agent, 16));
}

struct shelf_key key_instance(uint32_t model, uint32_t version, const uint8_t *agent)
{
    struct shelf_key k = tagged_be32('i', model);
    shelf_key_be32(&k, version);
    shelf_key_bytes(&k, span_of(agent, 16));
    return k;
}

struct shelf_key key_host(uint32_t model, const uint8_t *agent)
{
    struct shelf_key k = tagged_be32('y', model);
    shelf_key_bytes(&k, span_of(agent, 16));
    return k;
}

struct shelf_key key_hosts(uint32_t model)
{
    return tagged_be32('y', model);
}

struct shelf_key key_hosts_all(void)
{
    return shelf_key_of('y');
}

struct shelf_key key_instances(uint32_t model)
{
    return tagged_be32('i', model);
}

struct shelf_key key_instances_all(void)
{
    return shelf_key_of('i');
}

struct shelf_key key_served(uint32_t model, const uint8_t *agent, uint64_t at_ns)
{
    struct shelf_key k = key_served_by(model, agent);
    shelf_key_be64(&k, at_ns);
    return k;
}

struct shelf_key key_served_by(uint32_t model, const uint8_t *agent)
{
    struct shelf_key k = key_served_all(model);
    shelf_key_bytes(&k, span_of(agent, 16));
    return k;
}

struct shelf_key key_served_all(uint32_t model)
{
    return tagged_be32('h', model);
}

struct shelf_key key_pending(uint32_t model, uint64_t end_ns, uint32_t version,
                             uint64_t start_ns)
{
    struct shelf_key k = tagged_be32('w', model);
    shelf_key_be64(&k, end_ns);
    shelf_key_be32(&k, version);
    shelf_key_be64(&k, start_ns);
    return k;
}

struct shelf_key key_pendings(uint32_t model)
{
    return tagged_be32('w', model);
}

struct shelf_key key_pendings_all(void)
{
    return shelf_key_of('w');
}

struct shelf_key key_carry(uint32_t model, uint32_t version)
{
    struct shelf_key k = tagged_be32('c', model);
    shelf_key_be32(&k, version);
    return k;
}

struct shelf_key key_judged(uint32_t model)
{
    return tagged_be32('j', model);
}

struct shelf_key key_detector(uint32_t model, uint32_t version)
{
    struct shelf_key k = tagged_be32('d', model);
    shelf_key_be32(&k, version);
    return k;
}

struct shelf_key key_state(char tag, uint32_t model)
{
    struct shelf_key k = shelf_key_of('x');
    shelf_key_u8(&k, (uint8_t)tag);
    shelf_key_be32(&k, model);
    return k;
}

struct shelf_key key_alert(const uint8_t *alert)
{
    return tagged_bytes('a', span_of(alert, 16));
}

struct shelf_key key_alerts(void)
{
    return shelf_key_of('a');
}

struct shelf_key key_incident(const uint8_t *incident)
{
    return tagged_bytes('i', span_of(incident, 16));
}

struct shelf_key key_incidents(void)
{
    return shelf_key_of('i');
}

struct shelf_key key_members(const uint8_t *incident)
{
    return tagged_bytes('m', span_of(incident, 16));
}

struct shelf_key key_member(const uint8_t *incident, const uint8_t *alert)
{
    struct shelf_key k = key_members(incident);
    shelf_key_bytes(&k, span_of(alert, 16));
    return k;
}

struct shelf_key key_incident_of(const uint8_t *alert)
{
    return tagged_bytes('n', span_of(alert, 16));
}

struct shelf_key key_active(const uint8_t *incident)
{
    return tagged_bytes('q', span_of(incident, 16));
}

struct shelf_key key_actives(void)
{
    return shelf_key_of('q');
}

struct shelf_key key_suspected(struct span name)
{
    return tagged_bytes('s', name);
}

struct shelf_key key_plan(const uint8_t *plan)
{
    return tagged_bytes('p', span_of(plan, 16));
}

struct shelf_key key_plans(void)
{
    return shelf_key_of('p');
}

struct shelf_key key_order(const uint8_t *order)
{
    return tagged_bytes('r', span_of(order, 16));
}

struct shelf_key key_event(uint64_t at_ns, uint64_t number)
{
    struct shelf_key k = untagged_be64(at_ns);
    shelf_key_be64(&k, number);
    return k;
}

struct shelf_key key_leaf(uint64_t n)
{
    return tagged_be64('l', n);
}

struct shelf_key key_leaf_hash(uint8_t level, uint64_t index)
{
    struct shelf_key k = shelf_key_of('h');
    shelf_key_u8(&k, level);
    shelf_key_be64(&k, index);
    return k;
}

struct shelf_key key_component(uint32_t model, uint32_t version, uint64_t end_ns)
{
    struct shelf_key k = untagged_be32(model);
    shelf_key_be32(&k, version);
    shelf_key_be64(&k, end_ns);
    return k;
}

struct shelf_key key_signals(void)
{
    return untagged_be32(UINT32_MAX);
}

struct shelf_key key_signal_of(struct span name)
{
    struct shelf_key k = key_signals();
    shelf_key_u8(&k, (uint8_t)(name.size < 255 ? name.size : 255));
    shelf_key_bytes(&k, name);
    return k;
}

struct shelf_key key_signal(struct span name, uint64_t at_ns, uint64_t known_ns)
{
    struct shelf_key k = key_signal_of(name);
    shelf_key_be64(&k, at_ns);
    shelf_key_be64(&k, known_ns);
    return k;
}

// Until there was a known time, a key ended with the event's.
bool key_signal_read(struct span key, size_t prefix, uint64_t *at_ns,
                     uint64_t *known_ns)
{
    if (key.size != prefix + 8 && key.size != prefix + 16)
        return false;
    *at_ns = load_be64(key.data + prefix);
    *known_ns = key.size == prefix + 16 ? load_be64(key.data + prefix + 8) : 0;
    return true;
}

struct shelf_key key_lineage(uint64_t from_ns, uint64_t known_ns)
{
    struct shelf_key k = tagged_be64('l', from_ns);
    shelf_key_be64(&k, known_ns);
    return k;
}

struct shelf_key key_lineages(void)
{
    return shelf_key_of('l');
}
