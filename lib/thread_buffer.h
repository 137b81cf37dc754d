/* A buffer of the calling thread, for bytes that pass through: made when the thread first asks, freed with it. */
#pragma once

#include <pthread.h>
#include <stddef.h>

/* One for each use; static. A use holds the buffer within one call only. */
struct thread_buffer {
        size_t size;
        pthread_once_t once;
        pthread_key_t key;
};

#define THREAD_BUFFER(size)                                                                                            \
        { (size), PTHREAD_ONCE_INIT, 0 }

/* @buffer->size bytes, the same ones each time; NULL without memory. */
void *thread_buffer(struct thread_buffer *buffer);
