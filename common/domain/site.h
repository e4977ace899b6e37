/* SPDX-License-Identifier: BSD-2-Clause
 *
 * site - the site file: where things are and who runs what
 *
 * Relative paths in the file are taken from the file's own folder, so a demo
 * site can be moved.  Read once, constant afterwards; a reload makes a new one.
 * The keys are described in septet.yaml(5).
 */
#ifndef SEPTET_DOMAIN_SITE_H
#define SEPTET_DOMAIN_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/log.h"
#include "common/base/strv.h"
#include "common/domain/conf.h"

enum site_tls { SITE_TLS_NONE, SITE_TLS_MAY, SITE_TLS_MUST, SITE_TLS_VERIFY };

/* One SMTP server that outbound hands mail to. */
struct site_relay {
	char *name;             /* "main" where the file names none */
	char *host;             /* name, address, or "unix:/path" */
	uint16_t port;          /* 25 */
	enum site_tls tls;      /* none */
	char *tls_ca;           /* CA file for verify, NULL: the system's */
	char *user;             /* SASL, NULL: none */
	char *password_file;
	char *helo;             /* NULL: the host's name */
	bool is_lmtp;           /* speaks LMTP instead (for tests, sinks) */
	unsigned connections;   /* at most, per instance: 4 */
	unsigned recipients;    /* at most in one transaction: 50 */
};

struct site_exit {
	char *name;             /* "accept" */
	char *queue;            /* where it leads */
};

struct site_queue {
	char *name;
	char *runner;           /* program septet-RUNNER; defaults to name */
	unsigned instances;     /* 1; 0: nobody (its mail waits) */
	struct site_exit *exits; /* defaults and the file's, merged */
	size_t n_exits;
	uint64_t size_limit;    /* inbound: 40M */
	unsigned batch;         /* entries handled between two flushes: 64 */
	int64_t poll;           /* ms between rings where inotify is blind; 0 */
	struct site_relay *relays; /* smtp: (outbound), at least one unless
	                         * there is a maildir */
	size_t n_relays;
	char *maildir;          /* outbound: deliver to DIR/ADDRESS/ instead */
	unsigned recipients;    /* pending: lines in a rcpt/ file, 1000 */
};

enum site_flush { SITE_FLUSH_AUTO, SITE_FLUSH_SYNCFS, SITE_FLUSH_FSYNC };

struct site_lmtp {
	struct strv listen;     /* "127.0.0.1:8024", "[::1]:8024", "unix:/p" */
	unsigned connections;   /* at once: 200 */
	unsigned recipients;    /* in one transaction: 1000 */
	int64_t timeout;        /* of a silent client: 5m */
	struct strv xforward;   /* client addresses whose XFORWARD counts;
	                         * default loopback and unix */
};

struct site {
	char *file;             /* absolute */
	char *name;             /* site: its domain name */
	char *host;             /* this host's name in IDs: [a-z0-9-]{1,20} */
	char *spool;
	char *lists;
	char *run;              /* locks, sockets, supervisor state */
	char *log;              /* file, NULL: stderr */
	enum log_level log_level;
	struct strv owners;     /* owner: postmaster's mail and site notices */
	char *programs;         /* the runners' folder; $SEPTET_PROGRAMS wins */
	char *templates;        /* notices; $SEPTET_TEMPLATES wins */
	char *user;             /* runners run as, when started as root */
	char *group;
	enum site_flush flush;
	int64_t give_up;        /* 5d */
	int64_t hold;           /* 14d */
	int64_t keep;           /* journal: 30d */
	int64_t timer;          /* slow timer: 5m */
	uint64_t low_space;     /* intake stops below: 64M */
	struct strv trusted_authserv; /* RFC 8601 ids: none */
	struct site_lmtp lmtp;
	struct site_queue *queues; /* the stock seven, then the file's own */
	size_t n_queues;
	struct conf_node *defaults; /* defaults: for list.yaml, or NULL */
	struct conf_node *tree;
};

/* Load and check.  NULL where there was an error; errors has them all (errno:
 * ENOENT where there is no file, else EINVAL or why it cannot be read). */
struct site *site_load(const char *path, struct conf_errors *errors);
/* The same from a tree, which it takes; path is for relative names. */
struct site *site_make(const char *path, struct conf_node *tree,
    struct conf_errors *errors);
void site_free(struct site **site);
/* The site file that counts: option, else $SEPTET_SITE, else the installed. */
const char *site_path(const char *option);

const struct site_queue *site_queue(const struct site *site, const char *name);
/* The queue an exit of a queue leads to, or NULL: unknown exit. */
const char *site_exit(const struct site_queue *queue, const char *exit);
/* Which of the stock runners does a queue of this name use ("outbound" for a
 * second outbound queue "bulk")?  Its own name where it is a custom one or not
 * a queue at all. */
const char *site_stage(const struct site *site, const char *queue);
/* Can an entry that leads to `from` come to `to` by exits?  (from == to:
 * yes.) */
bool site_reaches(const struct site *site, const char *from, const char *to);

#endif
