# SPDX-License-Identifier: BSD-2-Clause
#
# supervisor_site - a throw-away site with stand-ins for the runners
#
# A stand-in is a shell script that writes down when it was started, rung and
# hung up, and runs a piece of script of the test's at each of these.

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get("SEPTET_BIN", os.path.join(ROOT, "build", "bin"))
SUPERVISOR = os.path.join(BIN, "septet-supervisor")
QUEUES = ["inbound", "auth", "moderation", "pending", "bounce", "command",
          "outbound"]
PATIENCE = 20

STAND_IN = r"""#!/bin/sh
instance=
queue=
while [ $# -gt 0 ]; do
	case $1 in
	--instance) instance=$2; shift ;;
	--queue) queue=$2; shift ;;
	esac
	shift
done
say() {
	printf '%s %s %s %s\n' "$(date +%s.%N)" "$1" "$instance" $$ \
	    >>"$STAND_IN/log"
}
act() {
	if [ -f "$STAND_IN/$instance.$1" ]; then . "$STAND_IN/$instance.$1"; fi
}
say start
act start
while read -r _; do
	say ring
	act ring
done
say end
act end
exit 0
"""


class Site:
    """A throw-away tree with stand-ins, and a supervisor on it."""

    def __init__(self, **keys):
        self.root = tempfile.mkdtemp(prefix="septet-supervisor.")
        self.spool = os.path.join(self.root, "spool")
        self.stand_in = os.path.join(self.root, "stand-in")
        self.programs = os.path.join(self.root, "programs")
        self.file = os.path.join(self.root, "septet.yaml")
        self.env = dict(os.environ, STAND_IN=self.stand_in,
                        SEPTET_PROGRAMS=self.programs)
        self.env.pop("NOTIFY_SOCKET", None)
        self.env.pop("SEPTET_SITE", None)
        self.process = None
        for folder in (self.spool, self.stand_in, self.programs,
                       os.path.join(self.root, "lists")):
            os.mkdir(folder)
        for name in QUEUES + ["lmtp"]:
            self.program(name)
        self.write(**keys)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        # Stand-ins end by themselves when the supervisor does.
        if kind is None:
            shutil.rmtree(self.root, ignore_errors=True)
        else:
            print("# kept: " + self.root)

    def program(self, name, text=STAND_IN):
        path = os.path.join(self.programs, "septet-" + name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def write(self, queues="", **keys):
        keys = dict({"site": "lists.example.org", "host": "a",
                     "spool": "spool", "lists": "lists", "run": "run",
                     "log": "log", "owner": "postmaster@example.org"}, **keys)
        with open(self.file, "w") as f:
            for key, value in keys.items():
                f.write("%s: %s\n" % (key, value))
            if queues:
                f.write("queues:\n" + queues)

    def on(self, event, instance, script):
        with open(os.path.join(self.stand_in,
                               "%s.%s" % (instance, event)), "w") as f:
            f.write(script + "\n")

    def off(self, event, instance):
        os.unlink(os.path.join(self.stand_in, "%s.%s" % (instance, event)))

    def start(self, *options, offset=None, wait=True, program=SUPERVISOR):
        env = dict(self.env)
        if offset is not None:
            env["SEPTET_CLOCK_OFFSET"] = str(offset)
        read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            [program, "--site", self.file, "--ready-fd", str(write_end),
             *options], env=env, pass_fds=[write_end],
            stdin=subprocess.DEVNULL)
        os.close(write_end)
        if wait:
            self.ready = os.read(read_end, 10)
            assert self.ready == b"\n", "not ready: %r" % self.ready
        os.close(read_end)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert code == 0, "exit %d" % code

    def log(self):
        return read(os.path.join(self.root, "log"))

    def events(self, kind=None, instance=None):
        """(time, kind, instance, pid) of what stand-ins wrote down."""
        out = []
        for line in read(os.path.join(self.stand_in, "log")).splitlines():
            when, what, who, pid = line.split()
            if kind in (None, what) and instance in (None, who):
                out.append((float(when), what, who, int(pid)))
        return out

    def count(self, kind, instance):
        return len(self.events(kind, instance))

    def wait_count(self, kind, instance, n):
        wait_for(lambda: self.count(kind, instance) >= n,
                 "%d times %s of %s, have %d" % (
                     n, kind, instance, self.count(kind, instance)))

    def status(self):
        out = {}
        text = read(os.path.join(self.spool, "supervisor.status"))
        for line in text.splitlines():
            name, *words = line.split()
            out[name] = dict(word.split("=", 1) for word in words)
        return out

    def pid(self, instance):
        return int(self.status()[instance]["pid"])

    def wait_state(self, instance, state):
        wait_for(lambda: self.status().get(instance, {}).get("state") == state,
                 "%s is %s" % (instance, state))

    def wait_reloaded(self, n=1):
        """n reloads, good or bad, have come to their end."""
        wait_for(lambda: len(re.findall(
            r"state=up was=(?:reloading|checking)", self.log())) >= n,
            "reload %d" % n)

    def quiet(self):
        """Every ring that is on its way has been taken: instances stand in
        read(2) and no event has come for a moment."""
        before = None
        while before != self.events():
            before = self.events()
            time.sleep(0.3)

    def drop(self, queue, name):
        path = os.path.join(self.spool, queue, "tmp", name)
        with open(path, "w") as f:
            f.write("Subject: x\n\nx\n")
        os.rename(path, os.path.join(self.spool, queue, "new", name))

    def later(self, queue, minute):
        os.mkdir(os.path.join(self.spool, queue, "later", "%010d" % minute))


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited for: " + what
        time.sleep(0.01)


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid):
    text = read("/proc/%d/task/%d/children" % (pid, pid))
    return [int(word) for word in text.split()]


def equal(have, want):
    assert have == want, "have %r, want %r" % (have, want)


def run(*arguments, env=None):
    return subprocess.run([SUPERVISOR, *arguments], env=env, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=PATIENCE)
