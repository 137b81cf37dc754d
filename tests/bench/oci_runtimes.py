"""`run` of a container that ends at once, and the smallest memory limit that one starts with: nacelle-oci beside runc here, and beside
crun too in the machine with cgroup v2 (crun refuses a hybrid one)."""
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from bundle import bundle_config, small_program

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(TOP, os.environ.get("BUILD", "build"), "nacelle-oci")
KIB = [4096, 3072, 2048, 1024, 768, 512, 384, 256, 192, 128, 96, 64]


def spawn(program, directory, name):
    begin = time.perf_counter()
    pid = os.posix_spawn(program, [program, "--root", directory + "/state", "run", "-b", directory, name], os.environ)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), (time.perf_counter() - begin) * 1000


def smallest(program, directory, write):
    least = None
    for kib in KIB:
        write(kib * 1024)
        null = os.open("/dev/null", os.O_WRONLY)
        error, ok = os.dup(2), 0
        os.dup2(null, 2)
        try:
            ok = sum(spawn(program, directory, f"m{kib}-{i}")[0] == 0 for i in range(5))
        finally:
            os.dup2(error, 2), os.close(error), os.close(null)
        if ok < 5:
            break
        least = kib
    return least


def bench_here(row, samples):
    # The state where it is on every machine with systemd: in memory.
    directory = tempfile.mkdtemp(prefix="nacelle-bench-oci-", dir="/dev/shm")
    try:
        for name in ("dev", "proc", "sys"):
            os.makedirs(f"{directory}/rootfs/{name}")
        small_program(directory + "/rootfs/small")

        def write(limit=None):
            with open(directory + "/config.json", "w") as f:
                json.dump(bundle_config(["/small"], limit), f)
        write()
        programs = {"ours": PROGRAM, "runc": shutil.which("runc")}
        times = {name: [] for name in programs}
        for i in range(samples):
            for name, program in programs.items():
                code, took = spawn(program, directory, f"{name}{i}")
                assert code == 0, name
                times[name].append(took)
        row("OCI `run` of a program that ends, beside runc", statistics.median(times["runc"]), statistics.median(times["ours"]), "ms", "≥ 7")
        row("smallest memory limit that a static program starts with, beside runc", *(smallest(programs[n], directory, write) for n in ("runc", "ours")),
            "KiB", "128 KiB")
    finally:
        shutil.rmtree(directory)


def bench_machine(row):
    done = subprocess.run([TOP + "/tests/vm/run", "oci"], capture_output=True, text=True)
    figures = {(name, what): float(value) for name, what, value in re.findall(r"figure (\S+) (\S+) ([0-9.]+)", done.stdout)}
    for peer, wanted in (("crun", "≥ 3"), ("runc", "")):
        if (peer, "ms") in figures:
            row(f"the same in the cgroup v2 machine, beside {peer}", figures[peer, "ms"], figures["nacelle-oci", "ms"], "ms", wanted)
            row(f"smallest memory limit there, beside {peer}", figures[peer, "KiB"] or None, figures["nacelle-oci", "KiB"], "KiB", "128 KiB")


def bench_oci(row, samples):
    bench_here(row, samples)
    bench_machine(row)
