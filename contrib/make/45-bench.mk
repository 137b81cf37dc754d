# Measurements; never part of `make check`.

bench: programs ## measure beside containerd, runc and kubelet (BENCH='cycle log' for some; RESULTS=FILE for tests/bench/plot)
	@contrib/install-packages build bench
	@tests/peers/build $(PEERS) crictl critest kubelet
	/usr/bin/python3 tests/bench/run $(BENCH)

.PHONY: bench
