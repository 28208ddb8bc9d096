// SPDX-License-Identifier: Apache-2.0
#include "agent/act/executor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/setup/conf.h"
#include "common/trust/digest.h"

#define FILE_BYTES_MAX 65536
#define ROW(type, member) .offset = offsetof(type, member)

#define REMOTE_ROW(member, type, standard, help)                                       \
    {                                                                                  \
#member, type, ROW(struct executor_file, remote.member), standard, help, NULL, \
            NULL, false                                                                \
    }

static const int signals[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM};

struct executor_file {
    char *name;
    unsigned kind;
    struct value_list actions;
    struct value_list models;
    struct value_list versions;
    bool idempotent;
    uint64_t timeout_ns;
    char *root;
    char *link;
    char *folder;
    char *pidfile;
    unsigned signal;
    struct value_list reload;
    struct value_list probe;
    struct value_list apply;
    struct executor_remote remote;
};

struct whole_file {
    struct conf_many executor;
};

static const struct conf_row executor_rows[] = {
    {"kind", VALUE_WORD, ROW(struct executor_file, kind), NULL, "how it switches",
     "symlink|exec|mlflow|tfserving|triton|torchserve|kserve|deployment|haproxy", NULL,
     false},
    {"actions", VALUE_LIST, ROW(struct executor_file, actions), "",
     "what it may do; rollback and probe when nothing is said", NULL, NULL, false},
    {"models", VALUE_LIST, ROW(struct executor_file, models), "",
     "globs of the models that it may switch; none when nothing is said", NULL, NULL,
     false},
    {"versions", VALUE_LIST, ROW(struct executor_file, versions), "",
     "globs of the versions that it may switch to; any when nothing is said", NULL,
     NULL, false},
    {"idempotent", VALUE_FLAG, ROW(struct executor_file, idempotent), "no",
     "it may run again after it was interrupted", NULL, NULL, false},
    {"timeout", VALUE_DURATION, ROW(struct executor_file, timeout_ns), "60s",
     "the longest that it may run", "1s..1h", NULL, false},
    {"root", VALUE_TEXT, ROW(struct executor_file, root), "",
     "symlink: the folder, absolute", NULL, NULL, false},
    {"link", VALUE_NAME, ROW(struct executor_file, link), "current",
     "symlink: the link in it whose target is served", NULL, NULL, false},
    {"folder", VALUE_TEXT, ROW(struct executor_file, folder), "versions",
     "symlink: the folder in it that holds one folder for each version; . for the root",
     NULL, NULL, false},
    {"pidfile", VALUE_TEXT, ROW(struct executor_file, pidfile), "",
     "symlink: a file below root with the number of the process to signal", NULL, NULL,
     false},
    {"signal", VALUE_WORD, ROW(struct executor_file, signal), "HUP",
     "symlink: what that process is sent after a switch", "HUP|USR1|USR2|TERM", NULL,
     false},
    {"reload", VALUE_LIST, ROW(struct executor_file, reload), "",
     "symlink: a command to run after a switch", NULL, NULL, false},
    {"probe", VALUE_LIST, ROW(struct executor_file, probe), "",
     "exec: a command that prints the version that is served", NULL, NULL, false},
    {"apply", VALUE_LIST, ROW(struct executor_file, apply), "",
     "exec: a command that switches; {model} {from} {to} {order} stand for one word "
     "each",
     NULL, NULL, false},
    REMOTE_ROW(base, VALUE_TEXT, "",
               "mlflow, tfserving, triton, torchserve, kserve, deployment: http:// or "
               "https:// address of the server"),
    REMOTE_ROW(name, VALUE_TEXT, "",
               "these too: what the server calls the model; its own name when empty"),
    REMOTE_ROW(auth_file, VALUE_TEXT, "",
               "these too: a secret file whose first line is the header Authorization"),
    REMOTE_ROW(ca, VALUE_TEXT, "",
               "these too: a file of the authorities that are trusted instead of the "
               "system's"),
    REMOTE_ROW(alias, VALUE_NAME, "champion",
               "mlflow: the alias that names the version that is served"),
    REMOTE_ROW(label, VALUE_NAME, "stable",
               "tfserving: the label that names the version that is served"),
    REMOTE_ROW(config, VALUE_TEXT, "",
               "tfserving: the server's model_config_file, which it polls"),
    REMOTE_ROW(namespace, VALUE_NAME, "default", "kserve, deployment: its namespace"),
    REMOTE_ROW(container, VALUE_TEXT, "",
               "deployment: the container whose image is set; the only one when empty"),
    REMOTE_ROW(
        artifact, VALUE_TEXT, "",
        "kserve, deployment: the storage address or image, with {version} in it"),
    REMOTE_ROW(socket, VALUE_TEXT, "", "haproxy: its runtime socket, absolute"),
    REMOTE_ROW(backend, VALUE_TEXT, "",
               "haproxy: the backend with one server for each version"),
    REMOTE_ROW(gitops, VALUE_FLAG, "no",
               "kserve, deployment: switch it although a GitOps tool owns it"),
};
static const struct conf_table executor_table = {
    .name = "executor",
    .help = "How one kind of thing is switched on this host.",
    .size = sizeof(struct executor_file),
    .row = executor_rows,
    .rows = sizeof executor_rows / sizeof executor_rows[0],
    .has_title = true,
    .title_offset = offsetof(struct executor_file, name),
};

static const struct conf_row whole_rows[] = {
    {.name = "executor",
     .offset = offsetof(struct whole_file, executor),
     .table = &executor_table,
     .is_many = true},
};
static const struct conf_table whole_table = {
    .name = "NAME.conf",
    .help = "One executor of this host, in a file of its name.",
    .size = sizeof(struct whole_file),
    .row = whole_rows,
    .rows = 1,
};

const char *executor_kind_name(enum executor_kind kind)
{
    static const char *const names[EXECUTOR_KINDS] = {
        "symlink",    "exec",   "mlflow",     "tfserving", "triton",
        "torchserve", "kserve", "deployment", "haproxy"};
    return names[kind];
}

// Moves the words over; the standard words stand in for none.
static bool take_words(struct value_list *from, const char *const *standard,
                       struct executor_words *out)
{
    size_t standards = 0;
    while (standard && standard[standards])
        standards++;
    size_t count = from->count > 0 ? from->count : standards;
    if (count > EXECUTOR_LIST_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *word = from->count > 0 ? from->item[i] : standard[i];
        out->word[i] = mem_text(span_text(word));
        if (!out->word[i])
            return false;
        out->count++;
    }
    return true;
}

static void free_words(struct executor_words *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        mem_free(w->word[i]);
}

static bool take_text(char **from, char **out)
{
    *out = *from;
    *from = NULL;
    return *out && (*out)[0] ? true : (mem_free(*out), *out = NULL, false);
}

// "/srv/m/server.pid" below the root "/srv/m" is "server.pid".
static void shorten_pidfile(struct executor_symlink *s)
{
    size_t root = s->root ? strlen(s->root) : 0;
    if (!s->pidfile || root == 0 || strncmp(s->pidfile, s->root, root) != 0 ||
        s->pidfile[root] != '/')
        return;
    memmove(s->pidfile, s->pidfile + root + 1, strlen(s->pidfile + root + 1) + 1);
}

static const char *check_symlink(struct executor *e)
{
    struct executor_symlink *s = &e->symlink;
    shorten_pidfile(s);
    if (!s->root || s->root[0] != '/')
        return "symlink: root must be an absolute path";
    if (!s->link || strchr(s->link, '/'))
        return "symlink: link must be a plain name";
    if (!s->versions || s->versions[0] == '/' || strstr(s->versions, ".."))
        return "symlink: folder must be a folder below root";
    if (s->pidfile && (s->pidfile[0] == '/' || strstr(s->pidfile, "..")))
        return "symlink: pidfile must lie below root";
    if (s->reload.count > 0 && s->reload.word[0][0] != '/')
        return "symlink: reload must begin with an absolute path";
    return NULL;
}

static const char *check_exec(const struct executor *e)
{
    if (e->exec.probe.count == 0 || e->exec.probe.word[0][0] != '/')
        return "exec: probe must begin with an absolute path";
    if (e->exec.apply.count == 0 || e->exec.apply.word[0][0] != '/')
        return "exec: apply must begin with an absolute path";
    return NULL;
}

static const char *check_kube(const struct executor_remote *r)
{
    const char *at = r->artifact ? strstr(r->artifact, "{version}") : NULL;
    if (!at || strstr(at + 1, "{version}"))
        return "artifact must hold {version} once";
    return NULL;
}

static const char *check_haproxy(const struct executor_remote *r)
{
    if (!r->socket || r->socket[0] != '/')
        return "haproxy: socket must be an absolute path";
    if (!r->backend || !text_is_name(span_text(r->backend)))
        return "haproxy: backend must be named";
    return NULL;
}

static const char *check_remote(const struct executor *e)
{
    const struct executor_remote *r = &e->remote;
    if (e->kind == EXECUTOR_HAPROXY)
        return check_haproxy(r);
    size_t size = r->base ? strlen(r->base) : 0;
    bool is_web = size && (strncmp(r->base, "http://", 7) == 0 ||
                           strncmp(r->base, "https://", 8) == 0);
    if (!is_web || r->base[size - 1] == '/')
        return "base must be http:// or https:// and end without a slash";
    if (r->auth_file && r->auth_file[0] != '/')
        return "auth_file must be an absolute path";
    if (e->kind == EXECUTOR_TFSERVING && (!r->config || r->config[0] != '/'))
        return "tfserving: config must be an absolute path";
    bool is_kube = e->kind == EXECUTOR_KSERVE || e->kind == EXECUTOR_DEPLOYMENT;
    return is_kube ? check_kube(r) : NULL;
}

static const char *check(struct executor *e)
{
    return e->kind == EXECUTOR_SYMLINK ? check_symlink(e)
           : e->kind == EXECUTOR_EXEC  ? check_exec(e)
                                       : check_remote(e);
}

// Every text of the kinds that ask a server, for loops over them.
static const size_t remote_texts[] = {
    offsetof(struct executor_remote, base),
    offsetof(struct executor_remote, name),
    offsetof(struct executor_remote, auth_file),
    offsetof(struct executor_remote, ca),
    offsetof(struct executor_remote, alias),
    offsetof(struct executor_remote, label),
    offsetof(struct executor_remote, config),
    offsetof(struct executor_remote, namespace),
    offsetof(struct executor_remote, container),
    offsetof(struct executor_remote, artifact),
    offsetof(struct executor_remote, socket),
    offsetof(struct executor_remote, backend),
};

static char **remote_text_at(struct executor_remote *r, size_t i)
{
    return (char **)(void *)((char *)r + remote_texts[i]);
}

static enum status take_file(struct executor_file *f, struct executor *e)
{
    static const char *const actions[] = {"rollback", "probe", NULL};
    static const char *const any[] = {"*", NULL};
    if (strlen(f->name) >= sizeof e->name)
        return ST_RANGE;
    memcpy(e->name, f->name, strlen(f->name) + 1);
    e->kind = f->kind; // the words stand in the order of the kinds
    e->is_idempotent = f->idempotent || e->kind != EXECUTOR_EXEC;
    e->remote.gitops = f->remote.gitops;
    for (size_t i = 0; i < sizeof remote_texts / sizeof *remote_texts; i++)
        (void)take_text(remote_text_at(&f->remote, i), remote_text_at(&e->remote, i));
    e->timeout_ms = (uint32_t)(f->timeout_ns / NS_PER_MS);
    e->symlink.signal = signals[f->signal];
    (void)take_text(&f->root, &e->symlink.root);
    (void)take_text(&f->link, &e->symlink.link);
    (void)take_text(&f->folder, &e->symlink.versions);
    (void)take_text(&f->pidfile, &e->symlink.pidfile);
    bool is_taken = take_words(&f->actions, actions, &e->actions) &&
                    take_words(&f->models, NULL, &e->models) &&
                    take_words(&f->versions, any, &e->versions) &&
                    take_words(&f->reload, NULL, &e->symlink.reload) &&
                    take_words(&f->probe, NULL, &e->exec.probe) &&
                    take_words(&f->apply, NULL, &e->exec.apply);
    return is_taken ? ST_OK : ST_RANGE;
}

// Nobody but root and the agent's own user may have a say in what is run here.
static enum status read_file(const char *path, struct buf *out, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        *why = errno == ELOOP ? "is a link" : strerror(errno);
        return errno == ENOENT ? ST_NOTFOUND : errno == ELOOP ? ST_DENIED : ST_IO;
    }
    struct stat info;
    enum status st = ST_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        *why = "is not a plain file";
        st = ST_DENIED;
    } else if (info.st_uid != 0 && info.st_uid != geteuid()) {
        *why = "belongs to another user: chown root it";
        st = ST_DENIED;
    } else if (info.st_mode & (S_IWGRP | S_IWOTH)) {
        *why = "may be written by others: chmod go-w it";
        st = ST_DENIED;
    }
    while (st == ST_OK) {
        uint8_t chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n <= 0) {
            st = n < 0 ? ST_IO : out->failed;
            *why = n < 0 ? strerror(errno) : "is too large";
            break;
        }
        buf_put(out, chunk, (size_t)n);
    }
    close(fd);
    return st;
}

static bool is_named_after(const char *path, const char *name)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t size = strlen(name);
    return strncmp(base, name, size) == 0 && strcmp(base + size, ".conf") == 0;
}

static enum status parse_file(const char *path, struct span text, struct executor *e,
                              char *error, size_t error_size)
{
    struct whole_file whole = {0};
    struct buf why;
    buf_init(&why, 4096);
    enum status st = conf_parse(path, text, &whole_table, &whole, &why);
    const char *wrong = NULL;
    if (st != ST_OK) {
        (void)snprintf(error, error_size, "%s", buf_cstr(&why));
        st = st == ST_NOMEM ? ST_NOMEM : ST_CORRUPT;
    } else if (whole.executor.count != 1) {
        wrong = "one executor a file";
    } else {
        struct executor_file *file = whole.executor.item;
        if (take_file(file, e) != ST_OK)
            wrong = "a name or a list is too long";
        else if (!is_named_after(path, e->name))
            wrong = "the file must be called after its executor";
        else
            wrong = check(e);
    }
    conf_free(&whole_table, &whole);
    buf_fini(&why);
    if (wrong) {
        (void)snprintf(error, error_size, "%s: %s", path, wrong);
        st = ST_CORRUPT;
    }
    return st;
}

enum status executor_open(const char *path, struct executor **out, char *error,
                          size_t error_size)
{
    struct executor *e = MEM_NEW(struct executor);
    if (!e)
        return ST_NOMEM;
    struct buf text;
    buf_init(&text, FILE_BYTES_MAX);
    const char *why = "";
    enum status st = read_file(path, &text, &why);
    if (st != ST_OK)
        (void)snprintf(error, error_size, "%s: %s", path, why);
    if (st == ST_OK && !(e->path = mem_text(span_text(path))))
        st = ST_NOMEM;
    if (st == ST_OK)
        st = digest_of(buf_span(&text), e->digest);
    if (st == ST_OK)
        st = parse_file(path, buf_span(&text), e, error, error_size);
    buf_fini(&text);
    if (st != ST_OK) {
        executor_close(e);
        return st;
    }
    *out = e;
    return ST_OK;
}

void executor_close(struct executor *e)
{
    if (!e)
        return;
    struct executor_words *lists[] = {&e->actions,    &e->models,
                                      &e->versions,   &e->symlink.reload,
                                      &e->exec.probe, &e->exec.apply};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free_words(lists[i]);
    mem_free(e->symlink.root);
    mem_free(e->symlink.link);
    mem_free(e->symlink.versions);
    mem_free(e->symlink.pidfile);
    for (size_t i = 0; i < sizeof remote_texts / sizeof *remote_texts; i++)
        mem_free(*remote_text_at(&e->remote, i));
    mem_free(e->path);
    mem_free(e);
}

bool executor_matches(const struct executor_words *globs, struct span value)
{
    for (uint32_t i = 0; i < globs->count; i++)
        if (text_glob(span_text(globs->word[i]), value))
            return true;
    return false;
}

bool executor_allows(const struct executor *e, struct span action, struct span model)
{
    bool is_listed = false;
    for (uint32_t i = 0; i < e->actions.count; i++)
        is_listed = is_listed || span_is(action, e->actions.word[i]);
    return is_listed && executor_matches(&e->models, model);
}

bool executor_knows(const struct executor *e, struct span version)
{
    return executor_matches(&e->versions, version);
}
