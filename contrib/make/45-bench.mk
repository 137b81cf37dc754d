# Measurements; never part of `make check`.

bench: programs ## measure beside containerd and runc (BENCH='cycle log' for some)
	@contrib/install-packages build bench
	@tests/peers/build $(PEERS) crictl critest
	/usr/bin/python3 tests/bench/run $(BENCH)

.PHONY: bench
