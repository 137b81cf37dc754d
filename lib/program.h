/* Another program, run to its end: its input given whole, what it writes and how long it takes bounded.
 *
 * It runs in a process group of its own, with the signals' defaults; when it is killed, so is what it has started.
 * Descriptors must be close-on-exec, as all of ours are. Blocks: for the pool, or for programs without a loop. Safe for
 * several threads.
 */
#pragma once

#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

struct program_call {
        const char *path;             /* absolute */
        const char *const *arguments; /* NULL-ended; the first is the program's name */
        char *const *environment;     /* NULL-ended; NULL: ours */
        const char *input;
        size_t n_input;
        size_t output_max; /* bytes of each output; more is cut */
        int timeout_ms;
        int cancel_fd; /* ends the program when it becomes readable; negative: none */
};

struct program_output {
        char *text; /* with a NUL behind; NULL: it wrote nothing */
        size_t length;
        bool cut; /* it wrote more */
};

struct program_result {
        struct program_output out, error;
        int status; /* as waitpid(2) has it */
};

/* Only starts one: in a process group of its own, so that whoever ends it can end what it has started too, and with the
 * signals' defaults. @environment NULL: ours. */
int program_spawn(const char *path, char *const *arguments, char *const *environment,
                  const posix_spawn_file_actions_t *actions, pid_t *ret_pid, struct err **err);

/* Returns 0 when the program ended, however; -ETIMEDOUT or -ECANCELED when it was killed; else the errno of starting
 * it. Clear the result in each case. */
int program_run(const struct program_call *call, struct program_result *ret_result, struct err **err);

/* The error of a program that did not end with exit code 0, with what it @says of it ("": nothing). Returns -@code. */
int program_failed(const struct program_result *result, const char *says, int code, struct err **err);

/* Frees the texts, and wipes them: they may hold secrets. */
void program_result_clear(struct program_result *result);
#define _cleanup_program_ __attribute__((cleanup(program_result_clear)))

/* What the program wrote for people, as one line of at most @max bytes; never NULL. Changes the text. */
const char *program_complaint(struct program_output *output, size_t max);
