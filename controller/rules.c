// Rules: a conf table, and one row of figures for each window.
//
// SPDX-License-Identifier: Apache-2.0
#include "controller/rules.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/drift/budget.h"
#include "common/drift/familiar.h"

#define AT(type, member) offsetof(struct type, member)

static const struct conf_row detect_rows[] = {
    {"warn_feature", VALUE_REAL, AT(rules_detect, warn_feature), "10000",
     "evidence that one feature needs for a ticket", "1..1e30", NULL, false},
    {"warn_model", VALUE_REAL, AT(rules_detect, warn_model), "1000",
     "the same for the model, shared by importance", "1..1e30", NULL, false},
    {"page_model", VALUE_REAL, AT(rules_detect, page_model), "0",
     "capped evidence for a page; 0: what the budget leaves", "0..1e30", NULL, false},
    {"pages_per_week", VALUE_REAL, AT(rules_detect, pages_per_week), "2",
     "pages of the whole fleet", "0.01..10000", NULL, false},
    {"burst", VALUE_REAL, AT(rules_detect, burst), "3", "pages at once", "1..10000",
     NULL, false},
    {"page_on_gross", VALUE_FLAG, AT(rules_detect, page_on_gross), "no",
     "one gross reason is enough for a page", NULL, NULL, false},
};
static const struct conf_table detect_table = {
    .name = "detect",
    .help = "the levels of Kedge's own detector",
    .size = sizeof(struct rules_detect),
    .row = detect_rows,
    .rows = sizeof detect_rows / sizeof *detect_rows,
};

static const struct conf_row rule_rows[] = {
    {"when", VALUE_TEXT, AT(rules_rule, when), NULL,
     "condition on psi, p1, p25, ks, ks_p, chi2_p, js, w1, mean, linf, missing, rows, "
     "inputs, violations",
     NULL, NULL, false},
    {"constraints", VALUE_TEXT, AT(rules_rule, constraints_file), "",
     "file of SageMaker Model Monitor constraints", NULL, NULL, false},
};
static const struct conf_table rule_table = {
    .name = "rule",
    .help = "a fixed line as other monitors have it: counted, never a page",
    .size = sizeof(struct rules_rule),
    .row = rule_rows,
    .rows = sizeof rule_rows / sizeof *rule_rows,
    .has_title = true,
    .title_offset = AT(rules_rule, name),
};

static const struct conf_row file_rows[] = {
    {"detect", VALUE_TEXT, AT(rules, detect), NULL, "", NULL, &detect_table, false},
    {"rule", VALUE_TEXT, AT(rules, rule), NULL, "", NULL, &rule_table, true},
};
static const struct conf_table file_table = {
    .name = "detection.conf",
    .help = "when something is said to have drifted",
    .size = sizeof(struct rules),
    .row = file_rows,
    .rows = sizeof file_rows / sizeof *file_rows,
};

enum figure {
    FIGURE_ROWS,
    FIGURE_INPUTS,
    FIGURE_P1,
    FIGURE_P25,
    FIGURE_VIOLATIONS,
    FIGURE_STATISTIC, // the first of FAMILIAR_COUNT
    FIGURES = FIGURE_STATISTIC + FAMILIAR_COUNT
};

static const struct expr_symbol symbols[FIGURES] = {
    {"rows", EXPR_NUMBER}, {"inputs", EXPR_NUMBER},     {"p1", EXPR_NUMBER},
    {"p25", EXPR_NUMBER},  {"violations", EXPR_NUMBER}, {"psi", EXPR_NUMBER},
    {"ks", EXPR_NUMBER},   {"ks_p", EXPR_NUMBER},       {"chi2_p", EXPR_NUMBER},
    {"js", EXPR_NUMBER},   {"w1", EXPR_NUMBER},         {"mean", EXPR_NUMBER},
    {"linf", EXPR_NUMBER}, {"missing", EXPR_NUMBER},
};

static struct rules_rule *rule_of(const struct rules *r, uint32_t i)
{
    return (struct rules_rule *)r->rule.item + i;
}

uint32_t rules_count(const struct rules *r)
{
    return (uint32_t)r->rule.count;
}

const struct rules_rule *rules_at(const struct rules *r, uint32_t i)
{
    return rule_of(r, i);
}

void rules_free(struct rules *r)
{
    for (uint32_t i = 0; i < rules_count(r); i++) {
        expr_close(rule_of(r, i)->condition);
        constraints_close(rule_of(r, i)->constraints);
    }
    conf_free(&file_table, r);
}

// A file beside another one.
static enum status beside(const char *path, const char *name, char out[PATH_MAX])
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (name[0] == '/' || !slash)
        return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX ? ST_OK : ST_RANGE;
    size_t size = (size_t)(slash - path);
    if (size >= sizeof folder)
        return ST_RANGE;
    memcpy(folder, path, size);
    folder[size] = '\0';
    return file_join(folder, name, out, PATH_MAX);
}

static enum status finish_rule(const char *path, struct rules_rule *r, struct buf *why)
{
    struct expr_fault fault;
    char file[PATH_MAX];
    enum status st =
        expr_parse(span_text(r->when), symbols, FIGURES, &r->condition, &fault);
    if (st == ST_CORRUPT || st == ST_RANGE) {
        buf_printf(why, "%s: rule \"%s\": when: column %zu: %s", path, r->name,
                   fault.column, fault.text);
        return ST_RANGE;
    }
    ST_TRY(st);
    if (!r->constraints_file || !r->constraints_file[0])
        return ST_OK;
    ST_TRY(beside(path, r->constraints_file, file));
    return constraints_read(file, &r->constraints, why);
}

enum status rules_read(const char *path, struct rules *out, struct buf *why)
{
    *out = (struct rules){0};
    ST_TRY(conf_read(path, &file_table, out, why));
    enum status st = ST_OK;
    if (rules_count(out) > RULES_MAX) {
        buf_printf(why, "%s: at most %u rules", path, RULES_MAX);
        st = ST_RANGE;
    }
    for (uint32_t i = 0; i < rules_count(out) && st == ST_OK; i++)
        st = finish_rule(path, rule_of(out, i), why);
    if (st != ST_OK)
        rules_free(out);
    return st;
}

enum status rules_standard(struct rules *out)
{
    struct buf why;
    buf_init(&why, 1024);
    enum status st =
        conf_parse("detection.conf", span_text(""), &file_table, out, &why);
    buf_fini(&why);
    return st;
}

struct judge_settings rules_judge(const struct rules *r, double share,
                                  uint64_t window_ns)
{
    struct judge_settings s = judge_defaults();
    s.warn_feature = r->detect.warn_feature;
    s.warn_model = r->detect.warn_model;
    s.page_on_gross = r->detect.page_on_gross;
    s.page_model = r->detect.page_model;
    if (!(s.page_model > 0) && window_ns > 0)
        s.page_model = fmax(s.warn_feature,
                            budget_level(r->detect.pages_per_week, share, window_ns));
    return s;
}

// --- Figures of a window

static void add_input(double *figure, const struct familiar *f)
{
    figure[FIGURE_INPUTS]++;
    figure[FIGURE_ROWS] = fmax(figure[FIGURE_ROWS], f->rows);
    figure[FIGURE_P1] += f->value[FAMILIAR_PSI] > 0.1;
    figure[FIGURE_P25] += f->value[FAMILIAR_PSI] > 0.25;
    for (uint32_t i = 0; i < FAMILIAR_COUNT; i++)
        figure[FIGURE_STATISTIC + i] = fmax(figure[FIGURE_STATISTIC + i], f->value[i]);
}

static bool speaks(const struct rules_rule *r, const struct baseline *b,
                   const struct drift_window *w, const double *figure)
{
    struct expr_value value[FIGURES];
    for (uint32_t i = 0; i < FIGURES; i++)
        value[i] = (struct expr_value){.is_known = true, .number = figure[i]};
    value[FIGURE_VIOLATIONS].is_known = r->constraints != NULL;
    if (r->constraints)
        value[FIGURE_VIOLATIONS].number = constraints_violations(r->constraints, b, w);
    return expr_holds(r->condition, value);
}

uint32_t rules_window(const struct rules *r, const struct baseline *b,
                      const struct drift_window *w)
{
    double figure[FIGURES] = {0};
    uint32_t said = 0;
    if (rules_count(r) == 0)
        return 0;
    for (uint32_t i = 0; i < w->features; i++) {
        struct familiar f;
        const struct drift_feature *d = &w->feature[i];
        int32_t at = baseline_find_feature(b, d->name, i);
        if (d->role != ROLE_INPUT || at < 0 || !d->profile)
            continue;
        familiar_of(baseline_feature(b, (uint32_t)at), d->profile, &f);
        add_input(figure, &f);
    }
    // Strengths are -log10 of p; people write p.
    figure[FIGURE_STATISTIC + FAMILIAR_KS_P] =
        pow(10, -figure[FIGURE_STATISTIC + FAMILIAR_KS_P]);
    figure[FIGURE_STATISTIC + FAMILIAR_CHI2_P] =
        pow(10, -figure[FIGURE_STATISTIC + FAMILIAR_CHI2_P]);
    for (uint32_t i = 0; i < rules_count(r); i++)
        if (speaks(rule_of(r, i), b, w, figure))
            said |= 1u << i;
    return said;
}
