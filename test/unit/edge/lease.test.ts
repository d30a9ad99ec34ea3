import { fromBinary } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { ControlStore } from "../../../broker/broker.ts";
import { Lease } from "../../../edge/lease.ts";
import { EdgeLeaseSchema } from "../../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../../../services/control-keys.ts";
import { RoomError } from "../../../services/errors.ts";
import { openTestBroker, quietLog } from "../services/room/replica.ts";

afterEach(() => {
  vi.useRealTimers();
});

function openLease(control: ControlStore, draining = false): Lease {
  const log = quietLog().child({}, { level: "silent" });
  const lease = new Lease({
    control,
    edgeId: "edge-1",
    incarnation: "inc-1",
    connections: () => 7,
    draining: () => draining,
    log,
  });
  onTestFinished(() => lease.close());
  return lease;
}

describe("a lease", () => {
  it("says who is alive", async () => {
    const { control } = await openTestBroker();
    await openLease(control).renew();
    const entry = await control.get(controlKeys.lease("inc-1"));
    expect(fromBinary(EdgeLeaseSchema, entry?.value ?? new Uint8Array())).toMatchObject({
      edgeId: "edge-1",
      incarnation: "inc-1",
      connections: 7,
      draining: false,
    });
  });

  it("says when its edge is draining", async () => {
    const { control } = await openTestBroker();
    await openLease(control, true).renew();
    const entry = await control.get(controlKeys.lease("inc-1"));
    expect(fromBinary(EdgeLeaseSchema, entry?.value ?? new Uint8Array()).draining).toBe(true);
  });

  it("is renewed every 3 s, one write at a time, whatever becomes of the writes", async () => {
    vi.useFakeTimers();
    const writes: PromiseWithResolvers<number>[] = [];
    const put = () => {
      const write = Promise.withResolvers<number>();
      writes.push(write);
      return write.promise;
    };
    const lease = openLease({ put } as unknown as ControlStore);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(writes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(writes).toHaveLength(1);
    writes[0]?.reject(new RoomError("unavailable", "gone"));
    await vi.advanceTimersByTimeAsync(3_000);
    expect(writes).toHaveLength(2);
    writes[1]?.resolve(1);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(writes).toHaveLength(3);
    lease.close();
    writes[2]?.resolve(2);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(writes).toHaveLength(3);
  });
});
