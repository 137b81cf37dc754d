#include "images/worker/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

void *huge_pages(size_t size) {
        void *memory = aligned_alloc(HUGE_PAGE, size);

        if (memory)
                madvise(memory, size, MADV_HUGEPAGE); /* refused: ordinary pages do as well */
        return memory;
}
