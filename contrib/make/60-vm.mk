# The test in a virtual machine with pure cgroup v2 (PART='unit pods again' for some of its parts).

VM_UNITS := bpf/devices_test cgroups/text_test cgroups/tree_test logs/writer_test logs/reader_test

vm-build: programs $(VM_UNITS:%=$(BUILD)/tests/unit/%)

vm: ## boot a cgroup v2 machine, run pods in it, cut its power, look again
	$(install_packages) build vm
	$(build_peers) kubelet
	@$(MAKE) vm-build
	tests/vm/run $(PART)

soak-power: ## cut the power of that machine 1,000 times (takes about two hours)
	@CUTS=1000 $(MAKE) vm PART='pods cuts'

vm-cluster: ## boot Debian with systemd and OpenRC, make a cluster of its packages, upgrade it, cut its power (PART='clock' for some, CUTS=20; takes half an hour)
	$(install_packages) build vm deb
	$(build_peers) kubectl
	@$(MAKE) programs
	tests/vm/cluster $(PART)

.PHONY: vm vm-build vm-cluster soak-power
