# nacelle-image: the images/worker folder with libcurl, zstd and ISA-L, which the agent does without.

IMAGE_WORKER := $(BUILD)/images/worker.a
IMAGE_WORKER_PACKAGES := libcurl libzstd libisal openssl yajl yaml-0.1
IMAGE_WORKER_LIBS = $(shell pkg-config --libs $(IMAGE_WORKER_PACKAGES)) -lpthread

$(IMAGE_WORKER): $(call objects,$(call folder_sources,images/worker))
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^

ifneq ($(wildcard images/worker/main.c),)
PROGRAMS += $(BUILD)/nacelle-image
$(BUILD)/nacelle-image: $(BUILD)/images/worker/main.o $(IMAGE_WORKER) $(BUILD)/images.a $(BUILD)/lib.a
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(IMAGE_WORKER_LIBS) -luv -o $@
endif

# Unit tests of the worker are linked with it: their files' names begin with worker_.
$(BUILD)/tests/unit/images/worker_%_test: $(BUILD)/tests/unit/images/worker_%_test.o $(IMAGE_WORKER) $(BUILD)/images.a \
                                          $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(IMAGE_WORKER_LIBS) -luv -lcmocka -o $@

# Fuzz targets of the worker likewise.
$(BUILD)/fuzz/image_worker_%: $(BUILD)/tests/fuzz/image_worker_%_fuzz.o $(IMAGE_WORKER) $(BUILD)/images.a $(BUILD)/lib.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDHARDEN) $^ $(IMAGE_WORKER_LIBS) -luv -o $@
