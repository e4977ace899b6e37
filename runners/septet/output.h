/* SPDX-License-Identifier: BSD-2-Clause
 *
 * output - what people and programs read: text, tables, JSON
 *
 * Text from outside (mail, file names) never reaches a terminal as it is.
 */
#ifndef SEPTET_OUTPUT_H
#define SEPTET_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/sbuf.h"
#include "common/base/strv.h"

#define JSON_DEPTH 8

/* A JSON text as it is written.  key is NULL inside an array and at the top. */
struct json {
	FILE *to;
	unsigned depth;
	bool has_items[JSON_DEPTH + 1];
};

void json_begin(struct json *j, FILE *to);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
/* End of the innermost object ('}') or array (']'). */
void json_close(struct json *j, char bracket);
/* NULL is null.  A byte that is not valid UTF-8 becomes U+FFFD. */
void json_string(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, long long value);
void json_bool(struct json *j, const char *key, bool value);
/* RFC 3339, or null where ms is 0. */
void json_time(struct json *j, const char *key, int64_t ms);
/* An array of strings. */
void json_strings(struct json *j, const char *key, const struct strv *v);
/* The line end. */
void json_end(struct json *j);
/* Append value as a JSON string with its quotes. */
void json_quote(struct sbuf *out, const char *value, size_t n);

/* Append text fit for a terminal: controls (C1 too), marks that turn the
 * direction of writing, and bytes that are not UTF-8 are escaped as \xHH. */
void out_clean(struct sbuf *out, const char *text);
/* Print it; out_cell pads with spaces to a width (negative: to the left), and
 * cuts what is wider than max where that is not 0. */
void out_text(FILE *to, const char *text);
void out_cell(FILE *to, const char *text, int width, int max);

enum out_color { OUT_PLAIN, OUT_GOOD, OUT_WARN, OUT_BAD, OUT_DIM };
/* Begin a colour on stdout, where that is a terminal and NO_COLOR is not set;
 * OUT_PLAIN ends it. */
void out_color(enum out_color color);

/* "3 s", "12 min", "5 h", "3 d". */
void out_age(int64_t ms, char out[16]);
/* "4096" as "4.0 KiB". */
void out_size(unsigned long long bytes, char out[16]);

#endif
