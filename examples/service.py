"""Rolls dice for whoever writes `!dice`: ROOM_SERVICE_TOKEN=<its secret> python3 examples/service.py general"""
import json, os, random, struct, sys, time, urllib.request as http
url = os.environ.get("ROOM_SERVICE_URL", "http://127.0.0.1:8080") + "/baccarat.v1.RoomService/"
auth = {"Authorization": "Bearer " + os.environ.get("ROOM_SERVICE_TOKEN", "none")}
post = lambda call, kind, body: http.urlopen(http.Request(url + call, body, {**auth, "Content-Type": kind}), timeout=40)
watch = {"room_id": (sys.argv[1:] or ["general"])[0]}
while True:
    try:
        body = json.dumps(watch).encode()  # A stream's messages have a byte of flags and four of length in front.
        stream = post("WatchRoom", "application/connect+json", struct.pack(">BI", 0, len(body)) + body)
        while head := stream.read(5):
            answer = json.loads(stream.read(struct.unpack(">BI", head)[1]))
            if head[0] & 2: raise ConnectionError(answer)  # The last one says why the stream ends.
            for event in (e for e in answer["events"] if e.get("message", {}).get("message") == "!dice"):
                text = f"{event['message']['username']} rolls {random.randint(1, 6)} of 6"
                roll = {"room_id": watch["room_id"], "message": text, "idempotency_key": "dice-" + event["seq"]}
                post("SendMessage", "application/json", json.dumps(roll).encode()).close()
            watch["after"] = answer["position"]
    except (OSError, ValueError) as error: print(error, file=sys.stderr)
    time.sleep(1)
