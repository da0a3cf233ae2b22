"""What Kafka and more nodes cost, and how long a slot is without an owner.

log: CPU seconds per million events of pulse on Kafka with one node, against pulse on the embedded log, in turns; the
broker's own beside them (aim: at most 1.6 times, without the broker). links: events a second between actors of two nodes
in batches of 256 over mutual TLS (aim: 150,000). moves: three nodes under load, one broker: how long until every slot has
an owner again after kill -9, and how long events wait while a node is drained and comes back. tenants: 10,000 tenants over
three nodes that each sent an event: how long until all is stored, and each node's memory. For acknowledgement times see
scripts/bench kafka-ack.
"""

import argparse
import json
import subprocess
import tempfile
import time

import bench_ingest
from bench_report import Report
from cluster import Load, started, until_owned
from support import ROOT, Node, poll, rss_mib
from test_kafka import Kafka

SLOTS = bench_ingest.SLOTS


class Side(bench_ingest.Bench):
    """One node, in the rounds of bench ingest."""

    def __init__(self, options, settings):
        super().__init__(options)
        self.node = Node(by_script=False, PULSE_LOG_LEVEL="warning", **settings)


def log(options, report):
    kafka = Kafka().start()
    try:
        there = dict(kafka.settings(), PULSE_KAFKA_SLOTS=str(SLOTS))
        sides = {"embedded": Side(options, {}), "kafka": Side(options, there)}
        broker = kafka.status()["nodes"][0]["pid"]
        with sides["embedded"].node, sides["kafka"].node:
            got, tenants, brokers = {name: [] for name in sides}, {}, []
            for name, side in sides.items():
                side.pg = bench_ingest.PostgresCpu(side.node)
                tenants[name] = side.tenants(SLOTS)
            for n in range(options.rounds + 1):
                for name, side in sides.items():
                    before = bench_ingest.cpu_of(broker)
                    one = side.batch_round(n, tenants[name])
                    if n > 0:
                        got[name].append(one)
                        if name == "kafka":
                            brokers.append((bench_ingest.cpu_of(broker) - before) / (options.events / 1e6))
        for name, rounds in got.items():
            report.median(f"{name}_pulse", [r["pulse"] for r in rounds], "cpu_s/M")
            report.median(f"{name}_postgres", [r["postgres"] for r in rounds], "cpu_s/M")
        report.median("broker", brokers, "cpu_s/M")
        report.median("kafka_to_embedded_pulse", [k["pulse"] / e["pulse"] for k, e in zip(got["kafka"], got["embedded"])],
                      "ratio")
        report.median("kafka_to_embedded", [(k["pulse"] + k["postgres"]) / (e["pulse"] + e["postgres"])
                                            for k, e in zip(got["kafka"], got["embedded"])], "ratio")
    finally:
        kafka.destroy()


def links(options, report):
    with tempfile.TemporaryDirectory() as work:
        pulse = ROOT / ".build/release/pulse"
        for words in (["ca"], ["cert", "bench", "--host", "127.0.0.1"]):
            subprocess.run([pulse, "cluster", *words, "--dir", work], check=True, stdout=subprocess.DEVNULL)
        out = subprocess.run([ROOT / ".build/release/tests/bench_remote_actor", work, "3", str(options.rounds)], check=True,
                             capture_output=True, text=True).stdout
    for name, f in json.loads(out.splitlines()[-1]).items():
        report.add(name, f["value"], f["unit"], f["min"], f["max"])


def histogram(report, name, values):
    report.median(name, values, "s")
    edges = (0.25, 0.5, 1, 2, 4, 6, 8, 10, 15, 30)
    for low, high in zip((0, *edges), edges):
        n = sum(low <= v < high for v in values)
        if n:
            print(f"  {low:>5} to {high:<5} s {'#' * n} {n}")


def moves(options, report):
    with started(3) as cluster:
        everyone = {"node-1", "node-2", "node-3"}
        owned, waits, drained, joined = [], [], [], []
        with Load(cluster) as load:
            for n in range(options.moves):
                victim = 1 + n % 3
                until_owned(cluster, everyone, 60, idle_allowed=True)
                cluster.run("kill", str(victim))
                owned.append(until_owned(cluster, everyone - {f"node-{victim}"}, 60, idle_allowed=True))
                cluster.run("restart", str(victim))
                cluster.refresh()
                joined.append(until_owned(cluster, everyone, 60, idle_allowed=True))
                time.sleep(4)
                start, at = load.now(), time.monotonic()
                other = 1 + (n + 1) % 3
                cluster.cli("cluster", "drain", f"node-{victim}", on=other)
                drained.append(time.monotonic() - at)
                poll("it has ended", 30, lambda v=victim: not any(r["id"] == v for r in cluster.running()))
                time.sleep(2)
                waits.append(load.stalls(start, load.now())[1] / 1000)
                cluster.run("restart", str(victim))
                cluster.refresh()
        histogram(report, "failover_owned_again", owned)
        histogram(report, "drain", drained)
        histogram(report, "drain_events_wait_p99", waits)
        histogram(report, "joined_holds_slots", joined)


def tenants(options, report):
    with started(3, PULSE_TENANT_IDLE_MS="3000") as cluster:
        until_owned(cluster, {"node-1", "node-2", "node-3"}, 60)
        base = rss(cluster)
        begun = time.monotonic()
        for n in range(options.tenants):
            node = cluster.running()[n % 3]
            made = cluster.admin(node, "/admin/v1/tenants", "POST", json={"name": f"idle-{n}"}, timeout=60)["id"]
            # A limit's new owner starts with nothing: 429 for a moment.
            poll("its event is taken", 30, lambda node=node, path=f"/admin/v1/tenants/{made}/events": cluster.ask(
                node, path, "POST", timeout=60,
                json={"type": "track", "event": "Hello", "userId": "u", "messageId": "m"}).status_code == 200)
        count = "SELECT count(*) FROM event"
        poll("every event is stored", 300, lambda: cluster.db().execute(count).fetchone()[0] >= options.tenants)
        report.add("tenants_made_and_stored", options.tenants / (time.monotonic() - begun), "tenants/s")
        poll("every tenant sleeps", 300, lambda: all(
            n["runs"]["supervisors"] == 0 for n in cluster.cli("cluster", "status")["data"] if n["runs"]), every=1)
        for number, (before, after) in enumerate(zip(base, rss(cluster)), 1):
            report.add(f"rss_node_{number}_above_base", after - before, "MiB")


def rss(cluster):
    return [rss_mib(n["pid"]) for n in cluster.running()]


if __name__ == "__main__":
    p = argparse.ArgumentParser(prog="scripts/bench cluster", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter,
                                epilog="example: scripts/bench cluster --parts log --rounds 3")
    p.add_argument("--rounds", type=int, default=7, help="rounds of each side that are counted (default 7)")
    p.add_argument("--events", type=int, default=40_000, help="events a round of the part log (default 40000)")
    p.add_argument("--moves", type=int, default=10, help="kills, and drains, of the part moves (default 10)")
    p.add_argument("--tenants", type=int, default=10_000, help="tenants of the part tenants (default 10000)")
    p.add_argument("--parts", default="log,links,moves,tenants", help="what is measured, by comma")
    chosen = p.parse_args()
    figures = Report()
    for part in chosen.parts.split(","):
        {"log": log, "links": links, "moves": moves, "tenants": tenants}[part](chosen, figures)
    figures.write()
