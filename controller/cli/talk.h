// Talk: one question to the controller and its answer on the screen.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef KEDGE_CONTROLLER_CLI_TALK_H
#define KEDGE_CONTROLLER_CLI_TALK_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/setup/command.h"
#include "controller/cli/client.h"
#include "controller/cli/render.h"
#include "proto/codec.h"

#define TALK_ARGS_MAX 48

// The arguments of a question; texts are lent from the command line or from `keep`.
struct talk {
    const struct command_line *line;
    struct client *client;
    struct pair arg[TALK_ARGS_MAX];
    uint32_t args;
    struct buf json;
    uint8_t code;
};

// Connects. Prints the error and gives its exit code; 0 when connected.
int talk_open(struct talk *t, const struct command_line *line);
void talk_close(struct talk *t);

void talk_add(struct talk *t, const char *key, struct span value);
void talk_clear(struct talk *t);

// "NAME" or "NAME@VERSION" -> the arguments model and version.
void talk_add_model(struct talk *t, const char *text);

// Asks; the answer is in t->json. An error is printed; gives the exit code.
int talk_ask(struct talk *t, const char *verb, struct span blob);

// Prints the answer in the form that -o asks for (table to a terminal, JSON to a pipe).
int talk_show(struct talk *t, const struct render_view *view);

// One line on stderr: "kedge: ...".
void talk_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);

enum render_form talk_form(const struct command_line *line);

#endif
