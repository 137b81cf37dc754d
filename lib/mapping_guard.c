#include "lib/mapping_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static _Thread_local bool guarded;
static struct sigaction before;
static uintptr_t page_size;

/* What is not to be helped is done again when this returns, and meets who was there before. */
static void on_bus_error(int number, siginfo_t *info, void *context) {
        int error = errno;
        void *page = (void *)((uintptr_t)info->si_addr & ~(page_size - 1));

        (void)number;
        (void)context;
        if (!guarded || info->si_code != BUS_ADRERR ||
            mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
                sigaction(SIGBUS, &before, NULL);
        errno = error;
}

static void install(void) {
        struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART };

        page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
        sigaction(SIGBUS, &action, &before);
}

/* A signal that is blocked cannot be caught, even when the thread itself has made it. */
void mapping_guard_enter(struct mapping_guard *guard) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        sigset_t bus;

        pthread_once(&once, install);
        sigemptyset(&bus);
        sigaddset(&bus, SIGBUS);
        pthread_sigmask(SIG_UNBLOCK, &bus, &guard->before);
        guard->outer = guarded;
        guarded = true;
}

void mapping_guard_leave(struct mapping_guard *guard) {
        guarded = guard->outer;
        pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}
