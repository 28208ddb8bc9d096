// SPDX-License-Identifier: Apache-2.0
#include "controller/rights.h"

#include <stddef.h>

#include "common/base/text.h"

// Roles as bits.
enum { VIEWER = 1, OPERATOR = 2, APPROVER = 4, ADMIN = 8, AUDITOR = 16 };
#define EVERYBODY (VIEWER | OPERATOR | APPROVER | ADMIN | AUDITOR)
#define HANDS (OPERATOR | APPROVER | ADMIN)

static const struct right {
    const char *verb; // a glob
    unsigned roles;
} rights[] = {
    {"fleet.*", EVERYBODY},
    {"agent.list", EVERYBODY},
    {"agent.suspend", HANDS},
    {"agent.revoke", HANDS},
    {"token.list", ADMIN | AUDITOR},
    {"operator.list", ADMIN | AUDITOR},
    {"model.list", EVERYBODY},
    {"model.show", EVERYBODY},
    {"model.history", EVERYBODY},
    {"model.key", APPROVER | ADMIN},
    {"model.add", APPROVER | ADMIN},
    {"model.release", APPROVER | ADMIN},
    {"version.add", HANDS},
    {"baseline.show", EVERYBODY},
    {"baseline.newest", EVERYBODY},
    {"baseline.seal", APPROVER | ADMIN},
    {"feature.*", EVERYBODY},
    {"query*", EVERYBODY},
    {"alert.list", EVERYBODY},
    {"alert.show", EVERYBODY},
    {"alert.*", HANDS},
    {"explain*", EVERYBODY},
    {"why*", EVERYBODY},
    {"budget.*", EVERYBODY},
    {"incident.list", EVERYBODY},
    {"incident.show", EVERYBODY},
    {"incident.export", EVERYBODY},
    {"incident.*", HANDS},
    {"rollback.status", EVERYBODY},
    {"rollback.approve", APPROVER | ADMIN},
    {"rollback.resume", APPROVER | ADMIN},
    {"rollback.*", HANDS},
    {"policy.show", EVERYBODY},
    {"policy.check", EVERYBODY},
    {"policy.set", APPROVER | ADMIN},
    {"lineage.import", HANDS},
    {"lineage.*", EVERYBODY},
    {"signal.list", EVERYBODY},
    {"signal.push", HANDS},
    {"event.list", EVERYBODY},
    {"event.record", HANDS},
    {"audit.counts", EVERYBODY},
    {"audit.*", ADMIN | AUDITOR},
};

bool rights_allow(struct span role, struct span verb)
{
    static const struct {
        const char *name;
        unsigned bit;
    } roles[] = {{"viewer", VIEWER},
                 {"operator", OPERATOR},
                 {"approver", APPROVER},
                 {"admin", ADMIN},
                 {"auditor", AUDITOR}};
    unsigned bit = 0;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (span_is(role, roles[i].name))
            bit = roles[i].bit;
    // The first row that fits counts.
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++)
        if (text_glob(span_text(rights[i].verb), verb))
            return (rights[i].roles & bit) != 0;
    return bit == ADMIN;
}

static bool covers(const struct record_operator *who, struct span model)
{
    for (uint32_t i = 0; i < who->models; i++)
        if (text_glob(who->model[i], model))
            return true;
    return false;
}

bool rights_cover(const struct record_operator *who, const struct query *q)
{
    uint32_t named = 0;
    for (uint32_t i = 0; i < q->args && who->models; i++) {
        if (!span_is(q->arg[i].key, "model"))
            continue;
        if (!covers(who, q->arg[i].value))
            return false;
        named++;
    }
    return who->models == 0 || named > 0;
}
