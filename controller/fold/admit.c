// Admit: may this agent say this now, and is it news?
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/fold/inside.h"

#include <string.h>

#include "common/base/text.h"
#include "controller/fold/marks.h"
#include "controller/log/keys.h"
#include "controller/log/records.h"
#include "proto/messages/catalog.h"

static enum status answer(struct fold *f, const struct admission *a,
                          enum effect_kind kind, const char *code, const char *why)
{
    struct effect x = {.kind = kind,
                       .number = a->seq,
                       .text = span_text(code),
                       .more = span_text(why)};
    memcpy(x.agent, a->report->agent, sizeof x.agent);
    memcpy(x.boot, a->boot, sizeof x.boot);
    return effects_add(f->o.effects, &x);
}

enum status admit_refuse(struct fold *f, const struct admission *a, const char *code,
                         const char *why)
{
    return answer(f, a, EFFECT_REFUSE, code, why);
}

static enum status check_repeated(struct shelf *s, struct admission *a)
{
    struct mark m;
    ST_TRY(marks_get(s, a->report->agent, a->boot, &m));
    a->is_repeated = !mark_take(&m, a->seq);
    return ST_OK;
}

enum status admit_report(struct fold *f, struct shelf *s, const struct entry_report *r,
                         struct admission *a)
{
    *a = (struct admission){.report = r};
    // Without a place nobody can be answered: the sender is broken or hostile.
    if (wire_place(r->body, a->boot, &a->seq) != ST_OK || a->seq == 0)
        return ST_OK;
    struct shelf_key k = key_agent(r->agent);
    enum status st =
        records_get(s, SHELF_AGENT, &k, &record_agent_message, &f->pool, &a->agent);
    if (st == ST_NOTFOUND)
        return admit_refuse(f, a, "unknown", "this agent is not enrolled");
    if (st != ST_OK)
        return st;
    if (a->agent.state != AGENT_ACTIVE)
        return admit_refuse(f, a, "revoked", "this agent may not report");
    ST_TRY(check_repeated(s, a));
    a->is_welcome = true;
    return ST_OK;
}

bool admit_model(const struct record_agent *a, struct span model)
{
    for (uint32_t i = 0; i < a->models; i++) {
        if (text_glob(a->model[i], model))
            return true;
    }
    return false;
}

enum status admit_done(struct fold *f, struct shelf *s, const struct admission *a)
{
    bool is_new;
    ST_TRY(marks_fold(s, a->report->agent, a->boot, a->seq, f->moment.now_ns, &is_new));
    return answer(f, a, EFFECT_ACK, "", "");
}
