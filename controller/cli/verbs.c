// The verbs that ask the controller one question, as a table.
//
// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/file.h"
#include "controller/cli/audit.h"
#include "controller/cli/baseline.h"
#include "controller/cli/cli.h"
#include "controller/cli/model.h"
#include "controller/cli/question.h"
#include "controller/cli/scrape.h"
#include "controller/cli/talk.h"
#include "controller/cli/user.h"

#define BLOB_MAX (1u << 20)
#define COUNT(a) (sizeof(a) / sizeof *(a))

// Options go along under their own names, but for those of this side.
static void add_options(struct talk *t)
{
    static const char *const own[] = {"output", "config", "yes"};
    for (size_t i = 0; i < t->line->given_count; i++) {
        const struct command_given *g = &t->line->given[i];
        bool is_own = false;
        for (size_t k = 0; k < COUNT(own); k++)
            is_own |= strcmp(g->row->name, own[k]) == 0;
        if (is_own)
            continue;
        if (strcmp(g->row->name, "model") == 0)
            talk_add_model(t, g->text);
        else
            talk_add(t, g->row->name, span_text(g->text[0] ? g->text : "yes"));
    }
}

static int read_blob(const char *path, struct buf *blob)
{
    enum status st = file_read(path, blob);
    if (st == ST_OK)
        return CLI_FINE;
    talk_complain("%s: %s", path, status_text(st));
    return st == ST_NOTFOUND ? CLI_NOT_FOUND : CLI_USAGE;
}

static int add_operands(struct talk *t, const struct question *q, struct buf *blob)
{
    for (size_t i = 0; i < t->line->operands && i < COUNT(q->operand); i++) {
        const char *name = q->operand[i], *text = command_operand(t->line, i);
        if (!name)
            break;
        if (strcmp(name, "*") == 0) {
            int code = read_blob(text, blob);
            if (code != CLI_FINE)
                return code;
        } else if (strcmp(name, "model") == 0) {
            talk_add_model(t, text);
        } else {
            talk_add(t, name, span_text(text));
        }
    }
    return CLI_FINE;
}

static int ask_as(const struct command_line *line, const char *path)
{
    const struct question *q = question_find(path);
    if (q->is_destructive && !command_flag(line, "yes")) {
        talk_complain("%s changes the fleet: say --yes to mean it", q->path);
        return CLI_USAGE;
    }
    struct talk t;
    struct buf blob;
    buf_init(&blob, BLOB_MAX);
    int code = talk_open(&t, line);
    if (code == CLI_FINE) {
        add_options(&t);
        // A whole table comes from the controller as text.
        if (q->view.raw && strcmp(q->view.raw, "text") == 0 &&
            talk_form(line) == RENDER_TABLE)
            talk_add(&t, "form", span_text("text"));
        code = add_operands(&t, q, &blob);
    }
    if (code == CLI_FINE)
        code = talk_ask(&t, q->query, buf_span(&blob));
    if (code <= CLI_UNHEALTHY && t.client)
        code = talk_show(&t, &q->view);
    talk_close(&t);
    buf_fini(&blob);
    return code;
}

static int ask(void *program, const struct command_line *line)
{
    (void)program;
    return ask_as(line, line->verb->path);
}

static int ask_why(void *program, const struct command_line *line)
{
    (void)program;
    bool is_wide = command_has(line, "kpi") || command_has(line, "endpoint") ||
                   command_has(line, "at") || command_has(line, "segment") ||
                   command_has(line, "known");
    return ask_as(line, is_wide ? "why incident" : "why");
}

static int verify_log(void *program, const struct command_line *line)
{
    if (command_has(line, "file"))
        return cli_audit_verify_file(line);
    if (!command_has(line, "root"))
        return ask(program, line);
    talk_complain("--root goes with --file FILE");
    return CLI_USAGE;
}

static const struct option_row model_options[] = {
    {"model", 0, VALUE_NAME, NULL, "only this model", NULL, NULL}};
static const struct option_row list_options[] = {
    {"name", 0, VALUE_TEXT, NULL, "only models that this pattern fits", NULL, "GLOB"},
    {"owner", 0, VALUE_TEXT, NULL, "only of this owner, or pattern", NULL, "NAME"},
    {"tag", 0, VALUE_TEXT, NULL, "only with this tag", NULL, "TAG"},
    {"stage", 0, VALUE_TEXT, NULL, "only with a version in this stage", NULL, "STAGE"},
    {"feature", 0, VALUE_TEXT, NULL, "only with this feature", NULL, "FEATURE"},
    {"digest", 0, VALUE_TEXT, NULL,
     "only with a version whose artifact, data, code or baseline begins so", NULL,
     "HEX"},
    {"state", 0, VALUE_TEXT, NULL,
     "only in this state: ok, warn, page, no data, unknown", NULL, "STATE"}};
static const struct option_row promote_options[] = {
    {"to", 0, VALUE_NAME, NULL, "the stage: staging, production, ...", NULL, "STAGE"},
    {"yes", 0, VALUE_FLAG, NULL, "do it without asking", NULL, NULL}};
static const struct option_row feature_options[] = {
    {"at", 0, VALUE_TEXT, NULL, "as it was then; now if absent", NULL, "TIME"},
    {"since", 0, VALUE_DURATION, NULL, "windows of this long put together; else one",
     NULL, NULL}};
static const struct option_row query_options[] = {
    {"since", 0, VALUE_TEXT, NULL,
     "from a time, or so long before the newest window; 24h if absent", NULL, "TIME"},
    {"until", 0, VALUE_TEXT, NULL, "to a time; the newest window if absent", NULL,
     "TIME"},
    {"resolution", 0, VALUE_TEXT, NULL, "windows, hours or days", "raw|hour|day",
     NULL}};
static const struct option_row alert_options[] = {
    {"model", 0, VALUE_NAME, NULL, "only this model", NULL, NULL},
    {"state", 0, VALUE_TEXT, NULL, "only open ones", "open", NULL}};
static const struct option_row why_options[] = {
    {"model", 0, VALUE_NAME, NULL, "the model that went wrong, the same as NAME", NULL,
     NULL},
    {"kpi", 0, VALUE_NAME, NULL, "the business signal that fell", NULL, NULL},
    {"endpoint", 0, VALUE_NAME, NULL, "where it was noticed", NULL, NULL},
    {"at", 0, VALUE_TEXT, NULL, "when it was noticed; now if absent", NULL, "TIME"},
    {"segment", 0, VALUE_TEXT, NULL, "only what is in it: eu, or region=eu", NULL,
     "SEGMENT"},
    {"known", 0, VALUE_TEXT, NULL, "only what was known by then; now if absent", NULL,
     "TIME"}};
static const struct option_row incident_list_options[] = {
    {"state", 0, VALUE_TEXT, NULL, "only these", "open|acked|cleared|closed", NULL},
    {"model", 0, VALUE_NAME, NULL, "only this model's", NULL, NULL}};
static const struct option_row incident_show_options[] = {
    {"known", 0, VALUE_TEXT, NULL, "the answer as it could have been given then", NULL,
     "TIME"}};
static const struct option_row incident_open_options[] = {
    {"kpi", 0, VALUE_NAME, NULL, "the business signal that fell", NULL, NULL},
    {"endpoint", 0, VALUE_NAME, NULL, "where it was noticed", NULL, NULL},
    {"model", 0, VALUE_NAME, NULL, "the model that went wrong", NULL, NULL},
    {"at", 0, VALUE_TEXT, NULL, "when it was noticed; now if absent", NULL, "TIME"}};
static const struct option_row incident_close_options[] = {
    {"cause", 0, VALUE_TEXT, NULL, "what it was: a name, none or unknown", NULL,
     "NAME"},
    {"why", 0, VALUE_TEXT, NULL, "for whoever meets it again", NULL, NULL}};
static const struct option_row incident_note_options[] = {
    {"why", 0, VALUE_TEXT, NULL, "a note for the audit log", NULL, NULL}};
static const struct option_row lineage_options[] = {
    {"from", 0, VALUE_TEXT, NULL, "since when it holds; now if absent", NULL, "TIME"},
    {"force", 0, VALUE_FLAG, NULL, "import it with a circle in it", NULL, NULL}};
static const struct option_row moment_options[] = {
    {"at", 0, VALUE_TEXT, NULL, "as it was then; now if absent", NULL, "TIME"}};
static const struct option_row push_options[] = {
    {"at", 0, VALUE_TEXT, NULL, "when; now if absent", NULL, "TIME"}};
static const struct option_row at_options[] = {
    {"at", 0, VALUE_TEXT, NULL, "only what served at this time", NULL, "TIME"}};
static const struct option_row to_options[] = {
    {"to", 0, VALUE_NAME, NULL, "the version to go back to; else the one before", NULL,
     NULL}};
static const struct option_row yes_options[] = {
    {"yes", 0, VALUE_FLAG, NULL, "do it without asking", NULL, NULL}};
static const struct option_row revoke_options[] = {
    {"yes", 0, VALUE_FLAG, NULL, "do it without asking", NULL, NULL},
    {"why", 0, VALUE_TEXT, NULL, "the reason, for the audit log", NULL, NULL}};
static const struct option_row log_options[] = {
    {"limit", 0, VALUE_NUMBER, "200", "rows, the newest ones", "1..1000000", NULL}};
static const struct option_row verify_options[] = {
    {"file", 0, VALUE_TEXT, NULL, "check this exported log, and ask no controller",
     NULL, "FILE"},
    {"root", 0, VALUE_TEXT, NULL, "the file's root must be this one, noted elsewhere",
     NULL, "HEX"}};
static const struct option_row token_options[] = {
    {"expires", 0, VALUE_DURATION, "1h", "life of the token", "1s..7d", NULL},
    {"models", 0, VALUE_LIST, NULL, "globs of models that the host may report", NULL,
     "GLOB"},
    {"host", 0, VALUE_NAME, NULL, "the only host that may use it", NULL, NULL},
    {"count", 0, VALUE_NUMBER, "1", "how often it may be used", "1..1024", NULL},
    {"require-approval", 0, VALUE_FLAG, NULL, "an admin approves each agent", NULL,
     NULL}};
static const struct option_row event_list_options[] = {
    {"model", 0, VALUE_NAME, NULL, "only this model", NULL, NULL},
    {"audit", 0, VALUE_FLAG, NULL, "with the audit log, on one line of time", NULL,
     NULL},
    {"since", 0, VALUE_TEXT, NULL, "only what is not older; with --audit", NULL,
     "TIME"}};
static const struct option_row event_options[] = {
    {"model", 0, VALUE_NAME, NULL, "the model that it is about", NULL, NULL},
    {"host", 0, VALUE_NAME, NULL, "the host that it is about", NULL, NULL},
    {"at", 0, VALUE_TEXT, NULL, "when; now if absent", NULL, "TIME"}};

#define OPTIONS(table) .option = table, .options = COUNT(table)

static const struct verb_row verbs[] = {
    {"fleet status", "", "what needs you, what is fine, who is silent", ask, NULL, 0,
     NULL},
    {"agent token", "", "print a one-time line with which a host enrols", ask,
     OPTIONS(token_options), NULL},
    {"agent tokens", "", "tokens that were minted, and what is left of them", ask, NULL,
     0, NULL},
    {"agent list", "", "all agents and their states", ask, NULL, 0, NULL},
    {"agent show", "AGENT", "one agent, by host or id", ask, NULL, 0, NULL},
    {"agent approve", "AGENT", "let a pending agent in", ask, NULL, 0, NULL},
    {"agent revoke", "AGENT", "shut an agent out, at once", ask,
     OPTIONS(revoke_options), NULL},
    {"agent suspend", "AGENT", "shut an agent out until it is approved again", ask,
     NULL, 0, NULL},
    {"user add", "NAME", "let a person in, with a key made here", cli_user_add,
     cli_user_options, CLI_USER_OPTIONS, NULL},
    {"user list", "", "who may ask what", ask, NULL, 0, NULL},
    {"user revoke", "NAME", "shut a person out, at once", ask, OPTIONS(yes_options),
     NULL},
    {"model add", "NAME", "register a model, or a version of it with its digests",
     cli_model_add, cli_model_options, CLI_MODEL_OPTIONS, NULL},
    {"model list", "", "models and their states, found by what they are", ask,
     OPTIONS(list_options), NULL},
    {"model promote", "NAME@VERSION", "move a version to another stage", ask,
     OPTIONS(promote_options), NULL},
    {"feature list", "NAME[@VERSION]", "the features in the newest window", ask, NULL,
     0, NULL},
    {"feature show", "NAME[@VERSION] FEATURE",
     "quantiles and cells of a feature now, beside its baseline", ask,
     OPTIONS(feature_options), NULL},
    {"query", "EXPRESSION", "figures of features over time, or of all models now", ask,
     OPTIONS(query_options),
     "MEASURE(MODEL[@VERSION] FEATURE), several with commas between. The measure is "
     "rows, mean, sd, min, max, missing, zero, distinct or p1 to p99. A model with a * "
     "in it asks for the newest window of each such model."},
    {"model show", "NAME", "versions, digests, and what serves where", ask, NULL, 0,
     NULL},
    {"model history", "NAME", "which version served on which host, attested", ask,
     OPTIONS(at_options), NULL},
    {"model release", "NAME@VERSION", "let a rolled-back version serve again", ask,
     OPTIONS(yes_options), NULL},
    {"baseline create", "", "seal the profile of a training file", cli_baseline_create,
     cli_baseline_options, CLI_BASELINE_OPTIONS, NULL},
    {"baseline show", "NAME@VERSION", "what a version is judged against", ask, NULL, 0,
     NULL},
    {"baseline verify", "NAME@VERSION FILE", "is this the file it was sealed from?",
     cli_baseline_verify, NULL, 0, NULL},
    {"alert list", "", "alerts, oldest first", ask, OPTIONS(alert_options), NULL},
    {"alert show", "ALERT", "one alert with its evidence", ask, NULL, 0, NULL},
    {"alert ack", "ALERT", "seen: it stays quiet until it clears", ask, NULL, 0, NULL},
    {"budget show", "", "pages the fleet may send, and what they were spent on", ask,
     NULL, 0, NULL},
    {"rollback plan", "NAME", "plan a rollback of a model with an open alert", ask,
     OPTIONS(to_options), NULL},
    {"rollback request", "PLAN", "start a suggested plan", ask, NULL, 0, NULL},
    {"rollback approve", "PLAN", "approve a plan that waits for it", ask, NULL, 0,
     NULL},
    {"rollback reject", "PLAN", "refuse a plan that waits", ask, NULL, 0, NULL},
    {"rollback abort", "PLAN", "stop a plan where it stands", ask, NULL, 0, NULL},
    {"rollback stop", "", "no automatic plan starts any more", ask, NULL, 0, NULL},
    {"rollback resume", "", "automatic plans may start again", ask, NULL, 0, NULL},
    {"rollback status", "", "plans, what they did and what they proved", ask,
     OPTIONS(model_options), NULL},
    {"why", "[NAME]", "what caused it, and would a rollback help?", ask_why,
     OPTIONS(why_options), NULL},
    {"incident list", "", "causes that alerts go back to, and what they cost", ask,
     OPTIONS(incident_list_options), NULL},
    {"incident show", "INCIDENT", "one of them, with its answer and what happened", ask,
     OPTIONS(incident_show_options), NULL},
    {"incident open", "", "ask about a symptom that raised no alert, and keep it", ask,
     OPTIONS(incident_open_options), NULL},
    {"incident ack", "INCIDENT", "seen: it calls nobody until it clears", ask,
     OPTIONS(incident_note_options), NULL},
    {"incident close", "INCIDENT", "say what it was: later answers learn from it", ask,
     OPTIONS(incident_close_options), NULL},
    {"incident reopen", "INCIDENT", "it was not over", ask,
     OPTIONS(incident_note_options), NULL},
    {"incident export", "INCIDENT",
     "the incident with its evidence, for incident verify", ask, NULL, 0, NULL},
    {"lineage show", "", "what feeds what", ask, OPTIONS(moment_options), NULL},
    {"lineage import", "FILE", "declare what feeds what from a time on", ask,
     OPTIONS(lineage_options), NULL},
    {"lineage check", "", "circles, models nobody knows, models without an edge", ask,
     OPTIONS(moment_options), NULL},
    {"lineage diff", "", "what changed between a time and now", ask,
     OPTIONS(moment_options), NULL},
    {"signal push", "NAME VALUE", "a value of a business signal", ask,
     OPTIONS(push_options), NULL},
    {"signal import", "NAME FILE", "values of a business signal, as lines TIME,VALUE",
     ask, NULL, 0, NULL},
    {"signal scrape", "NAME PAGE", "push a metric of a page: a file, - or http://...",
     cli_signal_scrape, cli_scrape_options, CLI_SCRAPE_OPTIONS, NULL},
    {"signal list", "", "business signals and their last values", ask, NULL, 0, NULL},
    {"audit log", "", "who changed what, when, on whose word", ask,
     OPTIONS(log_options), NULL},
    {"audit verify", "", "recompute the whole log and its tree", verify_log,
     OPTIONS(verify_options), NULL},
    {"audit counts", "", "observed = merged + late + dropped, per host", ask, NULL, 0,
     NULL},
    {"audit export", "", "the whole log as lines of JSON, for audit verify --file",
     cli_audit_export, NULL, 0, NULL},
    {"policy check", "FILE", "does this policy say what it should?", ask, NULL, 0,
     NULL},
    {"policy set", "FILE", "put a policy in force", ask, OPTIONS(yes_options), NULL},
    {"policy show", "", "the policy in force", ask, NULL, 0, NULL},
    {"event record", "KIND TEXT", "note what happened, for who asks why later", ask,
     OPTIONS(event_options), NULL},
    {"event list", "", "deployments, changes, notices, in order", ask,
     OPTIONS(event_list_options), NULL},
};

static const struct option_row common_options[] = {
    {"output", 'o', VALUE_TEXT, NULL, "table, json, csv or name", "table|json|csv|name",
     "FORM"},
    {"config", 0, VALUE_TEXT, NULL, "kedge.conf; else $KEDGE_CONFIG", NULL, "FILE"},
};

#define OTHERS_MAX 16

int cli_main(int argc, char **argv, const struct verb_row *other, size_t others)
{
    struct verb_row all[COUNT(verbs) + OTHERS_MAX];
    if (others > OTHERS_MAX)
        others = OTHERS_MAX;
    memcpy(all, verbs, sizeof verbs);
    memcpy(all + COUNT(verbs), other, others * sizeof *other);
    const struct command command = {
        .program = "kedge",
        .purpose = "watch a fleet of models, and haul one back when it goes wrong",
        .verb = all,
        .verbs = COUNT(verbs) + others,
        .option = common_options,
        .options = COUNT(common_options),
    };
    return command_main(&command, NULL, argc, argv);
}
