// SPDX-License-Identifier: Apache-2.0
#include "agent/model/model.h"

#include <math.h>
#include <string.h>

#include "agent/model/learn.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"

// A row further ahead of the clock than this has a wrong time.
#define FUTURE_NS (60 * NS_PER_S)

// Rows this near to the clock are of the present: a replay of the past is not.
#define LIVE_NS (3600 * NS_PER_S)

// One row that is this many windows ahead of all others may be a bit that fell over.
// Only when LEAP_ROWS in sequence say so has the stream really moved on.
#define LEAP_WINDOWS 64
#define LEAP_ROWS 3

// While the wall clock moves the watermark, rows on their way get this long.
#define WALL_GRACE_NS (2 * NS_PER_S)

// --- Opening

static struct span own_text(const char *text)
{
    char *copy = mem_text(span_text(text));
    return span_of(copy, copy ? strlen(copy) : 0);
}

static bool is_sound(const struct model_settings *s)
{
    return s->name && text_is_name(span_text(s->name)) && s->window_ns >= NS_PER_S &&
           (!s->version || !s->version[0] || text_is_name(span_text(s->version)));
}

static enum status keep_reveal(struct model *m, const struct model_settings *s)
{
    m->reveal = mem_zero(s->reveals + 1, sizeof *m->reveal);
    if (!m->reveal)
        return ST_NOMEM;
    for (uint32_t i = 0; i < s->reveals; i++) {
        m->reveal[i] = mem_text(span_text(s->reveal[i]));
        if (!m->reveal[i])
            return ST_NOMEM;
    }
    schema_reveal(&m->schema, m->reveal, s->reveals);
    m->schema.limit = s->features;
    return ST_OK;
}

// What is declared needs not be learned.
static enum status declare_columns(struct model *m, const struct model_settings *s)
{
    schema_init(&m->schema);
    random_os_bytes(m->schema.key, sizeof m->schema.key);
    ST_TRY(keep_reveal(m, s));
    for (uint32_t i = 0; i < s->columns; i++) {
        uint32_t slot;
        const struct model_column *c = &s->column[i];
        ST_TRY(schema_add(&m->schema, span_text(c->name), c->role, c->kind, &slot));
    }
    if (s->columns > 0)
        learn_freeze(&m->schema);
    return ST_OK;
}

enum status model_open(const struct model_settings *s, struct model **out)
{
    if (!is_sound(s))
        return ST_RANGE;
    struct model *m = MEM_NEW(struct model);
    if (!m)
        return ST_NOMEM;
    m->settings = *s;
    m->window_ns = s->window_ns;
    m->longer = 1;
    m->name = own_text(s->name);
    m->output = own_text(s->output ? s->output : "");
    random_os_bytes(m->local_key, sizeof m->local_key);
    bool is_short = !m->name.data || !m->output.data || declare_columns(m, s) != ST_OK;
    if (!is_short && s->version && s->version[0]) {
        struct model_version *v = model_version(m, span_text(s->version));
        is_short = v == NULL;
        m->served = v ? v->name : (struct span){0};
    }
    if (is_short) {
        model_close(m);
        return ST_NOMEM;
    }
    *out = m;
    return ST_OK;
}

static void free_bytes(struct span s)
{
    // What the model owns it has allocated; a span lends as const.
    union {
        const uint8_t *in;
        void *out;
    } bytes = {.in = s.data};
    mem_free(bytes.out);
}

static void close_version(struct model_version *v)
{
    for (uint32_t i = 0; i < WINDOW_FEATURES_MAX; i++)
        profile_close(v->carry[i]);
    free_bytes(v->name);
    mem_free(v);
}

void model_close(struct model *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; i < m->panes; i++)
        pane_close(m->pane[i]);
    for (uint32_t i = 0; i < m->versions; i++)
        close_version(m->version[i]);
    yardstick_shelf_fini(&m->yardsticks);
    for (uint32_t i = 0; m->reveal && m->reveal[i]; i++)
        free_bytes(span_text(m->reveal[i]));
    mem_free(m->reveal);
    schema_fini(&m->schema);
    changes_fini(&m->changes);
    labels_close(m->labels);
    free_bytes(m->name);
    free_bytes(m->output);
    mem_free(m);
}

// --- Versions

static bool is_in_use(const struct model *m, const struct model_version *v)
{
    if (span_equal(m->served, v->name))
        return true;
    for (uint32_t i = 0; i < m->panes; i++)
        if (span_equal(m->pane[i]->version, v->name))
            return true;
    return false;
}

static bool drop_unused_version(struct model *m)
{
    for (uint32_t i = 0; i < m->versions; i++) {
        if (is_in_use(m, m->version[i]))
            continue;
        close_version(m->version[i]);
        m->versions--;
        memmove(&m->version[i], &m->version[i + 1],
                (m->versions - i) * sizeof(struct model_version *));
        return true;
    }
    return false;
}

struct model_version *model_version(struct model *m, struct span name)
{
    for (uint32_t i = 0; i < m->versions; i++)
        if (span_equal(m->version[i]->name, name))
            return m->version[i];
    if (m->versions == REGISTRY_VERSIONS_MAX && !drop_unused_version(m))
        return NULL;
    struct model_version *v = MEM_NEW(struct model_version);
    char *copy = mem_text(name);
    if (!v || !copy) {
        mem_free(v);
        mem_free(copy);
        return NULL;
    }
    v->name = span_of(copy, name.size);
    m->version[m->versions++] = v;
    return v;
}

struct yardstick *model_yardstick(const struct model *m, struct span version)
{
    return yardstick_shelf_for(&m->yardsticks, version);
}

enum status model_take_reference(struct model *m, struct span body)
{
    struct yardstick *y;
    ST_TRY(yardstick_open(body, &y));
    if (!span_equal(yardstick_model(y), m->name)) {
        yardstick_drop(y);
        return ST_NOTFOUND;
    }
    yardstick_shelf_put(&m->yardsticks, y);
    return ST_OK;
}

// --- Panes

struct pane_ground model_ground(struct model *m)
{
    return (struct pane_ground){&m->schema, &m->changes, m->local_key};
}

void model_accept(struct model *m)
{
    for (uint32_t i = 0; i < m->changes.n; i++) {
        const struct change *c = &m->changes.item[i];
        if (c->kind != CHANGE_RETYPED)
            continue;
        for (uint32_t k = 0; k < m->schema.features; k++)
            if (span_is(schema_name(&m->schema, k), c->column))
                m->schema.feature[k].kind ^= 1; // numeric or categorical
    }
    changes_clear(&m->changes);
    learn_again(&m->schema);
    m->is_dirty = true;
}

static uint64_t floor_to(uint64_t t, uint64_t step)
{
    return t - t % step;
}

uint64_t model_open_rows(const struct model *m)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < m->panes; i++)
        rows += m->pane[i]->rows;
    return rows;
}

// The window of a time: a long one under strain, unless a part of that was sealed, or
// is another window already.
static void span_at(const struct model *m, uint64_t t, uint64_t *start, uint64_t *end)
{
    uint64_t longer = m->window_ns * m->longer;
    *start = floor_to(t, longer);
    *end = *start + longer;
    bool is_free = *start >= m->sealed_to;
    for (uint32_t i = 0; i < m->panes; i++) {
        const struct pane *p = m->pane[i];
        bool is_apart = p->end <= *start || p->start >= *end;
        bool is_same = p->start == *start && p->end == *end;
        is_free = is_free && (is_apart || is_same);
        if (t >= p->start && t < p->end) {
            *start = p->start; // another version's window of this time
            *end = p->end;
            return;
        }
    }
    if (is_free)
        return;
    *start = floor_to(t, m->window_ns);
    *end = *start + m->window_ns;
}

// The pane of a version at a time, opened if need be; NULL when it cannot be.
static struct pane *pane_at(struct model *m, struct span version, uint64_t t)
{
    for (uint32_t i = m->panes; i-- > 0;) {
        struct pane *p = m->pane[i];
        if (t >= p->start && t < p->end && span_equal(p->version, version))
            return p;
    }
    struct model_version *v = model_version(m, version);
    if (m->panes == REGISTRY_OPEN_WINDOWS_MAX || !v)
        return NULL;
    uint64_t start, end;
    struct pane *p;
    struct pane_ground ground = model_ground(m);
    span_at(m, t, &start, &end);
    if (pane_open(&ground, v->name, start, end, model_yardstick(m, v->name), &p) !=
        ST_OK)
        return NULL;
    p->is_plain = m->is_plain;
    m->pane[m->panes++] = p;
    return p;
}

// --- Time

static bool is_near(uint64_t a, uint64_t b, uint64_t distance)
{
    return a > b ? a - b <= distance : b - a <= distance;
}

// What time a row is counted at; it may be wrong by any amount.
static uint64_t clamp_time(struct model *m, uint64_t t, uint64_t now_ns)
{
    if (t > now_ns + FUTURE_NS) {
        m->account.future++;
        return m->newest && !m->is_live ? m->newest : now_ns;
    }
    uint64_t leap = LEAP_WINDOWS * m->window_ns;
    if (m->newest == 0 || t <= m->newest + leap) {
        if (m->newest != 0 && is_near(t, m->newest, leap))
            m->leaps = 0;
        return t;
    }
    bool is_again = m->leaps > 0 && is_near(t, m->leap_t, leap);
    m->leaps = is_again ? m->leaps + 1 : 1;
    m->leap_t = t;
    if (m->leaps >= LEAP_ROWS) {
        m->leaps = 0;
        return t;
    }
    m->account.future++;
    return m->newest;
}

static void move_watermark(struct model *m, uint64_t to)
{
    if (m->watermark == 0) {
        // The first row: windows before its own are not this agent's.
        m->sealed_to = floor_to(to, m->window_ns);
        m->watermark = to > 0 ? to : 1;
    }
    if (to > m->watermark)
        m->watermark = to;
}

static void see_time(struct model *m, uint64_t t, uint64_t now_ns)
{
    m->is_live = is_near(t, now_ns, LIVE_NS);
    if (t > m->newest)
        m->newest = t;
    uint64_t lateness = m->settings.lateness_ns;
    move_watermark(m, m->newest > lateness ? m->newest - lateness : 0);
}

void model_follow(struct model *m, uint64_t now_ns)
{
    uint64_t behind = m->settings.lateness_ns + WALL_GRACE_NS;
    if (m->is_live && m->watermark != 0 && now_ns > behind)
        move_watermark(m, now_ns - behind);
}

// A long window is sealed as a whole.
uint64_t model_sealable_to(const struct model *m)
{
    uint64_t to = floor_to(m->watermark, m->window_ns);
    for (uint32_t i = 0; i < m->panes; i++)
        if (m->pane[i]->start < to && m->pane[i]->end > to)
            to = m->pane[i]->start;
    return to;
}

bool model_is_due(const struct model *m)
{
    return m->watermark != 0 && m->watermark - m->sealed_to >= m->window_ns &&
           model_sealable_to(m) > m->sealed_to;
}

uint64_t model_due_at(const struct model *m)
{
    if (!m->is_live || m->watermark == 0)
        return UINT64_MAX;
    return m->sealed_to + m->window_ns + m->settings.lateness_ns + WALL_GRACE_NS;
}

// --- Rows

// The prediction of a row: the output that is named so, else the first number.
static bool find_prediction(const struct model *m, const struct observation *o,
                            double *out)
{
    struct span wanted = m->output.size > 0 ? m->output : span_text("prediction");
    const struct datum *found = NULL;
    for (uint32_t i = 0; i < o->values; i++) {
        const struct datum *d = &o->value[i];
        if (d->side != SIDE_OUTPUT || d->kind != DATUM_NUMBER)
            continue;
        if (span_equal(d->name, wanted)) {
            found = d;
            break;
        }
        if (!found && m->output.size == 0)
            found = d;
    }
    *out = found && isfinite(found->number) ? found->number : NAN;
    return found != NULL;
}

static bool has_side(const struct observation *o, enum observation_side a,
                     enum observation_side b)
{
    for (uint32_t i = 0; i < o->values; i++)
        if (o->value[i].side == a || o->value[i].side == b)
            return true;
    return false;
}

static void count_too_late(struct model *m, uint64_t t)
{
    if (m->sealed_to - t <= 2 * m->window_ns)
        m->account.late++;
    else
        m->account.dropped[DROP_TOO_OLD]++;
}

static struct span version_of(const struct model *m, const struct observation *o)
{
    if (o->version.size > 0)
        return o->version;
    return m->served.size > 0 ? m->served : span_text("unversioned");
}

static void count_row(struct model *m, const struct observation *o, uint64_t t)
{
    double prediction;
    struct span version = version_of(m, o);
    find_prediction(m, o, &prediction);
    m->account.observed++;
    if (t < m->sealed_to) {
        count_too_late(m, t);
        return;
    }
    struct pane *p = text_is_name(version) ? pane_at(m, version, t) : NULL;
    if (!p) {
        m->account.dropped[text_is_name(version) ? DROP_MEMORY : DROP_MALFORMED]++;
        return;
    }
    uint64_t errors = p->type_errors;
    enum status st = pane_row(p, o, prediction);
    m->account.type_error += p->type_errors - errors;
    m->account.unknown += o->unknown + (st != ST_OK);
    if (m->labels && o->id.size > 0 && !isnan(prediction))
        labels_note(m->labels, o->id, p->version, prediction, t);
}

// Signals of the server stand outside of the account of rows.
static void count_signals(struct model *m, const struct observation *o, uint64_t t)
{
    struct pane *p = t < m->sealed_to ? NULL : pane_at(m, version_of(m, o), t);
    if (p && pane_row(p, o, NAN) != ST_OK)
        m->account.unknown++;
}

// --- Labels

static bool find_label(const struct observation *o, double *out)
{
    for (uint32_t i = 0; i < o->values; i++)
        if (o->value[i].side == SIDE_LABEL && o->value[i].kind == DATUM_NUMBER &&
            isfinite(o->value[i].number)) {
            *out = o->value[i].number;
            return true;
        }
    return false;
}

// A label counts in the window in which it arrives, for the version that made the
// prediction, whichever is served now.
static void count_loss(struct model *m, const struct labels_match *match, double label,
                       uint64_t t)
{
    struct pane *p = pane_at(m, match->version, t);
    if (!p)
        return;
    double bias = match->score - label;
    double loss = fabs(bias); // for probabilities too: what a baseline learns
    double delay_s =
        (double)(t > match->predicted_ns ? t - match->predicted_ns : 0) / 1e9;
    bool is_full = pane_label(p, label, match->score) != ST_OK ||
                   pane_number(p, "loss", FEATURE_SIGNAL, loss) != ST_OK ||
                   pane_number(p, "bias", FEATURE_SIGNAL, bias) != ST_OK ||
                   pane_number(p, "label_delay_s", FEATURE_SIGNAL, delay_s) != ST_OK;
    m->account.unknown += is_full;
}

// The mean of this signal over a window is the join rate: the share of its labels that
// found their prediction. One that found none belongs to the version served now.
static void count_join(struct model *m, struct span version, bool is_joined, uint64_t t)
{
    struct pane *p = t < m->sealed_to ? NULL : pane_at(m, version, t);
    if (p && pane_number(p, "label_joined", FEATURE_SIGNAL, is_joined) != ST_OK)
        m->account.unknown++;
}

static void count_label(struct model *m, const struct observation *o, uint64_t t)
{
    double label;
    struct labels_match match;
    m->account.labels++;
    if (o->id.size == 0 || !find_label(o, &label)) {
        m->account.labels_bad++;
        return;
    }
    if (!m->labels || t < m->sealed_to) {
        m->account.labels_unjoined++;
        return;
    }
    enum status st = labels_join(m->labels, o->id, t, &match);
    if (st != ST_OK) {
        m->account.labels_unjoined++;
        // A label that comes twice says nothing about the join.
        if (st == ST_NOTFOUND && (o->version.size > 0 || m->served.size > 0))
            count_join(m, version_of(m, o), false, t);
        return;
    }
    m->account.labels_joined++;
    count_join(m, match.version, true, t);
    count_loss(m, &match, label, t);
}

void model_row(struct model *m, const struct observation *o, uint64_t now_ns)
{
    uint64_t t = clamp_time(m, o->t, now_ns);
    see_time(m, t, now_ns);
    m->is_dirty = true;
    if (has_side(o, SIDE_INPUT, SIDE_OUTPUT))
        count_row(m, o, t);
    else if (has_side(o, SIDE_SIGNAL, SIDE_SIGNAL))
        count_signals(m, o, t);
    if (has_side(o, SIDE_LABEL, SIDE_LABEL))
        count_label(m, o, t);
    if (o->values == 0) {
        m->account.observed++;
        m->account.dropped[DROP_MALFORMED]++;
    }
}
