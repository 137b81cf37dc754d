"""A system bus of a test's own, with python-dbusmock's logind, and systemd as far as it passes signals on to it."""
import os
import re
import subprocess
import tempfile

import dbus

from .node import wait_for

LOGIN, INIT = "org.freedesktop.login1", "org.freedesktop.systemd1"
MANAGER = LOGIN + ".Manager"
MOCK = "org.freedesktop.DBus.Mock"


class Bus:
    """The bus; its address is in `env`, for an agent."""

    def __init__(self, delay_s=5, reloads=True):
        self.directory = tempfile.mkdtemp(prefix="nacelle-bus-")
        self.etc, self.delay_s, self.reloads, self.processes = self.directory + "/etc", delay_s, reloads, []
        self.address = f"unix:path={self.directory}/bus"
        self.env = {"DBUS_SYSTEM_BUS_ADDRESS": self.address}
        os.mkdir(self.etc)
        with open(self.directory + "/conf", "w") as f:
            f.write(f"""<busconfig><type>system</type><listen>{self.address}</listen><auth>EXTERNAL</auth>
                <policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
                <allow receive_type="method_call"/><allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="error"/>
                <allow send_destination="*" eavesdrop="true"/></policy></busconfig>""")

    def start(self):
        self.spawn("dbus-daemon", f"--config-file={self.directory}/conf", "--nofork")
        self.connection = wait_for("bus", self.connect)
        self.mock("--template", "logind")
        self.wait(LOGIN)
        self.logind = self.connection.get_object(LOGIN, "/org/freedesktop/login1")
        self.logind.AddProperty(MANAGER, "InhibitDelayMaxUSec", dbus.UInt64(self.delay_s * 1000000), dbus_interface=MOCK)
        self.mock(INIT, "/org/freedesktop/systemd1", INIT + ".Manager")
        self.wait(INIT)
        self.init = self.connection.get_object(INIT, "/org/freedesktop/systemd1")
        self.init.AddMethod(INIT + ".Manager", "KillUnit", "ssi", "", "", dbus_interface=MOCK)
        return self

    def connect(self):
        try:
            return dbus.bus.BusConnection(self.address)
        except dbus.exceptions.DBusException:
            return None

    def spawn(self, *command):
        self.processes.append(subprocess.Popen(command, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def mock(self, *args):
        self.spawn("/usr/bin/python3", "-m", "dbusmock", "--system", *args)

    def wait(self, name):
        wait_for(name, lambda: self.connection.name_has_owner(name))

    @property
    def before(self):
        """What an agent is started by, so that its /etc/systemd is the test's."""
        return ["unshare", "-m", "sh", "-c", f'mount --bind {self.etc} /etc/systemd && exec "$@"', "sh"]

    def drop_in(self):
        path = self.etc + "/logind.conf.d/99-nacelle.conf"
        if not os.path.exists(path):
            return None
        with open(path) as f:
            return int(re.search(r"^\[Login\]\nInhibitDelayMaxSec=(\d+)$", f.read(), re.M).group(1))

    def signals(self):
        return [tuple(map(str, call[2])) for call in self.init.GetCalls(dbus_interface=MOCK) if call[1] == "KillUnit"]

    def reload(self):
        """What logind does at SIGHUP."""
        self.logind.UpdateProperties(MANAGER, {"InhibitDelayMaxUSec": dbus.UInt64(self.drop_in() * 1000000)}, dbus_interface=MOCK)

    def locks(self):
        return [tuple(map(str, lock[:4])) for lock in self.logind.ListInhibitors(dbus_interface=MANAGER)]

    def prepare(self, begins):
        self.logind.EmitSignal(MANAGER, "PrepareForShutdown", "b", [dbus.Boolean(begins)], dbus_interface=MOCK)

    def end(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(10)
        self.processes = []

    def restart(self):
        """Logind knows nothing of what was."""
        self.end()
        if os.path.exists(self.directory + "/bus"):
            os.unlink(self.directory + "/bus")
        self.start()

    def stop(self):
        self.end()
        subprocess.run(["rm", "-rf", self.directory], check=True)
