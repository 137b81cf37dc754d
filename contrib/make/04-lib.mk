# The messages to a collector of traces.

ARCHIVE_EXTRA_lib := $(BUILD)/gen/lib/trace/otlp.pb-c.o

$(BUILD)/lib/trace/span.o $(BUILD)/lib/trace/tracer.o: | $(BUILD)/gen/lib/trace/otlp.pb-c.h
$(BUILD)/tests/unit/lib/span_test.o: | $(BUILD)/gen/lib/trace/otlp.pb-c.h
