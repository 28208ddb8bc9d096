// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controller/cli/cli.h"

void talk_complain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("kedge: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

enum render_form talk_form(const struct command_line *line)
{
    const char *form = command_text(line, "output");
    if (!form)
        return isatty(STDOUT_FILENO) ? RENDER_TABLE : RENDER_JSON;
    if (strcmp(form, "json") == 0)
        return RENDER_JSON;
    if (strcmp(form, "csv") == 0)
        return RENDER_CSV;
    return strcmp(form, "name") == 0 ? RENDER_NAME : RENDER_TABLE;
}

static int exit_of(enum status st)
{
    switch (st) {
    case ST_NOTFOUND:
        return CLI_NOT_FOUND;
    case ST_DENIED:
        return CLI_DENIED;
    case ST_RANGE:
        return CLI_USAGE;
    default:
        return CLI_UNREACHABLE;
    }
}

int talk_open(struct talk *t, const struct command_line *line)
{
    *t = (struct talk){.line = line};
    buf_init(&t->json, CLIENT_ANSWER_MAX);
    struct buf why;
    buf_init(&why, 4096);
    enum status st = client_open(command_text(line, "config"), &t->client, &why);
    if (st != ST_OK)
        talk_complain("%s", why.size ? buf_cstr(&why) : status_text(st));
    buf_fini(&why);
    return st == ST_OK ? CLI_FINE : exit_of(st);
}

void talk_close(struct talk *t)
{
    client_close(t->client);
    buf_fini(&t->json);
}

void talk_add(struct talk *t, const char *key, struct span value)
{
    if (t->args == TALK_ARGS_MAX || value.size == 0)
        return;
    t->arg[t->args++] = (struct pair){span_text(key), value};
}

void talk_clear(struct talk *t)
{
    t->args = 0;
}

void talk_add_model(struct talk *t, const char *text)
{
    const char *at = strrchr(text, '@');
    if (!at) {
        talk_add(t, "model", span_text(text));
        return;
    }
    talk_add(t, "model", span_of(text, (size_t)(at - text)));
    talk_add(t, "version", span_text(at + 1));
}

int talk_ask(struct talk *t, const char *verb, struct span blob)
{
    enum status st =
        client_ask(t->client, verb, t->arg, t->args, blob, &t->json, &t->code);
    if (st == ST_TIMEOUT) {
        talk_complain("no answer from %s in %d s: is kedge-controller running, and is "
                      "this operator's key known to it?",
                      client_endpoint(t->client), CLIENT_WAIT_MS / 1000);
        return CLI_UNREACHABLE;
    }
    if (st != ST_OK) {
        talk_complain("%s: %s", client_endpoint(t->client), status_text(st));
        return st == ST_RANGE ? CLI_USAGE : CLI_UNREACHABLE;
    }
    if (t->code > CLI_UNHEALTHY)
        talk_complain("%.*s", (int)t->json.size, (const char *)t->json.data);
    return t->code;
}

int talk_show(struct talk *t, const struct render_view *view)
{
    struct buf out;
    buf_init(&out, CLIENT_ANSWER_MAX);
    enum status st = render_answer(buf_span(&t->json), talk_form(t->line), view, &out);
    if (st == ST_OK && out.size > 0) // -o name of nothing is nothing
        fwrite(out.data, 1, out.size, stdout);
    else if (st != ST_OK)
        talk_complain("the answer cannot be shown: %s", status_text(st));
    buf_fini(&out);
    return st == ST_OK ? t->code : CLI_PARTIAL;
}
