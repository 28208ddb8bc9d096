// Verdict: the names people see.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/drift/verdict.h"

static const char *const verdicts[VERDICT_COUNT] = {"insufficient", "quiet", "drift"};
static const char *const tiers[TIER_COUNT] = {"none", "watch", "warn", "page"};
static const char *const signals[SIGNAL_COUNT] = {
    "location", "scale",        "tail", "distance", "missing",
    "level",    "contribution", "dead", "stuck",    "flash",
};
static const char *const alarms[ALARM_COUNT] = {"open", "escalate", "further", "clear"};
static const char *const subjects[SUBJECT_COUNT] = {"numeric", "categorical", "scalar",
                                                    "contribution"};

const char *verdict_name(enum verdict v)
{
    return v < VERDICT_COUNT ? verdicts[v] : "unknown";
}

const char *tier_name(enum tier t)
{
    return t < TIER_COUNT ? tiers[t] : "unknown";
}

const char *signal_name(enum signal s)
{
    return s < SIGNAL_COUNT ? signals[s] : "unknown";
}

const char *alarm_name(enum alarm_kind k)
{
    return k < ALARM_COUNT ? alarms[k] : "unknown";
}

const char *subject_name(enum subject_kind s)
{
    return s < SUBJECT_COUNT ? subjects[s] : "unknown";
}

const char *direction_name(int direction)
{
    return direction < 0 ? "down" : "up";
}
