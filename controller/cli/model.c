// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/model.h"

#include <string.h>

#include "common/base/text.h"
#include "common/trust/digest.h"
#include "controller/cli/cli.h"
#include "controller/cli/talk.h"

const struct option_row cli_model_options[CLI_MODEL_OPTIONS] = {
    {"version", 0, VALUE_NAME, NULL, "a version of it", NULL, NULL},
    {"artifact", 0, VALUE_TEXT, NULL, "the version's artifact, or its MANIFEST", NULL,
     "FILE"},
    {"train", 0, VALUE_TEXT, NULL, "the training data: its SHA-256 is kept", NULL,
     "FILE"},
    {"train-digest", 0, VALUE_TEXT, NULL, "the same, when the file is elsewhere", NULL,
     "sha256:HEX"},
    {"git", 0, VALUE_TEXT, NULL, "the code's commit, in full", NULL, "COMMIT"},
    {"parent", 0, VALUE_NAME, NULL, "the version that it follows", NULL, "VERSION"},
    {"owner", 0, VALUE_TEXT, NULL, "who answers for the model", NULL, "NAME"},
    {"note", 0, VALUE_TEXT, NULL, "a sentence", NULL, "TEXT"},
    {"tag", 0, VALUE_LIST, NULL, "a word to find the model by", NULL, "TAG"},
    {"stage", 0, VALUE_NAME, NULL, "where the version stands: staging, production, ...",
     NULL, "STAGE"},
    {"executor", 0, VALUE_NAME, NULL, "the hosts' executor that switches it", NULL,
     NULL},
};

// A digest in hex, made of a file's content.
static int file_digest(const char *path, struct buf *hex)
{
    uint8_t digest[DIGEST_BYTES];
    enum status st = digest_of_file(path, digest);
    if (st != ST_OK) {
        talk_complain("%s: %s", path, status_text(st));
        return st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
    }
    text_put_hex(hex, span_of(digest, sizeof digest));
    return CLI_FINE;
}

static int train_digest(const struct command_line *line, struct buf *hex)
{
    const char *file = command_text(line, "train");
    const char *given = command_text(line, "train-digest");
    if (file)
        return file_digest(file, hex);
    if (!given)
        return CLI_FINE;
    uint8_t digest[DIGEST_BYTES];
    bool is_good = strncmp(given, "sha256:", 7) == 0 &&
                   text_hex(span_text(given + 7), digest, sizeof digest) == ST_OK;
    if (!is_good) {
        talk_complain("--train-digest: write sha256: and 64 hex digits");
        return CLI_USAGE;
    }
    buf_put_text(hex, given + 7);
    return CLI_FINE;
}

static int add_version(struct talk *t, const char *model, struct buf *artifact,
                       struct buf *data)
{
    const struct command_line *line = t->line;
    const char *file = command_text(line, "artifact");
    int code = file ? file_digest(file, artifact) : CLI_FINE;
    if (code == CLI_FINE)
        code = train_digest(line, data);
    if (code != CLI_FINE)
        return code;
    talk_clear(t);
    talk_add(t, "model", span_text(model));
    talk_add(t, "version", span_text(command_text(line, "version")));
    talk_add(t, "artifact", buf_span(artifact));
    talk_add(t, "data", buf_span(data));
    talk_add(t, "code", span_text(command_text(line, "git")));
    talk_add(t, "parent", span_text(command_text(line, "parent")));
    talk_add(t, "note", span_text(command_text(line, "note")));
    talk_add(t, "stage", span_text(command_text(line, "stage")));
    return talk_ask(t, "version.add", span_text(""));
}

// "risk,pii": tags replace those that were there.
static void add_tags(struct talk *t, struct buf *tags)
{
    size_t at = 0;
    const char *tag;
    while ((tag = command_each(t->line, "tag", &at)))
        buf_printf(tags, "%s%s", tags->size ? "," : "", tag);
    talk_add(t, "tags", buf_span(tags));
}

int cli_model_add(void *program, const struct command_line *line)
{
    static const struct render_view view = {"model version", NULL, 0};
    (void)program;
    const char *model = command_operand(line, 0);
    struct talk t;
    struct buf artifact, data, tags;
    buf_init(&artifact, 128);
    buf_init(&data, 128);
    buf_init(&tags, 512);
    int code = talk_open(&t, line);
    if (code == CLI_FINE) {
        talk_add(&t, "model", span_text(model));
        talk_add(&t, "owner", span_text(command_text(line, "owner")));
        talk_add(&t, "executor", span_text(command_text(line, "executor")));
        add_tags(&t, &tags);
        code = talk_ask(&t, "model.add", span_text(""));
    }
    if (code == CLI_FINE && command_has(line, "version"))
        code = add_version(&t, model, &artifact, &data);
    if (code == CLI_FINE)
        code = talk_show(&t, &view);
    talk_close(&t);
    buf_fini(&artifact);
    buf_fini(&data);
    buf_fini(&tags);
    return code;
}
