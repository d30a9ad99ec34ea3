"""Rolls dice for whoever writes `!dice`: ROOM_SERVICE_TOKEN=<its secret> python3 examples/service.py general"""
import json, os, random, struct, sys, time
from urllib.request import Request, urlopen

url = os.environ.get("ROOM_SERVICE_URL", "http://127.0.0.1:8080") + "/baccarat.v1.RoomService/"
auth = {"Authorization": "Bearer " + os.environ.get("ROOM_SERVICE_TOKEN", "none")}
watch = {"room_id": sys.argv[1] if len(sys.argv) > 1 else "general"}
post = lambda method, kind, body: urlopen(Request(url + method, body, auth | {"Content-Type": kind}), timeout=40)
while True:
    try:
        body = json.dumps(watch).encode()  # A stream's messages have a byte of flags and four of length in front.
        stream = post("WatchRoom", "application/connect+json", struct.pack(">BI", 0, len(body)) + body)
        while head := stream.read(5):
            answer = json.loads(stream.read(struct.unpack(">BI", head)[1]))
            if head[0] & 2:  # The last one says why the stream ends.
                raise ConnectionError(answer)
            for event in answer["events"]:
                said = event.get("message", {})
                if said.get("message") == "!dice" and not said["uid"].startswith("service:"):
                    text = f"{said['username']} rolls {random.randint(1, 6)} of 6"
                    roll = {"room_id": watch["room_id"], "message": text, "idempotency_key": "dice-" + event["seq"]}
                    post("SendMessage", "application/json", json.dumps(roll).encode()).close()
            watch["after"] = answer["position"]
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
    time.sleep(1)
