/* Single values of a KubeletConfiguration. @name is the field's, for errors: -EINVAL with line, field and what it
 * wants; -ENOMEM. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/value.h"

struct err;

int config_want(const struct value *value, const char *name, const char *what, struct err **err); /* the error */

/* A copy in place of *@field; an empty text changes nothing. */
int config_set_text(const struct value *value, const char *name, char **field, struct err **err);
int config_set_bool(const struct value *value, const char *name, bool *field, struct err **err);
int config_set_signed(const struct value *value, const char *name, int *field, struct err **err);
int config_set_bytes(const struct value *value, const char *name, int64_t *field, struct err **err);
int config_set_duration(const struct value *value, const char *name, int64_t *field, struct err **err); /* ms */

int config_set_period(const struct value *value, const char *name, int64_t *field,
                      struct err **err); /* likewise; it may be negative */

/* A number from -1 to @most. */
int config_get_count(const struct value *value, const char *name, int64_t most, int64_t *ret, struct err **err);

/* What a list or a map is as a flag's text: items with commas between. Puts "KEY=TEXT", or TEXT without a @key, behind
 * @all, which is taken; NULL without memory. */
char *config_append(char *all, const char *key, const char *text);

/* @all in place of *@field; it is taken. -ENOMEM: it is NULL. */
int config_take(char *all, char **field, struct err **err);
int config_set_pairs(const struct value *value, const char *name, char **field, struct err **err);
