#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_septet - the command line tool
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from septet_test import (BIN, DOMAIN, ROOT, Site, Skip, equal,  # noqa: E402
                         main, names, put, read, wait_for)

SEPTET = os.path.join(BIN, "septet")
DEV = "dev@" + DOMAIN
MAIL = b"From: %s\nSubject: %s\nMessage-ID: <%s>\n\nHello.\n"
COMMANDS = ["init", "check", "list create", "list ls", "list show",
            "list delete", "member add", "member ls", "member set",
            "member del", "post", "queue", "show", "trace", "retry", "requeue",
            "discard", "approve", "reject", "maps", "status", "log"]
STAGES = ["inbound", "auth", "moderation", "pending", "outbound"]


class Tool(Site):
    """A site made by septet init, with the list dev."""

    def __init__(self, *members):
        self.root = tempfile.mkdtemp(prefix="septet-test.")
        self.site = os.path.join(self.root, "site")
        self.file = os.path.join(self.site, "septet.yaml")
        self.spool = os.path.join(self.site, "spool")
        self.lists = os.path.join(self.site, "lists")
        self.queues = STAGES + ["bounce", "command"]
        self.processes = []
        self.log = ""
        self.dropped = 0
        self.env = dict(os.environ, SEPTET_SITE=self.file, SEPTET_PROGRAMS=BIN,
                        SEPTET_TEMPLATES=os.path.join(ROOT, "config",
                                                      "templates"))
        for name in ("NOTIFY_SOCKET", "NO_COLOR"):
            self.env.pop(name, None)
        self.run("septet", "init", self.site, "--domain", DOMAIN, "--maildir",
                 "--owner", "postmaster@example.org")
        self.ok("list", "create", DEV, "--owner", "owner@example.org")
        if members:
            self.ok("member", "add", "dev", *members)

    def ok(self, *arguments, stdin=b""):
        """What it prints; nothing may stand on stderr."""
        got = self.run("septet", *arguments, stdin=stdin)
        equal(got.stderr, b"", " ".join(arguments))
        return got.stdout.decode()

    def json(self, *arguments, stdin=b"", code=0):
        return json.loads(self.run("septet", "--json", *arguments, code=code,
                                   stdin=stdin).stdout)

    def bad(self, code, about, *arguments, stdin=b"", lines=1):
        """It refuses in one line that names `about`; nothing changes."""
        before = self.tree()
        got = self.run("septet", *arguments, code=code, stdin=stdin)
        text = got.stderr.decode()
        assert about in text, "%r does not name %s" % (text, about)
        if lines is not None:
            equal(text.count("\n"), lines, text)
        equal(got.stdout, b"")
        equal(self.tree(), before, "something changed")

    def tree(self):
        """All files, with what is in them."""
        out = {}
        for where, folders, files in os.walk(self.site):
            for name in folders:
                out[os.path.join(where, name)] = None
            for name in files:
                path = os.path.join(where, name)
                out[path] = read(path) if os.path.isfile(path) else "other"
        return {k: v for k, v in out.items() if "/run" not in k}

    def post(self, sender="ann@example.net", subject="Hi", ident="1@x"):
        return self.ok("post", "--sender", sender, "dev", stdin=MAIL % (
            sender.encode(), subject.encode(), ident.encode())).strip()

    def flow(self):
        self.drain(*STAGES)


# ---- the frame ------------------------------------------------------------

def test_help_everywhere():
    with Site() as site:
        text = site.run("septet", "--help").stdout.decode()
        for command in COMMANDS:
            assert re.search("^  %s " % command, text, re.M), command
            got = site.run("septet", *command.split(), "--help")
            lines = got.stdout.decode().splitlines()
            assert lines[0].startswith("usage: septet "), command
            equal(lines[0], lines[0].rstrip())
            assert re.search(r"[A-Za-z](\.|\?)$", lines[1]), lines
            equal(got.stderr, b"")
        equal(site.run("septet", "--version").stdout[:7], b"septet ")


def test_every_option_is_in_the_man_page():
    with Site() as site:
        page = read(os.path.join(ROOT, "runners/septet/septet.1")).decode()
        page = page.replace("Ns = Ns", "")
        for command in COMMANDS:
            text = site.run("septet", *command.split(),
                            "--help").stdout.decode()
            last = command.split()[-1]
            assert re.search(r"Ic (?:%s|%s)\b" % (command, last), page), command
            for option in re.findall(r"--([a-z-]+)", text):
                assert "Fl -" + option in page, (command, option)


def test_usage():
    with Tool() as site:
        for arguments in ([], ["frob"], ["list"], ["list", "frob"],
                          ["list", "create"], ["list", "ls", "x"],
                          ["list", "create", "x"], ["--frob"],
                          ["show"], ["show", "--frob", "x"], ["log", "-n"],
                          ["log", "-n", "x"], ["trace", "x", "--days", "0"],
                          ["member", "set", "dev", "a@b"], ["maps", "qmail"],
                          ["init", "x"], ["retry"]):
            got = site.run("septet", *arguments, code=64)
            assert got.stderr.startswith(b"septet: "), got.stderr
            equal(got.stdout, b"")


def test_no_site_file():
    with Site() as site:
        got = site.run("septet", "--site", "/nowhere/s.yaml", "list", "ls",
                       code=78)
        equal(got.stderr.count(b"\n"), 1)
        assert b"/nowhere/s.yaml" in got.stderr
        put(site.file, "site: x.example\nfrob: 1\nowner: nobody\n")
        got = site.run("septet", "queue", code=78)
        assert b"septet.yaml:2: " in got.stderr, got.stderr
        assert b"septet.yaml:3: " in got.stderr, got.stderr


# ---- init, check ----------------------------------------------------------

def test_init():
    with Tool() as site:
        text = read(site.file).decode()
        assert "site: %s\n" % DOMAIN in text
        equal(names(site.spool), sorted(site.queues + [
            "msg", "head", "rcpt", "result", "journal"]))
        equal(site.run("septet", "check").stdout.decode().splitlines()[-1],
              site.file + ": no problems")
        moved = site.root + "/moved"
        os.rename(site.site, moved)
        site.env["SEPTET_SITE"] = moved + "/septet.yaml"
        site.run("septet", "check")
        os.rename(moved, site.site)


def test_init_refuses():
    with Tool() as site:
        site.bad(65, site.site, "init", site.site, "--domain", DOMAIN)
        site.bad(65, "septet.yaml", "init", site.file, "--domain", DOMAIN)
        new = site.root + "/new"
        for arguments in (["--domain", "a b"], ["--domain", "x@y"],
                          ["--domain", ""],
                          ["--domain", DOMAIN, "--owner", "nobody"],
                          ["--domain", DOMAIN, "--owner", '"a b"@x.org'],
                          ["--domain", DOMAIN, "--lmtp-port", "70000"]):
            site.bad(65, arguments[-1], "init", new, *arguments)
            assert not os.path.exists(new)
        site.bad(65, "/no/such", "init", "/no/such/dir", "--domain", DOMAIN)
        os.mkdir(new)
        site.run("septet", "init", new, "--domain", "Gr\u00fcn.example")
        assert b"site: xn--grn-ioa.example\n" in read(new + "/septet.yaml")


def test_init_prints_what_works():
    root = tempfile.mkdtemp(prefix="septet-test.")
    try:
        dir = root + "/it's $HOME"
        got = subprocess.run([SEPTET, "init", dir, "--domain", DOMAIN],
                             capture_output=True, check=True)
        lines = got.stdout.decode().splitlines()
        equal(len(lines), 3)
        equal(got.stderr.decode(), "septet: without --owner nobody reads the "
              "mail to postmaster@%s; name somebody in %s/septet.yaml\n" %
              (DOMAIN, dir))
        env = dict(os.environ, PATH=BIN + ":" + os.environ["PATH"])
        subprocess.run(["sh", "-ec", "\n".join(lines[:2])], env=env,
                       check=True, capture_output=True)
        equal(names(dir + "/lists"), [DEV])
        assert os.access(lines[2].split()[0], os.X_OK), lines[2]
    finally:
        shutil.rmtree(root)


def test_check_prints_all_problems():
    with Tool() as site:
        text = read(site.file).decode()
        put(site.file, text + "frob: 1\ntimer: soon\n")
        lines = site.run("septet", "check", code=78).stdout.decode()
        assert "frob" in lines and "timer" in lines, lines
        put(site.file, text)
        site.env["SEPTET_PROGRAMS"] = site.root + "/programs"
        site.env["SEPTET_TEMPLATES"] = site.root + "/templates"
        os.rmdir(site.path("auth", "new"))
        os.rmdir(site.path("rcpt"))
        put(site.path("rcpt"), "")
        for name, text in (("broken", "addresses: [broken@%s]\nfrob: 1\n"),
                           ("other", "addresses: [x@%s]\n")):
            os.mkdir(site.lists + "/%s@%s" % (name, DOMAIN))
            put(site.lists + "/%s@%s/list.yaml" % (name, DOMAIN),
                text % DOMAIN)
        os.mkdir(site.lists + "/empty@" + DOMAIN)
        got = site.json("check", code=78)
        equal(got["ok"], False)
        problems = "\n".join(got["problems"])
        for want in (["auth/new: ", "makes it"], ["rcpt: not a folder"],
                     ["broken@%s/list.yaml:2: " % DOMAIN, "frob"],
                     ["other@"], ["empty@%s/list.yaml" % DOMAIN],
                     ["programs/septet-auth: "], ["programs/septet-lmtp: "],
                     ["templates/en/welcome: "]):
            assert any(all(w in line for w in want)
                       for line in got["problems"]), (want, problems)


def test_check_finds_clashes():
    with Tool() as site:
        for name, addresses in (("dev-owner", "dev-owner@D"),
                                ("dev+x", "dev+x@D"),
                                ("alpha", "alpha@D, dev-request@D"),
                                ("beta", "beta@D, ally@D"),
                                ("gamma", "gamma@D, ally@D"),
                                ("devs", "devs@D"),
                                ("fine-dev", "fine-dev@D, dev-x@D")):
            folder = site.lists + "/%s@%s" % (name, DOMAIN)
            shutil.copytree(site.lists + "/" + DEV, folder)
            put(folder + "/list.yaml", "addresses: [%s]\n" %
                addresses.replace("D", DOMAIN))
        problems = site.json("check", code=78)["problems"]
        equal(len(problems), 4, "\n".join(problems))
        for want in ("list dev-owner@", "list dev+x@",
                     "its address dev-request@", "both have the address ally@"):
            assert any(want in line for line in problems), (want, problems)


def test_check_warns_of_an_owner_to_whom_no_mail_comes():
    with Tool() as site:
        site.ok("list", "create", "b@b.example.net", "--owner",
                "a@example.net")
        text = read(site.file).decode()
        for owner, is_bad in (("postmaster@" + DOMAIN, True),
                              ("Postmaster@b.example.net", True),
                              ("postmaster@example.org", False),
                              ("dev-owner@" + DOMAIN, False)):
            put(site.file, text.replace("postmaster@example.org", owner))
            got = site.json("check")
            equal([got["ok"], got["problems"]], [True, []])
            found = [w for w in got["warnings"] if owner in w]
            equal(len(found), int(is_bad), owner)
        put(site.file, text.replace("postmaster@example.org",
                                    "dev-owner@" + DOMAIN))
        put(site.lists + "/%s/list.yaml" % DEV, "addresses: [%s]\n" % DEV)
        assert "! %s: owner dev-owner@" % site.file in site.ok("check")


def test_root_without_a_user_is_warned():
    with Tool() as site:
        if os.getuid() != 0:
            raise Skip("wants root")
        line = "runs as root: no user: in " + site.file
        equal(site.json("check")["warnings"], [line])
        equal(site.ok("check"), "! %s\n%s: no problems\n" % (line, site.file))
        got = site.json("status", code=1)
        equal([got["warnings"], len(got["alarms"])], [[line], 1])
        assert "! " + line in site.run("septet", "status",
                                       code=1).stdout.decode()
        put(site.file, read(site.file).decode() + "user: root\n")
        equal(site.json("check")["warnings"], [])
        equal(site.json("status", code=1)["warnings"], [])


def test_check_secrets():
    with Tool() as site:
        secret = site.site + "/secret"
        text = read(site.file).decode().replace(
            "    maildir: mail\n", "    smtp: {host: 127.0.0.1, user: u, "
            "password_file: secret}\n")
        put(site.file, text)
        for data, mode, want in ((None, 0, "No such"), ("", 0o600, "empty"),
                                 ("x", 0o644, "chmod")):
            if data is not None:
                put(secret, data)
                os.chmod(secret, mode)
            problems = site.json("check", code=78)["problems"]
            equal(len(problems), 1, "\n".join(problems))
            assert "secret: " in problems[0] and want in problems[0], problems
        os.chmod(secret, 0o600)
        site.run("septet", "check")


def test_check_knows_all_templates():
    with Tool() as site:
        copy = site.root + "/templates"
        shutil.copytree(os.path.join(ROOT, "config", "templates"), copy)
        site.env["SEPTET_TEMPLATES"] = copy
        all_names = names(copy + "/en")
        assert len(all_names) > 10
        for name in all_names:
            os.unlink(copy + "/en/" + name)
        equal(len(site.json("check", code=78)["problems"]), len(all_names))


# ---- lists and members ----------------------------------------------------

def test_lists():
    with Tool("ann@example.net") as site:
        equal([(x["list"], x["members"], x["owners"]) for x in
               site.json("list", "ls")], [(DEV, 1, ["owner@example.org"])])
        shown = site.json("list", "show", "dev")
        equal(shown["addresses"], [DEV])
        assert "dev-confirm@" + DOMAIN in shown["roles"]
        assert "dev-owner@" + DOMAIN in site.ok("list", "show", DEV)
        site.bad(65, DEV, "list", "create", DEV, "--owner", "a@example.net")
        site.bad(65, "_x@", "list", "create", "_x", "--owner", "a@example.net")
        site.bad(65, "dev-owner@", "list", "create", "dev-owner", "--owner",
                 "a@example.net")
        site.bad(65, "nobody", "list", "create", "new", "--owner", "nobody")
        site.bad(65, "nolist@", "list", "show", "nolist")
        site.bad(65, "../x@", "list", "show", "../x")
        site.bad(65, "nolist@", "list", "delete", "nolist", "--yes")
        site.bad(64, DEV, "list", "delete", "dev", stdin=b"y\n")
        text = site.ok("list", "delete", "dev", "--yes")
        assert text.startswith(DEV + " deleted, 1 member\n"), text
        assert "septet maps" in text
        equal(site.json("list", "ls"), [])
        equal(names(site.lists), [])
        text = site.ok("list", "create", "new", "--owner", "a@example.net")
        assert text.startswith("new@%s\n" % DOMAIN), text
        assert "septet maps" in text


def test_deleting_a_list_tells_of_held_posts():
    with Tool("ann@example.net") as site:
        held(site)
        site.ok("list", "create", "other", "--owner", "a@example.net")
        assert "held" not in site.ok("list", "delete", "other", "--yes")
        lines = site.ok("list", "delete", "dev", "--yes").splitlines()
        equal(lines[0], "1 held post of %s remains; septet queue moderation "
              "lists them" % DEV)
        assert " deleted" in lines[1]


def test_json_has_types():
    with Tool("ann@example.net") as site:
        shown = site.json("list", "show", "dev")
        equal([shown["closed"], shown["identity"]],
              [False, ["from", "envelope"]])
        text = site.ok("list", "show", "dev")
        assert re.search(r"^identity +from, envelope$", text, re.M), text
        assert re.search(r"^closed +no$", text, re.M), text
        put(site.lists + "/%s/list.yaml" % DEV, "addresses: [%s]\n"
            "closed: yes\nidentity: envelope\n" % DEV)
        shown = site.json("list", "show", "dev")
        equal([shown["closed"], shown["identity"]], [True, ["envelope"]])
        os.unlink(site.lists + "/%s/members.tdb" % DEV)
        equal(site.json("list", "show", "dev")["members"], None)
        equal(site.json("list", "ls")[0]["members"], None)
        site.ok("post", "dev", stdin=b"Subject: x\n\n")
        row = site.json("queue", "inbound")[0]
        equal(row["from"], None)
        shown = site.json("show", row["id"])
        equal([shown["size"], shown["sender"]], [12, None])
        equal(sorted(site.json("--version")), ["version"])


def test_json_only_where_there_is_some():
    with Tool() as site:
        site.bad(64, "no --json", "--json", "log")
        site.bad(64, "no --json", "maps", "postfix", "--json")
        site.bad(64, "no --json", "list", "delete", "dev", "--yes", "--json")
        site.bad(64, "no --json", "--json", "retry", "x")
        equal(names(site.lists), [DEV])
        for command in COMMANDS:
            line = site.ok(*command.split(), "--help").splitlines()[0]
            equal("--json" in line, command in (
                "check", "list ls", "list show", "member add", "member ls",
                "member del", "post", "queue", "show", "trace", "status"))


def test_an_alias_names_a_list():
    with Tool() as site:
        put(site.lists + "/%s/list.yaml" % DEV,
            "addresses: [%s, developers@%s]\n" % (DEV, DOMAIN))
        site.ok("member", "add", "developers", "ann@example.net")
        equal(len(site.json("member", "ls", "dev")), 1)


def test_members():
    with Tool() as site:
        text = ("ann@example.net\nBob <Bob@Example.org>\n\n# none\n"
                "\"C, D\" <c@example.com>\r\nANN@example.net\n").encode()
        equal(site.ok("member", "add", "dev", "-", stdin=text),
              "3 added, 1 were members already\n")
        have = site.json("member", "ls", "dev")
        equal([(m["id"], m["address"], m["name"]) for m in have],
              [(1, "ann@example.net", None), (2, "Bob@Example.org", "Bob"),
               (3, "c@example.com", "C, D")])
        site.ok("member", "set", "dev", "bob@example.org", "status=disabled",
                "mode=none", "name=B \u00fc", "lang=de",
                "address=bob@example.com")
        bob = [m for m in site.json("member", "ls", "dev") if m["id"] == 2][0]
        equal({k: bob[k] for k in ("address", "name", "status", "mode",
                                   "lang")},
              {"address": "bob@example.com", "name": "B \u00fc",
               "status": "disabled", "mode": "none", "lang": "de"})
        assert "disabled" in site.ok("member", "ls", "dev")
        equal(site.ok("member", "del", "dev", "BOB@example.com"),
              "1 removed, 0 were not members\n")
        equal(site.json("member", "del", "dev", "-",
                        stdin=b"ann@example.net\nnobody@example.net\n"),
              {"removed": 1, "unchanged": 1, "bad": 0})


def test_member_errors():
    with Tool("ann@example.net", "bob@example.net") as site:
        site.bad(65, "line 2: ", "member", "add", "dev", "-",
                 stdin=b"new@example.net\nbad\nx@y..z\n", lines=3)
        site.bad(65, "nolist@", "member", "add", "nolist", "a@example.net")
        site.bad(65, "zoe@", "member", "del", "dev", "ann@example.net",
                 "zoe@example.net", lines=2)
        site.bad(65, "zoe@", "member", "set", "dev", "zoe@example.net",
                 "mode=none")
        site.bad(65, "active", "member", "set", "dev", "ann@example.net",
                 "name=x", "status=on")
        site.bad(64, "frob", "member", "set", "dev", "ann@example.net",
                 "frob=1")
        site.bad(65, "BOB@", "member", "set", "dev", "ann@example.net",
                 "address=BOB@example.net")
        site.bad(65, "name=", "member", "set", "dev", "ann@example.net",
                 "name=a\nb")
        got = site.run("septet", "member", "add", "dev", "-", "--skip-bad",
                       stdin=b"new@example.net\nbad\x1b[1m\n\xff\n" +
                       b"x" * 5000 + b"\n")
        equal(got.stdout, b"1 added, 0 were members already, 3 bad lines "
              b"left out\n")
        assert b"\x1b" not in got.stderr and b"\xff" not in got.stderr


def test_members_are_printed_without_blanks_at_the_end():
    with Tool("ann@example.net", "Bob <bob@example.net>") as site:
        for line in (site.ok("member", "ls", "dev") +
                     site.ok("list", "ls")).splitlines():
            equal(line, line.rstrip())
        put(site.lists + "/%s/list.yaml" % DEV, "addresses: [%s]\n" % DEV)
        for line in site.ok("list", "ls").splitlines():
            equal(line, line.rstrip())


def test_a_domain_without_a_dot():
    with Tool() as site:
        got = site.run("septet", "member", "add", "dev", "ann@nodots")
        equal(got.stdout, b"1 added, 0 were members already\n")
        equal(got.stderr, b"septet: ann@nodots: a domain without a dot; is it "
              b"whole?\n")
        site.ok("member", "add", "dev", "ann@[192.0.2.1]")
        site.ok("member", "add", "dev", "ann@nodots")
        got = site.run("septet", "member", "add", "dev", "-",
                       stdin=b"a@example.net\nb@nodots\n")
        assert b"line 2: b@nodots: " in got.stderr, got.stderr
        put(site.file, read(site.file).decode().replace(
            "site: " + DOMAIN, "site: intranet"))
        site.ok("member", "add", DEV, "c@intranet")


def test_a_new_address_has_no_score():
    with Tool("ann@example.net") as site:
        have = site.json("member", "ls", "dev")[0]
        mail = b"Subject: x\n\nx\n"
        ident = site.entry("bounce", [
            ("Kind", "report"), ("Size", len(mail)), ("Body-Offset", 12),
            ("List", DEV), ("Role", "bounces"), ("Parent", "0k9-a-1")],
            mail, by="outbound")
        put(site.path("rcpt", ident), "Septet-Rcpt: 1\nT\tann@example.net\t"
            "id=%d\tstatus=5.1.1\tcode=550\ttext=\"no such user\"\n" %
            have["id"])
        site.drain("bounce")
        equal(site.json("member", "ls", "dev")[0]["score"], 1)
        # Who is a member stays as he is.
        site.ok("member", "add", "dev", "Ann@Example.net")
        equal([(m["address"], m["score"]) for m in
               site.json("member", "ls", "dev")], [("ann@example.net", 1)])
        site.ok("member", "set", "dev", "ann@example.net",
                "address=Ann@Example.net")
        equal([(m["address"], m["score"]) for m in
               site.json("member", "ls", "dev")], [("Ann@Example.net", 1)])
        site.ok("member", "set", "dev", "ann@example.net",
                "address=ann@example.com")
        equal([(m["id"], m["score"]) for m in
               site.json("member", "ls", "dev")], [(have["id"], 0)])


def test_many_members_at_once():
    with Tool() as site:
        many = "".join("m%d@example.net\n" % i for i in range(20000))
        assert site.ok("member", "add", "dev", "-",
                       stdin=many.encode()).startswith("20000 added")
        equal(len(site.json("member", "ls", "dev")), 20000)


# ---- post, queue, show ----------------------------------------------------

def test_post():
    with Tool("ann@example.net") as site:
        ident = site.ok("post", "--sender", "ann@example.net", "dev",
                        stdin=b"From nobody Mon\r\nSubject: x\r\n\r\na\rb\r\n"
                        b"\r").strip()
        entry = site.one("inbound")
        equal(entry.id, ident)
        equal(site.part("msg", ident), b"Subject: x\n\na\rb\n\r")
        equal({n: entry.get(n) for n in ("Kind", "Source", "Mail-From",
                                         "Rcpt-To", "Body-Offset", "Size")},
              {"Kind": "post", "Source": "post uid=%d" % os.getuid(),
               "Mail-From": "<ann@example.net>", "Rcpt-To": "<%s>" % DEV,
               "Body-Offset": "12", "Size": "17"})
        equal([entry.trail[k] for k in ("queue", "exit", "to")],
              ["septet", "accept", "inbound"])


def test_post_senders():
    with Tool() as site:
        for extra, text, want in (
                ([], b"Subject: x\n\n", None),
                ([], b"From bob@example.net Mon\nSubject: x\n\n",
                 "<bob@example.net>"),
                ([], b"From MAILER-DAEMON Mon\nSubject: x\n\n", "<>"),
                ([], b"From : old@example.net\n\n", None),
                (["--sender", "<>"], b"From bob@example.net Mon\nA: x\n\n",
                 "<>"),
                (["--sender", ""], b"A: x\n\n", "<>"),
                (["--sender", "<a@example.net>"], b"A: x\n\n",
                 "<a@example.net>")):
            ident = site.ok("post", *extra, "dev", stdin=text).strip()
            entry = [e for e in site.entries("inbound") if e.id == ident][0]
            equal(entry.get("Mail-From"), want, repr(text))


def test_post_refuses():
    with Tool() as site:
        text = read(site.file).decode()
        put(site.file, text + "  inbound: {size_limit: 64K}\n")
        mail = b"Subject: x\n\n"
        site.bad(65, "nolist@", "post", "nolist", stdin=mail)
        site.bad(65, "example.net", "post", "dev@example.net", stdin=mail)
        site.bad(65, "--sender", "post", "--sender", "x", "dev", stdin=mail)
        site.bad(65, "/no/file", "post", "dev", "/no/file")
        site.bad(65, "a directory", "post", "dev", site.root)
        site.bad(65, "empty", "post", "dev")
        site.bad(65, "header", "post", "dev", stdin=b"just text\n\nmore\n")
        site.bad(65, "size_limit", "post", "dev", stdin=mail + b"x" * 65536)
        site.ok("post", "dev", stdin=mail + b"x" * (65536 - 12))
        site.bad(64, "c", "post", "a", "b", "c")
        put(site.file, text + "low_space: 1000T\n")
        site.bad(75, "low_space", "post", "dev", stdin=mail)
        put(site.file, text)
        put(site.lists + "/%s/list.yaml" % DEV, "frob: 1\n")
        site.bad(75, DEV, "post", "dev", stdin=mail)


def test_post_a_file_and_roles():
    with Tool() as site:
        path = site.root + "/mail"
        put(path, "Subject: x\n\nx\n")
        equal(list(site.json("post", "dev-join", path)), ["id"])
        site.ok("post", "dev-confirm+token", path)
        equal([e.get("Rcpt-To") for e in site.entries("inbound")],
              ["<dev-join@%s>" % DOMAIN, "<dev-confirm+token@%s>" % DOMAIN])


def test_post_that_cannot_be_written():
    with Tool() as site:
        if os.getuid() != 0:
            raise Skip("wants a mount")
        env = dict(site.env)
        got = subprocess.run(
            ["sh", "-c", "ulimit -f 8; exec \"$0\" post dev", SEPTET], env=env,
            input=b"Subject: x\n\n" + b"x" * 200000, capture_output=True)
        assert got.returncode in (75, -signal.SIGXFSZ), got
        equal(site.where(), {})


def test_queue_and_show():
    with Tool("ann@example.net") as site:
        ident = site.post(subject="Gr\u00fc\u00dfe \x1b[31m")
        rows = {q["queue"]: q for q in site.json("queue")}
        equal(sorted(rows), sorted(site.queues))
        equal([rows["inbound"][p] for p in ("new", "cur", "later", "held",
                                            "dead")], [1, 0, 0, 0, 0])
        assert rows["inbound"]["oldest"].startswith("20")
        site.drain("inbound")
        have = site.json("queue", "auth")
        equal(len(have), 1)
        equal([have[0][k] for k in ("id", "place", "list", "from")],
              [ident, "new", DEV, "<ann@example.net>"])
        assert have[0]["subject"].startswith("Gr\u00fc\u00dfe ")
        for arguments in (["queue"], ["queue", "auth"], ["show", ident],
                          ["show", "--raw", ident], ["trace", ident]):
            assert "\x1b" not in site.ok(*arguments), arguments
        equal(site.ok("queue", "inbound"), "inbound is empty\n")
        assert "auth/new" in site.ok("show", ident[:12])
        equal(site.ok("show", ident, "--raw").encode(),
              read(site.path("auth", "new", ident)))
        shown = site.json("show", ident)
        equal([s["queue"] for s in shown["steps"]], ["septet", "inbound"])
        site.bad(65, "frob", "queue", "frob")
        for absent in ("0k3v9q2t7m-a-01", "../msg", "x" * 300, "%s%s", "a/b"):
            site.bad(65, absent[:60], "show", absent)
        other = site.post(ident="other@x")
        site.drain("inbound")
        site.bad(65, "2 IDs", "show", ident[:4])
        assert ident[:4] == other[:4]


def test_queue_survives_anything():
    with Tool() as site:
        os.mkdir(site.path("auth", "new", "folder"))
        os.symlink("/etc/passwd", site.path("auth", "new", "0link"))
        os.mkfifo(site.path("auth", "new", "0fifo"))
        for name, data in (("0junk", b"\0\xff junk"), ("0empty", b""),
                           ("0later", b"Septet-Envelope: 2\n"),
                           ("0torn", b"Septet-Envelope: 1\nId: 0to"),
                           ("N\x1b[2J\xc2\x9b", b"x")):
            put(site.path("auth", "new", name), data)
        have = site.json("queue", "auth")
        equal(len(have), 8)
        text = site.ok("queue", "auth")
        assert "\x1b" not in text and "\x9b" not in text
        equal(len(site.json("queue")), 7)
        site.run("septet", "trace", "ann@example.net", code=65)
        for name in ("0link", "0fifo", "0junk", "0torn"):
            site.bad(65, name, "show", name)


# ---- trace ----------------------------------------------------------------

def test_trace():
    with Tool("ann@example.net", "bob@example.net") as site:
        ident = site.post(ident="one@x")
        site.post(sender="zed@example.net", ident="two@x")
        equal([(t["id"], t["live"], t["where"]) for t in
               site.json("trace", ident)], [(ident, True, "inbound/new")])
        site.flow()
        for query in (ident, ident[:12], "one@x", "<one@x>", "bob@example.net",
                      "Bob@EXAMPLE.net"):
            have = site.json("trace", query)
            equal([t["id"] for t in have], [ident], query)
            equal(have[0]["live"], False)
            equal([s["queue"] for s in have[0]["steps"]],
                  ["septet", "inbound", "auth", "moderation", "pending",
                   "outbound"])
            people = have[0]["recipients"]
            equal([p["address"] for p in people], ["bob@example.net"]
                  if "bob" in query.lower() else
                  ["ann@example.net", "bob@example.net"], query)
            equal(people[-1]["state"], "delivered")
            equal(people[-1]["attempts"][0]["status"], "2.0.0")
        text = site.ok("trace", "bob@example.net")
        assert re.search(r"bob@example.net +delivered\n +20\S+Z  delivered by "
                         r"maildir", text), text
        held = site.json("trace", "zed@example.net")[0]
        equal(held["where"], "moderation/held")
        assert "not a member" in held["why"]
        site.bad(65, "nobody@x", "trace", "nobody@x")
        site.bad(65, "0000000000-a-0", "trace", "0000000000-a-0")
        site.env["SEPTET_CLOCK_OFFSET"] = str(10 * 86400)
        site.bad(65, "the last 9 days", "trace", "one@x", "--days", "9")
        equal(len(site.json("trace", "one@x", "--days", "11")), 1)
        put(site.file, read(site.file).decode() + "keep: 9d\n")
        site.bad(65, "the last 9 days", "trace", "one@x")
        put(site.file, read(site.file).decode().replace("9d", "11d"))
        equal(len(site.json("trace", "one@x")), 1)


def test_trace_says_what_the_server_said():
    with Tool("ann@example.net") as site:
        fields = [("Kind", "post"), ("Size", "14"), ("Body-Offset", "12"),
                  ("List", DEV), ("Role", "post"),
                  ("Send-From", "<dev-bounces@%s>" % DOMAIN)]
        ident = site.entry("outbound", fields, b"Subject: x\n\nx\n",
                           by="command")
        put(site.path("rcpt", ident), "Septet-Rcpt: 1\n" + "".join(
            "%s\tm%d@example.net\n" % ("T" if i == 29 else "D", i)
            for i in range(30)))
        put(site.path("result", ident),
            "30\t2026-11-20T09:00:00.000Z\tT\tmain\t450\t4.2.1\t"
            "Mailbox busy\\x1b[1m\n"
            "30\t2026-11-20T10:00:00.000Z\tT\tmain\t0\t\tconnection lost\n"
            "junk\n7\t2026-11-20T09:00:00.000Z\tD\tmain\t250\t2.0.0\tOk 7\n"
            "8\thalf a li")
        text = site.ok("trace", ident)
        assert "29 delivered, 1 waiting" in text, text
        assert "m29@example.net" in text and "450 4.2.1 Mailbox busy" in text
        assert "m6@" not in text and "29 more" in text, text
        assert "\x1b" not in text
        assert "m6@" in site.ok("trace", ident, "--all")
        have = site.json("trace", "m29@example.net")[0]["recipients"]
        equal([(a["code"], a["reply"]) for a in have[0]["attempts"]],
              [(450, "Mailbox busy\x1b[1m"), (0, "connection lost")])
        have = site.json("trace", "m6@example.net")[0]["recipients"]
        equal([(p["state"], p["attempts"][0]["reply"]) for p in have],
              [("delivered", "Ok 7")])


def test_trace_of_children():
    with Tool("ann@example.net") as site:
        ident = site.post(sender="zed@example.net", ident="two@x")
        site.drain("inbound", "auth", "moderation")
        have = site.json("trace", ident)
        equal([t["where"] for t in have], ["moderation/held", "command/new"])
        equal(have[1]["parent"], ident)
        equal([s["queue"] for s in have[1]["steps"]], ["moderation"])
        equal([t["id"] for t in site.json("trace", have[1]["id"])],
              [t["id"] for t in have])


def test_a_notice_is_not_taken_for_what_it_is_about():
    with Tool() as site:
        ident = held(site)
        site.drain("command")
        notice = [t for t in site.json("trace", ident)
                  if t["where"] == "outbound/new"][0]
        equal([notice[k] for k in ("role", "about", "sender", "from", "to",
                                   "subject")],
              ["notice", ident, None, None, None, None])
        equal([notice["about_mail"][k] for k in ("from", "to", "subject")],
              ["<zed@example.net>", "<%s>" % DEV, "Hi"])
        # Its own, once it is composed.
        assert notice["id"] in notice["message_id"], notice
        assert "message_id" not in notice["about_mail"]
        text = site.ok("show", notice["id"])
        assert re.search(r"\n  about         %s\n    sender      "
                         r"<zed@example.net>\n    from        .*\n"
                         r"    to          .*\n    subject     Hi\n" % ident,
                         text), text
        equal(len(re.findall("zed@example.net|Hi\n", text)), 3)
        row = site.json("queue", "outbound")[0]
        equal([row[k] for k in ("from", "subject", "about")],
              [None, None, ident])
        assert "notice about:" in site.ok("queue", "outbound")
        post = site.json("trace", ident)[0]
        equal([post[k] for k in ("from", "subject", "about_mail")],
              ["<zed@example.net>", "Hi", None])
        equal([post["size"], post["post_number"]], [62, None])


# ---- verdicts -------------------------------------------------------------

def held(site, ident="two@x"):
    got = site.post(sender="zed@example.net", ident=ident)
    site.drain("inbound", "auth", "moderation")
    equal(site.names("moderation", "held"), [got])
    return got


def test_tokens_are_not_shown():
    with Tool() as site:
        ident = held(site)
        token = re.search(r"token=(\S+)", site.one("moderation", "held").get(
            "Held")).group(1)
        for arguments in (["show", ident], ["show", "--json", ident],
                          ["queue", "moderation"], ["trace", ident]):
            text = site.ok(*arguments)
            assert token not in text, arguments
        assert "(hidden)" in site.ok("show", ident)


def test_approve():
    with Tool("ann@example.net") as site:
        ident = held(site)
        assert ident in site.ok("approve", ident[:14], "--by",
                                "owner@example.org")
        verdict = site.one("moderation")
        equal([verdict.get(n) for n in ("Kind", "Role", "About")],
              ["verdict", "verdict", ident])
        assert re.match(r"approve by=<owner@example.org> via=cli "
                        r"token=[a-z2-7]{26}$", verdict.get("Action"))
        site.drain("moderation", "pending", "outbound")
        equal(site.json("trace", ident)[0]["recipients"][0]["state"],
              "delivered")
        equal(site.where().get("moderation/held"), None)
        site.bad(65, ident, "approve", ident)


def test_reject_and_discard_what_is_held():
    with Tool() as site:
        ident = held(site)
        equal(site.ok("reject", ident), "%s: reject is on its way to "
              "moderation; the sender will not be told: no member\n" % ident)
        site.drain("moderation")
        assert ident in site.names("command")
        ident = held(site, "three@x")
        site.ok("discard", ident)
        site.drain("moderation")
        steps = site.json("trace", ident)[0]["steps"]
        equal(steps[-1]["exit"], "discard")
        equal(site.where().get("moderation/held"), None)


def test_who_hears_of_a_refusal():
    with Tool("ann@example.net") as site:
        site.ok("member", "set", "dev", "ann@example.net", "status=moderated")
        for sender, extra, want in (
                (["--sender", "ann@example.net"], "", None),
                (["--sender", "zed@example.net"], "", "no member"),
                (["--sender", "ann@example.net"], "Precedence: bulk\n",
                 "a program wrote"),
                ([], "", "there is none")):
            ident = site.ok("post", *sender, "dev", stdin=(
                "From: zed@example.net\nSubject: x\nMessage-ID: <%s@x>\n"
                "%s\nx\n" % (want and want[0], extra)).encode()).strip()
            site.drain("inbound", "auth", "moderation")
            assert ident in site.names("moderation", "held")
            have = site.ok("reject", ident).strip().partition(
                "; the sender will not be told: ")
            equal(have[2], want or "")
            assert "told" not in site.ok("approve", ident)
        text = site.ok("reject", "--help")
        assert "only where that is a member" in text, text


def test_held_is_only_judged():
    with Tool() as site:
        ident = held(site)
        site.bad(77, ident, "retry", ident)
        site.bad(77, ident, "requeue", ident, "outbound")
        site.bad(65, "--by", "approve", ident, "--by", "nobody")
        other = site.post(ident="four@x")
        site.bad(65, "inbound/new", "approve", other)


def dead(site):
    """An entry that auth buried."""
    ident = site.entry("auth", [("Kind", "post"), ("Size", "14"),
                                ("Body-Offset", "12"),
                                ("List", "gone@" + DOMAIN), ("Role", "post")],
                       b"Subject: x\n\nx\n", by="inbound")
    site.drain("auth")
    equal(site.names("auth", "dead"), [ident])
    return ident


def test_retry():
    with Tool() as site:
        ident = dead(site)
        assert ident in site.ok("queue", "auth")
        site.ok("retry", ident)
        entry = site.one("auth")
        equal([entry.trail[k] for k in ("queue", "exit", "to")],
              ["auth", "requeue", "auth"])
        assert "by=" in entry.get("Note")
        assert "already" in site.ok("retry", ident)
        site.run("septet", "list", "create", "gone", "--owner",
                 "a@example.net")
        site.drain("auth")
        equal(site.names("moderation"), [ident])
        equal(site.names("auth", "cur"), [])
        equal(names(site.path("auth", "cur")), [])
        site.bad(65, "absent", "retry", "absent")
        site.run("septet", "retry", "absent", ident, code=65)


def test_retry_what_is_deferred():
    with Tool("ann@example.net") as site:
        text = read(site.file).decode()
        put(site.file, text.replace("    maildir: mail\n",
                                    "    smtp: {host: 127.0.0.1, port: 9}\n"))
        ident = site.post()
        site.flow()
        have = site.json("queue", "outbound")
        equal([(e["id"], e["place"]) for e in have], [(ident, "later")])
        assert have[0]["due"] and have[0]["why"], have
        put(site.file, text)
        site.drain("outbound")
        equal(site.names("outbound", "later"), [ident])
        site.ok("retry", ident[:13])
        site.drain("outbound")
        equal(site.json("trace", ident)[0]["recipients"][0]["state"],
              "delivered")


def test_requeue_and_discard():
    with Tool() as site:
        ident = dead(site)
        site.bad(65, "frob", "requeue", ident, "frob")
        site.ok("requeue", ident, "bounce")
        equal(site.one("bounce").trail["to"], "bounce")
        site.ok("discard", ident)
        equal(site.where(), {})
        equal(names(site.path("msg")), [])
        assert "\nId: %s\n" % ident in site.journal()
        site.bad(65, ident, "discard", ident)
        equal(site.json("trace", ident)[0]["steps"][-1]["exit"], "discard")


def test_what_a_runner_has_is_left_alone():
    with Tool() as site:
        ident = site.post()
        owner = site.path("inbound", "cur", "a.inbound1.7")
        os.mkdir(owner)
        os.rename(site.path("inbound", "new", ident), owner + "/" + ident)
        for command in ("retry", "discard", "approve"):
            site.bad(75, "a.inbound1.7", command, ident)
        have = site.json("queue", "inbound")[0]
        equal(have["place"], "cur")


def test_foreign_files():
    with Tool("ann@example.net") as site:
        site.drop(b"To: nobody@example.net\n\nx\n")
        site.drain("inbound")
        ident = site.json("queue", "inbound")[0]["id"]
        site.ok("retry", ident)
        equal(site.names("inbound", "dead"), [])
        equal(site.names("inbound"), ["again." + ident])
        site.drain("inbound")
        ident = site.json("queue", "inbound")[0]["id"]
        site.ok("discard", ident)
        equal(site.where(), {})
        site.drop(b"x", queue="auth")
        site.drain("auth")
        ident = site.json("queue", "auth")[0]["id"]
        why = site.json("queue", "auth")[0]["why"]
        site.bad(65, "only inbound", "retry", ident)
        site.bad(65, "only inbound", "requeue", ident, "bounce")
        equal(site.json("queue", "auth")[0]["why"], why)
        equal(len(site.names("auth", "dead")), 2)
        site.ok("discard", ident)
        equal(site.where(), {})


def test_dead_drops_are_shown():
    with Tool("ann@example.net") as site:
        site.drop(b"From nobody Mon\nFrom: Zed \x1b[1m <zed@example.net>\nTo: "
                  b"nobody@example.net\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
                  b"\nx\n", "a b.eml")
        site.drain("inbound")
        row = site.json("queue", "inbound")[0]
        path = site.path("inbound", "dead", row["id"] + "+bare")
        assert os.path.exists(path)
        want = {"name": "a b.eml", "path": path,
                "to": "nobody@example.net", "subject": "Gr\u00fc\u00dfe"}
        for got in (row["foreign"], site.json("show", row["id"])["foreign"]):
            assert "zed@example.net" in got.pop("from")
            equal(got, want)
        for arguments in (["queue", "inbound"], ["show", row["id"]]):
            text = site.ok(*arguments)
            for part in (path, "a b.eml", "zed@example.net",
                         "nobody@example.net", "Gr\u00fc\u00dfe"):
                assert part in text, (part, text)
            assert "\x1b" not in text
        # What is no mail has no header; the file may be gone.
        put(path, b"\0\xff" * 100000)
        equal(site.json("show", row["id"])["foreign"],
              dict(want, to=None, subject=None, **{"from": None}))
        os.unlink(path)
        equal(site.json("show", row["id"])["foreign"]["path"], None)
        assert "a b.eml" in site.ok("queue", "inbound")
        ident = dead(site)
        equal(site.json("show", ident)["foreign"], None)


# ---- maps, status, log ----------------------------------------------------

def lookup(table, key):
    return subprocess.run(["postmap", "-q", key, "texthash:" + table],
                          capture_output=True, text=True).stdout.strip()


def test_maps():
    with Tool() as site:
        site.run("septet", "list", "create", "c++x@b.example.net", "--owner",
                 "a@example.net")
        table = site.root + "/table"
        text = site.ok("maps", "postfix")
        put(table, text)
        keys = [line.split()[0] for line in text.splitlines()
                if not line.startswith("#")]
        for want in ("dev@", "dev-owner@", "dev-confirm@", "dev-bounces@",
                     "dev-subscribe@", "dev-leave@", "postmaster@"):
            assert want + DOMAIN in keys, want
        assert "c++x-join@b.example.net" in keys
        assert "# domains: %s b.example.net\n" % DOMAIN in text
        # As config/mta has it.
        head = text.replace("\n#    ", "")
        for part in (">/etc/postfix/septet.new && mv "
                     "/etc/postfix/septet.new /etc/postfix/septet && "
                     "postfix reload\n",):
            assert part in head, head
        assert ">/etc/exim4/septet.new && mv" in site.ok("maps", "exim")
        if shutil.which("postmap"):
            equal(lookup(table, DEV), "lmtp:inet:127.0.0.1:8024")
            equal(lookup(table, "nolist@" + DOMAIN), "")
        lines = site.ok("maps", "exim").splitlines()
        equal([x for x in lines if not x.startswith("#")], keys)
        assert "#     protocol = lmtp" in lines and "#     port = 8024" in lines
        put(site.file, read(site.file).decode().replace(
            '"127.0.0.1:8024"', '"unix:run/lmtp"').replace(
            "postmaster@example.org", "postmaster@" + DOMAIN))
        text = site.ok("maps", "postfix")
        assert " lmtp:unix:%s/run/lmtp\n" % site.site in text, text
        assert "\npostmaster@%s lmtp:" % DOMAIN in text, text
        assert "#     socket = " in site.ok("maps", "exim")


def test_maps_say_when_a_list_is_missing():
    with Tool() as site:
        put(site.lists + "/%s/list.yaml" % DEV, "frob: 1\n")
        got = site.run("septet", "maps", "postfix", code=78)
        assert DEV.encode() in got.stderr


def test_status():
    with Tool() as site:
        got = site.json("status", code=1)
        equal([got["running"], got["ok"], len(got["alarms"])],
              [False, False, 1])
        read_end, write_end = os.pipe()
        supervisor = site.start("septet-supervisor", "--ready-fd",
                                str(write_end), pass_fds=[write_end])
        os.close(write_end)
        equal(os.read(read_end, 1), b"\n")
        os.close(read_end)
        wait_for("all is well", lambda: site.run(
            "septet", "status", code=None).returncode == 0)
        got = site.json("status")
        equal([got["running"], got["ok"], got["alarms"]], [True, True, []])
        equal({s["state"] for s in got["services"]}, {"up"})
        assert "all is well" in site.ok("status")
        path = site.lists + "/%s/list.yaml" % DEV
        text = read(path)
        put(path, "addresses: [%s]\nfrob: 1\n" % DEV)
        got = site.json("status", code=1)
        equal([len(got["alarms"]), got["lists"]], [1, 1])
        want = "list %s: %s:2: unknown key" % (DEV, path)
        assert got["alarms"][0].startswith(want), got["alarms"]
        assert "\n! " + want in site.run("septet", "status",
                                         code=1).stdout.decode()
        for n in range(12):
            os.mkdir(site.lists + "/l%d@%s" % (n, DOMAIN))
        got = site.json("status", code=1)["alarms"]
        equal(len(got), 11)
        equal(got[-1], "3 more lists are broken; septet check says why")
        for n in range(12):
            os.rmdir(site.lists + "/l%d@%s" % (n, DOMAIN))
        put(path, text)
        site.drop(b"To: nobody@example.net\n\nx\n")
        wait_for("a dead file", lambda: site.names("inbound", "dead"))
        got = site.json("status", code=1)
        assert "1 dead in inbound" in got["alarms"][0], got["alarms"]
        supervisor.terminate()
        equal(supervisor.wait(timeout=30), 0)


def test_log():
    with Tool() as site:
        path = site.site + "/log/septet.log"
        site.bad(65, "nothing was logged", "log")
        line = "2026-11-20T09:00:00.000Z septet-inbound %s id=%d list=dev\n"
        put(path, "".join(line % ("warn" if n % 1000 == 0 else "info", n)
                          for n in range(1, 20001)))
        equal(site.ok("log").splitlines(), [
            (line % ("warn" if n == 20000 else "info", n)).strip()
            for n in range(19981, 20001)])
        equal(site.ok("log", "-n", "3", " warn ").count("\n"), 3)
        equal(site.ok("log", "--lines=30000").encode(), read(path))
        equal(site.ok("log", "-n", "1", "id=7 "), line % ("info", 7))
        equal(site.ok("log", "absent"), "")
        put(path, "x\x1b[31m y\nhalf")
        equal(site.ok("log"), "x\\x1b[31m y\nhalf\n")
        put(site.file, re.sub("(?m)^log: .*$", "",
                              read(site.file).decode()))
        site.bad(65, "journalctl", "log")


def test_log_follows():
    with Tool() as site:
        path = site.site + "/log/septet.log"
        put(path, "one\n")
        out = open(site.root + "/out", "wb")
        site.start("septet", "log", "-f", "o", stdout=out)
        told = site.root + "/out"
        wait_for("the first", lambda: read(told) == b"one\n")
        with open(path, "a") as log:
            log.write("tw")
            log.flush()
            log.write("o\nthree\nfour\n")
        wait_for("two and four", lambda: read(told) == b"one\ntwo\nfour\n")
        put(path, "anew so\n")
        wait_for("the new file", lambda: read(told).endswith(b"anew so\n"))
        out.close()


def test_output_that_cannot_be_written():
    with Tool() as site:
        if not os.path.exists("/dev/full"):
            raise Skip("no /dev/full")
        with open("/dev/full", "wb") as full:
            got = subprocess.run([SEPTET, "list", "ls"], env=site.env,
                                 stdout=full, stderr=subprocess.PIPE)
        equal(got.returncode, 75)


def test_not_allowed():
    with Tool() as site:
        if os.getuid() != 0:
            raise Skip("wants root, to be somebody else")
        os.chmod(site.root, 0o755)
        got = subprocess.run([SEPTET, "member", "add", "dev", "a@example.net"],
                             env=site.env, capture_output=True,
                             user=65534, group=65534)
        equal(got.returncode, 77)
        equal(got.stderr.count(b"\n"), 1)


if __name__ == "__main__":
    main(globals())
