/* The lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
#pragma once

#include <stdbool.h>

/* Texts lie in the text that is read. */
struct mountinfo {
        int id, parent;
        const char *device; /* "8:1" */
        char *root;         /* in its file system */
        char *path;         /* where it is mounted */
        const char *type;
        bool shared, slave; /* its propagation */
};

/* Reads the next line of *@text, which is cut up, and steps behind it. False at the end; a line that is none is passed
 * over. */
bool mountinfo_next(char **text, struct mountinfo *ret_mount);
