// Reads what clouds log of their endpoints: a line holds a request, an answer or both,
// often as JSON within JSON. The contracts stand in decoder.h.
//
// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "agent/intake/body.h"
#include "agent/intake/decoder.h"
#include "agent/intake/pick.h"
#include "agent/intake/sheet.h"
#include "agent/intake/tape.h"
#include "agent/intake/teller.h"
#include "common/base/mem.h"

#define TAPE_BYTES_MAX (4u << 20)

enum slot {
    SLOT_ID,
    SLOT_OTHER_ID, // taken when there is no other
    SLOT_TIME,
    SLOT_MODEL,
    SLOT_VERSION,
    SLOT_TYPE,
    SLOT_IN,
    SLOT_IN_ENCODING,
    SLOT_IN_TYPE,
    SLOT_OUT,
    SLOT_OUT_ENCODING,
    SLOT_OUT_TYPE,
    SLOT_ROWS,
};

struct capture;

// What tells one form from the other.
struct capture_form {
    const struct pick_row *row;
    uint32_t rows;
    enum status (*model)(struct capture *c, struct span text);
    enum status (*payload)(struct capture *c, int slot, enum token token,
                           struct span text, double number);
};

struct capture {
    const struct mapping *mapping;
    const struct capture_form *form;
    struct teller teller;
    struct body *body;
    struct sheet sheet;
    struct lexer lexer;
    struct tape tape; // the line: payloads stand before what they need to be read
    struct pick pick;
    struct buf plain; // decoded base64
    // Of the line.
    struct word model, version, id, other_id, type, encoding[2], content[2];
    struct word time;
    bool has_rows; // a payload of rows is under way
};

// --- Attributes

static enum status take_attribute(void *self, int slot, enum token token,
                                  struct span text, double number, bool is_last)
{
    struct capture *c = self;
    (void)number, (void)is_last;
    if (token != TOKEN_STRING)
        return ST_OK;
    switch (slot) {
    case SLOT_ID:
        return word_set(&c->id, text);
    case SLOT_OTHER_ID:
        return word_set(&c->other_id, text);
    case SLOT_TIME:
        return word_set(&c->time, text);
    case SLOT_MODEL:
        return c->form->model(c, text);
    case SLOT_VERSION:
        return word_set(&c->version, text);
    case SLOT_TYPE:
        return word_set(&c->type, text);
    case SLOT_IN_ENCODING:
        return word_set(&c->encoding[0], text);
    case SLOT_OUT_ENCODING:
        return word_set(&c->encoding[1], text);
    case SLOT_IN_TYPE:
        return word_set(&c->content[0], text);
    case SLOT_OUT_TYPE:
        return word_set(&c->content[1], text);
    default:
        return ST_OK;
    }
}

static enum status begin_side(struct capture *c, enum observation_side side)
{
    struct teller *t = &c->teller;
    teller_begin(t, t->now_ns, side);
    t->model = c->model;
    if (c->mapping->model)
        ST_TRY(word_set(&t->model, span_text(c->mapping->model)));
    t->version = c->version;
    if (t->version.size == 0)
        ST_TRY(word_set(&t->version, span_text(c->mapping->version)));
    t->id = c->id.size > 0 ? c->id : c->other_id;
    return c->time.size > 0 ? teller_time_text(t, word_span(&c->time)) : ST_OK;
}

// What stands behind the last `mark` of a path, up to the next slash.
static struct span part_behind(struct span path, const char *mark)
{
    const uint8_t *at =
        path.size ? memmem(path.data, path.size, mark, strlen(mark)) : NULL;
    if (!at)
        return (struct span){0};
    at += strlen(mark);
    size_t left = path.size - (size_t)(at - path.data);
    const uint8_t *slash = left ? memchr(at, '/', left) : NULL;
    return span_of(at, slash ? (size_t)(slash - at) : left);
}

// --- Payloads that are text

static int base64_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static enum status decode_base64(struct span text, struct buf *out)
{
    uint32_t bits = 0, held = 0;
    buf_clear(out);
    for (size_t i = 0; i < text.size && text.data[i] != '='; i++) {
        int v = base64_of(text.data[i]);
        if (v < 0)
            return ST_CORRUPT;
        held = held << 6 | (uint32_t)v;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        buf_put_u8(out, (uint8_t)(held >> bits));
    }
    return out->failed;
}

static enum status read_json(struct capture *c, enum body_family family,
                             struct span text)
{
    body_begin(c->body, family);
    ST_TRY(body_bytes(c->body, text));
    return body_end(c->body);
}

static enum status read_csv(struct capture *c, struct span text)
{
    sheet_begin(&c->sheet, false);
    ST_TRY(sheet_bytes(&c->sheet, text));
    return sheet_end(&c->sheet);
}

static bool is_csv(const struct word *type)
{
    return type->size >= 8 && strncasecmp(type->data, "text/csv", 8) == 0;
}

static enum status read_encoded(struct capture *c, int side, struct span text)
{
    struct span encoding = word_span(&c->encoding[side]);
    ST_TRY(begin_side(c, side ? SIDE_OUTPUT : SIDE_INPUT));
    if (span_is(encoding, "BASE64")) {
        ST_TRY(decode_base64(text, &c->plain));
        text = buf_span(&c->plain);
    }
    bool looks_json = text.size > 0 && memchr("{[", text.data[0], 2);
    if (span_is(encoding, "CSV") || is_csv(&c->content[side]) ||
        (!span_is(encoding, "JSON") && !looks_json))
        return read_csv(c, text);
    return read_json(c, BODY_ANY, text);
}

// --- SageMaker

static enum status sagemaker_payload(struct capture *c, int slot, enum token token,
                                     struct span text, double number)
{
    (void)number;
    if (token != TOKEN_STRING || (slot != SLOT_IN && slot != SLOT_OUT))
        return ST_OK;
    return read_encoded(c, slot == SLOT_OUT, text);
}

static const struct pick_row sagemaker_rows[] = {
    {"/captureData/endpointInput/data", SLOT_IN, PICK_VALUE},
    {"/captureData/endpointInput/encoding", SLOT_IN_ENCODING, PICK_VALUE},
    {"/captureData/endpointInput/observedContentType", SLOT_IN_TYPE, PICK_VALUE},
    {"/captureData/endpointOutput/data", SLOT_OUT, PICK_VALUE},
    {"/captureData/endpointOutput/encoding", SLOT_OUT_ENCODING, PICK_VALUE},
    {"/captureData/endpointOutput/observedContentType", SLOT_OUT_TYPE, PICK_VALUE},
    {"/eventMetadata/inferenceId", SLOT_ID, PICK_VALUE},
    {"/eventMetadata/eventId", SLOT_OTHER_ID, PICK_VALUE},
    {"/eventMetadata/inferenceTime", SLOT_TIME, PICK_VALUE},
};

static const struct capture_form sagemaker = {
    .row = sagemaker_rows,
    .rows = sizeof sagemaker_rows / sizeof *sagemaker_rows,
    .payload = sagemaker_payload,
};

// --- Azure ML

// "endpoint/deployment", or nothing when the source has another form.
static enum status azureml_model(struct capture *c, struct span source)
{
    struct span endpoint = part_behind(source, "/onlineEndpoints/");
    struct span deployment = part_behind(source, "/deployments/");
    struct buf name;
    buf_init(&name, OBSERVATION_NAME_MAX);
    buf_put_span(&name, endpoint);
    if (deployment.size > 0)
        buf_put_u8(&name, '/');
    buf_put_span(&name, deployment);
    enum status st = name.failed == ST_FULL ? ST_CORRUPT : name.failed;
    if (st == ST_OK)
        st = word_set(&c->model, buf_span(&name));
    buf_fini(&name);
    return st;
}

static enum status azureml_payload(struct capture *c, int slot, enum token token,
                                   struct span text, double number)
{
    static const char outputs[] = "outputs";
    struct span type = word_span(&c->type);
    size_t size = sizeof outputs - 1;
    if (slot != SLOT_ROWS)
        return ST_OK;
    if (!c->has_rows) {
        bool is_output = type.size >= size &&
                         memcmp(type.data + type.size - size, outputs, size) == 0;
        ST_TRY(begin_side(c, is_output ? SIDE_OUTPUT : SIDE_INPUT));
        body_begin(c->body, BODY_ANY);
        c->has_rows = true;
    }
    return body_token(c->body, token, text, number);
}

static const struct pick_row azureml_rows[] = {
    {"/source", SLOT_MODEL, PICK_VALUE},
    {"/modelversion", SLOT_VERSION, PICK_VALUE},
    {"/type", SLOT_TYPE, PICK_VALUE},
    {"/time", SLOT_TIME, PICK_VALUE},
    {"/correlationid", SLOT_ID, PICK_VALUE},
    {"/xrequestid", SLOT_OTHER_ID, PICK_VALUE},
    {"/data", SLOT_ROWS, PICK_VALUE},
};

static const struct capture_form azureml = {
    .row = azureml_rows,
    .rows = sizeof azureml_rows / sizeof *azureml_rows,
    .model = azureml_model,
    .payload = azureml_payload,
};

// --- Vertex

static enum status vertex_model(struct capture *c, struct span endpoint)
{
    struct span name = part_behind(endpoint, "/endpoints/");
    return word_set(&c->model, name.size > 0 ? name : endpoint);
}

// Each item of a payload is the text of one row.
static enum status vertex_payload(struct capture *c, int slot, enum token token,
                                  struct span text, double number)
{
    (void)number;
    enum observation_side side = slot == SLOT_OUT ? SIDE_OUTPUT : SIDE_INPUT;
    if (token != TOKEN_STRING || (slot != SLOT_IN && slot != SLOT_OUT))
        return ST_OK;
    if (c->teller.row == 0 || c->teller.side != side)
        ST_TRY(begin_side(c, side));
    return read_json(c, BODY_WHOLE, text);
}

static const struct pick_row vertex_rows[] = {
    {"/endpoint", SLOT_MODEL, PICK_VALUE},
    {"/deployed_model_id", SLOT_VERSION, PICK_VALUE},
    {"/logging_time", SLOT_TIME, PICK_VALUE},
    {"/request_id", SLOT_ID, PICK_VALUE},
    {"/request_payload/*", SLOT_IN, PICK_VALUE},
    {"/response_payload/*", SLOT_OUT, PICK_VALUE},
};

static const struct capture_form vertex = {
    .row = vertex_rows,
    .rows = sizeof vertex_rows / sizeof *vertex_rows,
    .model = vertex_model,
    .payload = vertex_payload,
};

// --- Lines

static enum status take_payload(void *self, int slot, enum token token,
                                struct span text, double number, bool is_last)
{
    struct capture *c = self;
    (void)is_last;
    return c->form->payload(c, slot, token, text, number);
}

static enum status play(struct capture *c, pick_fn *take)
{
    pick_init(&c->pick, c->form->row, c->form->rows, take, c);
    return tape_play_all(&c->tape, 0, pick_token, &c->pick);
}

static enum status play_payloads(struct capture *c, const struct observation_sink *sink)
{
    c->teller.sink = sink;
    c->teller.row = 0;
    c->has_rows = false;
    ST_TRY(play(c, take_payload));
    if (c->has_rows)
        ST_TRY(body_end_tokens(c->body));
    return c->teller.row > 0 ? ST_OK : ST_CORRUPT;
}

static enum status put_token(void *self, enum token token, struct span text,
                             double number)
{
    struct capture *c = self;
    return tape_put(&c->tape, token, text, number);
}

static void pass_over(void *self, const struct observation *o)
{
    (void)self, (void)o;
}

// A line counts as a whole or not at all: it is read once without anybody listening.
static enum status read_line(void *self, struct span line, uint64_t now_ns,
                             const struct observation_sink *sink)
{
    static const struct observation_sink nobody = {.row = pass_over};
    struct capture *c = self;
    tape_clear(&c->tape);
    c->model.size = c->version.size = c->id.size = c->other_id.size = 0;
    c->type.size = c->time.size = 0;
    c->encoding[0].size = c->encoding[1].size = 0;
    c->content[0].size = c->content[1].size = 0;
    c->teller.now_ns = now_ns;
    ST_TRY(lexer_whole(&c->lexer, line));
    ST_TRY(play(c, take_attribute));
    ST_TRY(play_payloads(c, &nobody));
    return play_payloads(c, sink);
}

static void close_capture(void *self)
{
    struct capture *c = self;
    teller_fini(&c->teller);
    body_close(c->body);
    sheet_fini(&c->sheet);
    lexer_fini(&c->lexer);
    tape_fini(&c->tape);
    buf_fini(&c->plain);
    mem_free(c);
}

static enum status open_capture(const struct capture_form *form,
                                const struct mapping *m, struct decoder *out)
{
    struct capture *c = MEM_NEW(struct capture);
    if (!c)
        return ST_NOMEM;
    c->mapping = m;
    c->form = form;
    lexer_init(&c->lexer, put_token, c);
    tape_init(&c->tape, TAPE_BYTES_MAX);
    buf_init(&c->plain, OBSERVATION_LINE_MAX);
    sheet_init(&c->sheet, &c->teller);
    enum status st = teller_init(&c->teller, NULL);
    if (st == ST_OK)
        st = body_open(&c->teller, &c->body);
    if (st != ST_OK) {
        close_capture(c);
        return st;
    }
    *out = (struct decoder){.self = c, .line = read_line, .close = close_capture};
    return ST_OK;
}

enum status decoder_sagemaker(const struct mapping *m, struct decoder *out)
{
    return open_capture(&sagemaker, m, out);
}

enum status decoder_azureml(const struct mapping *m, struct decoder *out)
{
    return open_capture(&azureml, m, out);
}

enum status decoder_vertex(const struct mapping *m, struct decoder *out)
{
    return open_capture(&vertex, m, out);
}
