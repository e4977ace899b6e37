#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_outbound - the runner against a sink that behaves well, badly, and not
# at all
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.

import os
import re
import subprocess
import sys
import time
import traceback

from outbound_site import (BIN, DOMAIN, HEADER, OUTBOUND, PATIENCE, ROOT, Site,
                           put, read, wait_for)

ANN, BOB, CAL = "ann@example.net", "bob@example.net", "cal@example.net"


def equal(got, want):
    assert got == want, "got %r, want %r" % (got, want)


def people(n, domain="example.net"):
    return ["user%d@%s" % (i, domain) for i in range(1, n + 1)]


def only_once(sink, addresses):
    equal(sink.got(), {address: 1 for address in addresses})


# ---- what goes out ---------------------------------------------------------

def test_a_transaction_per_recipient_with_verp():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        entry = site.entry([ANN, BOB])
        site.drain()
        first, second = sink.log()
        equal(first["sender"],
              "dev-bounces+ann=example.net=mac1@" + DOMAIN)
        equal(second["rcpts"], [[BOB, []]])
        equal(first["message"], "From: Ann <ann@example.net>\r\n"
              "Subject: one\r\n\r\nHello,\r\n.\r\n..dots\r\n")
        assert first["stuffed"]
        equal(first["mail"], ["SIZE=%d" % first["size"]])
        text = site.journal()
        assert "id=%s" % entry in text and "exit=done" in text, text
        equal(re.findall(r"^D\t(\S+)", text, re.M), [ANN, BOB])
        equal(site.names("outbound", "new") + site.names("outbound", "cur") +
              site.names("msg") + site.names("rcpt") + site.names("result"),
              [])


def test_without_verp_many_recipients_share_a_transaction():
    with Site() as site:
        sink = site.sink()
        site.relay(sink, ", recipients: 7, connections: 1")
        site.entry(people(20), Verp="none",
                   Send_From="<dev-bounces@%s>" % DOMAIN)
        site.drain()
        equal([len(t["rcpts"]) for t in sink.log()], [7, 7, 6])
        equal({t["sender"] for t in sink.log()}, {"dev-bounces@" + DOMAIN})
        only_once(sink, people(20))


def test_nobody_without_a_verp_word_gets_a_broken_sender():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        site.entry([(ANN, "id=1")])
        site.drain()
        equal(sink.log()[0]["sender"], "dev-bounces@" + DOMAIN)


def test_head_replaces_the_messages_own_header():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        head = b"Received: by a\nSubject: two\n\n"
        entry = site.entry([ANN], Head="%d crc32=00000000" % len(head))
        put(site.path("head", entry), head)
        site.drain()
        equal(sink.log()[0]["message"],
              "Received: by a\r\nSubject: two\r\n\r\n"
              "Hello,\r\n.\r\n..dots\r\n")


def test_large_messages_and_connections_are_streamed():
    body = b"".join(b"%d .....\n.\n" % i for i in range(200000))
    with Site() as site:
        sink = site.sink()
        site.relay(sink, ", connections: 2")
        site.entry(people(4), body=body)
        site.drain()
        only_once(sink, people(4))
        want = (HEADER + body).replace(b"\n", b"\r\n").decode()
        for transaction in sink.log():
            assert transaction["message"] == want, "the message is changed"


def test_line_ends():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        site.entry([ANN], body=b"stray\rCR\n" + b"x" * 5000 + b"\nno end")
        site.drain()
        equal(sink.log()[0]["message"].split("\r\n\r\n", 1)[1],
              "stray CR\r\n" + "x" * 5000 + "\r\nno end\r\n")


def test_one_connection_is_used_for_many_entries():
    with Site() as site:
        sink = site.sink()
        site.relay(sink, ", connections: 1")
        site.start()
        for i in range(5):
            site.entry([ANN])
            site.ring()
            wait_for("mail", lambda n=i: len(sink.log()) == n + 1)
        site.stop()
        wait_for("end", lambda: sink.log("session"))
        session, = sink.log("session")
        equal((session["transactions"], session["quit"]), (5, True))


def test_an_idle_process_sleeps():
    def woken():
        text = read("/proc/%d/status" % site.process.pid).decode()
        return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                             text).group(1))

    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        site.entry([ANN])
        site.start()
        wait_for("mail", sink.log)
        # The status is published a second after the last change.
        wait_for("status", lambda: b"settled: 1" in read(
            site.path("outbound", "status", "outbound1")))
        time.sleep(1.2)
        before = woken()
        time.sleep(2)
        equal(woken(), before)
        site.stop()


# ---- extensions ---------------------------------------------------------------

def test_pipelining_where_it_is_offered():
    for offer, is_pipelined in (([], False), (["PIPELINING"], True)):
        with Site() as site:
            sink = site.sink(offer=offer, rcpt={BOB: "550 5.1.1 no"})
            site.relay(sink, ", connections: 1")
            site.entry([ANN, BOB, CAL])
            site.drain()
            wait_for("end", lambda: sink.log("session"))
            equal([s["pipelined"] for s in sink.log("session")],
                  [is_pipelined])
            equal(sink.got(), {ANN: 1, CAL: 1})


def test_dsn_words_only_where_offered():
    for offer, mail, rcpt in (
            (["DSN"], ["RET=HDRS", "ENVID=0k3v+2Bq"], ["NOTIFY=FAILURE"]),
            ([], [], [])):
        with Site() as site:
            sink = site.sink(offer=["PIPELINING"] + offer)
            site.relay(sink)
            site.entry([ANN],
                       Send_Options="NOTIFY=FAILURE RET=HDRS ENVID=0k3v+q")
            site.drain()
            transaction = sink.log()[0]
            equal((transaction["mail"], transaction["rcpts"]),
                  (mail, [[ANN, rcpt]]))


def test_8bitmime_and_smtputf8_or_a_failure_of_their_own():
    for needs, word in (("8BITMIME", "BODY=8BITMIME"),
                        ("SMTPUTF8", "SMTPUTF8")):
        with Site() as site:
            sink = site.sink(offer=["PIPELINING", needs])
            site.relay(sink)
            site.entry([ANN], Needs=needs)
            site.drain()
            equal(sink.log()[0]["mail"], [word])
    for needs, status in (("8BITMIME", "5.6.3"), ("SMTPUTF8", "5.6.7")):
        with Site() as site:
            sink = site.sink(offer=["PIPELINING"])
            site.relay(sink)
            entry = site.entry([ANN], Needs=needs)
            site.drain()
            equal(sink.log(), [])
            text, = site.reports(entry)
            assert "status=" + status in text, text
            assert "exit=done" in site.journal()


def test_addresses_beyond_ascii():
    international = "ann@b\u00fccher.example"
    local = "\u00e4nn@example.net"
    with Site() as site:
        sink = site.sink(offer=["SMTPUTF8"])
        site.relay(sink)
        site.entry([(international, "id=1"), (local, "id=2")])
        site.drain()
        only_once(sink, [international, local])
        equal([t["mail"] for t in sink.log()], [["SMTPUTF8"]] * 2)
    with Site() as site:
        sink = site.sink(offer=[])
        site.relay(sink)
        entry = site.entry([(international, "id=1"), (local, "id=2")])
        site.drain()
        only_once(sink, ["ann@xn--bcher-kva.example"])
        text, = site.reports(entry)
        assert local in text and "status=5.6.7" in text, text
        assert international not in text, text


# ---- replies --------------------------------------------------------------------

def test_each_recipient_has_its_own_fate():
    with Site() as site:
        sink = site.sink(rcpt={BOB: "550 5.1.1 no such user",
                               CAL: "450 4.2.0 come back"})
        site.relay(sink)
        entry = site.entry([ANN, BOB, CAL])
        site.drain()
        equal(site.names("outbound", "later"), [entry])
        equal(site.states(entry), "DFT")
        equal(sorted(r[:2] + r[3:] for r in site.results(entry)), [
            ["1", "D", "250", "2.0.0", "250 2.0.0 ok"],
            ["2", "F", "550", "5.1.1", "550 5.1.1 no such user"],
            ["3", "T", "450", "4.2.0", "450 4.2.0 come back"]])
        text = site.envelope(entry)
        assert "Delivery: relay=main done=1 deferred=1 failed=1 results=%d " \
            % len(read(site.path("result", entry))) in text, text
        name, = site.names("bounce", "new")
        child = site.envelope(name, "bounce")
        assert "Kind: report\n" in child and "Role: bounces\n" in child, child
        equal(site.reports(entry), [
              "Septet-Rcpt: 1\nT\t%s\tid=2\tverp=bob=example.net=mac2\t"
              "status=5.1.1\tcode=550\ttext=\"550 5.1.1 no such user\"\n"
              % BOB])

        # The second attempt is for what is left, and reports what is new.
        sink.control(rcpt={CAL: "550 5.2.1 gone"})
        site.make_due()
        site.drain()
        equal(sink.got(), {ANN: 1})
        text = site.reports(entry)[1]
        assert CAL in text and BOB not in text, text
        assert re.search(r"^F\t" + CAL, site.journal(), re.M)


def test_faults_of_the_relay_or_the_post_fail_nobody():
    reply = "554 5.7.1 not from you"
    for rules in ({"greeting": reply}, {"ehlo": reply}, {"mail": reply},
                  {"data": reply}, {"dot": reply}):
        with Site() as site:
            site.relay(site.sink(**rules))
            entry = site.entry([ANN, BOB], Verp="none",
                               Send_From="<dev-bounces@%s>" % DOMAIN)
            site.drain()
            equal((rules, site.names("outbound", "later")), (rules, [entry]))
            equal(site.states(entry), "TT")
            equal(site.names("bounce"), [])
            assert " warn " in site.log() and "alarm" in site.log() \
                and reply in site.log(), site.log()
            assert reply in read(site.path(
                "outbound", "status", "outbound1")).decode()


def test_temporary_replies_defer():
    reply = "451 4.3.0 later"
    for rules in ({"greeting": reply}, {"ehlo": reply}, {"mail": reply},
                  {"rcpt": {"*": reply}}, {"data": reply}, {"dot": reply}):
        with Site() as site:
            sink = site.sink(**rules)
            site.relay(sink)
            entry = site.entry([ANN, BOB])
            site.drain()
            equal((rules, site.names("outbound", "later")), (rules, [entry]))
            equal(site.states(entry), "TT")
            sink.control()
            site.make_due()
            site.drain()
            only_once(sink, [ANN, BOB])


def test_twenty_refused_and_nobody_else_is_the_relays_fault():
    refused = {"*": "554 5.7.1 relay access denied"}
    for verp in ("each", "none"):
        for n, rules, want in ((20, refused, "T" * 20), (19, refused, None),
                               (21, dict(refused, **{people(21)[7]:
                                                     "250 2.1.5 ok"}), None)):
            with Site() as site:
                site.relay(site.sink(rcpt=rules))
                entry = site.entry(
                    people(n), Verp=verp, Send_From="<dev-bounces%s@%s>" % (
                        "+{verp}" if verp == "each" else "", DOMAIN))
                site.drain()
                if want:
                    equal(site.states(entry), want)
                    equal(site.names("bounce"), [])
                    assert "alarm" in site.log()
                else:
                    text, = site.reports(entry)
                    equal(text.count("\nT"), n if n == 19 else n - 1)
                    assert "exit=done" in site.journal()


def test_354_though_all_were_refused():
    with Site() as site:
        sink = site.sink(always_354=True, rcpt={ANN: "550 5.1.1 no"})
        site.relay(sink, ", connections: 1")
        site.entry([ANN, BOB])
        site.drain()
        equal(sink.got(), {BOB: 1})
        equal([t.get("size") for t in sink.log()][0], 0)


def test_after_many_failures_the_rest_of_a_list_waits():
    with Site() as site:
        sink = site.sink(dot="554 5.6.0 not this")
        site.relay(sink, ", connections: 1")
        entry = site.entry(people(200))
        site.drain()
        assert len(sink.log()) < 40, len(sink.log())
        equal(site.states(entry), "T" * 200)
        equal(site.log().count("alarm"), 1)


def test_lmtp_answers_for_each_recipient():
    with Site() as site:
        sink = site.sink(arguments=("--lmtp", "--unix",
                                    site.root + "/sink.sock"),
                         rcpt={CAL: "550 5.1.1 no"},
                         dots={BOB: "552 5.2.2 full"})
        site.relay(sink, ", lmtp: true")
        entry = site.entry([ANN, BOB, CAL], Verp="none",
                           Send_From="<dev-bounces@%s>" % DOMAIN)
        site.drain()
        equal(sink.got(), {ANN: 1})
        text, = site.reports(entry)
        assert "status=5.2.2" in text and "status=5.1.1" in text, text


# ---- connections ------------------------------------------------------------------

def test_a_dropped_connection_costs_nobody_his_mail():
    for stage in ("greeting", "ehlo", "mail", "rcpt", "data", "content",
                  "dot"):
        with Site() as site:
            sink = site.sink(drop_once=stage)
            site.relay(sink, ", connections: 1")
            site.entry(people(10))
            site.drain()
            sink.control()
            for _ in range(2):
                site.make_due()
                site.drain()
            only_once(sink, people(10))


def test_a_server_that_always_drops_is_left_alone():
    for stage in ("greeting", "mail", "data", "dot"):
        with Site() as site:
            sink = site.sink(drop=stage)
            site.relay(sink)
            entry = site.entry(people(100))
            site.drain()
            equal(site.states(entry), "T" * 100)
            equal(site.names("outbound", "later"), [entry])
            sessions = len(sink.log("session"))
            assert sessions < 100, (stage, sessions)


def test_a_server_that_ends_sessions_is_called_again():
    with Site() as site:
        sink = site.sink(most=3)
        site.relay(sink, ", connections: 1")
        site.entry(people(10))
        site.drain()
        only_once(sink, people(10))


def test_no_relay_defers_and_a_later_attempt_delivers():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        sink.stop()
        entry = site.entry([ANN])
        site.drain()
        equal(site.names("outbound", "later"), [entry])
        assert "Connection refused" in site.envelope(entry)
        assert "alarm" in site.log(), site.log()
        port = re.search(r"port: (\d+)", read(site.file).decode()).group(1)
        sink.start("--port", port)
        site.drain()
        equal(sink.log(), [])
        site.make_due()
        site.drain()
        only_once(sink, [ANN])


def test_several_relays():
    def write(site, one, two):
        site.write("{smtp: {one: %s, two: %s}}" % (
            one.smtp(", connections: 2"), two.smtp(", connections: 2")))

    with Site() as site:
        one, two = site.sink("one"), site.sink("two")
        write(site, one, two)
        site.entry(people(300))
        site.drain()
        assert one.log() and two.log(), "one of them got nothing"
        both = dict(one.got(), **two.got())
        equal((len(both), sum(both.values())), (300, 300))
    with Site() as site:
        one, two = site.sink("one"), site.sink("two")
        write(site, one, two)
        one.stop()
        site.entry(people(20))
        site.drain()
        only_once(two, people(20))


# ---- TLS and AUTH ---------------------------------------------------------------------

def certificate(site):
    cert, key = site.root + "/cert.pem", site.root + "/key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
         "/CN=sink.example.net", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert], check=True, stderr=subprocess.PIPE)
    return ("--cert", cert, "--key", key)


def test_starttls():
    for words, is_sent, is_secure in (
            (", tls: none", True, False), (", tls: may", True, True),
            (", tls: must", True, True),
            (", tls: verify, tls_ca: cert.pem", True, True),
            (", tls: verify", False, None)):
        with Site() as site:
            sink = site.sink(arguments=certificate(site))
            site.relay(sink, words)
            entry = site.entry(people(3), body=b"text\n" * 100000)
            site.drain()
            if is_sent:
                only_once(sink, people(3))
                equal((words, {t["tls"] for t in sink.log()}),
                      (words, {is_secure}))
            else:
                equal(sink.log(), [])
                assert "certificate" in site.envelope(entry)
                assert "alarm" in site.log()


def test_tls_that_does_not_work():
    for words, is_sent in ((", tls: may", True), (", tls: must", False)):
        # Nothing is offered; then it is refused.
        for rules in ({"offer": ["PIPELINING"]},
                      {"starttls": "454 4.7.0 not now"}):
            with Site() as site:
                sink = site.sink(arguments=certificate(site), **rules)
                site.relay(sink, words)
                site.entry([ANN])
                site.drain()
                equal((words, rules, len(sink.log())),
                      (words, rules, int(is_sent)))


def test_auth():
    for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        for password, is_sent in (("sesame", True), ("wrong", False)):
            with Site() as site:
                put(site.root + "/password", password.encode() + b"\n")
                sink = site.sink(offer=["AUTH " + mechanism],
                                 users={"list": "sesame"})
                site.relay(sink, ", user: list, password_file: password")
                site.entry([ANN])
                site.drain()
                equal((mechanism, password, [t["user"] for t in sink.log()]),
                      (mechanism, password, ["list"] if is_sent else []))
                assert is_sent or "AUTH: 535" in site.log(), site.log()
                assert password not in site.log()


# ---- crashes, and being stopped -------------------------------------------------------

def test_kill_9_repeats_only_what_was_on_the_wire():
    with Site() as site:
        sink = site.sink(messages=False)
        site.relay(sink, ", connections: 3")
        names = people(3000)
        entry = site.entry(names)
        for kill in range(2):
            site.start()
            wait_for("mail", lambda n=kill: len(sink.log()) > 300 + 900 * n)
            site.kill()
            site.put_back()
        site.drain()
        got = sink.got()
        equal(sorted(got), sorted(names))
        twice = sum(got.values()) - len(names)
        assert twice <= 2 * 3, twice
        equal(len(re.findall(r"^D\t", site.journal(), re.M)), 3000)
        assert "id=%s" % entry in site.journal()


def test_results_of_an_attempt_that_was_cut_short():
    result = ("1\t2026-11-20T10:00:00.000Z\tD\tmain\t250\t2.0.0\t250 ok\n"
              "2\t2026-11-20T10:00:00.000Z\tF\tmain\t550\t5.1.1\t550 no\n"
              "3\t2026-11-20T10:00:00.000Z\tT\tmain\t450\t\t450 later\n"
              "4\t2026-11-20T10:00:00.000Z\tD\tma")
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        entry = site.entry(people(4))
        put(site.path("result", entry), result.encode())
        site.drain()
        only_once(sink, people(4)[2:])
        text, = site.reports(entry)
        equal(re.findall(r"^T\t(\S+)", text, re.M), [people(4)[1]])
        equal(re.findall(r"^([A-Z])\tuser", site.journal(), re.M),
              ["D", "F", "D", "D"])
        equal(len(re.findall(r"^4\t", site.journal(), re.M)), 1)


def test_results_that_are_settled_are_not_reported_again():
    with Site() as site:
        sink = site.sink(rcpt={ANN: "550 5.1.1 no", BOB: "450 later"})
        site.relay(sink)
        entry = site.entry([ANN, BOB])
        site.drain()
        equal(len(site.reports(entry)), 1)
        os.unlink(site.path("bounce", "new", *site.names("bounce", "new")))
        sink.control()
        site.make_due()
        site.drain()
        equal(site.names("bounce", "new"), [])
        equal(sink.got(), {BOB: 1})


def test_the_end_of_the_bell_ends_open_transactions_only():
    with Site() as site:
        sink = site.sink(wait_dot=0.1)
        site.relay(sink, ", connections: 2")
        entry = site.entry(people(100))
        site.start()
        wait_for("mail", lambda: len(sink.log()) > 3)
        assert site.stop() < 5
        equal(site.names("outbound", "new"), [entry])
        assert "Claim:" not in site.envelope(entry)
        equal(site.states(entry).count("D"), len(sink.log()))
        sink.control()
        site.drain()
        only_once(sink, people(100))


def test_the_end_of_the_bell_waits_not_for_ever():
    with Site() as site:
        sink = site.sink(stall="dot")
        site.relay(sink)
        entry = site.entry([ANN])
        site.start()
        wait_for("connection", lambda: site.names("outbound", "cur"))
        time.sleep(0.5)
        took = site.stop()
        assert 5 < took < 15, took
        equal(site.names("outbound", "new"), [entry])


def test_a_claim_that_was_taken_is_let_go():
    with Site() as site:
        sink = site.sink(wait_dot=0.05)
        site.relay(sink, ", connections: 1")
        entry = site.entry(people(100))
        site.start()
        wait_for("mail", lambda: len(sink.log()) > 2)
        claimed, = [os.path.join(folder, name) for folder, _, names
                    in os.walk(site.path("outbound", "cur"))
                    for name in names]
        os.rename(claimed, site.root + "/taken")
        wait_for("log", lambda: "taken over" in site.log())
        sent = len(sink.log())
        time.sleep(0.3)
        assert len(sink.log()) <= sent + 1
        site.stop()
        assert entry not in site.names("outbound", "new")


def test_suspects_are_handled_one_at_a_time():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        for _ in range(3):
            entry = site.entry(people(5))
            with open(site.path("outbound", "new", entry), "a") as file:
                file.write("Claim: 1 queue=outbound owner=a.x.1\n")
        site.entry(people(5))
        site.drain()
        equal(sink.got(), {name: 4 for name in people(5)})


# ---- the end of it ----------------------------------------------------------------------

def test_give_up():
    with Site() as site:
        sink = site.sink(rcpt={ANN: "450 4.2.0 later"})
        site.relay(sink, more="give_up: 2d\n")
        site.entry([ANN, BOB], when="2020-01-01T00:00:00.000Z")
        site.drain()
        equal(sink.got(), {BOB: 1})
        text = site.journal()
        assert "exit=expired" in text, text
        equal(re.findall(r"^([A-Z])\t\w+@", text, re.M), ["E", "D"])
        assert re.search(r"^1\t\S+\tE\t-\t0\t\t450 4.2.0 later", text, re.M)
        assert "given up" in site.log()
        equal(text.count("Delivery:"), 1)
        equal(site.names("bounce"), [])
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        sink.stop()
        entry = site.entry([ANN], when="2020-01-01T00:00:00.000Z")
        put(site.path("rcpt", entry),
            b"Septet-Rcpt: 1\nT\tann@example.net\nnonsense\n")
        site.drain()
        equal(site.names("outbound", "dead"), [entry])
        assert "malformed" in site.envelope(entry)


def test_mail_without_a_sender_has_nobody_to_be_told():
    for role, sender, places in (
            ("notice", "<>", ["dead"]),
            ("owner", "<postmaster@%s>" % DOMAIN, [])):
        with Site() as site:
            sink = site.sink(rcpt={ANN: "550 5.1.1 no"})
            site.relay(sink)
            entry = site.entry([ANN], role=role, Send_From=sender, Verp=None)
            site.drain()
            equal(site.names("bounce"), [])
            equal(site.names("outbound", "dead"), [entry] * len(places))
            assert "nobody is told" in site.log()
    with Site() as site:
        sink = site.sink(rcpt={ANN: "550 5.1.1 no"})
        site.relay(sink)
        site.entry([ANN, BOB], Send_From="<>", Verp=None)
        site.drain()
        equal(site.names("outbound", "dead"), [])
        equal(sink.log()[-1]["sender"], "")


def test_what_can_never_be_sent_is_buried():
    def no_list(site):
        os.unlink(site.path("rcpt", site.entry([ANN])))

    def malformed_list(site):
        put(site.path("rcpt", site.entry([ANN])),
            b"Septet-Rcpt: 1\nT\tann@example.net\nnonsense\n")

    for make, why in (
            (lambda site: site.entry([ANN], body=b"a\0b\n"), "NUL"),
            (lambda site: site.entry([ANN], body=b"\n" * 400000 + b"\0"),
             "NUL"),
            (no_list, "missing"), (malformed_list, "line 2"),
            (lambda site: site.entry([ANN], Send_From=None), "Send-From"),
            (lambda site: site.entry(
                [(ANN, "verp=x\\x0d\\x0aRCPT")]), "Send-From")):
        with Site() as site:
            sink = site.sink()
            site.relay(sink)
            make(site)
            site.entry([BOB])
            site.drain()
            entry, = site.names("outbound", "dead")
            assert why in site.envelope(entry), site.envelope(entry)
            equal(sink.got().get(BOB), 1)


def test_hostile_addresses_are_failed_and_not_sent():
    with Site() as site:
        sink = site.sink()
        site.relay(sink)
        bad = ["ann@example.net>\\x0d\\x0aDATA", "ann", "a b@example.net"]
        entry = site.entry([(address, "id=1") for address in bad] + [BOB])
        site.drain()
        only_once(sink, [BOB])
        equal([len(t["rcpts"]) for t in sink.log()], [1])
        text, = site.reports(entry)
        equal(text.count("status=5.1.3"), 3)


# ---- Maildir ------------------------------------------------------------------------------

def test_maildir():
    with Site() as site:
        site.write("{maildir: mail}")
        names = people(100) + ["..@example.net", "\"a/b\"@example.net",
                               "100%@example.net"]
        entry = site.entry([(name, "id=1\tverp=v%d" % number)
                            for number, name in enumerate(names, 1)])
        site.drain()
        mail = site.root + "/mail"
        equal(len(os.listdir(mail)), len(set(names)) - 1)
        equal(os.listdir(mail + "/user7@example.net/new"), [entry + ".7"])
        equal(os.listdir(mail + "/user7@example.net/tmp"), [])
        equal(read(mail + "/user7@example.net/new/%s.7" % entry),
              b"Return-Path: <dev-bounces+v7@lists.example.org>\n"
              b"Delivered-To: user7@example.net\n" + HEADER +
              b"Hello,\n.\n..dots\n")
        assert os.path.isdir(mail + "/\"a%2Fb\"@example.net/new")
        assert os.path.isdir(mail + "/100%25@example.net/new")
        assert "exit=done" in site.journal()


def test_maildir_twice_is_once():
    with Site() as site:
        site.write("{maildir: mail}")
        entry = site.entry([ANN])
        site.drain()
        site.entry([ANN], identity=entry)
        site.drain()
        equal(os.listdir(site.root + "/mail/%s/new" % ANN), [entry + ".1"])


def test_maildir_that_cannot_be_written_defers():
    with Site() as site:
        site.write("{maildir: mail}")
        os.mkdir(site.root + "/mail")
        put(site.root + "/mail/" + ANN, b"in the way")
        entry = site.entry([ANN, BOB])
        site.drain()
        equal(site.names("outbound", "later"), [entry])
        equal(site.states(entry), "TD")


# ---- the program ------------------------------------------------------------------------------

def test_options():
    def run(*arguments):
        return subprocess.run([OUTBOUND, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=PATIENCE)

    with Site() as site:
        site.write("{maildir: mail}")
        got = run("--help")
        equal(got.returncode, 0)
        page = read(os.path.join(ROOT, "runners", "outbound",
                                 "septet-outbound.8")).decode()
        for option in re.findall(r"--([a-z-]+)", got.stdout):
            assert ("Fl -" + option) in page, option + " has no description"
        equal(run("--site", site.root + "/none").returncode, 78)
        equal(run("--nonsense").returncode, 64)
        site.write("{smtp: {host: 127.0.0.1, user: a, "
                   "password_file: none}}")
        got = run("--site", site.file, "--drain")
        assert got.returncode == 75 and "none" in got.stderr, got


def main():
    wanted = sys.argv[1:]
    tests = [(n[5:], f) for n, f in globals().items()
             if n.startswith("test_") and (not wanted or n[5:] in wanted)]
    failed = 0
    print("1..%d" % len(tests))
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, name.replace("_", " ")))
        except Exception as error:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            print("not ok %d - %s: %s" % (number, name.replace("_", " "),
                                          str(error).splitlines()[:1]))
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
