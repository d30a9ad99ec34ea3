"""Rolls dice for whoever writes `!dice`, with nothing but Python's standard library:

    ROOM_SERVICE_TOKEN=<secret of scopes read and publish> python3 examples/service.py general
"""

import json, os, random, struct, sys, time
from urllib.request import Request, urlopen

room = sys.argv[1] if len(sys.argv) > 1 else "general"
url = os.environ.get("ROOM_SERVICE_URL", "http://127.0.0.1:8080") + "/baccarat.v1.RoomService/"
token = os.environ.get("ROOM_SERVICE_TOKEN", "none")


def post(method, kind, body):
    headers = {"Content-Type": kind, "Authorization": "Bearer " + token}
    return urlopen(Request(url + method, body, headers), timeout=40)


def call(method, request):
    return json.load(post(method, "application/json", json.dumps(request).encode()))


def stream(method, request):  # Before each message come a byte of flags and four of length; the last one has flag 2.
    body = json.dumps(request).encode()
    answers = post(method, "application/connect+json", struct.pack(">BI", 0, len(body)) + body)
    while header := answers.read(5):
        flags, length = struct.unpack(">BI", header)
        answer = json.loads(answers.read(length))
        if flags & 2:
            raise ConnectionError(answer)
        yield answer


request = {"room_id": room}
while True:
    try:
        for answer in stream("WatchRoom", request):
            for event in answer["events"]:
                said = event.get("message", {})
                if said.get("message") == "!dice" and not said["uid"].startswith("service:"):
                    text = f"{said['username']} rolls {random.randint(1, 6)} of 6"
                    call("SendMessage", {"room_id": room, "message": text, "idempotency_key": "dice-" + event["seq"]})
            request["after"] = answer["position"]
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        time.sleep(1)
