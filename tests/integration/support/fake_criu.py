#!/usr/bin/python3
"""A `criu swrk` that does what FAKE_CRIU, or a file named mode beside it, says, so that every answer of criu's can be had on every kernel.

dump     writes files as criu does, and what it was asked with as request.json; "restore" likewise makes a process (FAKE_COMMAND), with FAKE_WAITS once it has ended
fail     writes a log with errors and answers that it failed
silent   answers that it failed, without a log
die      ends without an answer
garbage  answers what is no message
slow     writes until it cannot, or nobody waits for it any more
hang     does not answer
"""
import ctypes
import json
import os
import signal
import socket
import struct
import sys
import time

VERSION = "3.99"
CLONE, CLONE_PARENT = {"x86_64": 56, "aarch64": 220}[os.uname().machine], 0x8000
DUMP, RESTORE, NOTIFY = 1, 2, 6


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def decode(data):
    """Fields by number: lists of whole numbers and byte strings."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        fields.setdefault(key >> 3, []).append(value)
    return fields


def encode(**fields):
    """f1=5, f5=b"...": one message of numbers and byte strings below 128 bytes."""
    out = b""
    for name, value in fields.items():
        number = int(name[1:])
        if isinstance(value, bytes):
            out += bytes([number << 3 | 2, len(value)]) + value
        else:
            out += bytes([number << 3])
            while value > 127:
                out += bytes([value & 127 | 128])
                value >>= 7
            out += bytes([value])
    return out


def text(options, number):
    return options.get(number, [b""])[0].decode()


def request_of(kind, options):
    pairs = [decode(p) for p in options.get(27, [])]
    return {"kind": kind, "pid": options.get(2, [0])[0], "leave_running": options.get(3, [0])[0], "external": [e.decode() for e in options.get(37, [])],
            "flags": {n: options.get(k, [0])[0] for n, k in (("ext_unix_sk", 4), ("tcp_established", 5), ("shell_job", 7), ("file_locks", 8))},
            "inherited": {p[1][0].decode(): os.readlink(f"/proc/self/fd/{p[2][0]}") for p in pairs}, "cgroups": options.get(34, [None])[0],
            "cgroup_roots": [decode(r)[2][0].decode() for r in options.get(25, [])], "root": text(options, 13), "cgroup": open("/proc/self/cgroup").read(),
            "timeout": options.get(45, [0])[0]}


def make_process(link):
    """As a sibling, in a pid namespace of nobody's: the restored container."""
    libc = ctypes.CDLL(None, use_errno=True)
    pid = libc.syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        link.close()
        command = os.environ["FAKE_COMMAND"]
        os.execv("/bin/sh", ["sh", "-c", command])
    while "FAKE_WAITS" in os.environ and open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
        time.sleep(0.001)
    return pid


def main():
    mode, file = os.environ.get("FAKE_CRIU", "dump"), os.path.dirname(os.path.abspath(__file__)) + "/mode"
    if os.path.exists(file):
        with open(file) as f:
            mode = f.read()
    link = socket.socket(fileno=int(sys.argv[2]))
    message = decode(link.recv(1 << 20))
    kind, options = message[1][0], decode(message[2][0])
    peer = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    images, work = (f"/proc/{peer}/fd/{options[n][0]}" for n in (1, 17))
    if mode == "die":
        sys.exit(3)
    if mode == "hang":
        signal.pause()
    if mode == "slow":
        try:
            with open(images + "/pages-1.img", "wb", buffering=0) as f:
                while os.path.exists(f"/proc/{peer}") and f.write(b"x"):
                    time.sleep(0.01)
        except OSError as e:
            os.mkdir(f"{os.path.dirname(file)}/gave-up-{e.errno}")
        sys.exit(1)
    if mode == "garbage":
        link.send(b"\xff\xff\xff\xff")
        sys.exit(0)
    if mode != "silent":
        with open(f"{work}/{text(options, 10)}", "w") as log:
            log.write(f"(00.000000) Version: {VERSION} (gitid 0)\n(00.000001) Running\n")
            if mode == "fail":
                log.write("(00.000002) Error (criu/vdso.c:1): too new a kernel\n(00.000003)     12: Error (criu/cr.c:2): did not work\n(00.000004) Done\n")
    if mode in ("fail", "silent"):
        link.send(encode(f1=kind, f2=0, f9=b"the first error"))
        sys.exit(1)
    with open(f"{images}/request.json" if kind == DUMP else f"{work}/request.json", "w") as f:
        json.dump(request_of(kind, options), f)
    if kind == DUMP:
        for name in ("inventory.img", "pages-1.img"):
            with open(f"{images}/{name}", "wb") as f:
                f.write(os.urandom(5000))
        if not options.get(3, [0])[0]:
            os.kill(options[2][0], signal.SIGKILL)
        link.send(encode(f1=DUMP, f2=1))
        return
    pid = make_process(link)
    for script in (b"setup-namespaces", b"post-restore"):
        link.send(encode(f1=NOTIFY, f2=1, f5=encode(f1=script, f2=pid)))
        if decode(link.recv(4096)).get(3) != [1]:
            os.kill(pid, signal.SIGKILL)
            link.send(encode(f1=RESTORE, f2=0, f9=b"a script failed"))
            return
    link.send(encode(f1=RESTORE, f2=1, f4=encode(f1=pid)))


main()
