#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kill - kill -9 of every program in turn, and of the supervisor, while
# mail flows; all of it arrives, once
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.  SEPTET_KILL_SEED: what decides the moments,
# else 1; SEPTET_FULL: more seeds.

import collections
import os
import random
import re
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
from live_site import QUIET, LiveSite, Lmtp                  # noqa: E402
from septet_test import DOMAIN, PATIENCE, main, wait_for     # noqa: E402

DEV = "dev@" + DOMAIN
POSTS = 300
MEMBERS = ["ann@example.net", "bob@example.net", "cyd@example.net",
           "dan@example.net", "eve@example.net"]
SEED = int(os.environ.get("SEPTET_KILL_SEED", "1"))
# A dead supervisor's instances end when their bell does.
LAST_WORD = 60


def message(number):
    return (b"From: %s\nTo: %s\nSubject: number %d\nMessage-ID: <%d@"
            b"example.net>\n\nThis is number %d.\n%s" % (
                MEMBERS[0].encode(), DEV.encode(), number, number, number,
                b"Some text to be whole.\n" * (number % 50)))


class Flow(threading.Thread):
    """Posts its messages one by one, each until it is taken."""

    def __init__(self, site, numbers):
        super().__init__()
        self.site = site
        self.numbers = numbers
        self.taken = 0
        self.again = 0
        self.error = None

    def run(self):
        client = None
        try:
            for number in self.numbers:
                end = time.monotonic() + LAST_WORD
                while not self.one(client, number):
                    assert time.monotonic() < end, "nobody takes mail"
                    self.again += 1
                    time.sleep(0.05)
                    client = self.connect()
                self.taken += 1
        except Exception as error:
            self.error = error

    def connect(self):
        try:
            return Lmtp(self.site.port)
        except OSError:
            return None

    def one(self, client, number):
        """Was it taken?  Where the answer was lost, it is sent once more, as
        every MTA does."""
        if client is None:
            return False
        try:
            reply, = client.send([(MEMBERS[0], [DEV], message(number))])
        except OSError:
            return False
        assert all(line[0] in "24" for line in reply.lines), reply.lines
        return len(reply.ids) == 1


def pid_of(site, instance):
    """Of an instance that is up, or 0."""
    words = site.status().get(instance, {})
    return int(words["pid"]) if words.get("state") == "up" else 0


def kill_one(site, victim):
    if victim == "supervisor":
        site.supervisor.kill()
        site.supervisor.wait()
        site.start()
        return
    pid = wait_for(victim + " is up", lambda: pid_of(site, victim))
    os.kill(pid, signal.SIGKILL)


def kill_all(site, dice, flows):
    """Every program twice and the supervisor three times, in any order, spread
    over the messages."""
    victims = [name for name in site.status() if name != "supervisor"]
    assert len(victims) == len(QUIET) + 1, victims
    victims = victims * 2 + ["supervisor"] * 3
    dice.shuffle(victims)
    moments = sorted(dice.sample(range(5, POSTS - 5), len(victims)))
    for moment, victim in zip(moments, victims):
        wait_for("message %d" % moment, lambda: sum(
            f.taken for f in flows) >= moment or any(f.error for f in flows),
            LAST_WORD)
        # Not only just after an answer.
        time.sleep(dice.random() / 50)
        kill_one(site, victim)
    return victims


def count(site):
    """{(member, number): times}, and what is not whole."""
    times, broken = collections.Counter(), []
    for member in MEMBERS:
        for name, data in site.mail(member).items():
            number = re.search(rb"\nMessage-ID: <(\d+)@", data)
            number = int(number.group(1)) if number else -1
            times[member, number] += 1
            if number < 0 or not data.endswith(
                    message(number).partition(b"\n\n")[2]):
                broken.append("%s/%s" % (member, name))
    return times, broken


def play(seed):
    dice = random.Random(seed)
    with LiveSite() as site:
        site.make_list("dev", MEMBERS)
        site.start()
        flows = [Flow(site, range(n, POSTS, 2)) for n in range(2)]
        for flow in flows:
            flow.start()
        try:
            victims = kill_all(site, dice, flows)
        finally:
            for flow in flows:
                flow.join()
        for flow in flows:
            assert flow.error is None, repr(flow.error)
        site.settle(PATIENCE * 2)
        times, broken = count(site)
        want = [(m, n) for m in MEMBERS for n in range(POSTS)]
        missing = [key for key in want if times[key] == 0]
        extra = sum(times.values()) - len(times)
        print("# seed %d: %d killed, %d sent again; %d copies, %d missing, "
              "%d twice" % (seed, len(victims), sum(f.again for f in flows),
                            sum(times.values()), len(missing), extra))
        assert not missing, "%d missing: %r" % (len(missing), missing[:10])
        assert extra == 0, "%d came twice: %r" % (
            extra, [key for key, n in times.items() if n > 1][:10])
        assert len(times) == len(want), "nobody posted these"
        assert not broken, "not whole: %r" % broken[:10]
        nothing_is_left(site)


def nothing_is_left(site):
    """But what a killed creator left of a message that it had not taken yet:
    the sweep of another day finds that."""
    where = {place: n for place, n in site.where().items()
             if not place.endswith("/tmp")}
    assert not where, "not finished: %r" % where
    site.stop()
    site.start(SEPTET_CLOCK_OFFSET=str(3 * 86400))
    wait_for("the sweep", lambda: not site.where() and not site.leftovers())
    assert not site.has_restarted(), site.has_restarted()


def test_killed_programs_lose_nothing():
    play(SEED)


def test_killed_programs_lose_nothing_at_other_moments():
    for seed in range(SEED + 1, SEED + (10 if os.environ.get("SEPTET_FULL")
                                        else 2)):
        play(seed)


def test_everything_is_killed_at_once():
    """As by a power switch that leaves the disk alone."""
    with LiveSite() as site:
        site.make_list("dev", MEMBERS)
        site.start()
        flow = Flow(site, range(60))
        flow.start()
        try:
            for moment in (10, 25, 40):
                wait_for("message %d" % moment,
                         lambda: flow.taken >= moment or flow.error, LAST_WORD)
                pids = site.pids()
                os.kill(site.supervisor.pid, signal.SIGKILL)
                for pid in pids:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                site.supervisor.wait()
                site.start()
        finally:
            flow.join()
        assert flow.error is None, repr(flow.error)
        site.settle()
        times, broken = count(site)
        assert times == {(m, n): 1 for m in MEMBERS for n in range(60)}, \
            "%d of %d, %d twice" % (len(times), 60 * len(MEMBERS),
                                    sum(times.values()) - len(times))
        assert not broken, broken
        nothing_is_left(site)


if __name__ == "__main__":
    main(globals())
