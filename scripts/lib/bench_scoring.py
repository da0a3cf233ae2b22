"""What scoring costs an event in the actor: features, models, rules, reasons; with and without a training beside it.

One shop with a model of its own, a fraud model taught by labels and eight rules. Windows of steady load, by turns alone and
with one training after the other; percentiles of each from the program's own histogram (pulse_scoring_event_seconds:
an event counts with its share of the part that it was scored in). Medians and ranges over the windows.
"""

import argparse
import datetime
import json
import random
import re
import threading
import time

import requests
from bench_ingest import batches_of, make_events, stamp
from bench_report import Report
from support import Node, poll

UTC = datetime.timezone.utc
HISTORY_DAYS, PAYMENTS, FRAUD_SHARE = 40, 8_000, 0.03
BATCHES_A_SECOND = 40
BUCKET = re.compile(r'pulse_scoring_event_seconds_bucket\{le="([^"]+)"\} (\d+)')
RULES = {"rules": [
    {"name": "large", "when": "amount > 900", "outcome": "review", "points": 10},
    {"name": "fast_card", "when": "velocity(card, 1h) > 8", "outcome": "review", "points": 15},
    {"name": "fast_device", "when": "velocity(device, 24h) > 30", "points": 5},
    {"name": "spent", "when": "sum(customer, 24h) > 5000", "outcome": "review", "points": 10},
    {"name": "cards", "when": "distinct(card, device, 24h) > 4", "outcome": "decline", "points": 30},
    {"name": "new_and_large", "when": "amount > 300 and velocity(customer, 24h) > 5", "points": 5},
    {"name": "month", "when": "velocity(card, 30d) > 200", "state": "shadow", "points": 5},
    {"name": "abroad", "when": 'country != "GB" and amount > 400', "points": 5}]}


def payment(marker, number, at, rng, people, fraud=False):
    amount = rng.uniform(300, 900) if fraud else rng.lognormvariate(3.5, 0.6)
    who = rng.randrange(people)
    return {"type": "track", "event": "Order Completed", "userId": f"c{who}", "messageId": f"{marker}-p{number}",
            "timestamp": stamp(at),
            "properties": {"order_id": f"{marker}-o{number}", "revenue": round(amount, 2), "currency": "GBP",
                           "card_fingerprint": f"k{rng.randrange(20) if fraud else 100 + who}"},
            "context": {"ip": f"203.0.{rng.randrange(2, 250)}.{rng.randrange(1, 250)}", "device": {"id": f"d{who}"}}}


def percentile(counts, share):
    """Seconds below which so many lie; even within a bucket. `counts`: (upper limit, events up to it)."""
    total, low, before = counts[-1][1], 0.0, 0
    for limit, upto in counts:
        if upto >= share * total:
            return low + (limit - low) * (share * total - before) / max(1, upto - before)
        low, before = limit, upto
    raise ValueError("the histogram has no last bucket")


class Bench:
    def __init__(self, options):
        self.options, self.report = options, Report()
        self.node = Node(by_script=False, PULSE_LOG_LEVEL="warning")
        self.rng = random.Random(20261126)

    def post(self, path, document):
        answer = self.shop.request("POST", path, data=json.dumps(document), headers={"Content-Type": "application/json"})
        assert answer.status_code < 300, answer.text
        return answer.json()

    def teach(self):
        """Payments of the last weeks and their labels; waits until both models and the rules are in force."""
        start = datetime.datetime.now(UTC) - datetime.timedelta(days=HISTORY_DAYS)
        step = datetime.timedelta(days=HISTORY_DAYS) / PAYMENTS
        frauds = {n for n in range(PAYMENTS) if self.rng.random() < FRAUD_SHARE}
        events = [payment("past", n, start + n * step, self.rng, 3_000, n in frauds) for n in range(PAYMENTS)]
        for body in batches_of(events, 500):
            assert self.shop.send(body).status_code == 200
        self.node.settle(300)
        self.post("/v1/labels", [{"order_id": f"past-o{n}", "label": "fraud"} for n in sorted(frauds)][:1000])
        put = self.shop.request("PUT", "/v1/rules", data=json.dumps(RULES), headers={"Content-Type": "application/json"})
        assert put.status_code == 201, put.text
        self.node.settle(60)
        self.post("/v1/models/train", {})
        poll("both models in force", 120, lambda: {"anomaly", "fraud"} <= {
            m["kind"] for m in self.shop.get("/v1/models").json()["data"] if m["state"] == "live"}, every=0.5)
        poll("rules in force", 60, lambda: self.shop.get("/v1/rules").json()["data"][0]["state"] == "live")

    def histogram(self):
        token = (self.node.data_dir / "metrics-token").read_text().strip()
        text = requests.get(self.node.admin + "/metrics", headers={"Authorization": "Bearer " + token}, timeout=10).text
        return {float(limit): int(n) for limit, n in BUCKET.findall(text)}

    def load(self, stop, turn):
        """So many events a second by the clock: a third payments, else views of real order lines."""
        size = self.options.rate // BATCHES_A_SECOND
        views = make_events(20_000, f"view-{turn}", 0)
        session, started, n = requests.Session(), time.monotonic(), 0
        while not stop.is_set():
            now = datetime.datetime.now(UTC)
            body = [payment(f"t{turn}", n * size + i, now, self.rng, 300_000) if i % 3 == 0 else
                    dict(views[(n * size + i) % len(views)], messageId=f"t{turn}-{n}-{i}", timestamp=stamp(now))
                    for i in range(size)]
            answer = session.post(self.node.url + "/v1/events", json=body, headers={"Authorization": "Bearer " + self.shop.key},
                                  timeout=30)
            assert answer.status_code == 200, answer.text
            n += 1
            stop.wait(max(0, started + n / BATCHES_A_SECOND - time.monotonic()))
        self.sent = n * size / (time.monotonic() - started)

    def window(self, turn, beside):
        stop, fits = threading.Event(), 0
        load = threading.Thread(target=self.load, args=(stop, turn), daemon=True)
        load.start()
        time.sleep(2)
        before, end = self.histogram(), time.monotonic() + self.options.seconds
        while time.monotonic() < end:
            if beside:
                self.post("/v1/models/train", {})
                fits += 1
            else:
                time.sleep(0.2)
        after = self.histogram()
        stop.set()
        load.join(30)
        self.node.settle(120)
        counts = [(limit if limit != float("inf") else 1.0, n - before.get(limit, 0)) for limit, n in sorted(after.items())]
        assert counts[-1][1] > 0, "nothing was scored"
        [explained] = self.node.db().execute(
            "SELECT avg((risk_milli >= 50000)::int)::float8 FROM event WHERE tenant_id = %s AND message_id LIKE %s",
            (self.shop.id, f"t{turn}-%")).fetchone()
        return {"p50": 1e6 * percentile(counts, 0.5), "p99": 1e6 * percentile(counts, 0.99), "rate": self.sent, "fits": fits,
                "explained": explained}

    def run(self):
        with self.node:
            self.shop = self.node.tenant("GBP")
            self.teach()
            alone, beside = [], []
            for turn in range(self.options.rounds):
                alone.append(self.window(2 * turn, False))
                beside.append(self.window(2 * turn + 1, True))
        r = self.report
        for name, windows in (("alone", alone), ("beside_fits", beside)):
            for what in ("p50", "p99"):
                r.median(f"scoring_{name}_{what}", [w[what] for w in windows], "us")
            r.median(f"scoring_{name}_with_reasons", [w["explained"] for w in windows], "share")
            r.median(f"scoring_{name}_rate", [w["rate"] for w in windows], "events/s")
        r.median("fits_a_window", [w["fits"] for w in beside], "fits")
        r.median("beside_to_alone_p99", [b["p99"] / a["p99"] for a, b in zip(alone, beside)], "ratio")
        r.write()


if __name__ == "__main__":
    p = argparse.ArgumentParser(prog="scripts/bench scoring", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter, epilog="example: scripts/bench scoring --rounds 3")
    p.add_argument("--rounds", type=int, default=5, help="windows of each kind (default 5)")
    p.add_argument("--seconds", type=float, default=10, help="of a window (default 10)")
    p.add_argument("--rate", type=int, default=2_000, help="events a second (default 2000)")
    Bench(p.parse_args()).run()
