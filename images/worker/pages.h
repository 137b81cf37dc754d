/* Memory for data on its way, in huge pages where the kernel has some: what is copied, hashed and written past the page
 * cache then takes one step for each of them, not 512. */
#pragma once

#include <stddef.h>

#define HUGE_PAGE ((size_t)2 << 20)

/* @size is a multiple of HUGE_PAGE. free() it. Returns NULL without memory. */
void *huge_pages(size_t size);
