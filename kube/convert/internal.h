/* What the files of this room share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct value;
struct value_edit;

typedef int (*convert_function)(struct arena *arena, struct value_edit *edit, const struct value *tree);

/* HorizontalPodAutoscalers: autoscaling/v1 to v2 and back. */
int convert_autoscaler_up(struct arena *arena, struct value_edit *edit, const struct value *tree);
int convert_autoscaler_down(struct arena *arena, struct value_edit *edit, const struct value *tree);

/* Events: core/v1 to events.k8s.io/v1 and back. */
int convert_event_up(struct arena *arena, struct value_edit *edit, const struct value *tree);
int convert_event_down(struct arena *arena, struct value_edit *edit, const struct value *tree);

/* Metrics of autoscalers, and their states: lists of v2's as v1's, which live in annotations, and back. NULL without
 * memory. */
const struct value *convert_metrics_down(struct arena *arena, const struct value *list, bool states);
const struct value *convert_metrics_up(struct arena *arena, const struct value *list, bool states);

/* Whether it is what v1 has a field for: the use of the CPU. */
bool convert_is_cpu(const struct value *metric);

/* @value at @pointer, or nothing there. 0 or a negative errno. */
int convert_put(struct value_edit *edit, const char *pointer, const struct value *value);
