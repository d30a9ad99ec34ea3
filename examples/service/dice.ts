import { randomInt } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Event } from "../../gen/baccarat/v1/event_pb.ts";
import { RoomService } from "../../gen/baccarat/v1/room_service_pb.ts";
import { follow, waitToRetry } from "./follow.ts";

/*
 * Rolls dice in a room for whoever writes `!dice`, or `!dice 20`:
 *
 *   ROOM_SERVICE_TOKEN=<secret of scopes read and publish> node examples/service/dice.ts general
 */
const [roomId = "general"] = process.argv.slice(2);
const { ROOM_SERVICE_URL: baseUrl = "http://127.0.0.1:8080", ROOM_SERVICE_TOKEN: token } = process.env;

const rooms = createClient(
  RoomService,
  createConnectTransport({
    baseUrl,
    httpVersion: "2",
    pingIntervalMs: 10_000,
    interceptors: [
      (next) => (request) => {
        if (token) request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  }),
);

for await (const { events } of follow(rooms, roomId)) {
  for (const event of events) await answer(event);
}

async function answer({ seq, body }: Event): Promise<void> {
  if (body.case !== "message" || body.value.uid.startsWith("service:")) return;
  const asked = /^!dice(?: +([1-9]\d{0,3}))?$/.exec(body.value.message);
  if (!asked) return;
  const sides = Number(asked[1] ?? 6);
  const message = `${body.value.username} rolls ${1 + randomInt(sides)} of ${sides}`;
  for (;;) {
    try {
      // By the key, what was stored though no answer came is not said twice.
      await rooms.sendMessage({ roomId, message, from: "dice", idempotencyKey: `dice-${seq}` });
      return;
    } catch (error) {
      await waitToRetry(error);
    }
  }
}
