// Models: those that the settings name, opened with their doors and what was kept of
// them.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <limits.h>
#include <stdio.h>

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "proto/messages/window.h"

enum status agent_path(const struct agent *a, const char *name, char *out, size_t size)
{
    if (name[0] != '/')
        return file_join(a->folder, name, out, size);
    return (size_t)snprintf(out, size, "%s", name) < size ? ST_OK : ST_RANGE;
}

const char *agent_text(const char *text)
{
    return text && text[0] ? text : NULL;
}

// The columns that the settings declare. ST_NOMEM.
static enum status take_columns(const struct model_section *m,
                                struct model_column **out)
{
    struct model_column *column = mem_zero(m->columns.count + 1, sizeof *column);
    if (!column)
        return ST_NOMEM;
    for (size_t i = 0; i < m->columns.count; i++) {
        struct span name;
        bool is_output, is_category;
        if (!settings_column(m->columns.item[i], &name, &is_output, &is_category))
            continue; // settings_read has refused it
        column[i] = (struct model_column){
            .name = mem_text(name),
            .role = is_output ? FEATURE_OUTPUT : FEATURE_INPUT,
            .kind = is_category ? FEATURE_CATEGORICAL : FEATURE_NUMERIC};
    }
    *out = column;
    return ST_OK;
}

static void free_columns(struct model_column *column, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        // As taken above: it lends its name as const.
        union {
            const char *in;
            void *out;
        } name = {.in = column[i].name};
        mem_free(name.out);
    }
    mem_free(column);
}

// The state is lent by the spool until its next commit, so the marks in it are used
// here.
enum status agent_add_model(struct agent *a, const struct model_section *m)
{
    struct model_settings s = {
        .name = m->name,
        .version = agent_text(m->version),
        .output = agent_text(m->output),
        .window_ns = m->window_ns,
        .lateness_ns = m->lateness_ns,
        .label_wait_ns = m->label_wait_ns,
        .label_capacity = m->label_capacity,
        .performance = (enum performance_kind)m->performance,
        .reveal = (const char *const *)m->reveal.item,
        .reveals = (uint32_t)m->reveal.count,
        .features = (uint32_t)a->settings.limits.features,
        .columns = (uint32_t)m->columns.count,
    };
    struct model_column *column;
    ST_TRY(take_columns(m, &column));
    s.column = column;
    struct buf key;
    buf_init(&key, 256);
    registry_state_key(span_text(m->name), &key);
    struct span state, marks = span_text("");
    if (key.failed != ST_OK ||
        spool_state_get(a->spool, buf_span(&key), &state) != ST_OK)
        state = span_text("");
    enum status st = registry_add(a->registry, &s, state, a->now.wall_ns, &marks);
    if (st == ST_CORRUPT) {
        log_line(LOG_ERROR, "what was kept of a model cannot be read; it begins anew",
                 "model=%s", m->name);
        st = ST_OK;
    } else if (st == ST_OK) {
        doors_resume(a->doors, marks);
    }
    buf_fini(&key);
    free_columns(column, m->columns.count);
    return st;
}

enum status agent_open_models(struct agent *a, struct buf *why)
{
    char folder[PATH_MAX];
    struct registry_hooks hooks = agent_registry_hooks(a);
    struct observation_sink stream, file;
    ST_TRY(agent_path(a, "state", folder, sizeof folder));
    ST_TRY(file_make_folder(folder, 0700));
    ST_TRY(registry_open(folder, &hooks, &a->registry));
    registry_now(a->registry, a->now.wall_ns);
    registry_sink(a->registry, ORIGIN_STREAM, &stream);
    registry_sink(a->registry, ORIGIN_FILE, &file);
    ST_TRY(doors_open(a->folder, &a->settings, &stream, &file, &a->doors, why));
    for (size_t i = 0; i < a->settings.models.count; i++) {
        const struct model_section *m = settings_model(&a->settings, i);
        enum status st = agent_add_model(a, m);
        if (st != ST_OK) {
            buf_printf(why, "model %s: %s", m->name, status_text(st));
            return st;
        }
    }
    return ST_OK;
}
