"""What the way of an event costs.

CPU seconds per million events of pulse and Postgres together, the generator excluded, against the floor: a loader that
puts the same rows, ready made, into the same tables in transactions as large (tests/bench/ingest_floor.cpp). Rounds are interleaved; medians and
ranges. Then single requests, the time from an acknowledgement to the query and to the webhook at 500 events a second,
and the memory at 1, 1,000 and 10,000 tenants that were awake and sleep.

Events are made of the real order lines that are committed: each line is put into a cart (Product Added), each invoice
is an order (Order Completed) with all its lines.
"""

import argparse
import collections
import csv
import datetime
import http.client
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

import requests
from bench_report import Report
from support import ROOT, Node, Receiver, poll, rss_mib

UTC = datetime.timezone.utc
SLOTS = 8
TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pid, with_dead_children=False):
    """Seconds that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    used = int(fields[11]) + int(fields[12])
    return (used + (int(fields[13]) + int(fields[14]) if with_dead_children else 0)) / TICK


class PostgresCpu:
    """Seconds of the server and all its backends, those that ended included."""

    def __init__(self, node):
        self.postmaster = int((node.socket() / "data" / "postmaster.pid").read_text().split()[0])

    def seconds(self):
        total = cpu_of(self.postmaster, True)
        for child in pathlib.Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text().split():
            try:
                total += cpu_of(int(child))
            except OSError:
                pass
        return total


def stamp(at):
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def make_events(count, marker, end):
    """`count` events in time order, 20 a second, ending so many seconds ago; the invoices again and again, new ids."""
    invoices = collections.defaultdict(list)
    with open(ROOT / "config/demo_order_lines.csv", newline="") as lines:
        for line in csv.DictReader(lines):
            if not line["invoice"].startswith("C") and float(line["unit_price"]) > 0 and int(line["quantity"]) > 0:
                invoices[line["invoice"]].append(line)
    out, turn = [], 0
    while len(out) < count:
        for invoice, lines in invoices.items():
            who, total = lines[0]["customer_id"] or "guest-" + invoice, 0
            products = []
            for n, line in enumerate(lines):
                price, quantity = float(line["unit_price"]), int(line["quantity"])
                total += round(price * quantity * 100)
                products.append({"product_id": line["stock_code"], "price": price, "quantity": quantity})
                out.append({"type": "track", "event": "Product Added", "userId": who,
                            "messageId": f"{marker}-{turn}-{invoice}-{n}",
                            "properties": {**products[-1], "currency": "GBP", "cart_id": invoice},
                            "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "203.0.113.9"}})
            out.append({"type": "track", "event": "Order Completed", "userId": who,
                        "messageId": f"{marker}-{turn}-{invoice}",
                        "properties": {"order_id": f"{invoice}-{turn}", "currency": "GBP", "revenue": total / 100,
                                       "shipping_address": {"country": lines[0]["country"]}, "products": products}})
        turn += 1
    out = out[:count]
    last = datetime.datetime.now(UTC) - datetime.timedelta(seconds=end)
    for i, event in enumerate(out):
        event["timestamp"] = stamp(last - datetime.timedelta(seconds=0.05 * (count - i)))
    return out


class Bench:
    def __init__(self, options):
        self.options, self.report = options, Report()
        self.node = Node(by_script=False, PULSE_TENANT_IDLE_MS="3000", PULSE_LOG_LEVEL="warning")
        self.session = requests.Session()
        self.generation = 1000
        self.random = random.Random(20261125)

    def admin(self, method, path, **more):
        token = (self.node.data_dir / "admin-token").read_text().strip()
        answer = self.session.request(method, self.node.admin + path, headers={"Authorization": "Bearer " + token},
                                      timeout=60, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.text else None

    # --- batches against the floor -------------------------------------------------------------------------------

    def tenants(self, count):
        """One in each slot, without limits."""
        made = [self.node.tenant("GBP") for _ in range(count)]
        for slot, tenant in enumerate(made):
            self.node.db().execute("UPDATE tenant SET slot = %s WHERE tenant_id = %s", (slot % SLOTS, tenant.id))
        return made

    def batch_round(self, n, tenants):
        share = self.options.events // SLOTS
        bodies = []
        for tenant in tenants:
            events = make_events(share, f"r{n}", self.end_of(n, share))
            for i in range(0, share, 500):
                bodies.append((tenant.key, "\n".join(map(json.dumps, events[i:i + 500])).encode()))
        # Every tenant at once, as they would come.
        bodies.sort(key=lambda b: self.random.random())
        before, commits = self.meters(), self.commits()
        started = time.monotonic()
        send_all(self.node.url, "/v1/events", "application/x-ndjson", bodies, 8)
        acked = time.monotonic() - started
        self.node.settle(300)
        wall = time.monotonic() - started
        after = self.meters()
        stored = sum(t.ledger()["stored"] for t in tenants) - n * share * SLOTS
        assert stored == share * SLOTS, stored
        # The floor's next round has transactions as large.
        self.batch = max(1, round(stored / (self.commits() - commits)))
        million = stored / 1e6
        return {"batch": self.batch, "pulse": (after["pulse"] - before["pulse"]) / million, "postgres": (after["pg"] - before["pg"]) / million,
                "acked_per_s": stored / acked, "stored_per_s": stored / wall,
                **{"stage_" + k: (v - before["stages"].get(k, 0)) / million for k, v in after["stages"].items()}}

    def metrics(self):
        token = (self.node.data_dir / "metrics-token").read_text().strip()
        return requests.get(self.node.admin + "/metrics", headers={"Authorization": "Bearer " + token}, timeout=10).text

    def commits(self):
        found = re.search(r"pulse_store_commit_seconds_count (\d+)", self.metrics())
        return int(found[1]) if found else 0

    def meters(self):
        text = self.metrics()
        stages = {m[1]: float(m[2]) for m in re.finditer(r'pulse_stage_cpu_seconds_total\{stage="(\w+)"\} ([\d.e+-]+)', text)}
        return {"pulse": cpu_of(self.node.pulse_pid()), "pg": self.pg.seconds(), "stages": stages}

    def end_of(self, n, share):
        """Seconds ago: each round goes on in event time where the one before it ended."""
        return 60 + (self.options.rounds - n) * share * 0.05

    def floor_round(self, n, tenants):
        share = self.options.events // SLOTS
        self.generation += 1
        with tempfile.NamedTemporaryFile("w", suffix=".tsv", dir=self.node.dir) as file:
            for tenant in tenants:
                file.writelines(f"{tenant.id}\t{json.dumps(e)}\n" for e in make_events(share, f"f{n}", self.end_of(n, share)))
            file.flush()
            loader = subprocess.Popen([ROOT / ".build/release/tests/bench_ingest_floor",
                                       f"host={self.node.socket()} user=pulse dbname=pulse", file.name, str(self.generation),
                                       str(SLOTS), str(self.batch)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ready = loader.stdout.readline().split()
            assert ready and ready[0] == "ready" and int(ready[1]) == share * SLOTS, ready
            before = self.pg.seconds()
            out, _ = loader.communicate("go\n", timeout=300)
        assert loader.returncode == 0, out
        million = share * SLOTS / 1e6
        return {"loader": float(out.split()[1]) / million, "postgres": (self.pg.seconds() - before) / million}

    def batches(self):
        """The same tenants in all rounds: the first one, shown apart, fills caches and fits their models (three times)."""
        ours, floor, first = [], [], []
        sides = ((ours, self.batch_round, self.tenants(SLOTS)), (floor, self.floor_round, self.tenants(SLOTS)))
        for n in range(self.options.rounds + 1):
            for side, one, tenants in sides:
                self.node.db().execute("CHECKPOINT")
                got = one(n, tenants)
                (side if n > 0 else first).append(got)
        r = self.report
        r.add("first_round_pulse", first[0]["pulse"], "cpu_s/M")
        for name in ("pulse", "postgres"):
            r.median(f"batch_{name}", [o[name] for o in ours], "cpu_s/M")
        for name in sorted(k for k in ours[0] if k.startswith("stage_")):
            r.median(f"batch_{name}", [o.get(name, 0) for o in ours], "cpu_s/M")
        r.median("floor_loader", [f["loader"] for f in floor], "cpu_s/M")
        r.median("floor_postgres", [f["postgres"] for f in floor], "cpu_s/M")
        r.median("batch_to_floor", [(o["pulse"] + o["postgres"]) / (f["loader"] + f["postgres"])
                                    for o, f in zip(ours, floor)], "ratio")
        r.median("batch_size", [o["batch"] for o in ours], "events")
        r.median("batch_acked", [o["acked_per_s"] for o in ours], "events/s")
        r.median("batch_stored", [o["stored_per_s"] for o in ours], "events/s")

    # --- single requests ------------------------------------------------------------------------------------------

    def singles(self):
        [tenant] = self.tenants(1)
        values = []
        for n in range(3):
            events = make_events(self.options.singles, f"s{n}", 60)
            bodies = [(tenant.key, json.dumps(e).encode()) for e in events]
            before = self.meters()
            send_all(self.node.url, "/v1/track", "application/json", bodies, 16)
            self.node.settle(120)
            after = self.meters()
            values.append((after["pulse"] - before["pulse"]) / (len(events) / 1e6))
        self.report.median("single_pulse", values, "cpu_s/M")

    # --- latencies -------------------------------------------------------------------------------------------------

    def latencies(self):
        """One busy shop; in its slot quiet ones, each with an odd order (a shop is told of ten flagged events an hour)."""
        busy, *quiet = self.tenants(1 + self.options.probes)
        for tenant in quiet:
            self.node.db().execute("UPDATE tenant SET slot = 0 WHERE tenant_id = %s", (tenant.id,))
            self.admin("PUT", f"/admin/v1/tenants/{tenant.id}/webhook-allow", json={"cidrs": ["127.0.0.1/32"]})
            assert tenant.send(quiet_history()).status_code == 200
        for body in batches_of(make_events(10_000, "warm", end=60), 500):
            assert busy.send(body).status_code == 200
        self.node.settle()
        queryable, told = [], []
        with Receiver() as receiver:
            for tenant in quiet:
                made = tenant.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": receiver.url})
                assert made.status_code == 201, made.text
            stop = threading.Event()
            load = threading.Thread(target=steady, args=(busy, stop), daemon=True)
            load.start()
            try:
                for n, tenant in enumerate(quiet):
                    time.sleep(1)
                    queryable.append(self.queryable(busy, n))
                    time.sleep(1)
                    told.append(self.webhook(tenant, receiver))
            finally:
                stop.set()
                load.join(10)
        self.report.median("accepted_to_queryable", queryable, "s")
        self.report.median("accepted_to_webhook", told, "s")

    def queryable(self, tenant, n):
        event = dict(make_events(1, f"q{n}", 0)[0], timestamp=stamp(datetime.datetime.now(UTC)))
        found = tenant.send(event).json()["results"][0]["id"]
        acked = time.monotonic()
        poll("the event is queryable", 20, lambda: tenant.get(f"/v1/events/{found}").status_code == 200, every=0.005)
        return time.monotonic() - acked

    def webhook(self, tenant, receiver):
        answer = tenant.send([quiet_order("odd", 2_500_000, 0)]).json()["results"][0]
        acked = time.monotonic()
        poll("the webhook", 20, lambda: any(answer["id"].encode() in got["body"] for got in receiver.got), every=0.005)
        return time.monotonic() - acked

    # --- memory ----------------------------------------------------------------------------------------------------

    def memory(self):
        """Each tenant was awake once: it sent an event, was loaded, imaged, and fell asleep."""
        base = self.asleep_rss()
        self.report.add("rss_few_tenants", base, "MiB")
        made = 0
        for goal in (1000, 10000):
            while made < goal:
                tenant = self.admin("POST", "/admin/v1/tenants", json={"name": f"idle-{made}"})["id"]
                self.admin("POST", f"/admin/v1/tenants/{tenant}/events",
                           json={"type": "track", "event": "Hello", "userId": "u", "messageId": "m"})
                made += 1
            self.node.settle(300)
            rss = self.asleep_rss()
            self.report.add(f"rss_{goal}_tenants", rss, "MiB")
            self.report.add(f"rss_{goal}_tenants_above_base", rss - base, "MiB")

    def asleep_rss(self):
        poll("every tenant sleeps", 120, lambda: all(s["tenants_awake"] == 0 for s in self.node.slots()), every=0.5)
        # Supervisors outlive their children by the idle time.
        time.sleep(8)
        return rss_mib(self.node.pulse_pid())

    def run(self):
        with self.node:
            self.pg = PostgresCpu(self.node)
            for part in self.options.parts.split(","):
                getattr(self, part)()
        self.report.write()


def batches_of(events, size):
    for i in range(0, len(events), size):
        yield events[i:i + size]


def send_all(url, path, content_type, bodies, connections):
    """All bodies, each once, over so many connections; a 429 or 503 is a fault here."""
    where, todo, lock, faults = urllib.parse.urlparse(url), iter(bodies), threading.Lock(), []

    def client():
        c = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
        while True:
            with lock:
                one = next(todo, None)
            if one is None or faults:
                return c.close()
            c.request("POST", path, one[1], {"Authorization": "Bearer " + one[0], "Content-Type": content_type})
            answer = c.getresponse()
            text = answer.read()
            if answer.status != 200:
                faults.append(text)

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not faults, faults[0]


def steady(tenant, stop):
    """500 events a second in 50 requests, by the clock: a slow answer does not slow the next request's time."""
    n, started, session = 0, time.monotonic(), requests.Session()
    while not stop.is_set():
        body = [dict(e, timestamp=stamp(datetime.datetime.now(UTC))) for e in make_steady(n)]
        session.post(tenant.node.url + "/v1/events", json=body, headers={"Authorization": "Bearer " + tenant.key}, timeout=30)
        n += 1
        stop.wait(max(0, started + n / 50 - time.monotonic()))


POOL = []


def make_steady(n):
    if not POOL:
        POOL.extend(make_events(3000, "pool", 60))
    return [dict(POOL[(10 * n + i) % len(POOL)], messageId=f"steady-{n}-{i}") for i in range(10)]


def quiet_order(message, revenue, hours_ago):
    at = datetime.datetime.now(UTC) - datetime.timedelta(hours=hours_ago)
    return {"type": "track", "event": "Order Completed", "userId": f"c{hours_ago % 7}", "messageId": message,
            "timestamp": stamp(at), "properties": {"order_id": message, "revenue": revenue, "currency": "GBP"}}


def quiet_history():
    """Some 90 ordinary orders of a week."""
    return [quiet_order(f"h{n}", 40 + 7 * (n % 9), 2 * n) for n in range(90, 0, -1)]


if __name__ == "__main__":
    p = argparse.ArgumentParser(prog="scripts/bench ingest", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter, epilog="example: scripts/bench ingest --rounds 3 --parts batches")
    p.add_argument("--rounds", type=int, default=7, help="rounds of each side that are counted (default 7)")
    p.add_argument("--events", type=int, default=80_000, help="events a round (default 80000)")
    p.add_argument("--singles", type=int, default=8_000, help="single requests a round (default 8000)")
    p.add_argument("--probes", type=int, default=5, help="events whose way to the query, and to the webhook, is timed (default 5)")
    p.add_argument("--parts", default="batches,singles,latencies,memory", help="what is measured, by comma")
    Bench(p.parse_args()).run()
