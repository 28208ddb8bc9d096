// Command: the words of an executor's file become one program's argv, and its end a
// code.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_AGENT_ACT_COMMAND_H
#define KEDGE_AGENT_ACT_COMMAND_H

#include "agent/act/executor.h"
#include "agent/act/job.h"

// Runs it with the placeholders filled in and the environment of the contract
// (KEDGE_V KEDGE_ORDER KEDGE_ACTION KEDGE_MODEL KEDGE_FROM KEDGE_TO KEDGE_DIGEST
// KEDGE_INCIDENT KEDGE_DEADLINE_MS KEDGE_DRY_RUN PATH LANG). Exit 20 is tried again
// after 1 s and 5 s, inside the limit. Fills exit_code, signal, is_timeout,
// output_digest, tail and detail of the answer.
//
// Exit codes: 0 done; 10 already there; 11 precondition failed; 12 target missing; 13
// refused by the tool; 20 retryable; 75 try later; anything else failed.
enum job_code command_run(const struct executor_words *words, const struct job_ask *ask,
                          uint32_t limit_ms, struct job_answer *answer);

#endif
