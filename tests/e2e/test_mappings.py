"""A tenant's mapping from outside: checked, tried, published, rolled back, and in force from its place in the log on."""

import pytest
from support import poll


def rule(source, target="/properties/revenue"):
    return {"rules": [{"op": "rename", "from": source, "to": target}]}


def order(message, **properties):
    return {"type": "track", "event": "Order Completed", "userId": "u", "messageId": message,
            "properties": {"order_id": message, "currency": "EUR", **properties}}


def live(shop):
    return [v["id"] for v in shop.get("/v1/mappings").json()["data"] if v["state"] == "live"]


def put_in_force(shop, method, path, **more):
    before = live(shop)
    answer = shop.request(method, path, **more)
    assert answer.status_code in (200, 201), answer.text
    poll("another version is live", 20, lambda: live(shop) not in ([], before))
    return answer.json()


@pytest.mark.feature("3.1")
def test_a_mapping_holds_from_its_publication_to_its_rollback(node, shop):
    first = put_in_force(shop, "PUT", "/v1/mappings", json=rule("/properties/sum"))
    assert shop.send(order("m1", sum=12.5)).status_code == 200
    put_in_force(shop, "PUT", "/v1/mappings", json=rule("/properties/amount"))
    assert shop.send([order("m2", amount=20), order("m3", sum=30)]).status_code == 200
    rolled = put_in_force(shop, "POST", "/v1/mappings/rollback")
    assert rolled["id"] == first["id"]
    assert shop.send(order("m4", sum=40)).status_code == 200
    node.settle()
    found = {e["message_id"]: e for e in shop.get("/v1/events").json()["data"]}
    assert {m: (e["amount"] or {}).get("amount") for m, e in found.items()} == {
        "m1": "12.50", "m2": "20.00", "m3": None, "m4": "40.00"}
    assert shop.get(f"/v1/mappings/{first['version']}").json()["document"]["rules"][0]["from"] == "/properties/sum"


@pytest.mark.feature("3.1")
def test_a_wrong_mapping_is_refused_with_every_problem_and_its_place(shop):
    wrong = {"rules": [{"op": "rename", "from": "/properties/a"}, {"op": "fly"}]}
    for path in ("/v1/mappings/check", "/v1/mappings/dry-run", "/v1/mappings/publish"):
        answer = shop.request("POST", path, json=wrong)
        assert answer.status_code == 422, (path, answer.text)
        assert {e["pointer"].split("/")[2] for e in answer.json()["errors"]} == {"0", "1"}, answer.text
    assert shop.get("/v1/mappings").json()["data"] == []


@pytest.mark.feature("3.1")
def test_a_dry_run_shows_what_would_change_and_changes_nothing(node, shop):
    assert shop.send([order("d1", sum=12.5), order("d2", revenue=7)]).status_code == 200
    node.settle()
    before = shop.get("/v1/events").json()
    seen = shop.request("POST", "/v1/mappings/dry-run", json=rule("/properties/sum"))
    assert seen.status_code == 200, seen.text
    seen = seen.json()
    assert (seen["events"], seen["changed"], len(seen["data"])) == (2, 1, 1)
    changes = {(c["op"], c["pointer"]): (c["before"], c["after"]) for c in seen["data"][0]["changes"]}
    assert changes[("add", "/properties/revenue")] == (None, 12.5)
    assert changes[("remove", "/properties/sum")] == (12.5, None)
    assert changes[("replace", "/amount")] == (None, {"amount": "12.50", "currency": "EUR"})
    assert shop.get("/v1/events").json() == before
    assert shop.get("/v1/mappings").json()["data"] == []
    assert shop.request("POST", "/v1/mappings/dry-run", json=rule("/properties/sum"),
                        params={"limit": "nope"}).status_code == 422
