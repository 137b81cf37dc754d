# Measurements; never part of `make check`.

bench: ## measure beside containerd, runc and kubelet (BENCH='cycle log' for some; RESULTS=FILE for tests/bench/plot)
	$(install_packages) build bench
	$(build_peers) crictl critest http-peer kubelet
	@$(MAKE) programs $(HTTP_PROGRAMS)
	/usr/bin/python3 tests/bench/run $(BENCH)

.PHONY: bench
