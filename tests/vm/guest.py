"""A machine whose console is a shell (tests/vm/shell): commands go in, output and status come back."""
import base64
import collections
import os
import queue
import re
import subprocess
import threading
import time

import machine

Done = collections.namedtuple("Done", "status output")
BOOT_SECONDS = 400  # until the shell is there; an emulated machine beside seven others takes its time
PATIENCE = 300  # for a command


class Gone(Exception):
    """The machine has ended, or does not answer."""


class Guest:
    """One boot of `disk`. `words` go to the kernel's command line."""

    def __init__(self, vmlinuz, disk, console, port, init="/sbin/init", **words):
        self.machine = machine.Machine(vmlinuz, disk, console, port, init=init, talks=True, **words)
        self.process, self.number, self.lines = self.machine.process, 0, queue.Queue()
        self.reader = threading.Thread(target=self.read, args=(console,), daemon=True)
        self.reader.start()
        try:
            self.wait(r"vm: shell", BOOT_SECONDS)
        except Gone:
            self.cut_power()
            raise

    def read(self, console):
        with open(console, "ab") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                self.lines.put(line.decode(errors="replace").strip())
        self.lines.put(None)

    def wait(self, pattern, seconds):
        """The match of the first line from here on, and the line before it."""
        deadline, before = time.monotonic() + seconds, ""
        while True:
            try:
                line = self.lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise Gone(f"no {pattern} within {seconds} s") from None
            if line is None:
                raise Gone(f"the machine has ended before {pattern}")
            match = re.search(pattern, line)
            if match:
                return match, before
            before = line or before

    def ask(self, command, seconds=PATIENCE):
        self.number += 1
        self.process.stdin.write(f"{self.number} {base64.b64encode(command.encode()).decode()}\n".encode())
        self.process.stdin.flush()
        match, before = self.wait(rf"vm: end {self.number} (\d+)", seconds)
        return Done(int(match[1]), base64.b64decode(before).decode(errors="replace").strip())

    def run(self, command, seconds=PATIENCE):
        """Its output; what fails is the test's failure."""
        done = self.ask(command, seconds)
        assert done.status == 0, f"{command}: {done.status}: {done.output[-2000:]}"
        return done.output

    def until(self, command, seconds=120):
        """Whether it succeeds in time."""
        deadline = time.monotonic() + seconds
        while self.ask(command).status != 0:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def cut_power(self):
        self.machine.cut_power()
        self.reader.join()

    def ends(self, seconds):
        """Whether it ends by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self.reader.join()
        return True


def start(vmlinuz, disk, console, next_port, **words):
    """A kernel that says nothing, which an emulated one does now and then, is started again."""
    for attempt in range(3):
        try:
            return Guest(vmlinuz, disk, console, next_port(), **words)
        except Gone as e:
            print(f"the machine's shell does not come ({e}); again", flush=True)
    raise Gone(f"no boot of {os.path.basename(disk)}")
