"""A virtual machine with pure cgroup v2: Debian's cloud kernel under qemu without KVM, booted from a disk of our files.

The kernel has ext4 and NVMe built in, so it needs no initramfs; its package is fetched with apt and never installed.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

CACHE = os.path.expanduser(os.environ.get("NACELLE_VM_CACHE", "~/.cache/nacelle-vm"))
# In which the kernel says its first word. Now and then an emulated one never does.
BOOT_SECONDS = 40
MODULES = ["overlay", "bridge", "br_netfilter", "veth", "nf_tables", "nft_chain_nat", "nft_masq", "nft_nat", "nft_redir", "nft_ct",
           "nft_fib_inet", "nft_limit", "nf_conntrack", "nf_nat", "sch_tbf", "sch_ingress", "ifb", "act_mirred", "cls_matchall",
           "cls_u32", "dummy", "tun", "unix_diag", "inet_diag", "tcp_diag", "udp_diag", "raw_diag", "netlink_diag", "af_packet_diag",
           "nf_conntrack_netlink", "nft_numgen", "nft_hash", "nft_reject_inet", "vxlan", "virtio_pci", "virtio_net"]
ADDRESS = "192.0.2.15"  # the machine's own, when it wants one (RFC 5737)


def kernel():
    """(vmlinuz, module tree, version), downloaded once."""
    os.makedirs(CACHE, exist_ok=True)
    depends = subprocess.check_output(["apt-cache", "depends", "linux-image-cloud-amd64"], text=True)
    package = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
    tree = f"{CACHE}/{package}"
    if not os.path.isdir(tree):
        subprocess.run(["apt-get", "download", "-q", package], cwd=CACHE, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deb = max(glob.glob(f"{CACHE}/{package}_*.deb"), key=os.path.getmtime)
        subprocess.run(["dpkg-deb", "-x", deb, tree + ".new"], check=True)
        os.rename(tree + ".new", tree)
        os.unlink(deb)
    version = package[len("linux-image-"):]
    return f"{tree}/boot/vmlinuz-{version}", f"{tree}/lib/modules/{version}", version


class Disk:
    """The files of the machine's root, put together in a directory and made into an ext4 image."""

    def __init__(self, work):
        self.root = f"{work}/root"
        self.image = f"{work}/disk.img"
        for name in ("bin", "dev", "etc", "lib64", "lib/x86_64-linux-gnu", "proc", "root", "run", "sbin", "sys", "tmp", "usr/bin",
                     "usr/sbin", "usr/libexec", "var/lib", "var/log", "mnt"):
            os.makedirs(f"{self.root}/{name}")
        os.symlink("/run", f"{self.root}/var/run")
        self.busybox()

    def busybox(self):
        shutil.copy("/bin/busybox", f"{self.root}/bin/busybox")
        for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
            if applet != "busybox":
                os.symlink("/bin/busybox", f"{self.root}/bin/{applet}")
        os.symlink("/bin/busybox", f"{self.root}/sbin/modprobe")

    def add(self, source, path, mode=None):
        target = f"{self.root}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)
        if mode is not None:
            os.chmod(target, mode)

    def write(self, path, text):
        target = f"{self.root}/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w") as f:
            f.write(text)

    def program(self, source, path):
        """A program and the libraries that it is linked with."""
        if os.path.islink(f"{self.root}/{path}"):
            os.unlink(f"{self.root}/{path}")
        self.add(source, path, 0o755)
        linked = subprocess.run(["ldd", source], capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", linked):
            if not os.path.exists(self.root + library):
                self.add(os.path.realpath(library), library)

    def modules(self, tree, version, loads=True):
        """The modules named above with what they depend on. `loads`: /etc/modules says so; else whoever needs one has it loaded."""
        files = {re.sub(r"\.ko.*", "", os.path.basename(p)).replace("-", "_"): p for p in glob.glob(tree + "/kernel/**/*.ko*", recursive=True)}
        wanted, seen = [m for m in MODULES if m in files], set()
        while wanted:
            name = wanted.pop()
            if name in seen or name not in files:
                continue
            seen.add(name)
            info = subprocess.check_output(["/sbin/modinfo", "-F", "depends", files[name]], text=True).strip()
            wanted += [d.replace("-", "_") for d in info.split(",") if d]
            self.add(files[name], f"lib/modules/{version}/{os.path.relpath(files[name], tree)}")
        for index in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            self.add(f"{tree}/{index}", f"lib/modules/{version}/{index}")
        subprocess.run(["/sbin/depmod", "-b", self.root, version], check=True)
        if loads:
            self.write("etc/modules", "\n".join(m for m in MODULES if m in files) + "\n")

    def make(self, megabytes):
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", self.root, "-E", "root_owner=0:0", self.image, f"{megabytes}M"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root)


class Machine:
    """One boot. Lines of the console go to `console`, a file. `port` of this host's loopback leads to port 6443 of the machine, which reaches nobody.
    The console is read by lines(), or by whoever has it talk. `hybrid`: the controllers of cgroup v1 are there, for whoever mounts them."""

    def __init__(self, vmlinuz, disk, console, port, cpus=2, init="/init", talks=False, hybrid=False, **words):
        command_line = f"console=ttyS0 quiet no_timer_check nowatchdog mitigations=off panic=-1 root=/dev/nvme0n1 rootfstype=ext4 rw init={init}"
        command_line += "" if hybrid else " cgroup_no_v1=all"
        command_line += "".join(f" {key}={value}" for key, value in words.items())
        self.console = console
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(cpus), "-m", "1024", "-nodefaults", "-no-reboot",
             "-display", "none", "-serial", "stdio", "-kernel", vmlinuz, "-append", command_line,
             "-drive", f"file={disk},if=none,id=disk,format=raw,cache=writeback", "-device", "nvme,drive=disk,serial=1",
             "-netdev", f"user,id=net,restrict=on,net=192.0.2.0/24,hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}:6443", "-device", "virtio-net-pci,netdev=net,romfile=",
             "-device", "virtio-rng-pci"],
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def lines(self, seconds, boot_seconds=BOOT_SECONDS):
        """What the console says, line by line, until it ends or `seconds` are over since it first said something; no line at all when nothing
        came in `boot_seconds`."""
        end = time.monotonic() + boot_seconds
        os.set_blocking(self.process.stdout.fileno(), False)
        text, heard = b"", False
        with open(self.console, "ab") as log:
            while time.monotonic() < end:
                data = self.process.stdout.read()
                if data == b"":
                    return
                if not data:
                    time.sleep(0.02)
                    continue
                if data.strip() and not heard:
                    heard, end = True, time.monotonic() + seconds
                log.write(data)
                text += data
                *whole, text = text.split(b"\n")
                for line in whole:
                    yield line.decode(errors="replace").strip()
        if heard:
            yield "timeout"

    def cut_power(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
