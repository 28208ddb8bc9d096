// SPDX-License-Identifier: Apache-2.0
#include "agent/act/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "common/base/text.h"

static const struct conf_row rows[] = {
    {"actions", VALUE_LIST, offsetof(struct policy, actions), "",
     "what orders may do here; rollback and probe when nothing is said", NULL, NULL,
     false},
    {"models", VALUE_LIST, offsetof(struct policy, models), "",
     "globs of models that orders may touch; all of the grant's when nothing is said",
     NULL, NULL, false},
    {"never_to", VALUE_LIST, offsetof(struct policy, never_to), "",
     "globs of MODEL@VERSION that are never switched to", NULL, NULL, false},
    {"max_per_hour", VALUE_NUMBER, offsetof(struct policy, max_per_hour), "4",
     "switches of one model in an hour", "1..1000", NULL, false},
    {"max_per_hour_all", VALUE_NUMBER, offsetof(struct policy, max_per_hour_all), "20",
     "switches on this host in an hour", "1..10000", NULL, false},
    {"min_interval", VALUE_DURATION, offsetof(struct policy, min_interval_ns), "10m",
     "least time between two switches of one model", "0s..1w", NULL, false},
    {"veto_dir", VALUE_TEXT, offsetof(struct policy, veto_dir), "",
     "folder in which a file MODEL or ALL stops every order", NULL, NULL, false},
};
const struct conf_table policy_table = {
    .name = "local_policy",
    .help =
        "What the owner of this host allows; the stricter of this and the grant wins.",
    .size = sizeof(struct policy),
    .row = rows,
    .rows = sizeof rows / sizeof rows[0],
};

static bool matches(const struct value_list *globs, struct span value)
{
    for (size_t i = 0; i < globs->count; i++)
        if (text_glob(span_text(globs->item[i]), value))
            return true;
    return false;
}

bool policy_allows_action(const struct policy *p, struct span action)
{
    if (p->actions.count == 0)
        return span_is(action, "rollback") || span_is(action, "probe");
    for (size_t i = 0; i < p->actions.count; i++)
        if (span_is(action, p->actions.item[i]))
            return true;
    return false;
}

bool policy_allows_model(const struct policy *p, struct span model)
{
    return p->models.count == 0 || matches(&p->models, model);
}

bool policy_allows_target(const struct policy *p, struct span model,
                          struct span version)
{
    char both[2 * 128 + 2];
    int n = snprintf(both, sizeof both, "%.*s@%.*s", (int)model.size,
                     model.size ? (const char *)model.data : "", (int)version.size,
                     version.size ? (const char *)version.data : "");
    return n < (int)sizeof both && !matches(&p->never_to, span_text(both));
}

static bool is_there(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat info;
    if (file_join(folder, name, path, sizeof path) != ST_OK)
        return true;
    return lstat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool policy_is_vetoed(const struct policy *p, struct span model)
{
    if (!p->veto_dir || !p->veto_dir[0])
        return false;
    char name[2 * 128 + 1];
    size_t n = 0;
    for (size_t i = 0; i < model.size && n + 2 < sizeof name; i++) {
        name[n++] = model.data[i] == '/' ? '_' : (char)model.data[i];
        if (model.data[i] == '/')
            name[n++] = '_';
    }
    name[n] = '\0';
    return is_there(p->veto_dir, "ALL") || (n > 0 && is_there(p->veto_dir, name));
}
