#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_mailrules_out - what mail itself demands of a list: addresses, VERP,
# going out, what scores, mail to owners
#
# Each test is a rule.  What comes in is in test_mailrules.

import re
import sys

sys.dont_write_bytecode = True
from list_site import (DAY, DOMAIN, HOUR, ListSite, OWNER,  # noqa: E402
                       message)
from septet_test import equal, main, wait_for  # noqa: E402

DEV = "dev@" + DOMAIN
ANN, BEN, EVE = "ann@example.net", "ben@example.net", "eve@example.com"
LONG = "a" * 40 + "@example.net"
JOERG = "j\u00f6rg@b\u00fccher.example"
VERP = re.compile(r"dev-bounces\+(.*)=([a-z2-7]{10})@lists\.example\.org$")


def sink_site(members=(ANN, BEN), keys=None, policy=None, **rules):
    site = ListSite(sink=rules, **(keys or {}))
    site.create(members=members, **(policy or {}))
    return site


def rules(site, **words):
    site.control(**words)


def report(address, action="failed", status="5.1.1", extra="",
           diagnostic="smtp; 550 no such user"):
    """A DSN about an address."""
    return ("From: MAILER-DAEMON@mx.example.net\nSubject: failure\n"
            "Message-ID: <%d@mx.example.net>\n%sMIME-Version: 1.0\n"
            "Content-Type: multipart/report; report-type=delivery-status;\n"
            " boundary=b\n\n--b\n\nNobody lives here.\n"
            "--b\nContent-Type: message/delivery-status\n\n"
            "Reporting-MTA: dns; mx.example.net\n\n"
            "Final-Recipient: rfc822; %s\nAction: %s\nStatus: %s\n"
            "Diagnostic-Code: %s\n\n--b--\n" % (
                number(), extra, address, action, status,
                diagnostic)).encode()


def number(seen=[0]):
    seen[0] += 1
    return seen[0]


def senders(site):
    """{member: sender of the last transaction}"""
    return {rcpt: t["sender"] for rcpt, t in site.sent().items()}


# ---- addresses --------------------------------------------------------------

def test_a_member_is_known_by_key_and_written_to_as_spelled():
    with ListSite() as site:
        site.create(members=["Ann.Lee@Example.NET", JOERG])
        site.post(message("ANN.lee@example.net"), "ann.LEE@example.net")
        equal(set(site.takers()), {"Ann.Lee@Example.NET", JOERG})
        for author in ("J\u00d6RG@b\u00dccher.example",
                       "j\u00f6rg@xn--bcher-kva.example",
                       "jo\u0308rg@bu\u0308cher.example"):
            site.post(message(author), author)
        equal(len(site.got(JOERG)), 4)
        equal(site.names("moderation", "held"), [])


def test_smtputf8_members_and_posters():
    with sink_site([ANN, JOERG]) as site:
        site.post(message(JOERG, subject="Gr\u00fc\u00dfe"), JOERG)
        sent = site.sent()
        equal(set(sent), {ANN, JOERG})
        for transaction in sent.values():
            assert "SMTPUTF8" in transaction["mail"], transaction
            assert "j\u00f6rg" in transaction["message"].encode(
                "latin-1").decode()


def test_a_relay_without_smtputf8_fails_with_5_6_7_and_no_score():
    offer = ["PIPELINING", "8BITMIME", "DSN"]
    with sink_site([ANN, JOERG], offer=offer) as site:
        site.post()
        equal(set(site.sent()), {ANN})
        assert re.search(r"\t5\.6\.7\t", site.journal()), site.journal()
        equal({a: int(m.get("score") or 0) for a, m in
               site.members().items()}, {ANN: 0, JOERG: 0})
        # A header that needs it fails for everybody.
        site.post(message(subject="Gr\u00fc\u00dfe"))
        equal(len(site.sink.log()), 1)
        equal(site.score(ANN), 0)
        equal(site.where(), {})


def test_a_relay_without_8bitmime_fails_with_5_6_3_and_no_score():
    with sink_site(offer=["PIPELINING", "SMTPUTF8"]) as site:
        site.post(message(body="Gr\u00fc\u00dfe\n".encode()))
        equal(site.sent(), {})
        equal(len(re.findall(r"\t5\.6\.3\t", site.journal())), 2)
        equal((site.score(ANN), site.score(BEN)), (0, 0))
        equal(site.where(), {})
        site.post(message(body=b"seven bits\n"))
        equal(set(site.sent()), {ANN, BEN})


# ---- VERP -------------------------------------------------------------------

def test_verp_of_each_recipients_line_fills_send_from():
    with sink_site() as site:
        site.mail(message())
        site.drain("inbound", "auth", "moderation", "pending")
        entry = site.one("outbound")
        equal(entry.get("Send-From"), "<dev-bounces+{verp}@%s>" % DOMAIN)
        words = {address: words["verp"] for _, address, words in
                 site.rcpt(entry.id)}
        site.settle()
        equal(senders(site), {a: "dev-bounces+%s@%s" % (w, DOMAIN)
                              for a, w in words.items()})


def test_verp_is_user_domain_mac_and_constant():
    with sink_site(["x=y+z@example.net", ANN]) as site:
        site.create("ops", members=[ANN], nonmember_action="accept")
        site.post()
        first = senders(site)
        equal({a: VERP.match(s).group(1) for a, s in first.items()},
              {ANN: "ann=example.net",
               "x=y+z@example.net": "x=y+z=example.net"})
        site.post()
        equal(senders(site), first)
        macs = {VERP.match(s).group(2) for s in first.values()}
        equal(len(macs), 2)
        site.post(message(), to="ops")
        other = senders(site)[ANN]
        assert other.startswith("ops-bounces+ann=example.net="), other
        assert other.split("=")[-1] not in first[ANN], other


def test_verp_names_the_member_by_id_where_it_must():
    for address in (LONG, JOERG, "a" * 64 + "@example.net",
                    '"a b"@example.net'):
        with sink_site([address]) as site:
            site.post(message(address), address)
            sender = senders(site)[address]
            local = sender[:sender.rindex("@")]
            assert len(local.encode()) <= 64 and local.isascii(), sender
            member = site.members()[address]["id"]
            equal(VERP.match(sender).group(1), "~%s" % member, sender)
            site.post(report(address), "", sender)
            equal(site.score(address), 1, sender)


def test_verp_at_the_limit_of_64_octets():
    # dev-bounces+ and =example.net= and ten characters leave 29.
    for n, is_plain in ((29, True), (30, False)):
        address = "a" * n + "@example.net"
        with sink_site([address]) as site:
            site.post(message(address), address)
            sender = senders(site)[address]
            equal(len(sender[:sender.rindex("@")]) == 64, is_plain)
            equal("~" in sender, not is_plain)


def test_a_wrong_mac_never_scores():
    with sink_site() as site:
        site.create("ops", members=[ANN], nonmember_action="accept")
        site.post(message(), to="ops")
        other = senders(site)[ANN]
        site.post()
        right = senders(site)
        mac = {a: s[:s.rindex("@")].split("=")[-1] for a, s in right.items()}
        wrong = "a" if mac[ANN][0] != "a" else "b"
        ids = {a: m["id"] for a, m in site.members().items()}
        for extension in (
                "ann=example.net=" + mac[BEN],
                "ann=example.net=" + wrong + mac[ANN][1:],
                "ann=example.net=" + mac[ANN][:-1],
                "ann=example.net=" + mac[ANN] + "a",
                "ann=example.net=", "ann=example.net", "", "=", "~=",
                "ann=example.net=" +
                other[:other.rindex("@")].split("=")[-1],
                "~%s=%s" % (ids[ANN], mac[BEN]),
                "~999=%s" % mac[ANN]):
            to = "dev-bounces+%s@%s" % (extension, DOMAIN)
            site.post(report(ANN), "", to)
            equal((site.score(ANN), site.score(BEN)), (0, 0), extension)
        # Nor does a report to the list, or to its bare bounce address.
        for to in ("dev", "dev-request", "dev-bounces"):
            site.post(report(ANN), "", to)
            equal((site.score(ANN), site.score(BEN)), (0, 0), to)
        site.post(report(ANN), "", right[ANN])
        equal((site.score(ANN), site.score(BEN)), (1, 0))


def test_the_post_is_named_by_envid_where_dsn_is_offered():
    for offer, is_offered in ((["DSN", "PIPELINING"], True),
                              (["PIPELINING"], False)):
        with sink_site([ANN], offer=offer) as site:
            site.post()
            (transaction,) = site.sink.log()
            words = transaction["mail"] + transaction["rcpts"][0][1]
            got = {w for w in words if re.match("ENVID|RET|NOTIFY|ORCPT", w)}
            ident = re.search(r"^Id: (\S+)$", site.journal(), re.M).group(1)
            equal(got, {"ENVID=" + ident, "RET=HDRS", "NOTIFY=FAILURE"}
                  if is_offered else set())


def test_tokens_come_only_after_a_plus():
    with ListSite() as site:
        site.create(members=[BEN])
        site.post(message(EVE), EVE, "dev-join")
        site.post(message(EVE), EVE)
        found = set()
        for address in (EVE, OWNER):
            for mail in site.got(address):
                found |= set(re.findall(r"[\w.+~=-]+@lists\.example\.org",
                                        mail.data.decode()))
        with_tokens = {a for a in found if re.search("[a-z2-7]{26}", a)}
        assert len(with_tokens) >= 4, found
        for address in with_tokens:
            assert re.match(r"dev-confirm\+[a-z2-7]+@", address), address


# ---- going out --------------------------------------------------------------

def test_crlf_dot_stuffing_stray_cr_and_long_lines():
    body = (b".\n..two\n.three\n\none\rtwo\n" + b"long" * 5000 +
            b"\nlast line without an end")
    with sink_site([ANN]) as site:
        site.post(message(body=body))
        (transaction,) = site.sink.log()
        got = transaction["message"].encode("latin-1")
        assert transaction["stuffed"]
        equal(got.partition(b"\r\n\r\n")[2],
              body.replace(b"\r", b" ").replace(b"\n", b"\r\n") + b"\r\n")
        assert b"\n" not in got.replace(b"\r\n", b""), got[:100]
        assert b"\r" not in got.replace(b"\r\n", b""), got[:100]


def test_a_nul_is_dead():
    for post in (message(body=b"a\0b\n"), message(extra=b"X: a\0b\n")):
        with sink_site() as site:
            site.post(post)
            equal(site.sink.log(), [])
            equal({place.split("/")[1] for place in site.where()}, {"dead"})
            (why,) = site.buried("outbound") + site.buried("inbound")
            assert "NUL" in why, why


def test_354_after_all_were_refused_is_answered_by_a_lone_dot():
    with sink_site(always_354=True, rcpt={"*": "550 5.1.1 no"}) as site:
        site.post()
        for transaction in site.sink.log():
            assert not transaction.get("message"), transaction
        equal((site.score(ANN), site.score(BEN)), (1, 1))


def test_4xx_is_deferred_with_backoff_until_give_up():
    with sink_site([ANN], rcpt={"*": "450 4.2.0 busy"},
                   keys={"give_up": "1d"}) as site:
        site.post()
        (name,) = site.names("outbound", "later")
        tries = len(site.sink.log())
        site.wait(60)
        equal(len(site.sink.log()), tries, "tried again at once")
        waits = []
        while site.names("outbound", "later"):
            before, start = len(site.sink.log()), site.offset
            while len(site.sink.log()) == before and \
                    site.names("outbound", "later"):
                site.wait(HOUR // 2)
            waits.append(site.offset - start)
            assert site.offset < 3 * DAY, "never given up"
        assert site.offset >= DAY, site.offset
        assert waits[0] < max(waits), waits
        assert "exit=expired" in site.journal(), site.journal()
        equal(site.score(ANN), 0)


def test_4xx_is_tried_again_and_delivered():
    with sink_site(rcpt={ANN: "450 4.2.0 busy"}) as site:
        site.post()
        equal(site.sink.got(), {BEN: 1})
        rules(site)
        site.wait(4 * HOUR)
        equal(site.sink.got(), {ANN: 1, BEN: 1})
        equal(site.where(), {})


# ---- what scores ------------------------------------------------------------

def test_a_5xx_to_rcpt_scores_by_its_status():
    # A day later each, since a member has one point a day at most.
    with sink_site(policy={"bounce_threshold": "0",
                           "bounce_stale": "90d"}) as site:
        want = 0
        for reply, scores in (
                ("550 5.1.1 no such user", 1), ("550 no such user", 1),
                ("553 5.1.3 what?", 1), ("550 5.2.1 disabled", 1),
                ("550 5.7.1 policy", 0), ("554 5.7.26 dmarc", 0),
                ("554 5.6.0 content", 0), ("503 5.5.1 order", 0),
                ("552 5.3.4 too large", 0), ("552 5.2.2 full", 0),
                ("551 5.1.10 null MX", 1)):
            rules(site, rcpt={ANN: reply})
            site.post()
            want += scores
            equal((site.score(ANN), site.score(BEN)), (want, 0), reply)
            site.wait(DAY)


def test_a_report_scores_by_its_status():
    with sink_site(policy={"bounce_threshold": "0",
                           "bounce_stale": "90d"}) as site:
        site.post()
        to = senders(site)[ANN]
        want = 0
        for status, scores in (("5.1.1", 1), ("5.2.1", 1), ("5.1.10", 1),
                               ("5.7.1", 0), ("5.6.3", 0), ("5.5.0", 0),
                               ("5.3.4", 0), ("5.2.2", 0), ("5.4.4", 0),
                               ("4.4.7", 0)):
            site.post(report(ANN, status=status,
                             diagnostic="smtp; no"), "", to)
            want += scores
            equal((site.score(ANN), site.score(BEN)), (want, 0), status)
            site.wait(DAY)


def test_one_point_for_a_member_and_day():
    with sink_site(rcpt={ANN: "550 5.1.1 no"}) as site:
        site.post()
        to = senders(site)[ANN]
        for _ in range(3):
            site.post()
            site.post(report(ANN), "", to)
        equal(site.score(ANN), 1)
        site.wait(DAY)
        site.post(report(ANN), "", to)
        site.post()
        equal(site.score(ANN), 2)


def test_past_the_threshold_a_member_gets_no_more_and_owners_know():
    with sink_site(rcpt={ANN: "550 5.1.1 no"},
                   policy={"bounce_threshold": "2"}) as site:
        site.post()
        site.wait(DAY)
        equal(site.members()[ANN]["status"], "active")
        site.post()
        equal(site.members()[ANN]["status"], "disabled")
        equal(site.sent()[OWNER]["sender"], "")
        before = len(site.sink.log())
        site.post(message(BEN), BEN)
        equal([t["rcpts"][0][0] for t in site.sink.log()[before:]], [BEN])


def test_5xx_elsewhere_is_the_relays_or_the_posts_fault():
    no = "554 5.1.1 no"
    for stage in ("greeting", "ehlo", "mail", "data", "dot", "starttls",
                  "auth"):
        words = {stage: no}
        if stage == "ehlo":
            words["helo"] = no
        with sink_site(**words) as site:
            if stage == "starttls":
                site.control(offer=["STARTTLS"], starttls=no)
                site.relay = ", tls: must"
            elif stage == "auth":
                with open(site.root + "/password", "w") as file:
                    file.write("secret")
                site.control(offer=["AUTH PLAIN"], auth=no)
                site.relay = ", user: septet, password_file: password"
            site.configure()
            site.post()
            equal((site.score(ANN), site.score(BEN)), (0, 0), stage)
            equal(len(site.names("outbound", "later")), 1, stage)
            assert "5.1.1 no" in site.status() or stage == "starttls", \
                "%s: no alarm in %s" % (stage, site.status())
            rules(site, offer=["AUTH PLAIN", "PIPELINING"],
                  users={"septet": "secret"})
            site.relay = ""
            site.configure()
            site.wait(4 * HOUR)
            equal(site.sink.got(), {ANN: 1, BEN: 1}, stage)


def test_all_of_twenty_refused_is_the_relays_fault_of_nineteen_not():
    for n, score in ((19, 1), (20, 0)):
        members = ["m%d@example.net" % i for i in range(n)]
        with sink_site(members, policy={"nonmember_action": "accept"},
                       rcpt={"*": "550 5.1.1 no"}) as site:
            site.post()
            equal({int(m.get("score") or 0) for m in
                   site.members().values()}, {score}, n)
            equal(len(site.names("outbound", "later")), 1 - score)
            equal("5.1.1 no" in site.status(), not score, site.status())


def test_septet_status_shows_the_alarm():
    keys = {"lmtp": '{listen: ["unix:lmtp"]}', "log": "log"}
    with sink_site(mail="554 5.1.1 no", keys=keys) as site:
        process = site.start("septet-supervisor")
        site.mail(message())

        def status():
            return site.run("septet", "status", code=None).stdout.decode()

        wait_for("an alarm", lambda: re.search(
            r"^! outbound1: .*5\.1\.1 no", status(), re.M))
        process.terminate()
        equal(process.wait(30), 0)


def test_delays_complaints_and_vacations_never_score():
    complaint = (
        "From: fbl@example.net\nSubject: complaint\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report;\n"
        " boundary=b\n\n--b\n\nSpam.\n--b\n"
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        "User-Agent: x/1\nVersion: 1\nOriginal-Rcpt-To: ann@example.net\n\n"
        "--b--\n").encode()
    vacation = (b"From: ann@example.net\nSubject: Out of office\n"
                b"Auto-Submitted: auto-replied\n\n550 5.1.1 is my number.\n")
    with sink_site() as site:
        site.post()
        to = senders(site)[ANN]
        for mail, sender in (
                (report(ANN, "delayed", "4.4.1"), ""),
                (report(ANN, "delayed", "5.1.1"), ""),
                (report(ANN, "delivered", "2.0.0"), ""),
                (report(ANN, "relayed", "5.1.1"), ""),
                (complaint, ""), (complaint, "fbl@example.net"),
                (vacation, ""), (vacation, ANN)):
            site.post(mail, sender, to)
            equal(site.score(ANN), 0, mail[:300])
        equal({r for r in site.sent()}, {ANN, BEN})


# ---- mail to owners ---------------------------------------------------------

def test_owner_mail_has_a_sender_of_the_site():
    with sink_site(rcpt={OWNER: "550 5.1.1 no"}) as site:
        site.post(message(EVE), EVE, "dev-owner")
        equal(site.sent()[OWNER]["sender"], "postmaster@" + DOMAIN)
        # It fails: no member scores, nobody is told, nothing stays.
        equal({int(m.get("score") or 0) for m in site.members().values()},
              {0})
        equal(set(site.sent()), {OWNER})
        equal([p for p in site.where() if not p.endswith("/dead")], [])


main(globals())
