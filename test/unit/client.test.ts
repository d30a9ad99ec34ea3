import { gzipSync } from "node:zlib";
import { build } from "vite";
import { describe, expect, expectTypeOf, it } from "vitest";
import type * as client from "../../client/src/index.ts";
import type * as frames from "../../gen/baccarat/v1/frames_pb.ts";

/** What a generated message's field looks like in the SDK: JSON, with times as text. */
type Wire<T> = T extends bigint ? number : T extends { readonly $typeName: "google.protobuf.Timestamp" } ? string : T;
/** A generated payload's fields, as the SDK names and types them. */
type Fields<T> = { readonly [K in keyof T as K extends `$${string}` ? never : K]: Wire<NonNullable<T[K]>> };
type Same<A, B> = { readonly [K in keyof A]-?: K extends keyof B ? NonNullable<B[K]> : never };

describe("the SDK", () => {
  it("names and types what it hands out as the protocol does", () => {
    type Generated = Omit<Fields<frames.NewMessagePayload>, "prevSeq">;
    expectTypeOf<Required<client.Message>>().toEqualTypeOf<Same<Generated, client.Message>>();
    type Deleted = Omit<Fields<frames.MessageDeletedPayload>, "prevSeq">;
    expectTypeOf<client.MessageDeleted>().toEqualTypeOf<Same<Deleted, client.MessageDeleted>>();
    type Updated = Fields<frames.RoomUpdatedPayload>;
    expectTypeOf<client.RoomSettings>().toEqualTypeOf<Same<Updated, client.RoomSettings>>();
  });

  it("is smaller than 12 kB, minified and gzipped", async () => {
    const built = await build({
      configFile: false,
      logLevel: "error",
      build: { lib: { entry: "client/src/index.ts", formats: ["es"] }, write: false, minify: true },
    });
    const [chunk] = (Array.isArray(built) ? built : [built]).flatMap((one) => ("output" in one ? one.output : []));
    if (chunk?.type !== "chunk") throw new Error("nothing was built");
    const bytes = gzipSync(chunk.code).length;
    process.stdout.write(`the SDK is ${bytes} bytes gzipped\n`);
    expect(bytes).toBeLessThan(12_000);
    expect(chunk.imports).toEqual([]);
  });
});
