"""Queries of the host's logs: against journalctl, which kubelet runs, over a journal of the test's own."""
import json
import os
import ssl
import struct
import subprocess
import urllib.parse

import pytest

from support.http2 import END_HEADERS, END_STREAM, HEADERS, Raw, frame
from support.node import Node, wait_for

KIND = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
BASE = 1700000000000000  # 2023-11-14T22:13:20Z
BOOTS = ["1" * 32, "2" * 32, open("/proc/sys/kernel/random/boot_id").read().replace("-", "").strip()]
MACHINE = "9" * 32
WRITER = "/lib/systemd/systemd-journal-remote"


def entry(n, boot, message, unit="alpha.service", **fields):
    """One in the export format, n seconds after BASE; bytes that are no text go with their length."""
    out = f"__REALTIME_TIMESTAMP={BASE + n * 1000000 + 123456}\n__MONOTONIC_TIMESTAMP={n * 1000000 + 1000}\n_BOOT_ID={boot}\n_MACHINE_ID={MACHINE}\n".encode()
    for name, value in {"_HOSTNAME": "host", "_SYSTEMD_UNIT": unit, "MESSAGE": message, **fields}.items():
        value = value if isinstance(value, bytes) else str(value).encode()
        if value is not None and name.encode() and (b"\n" in value or any(c < 32 for c in value) or b"\xff" in value):
            out += name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
        else:
            out += name.encode() + b"=" + value + b"\n"
    return out + b"\n"


def entries():
    made = [
        entry(0, BOOTS[0], "first", SYSLOG_IDENTIFIER="alpha", _PID=12),
        entry(1, BOOTS[0], "of beta", unit="beta.service", SYSLOG_IDENTIFIER="beta", _PID=7),
        entry(2, BOOTS[0], "a command's name", _COMM="comm", SYSLOG_PID=99),
        entry(3, BOOTS[1], "nobody's name, äöü 漢字"),
        entry(4, BOOTS[1], b"two\nlines\n\nand a third", SYSLOG_IDENTIFIER="alpha", _PID=12),
        entry(5, BOOTS[1], "tabs\tand \x1b[31;1mcolours\x1b[0m, \x1b]8;;http://a/\aa link\x1b]8;;\a", SYSLOG_IDENTIFIER="alpha", _PID=12),
        entry(6, BOOTS[1], b"bytes \xff\xfe that are none", SYSLOG_IDENTIFIER="alpha", _PID=12),
        entry(7, BOOTS[1], b"\x01" * 3000, SYSLOG_IDENTIFIER="alpha", _PID=12),
        entry(8, BOOTS[1], "", SYSLOG_IDENTIFIER="alpha", _PID=12),
        entry(9, BOOTS[1], "Started alpha.", unit="init.scope", SYSLOG_IDENTIFIER="systemd", _PID=1, UNIT="alpha.service"),
        entry(10, BOOTS[1], "is not the init's", unit="init.scope", SYSLOG_IDENTIFIER="liar", _PID=2, UNIT="alpha.service"),
        entry(11, BOOTS[1], "of a source's time", SYSLOG_IDENTIFIER="alpha", _PID=12, _SOURCE_REALTIME_TIMESTAMP=BASE + 10999999),
        entry(12, BOOTS[1], "long " + "x" * 5000, SYSLOG_IDENTIFIER="a" * 299, _PID=12),
        entry(13, BOOTS[1], "too long a name", SYSLOG_IDENTIFIER="a" * 300, _PID=12),
        entry(14, BOOTS[2], "this boot", SYSLOG_IDENTIFIER="alpha", _PID=13),
        entry(15, BOOTS[2], "This Boot", SYSLOG_IDENTIFIER="alpha", _PID=13),
        entry(16, BOOTS[2], "in a slice", unit="gamma.slice", SYSLOG_IDENTIFIER="g", _SYSTEMD_SLICE="gamma.slice"),
    ]
    return b"".join(made)


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Directories in place of /var/log and /run/log/journal, and a command's beginning that sees them."""
    top = tmp_path_factory.mktemp("host")
    logs, run = top / "log", top / "run"
    (logs / "journal" / MACHINE).mkdir(parents=True)
    (run / MACHINE).mkdir(parents=True)
    (logs / "delta").mkdir()
    (logs / "plain").write_text("of plain\n")
    (logs / "named.log").write_text("of named\n" * 100000)
    (logs / "delta" / "delta.log").write_text("of delta\n")
    (logs / "away.log").symlink_to("/etc/passwd")
    os.mkfifo(logs / "fifo.log")
    (top / "id").write_text(MACHINE + "\n")

    def write(name, data):
        subprocess.run([WRITER, "-o", logs / "journal" / MACHINE / name, "-"], input=data, check=True, capture_output=True)

    write("system.journal", entries())
    many = b"".join(entry(100 + i, BOOTS[2], f"line {i} " + "y" * 40, unit="many.service", SYSLOG_IDENTIFIER="many", _PID=5) for i in range(30000))
    write("many.journal", many)
    write("lines.journal", entry(40000, BOOTS[2], b"\n" * 1000000, unit="lines.service", SYSLOG_IDENTIFIER="l" * 200) +
          entry(40001, BOOTS[2], "the next", unit="lines.service"))
    os.makedirs("/run/log/journal", exist_ok=True)
    mounts = f"mount --bind {logs} /var/log && mount --bind {run} /run/log/journal && mount --bind {top}/id /etc/machine-id && exec \"$@\""
    return ["unshare", "-m", "sh", "-c", mounts, "sh"]


@pytest.fixture(scope="module")
def node(host):
    n = Node("--anonymous-auth", "--authentication-token-webhook=false", "--authorization-mode", "AlwaysAllow", "--address", "127.0.0.1",
             "--port", "0", before=host, config=KIND + "enableSystemLogQuery: true\n")
    from support.node import free_port
    n.kubelet_port = free_port()
    n.options[-1] = str(n.kubelet_port)
    n.start()
    yield n
    n.stop()


def ask(node, raw="", **parameters):
    query = raw or urllib.parse.urlencode(parameters, doseq=True)
    done = subprocess.run(["curl", "-sk", "-w", "\n%{http_code} %{content_type}", f"https://127.0.0.1:{node.kubelet_port}/logs/?{query}"], capture_output=True)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status.split()[0]), status.split(b" ", 1)[1].decode(), body


def answer(node, **parameters):
    status, kind, body = ask(node, **parameters)
    assert (status, kind) == (200, "text/plain;charset=UTF-8"), body
    return body


def journalctl(host, *args):
    return subprocess.run([*host, "journalctl", "--utc", "--no-pager", "--output=short-precise", *args], capture_output=True).stdout


def at(seconds):
    import datetime
    return datetime.datetime.fromtimestamp(BASE // 1000000 + seconds, datetime.timezone.utc)


@pytest.mark.parametrize("parameters,args", [
    ({"query": "alpha"}, ["--unit=alpha"]),
    ({"query": ["alpha", "beta"]}, ["--unit=alpha", "--unit=beta"]),
    ({"query": "gamma.slice"}, ["--unit=gamma.slice"]),
    ({"query": "alpha", "tailLines": 3}, ["--unit=alpha", "--lines=3"]),
    ({"query": "alpha", "tailLines": 0}, ["--unit=alpha", "--lines=0"]),
    ({"query": "alpha", "tailLines": 100000}, ["--unit=alpha", "--lines=100000"]),
    ({"query": "alpha", "boot": 0}, ["--unit=alpha", "--boot", "0"]),
    ({"query": "alpha", "boot": -1}, ["--unit=alpha", "--boot", "-1"]),
    ({"query": "alpha", "boot": -2}, ["--unit=alpha", "--boot", "-2"]),
    ({"query": "alpha", "boot": -1, "pattern": "l.nes"}, ["--unit=alpha", "--boot", "-1", "--grep=l.nes"]),
    ({"query": "alpha", "boot": 0, "pattern": "this boot"}, ["--unit=alpha", "--boot", "0", "--grep=this boot"]),
    ({"query": "alpha", "boot": 0, "pattern": "This Boot"}, ["--unit=alpha", "--boot", "0", "--grep=This Boot"]),
    ({"query": "many", "tailLines": 20000}, ["--unit=many", "--lines=20000"]),
    ({"query": "many"}, ["--unit=many"]),
    ({"query": "many", "pattern": "line 2999[0-9]"}, ["--unit=many", "--grep=line 2999[0-9]"]),
])
def test_as_journalctl(node, host, parameters, args):
    theirs = journalctl(host, *args)
    assert answer(node, **parameters) == theirs and len(theirs) > 10


def test_times(node, host):
    """journalctl takes whole seconds, and kubelet gives it those of the zone that the client wrote; here the moment counts."""
    since = answer(node, query="alpha", sinceTime=at(5).isoformat())
    assert since == journalctl(host, "--unit=alpha", "--since=2023-11-14 22:13:25 UTC")
    assert answer(node, query="alpha", sinceTime="2023-11-15T00:13:25+02:00") == since
    assert answer(node, query="alpha", sinceTime="2023-11-14T22:13:25.123456Z") == since
    assert answer(node, query="alpha", sinceTime="2023-11-14T22:13:25.123457Z") == journalctl(host, "--unit=alpha", "--since=2023-11-14 22:13:26 UTC")
    until = answer(node, query="alpha", untilTime=at(5).isoformat())
    assert until == journalctl(host, "--unit=alpha", "--until=2023-11-14 22:13:25 UTC")
    both = answer(node, query="alpha", sinceTime=at(2).isoformat(), untilTime=at(6).isoformat())
    assert both == journalctl(host, "--unit=alpha", "--since=2023-11-14 22:13:22 UTC", "--until=2023-11-14 22:13:26 UTC")
    # the last of those in between, where journalctl would show the first
    last = answer(node, query="alpha", sinceTime=at(2).isoformat(), untilTime=at(6).isoformat(), tailLines=1)
    assert last == both[both.index(b"Nov 14 22:13:25"):]
    assert answer(node, query="alpha", sinceTime=at(1000).isoformat()) == b"-- No entries --\n"


def test_tail_counts_what_matches(node):
    assert [line.split(b": ")[1].split(b" ")[1] for line in answer(node, query="many", pattern="line [0-9]*7 ", tailLines=3).splitlines()] == [b"29977", b"29987", b"29997"]


def test_boot_that_is_not_there(node):
    assert answer(node, query="alpha", boot=-7) == b"Data from the specified boot (-7) is not available: No such boot ID in journal\n"


def test_services_with_files(node):
    assert answer(node, query="plain") == b"of plain\n"
    assert answer(node, query="named") == b"of named\n" * 100000
    assert answer(node, query="delta") == b"of delta\n"
    assert answer(node, query="none") == b"\nlog not found for none\n"
    assert answer(node, query=["plain", "none", "delta"]) == b"of plain\n\nlog not found for none\nof delta\n"
    assert answer(node, query="away") == b"\nerror getting log for away: openat away.log: path escapes from parent\n"
    assert b"error getting log for fifo" in answer(node, query="fifo")
    both = answer(node, query=["plain", "beta"])
    assert both.endswith(b"of plain\n") and b"of beta" in both
    assert answer(node, query=["plain", "delta"], tailLines=3) == b"\noptions present and query resolved to log files for [plain delta]\ntry without specifying options\n"


def test_files(node):
    assert ask(node, query="delta/delta.log") == (200, "text/plain; charset=utf-8", b"of delta\n")
    assert ask(node, query="/plain")[0] == 406 and ask(node, query="../log/plain")[0] == 406 and ask(node, query="none/x")[0] == 406


def test_a_reader_that_goes_leaves_nothing(node):
    for _ in range(5):
        curl = subprocess.Popen(["curl", "-sk", "--limit-rate", "1k", f"https://127.0.0.1:{node.kubelet_port}/logs/?query=many"], stdout=subprocess.DEVNULL)
        wait_for("a byte", lambda: open(f"/proc/{curl.pid}/io").read())
        curl.terminate()
        curl.wait()
    wait_for("no journal open", lambda: not any(os.readlink(f"/proc/{node.process.pid}/fd/{fd}").endswith(".journal") for fd in os.listdir(f"/proc/{node.process.pid}/fd")
                                                if os.path.islink(f"/proc/{node.process.pid}/fd/{fd}")))
    assert answer(node, query="plain") == b"of plain\n"


def test_a_search_that_is_given_up_ends(node):
    curl = subprocess.Popen(["curl", "-gsk", f"https://127.0.0.1:{node.kubelet_port}/logs/?query=many&pattern=([^q]*)*(%3F:y|z)(%3F:x|w)"], stdout=subprocess.DEVNULL)
    opened = lambda: any(os.path.realpath(f"/proc/{node.process.pid}/fd/{fd}").endswith(".journal") for fd in os.listdir(f"/proc/{node.process.pid}/fd"))
    wait_for("search", opened)
    curl.terminate()
    curl.wait()
    wait_for("its end", lambda: not opened(), 15)


def test_searches_have_a_maximum(node):
    """Half of the pool's threads, so that pods find the others: here by HTTP/2 streams whose reader takes nothing."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    with Raw(("127.0.0.1", node.kubelet_port), struct.pack(">HI", 4, 0), context=context) as c:
        def search():
            c.stream += 2
            c.send(frame(HEADERS, c.stream, c.encoder.encode([(":method", "GET"), (":scheme", "https"), (":path", "/logs/?query=named"), (":authority", "x")]), END_HEADERS | END_STREAM))
            while (got := c.receive())[0] != HEADERS:
                pass
            return int(dict(c.decoder.decode(got[3]))[":status"])
        assert [search() for _ in range(33)] == [200] * 32 + [429]
        assert ask(node, query="plain")[::2] == (429, b"Too many requests, please try again later.")
    wait_for("room", lambda: ask(node, query="plain")[0] == 200)


def test_times_before_journals(node):
    assert answer(node, query="alpha", sinceTime="1969-12-31T23:59:59Z") == answer(node, query="alpha")
    assert answer(node, query="alpha", untilTime="1969-12-31T23:59:59Z") == b"-- No entries --\n"
    assert answer(node, query="alpha", untilTime="1960-01-01T00:00:00Z", tailLines=3) == b"-- No entries --\n"


def test_a_message_of_lines_alone_is_cut(node):
    body = answer(node, query="lines")
    assert body.endswith(b"the next\n") and len(body) < 9 << 20


def test_a_journal_whose_pages_cannot_be_had(node):
    """In a full tmpfs the holes of a file cannot be read: who has mapped it is told by SIGBUS."""
    journal = f"/var/log/journal/{MACHINE}/system.journal"
    script = f"""mount -t tmpfs -o size=256k none /run/log/journal && mkdir /run/log/journal/{MACHINE} &&
        cp --sparse=always {journal} /run/log/journal/{MACHINE}/full.journal && ! cat /dev/zero > /run/log/journal/rest"""
    enter = ["nsenter", "-t", str(node.process.pid), "-m"]
    subprocess.run([*enter, "sh", "-c", script], check=True, capture_output=True)
    try:
        for n in range(8):
            names = [f"none-{n}-{i}" for i in range(4)]
            assert answer(node, query=names) == "".join(f"\nlog not found for {name}\n" for name in names).encode()
        assert b"this boot" in answer(node, query="alpha")
    finally:
        subprocess.run([*enter, "umount", "/run/log/journal"], check=node.process.poll() is None)


def test_it_is_off_unless_it_is_asked_for(host):
    n = Node("--anonymous-auth", "--authorization-mode", "AlwaysAllow", "--authentication-token-webhook=false", "--address", "127.0.0.1", "--port", "0", before=host)
    from support.node import free_port
    n.kubelet_port = free_port()
    n.options[-1] = str(n.kubelet_port)
    n.start()
    try:
        status, kind, body = ask(n, query="alpha")
        assert status == 200 and "text/html" in kind and b"named.log" in body
        assert json.loads(subprocess.run(["curl", "-sk", f"https://127.0.0.1:{n.kubelet_port}/configz"], capture_output=True).stdout)["kubeletconfig"]["enableSystemLogQuery"] is False
    finally:
        n.stop()


def test_it_wants_the_handler():
    n = Node(config=KIND + "enableSystemLogQuery: true\nenableSystemLogHandler: false\n")
    n.start(wait=False)
    assert n.process.wait(10) == 2 and "enableSystemLogQuery: it wants enableSystemLogHandler: true" in n.log()
    n.stop()
