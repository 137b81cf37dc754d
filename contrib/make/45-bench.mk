# Measurements; never part of `make check`.

bench: ## measure beside containerd, runc and kubelet (BENCH='cycle log' for some; RESULTS=FILE for tests/bench/plot)
	$(install_packages) build bench
	$(build_peers) crictl critest http-peer kinds kube-print kubelet
	@$(MAKE) programs $(HTTP_PROGRAMS) $(BUILD)/tests/bench/codec_bench
	/usr/bin/python3 tests/bench/run $(BENCH)

$(BUILD)/tests/bench/codec_bench: $(BUILD)/tests/bench/codec_bench.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@

.PHONY: bench
