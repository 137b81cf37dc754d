/* Signals as CRI and images name them. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cri/container/process.h"

/* In the order of CRI's enum; those of one number have the usual name first. */
static const struct {
        Cri__Signal cri;
        int number;
} signals[] = {
        { CRI__SIGNAL__SIGABRT, SIGABRT },     { CRI__SIGNAL__SIGALRM, SIGALRM },     { CRI__SIGNAL__SIGBUS, SIGBUS },
        { CRI__SIGNAL__SIGCHLD, SIGCHLD },     { CRI__SIGNAL__SIGCLD, SIGCHLD },      { CRI__SIGNAL__SIGCONT, SIGCONT },
        { CRI__SIGNAL__SIGFPE, SIGFPE },       { CRI__SIGNAL__SIGHUP, SIGHUP },       { CRI__SIGNAL__SIGILL, SIGILL },
        { CRI__SIGNAL__SIGINT, SIGINT },       { CRI__SIGNAL__SIGIO, SIGIO },         { CRI__SIGNAL__SIGIOT, SIGABRT },
        { CRI__SIGNAL__SIGKILL, SIGKILL },     { CRI__SIGNAL__SIGPIPE, SIGPIPE },     { CRI__SIGNAL__SIGPOLL, SIGIO },
        { CRI__SIGNAL__SIGPROF, SIGPROF },     { CRI__SIGNAL__SIGPWR, SIGPWR },       { CRI__SIGNAL__SIGQUIT, SIGQUIT },
        { CRI__SIGNAL__SIGSEGV, SIGSEGV },     { CRI__SIGNAL__SIGSTKFLT, SIGSTKFLT }, { CRI__SIGNAL__SIGSTOP, SIGSTOP },
        { CRI__SIGNAL__SIGSYS, SIGSYS },       { CRI__SIGNAL__SIGTERM, SIGTERM },     { CRI__SIGNAL__SIGTRAP, SIGTRAP },
        { CRI__SIGNAL__SIGTSTP, SIGTSTP },     { CRI__SIGNAL__SIGTTIN, SIGTTIN },     { CRI__SIGNAL__SIGTTOU, SIGTTOU },
        { CRI__SIGNAL__SIGURG, SIGURG },       { CRI__SIGNAL__SIGUSR1, SIGUSR1 },     { CRI__SIGNAL__SIGUSR2, SIGUSR2 },
        { CRI__SIGNAL__SIGVTALRM, SIGVTALRM }, { CRI__SIGNAL__SIGWINCH, SIGWINCH },   { CRI__SIGNAL__SIGXCPU, SIGXCPU },
        { CRI__SIGNAL__SIGXFSZ, SIGXFSZ },
};

/* The kernel's real-time signals as containers count them: 34 to 64, whatever libc keeps for itself. */
#define REALTIME_FIRST 34
#define REALTIME_LAST 64

int signal_of_cri(Cri__Signal signal) {
        if (signal >= CRI__SIGNAL__SIGRTMIN && signal <= CRI__SIGNAL__SIGRTMAX)
                return REALTIME_FIRST + (signal - CRI__SIGNAL__SIGRTMIN);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                if (signals[i].cri == signal)
                        return signals[i].number;
        return 0;
}

Cri__Signal signal_to_cri(int signal) {
        if (signal >= REALTIME_FIRST && signal <= REALTIME_LAST)
                return CRI__SIGNAL__SIGRTMIN + (Cri__Signal)(signal - REALTIME_FIRST);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                if (signals[i].number == signal)
                        return signals[i].cri;
        return CRI__SIGNAL__RUNTIME_DEFAULT;
}

int signal_of_text(const char *text) {
        const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
        char full[32], *end;
        long number = strtol(text, &end, 10);

        if (end != text && !*end)
                return number > 0 && number <= REALTIME_LAST ? (int)number : -EINVAL;
        if (strncasecmp(name, "RTMIN+", 6) == 0 || strncasecmp(name, "RTMAX-", 6) == 0) {
                number = strtol(name + 6, &end, 10);
                number = strncasecmp(name, "RTMIN+", 6) == 0 ? REALTIME_FIRST + number : REALTIME_LAST - number;
                return !*end && number >= REALTIME_FIRST && number <= REALTIME_LAST ? (int)number : -EINVAL;
        }
        if (strcasecmp(name, "RTMIN") == 0 || strcasecmp(name, "RTMAX") == 0)
                return strcasecmp(name, "RTMIN") == 0 ? REALTIME_FIRST : REALTIME_LAST;
        snprintf(full, sizeof(full), "SIG%s", name);
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                const ProtobufCEnumValue *value =
                        protobuf_c_enum_descriptor_get_value(&cri__signal__descriptor, (int)signals[i].cri);

                if (value && strcasecmp(value->name, full) == 0)
                        return signals[i].number;
        }
        return -EINVAL;
}
