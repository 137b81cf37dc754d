"""kubectl's command lines as a table, and what each is to say.

    WORDS => PATTERN     it succeeds, and what it says on both streams has PATTERN, a regular expression; without one: whatever that is
    WORDS ~> PATTERN     it is asked again until it does
    !WORDS => PATTERN    it fails
    WORDS =/> PATTERN    it succeeds, and does not say that
    new: before all that   for today's kubectl alone, which a kubectl of 1.20 does not have; old: for the latter alone

$NAME is what the Kubectl has by that name, <NAME a text of its files as input, @NAME the path of one.
"""
import os
import re
import shlex
import string
import subprocess
import time

from .api import PEERS

PATIENCE = 30  # s for what is asked again


class Kubectl:
    def __init__(self, program, kubeconfig, directory, namespace, files=(), home=None):
        self.program, self.directory, self.namespace, self.names = program, str(directory), namespace, {"ns": namespace}
        self.old = program != "kubectl"
        # what it learns of the service stays in its home; it ends long before there is garbage to collect
        self.env = dict(os.environ, KUBECONFIG=kubeconfig, HOME=str(home or self.directory), TMPDIR=self.directory, GOGC="off")
        self.files = dict(files)
        for name, text in self.files.items():
            with open(f"{self.directory}/{name}", "w") as f:
                f.write(text)

    def command(self, *words):
        return [f"{PEERS}/{self.program}", "--namespace", self.namespace, *words]

    def run(self, *words, **how):
        return subprocess.run(self.command(*words), **{**dict(env=self.env, cwd=self.directory, capture_output=True, text=True, timeout=90), **how})

    def start(self, *words, **how):
        return subprocess.Popen(self.command(*words), **{**dict(env=self.env, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), **how})

    def __call__(self, line):
        """What a line of words says, which has to succeed."""
        done = self.run(*shlex.split(self.fill(line)))
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    def fill(self, text):
        return string.Template(text).safe_substitute(self.names)

    def say(self, line):
        """Its exit code, and all that it said."""
        words, given = shlex.split(self.fill(line)), None
        if words[-1].startswith("<"):
            given = self.files[words.pop()[1:]]
        done = self.run(*[f"{self.directory}/{w[1:]}" if w.startswith("@") else w for w in words], input=given)
        return done.returncode, done.stdout + done.stderr

    def follow(self, script):
        for line in filter(None, map(str.strip, script.strip().splitlines())):
            if not line.startswith("#"):
                self.step(line)

    def step(self, line):
        if line.startswith(("new:", "old:")):
            if self.old != line.startswith("old:"):
                return
            line = line[4:].strip()
        words, how, pattern = re.fullmatch(r"(.*?)(?:\s+(=>|~>|=/>)\s*(.*))?", line).groups()
        fails, words = words.startswith("!"), words.lstrip("!")
        pattern, end = self.fill(pattern or ""), time.monotonic() + (PATIENCE if how == "~>" else 0)
        while True:
            code, said = self.say(words)
            if (code != 0) == fails and bool(re.search(pattern, said, re.M)) == (how != "=/>"):
                return
            assert time.monotonic() < end, f"{self.program} {self.fill(words)}: exit code {code}, and said:\n{said}\nwanted: {pattern}"
            time.sleep(0.1)
