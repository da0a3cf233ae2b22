"""A whole cluster for a test, by scripts/cluster: nodes over one broker and one Postgres, and load on all gateways."""

import contextlib
import functools
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import psycopg
import pytest
import requests
from support import ROOT, Receiver, Tenant, is_alive, poll, rss_mib
from test_accounting import Client

TERM_MS = int(os.environ.get("PULSE_E2E_TERM_MS", "3000"))
SLOTS = 6
# For the suites that do each kind of fault so many times to three nodes.
TIMES = int(os.environ.get("PULSE_FAULT_TIMES", "1"))
# Of a node of which nobody knows that it is dead: as in test_cluster.py, and what a machine that is full may add.
OWNED = 3 * TERM_MS / 1000 + 15
RSS_MIB_MAX = 600
ALL = {"node-1", "node-2", "node-3"}


class Cluster:
    """Looks to a Tenant and to a Client like one node: requests go to the running nodes in turn."""

    def __init__(self, nodes, brokers=1, **settings):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pulse-cluster-"))
        self.dir.chmod(0o711)
        self.env = dict(os.environ, PULSE_CLUSTER_DIR=str(self.dir / "cluster"), PULSE_CLUSTER_TERM_MS=str(TERM_MS),
                        **settings)
        for name in ("PULSE_POSTGRES_URL", "PULSE_POSTGRES_URL_FILE", "PULSE_KEY", "PULSE_DATA_DIR"):
            self.env.pop(name, None)
        self.turn = itertools.count()
        self.tenants = 0
        # Of all loads whose books closed: their tenants, and what of each was acknowledged. How many clients there were.
        self.loaded, self.clients = None, 0
        self._db = None
        self.receiver = None
        self.nodes = {}
        self.first, self.brokers = nodes, brokers

    def start(self):
        self.run("start", "--nodes", str(self.first), "--brokers", str(self.brokers), "--slots", str(SLOTS))
        return self.refresh()

    def run(self, *args):
        done = subprocess.run([str(ROOT / "scripts" / "cluster"), *args], env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300)
        if done.returncode == 3:
            pytest.skip("no Kafka: Java, Maven or the jars cannot be had here")
        if done.returncode == 4:
            pytest.skip("no network namespaces: they need root, iproute2 and a kernel that has them")
        assert done.returncode == 0, (args, done.stdout, done.stderr, self.tail())
        return done.stdout

    def kafka(self, *args):
        """scripts/kafka on the cluster's own brokers."""
        subprocess.run([str(ROOT / "scripts" / "kafka"), *args], check=True, stdin=subprocess.DEVNULL,
                       env=dict(self.env, PULSE_KAFKA_DIR=str(self.dir / "cluster" / "kafka")), capture_output=True,
                       timeout=300)

    def status(self):
        return json.loads(self.run("status", "--json"))["nodes"]

    def refresh(self):
        self.nodes = {n["id"]: n for n in self.status()}
        return self

    def running(self):
        return [n for n in list(self.nodes.values()) if n["pid"] and is_alive(n["pid"])]

    @property
    def url(self):
        there = self.running()
        return there[next(self.turn) % len(there)]["http"]

    def request(self, method, path, **more):
        return requests.request(method, self.url + path, timeout=more.pop("timeout", 30), **more)

    def ask(self, node, path, method="GET", **more):
        """The admin listener of this node."""
        token = (pathlib.Path(node["data_dir"]) / "admin-token").read_text().strip()
        return requests.request(method, node["admin"] + path, headers={"Authorization": "Bearer " + token},
                                timeout=more.pop("timeout", 10), **more)

    def admin(self, node, path, method="GET", **more):
        answer = self.ask(node, path, method, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.text else None

    def bring_back(self, numbers):
        """Those of these nodes that do not run are started."""
        for number in numbers:
            if not any(n["id"] == number for n in self.running()):
                self.run("restart", str(number))
        return self.refresh()

    def cli(self, *args, on=None, status=0):
        node = self.nodes[on] if on else self.running()[0]
        done = subprocess.run([str(ROOT / "scripts" / "pulse"), *args, "--json"], capture_output=True, text=True,
                              env=dict(self.env, PULSE_DATA_DIR=node["data_dir"]), timeout=90, stdin=subprocess.DEVNULL)
        assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def tenant(self):
        self.tenants += 1
        return Tenant(self, f"shop-{self.tenants}")

    def metrics(self, node):
        token = (pathlib.Path(node["data_dir"]) / "metrics-token").read_text().strip()
        return requests.get(node["admin"] + "/metrics", headers={"Authorization": "Bearer " + token}, timeout=10).text

    def watched_tenant(self):
        """One whose alerts come to the cluster's own receiver."""
        if self.receiver is None:
            self.receiver = Receiver(host=self.this_machine()).__enter__()
        made = self.tenant()
        self.cli("endpoint", "allow", "--tenant", made.name, self.this_machine() + "/32")
        endpoint = made.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": self.receiver.url})
        assert endpoint.status_code == 201, endpoint.text
        return made

    def this_machine(self):
        """Where its nodes reach what a test serves."""
        net = self.dir / "cluster" / "net"
        return net.read_text().split()[1] + ".1" if net.exists() else "127.0.0.1"

    def bootstrap(self):
        """The addresses of the brokers."""
        settings = (self.dir / "cluster" / "settings").read_text().splitlines()
        return next(line.split("=", 1)[1] for line in settings if line.startswith("PULSE_KAFKA_BROKERS="))

    def socket(self):
        return (self.dir / "cluster" / "socket").read_text().strip()

    def db(self):
        if self._db is None or self._db.closed or self._db.broken:
            self._db = self.connect()
        return self._db

    def connect(self):
        """As superuser: row-level security does not hide anything from the test."""
        return psycopg.connect(f"host={self.socket()} user=postgres dbname=pulse", autocommit=True)

    def restart_postgres(self):
        here = self.dir / "cluster"
        subprocess.run(["bash", "-c", f'set -eu; . "{ROOT}/scripts/lib/common.sh"; . "{ROOT}/scripts/lib/postgres.sh"; '
                        f'pg_down "{here}"; pg_up "{here}"'], env=self.env, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=90)

    def signal(self, number, which):
        os.kill(self.nodes[number]["pid"], which)

    def holders(self):
        """By slot: the node that holds it in fact. Its lease runs, and the position is under the lease's epoch."""
        return dict(self.db().execute(
            "SELECT l.slot, l.node FROM slot_lease l JOIN log_position p USING (generation, slot) "
            "WHERE l.slot >= 0 AND l.node IS NOT NULL AND p.epoch = l.epoch AND l.expires_at > clock_timestamp() "
            "AND coalesce(l.heading, l.node) = l.node").fetchall())

    def all_owned(self, by=None, idle_allowed=False):
        """What is held where, when every slot is: by exactly these nodes, or by some of them."""
        found = self.holders()
        holding = set(found.values())
        fits = by is None or holding == by or (idle_allowed and holding <= by)
        return found if len(found) == SLOTS and fits else None

    def log_of(self, number):
        return (self.dir / "cluster" / f"n{number}" / "log").read_text(errors="replace")

    def tail(self, lines=25):
        out = []
        for log in sorted(self.dir.glob("cluster/n*/log")):
            out += [f"--- {log.parent.name}"] + log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(out)

    def destroy(self):
        if self._db is not None:
            self._db.close()
        if self.receiver is not None:
            self.receiver.__exit__()
        for node in self.running():
            with contextlib.suppress(OSError):
                os.kill(node["pid"], signal.SIGCONT)
        subprocess.run([str(ROOT / "scripts" / "cluster"), "stop", "--wipe"], env=self.env, stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=300)
        shutil.rmtree(self.dir, ignore_errors=True)


@contextlib.contextmanager
def started(nodes, **more):
    """A cluster for a module's tests."""
    made = Cluster(nodes, **more)
    try:
        yield made.start()
    finally:
        made.destroy()


class Load:
    """Clients that retry until each batch is acknowledged, over several tenants and all gateways. A cluster's loads have the
    same tenants, one a slot: new ones would all be put into the slot that had the fewest events so far."""

    def __init__(self, cluster, clients=3):
        self.cluster = cluster
        self.tenants, self.acked = cluster.loaded or ([cluster.watched_tenant() for _ in range(SLOTS)], {})
        cluster.loaded = None
        self.stop = threading.Event()
        self.clients = [Client(cluster, self.tenants[i % len(self.tenants)], cluster.clients + i, self.stop)
                        for i in range(clients)]
        cluster.clients += clients
        for c in self.clients:
            # Three brokers take half a minute to start on a machine that is full, after half a minute without any.
            c.patience_s = 180
            # Each batch goes to the next tenant, so that every slot has work.
            deliver, turn = c.deliver, itertools.count(c.number)

            def to_each(events, c=c, deliver=deliver, turn=turn):
                if not events or events is getattr(c, "last", None):
                    return deliver(events)
                c.tenant = self.tenants[next(turn) % len(self.tenants)]
                before = len(c.acknowledged)
                deliver(events)
                self.acked.setdefault(c.tenant.name, set()).update(c.acknowledged[before:])

            c.deliver = to_each
        self.positions = {}

    def acknowledged(self):
        return sum(len(c.acknowledged) for c in self.clients)

    def no_position_went_back(self):
        for generation, slot, at in self.cluster.db().execute(
                "SELECT generation, slot, next_offset FROM log_position"):
            assert at >= self.positions.get((generation, slot), 0), f"the position of slot {slot} went back"
            self.positions[generation, slot] = at

    def __enter__(self):
        for c in self.clients:
            c.start()
        poll("the first acknowledgements", 30, lambda: self.acknowledged() > 300)
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        for c in self.clients:
            c.join(70)
        if kind is None:
            self.books_close()
            self.cluster.loaded = self.tenants, self.acked

    def books_close(self):
        for c in self.clients:
            assert not c.is_alive() and not c.problem, c.problem
        for tenant in self.tenants:
            acked = self.acked.get(tenant.name, set())

            def all_there():
                return acked <= {m for (m,) in tenant.events("message_id")}

            poll(f"all of {tenant.name} stored", 60, all_there)
            stored = [m for (m,) in tenant.events("message_id")]
            assert len(stored) == len(set(stored)), "a message is stored twice"
            assert set(stored) == acked, (len(stored), len(acked))
            tenant.assert_accounts_close()
        self.alerts_are_told_under_one_id()
        self.no_position_went_back()
        print(f"{self.acknowledged()} events acknowledged, {sum(c.retried for c in self.clients)} times sent again; "
              "lost 0, doubled 0")

    def alerts_are_told_under_one_id(self):
        """Each alert is of one event that is stored; what was to be told arrived, under one id however often."""
        alerts = set()
        for tenant in self.tenants:
            mine = tenant.sql("SELECT alert_id, event_id FROM alert WHERE tenant_id = %s AND type = 'event.flagged' "
                              "AND event_id IS NOT NULL")
            assert len({a for a, _ in mine}) == len({e for _, e in mine}) == len(mine), "an alert under two ids"
            assert {e for _, e in mine} <= {e for (e,) in tenant.events("event_id")}, "an alert about what is not stored"
            # Ten an hour are told of single events; the others stand in a summary.
            alerts |= {str(a) for (a,) in tenant.sql("SELECT DISTINCT alert_id FROM delivery WHERE tenant_id = %s")}
        ids = {}

        def arrived():
            for got in list(self.cluster.receiver.got):
                ids.setdefault(json.loads(got["body"])["data"]["alert_id"], set()).add(got["headers"]["webhook-id"])
            return alerts <= set(ids)

        # A node that died while it told one had claimed it for three minutes.
        poll("every alert has arrived", 240, arrived)
        assert all(len(told) == 1 for told in ids.values()), "an alert was told under two ids"
        print(f"{len(alerts)} alerts, told {len(self.cluster.receiver.got)} times, each under one id")

    def stalls(self, since, until, slots=tuple(range(SLOTS))):
        """Milliseconds from receipt to storing of what came in between (times of the database): median, p99, most."""
        found = self.cluster.db().execute(
            "SELECT percentile_cont(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY extract(epoch FROM "
            "stored_at - received_at) * 1000) FROM event JOIN tenant USING (tenant_id) WHERE received_at BETWEEN %s AND %s "
            "AND slot = ANY(%s)", (since, until, list(slots))).fetchone()
        return [round(x) for x in found[0]] if found[0] else None

    def now(self):
        return self.cluster.db().execute("SELECT clock_timestamp()").fetchone()[0]


def until_owned(cluster, by, seconds, idle_allowed=False):
    """How long it takes until every slot is owned by exactly these nodes. `idle_allowed`: by some of them; beside one hot
    slot placement leaves nodes idle whose share would be less than its margin."""
    at = time.monotonic()
    poll(f"every slot owned by {by}", seconds, lambda: cluster.all_owned(by, idle_allowed))
    return time.monotonic() - at


owned_among = functools.partial(until_owned, idle_allowed=True)


def leader(cluster):
    for n in cluster.cli("cluster", "status")["data"]:
        if n["leads"]:
            return int(n["id"].split("-")[1])
    return None


def all_linked(cluster):
    return all(n["runs"] and n["runs"]["links"] == len(ALL) - 1 for n in cluster.cli("cluster", "status")["data"])


def under_load(cluster, name, fault):
    """The fault, so many times, while clients send; then the books."""
    with Load(cluster) as load:
        for i in range(TIMES):
            start, at = load.now(), time.monotonic()
            said = fault(load)
            poll("every slot owned", OWNED, cluster.all_owned)
            over = time.monotonic() - at
            done = load.acknowledged()
            poll("acknowledged again", 60, lambda done=done: load.acknowledged() > done + 100)
            load.no_position_went_back()
            print(f"{name} {i + 1}/{TIMES}: {said or ''} over after {over:.1f} s; stored after (ms, median p99 most) "
                  f"{load.stalls(start, load.now())}")
    rss = max(rss_mib(n["pid"]) for n in cluster.running())
    print(f"{name}: largest resident set of a node {rss:.0f} MiB")
    assert rss < RSS_MIB_MAX
