"""Reading back: the history by cursor, one event, its trail, the failed events, limits, metrics without a sum."""

import datetime
import json
import time
import uuid

import pytest

UTC = datetime.timezone.utc


def at(**ago):
    return (datetime.datetime.now(UTC) - datetime.timedelta(**ago)).isoformat()


def event(message, **more):
    return {"type": "track", "event": "Product Viewed", "userId": "u1", "messageId": message,
            "properties": {"product_id": "p1"}, **more}


def pages(shop, path="/v1/events", between=lambda: None, **params):
    """All rows, page by page; `between` runs after each page."""
    rows, cursor = [], None
    for _ in range(1000):
        got = shop.get(path, **params, **({"cursor": cursor} if cursor else {}))
        assert got.status_code == 200, got.text
        page = got.json()
        assert set(page) == {"data", "has_more", "next_cursor"}
        rows += page["data"]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            return rows
        cursor = page["next_cursor"]
        between()
    raise AssertionError("the pages do not end")


@pytest.mark.feature("7.2")
@pytest.mark.parametrize("sort", ["time", "-time"])
def test_the_history_tells_each_event_once_while_others_arrive_at_the_same_time(node, shop, sort):
    moment = at(hours=3)
    old = [f"old-{i}" for i in range(150)]
    assert shop.send([event(m, timestamp=moment) for m in old]).status_code == 200
    node.settle()
    later = []

    def arrive():
        later.append(f"late-{len(later)}")
        assert shop.send(event(later[-1], timestamp=moment)).status_code == 200

    rows = pages(shop, between=arrive, sort=sort, limit=17)
    seen = [r["message_id"] for r in rows]
    assert len(seen) == len(set(seen)) and set(old) <= set(seen) and len(later) > 5
    ids = [r["id"] for r in rows]
    assert ids == sorted(ids, reverse=sort == "-time")


@pytest.mark.feature("7.2")
def test_filters_and_what_is_wrong_with_a_question(node, shop):
    orders = [event(f"o{i}", event="Order Completed", userId=f"c{i % 2}", timestamp=at(hours=i + 1),
                    properties={"order_id": f"o{i}", "revenue": 10 + i, "currency": "EUR",
                                "shipping_address": {"country": ["DE", "FR"][i % 2]},
                                "products": [{"product_id": f"p{i}", "price": 1, "quantity": 1}]}) for i in range(4)]
    assert shop.send([*orders, event("view", timestamp=at(hours=1))]).status_code == 200
    node.settle()

    def found(**params):
        return sorted(r["message_id"] for r in pages(shop, **params))

    assert found(name="Order Completed") == ["o0", "o1", "o2", "o3"]
    assert found(customer="c0") == ["o0", "o2"] and found(country="FR") == ["o1", "o3"]
    assert found(product="p2") == ["o2"] and found(product="p1") == ["o1", "view"]
    assert found(**{"from": at(minutes=150), "name": "Order Completed"}) == ["o0", "o1"]
    assert found(to=at(minutes=210)) == ["o3"]
    assert set(found(min_risk=0)) == {"o0", "o1", "o2", "o3", "view"}
    for bad in ({"limit": 0}, {"limit": "many"}, {"from": "yesterday"}, {"nonsense": 1}, {"cursor": "xyz"},
                {"from": at(), "to": at(hours=1)}):
        got = shop.get("/v1/events", **bad)
        assert got.status_code == 422 and got.headers["Content-Type"] == "application/problem+json", (bad, got.text)
        assert got.json()["errors"][0]["pointer"].startswith("/"), got.text
    cursor = shop.get("/v1/events", limit=1).json()["next_cursor"]
    assert shop.get("/v1/events", limit=1, cursor=cursor, name="Order Completed").status_code == 422


@pytest.mark.feature("7.2", "3.2")
def test_one_event_is_told_as_it_was_sent_with_what_was_found_out(node, shop):
    sent = event("one", event="Order Completed", timestamp="2026-01-02T03:04:05.678+01:00".replace(
        "2026-01-02", (datetime.datetime.now(UTC) - datetime.timedelta(days=30)).date().isoformat()),
        properties={"order_id": "o", "revenue": 0.1, "currency": "EUR", "note": "ümlaut \U0001f600",
                    "products": [{"product_id": "p", "price": 0.1, "quantity": 1}]},
        context={"userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
                              "Gecko) Version/17.0 Mobile/15E148 Safari/604.1", "campaign": {"name": "spring"}})
    said = shop.send([sent]).json()["results"][0]
    node.settle()
    got = shop.get("/v1/events/" + said["id"])
    assert got.status_code == 200
    e = got.json()
    assert e["id"] == said["id"] and e["message_id"] == "one" and e["amount"] == {"amount": "0.10", "currency": "EUR"}
    assert e["properties"] == sent["properties"] and e["context"] == sent["context"]
    assert datetime.datetime.fromisoformat(e["occurred_at"].replace("Z", "+00:00")) == \
        datetime.datetime.fromisoformat(sent["timestamp"])
    assert e["campaign"] == "spring" and e["device"] == "mobile" and e["bot"] is False
    assert 0 <= e["risk"]["score"] <= 100 and e["risk"]["outcome"] in ("approve", "review", "decline")
    assert sum(p["points"] for p in e["risk"]["parts"]) == pytest.approx(e["risk"]["score"], abs=0.01)
    assert shop.get("/v1/events/" + str(uuid.uuid4())).status_code == 404
    assert shop.get("/v1/events/nothing").status_code == 404


@pytest.mark.feature("2.9", "10.1")
def test_the_trail_tells_each_stage_by_the_events_id_and_by_its_message_id(node, shop):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = shop.send([event("trailed", timestamp=at(minutes=5))], traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    assert sent.status_code == 200
    node.settle()
    by_id = shop.get(f"/v1/events/{sent.json()['results'][0]['id']}/trail").json()
    by_message = shop.get("/v1/events/trailed/trail").json()
    assert by_id["steps"] == by_message["steps"]
    stages = [s["stage"] for s in by_id["steps"]]
    assert stages[:6] == ["received", "logged", "enriched", "scored", "stored", "counted"], stages
    for step in by_id["steps"]:
        assert set(step) == {"stage", "at", "node", "decision", "detail"} and step["decision"]
    times = [s["at"] for s in by_id["steps"]]
    assert times == sorted(times)
    assert by_id["steps"][0]["detail"]["trace_id"] == trace
    assert shop.get("/v1/events/never-sent/trail").status_code == 404


@pytest.mark.feature("2.9", "2.3")
def test_the_trail_of_a_refused_event_ends_with_its_reason(node, shop):
    assert shop.send([{"type": "track", "messageId": "refused", "userId": "u"}]).json()["rejected"] == 1
    node.settle()
    steps = shop.get("/v1/events/refused/trail").json()["steps"]
    assert [s["stage"] for s in steps] == ["received", "logged", "failed"]
    assert steps[-1]["decision"] == "no_event_name" and steps[-1]["detail"]["pointer"] == "/event"
    failed = pages(shop, "/v1/failed-events")
    assert [(f["code"], f["message_id"], json.loads(f["body"])["userId"]) for f in failed] == [("no_event_name", "refused", "u")]


@pytest.mark.feature("7.1", "7.6")
def test_what_does_not_add_up_is_counted_from_the_events(node, shop):
    start = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=5)

    def moment(minutes):
        return (start + datetime.timedelta(minutes=minutes)).isoformat()

    # Customer a: two sessions, the first with an order. Customer b: one session. Each in one hour but for the last.
    events = [event("a1", userId="a", timestamp=moment(0)), event("a2", userId="a", timestamp=moment(29)),
              event("a3", userId="a", timestamp=moment(40), event="Order Completed",
                    properties={"order_id": "1", "revenue": 30, "currency": "EUR"}),
              event("a4", userId="a", timestamp=moment(95)),
              event("b1", userId="b", timestamp=moment(5)), event("b2", userId="b", timestamp=moment(20), event="Order Completed",
                                                                 properties={"order_id": "2", "revenue": 10.01, "currency": "EUR"})]
    assert shop.send(events).status_code == 200
    node.settle()

    def total(metric, **more):
        got = shop.get("/v1/metrics/" + metric, **{"from": moment(-60), "to": moment(240), "granularity": "hour", **more})
        assert got.status_code == 200, got.text
        return got.json()

    assert total("events")["total"] == 6 and total("orders")["total"] == 2
    assert total("customers")["total"] == 2 and total("customers")["source"] == "events"
    assert total("sessions")["total"] == 3 and total("conversion")["total"] == pytest.approx(2 / 3)
    assert total("revenue")["total"] == "40.01" and total("aov")["total"] in ("20.00", "20.01")
    points = [p["value"] for p in total("events")["series"][0]["points"]]
    assert points == [0, 5, 1, 0, 0]
    stamp = total("events")["fresh_until"]
    assert stamp and abs(time.time() - datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()) < 300
    assert shop.get("/v1/metrics/nothing").status_code == 404
    assert shop.get("/v1/metrics/events", granularity="fortnight").status_code == 422
    assert shop.get("/v1/metrics/events", timezone="Mars/Olympus").status_code == 422
    listed = {m["metric"] for m in shop.get("/v1/metrics").json()["data"]}
    assert {"events", "orders", "revenue", "aov", "refunds", "customers", "sessions", "conversion", "anomalies",
            "risk_mean"} <= listed
    for name in listed:
        assert total(name)["metric"] == name


@pytest.mark.feature("1.7")
def test_the_limits_in_force_can_be_read(node):
    shop = node.tenant(rate=None)
    assert shop.get("/v1/limits").json()["rate"] == 1000 and shop.get("/v1/limits").json()["burst"] == 5000
    shop.limits(7, 70)
    assert shop.get("/v1/limits").json()["rate"] == 7
