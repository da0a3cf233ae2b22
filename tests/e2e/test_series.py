"""A shop's metrics: a store that stops is told to a receiver, forecasts and campaigns answer from what was counted."""

import datetime
import json
import math
import random
import uuid

import pytest
from standardwebhooks.webhooks import Webhook
from support import Receiver, poll, rows_of

UTC = datetime.timezone.utc
SEED = 11


def order(at, store, amount=50.0, country="DE", campaign=None):
    name = str(uuid.uuid4())
    return {"type": "track", "event": "Order Completed", "userId": f"c{hash(name) % 500}", "messageId": name,
            "timestamp": at.isoformat(), "context": {"campaign": {"name": campaign}} if campaign else {},
            "properties": {"order_id": name, "revenue": amount, "currency": "EUR", "store": store,
                           "shipping_address": {"country": country},
                           "products": [{"product_id": "p1", "price": amount, "quantity": 1}]}}


def send_all(node, shop, events):
    for i in range(0, len(events), 2000):
        said = shop.send(events[i:i + 2000])
        assert said.status_code == 200 and said.json()["rejected"] == 0, said.text[:500]
    node.settle(120)


def look(node, shop):
    """The next look is due some minutes after the hour; here it is due at once, over the same hours."""
    rows_of(node.db(), "DELETE FROM series_watch WHERE tenant_id = %s RETURNING 1", shop.id)
    assert rows_of(node.db(), "UPDATE due SET at = now() WHERE tenant_id = %s AND kind = 'series' RETURNING 1", shop.id)
    poll("the look", 60, lambda: rows_of(
        node.db(), "SELECT 1 FROM series_watch w JOIN due d ON d.tenant_id = w.tenant_id AND d.kind = 'series' WHERE "
        "w.tenant_id = %s AND d.at > now() + interval '30 seconds'", shop.id))


@pytest.mark.feature("5.8", "5.3")
def test_a_store_that_stops_is_told_with_what_drives_it(node, shop):
    r = random.Random(SEED)
    hour = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
    events = []
    for back in range(9 * 24):
        at = hour - datetime.timedelta(hours=back)
        for store, share in (("north", 1.0), ("south", 1.2)):
            # The stop is at the busiest hour, whenever this runs: of a few orders at night none is no news.
            usual = share * (14 + 8 * math.cos(back / 24 * 2 * math.pi))
            n = 0 if back == 0 and store == "south" else round(usual * r.uniform(0.9, 1.1))
            events += [order(at + datetime.timedelta(seconds=r.uniform(0, 3599)), store) for _ in range(n)]
    node.cli("endpoint", "allow", "--tenant", shop.name, "127.0.0.1/32")
    with Receiver() as receiver:
        made = shop.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": receiver.url,
                                                           "types": ["metric.anomaly"]})
        assert made.status_code == 201, made.text
        send_all(node, shop, events)
        # The next look is due some minutes after the hour; here it is due at once.
        assert rows_of(node.db(), "UPDATE due SET at = now() WHERE tenant_id = %s AND kind = 'series' RETURNING 1", shop.id)
        got = poll("the webhook", 60, lambda: receiver.got)[0]
        told = Webhook(made.json()["secret"]).verify(got["body"], {k.lower(): v for k, v in got["headers"].items()})
    assert told["type"] == "metric.anomaly"
    data = told["data"]
    assert data["metric"] in ("orders", "revenue", "events") and data["incident_id"], data
    assert "store=south" in [x["name"] for x in data["reasons"]], data
    total = sum(float(x["contribution"]) for x in data["reasons"])
    assert abs(total - (float(data["value"]) - float(data["expected"]))) < 1e-6
    # Looked at again, the same hour tells nothing more, and the API shows what was told.
    rows_of(node.db(), "UPDATE due SET at = now() WHERE tenant_id = %s AND kind = 'series' RETURNING 1", shop.id)
    poll("the next look", 30, lambda: rows_of(
        node.db(), "SELECT 1 FROM due WHERE tenant_id = %s AND kind = 'series' AND at > now() + interval '30 seconds'", shop.id))
    listed = shop.get("/v1/alerts", types="metric.anomaly").json()["data"]
    assert [a["id"] for a in listed] == [data["alert_id"]]


@pytest.mark.feature("5.3", "5.4")
def test_detectors_are_tried_on_history_and_then_set(node, shop):
    assert shop.request("POST", "/v1/detectors/dry-run").json()["hint"]
    r = random.Random(SEED)
    hour = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
    events = []
    for back in range(12 * 24):
        at = hour - datetime.timedelta(hours=back)
        usual = 30 + 12 * math.cos((back - 60) / 24 * 2 * math.pi)
        n = 0 if back == 60 else 130 if back == 20 else round(usual * r.uniform(0.9, 1.1))
        events += [order(at + datetime.timedelta(seconds=r.uniform(0, 3599)), "north") for _ in range(n)]
    send_all(node, shop, events)

    def tried(document):
        got = shop.request("POST", "/v1/detectors/dry-run", json=document)
        assert got.status_code == 200, got.text
        return [(hour - datetime.datetime.fromisoformat(i["from"].replace("Z", "+00:00"))).total_seconds() / 3600
                for i in got.json()["data"]]

    metrics = ("orders", "revenue", "events")
    assert tried({}) == [60, 20]
    assert tried({"metrics": {m: {"direction": "down"} for m in metrics}}) == [60]
    assert tried({"metrics": {m: {"direction": "up"} for m in metrics}}) == [20]
    assert tried({"per_week": 1}) == [60]
    refused = shop.request("PUT", "/v1/detectors", json={"per_week": -1, "metrics": {"profit": {}}})
    assert refused.status_code == 422
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/metrics/profit", "/per_week"]
    made = shop.request("PUT", "/v1/detectors", json={"metrics": {m: {"state": "off"} for m in metrics}})
    assert made.status_code == 201, made.text
    poll("settings in force", 20, lambda: shop.get("/v1/detectors").json()["data"][0]["state"] == "live")
    # Without a body: by those in force.
    assert shop.request("POST", "/v1/detectors/dry-run").json()["data"] == []
    look(node, shop)
    assert shop.get("/v1/alerts", types="metric.anomaly").json()["data"] == []
    assert [v["version"] for v in node.cli("detectors", "list", "--tenant", shop.name)["data"]] == [1]


@pytest.fixture
def two_months(node, shop):
    """Sixty days of three stores; in the last fourteen a campaign in `b` brings half as much again."""
    r = random.Random(SEED)
    today = datetime.datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    events = []
    for back in range(1, 61):
        at = today - datetime.timedelta(days=back)
        for store, usual in (("a", 12), ("b", 10), ("c", 14)):
            n = round(usual * (0.6 if at.weekday() >= 5 else 1) * r.uniform(0.8, 1.2))
            events += [order(at + datetime.timedelta(seconds=r.uniform(0, 86399)), store) for _ in range(n)]
            if store == "b" and back <= 14:
                events += [order(at + datetime.timedelta(seconds=r.uniform(0, 86399)), store, campaign="spring")
                           for _ in range(5)]
    spend = order(today - datetime.timedelta(days=3), None, 700.0, campaign="spring")
    spend.update(event="Campaign Spend", properties={"value": 700.0, "currency": "EUR"})
    send_all(node, shop, [*events, spend])
    return shop


@pytest.mark.feature("5.10")
def test_a_forecast_follows_the_week_and_says_how_sure_it_is(two_months):
    got = two_months.get("/v1/forecasts/orders", horizon=14, goal=2000)
    assert got.status_code == 200, got.text
    a = got.json()
    assert a["metric"] == "orders" and a["granularity"] == "day" and len(a["points"]) == 14 and a["method"]
    for p in a["points"]:
        assert p["lower"] <= p["expected"] <= p["upper"]
        weekend = datetime.datetime.fromisoformat(p["t"].replace("Z", "+00:00")).weekday() >= 5
        assert p["expected"] < 33 if weekend else p["expected"] > 33, p
    course = a["course"]
    assert course["period"] == "month" and "the month" in course["text"]
    assert course["lower"] <= course["expected"] <= course["upper"]
    # As of an earlier day nothing later is looked at; money is text.
    before = (datetime.datetime.now(UTC) - datetime.timedelta(days=20)).isoformat()
    old = two_months.get("/v1/forecasts/revenue", horizon=7, to=before).json()
    assert old["unit"] == "EUR" and isinstance(old["points"][0]["expected"], str) and old["course"] is None
    assert float(old["total"]["expected"]) < 7 * 36 * 50 * 1.15
    for bad in ({"horizon": 0}, {"granularity": "minute"}, {"goal": 5, "granularity": "week"}):
        assert two_months.get("/v1/forecasts/orders", **bad).status_code == 422, bad
    assert two_months.get("/v1/forecasts/sessions").status_code == 422
    assert two_months.get("/v1/forecasts/nothing").status_code == 404


@pytest.mark.feature("5.11")
def test_a_campaigns_effect_has_an_interval_and_one_campaign_no_proposal(two_months):
    got = two_months.get("/v1/campaigns")
    assert got.status_code == 200, got.text
    [spring] = got.json()["data"]
    assert spring["campaign"] == "spring" and spring["dimension"] == "store" and spring["segments"] == ["b"]
    assert spring["spend"] == "700.00" and spring["reason"] is None
    # Five orders of 50 a day for fourteen days; three standard errors of what the stores vary by chance are 700.
    gained = float(spring["gained"])
    assert abs(gained - 3500) < 700, json.dumps(spring)
    assert 0 < float(spring["lower"]) < gained < float(spring["upper"]), json.dumps(spring)
    proposal = two_months.get("/v1/campaigns/proposal").json()
    assert proposal["shift"] is None and "fewer than two campaigns" in proposal["reason"]
    assert two_months.get("/v1/campaigns", level=3).status_code == 422
