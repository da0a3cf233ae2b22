"""An odd order arrives at a webhook, signed: told by the receiver's side, with somebody else's verifier."""

import datetime
import json
import random
import time
import uuid

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from support import Receiver, poll

UTC = datetime.timezone.utc


def lower(headers):
    return {k.lower(): v for k, v in headers.items()}


def order(message, amount, customer, country, ago):
    return {"type": "track", "event": "Order Completed", "userId": customer, "messageId": message,
            "timestamp": (datetime.datetime.now(UTC) - ago).isoformat(),
            "properties": {"order_id": message, "revenue": amount, "currency": "EUR",
                           "shipping_address": {"country": country},
                           "products": [{"product_id": "p1", "price": 10, "quantity": max(1, int(amount / 10))}]}}


def send_history(shop):
    r = random.Random(7)
    events = [order(f"usual-{i}", round(r.uniform(10, 80), 2), f"c{r.randrange(20)}", "DE",
                    datetime.timedelta(minutes=15 * (41 - i))) for i in range(40)]
    assert shop.send(events).status_code == 200


def send_odd(shop, name="odd"):
    """Ten thousand times what is usual here."""
    message = f"{name}-{uuid.uuid4()}"
    said = shop.send([order(message, 2_500_000, "c1", "NG", datetime.timedelta())])
    assert said.status_code == 200
    return message, said.json()["results"][0]["id"]


def make_endpoint(shop, url, **more):
    made = shop.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": url, **more})
    assert made.status_code == 201, made.text
    assert set(made.json()) == {"id", "secret"} and made.json()["secret"].startswith("whsec_")
    return made.json()


@pytest.fixture
def watched(node, shop):
    """A tenant with some history, whose webhooks may reach this machine."""
    node.cli("endpoint", "allow", "--tenant", shop.name, "127.0.0.1/32")
    send_history(shop)
    node.settle()
    return shop


@pytest.mark.feature("8.1", "10.1")
def test_an_odd_order_arrives_signed_with_its_reasons(node, watched):
    with Receiver() as receiver:
        secret = make_endpoint(watched, receiver.url + "/hook")["secret"]
        message, event_id = send_odd(watched)
        got = poll("the webhook", 30, lambda: receiver.got)[0]
        told = Webhook(secret).verify(got["body"], lower(got["headers"]))
        assert got["path"] == "/hook" and got["headers"]["Content-Type"].startswith("application/json")
        assert told["type"] == "event.flagged"
        data = told["data"]
        assert data["message_id"] == message and data["event_id"] == event_id and data["order_id"] == message
        assert data["amount"] == {"amount": "2500000.00", "currency": "EUR"} and data["risk"]["score"] >= 90
        assert data["reasons"] and all({"name", "value", "typical", "contribution"} <= set(r) for r in data["reasons"])
        assert data["alert_id"] and data["severity"] in ("warning", "critical")
        # The verifier does verify.
        for bad in (got["body"].replace(b"2500000", b"2500001"), got["body"] + b" "):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(bad, lower(got["headers"]))
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 44).verify(got["body"], lower(got["headers"]))
        # It tells of what is stored, and the API says the same.
        stored = watched.get("/v1/events/" + event_id).json()
        assert stored["risk"]["score"] == data["risk"]["score"]
        listed = watched.get("/v1/alerts").json()["data"]
        assert [a["id"] for a in listed] == [data["alert_id"]]
        stages = poll("the delivery in the trail", 20, lambda: [
            s for s in watched.get(f"/v1/events/{event_id}/trail").json()["steps"] if s["stage"] == "delivery"])
        assert stages[0]["decision"] == "delivered"
        # Sent again, the event alerts nobody twice.
        assert watched.send([order(message, 2_500_000, "c1", "NG", datetime.timedelta())]).status_code == 200
        node.settle()
        assert len(watched.get("/v1/alerts").json()["data"]) == 1


@pytest.mark.feature("8.1", "8.12", "8.6")
def test_every_attempt_and_every_resend_has_the_same_webhook_id(node, watched):
    answers = iter([500])
    with Receiver(lambda _: next(answers, 200)) as receiver:
        made = make_endpoint(watched, receiver.url)
        send_odd(watched)
        poll("the second attempt", 40, lambda: len(receiver.got) >= 2)
        attempts = poll("the log of attempts", 20, lambda: [
            a for a in [watched.get(f"/v1/endpoints/{made['id']}/attempts").json()["data"]] if len(a) >= 2])[0]
        assert sorted(a["status"] for a in attempts) == [200, 500]
        before = len(receiver.got)
        alert = watched.get("/v1/alerts").json()["data"][0]["id"]
        counted = watched.request("POST", f"/v1/alerts/{alert}/resend", params={"dry_run": "true"})
        assert counted.status_code == 200 and counted.json()["count"] == 1
        assert watched.request("POST", f"/v1/alerts/{alert}/resend").status_code == 200
        poll("the resend", 30, lambda: len(receiver.got) > before)
        requests = [lower(g["headers"]) for g in receiver.got]
        assert len({h["webhook-id"] for h in requests}) == 1
        assert [h.get("webhook-replay") for h in requests] == [None] * before + ["true"]
        for got in receiver.got:
            assert Webhook(made["secret"]).verify(got["body"], lower(got["headers"]))["data"]["alert_id"] == alert


@pytest.mark.feature("8.1")
def test_after_a_rotation_both_secrets_verify(node, watched):
    with Receiver() as receiver:
        made = make_endpoint(watched, receiver.url)
        fresh = watched.request("POST", f"/v1/endpoints/{made['id']}/secret/rotate").json()["secret"]
        assert fresh != made["secret"]
        assert watched.request("POST", f"/v1/endpoints/{made['id']}/test").status_code == 202
        got = poll("the test", 30, lambda: receiver.got)[0]
        for secret in (made["secret"], fresh):
            assert Webhook(secret).verify(got["body"], lower(got["headers"]))["type"] == "endpoint.test"
        said = node.cli("endpoint", "test", "--tenant", watched.name, made["id"])
        assert said["status"] == 200 and len(receiver.got) == 2


@pytest.mark.feature("8.4")
def test_a_private_address_is_not_reached_unless_it_is_allowed(node, watched):
    stranger = node.tenant()
    with Receiver() as receiver, Receiver(lambda _: (302, {"Location": receiver.url}, b"")) as elsewhere:
        refused = stranger.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": receiver.url})
        assert refused.status_code == 422 and refused.json()["code"] == "invalid", refused.text
        for url in ("http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "file:///etc/passwd", "http://u:p@a.example/"):
            assert watched.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": url}).status_code == 422, url
        # A name is judged when it is connected to, after it was resolved.
        made = make_endpoint(stranger, f"http://localhost:{receiver.port}/")
        stranger.request("POST", f"/v1/endpoints/{made['id']}/test")
        attempt = poll("the refused attempt", 30, lambda: stranger.get(f"/v1/endpoints/{made['id']}/attempts").json()["data"])[0]
        assert attempt["status"] is None and attempt["error"], attempt
        # A redirect is an answer like any other, and is not followed.
        made = make_endpoint(watched, elsewhere.url)
        watched.request("POST", f"/v1/endpoints/{made['id']}/test")
        attempt = poll("the redirect", 30, lambda: watched.get(f"/v1/endpoints/{made['id']}/attempts").json()["data"])[0]
        assert attempt["status"] == 302 and attempt["outcome"] != "delivered"
        assert receiver.got == []


@pytest.mark.feature("8.8", "8.12")
def test_a_dead_endpoint_does_not_delay_a_live_one_and_a_kill_loses_no_alert(own_node):
    node = own_node(by_script=False)
    node.start()
    shop = node.tenant()
    node.cli("endpoint", "allow", "--tenant", shop.name, "127.0.0.1/32")
    send_history(shop)
    node.settle()

    def hang(_):
        time.sleep(20)  # a receiver that never answers in time is what is tested
        return 200

    with Receiver(hang) as dead, Receiver() as live:
        make_endpoint(shop, dead.url)
        make_endpoint(shop, live.url)
        messages = []
        for i in range(4):
            messages.append(send_odd(shop, f"odd{i}")[0])
            poll("the live one is told", 15, lambda: len({json.loads(g["body"])["data"]["message_id"]
                                                        for g in live.got}) == len(messages))
        messages.append(send_odd(shop, "last")[0])
        node.kill()
        node.start()
        poll("told after the kill", 60, lambda: {json.loads(g["body"])["data"]["message_id"] for g in live.got} == set(messages))
        ids = {}
        for got in live.got:
            ids.setdefault(json.loads(got["body"])["data"]["message_id"], set()).add(lower(got["headers"])["webhook-id"])
        assert all(len(found) == 1 for found in ids.values()), ids
        node.settle()
        shop.assert_accounts_close()


@pytest.mark.feature("8.1")
def test_what_is_old_when_it_arrives_is_scored_and_never_told(node, watched):
    with Receiver() as receiver:
        make_endpoint(watched, receiver.url)
        said = watched.send([order("import", 2_500_000, "c1", "NG", datetime.timedelta(days=2))])
        node.settle()
        assert watched.get("/v1/events/" + said.json()["results"][0]["id"]).json()["risk"]["score"] >= 90
        send_odd(watched)
        poll("the fresh one", 30, lambda: receiver.got)
        assert {json.loads(g["body"])["data"]["message_id"] for g in receiver.got} & {"import"} == set()
        assert len(watched.get("/v1/alerts").json()["data"]) == 1
