// The executor `symlink`: a link names the version that is served.
//
// SPDX-License-Identifier: Apache-2.0
#include "agent/act/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/act/command.h"
#include "agent/act/manifest.h"
#include "common/base/buf.h"
#include "common/base/text.h"

static int open_root(const struct executor *e)
{
    return open(e->symlink.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void fail(struct job_answer *a, enum job_code code, const char *what)
{
    a->code = code;
    (void)snprintf(a->detail, sizeof a->detail, "%s: %s", what, strerror(errno));
}

// "versions/v2" -> "v2". ST_CORRUPT when the link points anywhere else.
static enum status version_of_link(const struct executor *e, int root, const char *link,
                                   char *out, size_t out_size)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(root, link, target, sizeof target);
    if (n < 0)
        return errno == ENOENT ? ST_NOTFOUND : ST_IO;
    struct span version = span_of(target, (size_t)n);
    size_t prefix = strlen(e->symlink.versions);
    if (version.size > prefix + 1 &&
        memcmp(version.data, e->symlink.versions, prefix) == 0 &&
        version.data[prefix] == '/')
        version = span_of(version.data + prefix + 1, version.size - prefix - 1);
    else if (strcmp(e->symlink.versions, ".") != 0)
        return ST_CORRUPT;
    if (!text_is_name(version) || version.size >= out_size)
        return ST_CORRUPT;
    memcpy(out, version.data, version.size);
    out[version.size] = '\0';
    return ST_OK;
}

enum status symlink_version(const struct executor *e, char *out, size_t out_size)
{
    if (e->kind != EXECUTOR_SYMLINK)
        return ST_UNSUPPORTED;
    int root = open_root(e);
    if (root < 0)
        return ST_IO;
    enum status st = version_of_link(e, root, e->symlink.link, out, out_size);
    close(root);
    return st;
}

static int open_version(const struct executor *e, int root, struct span version)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%.*s", e->symlink.versions, (int)version.size,
                 (const char *)version.data) >= (int)sizeof path)
        return -1;
    return manifest_open_beneath(root, path, O_RDONLY | O_DIRECTORY);
}

// Which version is served, and the digest of its manifest where it has one.
static bool probe_now(const struct executor *e, int root, struct job_answer *a)
{
    enum status st =
        version_of_link(e, root, e->symlink.link, a->version, sizeof a->version);
    if (st != ST_OK) {
        a->version[0] = '\0';
        a->code = JOB_FAILED;
        (void)snprintf(a->detail, sizeof a->detail, "%s: %s", e->symlink.link,
                       st == ST_CORRUPT ? "points outside the versions' folder"
                                        : status_text(st));
        return false;
    }
    int folder = open_version(e, root, span_text(a->version));
    a->has_digest = folder >= 0 && manifest_digest(folder, a->digest) == ST_OK;
    if (folder >= 0)
        close(folder);
    return true;
}

// The target must be there, whole, and what the order means.
static bool check_target(const struct executor *e, int root, const struct job_ask *ask,
                         struct job_answer *a)
{
    int folder = open_version(e, root, ask->to);
    if (folder < 0) {
        fail(a, JOB_TARGET, "target");
        return false;
    }
    uint8_t found[32];
    enum status st = manifest_verify(folder, found, a->detail, sizeof a->detail);
    close(folder);
    if (st == ST_OK && ask->has_digest && memcmp(found, ask->digest, 32) != 0) {
        (void)snprintf(a->detail, sizeof a->detail,
                       "the target's MANIFEST is not the one that was meant");
        st = ST_CORRUPT;
    }
    a->code = st == ST_OK ? JOB_DONE : st == ST_NOTFOUND ? JOB_TARGET : JOB_DIGEST;
    return st == ST_OK;
}

// Puts the new link over the old one in one step and looks at what came out of its
// place: a link that somebody else moved in the meantime is put back.
static bool exchange(const struct executor *e, int root, const char *fresh,
                     const struct job_ask *ask, struct job_answer *a)
{
    const char *link = e->symlink.link;
    if (renameat2(root, fresh, root, link, RENAME_EXCHANGE) != 0) {
        if (errno != EINVAL && errno != ENOSYS) {
            fail(a, JOB_FAILED, "rename");
            return false;
        }
        // A file system without exchange: the probe a moment ago has to do.
        if (renameat(root, fresh, root, link) == 0)
            return true;
        fail(a, JOB_FAILED, "rename");
        return false;
    }
    char old[JOB_NAME_MAX + 1];
    bool is_expected = version_of_link(e, root, fresh, old, sizeof old) == ST_OK &&
                       span_is(ask->from, old);
    if (!is_expected) {
        (void)renameat2(root, fresh, root, link, RENAME_EXCHANGE);
        a->code = JOB_PRECOND;
        (void)snprintf(a->detail, sizeof a->detail, "somebody else switched meanwhile");
    }
    (void)unlinkat(root, fresh, 0);
    return is_expected;
}

static bool switch_link(const struct executor *e, int root, const struct job_ask *ask,
                        struct job_answer *a)
{
    char fresh[64] = ".kedge-";
    for (int i = 0; i < 16; i++)
        (void)snprintf(fresh + 7 + 2 * i, 3, "%02x", ask->order[i]);
    char target[PATH_MAX];
    bool is_flat = strcmp(e->symlink.versions, ".") == 0;
    int n =
        snprintf(target, sizeof target, "%s%s%.*s", is_flat ? "" : e->symlink.versions,
                 is_flat ? "" : "/", (int)ask->to.size, (const char *)ask->to.data);
    if (n >= (int)sizeof target) {
        errno = ENAMETOOLONG;
        fail(a, JOB_FAILED, "target");
        return false;
    }
    (void)unlinkat(root, fresh, 0); // left by a crash
    if (symlinkat(target, root, fresh) != 0) {
        fail(a, JOB_FAILED, "symlink");
        return false;
    }
    if (!exchange(e, root, fresh, ask, a)) {
        (void)unlinkat(root, fresh, 0);
        return false;
    }
    if (fsync(root) != 0) {
        fail(a, JOB_FAILED, "fsync");
        return false;
    }
    return true;
}

static bool read_pid(const struct executor *e, int root, pid_t *out)
{
    int fd = manifest_open_beneath(root, e->symlink.pidfile, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return false;
    char text[33];
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    uint64_t pid;
    errno = EINVAL;
    if (text_u64(span_of(text, (size_t)n), &pid) != ST_OK || pid < 2 || pid > INT_MAX)
        return false;
    *out = (pid_t)pid;
    return true;
}

// The file is read again once the process is held: so the signal never goes to a
// stranger that got the number in between.
static bool signal_server(const struct executor *e, int root, struct job_answer *a)
{
    pid_t pid, again;
    int held = -1;
    bool is_sent = read_pid(e, root, &pid) && (held = pidfd_open(pid, 0)) >= 0 &&
                   read_pid(e, root, &again) && again == pid &&
                   pidfd_send_signal(held, e->symlink.signal, NULL, 0) == 0;
    if (!is_sent)
        fail(a, JOB_RELOAD, "the server could not be signalled");
    if (held >= 0)
        close(held);
    return is_sent;
}

static bool tell_server(const struct executor *e, int root, const struct job_ask *ask,
                        struct job_answer *a)
{
    if (e->symlink.pidfile && !signal_server(e, root, a))
        return false;
    if (e->symlink.reload.count == 0)
        return true;
    enum job_code code = command_run(&e->symlink.reload, ask, ask->run_ms, a);
    if (code == JOB_DONE || code == JOB_ALREADY)
        return true;
    a->code = JOB_RELOAD;
    return false;
}

static void apply(const struct executor *e, int root, const struct job_ask *ask,
                  struct job_answer *a)
{
    bool is_there = span_is(ask->to, a->version);
    if (!is_there && !span_is(ask->from, a->version)) {
        a->code = JOB_PRECOND;
        return;
    }
    if (ask->verb == JOB_FINISH && !is_there) {
        a->code = JOB_PRECOND;
        return;
    }
    if (!is_there && (!check_target(e, root, ask, a) || !switch_link(e, root, ask, a)))
        return;
    if (!is_there || ask->verb == JOB_FINISH) {
        bool is_told = tell_server(e, root, ask, a);
        if (!probe_now(e, root, a) || !is_told)
            return;
    }
    a->code = is_there ? JOB_ALREADY : JOB_DONE;
    if (!span_is(ask->to, a->version)) {
        a->code = JOB_FAILED;
        (void)snprintf(a->detail, sizeof a->detail, "the link was moved away again");
    }
}

void symlink_serve(const struct executor *e, const struct job_ask *ask,
                   struct job_answer *a)
{
    int root = open_root(e);
    if (root < 0) {
        fail(a, JOB_FAILED, e->symlink.root);
        return;
    }
    if (flock(root, ask->verb == JOB_PROBE ? LOCK_SH | LOCK_NB : LOCK_EX | LOCK_NB) !=
        0)
        fail(a, JOB_LATER, "another switch holds the folder");
    else if (!probe_now(e, root, a))
        ;
    else if (ask->verb != JOB_PROBE)
        apply(e, root, ask, a);
    else if (ask->to.size == 0 || span_is(ask->to, a->version))
        a->code = JOB_DONE;
    else
        (void)check_target(e, root, ask, a);
    close(root);
}
