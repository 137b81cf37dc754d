"""A Debian root for the machine, with systemd or OpenRC as its process 1, from Debian's packages by mmdebstrap: made once, kept in the cache."""
import glob
import hashlib
import os
import re
import shutil
import subprocess

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OWN = ["systemd", "systemd-sysv", "openrc", "dbus", "udev", "kmod", "iproute2", "nftables", "busybox-static"]
LEFT_OUT = ["doc", "locale", "man", "info"]  # of /usr/share
MASKED = ["getty@tty1.service", "serial-getty@ttyS0.service", "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer",
          "e2scrub_reap.service", "systemd-timesyncd.service", "systemd-update-utmp.service", "systemd-udev-settle.service", "systemd-random-seed.service",
          "systemd-hwdb-update.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount", "systemd-binfmt.service"]
SHELL = """[Unit]
Description=the test's shell on the console
DefaultDependencies=no
After=dbus.socket
[Service]
ExecStart=/vm-shell
Restart=always
KillMode=process
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
[Install]
WantedBy=sysinit.target
"""
NETWORK = """[Unit]
Description=the machine's own address
DefaultDependencies=no
After=systemd-modules-load.service
Before=network.target network-online.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/vm-network
[Install]
WantedBy=multi-user.target network-online.target
"""
NETWORK_SCRIPT = f"""#!/bin/sh
modprobe virtio_pci; modprobe virtio_net
n=0; while [ ! -e /sys/class/net/eth0 ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done
ip link set lo up; ip addr add {machine.ADDRESS}/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.2
"""
# Where there is no systemd: the shell is started, again and again, by OpenRC's init through its runlevel.
OPENRC_SCRIPT = """#!/sbin/openrc-run
command=/vm-shell
supervisor=supervise-daemon
respawn_delay=0
depend() { need localmount; }
start_pre() { /vm-network; }
"""


def packages():
    """The built Debian packages, {name: path}."""
    found = {os.path.basename(p).split("_")[0]: p for p in glob.glob(f"{machine_build()}/deb/nacelle-*.deb") if "dbgsym" not in p}
    if set(found) != {"nacelle-agent", "nacelle-api"}:
        raise SystemExit("there are no Debian packages: make deb")
    return found


def machine_build():
    return os.path.join(TOP, os.environ.get("BUILD", "build"))


def build_packages(directory):
    """Those of what is built, as 0.1.0, in `directory`/debs; the same as 0.1.1 in `directory`/newer."""
    subprocess.run([f"{TOP}/contrib/debian/build", "0.1.0"], check=True, stdout=subprocess.DEVNULL)
    for name in ("debs", "newer"):
        os.makedirs(f"{directory}/{name}")
    for name, path in packages().items():
        shutil.copy(path, directory + "/debs")
        unpacked = f"{directory}/{name}"
        subprocess.run(["dpkg-deb", "-R", path, unpacked], check=True)
        with open(unpacked + "/DEBIAN/control") as f:
            control = f.read()
        with open(unpacked + "/DEBIAN/control", "w") as f:
            f.write(control.replace("Version: 0.1.0", "Version: 0.1.1"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", unpacked, f"{directory}/newer/{os.path.basename(path).replace('0.1.0', '0.1.1')}"], check=True, stdout=subprocess.DEVNULL)


def depends(debs):
    names = set()
    for deb in debs:
        for alternative in subprocess.check_output(["dpkg-deb", "-f", deb, "Depends"], text=True).split(","):
            names.add(re.match(r"\s*([a-z0-9.+-]+)", alternative)[1])
    return sorted(names)


def tree(debs):
    """A tar file of Debian with what the packages depend on, made where there is none of these names."""
    names = sorted(set(OWN) | set(depends(debs)))
    path = f"{machine.CACHE}/debian-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}.tar"
    if not os.path.exists(path):
        os.makedirs(machine.CACHE, exist_ok=True)
        excludes = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
        sources = [p for p in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list") if os.path.exists(p)][:1]
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(names), *excludes, "bookworm", path + ".new.tar", *sources], check=True)
        os.rename(path + ".new.tar", path)
    return path


class Root(machine.Disk):
    """The disk's files: Debian, kernel modules, the test's shell. add(), write() and make() are machine.Disk's."""

    def __init__(self, work, debs):
        self.root, self.image = f"{work}/root", f"{work}/disk.img"
        os.makedirs(self.root)
        subprocess.run(["tar", "-C", self.root, "-xf", tree(debs)], check=True)
        self.add(HERE + "/shell", "vm-shell", 0o755)
        self.write("vm-network", NETWORK_SCRIPT)
        os.chmod(self.root + "/vm-network", 0o755)
        self.write("etc/hostname", "vm\n")
        self.write("etc/hosts", "127.0.0.1 localhost vm\n")
        self.write("etc/fstab", "")
        self.write("etc/machine-id", "")
        self.systemd()
        self.openrc()

    def systemd(self):
        units = self.root + "/etc/systemd/system"
        for name, text in (("vm-shell", SHELL), ("vm-network", NETWORK)):
            self.write(f"etc/systemd/system/{name}.service", text)
            for target in re.findall(r"^WantedBy=(.*)$", text, re.M)[0].split():
                os.makedirs(f"{units}/{target}.wants", exist_ok=True)
                os.symlink(f"/etc/systemd/system/{name}.service", f"{units}/{target}.wants/{name}.service")
        for name in MASKED:
            path = f"{units}/{name}"
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink("/dev/null", path)
        os.symlink("/lib/systemd/system/multi-user.target", units + "/default.target")

    def openrc(self):
        self.write("etc/init.d/vm-shell", OPENRC_SCRIPT)
        os.chmod(self.root + "/etc/init.d/vm-shell", 0o755)
        os.symlink("/etc/init.d/vm-shell", self.root + "/etc/runlevels/default/vm-shell")
