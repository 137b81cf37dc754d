"""Servers and clients inside network namespaces, as threads of the test: who asks is told who it is seen as, and by whom."""
import ctypes
import os
import socket
import threading

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def inside(netns, call):
    """What `call` returns, in a thread of the namespace at path `netns`; its sockets stay there."""
    result = []

    def run():
        fd = os.open(netns, os.O_RDONLY)
        try:
            if _libc.setns(fd, CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), f"setns {netns}")
            result.append(call())
        except BaseException as e:
            result.append(e)
        finally:
            os.close(fd)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _plain(address):
    return address[7:] if address.startswith("::ffff:") else address


class Server:
    """Answers each TCP connection and each UDP datagram to `port` with "NAME SENDER"."""

    def __init__(self, netns, name, port):
        self.name, self.port = name, port
        self.tcp, self.udp = inside(netns, self.listen)
        for run in self.serve_tcp, self.serve_udp:
            threading.Thread(target=run, daemon=True).start()

    def listen(self):
        tcp, udp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in tcp, udp:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind(("::", self.port))
        tcp.listen(512)
        return tcp, udp

    def serve_tcp(self):
        while True:
            try:
                connection, peer = self.tcp.accept()
                with connection:
                    connection.sendall(f"{self.name} {_plain(peer[0])}".encode())
            except OSError:
                if self.tcp.fileno() < 0:
                    return

    def serve_udp(self):
        while True:
            try:
                _, peer = self.udp.recvfrom(65536)
                if not peer:  # it was closed
                    return
                self.udp.sendto(f"{self.name} {_plain(peer[0])}".encode(), peer)
            except OSError:
                if self.udp.fileno() < 0:
                    return

    def close(self):
        for s in self.tcp, self.udp:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


def ask(netns, address, port, udp=False, timeout=3, local=0):
    """The answer as (name, sender); None where there was none. ConnectionRefusedError is passed on."""
    def call():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as s:
            s.settimeout(timeout)
            if local:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("", local))
            try:
                s.connect((address, port))
                if udp:
                    s.send(b"?")
                text = s.recv(1000).decode()
            except ConnectionRefusedError:
                raise
            except OSError:
                return None
            return tuple(text.split()) if text else None
    return inside(netns, call)


def send_whole(netns, address, port, size):
    """Sends a datagram of `size` bytes, IP header included, that must not be cut; the answer, or the largest size that the way has."""
    IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14
    IPV6_MTU_DISCOVER, IPV6_MTU = 23, 24

    def call():
        six = ":" in address
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.7)
            level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
            s.setsockopt(level, IPV6_MTU_DISCOVER if six else IP_MTU_DISCOVER, IP_PMTUDISC_DO)
            s.connect((address, port))
            for _ in range(3):
                try:
                    s.send(b"x" * (size - (48 if six else 28)))
                    return s.recv(1000).decode().split()[0]
                except OSError:
                    mtu = s.getsockopt(level, IPV6_MTU if six else IP_MTU)
                    if mtu < size:
                        return mtu
            return None
    return inside(netns, call)
