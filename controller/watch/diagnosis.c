// SPDX-License-Identifier: Apache-2.0
#include "controller/watch/diagnosis.h"

// Kleene's three-valued logic: HIT is true, CLEAN is false, UNKNOWN is neither.
static enum cell not3(enum cell a)
{
    if (a == CELL_UNKNOWN)
        return CELL_UNKNOWN;
    return a == CELL_HIT ? CELL_CLEAN : CELL_HIT;
}

static enum cell and3(enum cell a, enum cell b)
{
    if (a == CELL_CLEAN || b == CELL_CLEAN)
        return CELL_CLEAN;
    return a == CELL_HIT && b == CELL_HIT ? CELL_HIT : CELL_UNKNOWN;
}

static enum cell or3(enum cell a, enum cell b)
{
    return not3(and3(not3(a), not3(b)));
}

static enum cell truth(bool v)
{
    return v ? CELL_HIT : CELL_CLEAN;
}

static enum cell both3(enum cell a, enum cell b, enum cell c)
{
    return and3(and3(a, b), c);
}

// The version alone is worse: B's loss is bad while A's, in the same hours, is not.
static enum cell only_b_is_worse(const struct symptoms *s)
{
    return and3(s->performance, not3(s->performance_elsewhere));
}

static enum cell no_evidence(const struct symptoms *s)
{
    return s->telemetry;
}

static enum cell host_fault(const struct symptoms *s)
{
    return and3(s->some_hosts, not3(s->deployed));
}

static enum cell upstream(const struct symptoms *s)
{
    return and3(s->schema, or3(s->schema_related, s->inputs_elsewhere));
}

static enum cell world(const struct symptoms *s)
{
    return both3(s->inputs, s->inputs_elsewhere, not3(only_b_is_worse(s)));
}

static enum cell world_worse_here(const struct symptoms *s)
{
    return both3(s->inputs, s->inputs_elsewhere, only_b_is_worse(s));
}

static enum cell bad_version(const struct symptoms *s)
{
    enum cell hit_elsewhere = or3(s->outputs_elsewhere, s->performance_elsewhere);
    enum cell previous_fine = not3(hit_elsewhere);
    if (previous_fine == CELL_UNKNOWN)
        previous_fine = truth(s->previous_healthy);
    return and3(or3(s->outputs, s->performance),
                both3(not3(s->inputs), s->deployed, previous_fine));
}

static enum cell behaviour(const struct symptoms *s)
{
    enum cell not_elsewhere = not3(s->outputs_elsewhere);
    if (not_elsewhere == CELL_UNKNOWN && s->rung == RUNG_HISTORY)
        not_elsewhere = truth(s->previous_healthy);
    return both3(s->behaviour, s->deployed, not_elsewhere);
}

static enum cell version_pipeline(const struct symptoms *s)
{
    return both3(s->inputs, not3(s->inputs_elsewhere), s->deployed);
}

static enum cell prior_shift(const struct symptoms *s)
{
    return both3(s->outputs, s->outputs_elsewhere, not3(s->inputs));
}

static enum cell concept(const struct symptoms *s) {
    return and3(and3(s->performance, s->performance_elsewhere),
                and3(not3(s->inputs), not3(s->outputs)));
}

static enum cell infrastructure(const struct symptoms *s)
{
    return and3(and3(s->performance, s->service_only),
                both3(not3(s->inputs), not3(s->outputs), not3(s->deployed)));
}

// Right about the order of things, wrong about how much: a constant or a slope off.
static enum cell calibration(const struct symptoms *s)
{
    return both3(s->calibration, not3(s->inputs), not3(s->deployed));
}

static enum cell harmless(const struct symptoms *s)
{
    return both3(s->inputs, not3(s->outputs), not3(s->performance));
}

static enum cell no_counterfactual(const struct symptoms *s)
{
    enum cell elsewhere = or3(s->outputs_elsewhere, s->performance_elsewhere);
    return both3(or3(s->outputs, s->performance), not3(s->deployed),
                 truth(elsewhere == CELL_UNKNOWN));
}

static enum cell always(const struct symptoms *s)
{
    (void)s;
    return CELL_HIT;
}

static const struct rule {
    enum cell (*matches)(const struct symptoms *s);
    enum cause cause;
    enum remedy remedy;
    bool may_auto;
    const char *refusal;
    const char *reason;
} rules[] = {
    {no_evidence, CAUSE_NO_EVIDENCE, REMEDY_NONE, false, "E_EVIDENCE",
     "agents are silent or their clocks are off, so there is nothing to judge by"},
    {host_fault, CAUSE_HOST, REMEDY_QUARANTINE, false, "E_HOST",
     "only some hosts of this version are hit and none was deployed to: look at them"},
    {upstream, CAUSE_UPSTREAM, REMEDY_FIX_UPSTREAM, false, "E_WORLD",
     "the data broke upstream, for others as well: every version would see it"},
    {world, CAUSE_WORLD, REMEDY_RETRAIN, false, "E_WORLD",
     "the world changed, not the model: every version sees these inputs, "
     "so going back cannot help"},
    {world_worse_here, CAUSE_WORLD_WORSE_HERE, REMEDY_ROLLBACK, false, NULL,
     "the world changed and the previous version copes better: going back mitigates"},
    {bad_version, CAUSE_BAD_VERSION, REMEDY_ROLLBACK, true, NULL,
     "it began with this version, the inputs did not move, and the previous version "
     "was healthy: going back can help"},
    {behaviour, CAUSE_BEHAVIOUR, REMEDY_ROLLBACK, false, NULL,
     "with this version the outputs follow the inputs differently, beyond what the "
     "inputs explain"},
    {version_pipeline, CAUSE_VERSION_PIPELINE, REMEDY_ROLLBACK, true, NULL,
     "the inputs moved only where this version runs: its own preprocessing broke"},
    {prior_shift, CAUSE_PRIOR_SHIFT, REMEDY_RETRAIN, false, "E_WORLD",
     "the outputs moved on every version while the watched inputs did not: labels or "
     "an "
     "unwatched input moved"},
    {concept, CAUSE_CONCEPT, REMEDY_RETRAIN, false, "E_WORLD",
     "every version is wrong on inputs that did not move: what they mean has changed"},
    {infrastructure, CAUSE_INFRASTRUCTURE, REMEDY_INVESTIGATE, false, "E_WORLD",
     "only latency or errors moved and nothing was deployed: the infrastructure"},
    {calibration, CAUSE_CALIBRATION, REMEDY_RETRAIN, false, "E_WORLD",
     "predictions lie too high or too low while the inputs did not move and nothing "
     "was "
     "deployed: the calibration is off, so recalibrate or retrain"},
    {harmless, CAUSE_HARMLESS, REMEDY_NONE, false, "E_HARMLESS",
     "inputs moved, outputs and performance did not: nothing to act on"},
    {no_counterfactual, CAUSE_NO_COUNTERFACTUAL, REMEDY_INVESTIGATE, false, "E_WORLD",
     "no version changed before it began, so it is the world or the labels, not the "
     "version: no rollback is considered; to compare, run another version in shadow"},
    {always, CAUSE_INCONCLUSIVE, REMEDY_INVESTIGATE, false, "E_EVIDENCE",
     "the evidence does not decide yet: more rows are needed, or a person"},
};

struct diagnosis diagnose(const struct symptoms *s)
{
    unsigned i = 0;
    while (rules[i].matches(s) != CELL_HIT)
        i++;
    const struct rule *r = &rules[i];
    struct diagnosis d = {i + 1,       r->cause,   r->remedy,
                          r->may_auto, r->refusal, r->reason};
    // An intended change of behaviour is not undone unless it is known to be worse, nor
    // while the inputs moved as well: then going back may serve the same error.
    if (r->cause == CAUSE_BEHAVIOUR)
        d.may_auto = s->inputs == CELL_CLEAN &&
                     (s->performance == CELL_HIT || s->deploy_worse == CELL_HIT);
    return d;
}

const char *cell_name(enum cell c)
{
    static const char *const names[] = {"unknown", "clean", "hit"};
    return names[c];
}

const char *rung_name(enum rung r)
{
    static const char *const names[] = {"concurrent", "shadow", "site", "history",
                                        "none"};
    return names[r];
}

const char *cause_name(enum cause c)
{
    static const char *const names[] = {
        "no_evidence",    "host_fault",        "upstream",       "world_shift",
        "world_worse",    "bad_version",       "behaviour",      "version_pipeline",
        "prior_shift",    "concept_drift",     "infrastructure", "calibration",
        "harmless_shift", "no_counterfactual", "inconclusive",
    };
    return names[c];
}

const char *remedy_name(enum remedy r)
{
    static const char *const names[] = {"none",    "rollback",     "quarantine",
                                        "retrain", "fix_upstream", "investigate"};
    return names[r];
}
