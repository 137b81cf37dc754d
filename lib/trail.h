/* The path to what is being read, for messages: `spec.containers[0].name`. One that is too long is cut.
 *
 * It stands in whoever reads: any struct with `char path[SIZE]` and `size_t length`, both zero at the start. */
#pragma once

#include <stddef.h>

/* Extends @owner's path by the formatted text for what is read next. What it returns goes to TRAIL_LEAVE(). */
#define TRAIL_ENTER(owner, ...) trail_enter((owner)->path, sizeof((owner)->path), &(owner)->length, __VA_ARGS__)
#define TRAIL_LEAVE(owner, before) trail_leave((owner)->path, &(owner)->length, (before))

size_t trail_enter(char *path, size_t size, size_t *length, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void trail_leave(char *path, size_t *length, size_t before);
