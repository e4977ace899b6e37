#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_runner - the process around a stage: options, bell, batches, trouble
#
# septet-pending and septet-auth stand for all of them.  Output is TAP;
# arguments choose among the tests.

import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from septet_test import (DOMAIN, Site, equal, main, names, put,  # noqa: E402
                         read, wait_for)

DEV = "dev@" + DOMAIN
POST = b"From: Ann <ann@example.net>\nSubject: one\n\nHello.\n"
FIELDS = [("Kind", "post"), ("Mail-From", "<ann@example.net>"),
          ("Rcpt-To", "<%s>" % DEV), ("Size", len(POST)),
          ("Body-Offset", POST.index(b"\n\n") + 2), ("List", DEV),
          ("Role", "post"), ("Author", "<ann@example.net>"), ("Auto", "no")]


def make(site):
    site.run("septet", "list", "create", DEV, "--owner", "owner@example.org")
    site.run("septet", "member", "add", DEV, "ann@example.net")


def give(site, queue="auth", ident=None, more=""):
    """A post for a queue; more: text behind its last Trail."""
    ident = site.entry(queue, FIELDS, POST, by="inbound", ident=ident)
    if more:
        path = site.path(queue, "new", ident)
        put(path, read(path) + more.encode())
    return ident


def start(site, program="septet-auth", *arguments):
    log = open(os.path.join(site.root, "log"), "ab")
    with log:
        process = site.start(program, *arguments, stdin=subprocess.PIPE,
                             stderr=log)
    return process


def log_of(site):
    return read(os.path.join(site.root, "log"), b"").decode()


def ring(process):
    process.stdin.write(b"\n")
    process.stdin.flush()


def status(site, queue="auth", instance=None):
    path = site.path(queue, "status", instance or queue + "1")
    return dict(line.split(": ", 1) if ": " in line else (line[:-1], "")
                for line in read(path, b"").decode().splitlines())


# ---- the command line -----------------------------------------------------

def test_help_and_version():
    with Site() as site:
        for name in ("auth", "moderation", "pending", "bounce"):
            got = site.run("septet-" + name, "--help").stdout.decode()
            for word in ("usage: septet-" + name, "--site", "--queue",
                         "--instance", "--log-level", "--drain", "--version"):
                assert word in got, (name, word, got)
            got = site.run("septet-" + name, "--version").stdout.decode()
            equal(got.split()[0], "septet-" + name)


def test_wrong_options():
    with Site() as site:
        for arguments in (["--nonsense"], ["argument"], ["--queue"],
                          ["--drain", "--log-level", "loud"]):
            got = site.run("septet-auth", *arguments, code=64)
            assert got.stderr.count(b"\n") in (1, 2), got.stderr
            equal(site.where(), {})


def test_wrong_site_and_queue():
    with Site(queues="  bulk: {runner: outbound}\n") as site:
        for arguments, why in (
                (["--site", site.root + "/none.yaml"], "none.yaml"),
                (["--queue", "nosuch"], "no queue nosuch"),
                (["--queue", "pending"], "is run by pending, not by auth"),
                (["--queue", "bulk"], "is run by outbound")):
            got = site.run("septet-auth", "--drain", *arguments, code=78)
            assert why in got.stderr.decode(), got.stderr
        put(site.file, "site: x\nnonsense: 1\nmore: 2\n")
        got = site.run("septet-auth", "--drain", code=78)
        assert b"nonsense" in got.stderr and b"more" in got.stderr, got.stderr


def test_a_tree_that_is_not_there():
    with Site() as site:
        shutil.rmtree(site.spool)
        got = site.run("septet-auth", "--drain", code=75)
        assert b"cannot start" in got.stderr, got.stderr
        assert not os.path.exists(site.spool)


def test_a_second_queue_of_the_same_kind():
    with Site(queues="  auth2: {runner: auth, exits: {accept: moderation}}\n"
              ) as site:
        make(site)
        first, second = give(site), give(site, "auth2")
        site.run("septet-auth", "--drain", "--queue", "auth2")
        equal(site.names("auth"), [first])
        entry = site.one("moderation")
        equal(entry.id, second)
        equal((entry.trail["queue"], entry.trail["exit"]), ("auth2", "accept"))
        # A field that auth owns counts from there too.
        equal(entry.get("Identity"),
              "<ann@example.net> from=author member=1")
        assert status(site, "auth2")["instance"] == "auth21"


# ---- the bell -------------------------------------------------------------

def test_rings_and_end():
    with Site() as site:
        make(site)
        process = start(site, "septet-auth", "--instance", "blue")
        give(site)
        wait_for("status", lambda: status(site, instance="blue"))
        time.sleep(0.2)
        equal(site.names("moderation"), [])     # nobody rang
        ring(process)
        wait_for("post", lambda: site.names("moderation"))
        give(site)
        ring(process)
        wait_for("post", lambda: len(site.names("moderation")) == 2)
        got = wait_for("count", lambda: status(site, instance="blue").get(
            "forwarded") == "2" and status(site, instance="blue"))
        equal((got["queue"], got["settled"], got["held"], got["pid"],
               got["last-error"]), ("auth", "2", "0", str(process.pid), ""))
        assert got["owner"].startswith("a.blue."), got
        process.stdin.close()
        equal(process.wait(10), 0)
        # Nothing is left of the owner.
        equal(names(site.path("auth", "cur")), [])


def test_an_end_that_comes_with_a_ring():
    with Site() as site:
        make(site)
        give(site)
        process = start(site)
        ring(process)
        process.stdin.close()
        equal(process.wait(10), 0)
        equal(len(site.names("moderation")), 1)


def test_end_at_once():
    with Site() as site:
        give(site)
        process = start(site)
        process.stdin.close()
        equal(process.wait(10), 0)
        equal(site.where(), {"auth/new": 1})


def test_drain_takes_what_is_due():
    with Site() as site:
        make(site)
        shutil.move(os.path.join(site.lists, DEV, "list.yaml"),
                    os.path.join(site.root, "aside"))
        ident = give(site)
        site.drain("auth")
        equal(site.where(), {"auth/later": 1})
        shutil.move(os.path.join(site.root, "aside"),
                    os.path.join(site.lists, DEV, "list.yaml"))
        site.drain("auth")
        equal(site.where(), {"auth/later": 1})
        site.drain("auth", SEPTET_CLOCK_OFFSET="180")
        equal(site.one("moderation").id, ident)


def test_given_up_after_days():
    with Site(give_up="1h") as site:
        site.list("dev")        # without a roster
        ident = give(site)
        for hours in range(0, 60, 6):
            site.drain("auth", SEPTET_CLOCK_OFFSET=str(3600 * hours))
        entry = site.one("auth", "dead")
        equal(entry.id, ident)
        assert "given up after" in entry.get("Error"), entry.get("Error")
        assert "roster" in entry.get("Error"), entry.get("Error")


# ---- entries that are no good ---------------------------------------------

def test_what_is_no_entry_stops_nobody():
    with Site() as site:
        make(site)
        site.drop(b"a bare message\n\n", "Bare")
        site.drop(b"a bare message\n\n", "Bare", "auth")
        os.mkdir(site.path("auth", "new", "0folder"))
        os.symlink("/etc/passwd", site.path("auth", "new", "0link"))
        os.mkfifo(site.path("auth", "new", "0pipe"))
        with open(site.path("auth", "new", "0sparse"), "wb") as file:
            file.truncate(5 << 30)
        site.drop(b"Septet-Envelope: 1\nId: x\n", "0torn", "auth")
        ident = give(site)
        site.drain("auth")
        equal(site.one("moderation").id, ident)
        equal(site.names("auth") + site.names("auth", "cur"), [])
        # Each as it was, and an envelope that says why.
        equal(len(site.names("auth", "dead")), 12)


def test_no_list_no_field_and_a_lie():
    with Site() as site:
        make(site)
        give(site, ident="0a-a-1")
        for ident, fields, why in (
                ("0b-a-1", {"List": "gone@" + DOMAIN}, "the list is gone"),
                ("0c-a-1", {"List": None}, "no List field"),
                ("0d-a-1", {"List": "../../etc"}, "the list is gone"),
                ("0e-a-1", {"Id": "0x-a-1"}, "stray")):
            lines = [(k, fields.get(k, v)) for k, v in FIELDS
                     if fields.get(k, v) is not None]
            site.entry("auth", lines, POST, by="inbound", ident=ident)
            if "Id" in fields:
                path = site.path("auth", "new", ident)
                put(path, read(path).replace(b"Id: 0e", b"Id: 0x"))
        site.drain("auth")
        equal([e.id for e in site.entries("moderation")], ["0a-a-1"])
        found = {e.id: e.get("Error") for e in site.entries("auth", "dead")}
        equal(sorted(found), ["0b-a-1", "0c-a-1", "0d-a-1", "0e-a-1"])
        assert "stray" in found["0e-a-1"], found
        equal(found["0c-a-1"], "no List field: inbound has not seen this")
        equal(found["0b-a-1"], "the list is gone")


def test_a_body_beyond_the_message():
    with Site() as site:
        make(site)
        lines = [(k, 10 ** 6 if k == "Body-Offset" else v) for k, v in FIELDS]
        site.entry("pending", lines, POST, by="inbound", ident="0a-a-1")
        lines = [(k, 10 ** 9 if k == "Body-Offset" else v) for k, v in FIELDS]
        site.entry("pending", lines, POST, by="inbound", ident="0b-a-1")
        ident = give(site, "pending")
        site.drain("pending")
        equal([e.id for e in site.entries("outbound")], [ident])
        equal([e.get("Error") for e in site.entries("pending", "dead")],
              ["the message is shorter than its Body-Offset",
               "a header block over 1 MiB"])


def test_no_room_for_a_childs_id():
    with Site(queues="  pending: {recipients: 1}\n") as site:
        make(site)
        site.run("septet", "member", "add", DEV, "bob@example.net")
        give(site, "pending", ident="0" + "x" * 60)
        ident = give(site, "pending")
        site.drain("pending")
        assert ident in site.names("outbound")
        entry = site.one("pending", "dead")
        assert "no room" in entry.get("Error"), entry.get("Error")
        # Nothing half-made stays behind.
        equal(names(site.path("pending", "tmp")), [])
        equal(names(site.path("outbound", "tmp")), [])


def test_suspects_and_poison():
    claim = "Claim: %d queue=auth owner=a.auth1.%d\n"
    with Site() as site:
        make(site)
        give(site, ident="0a-a-1")
        give(site, ident="0b-a-1", more=claim % (1, 1))
        give(site, ident="0c-a-1", more=claim % (1, 1) + claim % (2, 2))
        give(site, ident="0d-a-1", more="".join(claim % (n, n)
                                                for n in (1, 2, 3)))
        give(site, ident="0e-a-1")
        site.drain("auth")
        equal([e.id for e in site.entries("moderation")],
              ["0a-a-1", "0b-a-1", "0c-a-1", "0e-a-1"])
        # A batch of its own: what came before was settled before it.
        order = [e.trail["time"] for e in site.entries("moderation")]
        equal(order, sorted(order))
        entry = site.one("auth", "dead")
        equal(entry.id, "0d-a-1")
        assert "poison" in entry.get("Error"), entry.get("Error")


# ---- trouble of the host --------------------------------------------------

def test_trouble_pauses_and_passes():
    with Site() as site:
        make(site)
        ident = give(site, "pending")
        os.rmdir(site.path("pending", "tmp"))
        process = start(site, "septet-pending")
        ring(process)
        wait_for("trouble", lambda: "trouble with" in log_of(site))
        wait_for("status", lambda: ident in status(site, "pending").get(
            "last-error", ""))
        # Put back, unclaimed: no step nearer to being poison.
        wait_for("back", lambda: site.names("pending") == [ident])
        assert b"Claim:" not in read(site.path("pending", "new", ident))
        os.mkdir(site.path("pending", "tmp"))
        # Without a ring: it looks again by itself.
        wait_for("post", lambda: site.names("outbound") == [ident])
        n = log_of(site).count("trouble with")
        assert n <= 3, "%d times in a few seconds" % n
        process.stdin.close()
        equal(process.wait(10), 0)


def test_trouble_ends_a_drain():
    with Site() as site:
        make(site)
        ident = give(site, "pending")
        os.rmdir(site.path("pending", "tmp"))
        site.run("septet-pending", "--drain", code=75)
        equal(site.names("pending"), [ident])
        equal(names(site.path("pending", "cur")), [])


def test_end_while_it_pauses():
    with Site() as site:
        make(site)
        give(site, "pending")
        os.rmdir(site.path("pending", "tmp"))
        process = start(site, "septet-pending")
        ring(process)
        wait_for("trouble", lambda: "trouble with" in log_of(site))
        process.stdin.close()
        equal(process.wait(10), 0)


def test_one_lists_trouble_is_its_own():
    with Site() as site:
        make(site)
        site.run("septet", "list", "create", "ops@" + DOMAIN, "--owner",
                 "owner@example.org")
        for name in ("members.tdb", "state.tdb"):
            put(os.path.join(site.lists, "ops@" + DOMAIN, name), b"rubbish")
        lines = [(k, "ops@" + DOMAIN if k == "List" else v)
                 for k, v in FIELDS]
        for queue in ("auth", "moderation", "pending", "bounce"):
            site.entry(queue, lines, POST, by="inbound")
            give(site, queue)
            site.drain(queue)
            equal(len(site.names(queue, "later")), 1, queue)
            equal(site.names(queue) + site.names(queue, "dead"), [], queue)


def test_claims_taken_over():
    with Site() as site:
        make(site)
        process = start(site)
        owner, = wait_for("owner", lambda: names(site.path("auth", "cur")))
        os.rename(site.path("auth", "cur", owner),
                  site.path("auth", "cur", "a.other.9"))
        ident = give(site)
        ring(process)
        equal(process.wait(10), 75)
        equal(site.names("auth"), [ident])


main(globals())
