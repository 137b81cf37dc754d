/* What an image's name says without asking a registry. */
#pragma once

#include <stdbool.h>

/* True when @image has the tag "latest", written or implied; false for another tag or a digest. The port of a
 * registry's host is no tag: "host:5000/app" is latest. */
bool image_name_is_latest(const char *image);
