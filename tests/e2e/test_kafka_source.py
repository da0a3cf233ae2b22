"""A tenant's own topic as a source of events: a real broker, other people's producer, kill -9 on the way.

The broker stands for one that a tenant has somewhere: PulseEcom's own log is the embedded one here.
"""

import json
import os
import time

import pytest
from support import poll
from test_kafka import Kafka

producer_of = pytest.importorskip("confluent_kafka", reason="no confluent-kafka: scripts/setup --python installs it")


class Topics:
    """Topics of a tenant's own on some broker, and what it writes to them."""

    def __init__(self, address):
        self.address = address
        self.producer = producer_of.Producer({"bootstrap.servers": address, "linger.ms": 5})

    def make(self, topic, partitions=3):
        from confluent_kafka.admin import AdminClient, NewTopic
        admin = AdminClient({"bootstrap.servers": self.address})
        for done in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
            done.result(30)
        return topic

    def put(self, topic, values, partition=None):
        for i, value in enumerate(values):
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.producer.produce(topic, body, partition=i % 3 if partition is None else partition)
            self.producer.poll(0)
        assert self.producer.flush(30) == 0


class Broker(Kafka, Topics):
    def start(self):
        self.run("start", "--tls")
        state = self.status()
        Topics.__init__(self, state["bootstrap"])
        self.sasl, self.tls_dir = state["sasl"], state["tls_dir"]
        self.ca = open(os.path.join(self.tls_dir, "ca.pem")).read()
        return self


@pytest.fixture(scope="module")
def broker():
    made = Broker()
    try:
        yield made.start()
    finally:
        made.destroy()


def order(n, **more):
    return {"kind": "order", "no": f"o-{n}", "sum": 10.25 + n, "buyer": {"id": f"c{n % 9}"},
            "at": int(time.time() * 1000) - n, **more}


MAPPING = {"/type": {"value": "track"}, "/event": {"value": "Order Completed"}, "/userId": "/buyer/id",
           "/timestamp": {"from": "/at", "as": "epoch_ms"}, "/properties/order_id": "/no", "/properties/total": "/sum",
           "/properties/currency": {"from": "/cur", "default": "EUR"}}


def make_source(shop, broker, topic, status=201, **more):
    body = {"kind": "kafka", "brokers": [broker.address], "topic": topic, "security": {"protocol": "plaintext"},
            "mapping": MAPPING, **more}
    made = shop.request("POST", "/v1/sources", json=body)
    assert made.status_code == status, made.text
    return made.json()


def state_of(shop, source):
    got = shop.get(f"/v1/sources/{source['id']}")
    assert got.status_code == 200, got.text
    return got.json()


def allow(node, shop):
    node.cli("endpoint", "allow", "--tenant", shop.name, "127.0.0.1/32")


def serve(own_node):
    """A node, and a tenant whose sources may reach the test's broker."""
    node = own_node(by_script=False)
    node.start()
    shop = node.tenant()
    allow(node, shop)
    return node, shop


def orders_of(shop):
    return [o for (o,) in shop.events("order_id")]


@pytest.mark.feature("2.14", "2.4")
def test_a_tenants_topic_is_read_as_its_events_each_once_through_kill_9(broker, own_node):
    node, shop = serve(own_node)
    topic = broker.make("orders")
    broker.put(topic, [order(n) for n in range(300)])
    source = make_source(shop, broker, topic)
    poll("the first records are stored", 60, lambda: len(orders_of(shop)) == 300)
    # More comes while the program is killed, again and again.
    for round_ in range(3):
        broker.put(topic, [order(n) for n in range(300 + 500 * round_, 300 + 500 * (round_ + 1))])
        time.sleep(0.3 + 0.4 * round_)
        node.kill()
        node.start()
    poll("all are stored", 90, lambda: len(set(orders_of(shop))) == 1800)
    poll("nothing is left", 30, lambda: state_of(shop, source)["lag"] == 0)
    node.settle()
    names = orders_of(shop)
    assert len(names) == len(set(names)) == 1800, "an order is stored twice"
    shop.assert_accounts_close()
    seen = state_of(shop, source)
    assert seen["status"]["state"] == "running" and sum(p["next_offset"] for p in seen["positions"]) == 1800, seen
    total = shop.sql("SELECT sum(amount_minor)::bigint FROM event WHERE tenant_id = %s")[0][0]
    assert total == sum(1025 + 100 * n for n in range(1800))
    # Read again from the beginning by another source: every event is known.
    make_source(shop, broker, topic)
    poll("read again", 60, lambda: shop.ledger()["duplicates"] >= 1800)
    node.settle()
    assert len(orders_of(shop)) == 1800
    shop.assert_accounts_close()


@pytest.mark.feature("2.14", "2.10")
def test_what_is_no_event_stands_among_the_failed_ones_with_its_place(broker, own_node):
    node, shop = serve(own_node)
    topic = broker.make("broken")
    broker.put(topic, [order(1), b"no json", b"", {"kind": "order", "no": "x"}, order(2, at="soon"), order(3)], 1)
    source = make_source(shop, broker, topic)
    poll("good ones are stored", 60, lambda: sorted(orders_of(shop)) == ["o-1", "o-3"])
    failed = poll("bad ones are told", 30, lambda: (lambda f: len(f) == 4 and f)(
        shop.get("/v1/failed-events").json()["data"]))
    for offset in (1, 2, 3, 4):
        assert any(f["detail"].startswith(f"topic broken, partition 1, offset {offset}: ") for f in failed), failed
    poll("counted", 10, lambda: (lambda s: (s["accepted"], s["refused"]) == (2, 4))(state_of(shop, source)))
    # Pausing and going on: nothing is lost between.
    assert shop.request("PATCH", f"/v1/sources/{source['id']}", json={"paused": True}).json()["paused"]
    poll("its reader has heard of it", 10, lambda: node.db().execute(
        "SELECT count(*) FROM due WHERE kind LIKE 'source:%'").fetchone() == (0,))
    broker.put(topic, [order(7)], 0)
    time.sleep(1)
    assert state_of(shop, source)["status"]["state"] == "paused" and "o-7" not in orders_of(shop)
    node.cli("source", "resume", "--tenant", shop.name, source["id"])
    poll("read on", 60, lambda: "o-7" in orders_of(shop))
    # Under a limit whose burst is smaller than what waits it comes in pieces, and nothing is lost.
    shop.limits(20, 8)
    time.sleep(5)
    broker.put(topic, [order(n) for n in range(100, 160)], 2)
    poll("in pieces", 60, lambda: len(orders_of(shop)) == 63)
    shop.limits(0, 0)
    listed = node.cli("source", "list", "--tenant", shop.name)["data"]
    assert [s["id"] for s in listed] == [source["id"]]
    assert shop.request("DELETE", f"/v1/sources/{source['id']}").status_code == 204
    assert shop.get(f"/v1/sources/{source['id']}").status_code == 404
    assert shop.get("/v1/sources").json()["data"] == []


@pytest.mark.feature("2.14")
def test_failures_are_the_tenants_to_see_and_secrets_are_nobodys(broker, own_node):
    node = own_node(by_script=False)
    node.start()
    shop, other = node.tenant(), node.tenant()
    # An address that nobody may reach is refused at once; a name, when it is connected to.
    refused = shop.request("POST", "/v1/sources", json={"brokers": [broker.address], "topic": "t",
                                                        "security": {"protocol": "plaintext"}})
    assert refused.status_code == 422 and "public internet" in refused.json()["detail"], refused.text
    named = broker.address.replace("127.0.0.1", "localhost")
    assert named != broker.address

    def fails_with(code, body):
        made = shop.request("POST", "/v1/sources", json=body)
        assert made.status_code == 201, made.text
        seen = poll(code, 60, lambda: (lambda s: s["status"]["code"] == code and s)(state_of(shop, made.json())))
        assert seen["status"]["state"] == "failing" and seen["status"]["detail"]
        return made.json()

    plain = {"topic": "t", "security": {"protocol": "plaintext"}}
    fails_with("address_refused", {"brokers": [named], **plain})
    allow(node, shop)
    fails_with("unreachable", {"brokers": ["127.0.0.1:1"], **plain})
    fails_with("unknown_topic", {"brokers": [broker.address], **plain, "topic": "nobody-made-it"})
    security = {"protocol": "sasl_ssl", "mechanism": "SCRAM-SHA-256", "user": "pulse", "password": "wr0ng-hush",
                "ca": broker.ca}
    topic = broker.make("guarded")
    broker.put(topic, [order(n) for n in range(10)])
    source = fails_with("authentication", {"brokers": [broker.sasl], "topic": topic, "security": security,
                                           "mapping": MAPPING})
    fails_with("tls", {"brokers": [broker.sasl], "topic": topic, "security": {**security, "ca": ""}})
    # Mended, it goes on by itself.
    changed = shop.request("PATCH", f"/v1/sources/{source['id']}",
                           json={"security": {"password": "pulse-secret"}})
    assert changed.status_code == 200, changed.text
    poll("read over TLS with a password", 60, lambda: len(orders_of(shop)) == 10)
    assert state_of(shop, source)["status"]["state"] == "running"
    # A password is not sent to brokers that somebody else names.
    moved = shop.request("PATCH", f"/v1/sources/{source['id']}", json={"brokers": ["evil.example:9092"]})
    assert moved.status_code == 422, moved.text
    # Nobody sees secrets, and nobody else sees anything.
    text = shop.get("/v1/sources").text + node.log.read_text(errors="replace")
    assert "hush" not in text and "pulse-secret" not in text and '"password_set":true' in text
    assert other.get("/v1/sources").json()["data"] == []
    for method in ("GET", "PATCH", "DELETE"):
        assert other.request(method, f"/v1/sources/{source['id']}", json={}).status_code == 404
    reader = shop.make_key("read")["key"]
    assert shop.request("POST", "/v1/sources", reader, json=plain).status_code == 403
    assert shop.request("GET", "/v1/sources", reader).status_code == 200


@pytest.mark.feature("2.14")
def test_a_broker_that_goes_away_is_told_and_read_on_from_when_it_is_back(own_node):
    broker = Broker()
    try:
        broker.start()
        node, shop = serve(own_node)
        topic = broker.make("away")
        broker.put(topic, [order(n) for n in range(20)])
        source = make_source(shop, broker, topic)
        poll("stored", 60, lambda: len(orders_of(shop)) == 20)
        broker.run("kill", "1")
        poll("told", 60, lambda: state_of(shop, source)["status"]["code"] == "unreachable")
        assert node.request("GET", "/readyz").status_code == 200, "a tenant's broker is the tenant's trouble alone"
        broker.start()
        broker.put(topic, [order(n) for n in range(20, 30)])
        poll("read on", 90, lambda: len(orders_of(shop)) == 30)
        assert node.terminate() == 0
    finally:
        broker.destroy()
