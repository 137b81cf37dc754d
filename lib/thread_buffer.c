#include "lib/thread_buffer.h"

#include <stdlib.h>

/* pthread_once() hands nothing over. */
static _Thread_local struct thread_buffer *making;

static void make_key(void) {
        if (pthread_key_create(&making->key, free) != 0)
                abort(); /* of a thousand keys, each use takes one: it cannot come to this */
}

void *thread_buffer(struct thread_buffer *buffer) {
        void *memory;

        making = buffer;
        pthread_once(&buffer->once, make_key);
        memory = pthread_getspecific(buffer->key);
        if (memory)
                return memory;
        memory = malloc(buffer->size);
        if (memory && pthread_setspecific(buffer->key, memory) != 0) {
                free(memory);
                return NULL;
        }
        return memory;
}
