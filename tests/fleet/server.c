// Server: a child process, and /proc.
//
// SPDX-License-Identifier: Apache-2.0
#include "tests/fleet/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/fleet/swarm.h"

#define READY_NS (60 * NS_PER_S)

// The folder of this program, where the others are.
static void program(const char *name, char out[PATH_MAX])
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        swarm_die("/proc: %s", strerror(errno));
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    if (snprintf(out, PATH_MAX, "%s/%s", self, name) >= PATH_MAX)
        swarm_die("%s: too long", self);
}

// Up to five arguments; NULL ends them.
static pid_t spawn(const char *path, const char *const arg[5], const char *log)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    int null = open("/dev/null", O_RDWR);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    if (fd >= 0)
        (void)dup2(fd, STDERR_FILENO);
    (void)execl(path, path, arg[0], arg[1], arg[2], arg[3], arg[4], (char *)NULL);
    _exit(127);
}

static uint16_t port_of(const struct server *s)
{
    char line[512], path[PATH_MAX + 32];
    unsigned port = 0;
    (void)snprintf(path, sizeof path, "%s", s->config);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strrchr(line, ':');
        if (strncmp(line, "controller", 10) == 0 && colon)
            port = (unsigned)strtoul(colon + 1, NULL, 10);
    }
    if (f)
        (void)fclose(f);
    return (uint16_t)port;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool is_up = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_up;
}

static bool is_free(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool is_it = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        (void)close(fd);
    return is_it;
}

// Three in a row that nobody uses, below those that the system gives away.
static uint16_t free_ports(void)
{
    uint32_t from = 12000 + (uint32_t)getpid() % 15000;
    for (uint32_t i = 0; i < 1000; i++) {
        uint16_t port = (uint16_t)(from + 3 * i);
        if (is_free(port) && is_free(port + 1) && is_free(port + 2))
            return port;
    }
    swarm_die("no free ports");
}

void server_start(struct server *s, double *ready_s)
{
    char path[PATH_MAX], log[PATH_MAX + 8];
    program("kedge-controller", path);
    (void)snprintf(log, sizeof log, "%s/log", s->folder);
    const char *arg[5] = {"run", "--dir", s->folder};
    uint64_t begin = clock_mono_ns();
    uint16_t port = port_of(s);
    s->pid = spawn(path, arg, log);
    while (!answers(port)) {
        if (waitpid(s->pid, NULL, WNOHANG) != 0 || clock_mono_ns() - begin > READY_NS)
            swarm_die("the controller does not start: see %s", log);
        (void)usleep(5000);
    }
    *ready_s = (double)(clock_mono_ns() - begin) / 1e9;
}

void server_make(struct server *s, const char *folder)
{
    char path[PATH_MAX], number[16];
    double ready_s;
    *s = (struct server){0};
    (void)snprintf(s->folder, sizeof s->folder, "%s",
                   folder ? folder : "/tmp/kedge-swarm-XXXXXX");
    if (!folder && !mkdtemp(s->folder))
        swarm_die("%s: %s", s->folder, strerror(errno));
    if (snprintf(s->config, sizeof s->config, "%s/kedge.conf", s->folder) >= PATH_MAX)
        swarm_die("%s: too long", s->folder);
    if (access(s->config, F_OK) != 0) {
        program("kedge", path);
        (void)snprintf(number, sizeof number, "%u", free_ports());
        const char *arg[5] = {"ctl", "init", "--port", number, s->folder};
        int code = 0;
        if (waitpid(spawn(path, arg, NULL), &code, 0) < 0 || code != 0)
            swarm_die("%s: no controller can be made there", s->folder);
    }
    server_start(s, &ready_s);
}

void server_kill(struct server *s)
{
    if (s->pid > 0 && s->folder[0]) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

void server_close(struct server *s)
{
    if (s->pid > 0 && s->folder[0]) {
        (void)kill(s->pid, SIGTERM);
        (void)waitpid(s->pid, NULL, 0);
    }
    if (strncmp(s->folder, "/tmp/kedge-swarm-", 17) == 0) {
        const char *arg[5] = {"-rf", s->folder};
        (void)waitpid(spawn("/bin/rm", arg, NULL), NULL, 0);
    }
    s->pid = 0;
}

// The number behind `word` in a file of /proc.
static uint64_t number_in(pid_t pid, const char *file, const char *word)
{
    char path[64], line[512];
    uint64_t n = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, word, strlen(word)) == 0)
            n = strtoull(line + strlen(word), NULL, 10);
    }
    if (f)
        (void)fclose(f);
    return n;
}

static double cpu_of(pid_t pid)
{
    char path[64], text[1024];
    uint64_t user = 0, system = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        (void)fclose(f);
    const char *behind = strrchr(text, ')');
    if (behind &&
        sscanf(behind + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
               &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct server_use server_look(const struct server *s)
{
    if (s->pid <= 0)
        return (struct server_use){0};
    return (struct server_use){
        .cpu_s = cpu_of(s->pid),
        .anon_bytes = number_in(s->pid, "status", "RssAnon:") * 1024,
        .peak_bytes = number_in(s->pid, "status", "VmHWM:") * 1024,
        .written_bytes = number_in(s->pid, "io", "write_bytes:")};
}
