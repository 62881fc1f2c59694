"""Feeds the bodies of a webhook format to a library of the service that reads it.

    accept.py FORMAT < bodies.json

bodies.json is an array of bodies: of a firing alert, then of the same one resolved. Fails unless the
library accepts each of them and loses no member.
"""

import http.server
import json
import sys
import threading


class Sink:
    """Keeps what a library posts to this host."""

    def __enter__(self):
        posts = self.posts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()


def shape(value):
    """Returns a body with the names of types instead of values."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value[:1]]
    return type(value).__name__


def alertmanager(body):
    from prometheus_alert_model import AlertGroup

    group = AlertGroup(**body)
    assert set(body) == set(AlertGroup.schema(by_alias=True)["properties"]), set(body)
    (alert,) = group.alerts
    assert alert.status == body["status"]
    # A receiver that groups again must find the group's labels among those of its alerts.
    assert group.group_labels.items() <= alert.labels.items()
    assert all(isinstance(value, str) for value in alert.labels.values())


def slack(body):
    from slack_sdk.models.blocks import Block

    blocks = Block.parse_all(body["blocks"])
    assert [block.to_dict() for block in blocks] == body["blocks"], [b.to_dict() for b in blocks]
    assert isinstance(body["text"], str)


def telegram(body):
    from aiogram.methods import SendMessage

    SendMessage.model_validate(body, strict=False)
    assert set(body) <= set(SendMessage.model_fields), set(body)


def apprise(body):
    from apprise import NOTIFY_FORMATS, NOTIFY_TYPES, Apprise

    assert set(body) <= {"title", "body", "type", "format", "tag", "urls"}, set(body)
    assert body["type"] in NOTIFY_TYPES and body["format"] in NOTIFY_FORMATS
    with Sink() as sink:
        services = Apprise()
        services.add(f"json://127.0.0.1:{sink.port}/")
        assert services.notify(
            body["body"], title=body["title"], notify_type=body["type"], body_format=body["format"]
        )
        (post,) = sink.posts
        assert post["title"] == body["title"] and post["type"] == body["type"], post


def ntfy(body):
    from apprise import Apprise

    with Sink() as sink:
        services = Apprise()
        services.add(f"ntfy://127.0.0.1:{sink.port}/{body['topic']}?priority=high&tags=warning")
        assert services.notify(body["message"], title=body["title"])
        # Its client for ntfy sends the same members; it gives the priority in words of its own.
        theirs, ours = shape(sink.posts[0]), shape(body)
        assert {name: theirs.get(name) for name in ours if name not in ("priority", "tags")} == {
            name: kind for name, kind in ours.items() if name not in ("priority", "tags")
        }, (theirs, ours)
    assert 1 <= body["priority"] <= 5
    assert all(isinstance(tag, str) for tag in body["tags"])


def pagerduty(body):
    from httpx2 import Response
    from pagerduty import EventsApiV2Client

    class Client(EventsApiV2Client):
        """Keeps the event instead of sending it to PagerDuty."""

        def post(self, url, json):
            self.event = json
            return Response(202, json={"status": "success", "dedup_key": json["dedup_key"]})

    client = Client(body["routing_key"])
    payload = body["payload"]
    if body["event_action"] == "resolve":
        client.resolve(body["dedup_key"])
    else:
        client.trigger(
            payload["summary"],
            payload["source"],
            dedup_key=body["dedup_key"],
            severity=payload["severity"],
            payload={name: payload[name] for name in ("timestamp", "component", "group", "class")},
            custom_details=payload["custom_details"],
        )
        assert client.event["payload"] == payload, (client.event, body)
    assert client.event["event_action"] == body["event_action"]
    assert client.event["dedup_key"] == body["dedup_key"]
    assert payload["severity"] in ("critical", "error", "warning", "info")


if __name__ == "__main__":
    for body in json.load(sys.stdin):
        globals()[sys.argv[1]](body)
