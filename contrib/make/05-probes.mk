# The messages of the gRPC health check.

ARCHIVE_EXTRA_probes := $(BUILD)/gen/probes/health.pb-c.o

$(BUILD)/gen/probes/health.pb-c.c $(BUILD)/gen/probes/health.pb-c.h &: probes/health.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --c_out=$(BUILD)/gen probes/health.proto

$(BUILD)/probes/grpc.o: | $(BUILD)/gen/probes/health.pb-c.h
