"""The part of tests/vm/cluster on a Debian with OpenRC: its scripts (contrib/openrc) start, watch and end the service and the agent."""
import re


def services(w):
    return w.guest.ask("for s in nacelle-agent nacelle-api; do rc-service $s status; done | grep -o started").output.split()


def of_runlevel(w):
    return w.guest.run("rc-update show default | grep -o 'nacelle-[a-z]*' | sort").split()


def install(w):
    w.boot()
    w.equal("process 1 is sysvinit's, and OpenRC is in its default runlevel", "init default", w.guest.run("cat /proc/1/comm; rc-status -r").replace("\n", " "))
    w.equal("no service has failed before", "", w.guest.ask("rc-status --crashed; rc-status -a | grep -v -e started -e stopped -e : -e '^$'").output)
    said = w.guest.run("dpkg -i /debs/*.deb")
    w.check("the packages are installed without a complaint", "warning" not in said.lower() and "error" not in said.lower(), said)
    w.guest.run("cp /openrc/* /etc/init.d/; rc-update add nacelle-agent default; rc-service nacelle-agent start")
    w.until("a pod of the directory runs", lambda: w.guest.ask("nacelle images -q | grep . || nacelle import /images/busybox.tar; nacelle ps -q | grep .").status == 0)
    said = w.guest.ask("nacelle init --api-arg=--no-such-flag=1 2>&1").output
    log = re.search(r"its log: (\S+)\)", said)
    w.check("nacelle init of a service that does not come says where its log is", log and w.guest.ask(f"grep no-such-flag {log[1]}").status == 0, said)
    w.make_cluster()
    w.equal("both are started", ["started"] * 2, services(w))
    w.equal("and are of the default runlevel", ["nacelle-agent", "nacelle-api"], of_runlevel(w))
    w.equal("the API service is nobody's but its own", "nacelle-api 700", w.guest.run("stat -c '%U %a' /var/lib/nacelle-api"))


def kills(w):
    """supervise-daemon starts what was killed."""
    containers, processes = w.containers(), w.processes()
    for programs in ("nacelle-api", "nacelle-agent", "nacelle-api nacelle-agent"):
        w.writers.start()
        lease, before = w.lease(), w.guest.run(f"pidof {programs}")
        w.guest.run(f"kill -9 {before}")
        w.until(f"kill -9 of {programs}: the node is Ready, its Lease renewed", lambda: w.ready_since(lease))
        w.writers.finish()
        wrong = w.writers.check()
        w.check(f"kill -9 of {programs}: what was answered is there ({w.writers.answered} changes)", not wrong, wrong)
        w.check(f"kill -9 of {programs}: they are others now", not set(before.split()) & set(w.guest.run(f"pidof {programs}").split()), before)
        w.same(f"kill -9 of {programs}", containers, processes)
    w.equal("both are started, to OpenRC", ["started"] * 2, services(w))


def restarts(w):
    containers, processes = w.containers(), w.processes()
    for name in ("nacelle-agent", "nacelle-api"):
        before = w.guest.run(f"pidof {name}")
        w.guest.run(f"rc-service {name} restart")
        w.comes_back(f"restart of {name}")
        w.check(f"restart of {name}: it is another process", before != w.guest.run(f"pidof {name}"), before)
        w.same(f"restart of {name}", containers, processes)


def comes_back_after(w, name):
    """A boot: the services are started by nobody's hand, and all that was there runs."""
    w.boot()
    w.until(f"{name}: the API service is there", w.reached)
    w.equal(f"{name}: both are started", ["started"] * 2, services(w))
    w.comes_back(name)
    w.until(f"{name}: the pods run", lambda: w.running("web", 3) and w.running("polite", 1))


def poweroff(w):
    w.guest.run("rm -f /var/notes/*; : >/var/log/nacelle-agent.log; : >/var/log/nacelle-api/nacelle-api.log; nohup sh -c 'sleep 1; poweroff' >/dev/null 2>&1 &")
    w.check("poweroff ends the machine", w.guest.ends(180), w.console)
    comes_back_after(w, "poweroff")
    w.check("containers were asked to end, and had the time", w.guest.ask("grep -l ended /var/notes/*").status == 0, w.trouble)
    w.equal("poweroff: the disk was given back in order", "", w.guest.ask("dmesg | grep -i 'EXT4-fs.*recover'").output)


def cut(w):
    """The host comes back with another tree of control groups than it went with: cgroup v2 alone."""
    w.equal("Debian's OpenRC has control groups of both versions", "tmpfs cgroup2fs", w.guest.run("stat -fc %T /sys/fs/cgroup /sys/fs/cgroup/unified").replace("\n", " "))
    w.guest.run("echo 'rc_cgroup_mode=unified' >>/etc/rc.conf; sync")
    w.end()
    comes_back_after(w, "power cut")
    w.equal("power cut: cgroup v2 alone", "cgroup2fs", w.guest.run("stat -fc %T /sys/fs/cgroup"))
    w.equal("power cut: the kernel is content", "", w.guest.ask("dmesg | grep -E 'BUG|Oops|EXT4-fs error'").output)


def reset(w):
    done = w.guest.ask("timeout 250 nacelle reset --force")
    w.check("reset succeeds", done.status == 0, lambda: f"{done.status} {done.output} {w.guest.ask('busybox ps').output}\n{w.trouble()}")
    w.equal("reset: neither is of the default runlevel", "", w.guest.ask("rc-update show default | grep nacelle-api").output)
    w.equal("reset: the API service is stopped", "", w.guest.ask("pidof nacelle-api").output)


def part(w):
    for step in (install, kills, restarts, poweroff, cut, reset):
        step(w)
