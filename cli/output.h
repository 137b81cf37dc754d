/* Messages as JSON and YAML, in protobuf's JSON mapping: camelCase names, enums by name, 64-bit numbers as strings,
 * fields that are not set left with their zero values. */
#pragma once

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

struct err;
struct json_writer;

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML };

/* Reads the value of --output; NULL is @fallback. Returns 0 or -EINVAL. */
int output_parse(const char *text, enum output fallback, enum output *ret_output, struct err **err);

/* Writes @message as a JSON value. With @times, fields createdAt, startedAt and finishedAt come as RFC 3339. */
void output_message(struct json_writer *w, const ProtobufCMessage *message, bool times);

/* Writes an answer about one object as crictl does: its first field as "status", with times as RFC 3339, and what the
 * runtime tells beyond it, the map `info`, one member each; what is JSON there is written as it is. */
void output_status(struct json_writer *w, const ProtobufCMessage *message);

/* Prints the finished document of @w in the form of @output, with a newline. */
int output_print(struct json_writer *w, enum output output, struct err **err);

/* Both, for a message that is the whole answer. */
int output_whole(const ProtobufCMessage *message, enum output output, bool times, struct err **err);
