"""exec, attach and port-forward with the real crictl over SPDY and WebSocket, and with our own command over WebSocket."""
import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import urllib.request

import pytest

from support.node import BUILD, PEERS, free_port, pod, wait_for


@pytest.fixture
def shell(node):
    node.write("s.yaml", pod("s", {"command": ["sh", "-c", "while true; do echo tick; sleep 0.2; done"]},
                             {"name": "tty", "command": ["sh"], "stdin": True, "tty": True},
                             {"name": "once", "command": ["cat"], "stdin": True, "stdinOnce": True},
                             {"name": "web", "command": ["sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]}))
    node.running("web")
    return node


def client(node, name):
    """The command line of a client, up to its verb, and the options of exec that choose the protocol."""
    if name == "nacelle":
        return [BUILD + "/nacelle", "-r", "unix://" + node.socket], []
    return [PEERS + "/crictl", "-r", "unix://" + node.socket], ["--transport", name]


CLIENTS = ["spdy", "websocket", "nacelle"]


def run(node, name, verb, *args, **kwargs):
    command, options = client(node, name)
    return subprocess.run([*command, verb, *options, *args], capture_output=True, timeout=60, **kwargs)


@pytest.mark.parametrize("name", CLIENTS)
def test_exec(shell, name):
    c = shell.running("main")["id"]
    done = run(shell, name, "exec", c, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert done.stdout == b"out\n" and b"err\n" in done.stderr
    assert done.returncode == 7 or b"exit code 7" in done.stderr
    done = run(shell, name, "exec", "-i", c, "cat", input=b"to and fro")
    assert done.stdout == b"to and fro" and done.returncode == 0
    assert run(shell, name, "exec", c, "/no/such/command").returncode != 0


@pytest.mark.parametrize("name", CLIENTS)
def test_much_data_both_ways(shell, name):
    c = shell.running("main")["id"]
    data = os.urandom(8 << 20)
    assert run(shell, name, "exec", "-i", c, "cat", input=data).stdout == data


@pytest.mark.parametrize("kind", ["file", "nothing", "terminal"])
def test_input_of_every_kind(shell, tmp_path, kind):
    """What cannot be waited for is read all the same; and whoever else holds it finds it as it was, waiting for its reads."""
    c = shell.running("main")["id"]
    command, _ = client(shell, "nacelle")
    (tmp_path / "file").write_bytes(os.urandom(3 << 20))
    master, slave = pty.openpty()
    try:
        stdin = open({"file": tmp_path / "file", "nothing": os.devnull, "terminal": os.ttyname(slave)}[kind], "r+b", buffering=0)
        os.write(master, b"typed\n\4")
        flags = fcntl.fcntl(stdin, fcntl.F_GETFL)
        with stdin:
            done = subprocess.run([*command, "exec", "-i", c, "wc", "-c"], stdin=stdin, capture_output=True, timeout=30)
            assert fcntl.fcntl(stdin, fcntl.F_GETFL) == flags
        assert (done.returncode, int(done.stdout)) == (0, {"file": 3 << 20, "nothing": 0, "terminal": 6}[kind])
    finally:
        os.close(master)
        os.close(slave)


class Terminal:
    """A client on a terminal of its own."""

    def __init__(self, command, rows=33, columns=101):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self.fd = 0
            self.resize(rows, columns)  # before the client looks
            os.execvp(command[0], command)
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until_size(self, text):
        """Sizes go by a stream of their own, beside what is typed."""
        wait_for("size " + text, lambda: self.type(b"stty size\n") or time.sleep(0.1) or text.encode() in self.read())

    def type(self, text):
        os.write(self.fd, text)

    def read(self):
        try:
            while select.select([self.fd], [], [], 0)[0]:
                data = os.read(self.fd, 65536)
                if not data:
                    break
                self.seen += data
        except OSError:
            pass
        return self.seen

    def until(self, text):
        wait_for(repr(text), lambda: text in self.read(), timeout=10)

    def ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        self.read()
        return pid and (os.waitstatus_to_exitcode(status), self.seen)

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)


def exit_a_shell(*command):
    """A shell that `command` starts with a terminal: the terminal's size, its echo, and the code with which the shell ends."""
    t = Terminal(["env", *command])
    try:
        t.type(b"stty size; echo A\"\"B\n")
        t.until(b"AB\r\n")
        assert b"33 101" in t.seen
        t.type(b"exit 9\n")
        t.until(b"exit code 9")
    finally:
        t.close()


# A terminal that is of the container's own /dev/pts has a name there, and can be opened by it.
NAMED = 't=$(tty) && test -c "$t" && echo by name > "$t" && stat -c "owner %u, %a" "$t"; echo end'
HOSTILE = {"fifo": "umount /dev/pts && mount -t tmpfs none /dev/pts && mkfifo /dev/pts/ptmx",
           "covered": "mkfifo /fifo && mount --bind /fifo /dev/pts/ptmx",
           "link": "umount /dev/pts && rmdir /dev/pts && ln -s /proc/1/root/dev/pts /dev/pts",
           "loop": "umount /dev/pts && rmdir /dev/pts && ln -s pts /dev/pts",
           "nothing": "umount /dev/pts && rmdir /dev/pts"}


def typed(node, container, command):
    t = Terminal([BUILD + "/nacelle", "-r", "unix://" + node.socket, "exec", "-it", node.running(container)["id"], "sh", "-c", command])
    try:
        return wait_for("end", t.ended)[1].decode().splitlines()
    finally:
        t.close()


def test_a_terminal_is_the_containers_own(node):
    command = {"command": ["sleep", "1000"]}
    node.write("t.yaml", pod("t", {"name": "root", **command}, {"name": "user", **command, "securityContext": {"runAsUser": 1234}}))
    node.write("u.yaml", pod("u", {"name": "mapped", **command}, hostUsers=False))
    for container, owner in (("root", 0), ("user", 1234), ("mapped", 0)):
        assert typed(node, container, NAMED) == ["by name", f"owner {owner}, 620", "end"], container
    assert typed(node, "root", "tty") == ["/dev/pts/0"]


def test_terminals_where_a_container_has_changed_its_own(node):
    """What stands in the way is not opened, waits for nobody, and a terminal there is all the same."""
    sleep, privileged = ["sh", "-c"], {"securityContext": {"privileged": True}}
    node.write("h.yaml", pod("h", *({"name": name, "command": [*sleep, f"{change} && touch /changed; exec sleep 1000"], **privileged}
                                    for name, change in HOSTILE.items())))
    for name in HOSTILE:
        wait_for("change of " + name, lambda: node.exec(node.running(name), "ls", "/changed", check=False).returncode == 0)
        got = typed(node, name, "test -t 0 && test -t 1 && echo terminal")
        assert got == ["terminal"], (name, got)


@pytest.mark.parametrize("name", CLIENTS)
def test_terminal_and_its_size(shell, name):
    command, options = client(shell, name)
    t = Terminal([*command, "exec", "-it", *options, shell.running("main")["id"], "sh"])
    try:
        t.type(b"echo A\"\"B\n")
        t.until(b"AB\r\n")
        t.until_size("33 101")
        t.resize(44, 120)
        t.until_size("44 120")
        t.type(b"exit 9\n")
        code, seen = wait_for("end", t.ended)
        assert code == 9 or b"exit code 9" in seen
    finally:
        t.close()


@pytest.mark.parametrize("name", CLIENTS)
def test_attach_sees_detaches_and_comes_back(shell, name):
    command, options = client(shell, name)
    for word in (b"one", b"two"):
        t = Terminal([*command, "attach", *options, "-it", shell.running("tty")["id"]])
        try:
            time.sleep(0.3)
            t.type(b"echo " + word[:1] + b"\"\"" + word[1:] + b"\n")
            t.until(word + b"\r\n")
            t.type(b"\x10\x11")
            wait_for("end of the client", t.ended, timeout=10)
        finally:
            t.close()
    assert shell.running("tty")["metadata"].get("attempt", 0) == 0


def test_attach_to_what_runs(shell):
    command, _ = client(shell, "nacelle")
    p = subprocess.Popen([*command, "attach", shell.running("main")["id"]], stdout=subprocess.PIPE)
    try:
        assert p.stdout.readline() == b"tick\n"
    finally:
        p.kill()
        p.wait()


def test_input_that_ends_once(shell):
    """With stdinOnce the container reads the end of the first client's input, and its end ends the attachment."""
    c = shell.running("once")["id"]
    done = run(shell, "spdy", "attach", "-i", c, input=b"last\n")
    assert done.stdout == b"last\n"


def test_a_vanished_client_blocks_nothing(shell):
    """A client that reads nothing, and then is killed, while the process writes as fast as it can."""
    c = shell.running("main")["id"]
    command, options = client(shell, "websocket")
    p = subprocess.Popen([*command, "exec", *options, c, "sh", "-c", "yes > /proc/1/fd/2 & yes"], stdout=subprocess.PIPE)
    time.sleep(0.5)
    assert shell.crictl("exec", "-s", c, "echo", "free").startswith("free")
    p.kill()
    p.wait()
    wait_for("end of the writer", lambda: "yes" not in shell.crictl("exec", "-s", c, "ps", "-o", "args").replace("sh -c", "").split()
             or shell.crictl("exec", "-s", c, "killall", "yes", check=False) and False, timeout=10)
    assert shell.crictl("exec", "-s", c, "echo", "free").startswith("free")


def test_port_forward(shell):
    local = free_port()
    sandbox = shell.running("web")["podSandboxId"]
    p = subprocess.Popen([PEERS + "/crictl", "-r", "unix://" + shell.socket, "port-forward", sandbox, f"{local}:8080", ],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert p.stdout.readline().startswith(b"Forwarding from")
        for _ in range(20):
            assert urllib.request.urlopen(f"http://127.0.0.1:{local}/", timeout=5).read() == b"hello\n"
    finally:
        p.kill()
        p.wait()


def test_port_that_nobody_listens_on(shell):
    local = free_port()
    sandbox = shell.running("web")["podSandboxId"]
    p = subprocess.Popen([PEERS + "/crictl", "-r", "unix://" + shell.socket, "port-forward", sandbox, f"{local}:9"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert p.stdout.readline().startswith(b"Forwarding from")
        with socket.create_connection(("127.0.0.1", local), timeout=5) as s:
            assert s.recv(10) == b""
    finally:
        p.kill()
        assert b"error forwarding port 9" in p.communicate()[1]


def test_requests_that_cannot_be(shell):
    c = shell.running("main")["id"]
    assert "not found" in shell.crictl("exec", "nosuch", "true", check=False).stderr
    assert "not found" in shell.nacelle("attach", "nosuch", check=False).stderr
    assert "not found" in shell.crictl("port-forward", "nosuch", "1:2", check=False).stderr
    shell.crictl("stop", "-t", "0", c)
    assert shell.crictl("exec", c, "true", check=False).returncode != 0


def test_many_streams_at_once(shell):
    """Twenty execs side by side over both protocols: each has its own output and exit code."""
    c = shell.running("main")["id"]
    started = []
    for i in range(20):
        command, options = client(shell, CLIENTS[i % len(CLIENTS)])
        started.append(subprocess.Popen([*command, "exec", "-i", *options, c, "sh", "-c", f"cat; echo {i}; exit {i % 5}"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    for i, p in reversed(list(enumerate(started))):
        out, err = p.communicate(b"x%d " % i, timeout=30)
        assert out == b"x%d %d\n" % (i, i)
        assert p.returncode == i % 5 or b"exit code %d" % (i % 5) in err
