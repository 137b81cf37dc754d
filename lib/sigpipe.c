#include "lib/sigpipe.h"

#include <pthread.h>
#include <signal.h>

static void do_nothing(int signal_number) {
}

static void survive(void) {
        struct sigaction action;

        if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
                return;
        action = (struct sigaction){ .sa_handler = do_nothing, .sa_flags = SA_RESTART };
        sigaction(SIGPIPE, &action, NULL);
}

/* Streams ask for it each time that they begin. */
void sigpipe_survive(void) {
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, survive);
}
