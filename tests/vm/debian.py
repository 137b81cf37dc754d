"""A Debian root for the machine, with systemd or with OpenRC, from Debian's packages by mmdebstrap: made once, kept in the cache."""
import collections
import glob
import hashlib
import os
import re
import shutil
import subprocess

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OWN = ["dbus", "udev", "kmod", "iproute2", "nftables", "busybox-static"]
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
# As Debian has OpenRC: sysvinit is process 1 and starts its runlevels, and then the test's shell where a machine's terminal would be.
INITTAB_SHELL = "vm:2345:respawn:/vm-shell\n"
FSTAB = "/dev/nvme0n1 / ext4 errors=remount-ro 0 1\n"
OPENRC_NETWORK = """#!/sbin/openrc-run
description="the machine's own address"
depend() { provide net; after mountkernfs udev; }
start() { /vm-network; }
"""

# `packages`: beside OWN; `words`: for the kernel and machine.Machine; `trouble`: a command that says what there is to know when something does not come.
Kind = collections.namedtuple("Kind", "packages words trouble")
KINDS = {
    "systemd": Kind(["systemd", "systemd-sysv", "criu", "curl"], {"net.ifnames": 0, "systemd.show_status": 0, "loglevel": 3},
                    "systemctl --failed --no-legend; systemctl status --no-pager nacelle-agent nacelle-api; journalctl -n 40 --no-pager -o cat -u nacelle-agent -u nacelle-api"),
    "openrc": Kind(["sysvinit-core", "openrc", "initscripts", "systemd-standalone-sysusers"], {"net.ifnames": 0, "loglevel": 3, "hybrid": True},
                   "rc-status -a; grep cgroup /proc/mounts; tail -n 30 /var/log/rc.log; tail -n 20 /var/log/nacelle-agent.log /var/log/nacelle-api/*"),
}


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


def depends(debs, there):
    """What the packages depend on: of alternatives the one that is `there` already, else the first."""
    names = set()
    for deb in debs:
        for one in subprocess.check_output(["dpkg-deb", "-f", deb, "Depends"], text=True).split(","):
            alternatives = [re.match(r"\s*([a-z0-9.+-]+)", a)[1] for a in one.split("|")]
            names.add(next((a for a in alternatives if a in there), alternatives[0]))
    return names


def tree(debs, kind):
    """A tar file of Debian with what the packages depend on, made where there is none of these names."""
    own = set(OWN + KINDS[kind].packages)
    names = sorted(own | depends(debs, own))
    path = f"{machine.CACHE}/debian-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}.tar"
    if not os.path.exists(path):
        os.makedirs(machine.CACHE, exist_ok=True)
        excludes = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
        sources = [p for p in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list") if os.path.exists(p)][:1]
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(names), *excludes, "bookworm", path + ".new.tar", *sources], check=True)
        os.rename(path + ".new.tar", path)
    return path


class Root(machine.Disk):
    """The disk's files: Debian of a kind, kernel modules, the test's shell. add(), write() and make() are machine.Disk's."""

    def __init__(self, work, debs, kind):
        self.root, self.image = f"{work}/root", f"{work}/disk.img"
        os.makedirs(self.root)
        subprocess.run(["tar", "-C", self.root, "-xf", tree(debs, kind)], check=True)
        self.add(HERE + "/shell", "vm-shell", 0o755)
        self.script("vm-network", NETWORK_SCRIPT)
        self.write("etc/hostname", "vm\n")
        self.write("etc/hosts", "127.0.0.1 localhost vm\n")
        getattr(self, kind)()

    def script(self, path, text):
        self.write(path, text)
        os.chmod(f"{self.root}/{path}", 0o755)

    def systemd(self):
        units = self.root + "/etc/systemd/system"
        self.write("etc/fstab", "")
        self.write("etc/machine-id", "")
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
        self.write("etc/fstab", FSTAB)
        with open(self.root + "/etc/inittab") as f:
            lines = [line for line in f if "getty" not in line]
        self.write("etc/inittab", "".join(lines) + INITTAB_SHELL)
        with open(self.root + "/etc/rc.conf", "a") as f:
            f.write('rc_logger="YES"\n')
        self.script("etc/init.d/vm-network", OPENRC_NETWORK)
        os.symlink("/etc/init.d/vm-network", self.root + "/etc/runlevels/default/vm-network")
        for name in ("nacelle-agent", "nacelle-api"):
            self.add(f"{TOP}/contrib/openrc/{name}", f"openrc/{name}", 0o755)
