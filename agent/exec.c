// kedge-exec: carries out one verb of one executor for the agent, and ends.
//
// It has neither the agent's keys nor a socket; what it may do stands in the executor's
// file, which it reads itself.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/act/job.h"

int main(int argc, char **argv)
{
    const struct rlimit no_core = {0, 0};
    (void)umask(0077);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (argc == 2 && strcmp(argv[1], "execute") == 0)
        return job_serve(0, 3);
    (void)fprintf(stderr,
                  "kedge-exec: the agent starts it: a question on descriptor 0, "
                  "the answer on 3\n");
    return 2;
}
