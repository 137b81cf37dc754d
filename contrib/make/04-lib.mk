# The messages to a collector of traces.

ARCHIVE_EXTRA_lib := $(BUILD)/gen/lib/otlp.pb-c.o

$(BUILD)/lib/span.o $(BUILD)/lib/tracer.o: | $(BUILD)/gen/lib/otlp.pb-c.h
$(BUILD)/tests/unit/lib/span_test.o: | $(BUILD)/gen/lib/otlp.pb-c.h
