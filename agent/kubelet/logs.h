/* A container's log on its way to a client. */
#pragma once

struct kubelet;
struct kubelet_log_options;
struct kubelet_request;

/* Sends the log of container @id ("nacelle://ID"), or says why not. */
void kubelet_log_start(struct kubelet_request *q, const struct kubelet_log_options *options, const char *id);

/* There may be more in logs of the directory watched as @wd; KUBELET_LOGS_ALL: of any. */
#define KUBELET_LOGS_ALL (-1)
void kubelet_logs_changed(struct kubelet *kubelet, int wd);

/* log_watch.c. Has kubelet_logs_changed() called when something happens in the directory of the file @log; the
 * directory's number, the same each time until it is removed, or a negative errno. */
int kubelet_log_watch_add(struct kubelet *kubelet, const char *log);
void kubelet_log_watch_remove(struct kubelet *kubelet, int wd);
void kubelet_log_watch_free(struct kubelet *kubelet);

/* 400, as kubelet, which has begun to answer by then: without a type. */
void kubelet_log_refuse(struct kubelet_request *q, const char *format, ...) __attribute__((format(printf, 2, 3)));
