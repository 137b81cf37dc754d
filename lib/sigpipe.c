#include "lib/sigpipe.h"

#include <signal.h>

static void do_nothing(int signal_number) {
}

void sigpipe_survive(void) {
        struct sigaction action;

        if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
                return;
        action = (struct sigaction){ .sa_handler = do_nothing, .sa_flags = SA_RESTART };
        sigaction(SIGPIPE, &action, NULL);
}
