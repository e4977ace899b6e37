/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test_site - a site file read, its defaults, and all its errors in one go
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/domain/site.h"

static struct conf_errors errors;

static struct site *
make(const char *text)
{
	struct conf_node *tree;

	conf_errors_free(&errors);
	tree = conf_parse("f", text, strlen(text), &errors);
	ck_assert_ptr_nonnull(tree);
	return site_make("/etc/septet/f", tree, &errors);
}

static void
assert_made(const struct site *site)
{
	ck_assert_msg(site != NULL, "%s", errors.lines.n > 0
	    ? errors.lines.items[0] : "no error");
}

START_TEST(test_defaults)
{
	struct site *site;
	const struct site_queue *queue;

	unsetenv("SEPTET_PROGRAMS");
	unsetenv("SEPTET_TEMPLATES");
	site = make("site: Lists.Example.ORG\n");
	assert_made(site);
	ck_assert_str_eq(site->file, "/etc/septet/f");
	ck_assert_str_eq(site->name, "lists.example.org");
	ck_assert_uint_ge(strlen(site->host), 1);
	ck_assert_uint_le(strlen(site->host), 20);
	ck_assert_str_eq(site->spool, "/var/spool/septet");
	ck_assert_str_eq(site->lists, "/var/lib/septet/lists");
	ck_assert_str_eq(site->run, "/run/septet");
	ck_assert_ptr_null(site->log);
	ck_assert_int_eq(site->log_level, LOG_LEVEL_INFO);
	ck_assert_uint_eq(site->owners.n, 0);
	ck_assert_str_eq(site->programs, SEPTET_LIBEXEC);
	ck_assert_str_eq(site->templates, SEPTET_DATADIR "/templates");
	ck_assert_ptr_null(site->user);
	ck_assert_int_eq(site->flush, SITE_FLUSH_AUTO);
	ck_assert_int_eq(site->give_up, 5LL * 86400000);
	ck_assert_int_eq(site->hold, 14LL * 86400000);
	ck_assert_int_eq(site->keep, 30LL * 86400000);
	ck_assert_int_eq(site->timer, 300000);
	ck_assert_uint_eq(site->low_space, 64 << 20);
	ck_assert_uint_eq(site->trusted_authserv.n, 0);
	ck_assert_uint_eq(site->lmtp.listen.n, 1);
	ck_assert_str_eq(site->lmtp.listen.items[0], "127.0.0.1:8024");
	ck_assert_uint_eq(site->lmtp.connections, 200);
	ck_assert_uint_eq(site->lmtp.recipients, 1000);
	ck_assert_int_eq(site->lmtp.timeout, 300000);
	ck_assert_uint_eq(site->lmtp.xforward.n, 3);
	ck_assert_ptr_null(site->defaults);
	ck_assert_uint_eq(site->n_queues, 7);
	queue = site_queue(site, "inbound");
	ck_assert_str_eq(queue->runner, "inbound");
	ck_assert_uint_eq(queue->instances, 1);
	ck_assert_uint_eq(queue->size_limit, 40 << 20);
	ck_assert_uint_eq(queue->batch, 64);
	ck_assert_uint_eq(queue->n_relays, 0);
	queue = site_queue(site, "outbound");
	ck_assert_uint_eq(queue->n_relays, 1);
	ck_assert_str_eq(queue->relays[0].name, "main");
	ck_assert_str_eq(queue->relays[0].host, "127.0.0.1");
	ck_assert_uint_eq(queue->relays[0].port, 25);
	ck_assert_uint_eq(queue->relays[0].connections, 4);
	ck_assert_uint_eq(queue->relays[0].recipients, 50);
	ck_assert_uint_eq(site_queue(site, "pending")->recipients, 1000);
	ck_assert_ptr_null(site_queue(site, "lmtp"));
	site_free(&site);
	ck_assert_ptr_null(site);
}
END_TEST

static const struct {
	const char *queue, *exit, *to;
} stock_exits[] = {
	{"inbound", "accept", "auth"}, {"inbound", "command", "command"},
	{"inbound", "bounce", "bounce"}, {"inbound", "owner", "outbound"},
	{"inbound", "reject", "command"}, {"inbound", "verdict", NULL},
	{"auth", "accept", "moderation"}, {"auth", "reject", "command"},
	{"moderation", "accept", "pending"},
	{"moderation", "reject", "command"},
	{"moderation", "notice", "command"}, {"pending", "accept", "outbound"},
	{"pending", "notice", "command"}, {"outbound", "bounce", "bounce"},
	{"outbound", "accept", NULL}, {"bounce", "notice", "command"},
	{"bounce", "hold", "moderation"}, {"command", "accept", "outbound"},
	{"command", "verdict", "moderation"}};

START_TEST(test_stock_exits)
{
	struct site *site = make("site: x.org\n");
	const char *to;

	assert_made(site);
	for (size_t i = 0; i < sizeof(stock_exits) / sizeof(stock_exits[0]);
	    i++) {
		to = site_exit(site_queue(site, stock_exits[i].queue),
		    stock_exits[i].exit);
		if (stock_exits[i].to == NULL) {
			ck_assert_ptr_null(to);
		} else {
			ck_assert_str_eq(to, stock_exits[i].to);
		}
	}
	site_free(&site);
}
END_TEST

START_TEST(test_values)
{
	const struct site_relay *relay;
	struct site *site;

	unsetenv("SEPTET_PROGRAMS");
	setenv("SEPTET_TEMPLATES", "/t", 1);
	site = make("site: x.org\nhost: b-1\nspool: spool\nlists: ./lists/\n"
	    "run: /r\nlog: log/septet.log\nlog_level: debug\n"
	    "owner: [a@x.org, b@x.org]\nprograms: bin\ntemplates: here\n"
	    "user: u\ngroup: g\nflush: fsync\ngive_up: 1d\nhold: 2d\n"
	    "keep: 3d\ntimer: 2s\nlow_space: 1M\ntrusted_authserv: mx.x.org\n"
	    "lmtp: {listen: ['[::1]:24', 'unix:run/s'], connections: 3,\n"
	    "  recipients: 4, timeout: 6s, xforward: [10.0.0.1]}\n"
	    "queues:\n"
	    "  outbound: {instances: 3, batch: 1, poll: 1s, smtp: {\n"
	    "    a: {host: mx.x.org, port: 587, tls: verify, tls_ca: ca.pem,\n"
	    "      user: me, password_file: pw, helo: h.x.org,\n"
	    "      connections: 7, recipients: 8},\n"
	    "    b: {host: 'unix:run/lmtp', lmtp: yes}}}\n"
	    "  auth: {instances: 0, exits: {accept: spam}}\n"
	    "  spam: {exits: {accept: moderation, spam: command}}\n"
	    "  bulk: {runner: outbound}\n"
	    "  slow: {runner: outbound, maildir: mail}\n"
	    "defaults: {owners: [o@x.org]}\n");
	assert_made(site);
	ck_assert_str_eq(site->host, "b-1");
	ck_assert_str_eq(site->spool, "/etc/septet/spool");
	ck_assert_str_eq(site->lists, "/etc/septet/lists");
	ck_assert_str_eq(site->run, "/r");
	ck_assert_str_eq(site->log, "/etc/septet/log/septet.log");
	ck_assert_int_eq(site->log_level, LOG_LEVEL_DEBUG);
	ck_assert_uint_eq(site->owners.n, 2);
	ck_assert_str_eq(site->programs, "/etc/septet/bin");
	ck_assert_str_eq(site->templates, "/t");
	ck_assert_int_eq(site->flush, SITE_FLUSH_FSYNC);
	ck_assert_str_eq(site->lmtp.listen.items[1], "unix:/etc/septet/run/s");
	ck_assert_uint_eq(site->lmtp.xforward.n, 1);
	ck_assert_ptr_nonnull(site->defaults);
	ck_assert_uint_eq(site->n_queues, 10);
	ck_assert_uint_eq(site_queue(site, "auth")->instances, 0);
	ck_assert_int_eq(site_queue(site, "outbound")->poll, 1000);
	relay = site_queue(site, "outbound")->relays;
	ck_assert_uint_eq(site_queue(site, "outbound")->n_relays, 2);
	ck_assert_str_eq(relay[0].name, "a");
	ck_assert_str_eq(relay[0].host, "mx.x.org");
	ck_assert_uint_eq(relay[0].port, 587);
	ck_assert_int_eq(relay[0].tls, SITE_TLS_VERIFY);
	ck_assert_str_eq(relay[0].tls_ca, "/etc/septet/ca.pem");
	ck_assert_str_eq(relay[0].password_file, "/etc/septet/pw");
	ck_assert_str_eq(relay[0].helo, "h.x.org");
	ck_assert_uint_eq(relay[0].recipients, 8);
	ck_assert_str_eq(relay[1].host, "unix:/etc/septet/run/lmtp");
	ck_assert(relay[1].is_lmtp);
	/* A second outbound queue sends as the first does. */
	relay = site_queue(site, "bulk")->relays;
	ck_assert_uint_eq(site_queue(site, "bulk")->n_relays, 2);
	ck_assert_str_eq(relay[0].host, "mx.x.org");
	ck_assert_str_eq(relay[0].user, "me");
	ck_assert_str_eq(relay[1].name, "b");
	ck_assert_uint_eq(site_queue(site, "slow")->n_relays, 0);
	ck_assert_str_eq(site_queue(site, "slow")->maildir,
	    "/etc/septet/mail");
	ck_assert_str_eq(site_exit(site_queue(site, "bulk"), "bounce"),
	    "bounce");
	ck_assert_str_eq(site_exit(site_queue(site, "auth"), "accept"), "spam");
	ck_assert_str_eq(site_exit(site_queue(site, "auth"), "reject"),
	    "command");
	ck_assert_str_eq(site_queue(site, "spam")->runner, "spam");
	ck_assert_str_eq(site_exit(site_queue(site, "spam"), "spam"),
	    "command");
	ck_assert_str_eq(site_stage(site, "bulk"), "outbound");
	ck_assert_str_eq(site_stage(site, "outbound"), "outbound");
	ck_assert_str_eq(site_stage(site, "spam"), "spam");
	ck_assert_str_eq(site_stage(site, "lmtp"), "lmtp");
	site_free(&site);
}
END_TEST

START_TEST(test_swapped)
{
	struct site *site;

	site = make("site: x.org\nqueues:\n"
	    "  outbound: {runner: carrier, smtp: {host: a}}\n"
	    "  pending:\n");
	assert_made(site);
	/* Another program at a queue of ours has what belongs to the queue. */
	ck_assert_str_eq(site_stage(site, "outbound"), "outbound");
	ck_assert_str_eq(site_queue(site, "outbound")->runner, "carrier");
	ck_assert_str_eq(site_exit(site_queue(site, "outbound"), "bounce"),
	    "bounce");
	ck_assert_str_eq(site_queue(site, "outbound")->relays[0].host, "a");
	site_free(&site);
}
END_TEST

START_TEST(test_reaches)
{
	struct site *site = make("site: x.org\nqueues:\n"
	    "  auth: {exits: {accept: a}}\n"
	    "  a: {exits: {accept: moderation}}\n"
	    "  island: {exits: {accept: shore}}\n  shore:\n");

	assert_made(site);
	ck_assert(site_reaches(site, "inbound", "inbound"));
	ck_assert(site_reaches(site, "inbound", "outbound"));
	ck_assert(site_reaches(site, "auth", "pending"));
	ck_assert(site_reaches(site, "a", "a"));
	ck_assert(!site_reaches(site, "pending", "auth"));
	ck_assert(!site_reaches(site, "outbound", "inbound"));
	ck_assert(!site_reaches(site, "inbound", "island"));
	ck_assert(site_reaches(site, "island", "shore"));
	ck_assert(!site_reaches(site, "shore", "island"));
	ck_assert(!site_reaches(site, "nowhere", "auth"));
	ck_assert(!site_reaches(site, "auth", "nowhere"));
	site_free(&site);
}
END_TEST

static const struct {
	const char *text, *error;
} wrong[] = {
	{"spool: /x\n", "f:1: site is missing, the site's domain name is "
	    "needed (site: lists.example.org)"},
	{"site: -x.org\n", "f:1: site is \"-x.org\", a domain name is allowed "
	    "(in ASCII: xn-- for other letters)"},
	{"site: x..org\n", "f:1: site is \"x..org\", a domain name is allowed "
	    "(in ASCII: xn-- for other letters)"},
	{"site: x.org\nhost: A_1\n", "f:2: host is \"A_1\", 1 to 20 of a-z, "
	    "0-9 and - are allowed"},
	{"site: x.org\nsite_name: y\n", "f:2: unknown key "
	    "\"site_name\"; allowed are site, host, "},
	{"site: x.org\nhosts: {a: {}}\n", "f:2: hosts is not in this version, "
	    "it is allowed to leave it out"},
	{"site: x.org\nclusters: [a]\n", "f:2: clusters is not in this "
	    "version, it is allowed to leave it out"},
	{"site: x.org\nspool: /a\nlists: /a/\n", "f:1: spool, lists and run "
	    "are not three folders, a folder for each is allowed"},
	{"site: x.org\nowner: nobody\n", "f:2: owner \"nobody\" ("},
	{"site: x.org\ntimer: 10ms\n", "f:2: timer is under a second, 1s and "
	    "more is allowed"},
	{"site: x.org\nlmtp: {listen: [8024]}\n", "f:2: listen is \"8024\", "
	    "127.0.0.1:8024, [::1]:8024 or unix:/path (107 bytes) is allowed"},
	{"site: x.org\nlmtp: {listen: '::1:24'}\n", "f:2: listen is "
	    "\"::1:24\", "},
	{"site: x.org\nlmtp: {listen: 'h:65536'}\n", "f:2: listen is "
	    "\"h:65536\", "},
	{"site: x.org\nlmtp: {xforward: [mx.x.org]}\n", "f:2: xforward is "
	    "\"mx.x.org\", an IP address or unix is allowed"},
	{"site: x.org\nlmtp: {liste: 1}\n", "f:2: unknown key \"liste\", "
	    "nearest is \"listen\"; allowed are listen, "},
	{"site: x.org\nqueues: {a: {runner: [exec, /bin/true]}}\n", "f:2: "
	    "runner is a list or map, the name of one program septet-NAME is "
	    "allowed (exec and filter are not in this version)"},
	{"site: x.org\nqueues: {a: {runner: ../sh}}\n", "f:2: runner is "
	    "\"../sh\", the name of a program septet-NAME"},
	{"site: x.org\nqueues: {a: {runner: supervisor}}\n", "f:2: runner is "
	    "\"supervisor\", the name of a program septet-NAME that stands at "
	    "a queue is allowed"},
	{"site: x.org\nqueues: {auth: {on: b}}\n", "f:2: on is not in this "
	    "version, it is allowed to leave it out"},
	{"site: x.org\nqueues: {auth: {volume: b}}\n", "f:2: volume is not in "
	    "this version, it is allowed to leave it out"},
	{"site: x.org\nqueues: {auth: {exits: {accept: nosuch}}}\n", "f:2: "
	    "exit \"accept\" leads to \"nosuch\", one of the queues is "
	    "allowed: inbound, auth, "},
	{"site: x.org\nqueues: {auth: {exits: {acept: auth}}}\n", "f:2: "
	    "unknown key \"acept\", nearest is \"accept\"; allowed are accept, "
	    "reject"},
	{"site: x.org\nqueues: {a: {exits: {defer: auth}}}\n", "f:2: exit "
	    "\"defer\", a name of a-z, 0-9 and - is allowed, and none of "
	    "carried, defer, bury, requeue, back"},
	{"site: x.org\nqueues: {msg: {}}\n", "f:2: queue \"msg\", at most 64 "
	    "names"},
	{"site: x.org\nqueues: {../x: {}}\n", "f:2: queue \"../x\", at most "
	    "64 names"},
	{"site: x.org\nqueues: {a: 7}\n", "f:2: queue \"a\" is no map, a map "
	    "(\"key: value\" lines) is allowed"},
	{"site: x.org\nqueues: {auth: {instances: 65}}\n", "f:2: instances is "
	    "\"65\", a number from 0 to 64 is allowed"},
	{"site: x.org\nqueues: {auth: {maildir: x}}\n", "f:2: maildir at queue "
	    "\"auth\", it is allowed where the runner is outbound"},
	{"site: x.org\nqueues: {outbound: {maildir: x, smtp: {host: a}}}\n",
	    "f:2: queue \"outbound\" has smtp and maildir, one of them is "
	    "allowed"},
	{"site: x.org\nqueues: {outbound: {smtp: {user: x}}}\n", "f:2: relay "
	    "\"main\" has one of user and password_file, both or none are "
	    "allowed"},
	{"site: x.org\nqueues: {outbound: {smtp: {rate: 5}}}\n", "f:2: rate is "
	    "not in this version, it is allowed to leave it out"},
	{"site: x.org\nqueues: {outbound: {smtp: {tls: yes}}}\n", "f:2: tls is "
	    "\"yes\", none, may, must or verify is allowed"},
	{"site: x.org\nqueues: {outbound: {smtp: {a: {prot: 5}}}}\n", "f:2: "
	    "unknown key \"prot\", nearest is \"port\"; allowed are host, "},
	{"site: x.org\nqueues: {outbound: {smtp: {a: {}, b: 1}}}\n", "f:2: "
	    "relay \"b\", at most 32 maps with names"},
	{"site: x.org\nqueues: [a]\n", "f:2: queues is a list, a map "
	    "(\"key: value\" lines) is allowed"},
	{"site: x.org\ndefaults: {member_actio: hold}\n", "f:2: unknown key "
	    "\"member_actio\", nearest is \"member_action\"; allowed are "
	    "owners, "},
	{"site: x.org\ndefaults: {addresses: [a@x.org]}\n", "f:2: unknown key "
	    "\"addresses\"; allowed are owners, "},
	{"site: x.org\ndefaults: {verp: all}\n", "f:2: verp is \"all\", each "
	    "or none is allowed"},
};

START_TEST(test_wrong)
{
	struct site *site = make(wrong[_i].text);

	ck_assert_ptr_null(site);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_uint_eq(errors.lines.n, 1);
	ck_assert_msg(strncmp(errors.lines.items[0], wrong[_i].error,
	    strlen(wrong[_i].error)) == 0, "%s", errors.lines.items[0]);
}
END_TEST

/* All errors are said, not only the first. */
START_TEST(test_all_errors)
{
	struct site *site = make("sit: x.org\nhost: A B\nhold: 5\n"
	    "queues:\n  auth: {instances: -1, batch: 0}\n  x: {on: a}\n");

	ck_assert_ptr_null(site);
	ck_assert_uint_eq(errors.lines.n, 7);
}
END_TEST

START_TEST(test_load)
{
	const char *tmp = getenv("TMPDIR");
	struct site *site;
	char dir[256], path[300];
	int cwd = open(".", O_RDONLY | O_DIRECTORY);
	FILE *f;

	snprintf(dir, sizeof(dir), "%.200s/septet-site.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_ptr_null(site_load("s.yaml", &errors));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(errors.lines.items[0], "s.yaml: cannot be read: "
	    "No such file or directory");
	conf_errors_free(&errors);
	f = fopen("s.yaml", "w");
	fputs("site: x.org\nspool: q\n", f);
	ck_assert_int_eq(fclose(f), 0);
	site = site_load("./s.yaml", &errors);
	assert_made(site);
	snprintf(path, sizeof(path), "%s/s.yaml", dir);
	ck_assert_str_eq(site->file, path);
	snprintf(path, sizeof(path), "%s/q", dir);
	ck_assert_str_eq(site->spool, path);
	site_free(&site);
	f = fopen("s.yaml", "a");
	fputs("site: y.org\n", f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_ptr_null(site_load("s.yaml", &errors));
	ck_assert_str_eq(errors.lines.items[0], "s.yaml:3: key \"site\" stands "
	    "in line 1 already, only once is allowed");
	ck_assert_int_eq(unlink("s.yaml"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(fchdir(cwd), 0);
	close(cwd);
}
END_TEST

/* The sample says what is so anyway, so it must load. */
START_TEST(test_sample)
{
	struct site *site = site_load("config/septet.yaml.sample", &errors);

	assert_made(site);
	ck_assert_str_eq(site->name, "lists.example.org");
	ck_assert_int_eq(site->keep, 30LL * 86400000);
	ck_assert_str_eq(site_stage(site, "bulk"), "outbound");
	site_free(&site);
}
END_TEST

START_TEST(test_path)
{
	unsetenv("SEPTET_SITE");
	ck_assert_str_eq(site_path(NULL), SEPTET_SITE_FILE);
	setenv("SEPTET_SITE", "/e", 1);
	ck_assert_str_eq(site_path(NULL), "/e");
	ck_assert_str_eq(site_path("/o"), "/o");
}
END_TEST

static void
teardown(void)
{
	conf_errors_free(&errors);
}

int
main(void)
{
	Suite *suite = suite_create("site");
	TCase *tc = tcase_create("site");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_stock_exits);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_swapped);
	tcase_add_test(tc, test_reaches);
	tcase_add_loop_test(tc, test_wrong, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, test_all_errors);
	tcase_add_test(tc, test_load);
	tcase_add_test(tc, test_sample);
	tcase_add_test(tc, test_path);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
