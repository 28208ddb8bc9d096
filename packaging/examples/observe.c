// A model server in C that tells Kedge what it sees and answers.
//
// Build: cc observe.c $(pkg-config --cflags --libs kedge) -o observe
// Use:   observe [ROWS [ROWS_PER_SECOND]]      prints what became of its rows
//
// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <kedge.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct kedge_feature features[] = {
    {"temp", KEDGE_NUMBER, KEDGE_INPUT},
    {"season", KEDGE_CATEGORY, KEDGE_INPUT},
    {"prediction", KEDGE_NUMBER, KEDGE_OUTPUT},
};

static struct kedge_string season_of(long row)
{
    static const char *const names[] = {"spring", "summer", "autumn", "winter"};
    struct kedge_string name = {names[row % 4], 6};
    return name;
}

// Serves one request: the answer is made first, then Kedge is told. Whatever it says,
// the answer goes out.
static double serve(struct kedge_model *model, long row)
{
    double temp = (double)(row % 40) / 40, answer = 10 + 100 * temp;
    const struct kedge_value value[] = {
        {KEDGE_F64, {.f64 = temp}},
        {KEDGE_STRING, {.string = season_of(row)}},
        {KEDGE_F64, {.f64 = answer}},
    };
    char id[24];
    (void)snprintf(id, sizeof id, "r%ld", row);
    const struct kedge_event event = {id, 0, 0};
    (void)kedge_observe(model, value, 3, &event);
    return answer;
}

int main(int argc, char **argv)
{
    long rows = argc > 1 ? atol(argv[1]) : 1000;
    long pace = argc > 2 ? atol(argv[2]) : 10000;
    const struct timespec pause = {0, 10000000};
    struct kedge_model *model;
    if (kedge_open("bike-demand", "v1", features, 3, &model) != KEDGE_OK)
        return 1;
    double sum = 0;
    for (long row = 0; row < rows; row++) {
        sum += serve(model, row);
        if (row % (pace / 100 + 1) == 0)
            nanosleep(&pause, NULL);
    }
    struct kedge_stats told;
    kedge_stats(model, &told);
    printf("served %ld, mean %.3f, observed %" PRIu64 ", dropped %" PRIu64 "\n", rows,
           sum / (double)rows, told.observed, told.dropped);
    kedge_close(model);
    return 0;
}
