#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_stages - auth, moderation, pending and bounce, each by itself: entries
# written by hand go in, the spool is looked at after --drain
#
# Output is TAP; arguments choose among the tests.

import json
import os
import re
import sys

sys.dont_write_bytecode = True
from septet_test import (DOMAIN, Site, equal, main, put,  # noqa: E402
                         words)

DEV = "dev@" + DOMAIN
OWNER = "owner@example.org"
ANN, BOB, EVE = "ann@example.net", "bob@example.net", "eve@example.com"
HOUR, DAY = 3600, 24 * 3600
POST = (b"From: Ann <ann@example.net>\nTo: dev@lists.example.org\n"
        b"Subject: one\nMessage-ID: <1@example.net>\n"
        b"Date: Fri, 20 Nov 2026 09:00:00 +0000\n\nHello.\n")


class StageSite(Site):
    """A site with the list dev; policy is what its list.yaml says."""

    def __init__(self, members=(ANN, BOB), policy=None, queues="", **keys):
        super().__init__(queues, **keys)
        self.offset = 0
        self.run("septet", "list", "create", DEV, "--owner", OWNER)
        if policy:
            self.list(DEV, **policy)
        if members:
            self.run("septet", "member", "add", DEV, "-",
                     stdin="".join(m + "\n" for m in members).encode())

    def drain(self, *queues, **keys):
        super().drain(*queues, SEPTET_CLOCK_OFFSET=str(self.offset), **keys)

    def set(self, address, *pairs):
        self.run("septet", "member", "set", DEV, address, *pairs)

    def member(self, address):
        text = self.run("septet", "member", "ls", DEV, "--json").stdout
        try:
            found = json.loads(text or b"[]")
        except ValueError:
            found = [json.loads(line) for line in text.splitlines()]
        if isinstance(found, dict):
            found = found.get("members", [found])
        return {m["address"]: m for m in found}[address]

    def score(self, address):
        return int(self.member(address).get("score") or 0)

    def give(self, queue, message=POST, ident=None, by="inbound",
             authors=(ANN,), sender=ANN, **more):
        """A post as the stages before would have it.  A field that is None is
        left out, a list is several."""
        fields = {"Kind": "post", "Created": "2026-11-20T09:00:00.000Z",
                  "Mail-From": None if sender is None else "<%s>" % sender,
                  "Rcpt-To": "<%s>" % DEV, "Size": len(message),
                  "Body-Offset": message.find(b"\n\n") + 2,
                  "Message-Id": "<1@example.net>", "Subject": "one",
                  "Author": ["<%s>" % a for a in authors], "Auto": "no",
                  "List": DEV, "Role": "post"}
        fields.update((k.replace("_", "-"), v) for k, v in more.items())
        lines = []
        for name, value in fields.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    lines.append((name, one))
        return self.entry(queue, lines, message, by=by, ident=ident)

    def verdict(self, about, action, token, ident=None):
        return self.entry("moderation", [
            ("Kind", "verdict"), ("Role", "verdict"), ("List", DEV),
            ("About", about),
            ("Action", "%s by=<%s> via=cli token=%s" % (action, OWNER,
                                                        token))],
            b"", by="septet", ident=ident)

    def notices(self):
        """(Notice, About) of what command was asked for, oldest first."""
        return [(e.get("Notice"), e.get("About"))
                for e in self.entries("command") if e.get("Role") == "notice"]


def held_words(entry):
    return words(entry.get("Held"))


# ---- auth -----------------------------------------------------------------

def identify(policy=None, keys=None, **more):
    with StageSite(policy=policy, **(keys or {})) as site:
        site.give("auth", **more)
        site.drain("auth")
        entry = site.one("moderation")
        equal((entry.trail["exit"], entry.trail["queue"]),
              ("accept", "auth"))
        return entry.get("Identity"), entry.get("Assurance"), \
            entry.all("Auth-Result")


def test_auth_a_member_by_from():
    equal(identify(), ("<ann@example.net> from=author member=1", "claimed",
                       []))
    equal(identify(authors=["ANN@Example.Net"], sender=None)[0],
          "<ANN@Example.Net> from=author member=1")


def test_auth_a_stranger():
    equal(identify(authors=[EVE], sender=EVE)[:2],
          ("<eve@example.com> from=author", "claimed"))


def test_auth_the_envelope_where_from_is_no_member():
    equal(identify(authors=[EVE], sender=BOB)[0],
          "<bob@example.net> from=envelope member=2")
    equal(identify({"identity": "[from]"}, authors=[EVE], sender=BOB)[0],
          "<eve@example.com> from=author")
    equal(identify({"identity": "[envelope]"}, authors=[ANN], sender=EVE)[0],
          "<eve@example.com> from=envelope")
    equal(identify({"identity": "[envelope, from]"}, sender=BOB)[0],
          "<bob@example.net> from=envelope member=2")
    equal(identify({"identity": "[envelope, from]"}, sender=EVE)[0],
          "<ann@example.net> from=author member=1")


def test_auth_sender_where_there_is_no_from():
    equal(identify(authors=[], sender=None, Sender="<bob@example.net>")[0],
          "<bob@example.net> from=sender member=2")
    equal(identify(Sender="<bob@example.net>", authors=[EVE], sender="")[0],
          "<eve@example.com> from=author")


def test_auth_several_authors():
    equal(identify(authors=[EVE, BOB, ANN])[0],
          "<bob@example.net> from=author member=2")


def test_auth_nobody_and_a_made_up_identity():
    equal(identify(authors=[], sender="",
                   Identity="<ann@example.net> from=author member=1",
                   Auth_Result="dmarc=pass by=nobody"), ("", "none", [""]))


def trusted(results, **more):
    message = (b"Authentication-Results: mx.example.org; " + results +
               b"\n") + POST
    return identify(keys={"trusted_authserv": "[mx.example.org]"},
                    message=message, **more)


def test_auth_results_of_a_trusted_host():
    equal(trusted(b"dmarc=pass (p=none) header.from=example.net"),
          ("<ann@example.net> from=author member=1", "verified",
           ["dmarc=pass header.from=example.net by=mx.example.org"]))
    equal(trusted(b"dkim=pass header.d=example.com")[1], "claimed")
    # Not trusted by the site: not even written down.
    equal(identify(message=b"Authentication-Results: mx.example.org; dmarc="
                   b"fail header.from=example.net\n" + POST)[1:],
          ("claimed", []))


def test_auth_a_failed_dmarc_is_never_the_member():
    failed = b"dmarc=fail header.from=example.net"
    equal(trusted(failed)[:2], ("<ann@example.net> from=author", "none"))
    # Nor by the envelope beside it, nor by another author.
    equal(trusted(failed, sender=BOB)[0], "<ann@example.net> from=author")
    equal(trusted(b"dmarc=fail header.from=example.com",
                  authors=[BOB, EVE])[0], "<eve@example.com> from=author")


def test_auth_a_name_that_would_be_words():
    address = '"a\\x5c"> member=1 x=\\x5c""@example.com'
    identity, _, _ = identify(authors=[address], sender=EVE)
    assert identity.endswith("> from=author"), identity
    with StageSite() as site:
        site.give("auth", authors=[address], sender=EVE)
        site.drain("auth", "moderation")
        equal(site.one("moderation", "held").get("Rule"),
              "nonmember action=hold")


# ---- moderation -----------------------------------------------------------

MEMBER = "<ann@example.net> from=author member=1"
STRANGER = "<eve@example.com> from=author"


def judge(identity=MEMBER, policy=None, change=(), **more):
    """What becomes of one post: (place, entry, notices)."""
    with StageSite(policy=policy) as site:
        for pair in change:
            site.set(ANN, pair)
        site.give("moderation", Identity=identity, **more)
        site.drain("moderation")
        notices = [n for n, _ in site.notices()]
        for queue, place in (("pending", "new"), ("moderation", "held"),
                             ("command", "new")):
            found = [e for e in site.entries(queue, place)
                     if e.get("Kind") != "notice"]
            if found:
                equal(site.names("moderation"), [])
                return queue + "/" + place, found[0], notices
        return "journal", site.journal(), notices


def test_moderation_a_member_passes():
    place, entry, notices = judge()
    equal((place, notices), ("pending/new", []))
    equal((entry.get("Verdict"), entry.all("Rule"), entry.get("Reason")),
          ("accept", ["member action=accept"], None))


def test_moderation_a_stranger_is_held():
    place, entry, notices = judge(STRANGER)
    equal((place, notices), ("moderation/held", ["held-owners to=owners"]))
    equal((entry.get("Verdict"), entry.all("Rule"), entry.all("Reason")),
          ("hold", ["nonmember action=hold"],
           ['status=5.7.2 text="not a member"']))
    held = held_words(entry)
    equal((held["for"], len(held["token"])), ("moderator", 26))
    assert re.fullmatch(r"[a-z2-7]{26}", held["token"]), held
    assert held["until"] > entry.trail["time"], held
    equal(entry.trail["exit"], "hold")


def test_moderation_a_member_who_is_none_any_more():
    place, entry, notices = judge("<x@example.net> from=author member=99")
    equal((place, entry.all("Rule")), ("moderation/held",
                                       ["nonmember action=hold"]))
    equal(notices, ["held-owners to=owners"])


def test_moderation_policies():
    for policy, place, verdict in (
            ({"nonmember_action": "reject"}, "command/new", "reject"),
            ({"nonmember_action": "accept"}, "pending/new", "accept")):
        got, entry, notices = judge(STRANGER, policy)
        equal((got, entry.get("Verdict"), notices), (place, verdict, []))
    place, entry, _ = judge(STRANGER, {"nonmember_action": "reject"})
    equal(entry.trail["exit"], "reject")
    equal(entry.get("Notice"), "post-rejected to=sender")
    equal(entry.get("Reason"), 'status=5.7.2 text="not a member"')
    place, journal, notices = judge(STRANGER, {"nonmember_action": "discard"})
    equal((place, notices), ("journal", []))
    assert "Verdict: discard\n" in journal, journal
    assert "exit=discard" in journal, journal
    place, entry, notices = judge(MEMBER, {"member_action": "hold"})
    equal((place, notices), ("moderation/held",
                             ["post-held to=sender", "held-owners to=owners"]))


def test_moderation_size_and_closed():
    place, entry, notices = judge(Size=10 * 2 ** 20 + 1)
    equal((place, entry.all("Rule")), ("moderation/held", [
        "size action=hold value=10485761 limit=10485760",
        "member action=accept"]))
    place, entry, _ = judge(policy={"size_limit": "10K",
                                    "size_action": "reject"}, Size=10241)
    equal((place, entry.get("Reason")), (
        "command/new", 'status=5.2.3 text="larger than the list allows"'))
    place, entry, _ = judge(policy={"closed": "true"})
    equal((place, entry.get("Rule")), ("command/new",
                                       "closed action=reject"))


def test_moderation_a_moderated_member():
    place, entry, notices = judge(change=["status=moderated"])
    equal((place, entry.get("Rule")), ("moderation/held",
                                       "moderated-member action=hold"))
    equal(notices, ["post-held to=sender", "held-owners to=owners"])


def test_moderation_machines_are_held_in_silence():
    for more in ({"Auto": "auto-replied"}, {"sender": ""},
                 {"Auto": "auto-replied", "Identity": STRANGER}):
        identity = more.pop("Identity", MEMBER)
        place, entry, notices = judge(identity, **more)
        equal((place, notices), ("moderation/held", []))
        equal(entry.get("Rule"), "automatic action=hold")
    # A tracker's mail is taken; where it is held, it is not answered.
    equal(judge(Auto="auto-generated")[0], "pending/new")
    place, _, notices = judge(Auto="auto-generated", Size=2 ** 30)
    equal((place, notices), ("moderation/held", ["held-owners to=owners"]))


def test_moderation_notices_say_why_and_no_token():
    with StageSite() as site:
        site.set(ANN, "status=moderated")
        ident = site.give("moderation", Identity=MEMBER)
        site.drain("moderation")
        held = held_words(site.one("moderation", "held"))
        equal([about for _, about in site.notices()], [ident, ident])
        for notice in site.entries("command"):
            equal(held_words(notice), {"for": "moderator",
                                       "until": held["until"]})
            assert "looked at first" in notice.get("Reason")
            equal((notice.get("Kind"), notice.get("List")), ("notice", DEV))
            equal(site.part("msg", notice.id), POST)
            assert held["token"] not in notice.data.decode()


def test_moderation_owners_hear_once_an_hour():
    with StageSite() as site:
        # Those that are told at once, and those that wait for the hour.
        for hours, at_once, later in (
                (0, 1, 1), (0.5, 1, 1), (0.9, 1, 1), (1.1, 1, 2), (1.9, 1, 2),
                (24, 2, 3)):
            site.offset = int(hours * HOUR)
            for _ in range(3):
                site.give("moderation", Identity=STRANGER)
            site.drain("moderation")
            waits = [e.get("Not-Before") > e.trails[-1]["time"]
                     for e in site.entries("command")]
            equal((waits.count(False), waits.count(True)), (at_once, later),
                  "after %s hours" % hours)


def test_moderation_verdicts():
    with StageSite() as site:
        ids = [site.give("moderation", Identity=STRANGER, Notice="old to=x")
               for _ in range(4)]
        site.drain("moderation")
        tokens = {e.id: held_words(e)["token"]
                  for e in site.entries("moderation", "held")}
        equal(len(set(tokens.values())), 4)
        for ident, action in zip(ids, ("approve", "reject", "discard")):
            site.verdict(ident, action, tokens[ident].upper())
        site.drain("moderation")
        equal(site.names("moderation", "held"), [ids[3]])
        equal(site.names("moderation"), [])
        entry = site.one("pending")
        equal((entry.id, entry.get("Verdict"), entry.get("Reason")),
              (ids[0], "accept", ""))
        equal(entry.get("Rule"), "verdict action=approve value=<%s>" % OWNER)
        entry, = [e for e in site.entries("command") if e.id == ids[1]]
        equal((entry.get("Verdict"), entry.get("Notice")),
              ("reject", "post-rejected to=sender"))
        equal(entry.get("Reason"),
              'status=5.7.1 text="refused by a moderator"')
        assert ids[2] in site.journal()
        equal(site.names("moderation", "dead"), [])
        # Once more, for what is gone: forgotten, with a line in the log.
        late = site.verdict(ids[0], "discard", tokens[ids[0]])
        site.drain("moderation")
        equal(site.where().get("moderation/later"), None)
        assert "about=%s verdict for what is not held" % ids[0] in site.log
        assert late in site.journal()
        equal(site.names("pending"), [ids[0]])


def test_moderation_wrong_verdicts():
    with StageSite() as site:
        ident = site.give("moderation", Identity=STRANGER)
        other = site.give("moderation", Identity=STRANGER)
        site.drain("moderation")
        tokens = {e.id: held_words(e)["token"]
                  for e in site.entries("moderation", "held")}
        before = {n: site.part("moderation/held", n) for n in tokens}
        for about, action, token, why in (
                (ident, "approve", tokens[other], "token"),
                (ident, "approve", "", "token"),
                (ident, "approve", "a" * 26, "token"),
                (ident, "bless", tokens[ident], "approve, reject, discard"),
                ("../../etc/passwd", "approve", tokens[ident], "About"),
                ("UPPER", "approve", tokens[ident], "About")):
            site.verdict(about, action, token)
            site.drain("moderation")
            found = site.entries("moderation", "dead")[-1]
            assert why in found.get("Error"), found.get("Error")
        # Not a byte of what is held has changed.
        equal({n: site.part("moderation/held", n) for n in tokens}, before)
        # A post that calls itself a verdict of another stage is none.
        site.give("moderation", by="spamcheck", Kind="verdict",
                  Role="verdict", About=ident,
                  Action="approve token=" + tokens[ident])
        site.drain("moderation")
        equal(site.names("pending"), [])
        assert ident in site.names("moderation", "held")


def test_moderation_a_verdict_before_its_post():
    queues = "  auth: {exits: {accept: check}}\n" \
        "  check: {runner: check, exits: {accept: moderation}}\n"
    with StageSite(queues=queues) as site:
        for queue in ("inbound", "auth", "check"):
            ident = site.give(queue)
            site.verdict(ident, "approve", "x")
            site.drain("moderation")
            equal(len(site.names("moderation", "later")), 1, queue)
            # It comes back, and finds that nothing comes any more.
            os.rename(site.path(queue, "new", ident),
                      site.path(queue, "dead", ident))
            site.offset += 3 * 60
            site.drain("moderation")
            equal(site.names("moderation", "later"), [], queue)
        ident = site.give("pending")
        site.verdict(ident, "approve", "x")
        site.drain("moderation")
        equal(site.names("moderation", "later"), [])


def test_moderation_holds_end():
    with StageSite(hold="2d") as site:
        known = site.give("moderation", Identity=MEMBER, Size=2 ** 30)
        site.offset = DAY
        strange = site.give("moderation", Identity=STRANGER)
        machine = site.give("moderation", Auto="auto-replied",
                            Identity=MEMBER)
        site.drain("moderation")
        equal(len(site.names("moderation", "held")), 3)
        for name in site.names("command"):
            os.unlink(site.path("command", "new", name))
        # Without any new entry, at the first look after the time.
        site.offset = 3 * DAY - 60
        site.drain("moderation")
        equal(len(site.names("moderation", "held")), 3)
        equal(site.notices(), [])
        site.offset = 3 * DAY + 60
        site.drain("moderation")
        equal(site.names("moderation", "held"), [])
        equal(sorted(site.notices()), sorted(
            [("hold-expired to=owners", i) for i in (known, strange, machine)]
            + [("hold-expired to=sender", known)]))
        journal = site.journal()
        for ident in (known, strange, machine):
            assert ident in journal
        equal(journal.count('Reason: text="held too long"'), 3)


def test_moderation_a_repeated_hop_says_the_same():
    with StageSite() as site:
        ident = site.give("moderation", Identity=STRANGER)
        path = site.path("moderation", "new", ident)
        with open(path, "rb") as file:
            envelope = file.read()
        site.drain("moderation")
        first = site.one("moderation", "held")
        # As if the power went before the decision was on the disk.
        os.unlink(site.path("moderation", "held", ident))
        for notice in site.names("command"):
            os.unlink(site.path("command", "new", notice))
        put(path, envelope)
        site.offset = 600
        site.drain("moderation")
        again = site.one("moderation", "held")
        equal(again.get("Held"), first.get("Held"))
        equal(site.notices(), [("held-owners to=owners", ident)])


# ---- pending --------------------------------------------------------------

def test_pending_one_member():
    with StageSite(members=[ANN]) as site:
        ident = site.give("pending", Client="192.0.2.7", by="lmtp")
        site.drain("pending")
        entry = site.one("outbound")
        equal((entry.id, entry.trail["exit"]), (ident, "accept"))
        equal(entry.get("Send-From"),
              "<dev-bounces+{verp}@%s>" % DOMAIN)
        equal(entry.get("Verp"), "each")
        equal(entry.get("Send-Options"),
              "NOTIFY=FAILURE RET=HDRS ENVID=" + ident)
        equal(entry.get("Post-Number"), "1")
        equal(entry.get("Fan-Out"), "1/1")
        state, address, found = site.rcpt(ident)[0]
        equal((state, address, found["id"]), ("T", ANN, "1"))
        assert re.fullmatch(r"ann=example\.net=[a-z2-7]{10}", found["verp"])
        size = len(site.part("rcpt", ident))
        equal(entry.get("Recipients"), "1 bytes=%d" % size)
        head = site.part("head", ident)
        equal(words(entry.get("Head"))["crc32"] != "", True)
        equal(int(entry.get("Head").split()[0]), len(head))
        # The message is not touched; ours stands above its own header.
        equal(site.part("msg", ident), POST)
        assert head.startswith(b"Received: by lists.example.org (Septet) "
                               b"with LMTP id " + ident.encode() + b";"), head
        assert head.endswith(b"Precedence: list\n" +
                             POST[:POST.index(b"\n\n") + 2]), head


def test_pending_nobody():
    with StageSite(members=[]) as site:
        ident = site.give("pending")
        site.drain("pending")
        equal(site.where(), {})
        journal = site.journal()
        assert "id=%s" % ident in journal and "exit=done" in journal, journal
        assert "Recipients: 0 bytes=0\n" in journal, journal
        for part in ("msg", "head", "rcpt"):
            equal(os.listdir(site.path(part)), [], part)


def test_pending_who_gets_no_posts():
    with StageSite(members=[ANN, BOB, "cal@example.net", "dan@example.net",
                            "Dora D. <dora@example.net>"]) as site:
        site.set(ANN, "status=disabled")
        site.set(BOB, "mode=none")
        site.set("cal@example.net", "status=moderated")
        site.set("dan@example.net", "name=Dan \"D\" D.", "lang=de")
        ident = site.give("pending")
        site.drain("pending")
        got = {a: w for _, a, w in site.rcpt(ident)}
        equal(sorted(got), ["cal@example.net", "dan@example.net",
                            "dora@example.net"])
        equal((got["dan@example.net"]["name"], got["dan@example.net"]["lang"]),
              ('Dan "D" D.', "de"))
        equal(got["dora@example.net"]["name"], "Dora D.")


def test_pending_a_name_that_is_too_long():
    with StageSite() as site:
        site.set(BOB, "name=" + "\u00e9\\" * 2000)
        ident = site.give("pending")
        site.drain("pending")
        got = {a: w for _, a, w in site.rcpt(ident)}
        equal(sorted(got), [ANN, BOB])
        assert "name" not in got[BOB], got
        assert got[BOB]["verp"].startswith("bob=example.net="), got


def chunks(n, *want):
    members = ["user%d@example.net" % i for i in range(n)]
    with StageSite(members=members) as site:
        ident = site.give("pending")
        site.drain("pending")
        found = site.entries("outbound")
        equal(len(found), len(want))
        equal(sorted(int(e.get("Recipients").split()[0]) for e in found),
              sorted(want))
        equal(sorted(e.get("Fan-Out") for e in found),
              ["%d/%d" % (i + 1, len(want)) for i in range(len(want))])
        addresses, verps = [], set()
        for entry in found:
            lines = site.rcpt(entry.id)
            equal(entry.get("Recipients"), "%d bytes=%d" % (
                len(lines), len(site.part("rcpt", entry.id))))
            addresses += [a for _, a, _ in lines]
            verps |= {w["verp"] for _, _, w in lines}
            for name in ("Send-From", "Verp", "Send-Options", "Post-Number"):
                equal(entry.get(name), found[0].get(name), name)
            assert entry.get("Send-Options").endswith(" ENVID=" + ident)
            equal(entry.get("Post-Number"), "1")
            equal(entry.get("Kind"), "post")
            # One message and one header, stored once.
            for part in ("msg", "head"):
                equal(os.stat(site.path(part, entry.id)).st_ino,
                      os.stat(site.path(part, ident)).st_ino)
            if entry.id != ident:
                equal((entry.get("Parent"), entry.get("Origin")),
                      (ident, ident))
        equal(sorted(addresses), sorted(members))
        equal(len(verps), n)


def test_pending_1000_members():
    chunks(1000, 1000)


def test_pending_1001_members():
    chunks(1001, 1000, 1)


def test_pending_2500_members():
    chunks(2500, 1000, 1000, 500)


def test_pending_without_verp_and_with_prefix():
    with StageSite(policy={"verp": "none", "subject_prefix": '"[dev]"'}
                   ) as site:
        ident = site.give("pending")
        site.drain("pending")
        entry = site.one("outbound")
        equal(entry.get("Send-From"), "<dev-bounces@%s>" % DOMAIN)
        equal(entry.get("Verp"), "none")
        equal(entry.get("Change"), "subject-prefix")
        assert b"\nSubject: [dev] one\n" in site.part("head", ident)
        for _, _, found in site.rcpt(ident):
            assert "verp" not in found, found


def test_pending_numbers_go_up_and_are_kept():
    with StageSite() as site:
        ids = [site.give("pending") for _ in range(3)]
        envelope = site.part("pending/new", ids[1])
        site.drain("pending")
        numbers = {e.id: e.get("Post-Number")
                   for e in site.entries("outbound")}
        equal(sorted(numbers.values()), ["1", "2", "3"])
        os.unlink(site.path("outbound", "new", ids[1]))
        put(site.path("pending", "new", ids[1]), envelope)
        site.drain("pending")
        equal([e.get("Post-Number") for e in site.entries("outbound")
               if e.id == ids[1]], [numbers[ids[1]]])


def test_pending_date_and_message_id_of_the_entry():
    with StageSite() as site:
        ident = site.give("pending", b"Subject: x\n\nbody\n",
                          Message_Id="<made@lists.example.org>")
        site.drain("pending")
        head = site.part("head", ident)
        assert b"\nMessage-ID: <made@lists.example.org>\n" in head, head
        assert b"\nDate: Fri, 20 Nov 2026 09:00:00 +0000\n" in head, head


# ---- bounce ---------------------------------------------------------------

def report(recipients, returned="<1@example.net>", before=b""):
    """An RFC 3464 report: (address, action, status, diagnostic, original)."""
    text = ("From: MAILER-DAEMON@mx.example.net\nTo: dev-bounces@" + DOMAIN +
            "\nSubject: Undelivered\nAuto-Submitted: auto-replied\n"
            "MIME-Version: 1.0\nContent-Type: multipart/report; "
            "report-type=delivery-status;\n boundary=\"=b\"\n\n--=b\n\n"
            "Your message could not be delivered.\n\n--=b\n"
            "Content-Type: message/delivery-status\n\n"
            "Reporting-MTA: dns; mx.example.net\n")
    for address, action, status, diagnostic, original in recipients:
        text += "\nFinal-Recipient: rfc822; %s\n" % address
        if original:
            text += "Original-Recipient: rfc822; %s\n" % original
        text += "Action: %s\nStatus: %s\n" % (action, status)
        if diagnostic:
            text += "Diagnostic-Code: smtp; %s\n" % diagnostic
    text += ("\n--=b\nContent-Type: text/rfc822-headers\n\n"
             "From: ann@example.net\nMessage-ID: %s\n\n--=b--\n" % returned)
    return before + text.encode()


def failed(address, status="5.1.1", code=550, original=None):
    return (address, "failed", status,
            "%d %s no such user" % (code, status), original)


def verp_of(site, address):
    """The word that pending wrote for a member."""
    ident = site.give("pending")
    site.drain("pending")
    found = {a: w["verp"] for _, a, w in site.rcpt(ident)}
    os.unlink(site.path("outbound", "new", ident))
    return found[address]


def bounce(site, message, extension=None, role="bounces", **more):
    """A mail to LIST-bounces: its envelope when it is finished, or None."""
    ident = site.give("bounce", message, authors=[], sender="", Role=role,
                      Extension=extension, Message_Id=None, **more)
    site.drain("bounce")
    equal(site.names("bounce") + site.names("bounce", "dead"), [])
    found = re.findall(r"Septet-Journal: 1 id=%s .*?(?=Septet-Journal|\Z)" %
                       re.escape(ident), site.journal(), re.S)
    return found[-1] if found else None


def test_bounce_by_verp():
    with StageSite() as site:
        verp = verp_of(site, BOB)
        got = bounce(site, report([failed(BOB)]), verp)
        equal((site.score(ANN), site.score(BOB)), (0, 1))
        assert ('Bounce: <bob@example.net> member=2 class=mailbox '
                'status=5.1.1 code=550 text=') in got, got
        assert re.search(r"\nScore: member=2 score=1 day=\d{4}-\d\d-\d\d\n",
                         got), got
        assert "\nBounce-Source: report\n" in got, got
        # Under another name (he forwards his mail), and in capitals.
        site.offset = DAY
        bounce(site, report([failed("x@forward.example.com")]), verp.upper())
        equal(site.score(BOB), 2)
        # Whatever the report says of him.
        site.offset = 2 * DAY
        bounce(site, report([failed(ANN, "5.7.1"), failed(BOB)]), verp)
        equal((site.score(ANN), site.score(BOB)), (0, 3))
        site.offset = 3 * DAY
        bounce(site, report([failed(ANN), (BOB, "delivered", "2.0.0", "",
                                           None)]), verp)
        equal((site.score(ANN), site.score(BOB)), (0, 3))


def test_bounce_a_wrong_mac_never_scores():
    with StageSite() as site:
        verp, other = verp_of(site, BOB), verp_of(site, ANN)
        right, mac = verp.rsplit("=", 1)
        for extension in (right + "=" + "a" * 10, right,
                          right + "=" + other.rsplit("=", 1)[1],
                          "~2=" + "a" * 10, "", None, "eve=example.com=" + mac,
                          "=" * 300):
            got = bounce(site, report([failed(BOB)]), extension)
            assert "\nScore:" not in got, got
            # But it is told whom it speaks of.
            assert "Bounce: <bob@example.net> member=2 " in got, got
        equal(site.score(BOB), 0)
        # The member's number with the right sum is as good.
        bounce(site, report([failed(BOB)]), "~2=" + mac)
        equal(site.score(BOB), 1)


def test_bounce_without_verp():
    with StageSite(policy={"verp": "none"}) as site:
        got = bounce(site, report([failed("b@forward.example.com",
                                          original=BOB),
                                   failed(EVE)]))
        assert "Score: member=2 score=1 " in got, got
        assert "Bounce: <eve@example.com> class=" in got, got
        equal((site.score(ANN), site.score(BOB)), (0, 1))
        # To another address, or with a word that is none of ours: told only.
        for extension, role in ((None, "post"), ("x=y=" + "a" * 10,
                                                 "bounces")):
            got = bounce(site, report([failed(ANN)]), extension, role)
            assert "Bounce: <ann@example.net> member=1 " in got, got
            equal(site.score(ANN), 0)


def test_bounce_what_never_scores():
    with StageSite() as site:
        verp = verp_of(site, BOB)
        for day, (action, status, diagnostic) in enumerate([
                ("failed", "5.7.1", "550 5.7.1 refused"),
                ("failed", "5.2.2", "552 5.2.2 full"),
                ("failed", "5.6.7", "553 5.6.7 no SMTPUTF8"),
                ("failed", "5.3.4", "552 5.3.4 too large"),
                ("failed", "4.4.7", "450 4.4.7 given up"),
                ("delayed", "4.2.2", "452 4.2.2 full"),
                ("relayed", "2.0.0", "")]):
            site.offset = day * DAY
            got = bounce(site, report([(BOB, action, status, diagnostic,
                                        None)]), verp)
            assert "\nScore:" not in got, (action, status, got)
        equal(site.score(BOB), 0)
        assert "\nBounce-Source: delivered\n" in got, got


def test_bounce_complaints_and_vacations():
    complaint = (
        b"From: fbl@example.net\nSubject: complaint\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/report; report-type=feedback-report; "
        b"boundary=b\n\n--b\n\nspam\n--b\nContent-Type: "
        b"message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x/1\n"
        b"Version: 1\nOriginal-Rcpt-To: bob@example.net\n\n--b--\n")
    vacation = (b"From: bob@example.net\nSubject: Re: one\n"
                b"Auto-Submitted: auto-replied\n\nI am away.\n")
    with StageSite() as site:
        verp = verp_of(site, BOB)
        got = bounce(site, complaint, verp)
        assert "\nBounce-Source: complaint\n" in got, got
        got = bounce(site, vacation, verp)
        assert "\nBounce-Source: auto\n" in got, got
        equal(site.score(BOB), 0)
        # Sent to the list itself: held, and nobody is told.
        equal(bounce(site, vacation, role="post"), None)
        site.drain("moderation")
        equal(site.one("moderation", "held").get("Rule"),
              "unrecognised-bounce action=hold")
        equal(site.notices(), [])


def test_bounce_what_nobody_can_read():
    policy = {"nonmember_action": "accept", "closed": "true"}
    with StageSite(policy=policy) as site:
        equal(bounce(site, b"From: x@example.com\nSubject: hm\n\nhm\n",
                     verp_of(site, BOB)), None)
        entry = site.one("moderation")
        equal((entry.trail["exit"], entry.get("Bounce-Source")),
              ("hold", "unknown"))
        # A defer on the way makes no post of it.
        name = os.path.join(site.lists, DEV, "list.yaml")
        os.rename(name, name + ".aside")
        site.drain("moderation")
        equal(len(site.names("moderation", "later")), 1)
        os.rename(name + ".aside", name)
        site.offset += 180      # up to 75 s, and to the minute's end
        site.drain("moderation")
        entry = site.one("moderation", "held")
        equal(entry.all("Rule"), ["unrecognised-bounce action=hold"])
        equal(site.notices(), [])


def refused(site, *lines, ident=None, raw=None):
    """A child of outbound's with its list."""
    ident = ident or "0k9000%04d-a-test.b3-1" % (site.dropped + 1)
    text = raw or "Septet-Rcpt: 1\n" + "".join(
        "T\t%s\tid=%s\tstatus=%s\tcode=%s\ttext=\"no such user\"\n" % line
        for line in lines)
    put(site.path("rcpt", ident), text)
    return site.give("bounce", POST, ident=ident, by="outbound",
                     Kind="report", Role="bounces", Parent="0k9-a-1")


def test_bounce_refused_by_the_relay():
    with StageSite() as site:
        ident = refused(site, (ANN, 1, "5.1.1", 550), (BOB, 2, "5.7.1", 554),
                        ("gone@example.net", 99, "5.1.1", 550))
        site.drain("bounce")
        equal(site.where(), {})
        equal((site.score(ANN), site.score(BOB)), (1, 0))
        journal = site.journal()
        assert "\nBounce-Source: smtp\n" in journal, journal
        assert "Bounce: <bob@example.net> member=2 class=policy" in journal
        assert "Bounce: <gone@example.net> class=mailbox" in journal
        equal(re.findall(r"^([A-Z])\t(\S+)\tid", journal, re.M),
              [("D", ANN), ("D", BOB), ("D", "gone@example.net")])
        # None at all counts, a 4xx that was given up does not.
        site.offset = DAY
        refused(site, (ANN, 1, "", 450), (BOB, 2, "", 550))
        site.drain("bounce")
        equal((site.score(ANN), site.score(BOB)), (1, 1))
        equal(ident in journal, True)


def test_bounce_one_point_a_day():
    with StageSite() as site:
        for _ in range(3):
            refused(site, (ANN, 1, "5.1.1", 550), (ANN, 1, "5.1.1", 550))
        site.drain("bounce")
        equal(site.score(ANN), 1)
        equal(site.journal().count("\nScore: "), 1)


def test_bounce_a_broken_list_scores_nobody():
    with StageSite() as site:
        line = "T\t%s\tid=%d\tstatus=5.1.1\tcode=550\ttext=x\n"
        for raw in ("Septet-Rcpt: 1\n" + line % (ANN, 1) + "rubbish\n",
                    "rubbish\n", "Septet-Rcpt: 9\n" + line % (ANN, 1)):
            refused(site, raw=raw)
        ident = refused(site)
        os.unlink(site.path("rcpt", ident))
        refused(site, (BOB, 2, "5.1.1", 550))
        site.drain("bounce")
        equal((site.score(ANN), site.score(BOB)), (0, 1))
        equal(len(site.names("bounce", "dead")), 4)
        equal(site.names("bounce"), [])


def test_bounce_past_the_threshold():
    with StageSite(policy={"bounce_threshold": "3"}) as site:
        for day in range(5):
            site.offset = day * DAY
            ident = refused(site, (ANN, 1, "5.1.1", 550))
            site.drain("bounce")
            equal(site.score(ANN), day + 1)
            equal(site.member(ANN)["status"],
                  "active" if day < 2 else "disabled")
            if day == 2:
                last = ident
        # Told once, about whom and why.
        notice = site.one("command")
        told = words(notice.get("Notice"))
        due = told.pop("due")
        assert notice.get("Notice").startswith("member-disabled to=owners ")
        equal(told, {"to": "owners", "address": "<ann@example.net>",
                     "reason": "5.1.1 no such user"})
        assert notice.get("Not-Before")[-4:-1] == due[-3:], notice.get(
            "Not-Before")
        equal((notice.get("About"), notice.get("Reason")),
              (last, 'status=5.1.1 text="no such user"'))
        # Disabled: no more posts.
        ident = site.give("pending")
        site.drain("pending")
        equal([a for _, a, _ in site.rcpt(ident)], [BOB])


def test_bounce_old_scores_start_anew():
    with StageSite(policy={"bounce_stale": "7d"}) as site:
        for day, want in ((0, 1), (1, 2), (7, 3), (15, 1)):
            site.offset = day * DAY
            refused(site, (ANN, 1, "5.1.1", 550))
            site.drain("bounce")
            equal(site.score(ANN), want, "day %d" % day)


def test_bounce_threshold_0_never_disables():
    with StageSite(policy={"bounce_threshold": "0"}) as site:
        for day in range(8):
            site.offset = day * DAY
            refused(site, (ANN, 1, "5.1.1", 550))
            site.drain("bounce")
        equal((site.score(ANN), site.member(ANN)["status"]), (8, "active"))
        equal(site.notices(), [])


def test_bounce_a_repeated_hop_says_the_same():
    with StageSite(policy={"bounce_threshold": "1"}) as site:
        ident = refused(site, (ANN, 1, "5.1.1", 550))
        envelope = site.part("bounce/new", ident)
        listed = site.part("rcpt", ident)
        site.drain("bounce")
        first = re.findall(r"\n(Score: .*)\n", site.journal())
        for name in site.names("command"):
            os.unlink(site.path("command", "new", name))
        put(site.path("msg", ident), POST)
        put(site.path("rcpt", ident), listed)
        put(site.path("bounce", "new", ident), envelope)
        site.offset = DAY
        site.drain("bounce")
        equal(site.score(ANN), 1)
        equal(re.findall(r"\n(Score: .*)\n", site.journal()), first * 2)
        equal(len(site.notices()), 1)


main(globals())
