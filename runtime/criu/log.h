/* Why criu could not: out of its answer and its log. */
#pragma once

struct criu_request;
struct err;

#define CRIU_LOG_LINES 3 /* of the log in an error */

/* Sets the error to the program's name and version, what it was to do, and the errors that its log ends with (the last
 * lines, where there are none); without a log @answer, @number and @status, a wait(2) status, have to do. Returns
 * -EBUSY. */
int criu_log_error(const struct criu_request *request, const char *answer, int number, int status, struct err **err);
