/* What answers say. */
#pragma once

#include <stdbool.h>

struct client_answer;

/* The namespace is not there, or is being deleted: nothing can be made in it. */
bool task_is_leaving(const struct client_answer *answer);
