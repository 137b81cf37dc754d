/* Trees and maps in the order in which Go writes maps. */
#pragma once

struct arena;
struct value;
struct value_member;

/* @value with the members of all its maps in the order of their keys; what is no map is shared. NULL without memory. */
const struct value *value_sorted(struct arena *arena, const struct value *value);

/* The members of @map in that order; there are value_count(@map). NULL without memory. */
const struct value_member *const *value_sorted_members(struct arena *arena, const struct value *map);
