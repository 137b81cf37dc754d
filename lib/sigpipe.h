/* Writing to a peer that went away: an error instead of a death. */
#pragma once

/* Has writes to closed pipes and sockets fail with EPIPE in the whole process. A handler that does nothing is used
 * rather than SIG_IGN, because exec(2) resets handlers: what this process starts gets the default again. Call it as
 * often as wanted; a disposition that somebody set is left alone. */
void sigpipe_survive(void);
