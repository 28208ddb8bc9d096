// Time: RFC 3339 and Unix seconds as text, and back. The contracts stand in text.h.
//
// SPDX-License-Identifier: Apache-2.0
#include "common/base/clock.h"
#include "common/base/text.h"

#include <inttypes.h>
#include <stdio.h>

#define SECONDS_PER_DAY 86400

// The last second whose nanoseconds still fit 64 bits, less one.
#define SECONDS_MAX ((int64_t)(UINT64_MAX / NS_PER_S) - 1)

// Days since 1970 in the Gregorian calendar. Years begin in March, so that the leap day
// is the last one. Source: Hinnant, chrono-compatible low-level date algorithms.
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400; // years here are 1969 or later
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct date {
    unsigned year, month, day;
};

static struct date date_of(uint64_t days)
{
    uint64_t z = days + 719468;
    uint64_t era = z / 146097;
    uint64_t of_era = z % 146097;
    uint64_t year_of_era =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year =
        of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month = (5 * of_year + 2) / 153; // 0 is March
    return (struct date){
        .year = (unsigned)(year_of_era + era * 400 + (month >= 10)),
        .month = (unsigned)(month < 10 ? month + 3 : month - 9),
        .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
    };
}

// Exactly `n` digits from `at` on; -1 when they are not there.
static int64_t digits(struct span s, size_t at, size_t n)
{
    int64_t v = 0;
    if (at > s.size || n > s.size - at)
        return -1;
    for (size_t i = at; i < at + n; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return -1;
        v = v * 10 + (s.data[i] - '0');
    }
    return v;
}

static bool is_at(struct span s, size_t at, char c)
{
    return at < s.size && s.data[at] == (uint8_t)c;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// "2012-08-15" at the start of `s`, as days.
static enum status read_date(struct span s, int64_t *days)
{
    static const int length[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = digits(s, 0, 4), month = digits(s, 5, 2), day = digits(s, 8, 2);
    if (!is_at(s, 4, '-') || !is_at(s, 7, '-') || year < 1970 || month < 1 ||
        month > 12 || day < 1 || day > length[month - 1] ||
        (month == 2 && day == 29 && !is_leap(year)))
        return ST_RANGE;
    *days = days_of(year, month, day);
    return ST_OK;
}

// ".123" at *at (or nothing), as nanoseconds; moves *at behind it.
static enum status read_fraction(struct span s, size_t *at, int64_t *ns)
{
    *ns = 0;
    if (!is_at(s, *at, '.'))
        return ST_OK;
    size_t first = ++*at;
    int64_t worth = 100000000;
    for (; digits(s, *at, 1) >= 0; ++*at, worth /= 10)
        *ns += digits(s, *at, 1) * worth;
    size_t n = *at - first;
    return n >= 1 && n <= 9 ? ST_OK : ST_RANGE;
}

// "Z" or "+hh:mm", which must be the rest of `s`, as seconds east of Greenwich.
static enum status read_zone(struct span s, size_t at, int64_t *east_s)
{
    if ((is_at(s, at, 'Z') || is_at(s, at, 'z')) && s.size == at + 1) {
        *east_s = 0;
        return ST_OK;
    }
    int64_t hours = digits(s, at + 1, 2), minutes = digits(s, at + 4, 2);
    if (s.size != at + 6 || !(is_at(s, at, '+') || is_at(s, at, '-')) ||
        !is_at(s, at + 3, ':') || hours < 0 || hours > 23 || minutes < 0 ||
        minutes > 59)
        return ST_RANGE;
    *east_s = (hours * 60 + minutes) * (is_at(s, at, '-') ? -60 : 60);
    return ST_OK;
}

static enum status compose(int64_t seconds, int64_t ns, uint64_t *out_ns)
{
    if (seconds < 0 || seconds > SECONDS_MAX)
        return ST_RANGE;
    *out_ns = (uint64_t)seconds * NS_PER_S + (uint64_t)ns;
    return ST_OK;
}

static enum status read_date_time(struct span s, uint64_t *out_ns)
{
    int64_t days, fraction_ns, east_s;
    ST_TRY(read_date(s, &days));
    if (s.size == 10)
        return compose(days * SECONDS_PER_DAY, 0, out_ns);
    int64_t hour = digits(s, 11, 2), minute = digits(s, 14, 2);
    int64_t second = digits(s, 17, 2); // 60 in a leap second, which Unix time repeats
    if (!(is_at(s, 10, 'T') || is_at(s, 10, 't') || is_at(s, 10, ' ')) ||
        !is_at(s, 13, ':') || !is_at(s, 16, ':') || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60)
        return ST_RANGE;
    size_t at = 19;
    ST_TRY(read_fraction(s, &at, &fraction_ns));
    ST_TRY(read_zone(s, at, &east_s));
    int64_t seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return compose(seconds - east_s, fraction_ns, out_ns);
}

enum status text_time(struct span s, uint64_t *out_ns)
{
    size_t whole = 0;
    while (digits(s, whole, 1) >= 0)
        whole++;
    if (whole == 4 && is_at(s, 4, '-'))
        return read_date_time(s, out_ns);
    uint64_t seconds;
    int64_t fraction_ns;
    ST_TRY(text_u64(span_of(s.data, whole), &seconds));
    size_t at = whole;
    ST_TRY(read_fraction(s, &at, &fraction_ns));
    if (at != s.size || seconds > (uint64_t)SECONDS_MAX)
        return ST_RANGE;
    return compose((int64_t)seconds, fraction_ns, out_ns);
}

void text_time_cstr(uint64_t wall_ns, char out[TEXT_TIME_BYTES])
{
    uint64_t seconds = wall_ns / NS_PER_S;
    struct date d = date_of(seconds / SECONDS_PER_DAY);
    unsigned of_day = (unsigned)(seconds % SECONDS_PER_DAY);
    unsigned ms = (unsigned)(wall_ns % NS_PER_S / NS_PER_MS);
    int n = snprintf(out, TEXT_TIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u",
                     d.year % 10000, d.month % 100, d.day % 100, of_day / 3600,
                     of_day / 60 % 60, of_day % 60);
    if (ms)
        n += snprintf(out + n, TEXT_TIME_BYTES - (size_t)n, ".%03u", ms);
    snprintf(out + n, TEXT_TIME_BYTES - (size_t)n, "Z");
}

void text_put_time(struct buf *b, uint64_t wall_ns)
{
    char text[TEXT_TIME_BYTES];
    text_time_cstr(wall_ns, text);
    buf_put_text(b, text);
}
