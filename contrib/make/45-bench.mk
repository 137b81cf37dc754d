# Measurements; never part of `make check`.

bench: ## measure beside containerd, runc and kubelet (BENCH='cycle log' for some; RESULTS=FILE for tests/bench/plot)
	$(install_packages) build bench
	$(build_peers) crictl critest etcd http-peer kinds kube-apiserver kube-controller-manager kube-print kube-scheduler kubectl kubelet
	@$(MAKE) programs $(HTTP_PROGRAMS) $(BUILD)/tests/bench/codec_bench $(addprefix $(BUILD)/tests/bench/,api_load cluster_agents tls_floor)
	/usr/bin/python3 tests/bench/run $(BENCH)

$(BUILD)/tests/bench/codec_bench: $(BUILD)/tests/bench/codec_bench.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@

$(BUILD)/tests/bench/services_bench: $(BUILD)/tests/bench/services_bench.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -lcmocka -o $@

$(BUILD)/tests/bench/cluster_agents: $(BUILD)/tests/bench/cluster_agents.o $(ARCHIVES)
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@

API_LOAD := $(addprefix $(BUILD)/tests/bench/,api_load.o api_load_ask.o api_load_watch.o api_load_parts.o)

$(BUILD)/tests/bench/api_load: $(API_LOAD) $(BUILD)/lib.a
	$(CC) $(CFLAGS) $(LDHARDEN) $^ $(LIBS) -o $@

$(BUILD)/tests/bench/tls_floor: $(BUILD)/tests/bench/tls_floor.o
	$(CC) $(CFLAGS) $(LDHARDEN) $^ -lssl -lcrypto -o $@

.PHONY: bench
