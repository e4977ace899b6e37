#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_supervisor - the supervisor with stand-ins for the runners
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.

import concurrent.futures
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
from supervisor_site import (PATIENCE, QUEUES, ROOT, SUPERVISOR, Site,
                             children, equal, is_alive, read, run,
                             wait_for)  # noqa: E402


def test_starts_all_and_rings():
    with Site() as site:
        site.start()
        for queue in QUEUES:
            site.wait_count("ring", queue + "1", 1)
            for folder in ("tmp", "new", "cur", "later", "held", "dead"):
                assert os.path.isdir(os.path.join(site.spool, queue, folder))
        status = site.status()
        equal(sorted(status), sorted(
            ["supervisor", "lmtp"] + [q + "1" for q in QUEUES]))
        equal(status["supervisor"]["pid"], str(site.process.pid))
        for name, words in status.items():
            equal(words["state"], "up")
            assert is_alive(int(words["pid"])), name
            if name != "supervisor":
                equal((words["restarts"], words["exit"]), ("0", "-"))
        site.stop()


def test_arguments_of_runners():
    with Site(queues="  bulk: {runner: outbound}\n") as site:
        site.on("start", "bulk1",
                "tr '\\0' ' ' </proc/$$/cmdline >\"$STAND_IN/args\"; "
                "ls -l /proc/$$/fd >\"$STAND_IN/fds\"")
        site.start("--log-level", "warn")
        site.wait_count("ring", "bulk1", 1)
        args = read(os.path.join(site.stand_in, "args"))
        assert args.endswith(
            "septet-outbound --site %s --queue bulk --instance bulk1 "
            "--log-level warn " % site.file), args
        # The script itself and ls's own are beside 0, 1 and 2.
        fds = read(os.path.join(site.stand_in, "fds"))
        assert "supervisor.lock" not in fds and "inotify" not in fds, fds
        assert "signalfd" not in fds and fds.count("pipe:") == 1, fds
        site.stop()


def test_rings_for_a_drop():
    with Site() as site:
        site.start()
        site.wait_count("ring", "auth1", 1)
        site.quiet()
        before = {q: site.count("ring", q + "1") for q in QUEUES}
        site.drop("auth", "0aaaaaaaaa-a-01")
        site.wait_count("ring", "auth1", before["auth"] + 1)
        with open(os.path.join(site.spool, "auth", "tmp", "half"), "w") as f:
            f.write("half")
        site.quiet()
        for queue in QUEUES:
            want = before[queue] + (queue == "auth")
            equal((queue, site.count("ring", queue + "1")), (queue, want))
        os.link(os.path.join(site.spool, "auth", "tmp", "half"),
                os.path.join(site.spool, "auth", "new", "0aaaaaaaaa-a-02"))
        site.wait_count("ring", "auth1", before["auth"] + 2)
        site.stop()


def test_rings_every_instance():
    with Site(queues="  outbound: {instances: 3}\n") as site:
        site.start()
        site.wait_count("ring", "outbound3", 1)
        site.quiet()
        before = [site.count("ring", "outbound%d" % n) for n in (1, 2, 3)]
        site.drop("outbound", "0aaaaaaaaa-a-01")
        for n in (1, 2, 3):
            site.wait_count("ring", "outbound%d" % n, before[n - 1] + 1)
        site.stop()


def test_a_busy_runner_has_one_ring_waiting():
    with Site() as site:
        site.on("ring", "auth1",
                'while [ -f "$STAND_IN/busy" ]; do sleep 0.05; done')
        open(os.path.join(site.stand_in, "busy"), "w").close()
        site.start()
        site.wait_count("ring", "auth1", 1)
        for n in range(20):
            site.drop("auth", "0aaaaaaaaa-a-%02d" % n)
            time.sleep(0.01)
        equal(site.count("ring", "auth1"), 1)
        os.unlink(os.path.join(site.stand_in, "busy"))
        site.wait_count("ring", "auth1", 2)
        site.quiet()
        equal(site.count("ring", "auth1"), 2)
        site.stop()


def test_rings_when_due():
    with Site() as site:
        # Five seconds before a full minute of the supervisor's clock.
        now = time.time()
        offset = 55 - int(now % 60)
        minute = int((now + offset) // 60) + 1
        site.start(offset=offset)
        site.wait_count("ring", "outbound1", 1)
        site.quiet()
        # What is due already and stays is rung for, without end it is not;
        # nor does it hide what is due next.
        before = site.count("ring", "outbound1")
        site.later("outbound", minute - 5)
        site.wait_count("ring", "outbound1", before + 1)
        site.later("outbound", minute)
        site.later("outbound", minute + 50)
        site.quiet()
        before = site.count("ring", "outbound1")
        assert time.time() + offset < minute * 60, "this machine is too slow"
        site.wait_count("ring", "outbound1", before + 1)
        site.quiet()
        rings = site.events("ring", "outbound1")
        equal(len(rings), before + 1)
        assert rings[-1][0] + offset >= minute * 60, "rung too early"
        assert rings[-1][0] + offset < minute * 60 + 2, "rung too late"
        site.stop()


def test_polls():
    with Site(queues="  inbound: {poll: 1s}\n") as site:
        site.start()
        site.wait_count("ring", "auth1", 1)
        site.quiet()
        before = site.count("ring", "auth1")
        site.wait_count("ring", "inbound1", site.count("ring", "inbound1") + 3)
        times = [e[0] for e in site.events("ring", "inbound1")][-3:]
        for a, b in zip(times, times[1:]):
            assert 0.8 < b - a < 3, "polled after %.2f s" % (b - a)
        equal(site.count("ring", "auth1"), before)
        site.stop()


def test_slow_timer():
    with Site(timer="2s") as site:
        site.start()
        site.wait_count("ring", "bounce1", 1)
        site.quiet()
        for queue in QUEUES:
            site.wait_count("ring", queue + "1",
                            site.count("ring", queue + "1") + 1)
        site.stop()


def test_idle_is_idle():
    with Site() as site:
        site.start()
        site.wait_count("ring", "outbound1", 1)
        site.quiet()

        def switches():
            text = read("/proc/%d/status" % site.process.pid)
            return int(re.search(r"voluntary_ctxt_switches:\s*(\d+)",
                                 text).group(1))
        wait_for(lambda: len(children(site.process.pid)) == len(QUEUES) + 1,
                 "the sweep's end")
        before = switches()
        time.sleep(2)
        equal(switches() - before, 0)
        site.stop()


def test_restarts_what_dies():
    with Site() as site:
        site.start()
        site.wait_count("ring", "pending1", 1)
        former = site.pid("pending1")
        os.kill(former, signal.SIGKILL)
        site.wait_count("start", "pending1", 2)
        site.wait_state("pending1", "up")
        words = site.status()["pending1"]
        equal((words["restarts"], words["exit"]), ("1", "signal:9"))
        assert int(words["pid"]) != former
        site.wait_count("ring", "pending1", 2)
        assert "service=pending1 state=backoff was=up exit=signal:9" in \
            site.log()
        for pid in children(site.process.pid):
            assert is_alive(pid), "a zombie"
        equal(site.count("start", "auth1"), 1)
        site.stop()


def test_restarts_exit_0():
    with Site() as site:
        site.on("ring", "auth1", "exit 0")
        site.start()
        site.wait_count("start", "auth1", 3)
        site.off("ring", "auth1")
        site.wait_state("auth1", "up")
        equal(site.status()["auth1"]["exit"], "0")
        site.stop()


def test_backs_off():
    with Site() as site:
        site.on("start", "auth1", "exit 75")
        site.start()
        site.wait_count("start", "auth1", 6)
        times = [e[0] for e in site.events("start", "auth1")]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert gaps[0] >= 0.07, gaps
        assert gaps[4] > 4 * gaps[0] or gaps[4] > 1, gaps
        assert gaps[4] > gaps[2] > gaps[0], gaps
        wait_for(lambda: "state=backoff was=up exit=75 failures=6" in
                 site.log(), "failures=6")
        # One that waits does not hold up the end, and the rest lives.
        site.drop("inbound", "a")
        site.wait_count("ring", "inbound1", 2)
        site.stop()
        equal(site.status()["auth1"]["state"], "down")


def test_bad_config_is_not_restarted():
    with Site() as site:
        site.on("start", "auth1", "exit 78")
        site.start()
        site.wait_state("auth1", "failed")
        site.drop("auth", "0aaaaaaaaa-a-01")
        time.sleep(0.5)
        equal(site.count("start", "auth1"), 1)
        assert re.search(r"error service=auth1 state=failed .*exit=78",
                         site.log())
        site.off("start", "auth1")
        site.process.send_signal(signal.SIGHUP)
        site.wait_count("ring", "auth1", 1)
        site.wait_state("auth1", "up")
        site.stop()


def test_missing_program():
    with Site() as site:
        os.unlink(os.path.join(site.programs, "septet-auth"))
        site.start()
        site.wait_count("ring", "outbound1", 1)
        site.wait_state("auth1", "backoff")
        assert "cannot start %s/septet-auth: No such file" % site.programs in \
            site.log()
        # It never was up, nor is that said.
        assert "service=auth1 state=backoff was=starting" in site.log()
        assert "auth1 state=backoff was=up" not in site.log(), site.log()
        site.program("auth")
        site.wait_count("ring", "auth1", 1)
        site.stop()


def refused(site, *texts):
    """It says one thing, ends with 78, and has started nothing."""
    got = run("--site", site.file, env=site.env)
    equal((got.returncode, got.stderr.count("\n")), (78, 1))
    for text in texts:
        assert text in got.stderr, got.stderr
    equal(site.events(), [])


def test_no_program_at_all():
    with Site() as site:
        wrong = os.path.join(site.root, "nowhere")
        site.env["SEPTET_PROGRAMS"] = wrong
        refused(site, "error programs %s: no runner can be executed" % wrong,
                "No such file", "SEPTET_PROGRAMS")
        del site.env["SEPTET_PROGRAMS"]
        site.write(programs=wrong)
        refused(site, wrong, "(programs: in %s," % site.file)
        for name in os.listdir(site.programs):
            os.chmod(os.path.join(site.programs, name), 0o644)
        site.write(programs="programs")
        refused(site, site.programs, "Permission denied")
        # A reload to such a file is not one.
        for name in os.listdir(site.programs):
            os.chmod(os.path.join(site.programs, name), 0o755)
        site.start()
        site.write(programs=wrong)
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded()
        assert "programs %s: no runner" % wrong in site.log(), site.log()
        assert "config of before stays" in site.log(), site.log()
        equal(site.status()["auth1"]["restarts"], "0")
        site.stop()


def test_programs_beside_a_moved_supervisor():
    data = open(SUPERVISOR, "rb").read()
    for folder in re.findall(rb"(/[!-~]*/lib/septet)\0", data):
        if os.path.exists(folder):
            return "there is a %s" % folder.decode()
    with Site() as site:
        del site.env["SEPTET_PROGRAMS"]
        site.start(program=shutil.copy(SUPERVISOR, site.programs))
        site.wait_count("ring", "auth1", 1)
        site.stop()


def test_unknown_user():
    if os.geteuid() != 0:
        return "needs root"
    with Site() as site:
        site.write(user="nosuch-user")
        refused(site, "there is no user nosuch-user",
                "(user: in %s)" % site.file)
        site.write(user="nobody", group="nosuch-group")
        refused(site, "there is no group nosuch-group",
                "(group: in %s)" % site.file)


def give(user, *paths):
    for path in paths:
        for folder, _, files in os.walk(path):
            os.chown(folder, user.pw_uid, user.pw_gid)
            for name in files:
                os.chown(os.path.join(folder, name), user.pw_uid, user.pw_gid)


def test_user_without_rights():
    if os.geteuid() != 0:
        return "needs root"
    nobody = pwd.getpwnam("nobody")
    with Site() as site:
        lists = os.path.join(site.root, "lists")
        os.chmod(site.root, 0o755)
        site.start()
        assert site.log().count("runners run as root") == 1, site.log()
        site.stop()
        os.unlink(os.path.join(site.stand_in, "log"))
        site.write(user="nobody")
        text = "%s: not writable by user nobody (user: in %s)"
        got = run("--site", site.file, env=site.env)
        equal(got.returncode, 78)
        # run is the supervisor's to give away, the others are not.
        for path in (site.spool, lists):
            assert text % (path, site.file) in got.stderr, got.stderr
        equal((got.stderr.count("\n"), site.events()), (2, []))
        os.chown(site.spool, nobody.pw_uid, nobody.pw_gid)
        give(nobody, lists)
        refused(site, text % (os.path.join(site.spool, "msg"), site.file))
        give(nobody, site.spool)
        before = site.log()
        site.start()
        site.wait_count("start", "auth1", 1)
        assert "as root" not in site.log()[len(before):], site.log()
        site.stop()


def test_starter_without_rights():
    if os.geteuid() != 0:
        return "needs root"
    nobody = pwd.getpwnam("nobody")
    with Site() as site:
        os.chmod(site.root, 0o755)
        give(nobody, site.spool)
        os.mkdir(os.path.join(site.root, "run"))
        give(nobody, os.path.join(site.root, "run"))
        program = shutil.copy(SUPERVISOR, site.root)
        got = subprocess.run(
            [program, "--site", site.file], env=site.env, user="nobody",
            group=nobody.pw_gid, extra_groups=[], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE)
        equal(got.returncode, 78)
        assert "%s/lists: not writable by user nobody, who starts" % \
            site.root in got.stderr, got.stderr


def test_recovery_that_fails_says_how():
    with Site() as site:
        with open(os.path.join(site.spool, "auth"), "w"):
            pass
        site.start(wait=False)
        wait_for(lambda: "recovery did not finish: exit=75" in site.log(),
                 "exit=75")
        site.process.send_signal(signal.SIGTERM)
        equal(site.process.wait(timeout=60), 0)


def test_ctrl_c_reaches_a_runner_first():
    with Site(lmtp="{listen: [\"127.0.0.1:8024\"]}") as site:
        site.on("start", "lmtp", "trap 'exit 0' INT; say trap")
        site.start()
        site.wait_count("trap", "lmtp", 1)
        pid = site.pid("lmtp")
        # Both come to the supervisor in one turn.
        site.process.send_signal(signal.SIGSTOP)
        os.kill(pid, signal.SIGINT)
        wait_for(lambda: not is_alive(pid), "lmtp has ended")
        site.process.send_signal(signal.SIGINT)
        site.process.send_signal(signal.SIGCONT)
        equal(site.process.wait(timeout=60), 0)
        log = site.log()
        assert "backoff" not in log and " warn service" not in log, log
        assert "service=lmtp state=down was=stopping exit=0" in log, log
        equal(site.count("start", "lmtp"), 1)


def test_since():
    with Site() as site:
        site.start()
        status = site.status()
        since = status["supervisor"]["since"]
        for name, words in status.items():
            assert since <= words["since"], (name, since, words)
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded()
        wait_for(lambda: site.status()["supervisor"]["state"] == "up", "up")
        equal(site.status()["supervisor"]["since"], since)
        site.stop()
        assert site.status()["supervisor"]["since"] > since, "its end"


def test_second_is_refused():
    with Site() as site:
        site.start()
        status = site.status()
        second = run("--site", site.file, env=site.env)
        equal(second.returncode, 77)
        assert "pid=%d" % site.process.pid in second.stderr, second.stderr
        equal(second.stderr.count("\n"), 1)
        equal(site.status(), status)
        site.stop()
        site.start()
        site.stop()


def test_kill_9_is_end_of_file():
    with Site() as site:
        site.start()
        site.wait_count("ring", "outbound1", 1)
        site.process.kill()
        site.process.wait()
        for name in [q + "1" for q in QUEUES] + ["lmtp"]:
            site.wait_count("end", name, 1)
        site.start()
        site.wait_count("ring", "outbound1", 2)
        site.stop()


def test_stops_in_order():
    with Site() as site:
        site.on("end", "lmtp", "sleep 0.2")
        site.on("end", "moderation1", "sleep 0.2")
        site.start()
        site.wait_count("start", "lmtp", 1)
        for queue in QUEUES:
            site.wait_count("ring", queue + "1", 1)
        site.stop()
        order = [e[2] for e in site.events("end")]
        equal(order, ["lmtp"] + [q + "1" for q in QUEUES])
        for name, words in site.status().items():
            equal((name, words["state"]), (name, "down"))


def test_stops_the_stubborn():
    with Site() as site:
        site.on("end", "auth1", "trap 'say term; exit 0' TERM; "
                "while :; do sleep 0.1; done")
        site.on("end", "pending1", "trap '' TERM; while :; do sleep 0.1; done")
        site.start("--grace", "1")
        for queue in QUEUES:
            site.wait_count("ring", queue + "1", 1)
        pid = site.pid("pending1")
        site.stop()
        equal(site.count("term", "auth1"), 1)
        assert not is_alive(pid)
        equal(site.status()["pending1"]["exit"], "signal:9")
        equal([e[2] for e in site.events("end")][-1], "outbound1")


def test_rings_while_stopping():
    with Site() as site:
        site.on("end", "inbound1",
                'mv "$STAND_IN/late" "$STAND_IN/../spool/auth/new/late"; '
                'sleep 0.5')
        with open(os.path.join(site.stand_in, "late"), "w") as f:
            f.write("late\n")
        site.start()
        site.wait_count("ring", "inbound1", 1)
        site.wait_count("ring", "auth1", 1)
        site.quiet()
        before = site.count("ring", "auth1")
        site.stop()
        equal(site.count("ring", "auth1"), before + 1)


def test_reload():
    with Site(queues="  outbound: {instances: 2}\n") as site:
        site.start()
        site.wait_count("ring", "outbound2", 1)
        former = site.status()
        log = os.path.join(site.root, "log")
        os.rename(log, log + ".1")
        site.write(queues="  auth: {instances: 2}\n  spamcheck: "
                   "{runner: auth, exits: {accept: moderation}}\n")
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded()
        status = site.status()
        assert "outbound2" not in status, status
        equal(status["auth2"]["state"], "up")
        equal(status["spamcheck1"]["program"], "septet-auth")
        site.wait_count("ring", "spamcheck1", 1)
        site.wait_count("end", "outbound2", 1)
        for queue in QUEUES:
            name = queue + "1"
            assert status[name]["pid"] != former[name]["pid"], name
            equal((name, site.count("end", name)), (name, 1))
        # One queue at a time.
        away = set()
        for name, state in re.findall(r"service=(\S+) state=(\S+)",
                                      site.log()):
            if state == "restarting":
                away.add(name)
                equal(away, {name})
            if state == "up":
                away.discard(name)
        site.quiet()
        before = site.count("ring", "spamcheck1")
        site.drop("spamcheck", "0aaaaaaaaa-a-01")
        site.wait_count("ring", "spamcheck1", before + 1)
        site.stop()
        assert "state=down was=stopping" in site.log()


def test_reload_of_a_bad_file_keeps_all():
    with Site() as site:
        site.start()
        site.wait_count("ring", "outbound1", 1)
        before = site.status()
        site.write(queues="  auth: {instances: many}\n", colour="red")
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded()
        log = site.log()
        assert re.search(r"septet\.yaml:\d+: .*colour", log), log
        assert re.search(r"septet\.yaml:\d+: .*instances", log), log
        assert "the config of before stays" in log
        after = site.status()
        for name in before:
            equal(after[name]["pid"], before[name]["pid"])
        site.write(spool="elsewhere")
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded(2)
        assert "change with a restart only" in site.log()
        equal(site.status()["auth1"]["pid"], before["auth1"]["pid"])
        site.write()
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded(3)
        assert site.status()["auth1"]["pid"] != before["auth1"]["pid"]
        site.stop()


def test_reload_during_reload():
    with Site() as site:
        site.on("end", "inbound1", "sleep 0.5")
        site.start()
        site.wait_count("ring", "inbound1", 1)
        site.process.send_signal(signal.SIGHUP)
        site.wait_count("end", "inbound1", 1)
        site.write(queues="  auth: {instances: 2}\n")
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded(2)
        equal(site.status()["auth2"]["state"], "up")
        site.stop()


def test_stop_during_reload():
    with Site() as site:
        site.on("end", "inbound1", "sleep 0.5")
        site.start()
        site.wait_count("ring", "inbound1", 1)
        site.process.send_signal(signal.SIGHUP)
        site.wait_count("end", "inbound1", 1)
        site.stop()
        equal(site.count("start", "inbound1"), 1)


def test_claims_of_the_dead_come_back():
    with Site() as site:
        # A claim such as a runner leaves: its folder, no lock in run/.
        site.on("ring", "auth1", """
if [ -f "$STAND_IN/../spool/auth/new/0aaaaaaaaa-a-01" ]; then
	mkdir "$STAND_IN/../spool/auth/cur/a.auth1.$$"
	mv "$STAND_IN/../spool/auth/new/0aaaaaaaaa-a-01" \
	    "$STAND_IN/../spool/auth/cur/a.auth1.$$/0aaaaaaaaa-a-01"
	say claimed
	rm "$STAND_IN/auth1.ring"
	kill -9 $$
fi""")
        site.on("start", "auth1",
                'ls -R "$STAND_IN/../spool/auth" >"$STAND_IN/seen.$$"')
        site.start()
        site.wait_count("ring", "auth1", 1)
        site.quiet()
        with open(os.path.join(site.spool, "msg", "0aaaaaaaaa-a-01"),
                  "w") as f:
            f.write("Subject: x\n\nx\n")
        path = os.path.join(site.spool, "auth", "tmp", "0aaaaaaaaa-a-01")
        with open(path, "w") as f:
            f.write("Septet-Envelope: 1\nId: 0aaaaaaaaa-a-01\nKind: post\n"
                    "Trail: 2026-11-20T09:00:00.123Z host=a queue=inbound "
                    "exit=accept to=auth lines=3 crc32=-\n")
        os.rename(path, os.path.join(site.spool, "auth", "new",
                                     "0aaaaaaaaa-a-01"))
        site.wait_count("claimed", "auth1", 1)
        site.wait_count("start", "auth1", 2)
        pid = site.events("start", "auth1")[1][3]
        site.wait_count("ring", "auth1", site.count("ring", "auth1"))
        seen = os.path.join(site.stand_in, "seen.%d" % pid)
        wait_for(lambda: "/dead" in read(seen) and "/tmp" in read(seen),
                 "what the second saw")
        new = re.search(r"/new:\n((?:.+\n)*)", read(seen)).group(1)
        equal(new, "0aaaaaaaaa-a-01\n")
        equal(os.listdir(os.path.join(site.spool, "auth", "cur")), [])
        site.stop()


def test_claims_of_a_stranger_come_back():
    with Site(timer="1s") as site:
        site.start()
        site.wait_count("ring", "auth1", 1)
        cur = os.path.join(site.spool, "auth", "cur")
        os.mkdir(os.path.join(cur, "a.auth9.1"))
        os.mkdir(os.path.join(cur, "a.auth9.2"))
        wait_for(lambda: os.listdir(cur) == [], "an empty cur/")
        site.stop()


def test_vanished_queue():
    with Site(timer="1s") as site:
        site.start()
        site.wait_count("ring", "auth1", 1)
        auth = os.path.join(site.spool, "auth")
        os.rename(auth, auth + ".away")
        os.rename(os.path.join(auth + ".away", "new"),
                  os.path.join(auth + ".away", "new2"))
        wait_for(lambda: "auth/new has vanished" in site.log(), "the log line")
        assert not os.path.exists(auth), "made in a place that may be wrong"
        os.rename(os.path.join(auth + ".away", "new2"),
                  os.path.join(auth + ".away", "new"))
        os.rename(auth + ".away", auth)
        before = site.count("ring", "auth1")
        site.wait_count("ring", "auth1", before + 2)
        site.wait_state("supervisor", "up")
        site.stop()


def test_replaced_queue():
    with Site() as site:
        site.start()
        site.wait_count("ring", "auth1", 1)
        # The supervisor goes on watching what was moved away.
        auth = os.path.join(site.spool, "auth")
        os.rename(auth, os.path.join(site.root, "away"))
        for folder in ("tmp", "new", "cur", "later", "held", "dead"):
            os.makedirs(os.path.join(auth, folder))
        site.process.send_signal(signal.SIGHUP)
        site.wait_reloaded()
        site.quiet()
        before = site.count("ring", "auth1")
        site.drop("auth", "0aaaaaaaaa-a-01")
        site.wait_count("ring", "auth1", before + 1)
        site.stop()


def test_overflow_rings_all():
    limit = int(read("/proc/sys/fs/inotify/max_queued_events") or 0)
    if not 0 < limit <= 65536:
        return "max_queued_events is %d" % limit
    with Site() as site:
        site.start()
        site.wait_count("ring", "outbound1", 1)
        site.quiet()
        before = site.count("ring", "outbound1")
        site.process.send_signal(signal.SIGSTOP)
        new = os.path.join(site.spool, "inbound", "new")
        a, b = os.path.join(new, "a"), os.path.join(new, "b")
        open(a, "w").close()
        for n in range(limit // 2 + 10):
            os.rename(a, b)
            os.rename(b, a)
        site.process.send_signal(signal.SIGCONT)
        site.wait_count("ring", "outbound1", before + 1)
        assert "watch events were lost" in site.log()
        site.stop()


def test_tells_the_service_manager():
    with Site() as site:
        path = os.path.join(site.root, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(PATIENCE)
            site.env["NOTIFY_SOCKET"] = path
            site.start()
            equal(s.recv(500), b"READY=1\nSTATUS=8 of 8 runners are up")
            site.process.send_signal(signal.SIGHUP)
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+",
                                s.recv(500))
            equal(s.recv(500), b"READY=1\nSTATUS=8 of 8 runners are up")
            site.stop()
            equal(s.recv(500), b"STOPPING=1")


def test_wrong_input():
    with Site() as site:
        cases = [
            (["--nonsense"], 64, "nonsense"),
            (["--site", site.file, "more"], 64, "more: no argument"),
            (["--grace", "-1"], 64, "a number from 0 to 3600"),
            (["--ready-fd", "99"], 64, "Bad file descriptor"),
            (["--log-level", "loud"], 64, "debug, info, warn or error"),
            (["--site", site.file + ".none"], 78, "septet.yaml.none"),
        ]
        for arguments, code, text in cases:
            got = run(*arguments, env=site.env)
            equal((arguments, got.returncode), (arguments, code))
            assert text in got.stderr, got.stderr
        equal(os.listdir(site.spool), [])
        os.rmdir(site.spool)
        got = run("--site", site.file, env=site.env)
        equal(got.returncode, 78)
        assert site.spool in got.stderr and "septet init" in got.stderr
        assert not os.path.exists(site.spool)
        for option in ("--help", "--version"):
            equal(run(option).returncode, 0)
        page = read(os.path.join(ROOT, "runners", "supervisor",
                                 "septet-supervisor.8"))
        for option in re.findall(r"--([a-z-]+)", run("--help").stdout):
            assert ("Fl -" + option) in page, option + " has no description"


def attempt(test):
    """(passed, text to follow "ok N - NAME", comment lines)."""
    try:
        skip = test()
        return True, " # SKIP " + skip if skip else "", []
    except Exception:
        return False, "", traceback.format_exc().splitlines()


def main():
    wanted = sys.argv[1:]
    tests = [(n[5:], f) for n, f in globals().items()
             if n.startswith("test_") and (not wanted or n[5:] in wanted)]
    failed = 0
    print("1..%d" % len(tests))
    # Each has a tree of its own and mostly waits.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = pool.map(attempt, [test for name, test in tests])
        for number, (name, result) in enumerate(
                zip([name for name, test in tests], results), 1):
            passed, text, comments = result
            failed += not passed
            for line in comments:
                print("# " + line)
            print("%s %d - %s%s" % ("ok" if passed else "not ok", number,
                                    name.replace("_", " "), text), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
