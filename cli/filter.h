/* What ps, pods, stats and others choose by: label selectors, regular expressions, states. */
#pragma once

#include <regex.h>
#include <stdbool.h>

#include "cli/cli.h"

/* A regular expression (POSIX extended) that may be absent: then everything matches. */
struct pattern {
        bool set;
        regex_t regex;
};

int filter_pattern_init(struct pattern *pattern, const char *option, const char *text, struct err **err);
bool filter_pattern_matches(const struct pattern *pattern, const char *text);
void filter_pattern_done(struct pattern *pattern);

/* A name and a namespace: what servers have no filter for. */
struct names {
        struct pattern name, namespace;
};

int filter_names_init(struct names *names, const char *name, const char *namespace, struct err **err);
bool filter_names_match(const struct names *names, const char *name, const char *namespace);
void filter_names_done(struct names *names);

/* An entry of any map<string, string>. */
struct label {
        ProtobufCMessage base;
        char *key, *value;
};

/* Reads "key=value" texts into the entries of a map field, whose messages are those of @type. The texts are cut in two
 * in place. Free both: *@ret_labels are the messages, to which *@ret_entries points. */
int filter_labels_read(const struct cli_values *values, const ProtobufCMessageDescriptor *type,
                       struct label **ret_labels, void **ret_entries, struct err **err);

/* The value of @key among the entries of a map<string, string>; @fallback when it has none. */
const char *filter_label_get(void *const *entries, size_t n, const char *key, const char *fallback);
#define LABEL_GET(message, key, fallback)                                                                              \
        filter_label_get((void *const *)(message)->labels, (message)->n_labels, (key), (fallback))
