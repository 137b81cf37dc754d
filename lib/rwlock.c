#include "lib/rwlock.h"

void rwlock_init(pthread_rwlock_t *lock) {
        pthread_rwlockattr_t writers_first;

        pthread_rwlockattr_init(&writers_first);
        pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
        pthread_rwlock_init(lock, &writers_first);
        pthread_rwlockattr_destroy(&writers_first);
}
