// SPDX-License-Identifier: Apache-2.0
#include "controller/cli/audit.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/trust/chain.h"
#include "controller/cli/answer.h"
#include "controller/cli/cli.h"
#include "controller/cli/talk.h"
#include "proto/messages/record.h"

#define FORMAT "kedge.audit.v1"
#define LEAF_MAX (16u * 1024u)

static const char *const actor_kinds[] = {"user", "agent", "system", "token"};

static enum status end_line(struct json *j, struct buf *b)
{
    json_object_end(j);
    buf_put_u8(b, '\n');
    return b->failed;
}

enum status cli_audit_put_head(struct buf *b, uint64_t leaves, const uint8_t root[32])
{
    struct json j;
    json_init(&j, b);
    json_object(&j);
    json_key_cstr(&j, "format", FORMAT);
    json_key_u64(&j, "leaves", leaves);
    json_key_hex(&j, "root", span_of(root, 32));
    return end_line(&j, b);
}

static enum status read_leaf(struct span bytes, struct pool *pool,
                             struct record_leaf *out)
{
    return message_decode(&record_leaf_message, bytes, pool, out) == ST_OK ? ST_OK
                                                                           : ST_CORRUPT;
}

static enum status put_leaf(struct buf *b, const struct record_leaf *l,
                            struct span bytes)
{
    struct json j;
    struct buf text;
    buf_init(&text, 2 * LEAF_MAX);
    text_put_base64url(&text, bytes);
    json_init(&j, b);
    json_object(&j);
    json_key_u64(&j, "n", l->number);
    json_key_time(&j, "at", l->ts_ms * NS_PER_MS);
    json_key_cstr(&j, "actor_kind", actor_kinds[l->actor_kind & 3]);
    json_key_text(&j, "actor", l->actor);
    json_key_text(&j, "event", l->event);
    json_key_text(&j, "object", l->object);
    json_key_text(&j, "detail", l->detail);
    json_key_text(&j, "leaf", buf_span(&text));
    enum status st = text.failed;
    buf_fini(&text);
    return st != ST_OK ? st : end_line(&j, b);
}

enum status cli_audit_put_leaf(struct buf *b, struct span bytes)
{
    uint8_t memory[8192];
    struct pool pool;
    struct record_leaf leaf;
    pool_init(&pool, memory, sizeof memory);
    ST_TRY(read_leaf(bytes, &pool, &leaf));
    return put_leaf(b, &leaf, bytes);
}

// --- Checking

// A file on its way; the buffers hold one line each.
struct check {
    FILE *file;
    char *line;
    struct buf bytes, again;
    struct chain_walk walk;
    uint64_t time_ms;
    uint64_t claimed; // leaves, as the first line says
    char claimed_root[CLI_AUDIT_ROOT_MAX];
    const char *trouble;
};

// The next line with its newline. ST_NOTFOUND: the end. ST_CORRUPT: too long, or torn.
static enum status next_line(struct check *c, struct span *out)
{
    if (!fgets(c->line, CLI_AUDIT_LINE_MAX, c->file))
        return ferror(c->file) ? ST_IO : ST_NOTFOUND;
    *out = span_text(c->line);
    return out->size > 0 && c->line[out->size - 1] == '\n' ? ST_OK : ST_CORRUPT;
}

static enum status check_head(struct check *c)
{
    struct span line;
    struct buf text;
    buf_init(&text, 256);
    enum status st = next_line(c, &line);
    if (st == ST_OK)
        st = answer_text(line, "format", &text);
    bool is_ours = st == ST_OK && span_is(buf_span(&text), FORMAT);
    buf_clear(&text);
    if (is_ours && answer_text(line, "leaves", &text) == ST_OK)
        is_ours = text_u64(buf_span(&text), &c->claimed) == ST_OK;
    buf_clear(&text);
    if (is_ours && answer_text(line, "root", &text) == ST_OK)
        snprintf(c->claimed_root, sizeof c->claimed_root, "%s", buf_cstr(&text));
    buf_fini(&text);
    return st == ST_NOMEM ? ST_NOMEM : is_ours ? ST_OK : ST_UNSUPPORTED;
}

static const char *trouble_of(struct check *c, const struct record_leaf *l)
{
    if (l->number != c->walk.size)
        return "the leaf bears another number: one is missing, double or misplaced";
    if (l->ts_ms < c->time_ms)
        return "time goes back";
    return NULL;
}

// Takes one line into the tree; c->trouble says why not.
static enum status check_line(struct check *c, struct span line)
{
    uint8_t memory[8192];
    struct pool pool;
    struct record_leaf leaf;
    struct chain_hash hash;
    pool_init(&pool, memory, sizeof memory);
    buf_clear(&c->bytes);
    buf_clear(&c->again);
    struct buf text;
    buf_init(&text, CLI_AUDIT_LINE_MAX);
    enum status st = answer_text(line, "leaf", &text);
    if (st == ST_OK)
        st = text_base64url(buf_span(&text), &c->bytes);
    buf_fini(&text);
    if (st == ST_NOMEM)
        return st;
    if (st != ST_OK || read_leaf(buf_span(&c->bytes), &pool, &leaf) != ST_OK) {
        c->trouble = "the line holds no leaf that can be read";
        return ST_OK;
    }
    ST_TRY(put_leaf(&c->again, &leaf, buf_span(&c->bytes)));
    c->trouble = span_equal(line, buf_span(&c->again))
                     ? trouble_of(c, &leaf)
                     : "the words of the line are not those of its leaf";
    if (c->trouble)
        return ST_OK;
    c->time_ms = leaf.ts_ms;
    ST_TRY(chain_leaf(buf_span(&c->bytes), &hash));
    return chain_walk_add(&c->walk, &hash);
}

static enum status check_leaves(struct check *c)
{
    for (;;) {
        struct span line;
        enum status st = next_line(c, &line);
        if (st == ST_NOTFOUND)
            return ST_OK;
        if (st == ST_CORRUPT)
            c->trouble = "the line is cut off, or too long for a leaf";
        else
            ST_TRY(st);
        if (!c->trouble)
            ST_TRY(check_line(c, line));
        if (c->trouble)
            return ST_OK;
    }
}

static enum status check_all(struct check *c, const char *root,
                             struct cli_audit_report *out)
{
    struct chain_hash hash;
    struct buf hex;
    ST_TRY(check_head(c));
    ST_TRY(check_leaves(c));
    ST_TRY(chain_walk_root(&c->walk, &hash));
    buf_init(&hex, 128);
    text_put_hex(&hex, span_of(hash.byte, sizeof hash.byte));
    struct cli_audit_report r = {.leaves = c->walk.size, .first_bad = UINT64_MAX};
    snprintf(r.root, sizeof r.root, "%s", buf_cstr(&hex));
    buf_fini(&hex);
    if (!c->trouble && c->walk.size != c->claimed)
        c->trouble = "the file has not as many leaves as its first line says";
    else if (!c->trouble && strcmp(r.root, c->claimed_root) != 0)
        c->trouble = "the leaves do not give the root of the first line";
    else if (!c->trouble && root && strcmp(r.root, root) != 0)
        c->trouble = "the leaves do not give the root that was asked for";
    r.trouble = c->trouble;
    if (r.trouble)
        r.first_bad = c->walk.size;
    *out = r;
    return ST_OK;
}

enum status cli_audit_check(FILE *file, const char *root, struct cli_audit_report *out)
{
    struct check c = {.file = file, .line = mem_zero(1, CLI_AUDIT_LINE_MAX)};
    if (!c.line)
        return ST_NOMEM;
    buf_init(&c.bytes, LEAF_MAX);
    buf_init(&c.again, CLI_AUDIT_LINE_MAX);
    chain_walk_init(&c.walk);
    enum status st = check_all(&c, root, out);
    buf_fini(&c.bytes);
    buf_fini(&c.again);
    mem_free(c.line);
    return st;
}

static void write_report(const struct cli_audit_report *r, struct buf *out)
{
    struct json j;
    bool is_intact = !r->trouble;
    json_init(&j, out);
    json_object(&j);
    json_key_cstr(&j, "result", is_intact ? "intact" : "broken");
    json_key_u64(&j, "leaves", r->leaves);
    json_key_cstr(&j, "root", r->root);
    json_key(&j, "first_bad");
    if (is_intact)
        json_null(&j);
    else
        json_u64(&j, r->first_bad);
    json_key_cstr(&j, "trouble", r->trouble);
    json_object_end(&j);
}

int cli_audit_verify_file(const struct command_line *line)
{
    static const struct render_view view = {"result leaves root first_bad trouble",
                                            NULL, 0, NULL};
    const char *path = command_text(line, "file"), *root = command_text(line, "root");
    uint8_t digest[32];
    if (root && text_hex(span_text(root), digest, sizeof digest) != ST_OK) {
        talk_complain("--root: write the 64 hex digits of a root");
        return CLI_USAGE;
    }
    FILE *file = fopen(path, "re");
    if (!file) {
        talk_complain("%s: %s", path, strerror(errno));
        return errno == ENOENT ? CLI_NOT_FOUND : CLI_USAGE;
    }
    struct cli_audit_report r;
    enum status st = cli_audit_check(file, root, &r);
    fclose(file);
    if (st != ST_OK) {
        talk_complain("%s: %s", path,
                      st == ST_UNSUPPORTED
                          ? "this is no log that kedge audit export wrote"
                          : status_text(st));
        return CLI_USAGE;
    }
    struct talk t = {.line = line, .code = r.trouble ? CLI_UNHEALTHY : CLI_FINE};
    buf_init(&t.json, 4096);
    write_report(&r, &t.json);
    int code = talk_show(&t, &view);
    buf_fini(&t.json);
    return code;
}

// --- Exporting

// A page of the log on its way to the file.
struct page {
    uint64_t from, leaves; // of the log; 0 leaves: it was not asked yet
    uint64_t got;
    struct buf bytes, out;
};

static enum status put_text(void *keep, struct span text)
{
    struct page *p = keep;
    buf_clear(&p->bytes);
    ST_TRY(text_base64url(text, &p->bytes));
    p->got++;
    return cli_audit_put_leaf(&p->out, buf_span(&p->bytes));
}

static enum status put_first_line(struct span answer, struct page *p)
{
    struct buf text;
    uint8_t root[32];
    buf_init(&text, 256);
    enum status st = answer_text(answer, "leaves", &text);
    if (st == ST_OK)
        st = text_u64(buf_span(&text), &p->leaves);
    buf_clear(&text);
    if (st == ST_OK)
        st = answer_text(answer, "root", &text);
    if (st == ST_OK)
        st = text_hex(buf_span(&text), root, sizeof root);
    buf_fini(&text);
    return st != ST_OK ? st : cli_audit_put_head(&p->out, p->leaves, root);
}

// Asks for the leaves from number p->from on, all of one tree, and writes them.
static int export_page(struct talk *t, struct page *p)
{
    char from[32], leaves[32];
    snprintf(from, sizeof from, "%llu", (unsigned long long)p->from);
    snprintf(leaves, sizeof leaves, "%llu", (unsigned long long)p->leaves);
    talk_clear(t);
    talk_add(t, "from", span_text(from));
    talk_add(t, "leaves", span_text(p->leaves ? leaves : ""));
    buf_clear(&t->json);
    int code = talk_ask(t, "audit.export", span_text(""));
    if (code != CLI_FINE)
        return code;
    buf_clear(&p->out);
    p->got = 0;
    enum status st = p->leaves ? ST_OK : put_first_line(buf_span(&t->json), p);
    if (st == ST_OK)
        st = answer_texts(buf_span(&t->json), "log", put_text, p);
    if (st == ST_OK && p->got == 0 && p->from < p->leaves)
        st = ST_CORRUPT;
    if (st == ST_OK && fwrite(p->out.data, 1, p->out.size, stdout) != p->out.size)
        st = ST_IO;
    p->from += p->got;
    if (st == ST_OK)
        return CLI_FINE;
    talk_complain("the log cannot be written: %s", status_text(st));
    return CLI_PARTIAL;
}

int cli_audit_export(void *program, const struct command_line *line)
{
    (void)program;
    struct talk t;
    struct page p = {0};
    buf_init(&p.bytes, LEAF_MAX);
    buf_init(&p.out, 2 * CLIENT_ANSWER_MAX);
    int code = talk_open(&t, line);
    do
        code = code == CLI_FINE ? export_page(&t, &p) : code;
    while (code == CLI_FINE && p.from < p.leaves);
    if (code == CLI_FINE && fflush(stdout) != 0) {
        talk_complain("the log cannot be written: %s", strerror(errno));
        code = CLI_PARTIAL;
    }
    talk_close(&t);
    buf_fini(&p.bytes);
    buf_fini(&p.out);
    return code;
}
