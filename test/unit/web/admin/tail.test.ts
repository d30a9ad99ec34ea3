import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { ErrorInfoSchema, ErrorReason } from "../../../../gen/baccarat/v1/errors_pb.ts";
import { type Event, EventSchema } from "../../../../gen/baccarat/v1/event_pb.ts";
import { RoomService, type WatchRoomRequest } from "../../../../gen/baccarat/v1/room_service_pb.ts";
import { watchRoom } from "../../../../web/src/admin/room-watch.ts";
import { TailLog } from "../../../../web/src/admin/tail-log.ts";

function message(seq: number): Event {
  return create(EventSchema, { seq: BigInt(seq), body: { case: "message", value: { message: `m${seq}` } } });
}

function deletion(seq: number, deletedSeq: number): Event {
  return create(EventSchema, {
    seq: BigInt(seq),
    body: { case: "deletion", value: { deletedSeq: BigInt(deletedSeq) } },
  });
}

const seqs = (log: TailLog): number[] => log.events.map(({ seq }) => Number(seq));

describe("what is shown of a room", () => {
  it("is every event once and in order, however pages and the live stream overlap", () => {
    const log = new TailLog();
    log.append([message(3), message(5)]);
    log.append([message(5), message(8)]);
    log.prepend([message(1), message(2), message(3)]);
    expect(seqs(log)).toEqual([1, 2, 3, 5, 8]);
  });

  it("loses what was deleted, whichever comes first", () => {
    const log = new TailLog();
    log.append([message(5), message(6)]);
    log.append([deletion(7, 5)]);
    expect(seqs(log)).toEqual([6, 7]);
    log.append([deletion(9, 2)]);
    log.prepend([message(1), message(2)]);
    expect(seqs(log)).toEqual([1, 6, 7, 9]);
  });

  it("says where something may be missing, but not at the beginning", () => {
    const log = new TailLog();
    log.breakOff();
    log.append([message(1)]);
    log.breakOff();
    log.append([message(1), message(9)]);
    expect(log.events.map((event) => log.hasGap(event))).toEqual([false, true]);
  });

  it("is bounded while it is followed", () => {
    const log = new TailLog();
    for (let seq = 1; seq <= 1_200; seq += 100) {
      log.append(Array.from({ length: 100 }, (_, index) => message(seq + index)));
    }
    expect([log.events.length, Number(log.events[0]?.seq)]).toEqual([1_000, 201]);
  });
});

describe("following a room", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  function refusal(reason: ErrorReason, code: Code, retryable: boolean): ConnectError {
    const value = create(ErrorInfoSchema, { reason, retryable });
    return new ConnectError("refused", code, undefined, [{ desc: ErrorInfoSchema, value }]);
  }

  it("goes on after the last position, and begins anew where that cannot be", async () => {
    const asked: (bigint | undefined)[] = [];
    const stopping = new AbortController();
    const position = (seq: number) => ({ epoch: "e", seq: BigInt(seq) });
    async function* answers({ after }: WatchRoomRequest) {
      asked.push(after?.seq);
      if (asked.length === 1) {
        yield { position: position(4) };
        yield { events: [message(5)], position: position(5) };
        throw refusal(ErrorReason.UNAVAILABLE, Code.Unavailable, true);
      }
      if (asked.length === 2) throw refusal(ErrorReason.TOO_OLD, Code.OutOfRange, false);
      yield { position: position(90) };
      stopping.abort();
    }
    const transport = createRouterTransport((router) => router.service(RoomService, { watchRoom: answers }));
    const api = { rooms: createClient(RoomService, transport), admin: createClient(AdminService, transport) };
    const heard: string[] = [];
    const done = watchRoom(
      api,
      "room",
      {
        onBegin: async ({ seq }) => void heard.push(`begin ${seq}`),
        onEvents: (events) => void heard.push(...events.map(({ seq }) => `event ${seq}`)),
        onState: ({ name }) => {
          if (heard.at(-1) !== name) heard.push(name);
        },
      },
      stopping.signal,
    );
    while (!stopping.signal.aborted) await vi.advanceTimersByTimeAsync(1_000);
    await done;
    expect(asked).toEqual([undefined, 5n, undefined]);
    expect(heard).toEqual(["connecting", "begin 4", "live", "event 5", "live", "waiting", "begin 90", "live"]);
  });

  it("ends where the room cannot be followed at all", async () => {
    const transport = createRouterTransport((router) =>
      router.service(RoomService, {
        // biome-ignore lint/correctness/useYield: it fails before it has anything to say
        async *watchRoom() {
          throw refusal(ErrorReason.ROOM_NOT_FOUND, Code.NotFound, false);
        },
      }),
    );
    const api = { rooms: createClient(RoomService, transport), admin: createClient(AdminService, transport) };
    const states: string[] = [];
    const onState = ({ name }: { name: string }) => void states.push(name);
    const listener = { onBegin: async () => undefined, onEvents: () => undefined, onState };
    await watchRoom(api, "gone", listener, new AbortController().signal);
    expect(states).toEqual(["connecting", "failed"]);
  });
});
