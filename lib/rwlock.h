/* Locks that many read and one changes. */
#pragma once

#include <pthread.h>

/* A lock whose next reader waits for a writer that waits: readers that follow one another without a pause, or that are
 * not run while they hold it, would keep changes out for as long as they like. So no thread may read-lock it twice. */
void rwlock_init(pthread_rwlock_t *lock);
