// Parse: prints the observations that a payload gives, so that a mapping can be checked
// before it is trusted.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_INTAKE_PARSE_H
#define KEDGE_AGENT_INTAKE_PARSE_H

// The verb "parse": a command line whose argv[0] is the program, and an exit code.
// `kedge ingest parse` leads here.
int intake_parse_main(int argc, char **argv);

#endif
