/* Texts of single values, as Kubernetes writes them: what the codecs for JSON, trees and protobuf have in common.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube/types.h"

/* "2006-01-02T15:04:05.000000Z", with its NUL. */
#define KUBE_TIME_TEXT_MAX 32

/* Reads RFC 3339, years 0000 to 9999, any offset. A @micro time has exactly six digits behind the second, another any
 * number, which are dropped. */
bool kube_time_parse(const char *text, size_t length, bool micro, struct kube_time *ret_time);

/* Makes a time from elsewhere one that can be written: whole seconds or microseconds, years 0000 to 9999. False for
 * others. */
bool kube_time_settle(struct kube_time *time, bool micro);

/* Writes @time in UTC, and returns its length. Years outside RFC 3339's come out as its first or last. */
size_t kube_time_format(const struct kube_time *time, bool micro, char ret_text[KUBE_TIME_TEXT_MAX]);

/* A quantity with blanks around it, as in JSON. */
bool kube_quantity_parse(const char *text, size_t length, struct quantity *ret_quantity);

/* The longest text of a quantity that is read; more is a mistake or an attack. */
#define KUBE_QUANTITY_TEXT_MAX 128

/* Standard base64 with padding; CR and LF in it are passed over. Room for length / 4 * 3 + 3 at @ret_data. */
bool kube_base64_parse(const char *text, size_t length, uint8_t *ret_data, uint32_t *ret_length);

#define KUBE_BAD_BASE64 "illegal base64 data" /* what a problem of it begins with */

/* At which byte Go's encoding/base64 stops in what kube_base64_parse() refuses; @length where it does not. */
size_t kube_base64_stop(const char *text, size_t length);

/* A finite @number as Go's JSON has it: the shortest text that reads the same; returns its length. */
#define KUBE_DOUBLE_TEXT_MAX 40
size_t kube_double_format(double number, char ret_text[KUBE_DOUBLE_TEXT_MAX]);
