/* Objects of the state that tokens hang on, for api/auth. */
#pragma once

struct arena;
struct auth_object;

/* auth_objects.find; @data is the state. */
int api_objects_find(void *data, struct arena *arena, const char *resource, const char *namespace, const char *name,
                     struct auth_object *ret_object);

/* auth_objects.used. */
void api_objects_used(void *data, struct arena *arena, const char *namespace, const char *name, const char *uid,
                      const char *date);
