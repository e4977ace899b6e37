#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_idle - a site that does nothing costs nothing: memory and wake-ups
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.  SEPTET_SANITIZED: memory is not measured.

import re
import sys
import time

sys.dont_write_bytecode = True
from live_site import SANITIZED, LiveSite  # noqa: E402
from septet_test import (DOMAIN, Skip, equal, main, names, read,
                         wait_for)         # noqa: E402

DEV = "dev@" + DOMAIN
MEMBERS = ["ann@example.net", "bob@example.net", "cyd@example.net"]
PSS_MAX_KB = 40 * 1024
SECONDS = 5
# A wake-up a minute is no polling; a test that looks for five seconds may meet
# the end of something.
WAKES_MAX = 2


def use(site):
    """As after a demo: every program has done what it does."""
    site.make_list("dev", MEMBERS)
    site.start()
    message = b"From: %s\nSubject: %d\nMessage-ID: <%d@example.net>\n\nx\n"
    site.post([(m, [DEV], message % (m.encode(), n, n))
               for n, m in enumerate(MEMBERS)])
    site.post([("eve@example.org", [DEV], message % (b"eve@example.org", 9, 9)),
               ("", ["dev-bounces@" + DOMAIN], b"Subject: x\n\nx\n"),
               ("eve@example.org", ["dev-join@" + DOMAIN],
                b"From: eve@example.org\n\n")])
    site.settle()
    for member in MEMBERS:
        equal(len(site.mail(member)), len(MEMBERS), member)


def pss(pid):
    text = read("/proc/%d/smaps_rollup" % pid).decode()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M).group(1))


def wakes(pids):
    """Voluntary context switches of all threads."""
    total = {}
    for pid in pids:
        for task in names("/proc/%d/task" % pid):
            text = read("/proc/%d/task/%s/status" % (pid, task)).decode()
            total[pid] = total.get(pid, 0) + int(re.search(
                r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))
    return total


def program(pid):
    return read("/proc/%d/comm" % pid).decode().strip()


def test_memory_of_an_idle_site():
    if SANITIZED:
        raise Skip("sanitizers need more")
    with LiveSite() as site:
        use(site)
        pids = site.pids()
        assert len(pids) == len(site.status()), "%d processes" % len(pids)
        each = {pid: pss(pid) for pid in pids}
        print("# %d processes: %s" % (len(pids), ", ".join(
            "%s %d kB" % (program(pid), kb) for pid, kb in each.items())))
        print("# together %.1f MB PSS" % (sum(each.values()) / 1024))
        assert sum(each.values()) < PSS_MAX_KB, "%d kB" % sum(each.values())


def test_an_idle_site_sleeps():
    with LiveSite() as site:
        use(site)
        pids = site.pids()

        # Statistics are published a second after the last change.
        def calm():
            before = wakes(pids)
            time.sleep(1.5)
            return wakes(pids) == before

        wait_for("an end of all that was going on", calm)
        before = wakes(pids)
        time.sleep(SECONDS)
        after = wakes(pids)
        woken = {program(pid): after[pid] - before[pid] for pid in pids
                 if after[pid] != before[pid]}
        print("# %d processes, %d s: %d wake-ups %s" % (
            len(pids), SECONDS, sum(woken.values()), woken or ""))
        assert sum(woken.values()) <= WAKES_MAX, repr(woken)


if __name__ == "__main__":
    main(globals())
