// SPDX-License-Identifier: Apache-2.0
#include "controller/act/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/setup/conf.h"

#define AT(type, member) offsetof(struct type, member)

static const struct conf_row verify_rows[] = {
    {"min_samples", VALUE_NUMBER, AT(policy_verify, min_samples), "2000",
     "rows after the switch before a verdict", "1..", NULL, false},
    {"min_time", VALUE_DURATION, AT(policy_verify, min_time_ns), "0s",
     "event time after the switch before a verdict", NULL, NULL, false},
    {"max", VALUE_DURATION, AT(policy_verify, max_ns), "45m",
     "event time without a verdict until the plan halts", "1s..", NULL, false},
    {"signals", VALUE_LIST, AT(policy_verify, signals), "",
     "what must come back; empty: all that moved", NULL, NULL, false},
    {"on_fail", VALUE_WORD, AT(policy_verify, on_fail), "restore",
     "what to do with hosts that did not recover", "restore|halt", NULL, false},
};
static const struct conf_table verify_table = {
    .name = "verify",
    .help = "how recovery is proven",
    .size = sizeof(struct policy_verify),
    .row = verify_rows,
    .rows = sizeof verify_rows / sizeof *verify_rows,
};

static const struct conf_row limits_rows[] = {
    {"cooldown", VALUE_DURATION, AT(policy_limits, cooldown_ns), "30m",
     "rest of a model after any effect", NULL, NULL, false},
    {"max_per_day", VALUE_NUMBER, AT(policy_limits, max_per_day), "2",
     "automatic plans of one model in 24 h", "1..1000", NULL, false},
};
static const struct conf_table limits_table = {
    .name = "limits",
    .help = "how often it may act",
    .size = sizeof(struct policy_limits),
    .row = limits_rows,
    .rows = sizeof limits_rows / sizeof *limits_rows,
};

static const struct conf_row rule_rows[] = {
    {"models", VALUE_LIST, AT(policy_rule, models), "", "globs; empty: all models",
     NULL, NULL, false},
    {"when", VALUE_TEXT, AT(policy_rule, when), "", "condition; empty: always", NULL,
     NULL, false},
    {"do", VALUE_WORD, AT(policy_rule, action), "rollback", "what the plan does",
     "rollback|retrain|none", NULL, false},
    {"mode", VALUE_WORD, AT(policy_rule, mode), "suggest", "who starts it",
     "observe|suggest|approve|auto", NULL, false},
    {"approvals", VALUE_NUMBER, AT(policy_rule, approvals), "1",
     "people who must approve in mode approve", "1..8", NULL, false},
    {"executor", VALUE_TEXT, AT(policy_rule, executor), "",
     "name of the hosts' executor", NULL, NULL, false},
    {"waves", VALUE_LIST, AT(policy_rule, waves), "",
     "\"1 host\", \"10%\"; empty: 1 host, 10%, 50%, 100%", NULL, NULL, false},
    {"allow_single", VALUE_FLAG, AT(policy_rule, allow_single), "no",
     "a model on one host only may be rolled back", NULL, NULL, false},
    {"run", VALUE_DURATION, AT(policy_rule, run_ns), "60s",
     "time limit of the executor", "1s..10m", NULL, false},
    {"verify", VALUE_TEXT, AT(policy_rule, verify), NULL, "", NULL, &verify_table,
     false},
    {"limits", VALUE_TEXT, AT(policy_rule, limits), NULL, "", NULL, &limits_table,
     false},
};
static const struct conf_table rule_table = {
    .name = "policy",
    .help = "first match in the file's order counts",
    .size = sizeof(struct policy_rule),
    .row = rule_rows,
    .rows = sizeof rule_rows / sizeof *rule_rows,
    .has_title = true,
    .title_offset = AT(policy_rule, name),
};

struct policy {
    struct conf_many rules;
};

static const struct conf_row file_rows[] = {
    {"policy", VALUE_TEXT, AT(policy, rules), NULL, "", NULL, &rule_table, true},
};
static const struct conf_table file_table = {
    .name = "policy.conf",
    .help = "what may be done about an alert, and on whose word",
    .size = sizeof(struct policy),
    .row = file_rows,
    .rows = sizeof file_rows / sizeof *file_rows,
};

static const struct expr_symbol symbols[] = {
    {"diagnosis", EXPR_WORD}, {"tier", EXPR_WORD},       {"version", EXPR_WORD},
    {"hosts", EXPR_NUMBER},   {"automatic", EXPR_TRUTH},
};
#define SYMBOLS (sizeof symbols / sizeof *symbols)

static struct policy_rule *rule_at(const struct policy *p, size_t i)
{
    return (struct policy_rule *)p->rules.item + i;
}

static enum status parse_wave(const char *text, struct policy_wave *out)
{
    struct span s = span_text(text);
    if (s.size > 1 && s.data[s.size - 1] == '%') {
        double share;
        ST_TRY(text_f64(span_of(s.data, s.size - 1), &share));
        *out = (struct policy_wave){true, share / 100};
        return share > 0 && share <= 100 ? ST_OK : ST_RANGE;
    }
    const char *blank = strchr(text, ' ');
    if (!blank || (strcmp(blank, " host") != 0 && strcmp(blank, " hosts") != 0))
        return ST_RANGE;
    uint64_t hosts;
    ST_TRY(text_u64(span_of(text, (size_t)(blank - text)), &hosts));
    *out = (struct policy_wave){false, (double)hosts};
    return hosts > 0 ? ST_OK : ST_RANGE;
}

static enum status finish_waves(const char *file, struct policy_rule *r,
                                struct buf *why)
{
    static const struct policy_wave usual[] = {
        {false, 1}, {true, 0.1}, {true, 0.5}, {true, 1}};
    if (r->waves.count == 0) {
        memcpy(r->wave, usual, sizeof usual);
        r->wave_count = sizeof usual / sizeof *usual;
        return ST_OK;
    }
    if (r->waves.count > POLICY_WAVES_MAX) {
        buf_printf(why, "%s: policy \"%s\": waves: at most %u of them", file, r->name,
                   POLICY_WAVES_MAX);
        return ST_RANGE;
    }
    for (size_t i = 0; i < r->waves.count; i++)
        if (parse_wave(r->waves.item[i], &r->wave[i]) != ST_OK) {
            buf_printf(why,
                       "%s: policy \"%s\": waves: \"%s\" is no wave: write \"1 host\", "
                       "\"3 hosts\" or \"10%%\"",
                       file, r->name, r->waves.item[i]);
            return ST_RANGE;
        }
    r->wave_count = (uint32_t)r->waves.count;
    const struct policy_wave *last = &r->wave[r->wave_count - 1];
    if (last->is_share && last->amount == 1)
        return ST_OK;
    buf_printf(why, "%s: policy \"%s\": waves: the last one must be \"100%%\"", file,
               r->name);
    return ST_RANGE;
}

static enum status finish_rule(const char *file, struct policy_rule *r, struct buf *why)
{
    ST_TRY(finish_waves(file, r, why));
    if (!r->when)
        return ST_OK;
    struct expr_fault fault;
    enum status st =
        expr_parse(span_text(r->when), symbols, SYMBOLS, &r->condition, &fault);
    if (st == ST_CORRUPT || st == ST_RANGE) {
        buf_printf(why, "%s: policy \"%s\": when: column %zu: %s", file, r->name,
                   fault.column, fault.text);
        return ST_RANGE;
    }
    return st;
}

enum status policy_parse(const char *name, struct span text, struct policy **out,
                         struct buf *why)
{
    if (text.size > POLICY_BYTES_MAX) {
        buf_printf(why, "%s: longer than 256 KiB", name);
        return ST_FULL;
    }
    struct policy *p = MEM_NEW(struct policy);
    if (!p)
        return ST_NOMEM;
    enum status st = conf_parse(name, text, &file_table, p, why);
    if (st == ST_OK && p->rules.count > POLICY_RULES_MAX) {
        buf_printf(why, "%s: at most %u policies", name, POLICY_RULES_MAX);
        st = ST_FULL;
    }
    for (size_t i = 0; st == ST_OK && i < p->rules.count; i++)
        st = finish_rule(name, rule_at(p, i), why);
    if (st != ST_OK) {
        policy_close(p);
        return st;
    }
    *out = p;
    return ST_OK;
}

void policy_close(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->rules.count; i++)
        expr_close(rule_at(p, i)->condition);
    conf_free(&file_table, p);
    mem_free(p);
}

static bool fits_model(const struct policy_rule *r, struct span model)
{
    for (size_t i = 0; i < r->models.count; i++)
        if (text_glob(span_text(r->models.item[i]), model))
            return true;
    return r->models.count == 0;
}

const struct policy_rule *policy_match(const struct policy *p,
                                       const struct policy_facts *facts)
{
    const struct expr_value value[SYMBOLS] = {
        {.is_known = facts->diagnosis.size > 0, .word = facts->diagnosis},
        {.is_known = facts->tier.size > 0, .word = facts->tier},
        {.is_known = facts->version.size > 0, .word = facts->version},
        {.is_known = true, .number = facts->hosts},
        {.is_known = true, .truth = facts->is_automatic},
    };
    for (size_t i = 0; i < p->rules.count; i++) {
        const struct policy_rule *r = rule_at(p, i);
        if (fits_model(r, facts->model) &&
            (!r->condition || expr_holds(r->condition, value)))
            return r;
    }
    return NULL;
}

uint32_t policy_rules(const struct policy *p)
{
    return (uint32_t)p->rules.count;
}

const struct policy_rule *policy_rule(const struct policy *p, uint32_t i)
{
    return rule_at(p, i);
}

uint32_t policy_wave_hosts(const struct policy_wave *w, uint32_t hosts)
{
    double wanted = w->is_share ? floor(w->amount * hosts) : w->amount;
    if (wanted < 1)
        wanted = 1;
    return wanted > hosts ? hosts : (uint32_t)wanted;
}
