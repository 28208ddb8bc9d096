// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/user.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/trust/keys.h"
#include "controller/cli/cli.h"
#include "controller/cli/talk.h"

const struct option_row cli_user_options[CLI_USER_OPTIONS] = {
    {"role", 0, VALUE_TEXT, NULL, "what the person may do",
     "viewer|operator|approver|admin|auditor", "ROLE"},
    {"models", 0, VALUE_TEXT, NULL,
     "globs, with commas: only questions that name such a model; all if absent", NULL,
     "GLOBS"},
    {"expires", 0, VALUE_TEXT, NULL, "how long the key is good; for ever if absent",
     NULL, "DURATION"},
};

static void remove_pair(const char *folder, const char *name)
{
    static const char *const ends[] = {"key", "pub"};
    char path[PATH_MAX];
    for (int i = 0; i < 2; i++)
        if (snprintf(path, sizeof path, "%s/%s.%s", folder, name, ends[i]) < PATH_MAX)
            (void)unlink(path);
}

static int tell(struct talk *t, const struct command_line *line, const char *name,
                const struct key_pair *pair)
{
    struct buf hex;
    buf_init(&hex, 128);
    text_put_hex(&hex, span_of(pair->pub, sizeof pair->pub));
    talk_add(t, "name", span_text(name));
    talk_add(t, "role", span_text(command_text(line, "role")));
    talk_add(t, "models", span_text(command_text(line, "models")));
    talk_add(t, "expires", span_text(command_text(line, "expires")));
    talk_add(t, "curve", buf_span(&hex));
    int code = talk_ask(t, "operator.add", span_text(""));
    buf_fini(&hex);
    return code;
}

// The key is on the disk before anybody trusts it, and goes again when nobody does.
int cli_user_add(void *program, const struct command_line *line)
{
    static const struct render_view view = {"curve", NULL, 0};
    (void)program;
    const char *name = command_operand(line, 0);
    struct talk t;
    struct key_pair pair;
    int code = talk_open(&t, line);
    if (code == CLI_FINE && !command_has(line, "role")) {
        talk_complain("--role is needed: viewer, operator, approver, admin or auditor");
        code = CLI_USAGE;
    }
    if (code == CLI_FINE) {
        const char *folder = client_keys(t.client);
        enum status st = keys_make(KEY_CURVE, &pair);
        if (st == ST_OK)
            st = keys_write(folder, name, &pair);
        if (st != ST_OK) {
            talk_complain("%s/%s.key: %s", folder, name, status_text(st));
            code = st == ST_EXISTS ? CLI_CONFLICT : CLI_USAGE;
        } else if ((code = tell(&t, line, name, &pair)) != CLI_FINE) {
            remove_pair(folder, name);
        }
        keys_wipe(&pair);
    }
    if (code == CLI_FINE)
        code = talk_show(&t, &view);
    talk_close(&t);
    return code;
}
