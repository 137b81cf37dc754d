/* Where a shim's records are. Each page counts, since there is a shim for each pod: what most pods have has its place
 * beside the shim's other state, and only what is more has pages of its own, or is on the heap, which takes two pages
 * for its first object. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/shim/shim.h"

#define PAGE ((uintptr_t)4096)        /* at least */
#define STACK_DEEP ((uintptr_t)65536) /* what requests use of it at most */
#define STACK_CALL ((uintptr_t)1024)  /* what the system call here uses */

static struct {
        struct container container;
        bool container_taken;
        struct connection connections[SHIM_CONNECTIONS_OWN]; /* without a shim: free */
} own;

struct container *shim_container_alloc(void) {
        if (own.container_taken)
                return shim_map(sizeof(struct container));
        own.container_taken = true;
        memset(&own.container, 0, sizeof(own.container));
        return &own.container;
}

void shim_container_discard(struct container *container) {
        if (container == &own.container)
                own.container_taken = false;
        else
                shim_unmap(container, sizeof(*container));
}

struct connection *shim_connection_alloc(struct shim *shim) {
        struct connection *connection = NULL;

        for (unsigned i = 0; !connection && i < SHIM_CONNECTIONS_OWN; i++)
                connection = own.connections[i].shim ? NULL : &own.connections[i];
        if (!connection)
                connection = malloc(sizeof(*connection));
        if (connection)
                *connection = (struct connection){ .shim = shim };
        return connection;
}

void shim_connection_discard(struct connection *connection) {
        if (connection >= own.connections && connection < own.connections + SHIM_CONNECTIONS_OWN)
                connection->shim = NULL;
        else
                free(connection);
}

void shim_stack_release(void) {
        uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - STACK_CALL) & ~(PAGE - 1);

        madvise((void *)(end - STACK_DEEP), STACK_DEEP, MADV_DONTNEED);
}
