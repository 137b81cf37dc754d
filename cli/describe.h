/* The parts of `nacelle describe`, in the layout of kubectl's. */
#pragma once

#include "cli/cli.h"
#include "cli/node_view.h"

/* "KEY:   TEXT" in the columns of @level (0 to 3). What is no printable text comes out as '?'; further lines begin
 * below the first. */
void describe_field(unsigned level, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As above, where there is a text. */
void describe_if(unsigned level, const char *key, const char *text);

/* "KEY:" with a line each for the members of a map, "k: v" or "k=v", or <none>. */
void describe_map(unsigned level, const char *key, const struct value *map, const char *between);

/* An RFC 3339 time as RFC 1123 has it; nothing for "". */
void describe_time(unsigned level, const char *key, const char *time);

/* All containers of a list in the spec, with their statuses. @logs is the pod's directory of logs, "" where it is not
 * known. */
void describe_containers(const char *title, const struct value *containers, const struct value *statuses,
                         const char *logs);
