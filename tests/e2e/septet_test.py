# SPDX-License-Identifier: BSD-2-Clause
#
# septet_test - a throw-away site for tests of the real programs, a reader of
# envelopes that shares no code with them, and TAP
#
#     from septet_test import Site, equal, main
#
#     def test_something():
#         with Site() as site:
#             site.list("dev")
#             site.drop(b"To: dev@lists.example.org\n\nHello.\n")
#             site.drain("inbound")
#             equal(site.one("auth").get("Role"), "post")
#
#     main(globals())
#
# SEPTET_BIN: the folder of the programs, else build/bin.  A site whose test
# failed is kept, and its place said.

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get("SEPTET_BIN", os.path.join(ROOT, "build", "bin"))
DOMAIN = "lists.example.org"
STAGES = ["inbound", "auth", "moderation", "pending", "outbound", "bounce",
          "command"]
PLACES = ["new", "later", "held", "dead", "cur"]
PARTS = ["msg", "head", "rcpt", "result", "journal"]
PATIENCE = 30
MAGIC = b"Septet-Envelope: 1\n"


# ---- files and waiting ----------------------------------------------------

def read(path, missing=None):
    """The bytes of a file; `missing` where there is none, if given."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        if missing is None:
            raise
        return missing


def put(path, data):
    """Write a file so that nobody sees half of it."""
    if isinstance(data, str):
        data = data.encode()
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.rename(path + ".part", path)


def names(folder):
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def wait_for(what, told, patience=PATIENCE):
    """Until told() is true; its value."""
    end = time.monotonic() + patience
    while True:
        got = told()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.01)


# ---- envelopes ------------------------------------------------------------

def decode(text):
    return re.sub(rb"\\x([0-9a-f]{2})",
                  lambda m: bytes([int(m.group(1), 16)]), text)


def words(value):
    """The key=value words of a field."""
    out = {}
    for m in re.finditer(r'(?:^|(?<=[ \t]))([a-z0-9._-]+)=("[^"]*"|\S*)',
                         value):
        out.setdefault(m.group(1), decode(
            m.group(2).strip('"').encode()).decode("utf-8", "replace"))
    return out


class Envelope:
    """An envelope, read and checked: seals, sums and numbers of lines."""

    def __init__(self, data, ident=None):
        assert data.startswith(MAGIC), "no envelope: %r" % data[:60]
        self.data = data
        self.id = ident
        self.blocks = []        # lists of (name, value)
        self.trails = []        # dicts, with "time"
        self.claims = 0         # after the last trail
        block, start, crc, at = [], 0, 0, 0
        for line in data.splitlines(keepends=True):
            assert line.endswith(b"\n"), "a torn tail"
            name, value = line[:-1].split(b": ", 1)
            name, value = name.decode(), decode(value).decode(
                "utf-8", "replace")
            at += len(line)
            if name != "Trail":
                block.append((name, value))
                continue
            trail = dict(words(value), time=value.split()[0])
            assert int(trail["lines"]) == len(block), \
                "%s: lines=%s of %d" % (ident, trail["lines"], len(block))
            # Claims and fields, and the Trail up to its sum.
            crc = zlib.crc32(data[start:at - len(line)] +
                             line[:line.rindex(b" crc32=")], crc)
            if trail["crc32"] != "-":
                equal(trail["crc32"], "%08x" % crc, "crc32")
            self.blocks.append(block)
            self.trails.append(trail)
            block, start = [], at
        self.claims = len(block)
        assert all(n == "Claim" for n, _ in block), "an unsealed tail"

    @property
    def trail(self):
        return self.trails[-1]

    def all(self, name):
        """A field's values in the last block that has it."""
        for block in reversed(self.blocks):
            out = [v for n, v in block if n.lower() == name.lower()]
            if out:
                return out
        return []

    def get(self, name):
        found = self.all(name)
        return found[0] if found else None


# ---- a site ---------------------------------------------------------------

class Site:
    """A site in a folder of its own.  Keys are those of the site file; queues
    is YAML text for below its queues:."""

    def __init__(self, queues="", **keys):
        self.root = tempfile.mkdtemp(prefix="septet-test.")
        self.file = os.path.join(self.root, "septet.yaml")
        self.spool = os.path.join(self.root, "spool")
        self.lists = os.path.join(self.root, "lists")
        self.env = dict(os.environ, SEPTET_SITE=self.file, SEPTET_PROGRAMS=BIN,
                        SEPTET_TEMPLATES=os.path.join(ROOT, "config",
                                                      "templates"))
        self.env.pop("NOTIFY_SOCKET", None)
        self.queues = STAGES + re.findall(r"^  ([a-z0-9-]+):", queues, re.M)
        self.processes = []
        self.log = ""           # stderr of all that ran to its end
        self.dropped = 0
        for queue in self.queues:
            for place in PLACES + ["tmp", "status"]:
                os.makedirs(self.path(queue, place), exist_ok=True)
        for part in PARTS:
            os.makedirs(self.path(part), exist_ok=True)
        os.mkdir(self.lists)
        self.write(queues, **keys)

    def write(self, queues="", **keys):
        """The site file, anew."""
        keys = dict({"site": DOMAIN, "host": "a", "spool": "spool",
                     "lists": "lists", "run": "run", "low_space": "0",
                     "owner": "postmaster@example.org"}, **keys)
        text = "".join("%s: %s\n" % item for item in keys.items())
        put(self.file, text + ("queues:\n" + queues if queues else ""))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        if kind is None:
            shutil.rmtree(self.root, ignore_errors=True)
        else:
            for line in self.log.splitlines()[-20:]:
                print("# " + line)
            print("# kept: " + self.root)

    def path(self, *parts):
        return os.path.join(self.spool, *parts)

    # -- programs

    def run(self, program, *arguments, code=0, stdin=b"", **env):
        """Run a program to its end: the CompletedProcess.  code None: any."""
        got = subprocess.run(
            [os.path.join(BIN, program), *arguments], input=stdin,
            env=dict(self.env, **env), capture_output=True, timeout=120)
        self.log += got.stderr.decode("utf-8", "replace")
        assert code is None or got.returncode == code, "%s: exit %d\n%s%s" % (
            program, got.returncode, got.stdout.decode("utf-8", "replace"),
            got.stderr.decode("utf-8", "replace")[-3000:])
        return got

    def drain(self, *queues, **keys):
        """Each queue's own runner, until it finds nothing more to do."""
        for queue in queues:
            self.run("septet-" + queue, "--drain", **keys)

    def start(self, program, *arguments, **keys):
        """A program that is killed when the test ends."""
        keys.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([os.path.join(BIN, program), *arguments],
                                   env=dict(self.env), **keys)
        self.processes.append(process)
        return process

    # -- what goes in

    def list(self, name, **keys):
        """A list without members, made by hand: its folder.  For one with a
        roster use septet(1) through run()."""
        address = name if "@" in name else name + "@" + DOMAIN
        keys = dict({"addresses": "[%s]" % address,
                     "owners": "[owner@example.org]"}, **keys)
        folder = os.path.join(self.lists, address)
        os.makedirs(folder, exist_ok=True)
        put(os.path.join(folder, "list.yaml"),
            "".join("%s: %s\n" % item for item in keys.items()))
        return folder

    def drop(self, data, name=None, queue="inbound"):
        """Rename a file into a queue: its path."""
        self.dropped += 1
        name = name or "Drop_%d" % self.dropped
        put(self.path(queue, "tmp", name), data)
        os.rename(self.path(queue, "tmp", name),
                  self.path(queue, "new", name))
        return self.path(queue, "new", name)

    def entry(self, queue, fields, message, by="lmtp", ident=None):
        """Write an entry by hand, as a creator or a shell script would:
        its ID.  fields: (name, value) pairs."""
        self.dropped += 1
        ident = ident or "0k%08d-a-test" % self.dropped
        lines = [("Id", ident)] + list(fields)
        text = MAGIC.decode() + "".join("%s: %s\n" % f for f in lines)
        text += ("Trail: 2026-11-20T09:00:00.000Z host=a queue=%s exit=accept "
                 "to=%s lines=%d crc32=-\n" % (by, queue, text.count("\n")))
        put(self.path("msg", ident), message)
        self.drop(text, ident, queue)
        return ident

    # -- what came of it

    def names(self, queue, place="new"):
        """Names in a place of a queue; in later/ and cur/ all folders'."""
        if place in ("later", "cur"):
            return [n for folder in names(self.path(queue, place))
                    for n in names(self.path(queue, place, folder))]
        return names(self.path(queue, place))

    def entries(self, queue, place="new"):
        """The entries in new/, held/ or dead/."""
        return [Envelope(read(self.path(queue, place, n)), n)
                for n in self.names(queue, place) if "+" not in n]

    def one(self, queue, place="new"):
        """The only entry there."""
        found = self.entries(queue, place)
        assert len(found) == 1, "%d entries in %s/%s, where everything is: " \
            "%r" % (len(found), queue, place, self.where())
        return found[0]

    def where(self):
        """{"auth/new": 2, ...}: every place that is not empty."""
        out = {}
        for queue in self.queues:
            for place in ["tmp"] + PLACES:
                n = len(self.names(queue, place))
                if n:
                    out[queue + "/" + place] = n
        return out

    def part(self, kind, ident):
        """The bytes of msg/ID, head/ID, rcpt/ID or result/ID."""
        return read(self.path(kind, ident))

    def rcpt(self, ident):
        """[(state, address, {words})] of a distribution list."""
        lines = self.part("rcpt", ident).decode().splitlines()
        equal(lines[0], "Septet-Rcpt: 1")
        out = []
        for line in lines[1:]:
            state, address, *rest = line.split("\t")
            out.append((state, address, words(" ".join(rest))))
        return out

    def journal(self):
        """All that is finished, as text."""
        return b"".join(read(self.path("journal", n)) for n in
                        names(self.path("journal"))).decode()


# ---- TAP ------------------------------------------------------------------

class Skip(Exception):
    """Raised by a test that has nothing to work on."""


def shown(value):
    text = repr(value)
    return text if len(text) < 400 else "%s...%s (%d)" % (
        text[:200], text[-200:], len(text))


def equal(have, want, what=""):
    assert have == want, "%shave %s, want %s" % (
        what and what + ": ", shown(have), shown(want))


def main(space):
    """Run the test_ functions of a module; arguments choose by name."""
    wanted = sys.argv[1:]
    tests = [(name[5:], f) for name, f in space.items()
             if name.startswith("test_") and callable(f) and
             (not wanted or any(w in name for w in wanted))]
    failed = 0
    print("1..%d" % len(tests))
    for number, (name, test) in enumerate(tests, 1):
        title = "%d - %s" % (number, name.replace("_", " "))
        try:
            test()
            print("ok " + title)
        except Skip as reason:
            print("ok %s # SKIP %s" % (title, reason))
        except Exception as error:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            first = (str(error).splitlines() or [""])[0]
            print("not ok %s: %s" % (title, first))
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
