/* systemd's journal by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of fields for each message.
 *
 * Beside MESSAGE, PRIORITY and SYSLOG_IDENTIFIER go the fields that the text itself names, as all our messages begin:
 * "pod NAMESPACE/NAME: container NAME: ..." gives POD_NAMESPACE, POD_NAME and CONTAINER_NAME, "container ID: ..." and
 * "sandbox ID: ..." give CONTAINER_ID and POD_SANDBOX_ID. So `journalctl POD_NAME=web` shows what happened to a pod.
 */
#pragma once

#include <stdbool.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_FIELD_MAX 256 /* bytes of a field taken from a text; a longer one is left out */

/* Whether standard error is the journal's stream, as JOURNAL_STREAM=DEVICE:INODE says. */
bool journal_is_stderr(void);

/* A socket connected to the journal's at @path; or a negative errno. */
int journal_open(const char *path);

/* Sends one message; 0 or a negative errno. Does not wait. */
int journal_send(int fd, const char *program, int priority, const char *text);
