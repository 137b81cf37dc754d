/* What the two halves of YAML's reader share: lib/yaml.c runs libyaml's parser over documents, lib/yaml_events.c makes
 * values of its events. For these alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "lib/value_builder.h"

struct yaml_anchor {
        const char *name; /* in the arena */
        struct value value;
        bool finished; /* an alias inside its own anchor finds it unfinished */
};

struct yaml_reader {
        struct value_builder builder;
        yaml_parser_t parser;
        struct yaml_anchor *anchors;
        size_t n_anchors;
        struct {
                size_t anchor; /* index + 1; 0: none */
                bool merge;    /* the next value is a `<<`'s */
        } open[VALUE_DEPTH_MAX];
        struct err **err;
};

/* Takes one event. 0, or a negative errno with the reader's error set. */
int yaml_reader_take(struct yaml_reader *r, const yaml_event_t *event);

static inline uint32_t yaml_line_of(const yaml_event_t *event) {
        return (uint32_t)event->start_mark.line + 1;
}
