"""POST /v1/score: what an event would be scored, before it is sent."""

import datetime
import json

import pytest

from support import poll

UTC = datetime.timezone.utc


def order(number, revenue=20, **more):
    return {"type": "track", "event": "Order Completed", "userId": f"u{number % 5}", "messageId": f"s-{number}",
            "timestamp": (datetime.datetime.now(UTC) - datetime.timedelta(minutes=5)).isoformat(),
            "properties": {"order_id": f"o{number}", "revenue": revenue, "currency": "EUR", **more}}


def score(shop, document, **more):
    return shop.request("POST", "/v1/score", data=document if isinstance(document, str) else json.dumps(document),
                        headers={"Content-Type": "application/json"}, **more)


def stored_risk(node, shop, event):
    assert shop.send(event).status_code == 200
    node.settle()
    found = shop.get("/v1/events", limit=1, sort="-time").json()["data"]
    assert found[0]["message_id"] == event["messageId"]
    return found[0]


@pytest.mark.feature("4.1", "4.2")
def test_an_event_is_scored_as_it_would_be_stored_and_leaves_no_trace(node, shop):
    assert shop.request("PUT", "/v1/rules", data=json.dumps({"rules": [
        {"name": "large", "when": "amount > 500", "outcome": "review", "points": 20},
        {"name": "often", "when": "velocity(customer, 1h) > 3", "outcome": "review", "points": 5}]}),
        headers={"Content-Type": "application/json"}).status_code == 201
    poll("the rules are in force", 20, lambda: shop.get("/v1/rules").json()["data"][0]["state"] == "live")
    assert shop.send([order(i) for i in range(50)]).status_code == 200
    node.settle()
    before = shop.ledger(), len(shop.events("event_id"))
    event = order(100, 900)
    asked = [score(shop, event) for _ in range(4)]
    assert [a.status_code for a in asked] == [200] * 4, asked[0].text
    said = asked[0].json()
    assert {p["name"] for p in said["risk"]["parts"] if p["source"] == "rule"} >= {"large", "often"}
    assert said["risk"]["outcome"] in ("review", "decline") and said["amount"] == {"amount": "900.00", "currency": "EUR"}
    assert sum(p["points"] for p in said["risk"]["parts"]) == said["risk"]["score"]
    # However often one asks, nothing is counted.
    assert all(a.json()["risk"] == said["risk"] for a in asked)
    node.settle()
    assert (shop.ledger(), len(shop.events("event_id"))) == before
    assert shop.get("/v1/events", mode="test").json()["data"] == []
    stored = stored_risk(node, shop, event)
    assert stored["risk"] == said["risk"]
    # The same form, but for what only a stored event has.
    assert set(stored) - set(said) == {"label"} and set(said) <= set(stored)


@pytest.mark.feature("4.1")
def test_a_list_gets_a_result_for_each_and_one_event_a_problem_with_its_place(node, shop):
    got = score(shop, [order(1), {"type": "track"}, order(2)])
    assert got.status_code == 200, got.text
    body = got.json()
    assert (body["scored"], body["rejected"]) == (2, 1)
    assert [r["index"] for r in body["results"]] == [0, 1, 2]
    assert [r["result"] for r in body["results"]] == ["ok", "rejected", "ok"]
    assert body["results"][1]["code"] and body["results"][1]["pointer"]
    assert body["results"][2]["event"]["message_id"] == "s-2"
    alone = score(shop, {"type": "track"})
    assert alone.status_code == 422 and alone.json()["errors"][0]["pointer"] == body["results"][1]["pointer"]
    assert score(shop, "{").status_code == 400
    assert score(shop, "[]").status_code in (400, 422)
    assert score(shop, [order(i) for i in range(101)]).status_code == 413
    # NDJSON as well.
    lines = shop.request("POST", "/v1/score", data="\n".join(json.dumps(order(i)) for i in range(3)),
                         headers={"Content-Type": "application/x-ndjson"})
    assert lines.json()["scored"] == 3
    sender = shop.make_key("ingest")["key"]
    assert score(shop, order(1), key=sender).status_code == 403
    assert node.request("POST", "/v1/score", data="{}").status_code == 401
    # Neither form left anything.
    assert shop.events("event_id") == []
