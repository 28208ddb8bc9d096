// The operators' command. It introduces the verbs that ask the controller, and those
// that work alone on this machine.
//
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/backtest.h"
#include "controller/backup.h"
#include "controller/calibrate.h"
#include "controller/care.h"
#include "controller/bundle.h"
#include "controller/case.h"
#include "controller/cli/cli.h"
#include "controller/cli/sketch.h"
#include "controller/explain.h"
#include "controller/init.h"
#include "controller/rebuild.h"
#include "controller/replay.h"

// The agent's program stands beside this one; what reads payloads is its.
static int ingest_main(int argc, char **argv)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size < 0)
        return CLI_UNREACHABLE;
    path[size] = '\0';
    char *slash = strrchr(path, '/');
    static const char name[] = "kedge-agent";
    if (!slash || (size_t)(slash - path) + sizeof name + 1 > sizeof path)
        return CLI_UNREACHABLE;
    memcpy(slash + 1, name, sizeof name);
    (void)argc;
    argv[0] = path;
    execv(path, argv);
    fprintf(stderr, "kedge: %s: %s: install the agent's package\n", path,
            strerror(errno));
    return CLI_NOT_FOUND;
}

// They came with fewer words than they have: "kedge replay" alone.
static int say_usage(void *program, const struct command_line *line)
{
    (void)program;
    fprintf(stderr, "kedge: %s wants more: kedge %s --help\n", line->verb->path,
            line->verb->path);
    return CLI_USAGE;
}

// What --help says of them.
static const struct verb_row rows[] = {
    {"ctl init", "DIR", "make the folder of a new controller", say_usage, NULL, 0,
     NULL},
    {"ctl rebuild", "--check DIR", "fold the log once more and compare every byte",
     say_usage, NULL, 0, NULL},
    {"explain", "ALERT", "recompute an alert from the log, and show its evidence",
     say_usage, NULL, 0, NULL},
    {"backtest", "", "a detection policy on the recorded windows: fired, missed, delay",
     say_usage, NULL, 0, NULL},
    {"calibrate", "", "the policy on the fleet's own quiet past: observed and promised",
     say_usage, NULL, 0, NULL},
    {"ctl backup", "DIR TO", "copy the store while the controller works", say_usage,
     NULL, 0, NULL},
    {"ctl restore", "BACKUP DIR", "go back to a backup", say_usage, NULL, 0, NULL},
    {"ctl check", "DIR", "read every byte of a store or a backup", say_usage, NULL, 0,
     NULL},
    {"ctl compact", "DIR", "write the store of a stopped controller without holes",
     say_usage, NULL, 0, NULL},
    {"replay", "[STREAM.csv]", "run the detector over a recorded stream, offline",
     say_usage, NULL, 0, NULL},
    {"sketch", "[VERB]", "read, merge and build quantile sketches in files", say_usage,
     NULL, 0, NULL},
    {"incident verify", "FILE", "check an exported incident, and ask no controller",
     say_usage, NULL, 0, NULL},
    {"ingest", "[FILE]", "read payloads as the agent would", say_usage, NULL, 0, NULL},
};

// Verbs with their own command lines. `words` are taken off in front.
static const struct local {
    const char *word[2];
    int words;
    int (*run)(int argc, char **argv);
} locals[] = {
    {{"ctl", "init"}, 2, init_main},          {{"ctl", "rebuild"}, 2, rebuild_main},
    {{"ctl", "backup"}, 2, backup_main},      {{"ctl", "restore"}, 2, restore_main},
    {{"ctl", "check"}, 2, check_main},        {{"ctl", "compact"}, 2, compact_main},
    {{"replay", NULL}, 1, replay_main},       {{"sketch", NULL}, 1, cli_sketch},
    {{"ingest", NULL}, 1, ingest_main},       {{"why", NULL}, 1, case_main},
    {{"explain", NULL}, 1, explain_main},     {{"backtest", NULL}, 1, backtest_main},
    {{"calibrate", NULL}, 1, calibrate_main}, {{"incident", "verify"}, 2, bundle_main},
};

// "why" goes to the controller, but for a recorded case.
static bool is_here(const struct local *l, int argc, char **argv)
{
    if (l->run != case_main)
        return true;
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], "--case", 6) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof locals / sizeof *locals; i++) {
        const struct local *l = &locals[i];
        bool fits = argc > l->words;
        for (int w = 0; fits && w < l->words; w++)
            fits = strcmp(argv[1 + w], l->word[w]) == 0;
        if (fits && is_here(l, argc, argv))
            return l->run(argc - l->words, argv + l->words);
    }
    return cli_main(argc, argv, rows, sizeof rows / sizeof *rows);
}
