# The processes of the story: a controller, hosts with an agent and a model server each.
#
# SPDX-License-Identifier: Apache-2.0
"""Starts, watches, restarts and stops real processes, all below one folder."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("KEDGE_BUILD", os.path.join(TOP, "build"))

AGENT_CONF = """\
# Written by packaging/demo.
model "bike-demand" {
    window      = "1d"
    lateness    = "0s"
    label_wait  = "1d"
    performance = "regression"
    executor    = "bike-symlink"
}
link { backoff_min = "100ms"  backoff_max = "2s" }
"""

EXECUTOR_CONF = """\
# Switches the version that the model server beside this agent serves.
executor "bike-symlink" {
    kind    = "symlink"
    actions = {"rollback", "promote", "probe"}
    models  = {"bike-demand"}
    root    = "%(root)s"
    link    = "current"
    folder  = "versions"
    pidfile = "%(root)s/server.pid"
    signal  = "HUP"
    timeout = "10s"
}
"""


class Failed(Exception):
    """What went wrong, for the reader; the story ends with status 1."""


def free_ports(count):
    """The first of `count` neighbouring free ports on loopback."""
    ports = list(range(17600, 32000, 10))
    random.shuffle(ports)  # two stories at once do not race for the same ones
    for base in ports:
        held = []
        try:
            for port in range(base, base + count):
                s = socket.socket()
                held.append(s)
                s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise Failed("no free ports on 127.0.0.1")


def wait_for(what, ready, seconds=120, step=0.02):
    until = time.monotonic() + seconds
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed("waited %d s for %s" % (seconds, what))
        time.sleep(step)


class Process:
    """One program with its log; restart() starts it again after a kill."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, command, log
        self.child = None

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log,
                                          start_new_session=True)

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        if not self.is_running():
            return
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines=12):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-lines:])


class Controller(Process):
    def __init__(self, folder):
        self.folder = folder
        self.conf = os.path.join(folder, "kedge.conf")
        port = free_ports(3)
        run(["kedge", "ctl", "init", folder, "--port", str(port)])
        super().__init__("controller", [program("kedge-controller"), "run", "--dir",
                                        folder], os.path.join(folder, "..",
                                                              "controller.log"))

    def kedge(self, *words, fine=(0,)):
        """The operators' command; its JSON answer as Python data."""
        for _ in range(10):
            done = subprocess.run([program("kedge"), "--config", self.conf, *words,
                                   "-o", "json"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            # A machine under load may not answer within the command's ten seconds.
            if done.returncode != 5 or not self.is_running():
                break
        if done.returncode not in fine:
            raise Failed("kedge %s: exit %d: %s" % (" ".join(words), done.returncode,
                                                     done.stderr.decode().strip()))
        return json.loads(done.stdout or b"{}")

    def is_answering(self):
        try:
            self.kedge("fleet", "status")
            return True
        except (Failed, ValueError):
            return False


class Host:
    """A serving host: agent, model server, and the symlink that both look at."""

    def __init__(self, name, folder, models, controller):
        self.name, self.folder, self.models = name, folder, models
        self.controller = controller
        self.agent_folder = os.path.join(folder, "agent")
        os.makedirs(os.path.join(folder, "versions"))
        self.install("v1")
        self.point("v1")
        self.enroll()
        self.agent = Process(name + " agent", [program("kedge-agent"), "run", "--dir",
                                               self.agent_folder],
                             folder + "-agent.log")
        self.server = Process(name + " server", [
            sys.executable, os.path.join(HERE, "server.py"), "--root", folder,
            "--agent", os.path.join(self.agent_folder, "agent.sock")],
            folder + "-server.log")
        self.link = None

    def install(self, version):
        """Copies a version's artifact to this host, as a package would."""
        to = os.path.join(self.folder, "versions", version)
        os.makedirs(to)
        for name in ("model.json", "MANIFEST"):
            shutil.copy(os.path.join(self.models, version, name), to)

    def point(self, version):
        """current -> versions/<version>, atomically."""
        new = os.path.join(self.folder, "current.new")
        os.symlink(os.path.join("versions", version), new)
        os.rename(new, os.path.join(self.folder, "current"))

    def serves(self):
        return os.path.basename(os.readlink(os.path.join(self.folder, "current")))

    def enroll(self):
        token = self.controller.kedge("agent", "token", "--expires", "10m", "--models",
                                      "bike-demand", "--host", self.name)["line"]
        done = subprocess.run([program("kedge-agent"), "enroll", "--dir",
                               self.agent_folder, "--host", self.name, "-"],
                              input=token.encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Failed("enrolling %s: %s" % (self.name, done.stdout.decode().strip()))
        with open(os.path.join(self.agent_folder, "agent.conf"), "w") as f:
            f.write(AGENT_CONF)
        executors = os.path.join(self.agent_folder, "executors.d")
        os.makedirs(executors, exist_ok=True)
        with open(os.path.join(executors, "bike-symlink.conf"), "w") as f:
            f.write(EXECUTOR_CONF % {"root": self.folder})

    def deploy(self, version):
        """What a deployment tool does: install, switch the symlink, signal the server."""
        self.install(version)
        self.point(version)
        self.server.child.send_signal(signal.SIGHUP)

    def start(self):
        self.agent.start()
        self.server.start()
        port_file = os.path.join(self.folder, "server.port")
        wait_for("the model server of " + self.name,
                 lambda: os.path.exists(port_file) and os.path.getsize(port_file))
        with open(port_file) as f:
            self.link = http.client.HTTPConnection("127.0.0.1", int(f.read()))

    def ask(self, path, row=None):
        body = None if row is None else json.dumps(row)
        self.link.request("GET" if row is None else "POST", path, body)
        answer = self.link.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise Failed("%s answered %d on %s" % (self.name, answer.status, path))
        return json.loads(data)


def program(name):
    return os.path.join(BUILD, name)


def run(command):
    done = subprocess.run([program(command[0])] + command[1:], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failed("%s: exit %d: %s" % (" ".join(command), done.returncode,
                                          done.stdout.decode().strip()))
    return done.stdout.decode()
