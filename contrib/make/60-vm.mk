# The test in a virtual machine with pure cgroup v2 (PART='unit pods again' for some of its parts).

VM_UNITS := cgroups/text_test cgroups/tree_test logs/writer_test logs/reader_test

vm: programs $(VM_UNITS:%=$(BUILD)/tests/unit/%) ## boot a cgroup v2 machine, run pods in it, cut its power, look again
	tests/vm/run $(PART)

soak-power: programs $(VM_UNITS:%=$(BUILD)/tests/unit/%) ## cut the power of that machine 1,000 times (takes about two hours)
	CUTS=1000 tests/vm/run pods cuts

.PHONY: vm soak-power
