/* The span of a call of CRI, as OpenTelemetry's conventions for gRPC name and fill it. */
#pragma once

#include "cri/call/call.h"
#include "lib/trace/span.h"

/* NULL when it is not to be traced. */
struct span *trace_begin(struct cri *cri, enum cri_method method, enum span_kind kind,
                         const struct trace_parent *parent);

/* Ends it with the call's answer; @call says what it was about, NULL: nothing. */
void trace_end(struct span *span, enum cri_method method, const struct cri_call *call, const struct err *err);
