"""Programs that run beside each other, each ready before the next is started; the last one started ends first."""
import ssl
import subprocess
import urllib.error
import urllib.request

from support.node import wait_for

SECONDS_TO_START = 120
SECONDS_TO_END = 30


def answers(url):
    """Whether a health check says yes."""
    try:
        return urllib.request.urlopen(url, timeout=2, context=ssl._create_unverified_context()).status == 200
    except (urllib.error.HTTPError, OSError):
        return False


class Daemons:
    """`directory` gets a log of each. `inside`: what begins the commands that start them."""

    def __init__(self, directory, inside=()):
        self.directory, self.inside, self.running = directory, list(inside), []

    def start(self, program, arguments, health):
        name = program.rsplit("/", 1)[1]
        log = f"{self.directory}/{name}.log"
        with open(log, "wb") as f:
            process = subprocess.Popen([*self.inside, program, *arguments], stdin=subprocess.DEVNULL, stdout=f, stderr=f, cwd=self.directory)
        self.running.append((name, process))

        def ready():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}:\n{open(log, errors='replace').read()[-3000:]}")
            return answers(health)
        wait_for(f"healthy {name}, see {log},", ready, timeout=SECONDS_TO_START, interval=0.1)

    def stop(self):
        for name, process in reversed(self.running):
            process.terminate()
            try:
                process.wait(timeout=SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                print(f"{name} did not end within {SECONDS_TO_END} s")
        self.running = []
