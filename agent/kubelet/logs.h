/* A container's log on its way to a client. */
#pragma once

struct kubelet_log_options;
struct kubelet_request;

/* Sends the log of container @id ("nacelle://ID"), or says why not. */
void kubelet_log_start(struct kubelet_request *q, const struct kubelet_log_options *options, const char *id);

/* 400, as kubelet, which has begun to answer by then: without a type. */
void kubelet_log_refuse(struct kubelet_request *q, const char *format, ...) __attribute__((format(printf, 2, 3)));
