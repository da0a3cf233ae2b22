"""kill -9 of pulse at random moments under load: what was acknowledged is there exactly once, and the books close.

PULSE_E2E_KILLS: how many kills (20). PULSE_E2E_SEED: repeats the moments of a run, as far as a loaded machine allows.
"""

import json
import os
import random
import threading
import time

import pytest
import requests
from support import Tenant, poll

KILLS = int(os.environ.get("PULSE_E2E_KILLS", "20"))
SEED = int(os.environ.get("PULSE_E2E_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
CLIENTS = 4


class Client(threading.Thread):
    """Sends batches, each again and again until it is acknowledged: what a careful sender does."""

    patience_s = 60

    def __init__(self, node, tenant, number, stop):
        super().__init__(daemon=True)
        self.node, self.tenant, self.number, self.stop = node, tenant, number, stop
        self.random = random.Random(f"{SEED}/{number}")
        self.acknowledged, self.again, self.refused, self.problem = [], 0, 0, None
        self.retried = 0
        self.under_way = set()

    def event(self, batch, i):
        r = self.random
        message = f"{self.number}-{batch}-{i}"
        event = {"type": "track", "messageId": message, "userId": f"customer-{r.randrange(40)}",
                 "event": r.choice(["Order Completed", "Product Viewed", "Order Refunded", "Cart Viewed"]),
                 "context": {"campaign": {"name": f"campaign-{r.randrange(3)}"}},
                 "properties": {"order_id": message, "total": round(r.uniform(1, 500), 2), "currency": "EUR",
                                "shipping_address": {"country": r.choice(["DE", "FR", "GB"])},
                                "products": [{"product_id": f"p{r.randrange(20)}", "price": 1.5, "quantity": 2}]}}
        kind = r.randrange(20)
        if kind > 1:
            # Without a time of its own (two in twenty) the door mints the id, and message_seen finds the repetition.
            event["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - r.randrange(7200)))
        if r.random() < 0.002:
            # Out of the ordinary: alert candidates are written in the slot's transaction too.
            event["event"], event["properties"]["total"] = "Order Completed", 2_500_000
            event["properties"]["shipping_address"]["country"] = "NG"
        if r.random() < 0.001:
            # Nobody's event: refused, and among the failed events.
            del event["userId"]
        return event

    def run(self):
        try:
            batch = 0
            while not self.stop.is_set():
                self.deliver([self.event(batch, i) for i in range(self.random.choice([1, 5, 40, 200]))])
                batch += 1
                if self.acknowledged and self.random.random() < 0.1:
                    self.again += 1
                    self.deliver(self.last)
        except BaseException as problem:  # noqa: BLE001 (told by the test)
            self.problem = problem

    def deliver(self, events):
        body = "\n".join(json.dumps(e) for e in events)
        self.last = events
        end = time.monotonic() + self.patience_s
        while time.monotonic() < end:
            try:
                answer = requests.post(self.node.url + "/v1/events", data=body.encode(), timeout=10,
                                       headers={"Authorization": "Bearer " + self.tenant.key,
                                                "Content-Type": "application/x-ndjson"})
            except requests.RequestException:
                self.retried += 1
                time.sleep(0.05)
                continue
            if answer.status_code in (429, 503):
                self.retried += 1
                time.sleep(0.1)
                continue
            good = [e["messageId"] for e in events if "userId" in e]
            assert answer.status_code in (200, 422), (answer.status_code, answer.text[:300])
            if answer.status_code == 200:
                said = answer.json()
                assert said["rejected"] == len(events) - len(good), said
            self.refused += len(events) - len(good)
            self.acknowledged += good
            return
        raise AssertionError(f"client {self.number}: not acknowledged within {self.patience_s} s")


@pytest.mark.feature("2.8", "2.4", "7.6", "8.12", "9.1")
def test_the_books_close_after_kill_9_at_random_moments_under_load(own_node):
    print(f"PULSE_E2E_SEED={SEED} PULSE_E2E_KILLS={KILLS}")
    moments = random.Random(SEED)
    node = own_node(by_script=False)
    node.start()
    tenants = [node.tenant() for _ in range(2)]
    stop = threading.Event()
    clients = [Client(node, tenants[i % len(tenants)], i, stop) for i in range(CLIENTS)]
    for c in clients:
        c.start()
    started = time.monotonic()
    positions = {}
    for kill in range(KILLS):
        # Counted from the ready line: some hits fall into loading, some into full load.
        time.sleep(moments.choice([0.0, 0.2, 0.5, 1.0, 2.0]) + moments.random())
        node.kill()
        for generation, slot, at in node.db().execute("SELECT generation, slot, next_offset FROM log_position"):
            assert at >= positions.get((generation, slot), 0), f"the position of slot {slot} went back"
            positions[generation, slot] = at
        for tenant in tenants:
            tenant.assert_accounts_close()
        node.start()
        assert not [c.problem for c in clients if c.problem], [c.problem for c in clients]
    seconds = time.monotonic() - started
    stop.set()
    for c in clients:
        c.join(60)
        assert not c.is_alive() and not c.problem, c.problem
    joined = time.monotonic()
    node.settle()
    print(f"all senders done after {joined - started:.0f} s, all stored {time.monotonic() - joined:.1f} s later")
    for tenant in tenants:
        mine = [c for c in clients if c.tenant is tenant]
        acknowledged = {m for c in mine for m in c.acknowledged}
        stored = [m for (m,) in tenant.events("message_id")]
        assert len(stored) == len(set(stored)), "a message is stored twice"
        assert set(stored) == acknowledged, (len(stored), len(acknowledged))
        tenant.assert_accounts_close()
        books = tenant.ledger()
        print(tenant.name, books, "retried", sum(c.retried for c in mine))
        assert books["failed"] >= len({c.number for c in mine if c.refused}), books
        assert tenant.sql("SELECT count(*) FROM failed_event WHERE tenant_id = %s AND code = 'poison'") == [(0,)]
        alerts = tenant.sql("SELECT alert_id, event_id FROM alert WHERE tenant_id = %s AND type = 'event.flagged' "
                            "AND event_id IS NOT NULL")
        print(len(alerts), "alerts")
        assert len({a for a, _ in alerts}) == len({e for _, e in alerts}) == len(alerts), "an alert under two ids"
        assert {e for _, e in alerts} <= {e for (e,) in tenant.events("event_id")}, "an alert about what is not stored"
    total = sum(len(c.acknowledged) for c in clients)
    print(f"{total} events acknowledged through {KILLS} kills in {seconds:.0f} s")
    assert total > 50 * KILLS
