/* Trees in the order in which Go writes maps. */
#pragma once

struct arena;
struct value;

/* @value with the members of all its maps in the order of their keys; what is no map is shared. NULL without memory. */
const struct value *value_sorted(struct arena *arena, const struct value *value);
