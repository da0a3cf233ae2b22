"""Labels from outside: an order that was charged back is known for it, and rules are measured by it."""

import datetime
import json

import pytest

from support import poll

UTC = datetime.timezone.utc


def order(number, revenue=20):
    return {"type": "track", "event": "Order Completed", "userId": f"u{number}", "messageId": f"l-{number}",
            "timestamp": (datetime.datetime.now(UTC) - datetime.timedelta(minutes=5)).isoformat(),
            "properties": {"order_id": f"lo{number}", "revenue": revenue, "currency": "EUR"}}


def post(shop, path, document, key=None):
    return shop.request("POST", path, key, data=json.dumps(document), headers={"Content-Type": "application/json"})


@pytest.mark.feature("4.5", "5.14")
def test_labels_name_orders_and_measure_rules(node, shop):
    rules = {"rules": [{"name": "big", "when": "amount > 75", "outcome": "decline"},
                       {"name": "try", "state": "shadow", "when": "amount > 95"}]}
    assert shop.request("PUT", "/v1/rules", data=json.dumps(rules),
                        headers={"Content-Type": "application/json"}).status_code == 201
    poll("rules in force", 20, lambda: shop.get("/v1/rules").json()["data"][0]["state"] == "live")
    assert shop.send([order(i, 10 * i) for i in range(1, 11)]).status_code == 200
    node.settle()
    said = post(shop, "/v1/labels", [
        {"order_id": "lo10", "label": "fraud", "reason": "chargeback"},
        {"order_id": "lo9", "label": "legitimate"},
        {"message_id": "l-5", "label": "fraud"},
        {"order_id": "nobody's", "label": "fraud"},
        {"order_id": "lo1", "label": "maybe"}]).json()
    assert [r["result"] for r in said["results"]] == ["ok", "ok", "ok", "unknown", "rejected"]
    assert said["accepted"] == 3
    trail = shop.get("/v1/events/l-10/trail").json()["steps"]
    assert [s["decision"] for s in trail if s["stage"] == "labelled"] == ["fraud"]
    [event] = [e for e in shop.get("/v1/events", limit=100).json()["data"] if e["message_id"] == "l-10"]
    assert event["label"]["reason"] == "chargeback"
    listed = shop.get("/v1/labels", limit=2).json()
    assert len(listed["data"]) == 2 and listed["has_more"]
    assert len(shop.get("/v1/labels", limit=2, cursor=listed["next_cursor"]).json()["data"]) == 1

    quality = shop.get("/v1/labels/quality").json()
    assert quality["labelled"] == {"fraud": 2, "legitimate": 1}
    assert quality["outcomes"]["decline"] == {"fraud": 1, "legitimate": 1}
    assert quality["stopped"]["precision"] == 0.5 and quality["stopped"]["recall"] == 0.5
    by_name = {r["name"]: r for r in quality["rules"]}
    assert by_name["big"]["precision"] == 0.5
    assert by_name["try"]["state"] == "shadow" and by_name["try"]["precision"] == 1
    dry = post(shop, "/v1/rules/dry-run", {"rules": [{"name": "b", "when": "amount > 95", "outcome": "decline"}]}).json()
    assert dry["precision"] == 1 and dry["recall"] == 0.5
    assert dry["rules"][0]["labelled"] == {"fraud": 1, "legitimate": 0}

    # The latest word counts; one alone is refused by a status.
    assert post(shop, "/v1/labels", {"order_id": "lo10", "label": "legitimate"}).json()["result"] == "ok"
    assert shop.get("/v1/labels/quality").json()["labelled"] == {"fraud": 1, "legitimate": 2}
    assert post(shop, "/v1/labels", {"order_id": "no such", "label": "fraud"}).status_code == 404
    assert post(shop, "/v1/labels", {"order_id": "lo1"}).status_code == 422
    assert post(shop, "/v1/labels", {"order_id": "lo1", "event_id": event["id"], "label": "fraud"}).status_code == 422
    reader = shop.make_key("read")["key"]
    assert post(shop, "/v1/labels", {"order_id": "lo1", "label": "fraud"}, reader).status_code == 403


@pytest.mark.feature("4.11")
def test_the_trail_tells_the_smallest_change_that_flips_the_outcome(node, shop):
    rules = {"rules": [{"name": "big", "when": "amount > 75", "outcome": "decline"}]}
    assert shop.request("PUT", "/v1/rules", data=json.dumps(rules),
                        headers={"Content-Type": "application/json"}).status_code == 201
    poll("rules in force", 20, lambda: shop.get("/v1/rules").json()["data"][0]["state"] == "live")
    assert shop.send([order(21, 20), order(22, 80)]).status_code == 200
    node.settle()
    [scored] = [s for s in shop.get("/v1/events/l-22/trail").json()["steps"] if s["stage"] == "scored"]
    flip = scored["detail"]["flip"]
    assert flip["from"] == "decline" and flip["to"] != "decline"
    assert flip["changes"] == [{"name": "amount", "from": "80 EUR", "to": "75 EUR"}]
    [scored] = [s for s in shop.get("/v1/events/l-21/trail").json()["steps"] if s["stage"] == "scored"]
    assert scored["detail"]["flip"]["to"] == "decline"
