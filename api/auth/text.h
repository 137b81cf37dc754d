/* Texts and lists as this room's answers are made of: in arenas, with kube-apiserver's forms. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kube/types.h"

struct arena;

/* Go's %q of a list: ["a" "b"]. NULL without memory. */
char *auth_quote_list(struct arena *arena, const string_list *list);

/* @list with @separator between its items. NULL without memory. */
char *auth_join(struct arena *arena, const string_list *list, const char *separator);

/* @list with @text at its end, in a new piece of memory; @text is not copied. -ENOMEM or 0. */
int auth_list_add(struct arena *arena, string_list *list, const char *text);

/* A copy with its texts. -ENOMEM or 0. */
int auth_list_copy(struct arena *arena, const string_list *list, string_list *ret_copy);

/* A list of what ends with NULL; the texts are shared. NULL is an empty one. -ENOMEM or 0. */
int auth_list_of(struct arena *arena, const char *const *texts, string_list *ret_list);
