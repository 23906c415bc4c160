/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef WH_FUZZ_JSON_MUTATE_H
#define WH_FUZZ_JSON_MUTATE_H

/*
 * A mutator that knows JSON, for targets whose input is FUZZ_HEADER bytes and a JSON text: it removes, repeats, exchanges and replaces whole
 * values, so that most of what it makes is still parsed and reaches the floors behind the parser. Three times in ten libFuzzer's own
 * mutator works on the bytes, or on the text of one string or number, where it also brings in the words of the dictionary.
 */
#ifdef WH_LIBFUZZER

#include <stdint.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

#define JSON_SPANS 1024

struct json_span {
    uint32_t start, end; /* of a value, or of a member's name */
    uint32_t whole; /* start of the member, where the value has a name; else of the value */
    uint8_t name, text; /* it is a name; it is a string or number */
};

static struct json_span json_spans[JSON_SPANS];
static unsigned int json_n;

static void json_add(size_t start, size_t end, size_t whole, int name, int text)
{
    if (json_n < JSON_SPANS)
        json_spans[json_n++] =
            (struct json_span){ (uint32_t)start, (uint32_t)end, (uint32_t)whole, name != 0, text != 0 };
}

static size_t json_string_end(const uint8_t *s, size_t at, size_t n)
{
    for (at++; at < n && s[at] != '"'; at++)
        at += s[at] == '\\';
    return at < n ? at + 1 : n;
}

/* Finds values by brackets, quotes and commas; what is no JSON gives spans that are none, which does no harm. */
static void json_scan(const uint8_t *s, size_t n)
{
    size_t open[64], whole[65];
    unsigned int depth = 0;

    json_n = 0;
    memset(whole, 0xff, sizeof whole);
    for (size_t i = 0; i < n;) {
        size_t end = i + 1, *w = &whole[depth];

        if (s[i] == '"') {
            size_t colon;

            end = json_string_end(s, i, n);
            for (colon = end; colon < n && (s[colon] == ' ' || s[colon] == '\n'); colon++)
                ;
            if (colon < n && s[colon] == ':') {
                json_add(i, end, i, 1, 1);
                *w = i;
                end = colon + 1;
            } else {
                json_add(i, end, *w != SIZE_MAX ? *w : i, 0, 1);
                *w = SIZE_MAX;
            }
        } else if ((s[i] == '{' || s[i] == '[') && depth < 64) {
            open[depth++] = i;
            whole[depth] = SIZE_MAX;
        } else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
            depth--;
            json_add(open[depth], end, whole[depth] != SIZE_MAX ? whole[depth] : open[depth], 0, 0);
            whole[depth] = SIZE_MAX;
        } else if (s[i] == '-' || (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z')) {
            while (end < n && !strchr(",]} \n:", s[end]))
                end++;
            json_add(i, end, *w != SIZE_MAX ? *w : i, 0, 1);
            *w = SIZE_MAX;
        }
        i = end;
    }
}

/* [at, at + old) becomes the text; the new size, or the old one when it does not fit. */
static size_t json_splice(uint8_t *data, size_t size, size_t max, size_t at, size_t old, const void *text, size_t len)
{
    if (size - old + len > max)
        return size;
    memmove(data + at + len, data + at + old, size - at - old);
    memcpy(data + at, text, len);
    return size - old + len;
}

static size_t json_change(uint8_t *data, size_t size, size_t max, unsigned int r)
{
    static const char *const values[] = { "null",
                                          "{}",
                                          "[]",
                                          "\"\"",
                                          "0",
                                          "-1",
                                          "9223372036854775808",
                                          "\"x\"",
                                          "true",
                                          "false",
                                          "1",
                                          "4294967296",
                                          "18446744073709551615",
                                          "1.5",
                                          "[{}]",
                                          "[\"\"]",
                                          "\"/\"",
                                          "\"a/../b\"",
                                          "{\"a\":\"b\"}" };
    static uint8_t copy[1 << 14];
    const struct json_span *s = &json_spans[(r >> 4) % json_n], *other = &json_spans[(r >> 14) % json_n];
    size_t len = other->end - other->start;
    const char *value;

    switch (r % 6) {
    case 0: /* another value of the document */
        if (len > sizeof copy || s->name != other->name)
            return size;
        memcpy(copy, data + other->start, len);
        return json_splice(data, size, max, s->start, s->end - s->start, copy, len);
    case 1: /* away with it, and with the comma behind it or before it */
        if (s->name)
            return size;
        len = s->end - s->whole;
        if (s->end < size && data[s->end] == ',')
            return json_splice(data, size, max, s->whole, len + 1, "", 0);
        if (s->whole > 0 && data[s->whole - 1] == ',')
            return json_splice(data, size, max, s->whole - 1, len + 1, "", 0);
        return json_splice(data, size, max, s->whole, len, "", 0);
    case 2: /* a member or element of another place, before this one */
        len = other->end - other->whole;
        if (len + 1 > sizeof copy || s->name || other->name)
            return size;
        memcpy(copy, data + other->whole, len);
        copy[len++] = ',';
        return json_splice(data, size, max, s->whole, 0, copy, len);
    case 3: /* within a string, a number or a name */
        if (!s->text || s->end - s->start < 2 || s->end - s->start + 64 > sizeof copy)
            return size;
        len = s->end - s->start - 2;
        memcpy(copy, data + s->start + 1, len);
        len = LLVMFuzzerMutate(copy, len ? len : 1, len + 64);
        return json_splice(data, size, max, s->start + 1, s->end - s->start - 2, copy, len);
    default:
        if (s->name)
            return size;
        value = values[(r >> 20) % (sizeof values / sizeof values[0])];
        return json_splice(data, size, max, s->start, s->end - s->start, value, strlen(value));
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    unsigned int changes;

    if (size < FUZZ_HEADER || max <= FUZZ_HEADER)
        return LLVMFuzzerMutate(data, size, max);
    x ^= x >> 29, x *= 0xbf58476d1ce4e5b9u, x ^= x >> 32;
    if (x % 10 < 1 && FUZZ_HEADER > 0) {
        LLVMFuzzerMutate(data, FUZZ_HEADER, FUZZ_HEADER);
        return size;
    }
    if (x % 10 < 3)
        return LLVMFuzzerMutate(data, size, max);
    for (changes = 1 + (x >> 8) % 4; changes > 0; changes--) {
        json_scan(data + FUZZ_HEADER, size - FUZZ_HEADER);
        if (json_n == 0)
            return LLVMFuzzerMutate(data, size, max);
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size = FUZZ_HEADER +
               json_change(data + FUZZ_HEADER, size - FUZZ_HEADER, max - FUZZ_HEADER, (unsigned int)(x >> 16));
    }
    return size;
}

#endif
#endif
