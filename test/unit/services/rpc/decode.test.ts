import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { RoomError } from "../../../../services/errors.ts";
import {
  jsonText,
  optional,
  parsedRoomId,
  parsedSeq,
  parsedUid,
  required,
} from "../../../../services/room/rpc/decode.ts";

/** The field a RoomError invalid_argument names. */
function refusedField(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof RoomError && error.reason === "invalid_argument") return error.metadata.field;
    throw error;
  }
  return undefined;
}

describe("ids", () => {
  it.each(["", "a b", "a/b", "a*", ">", "ä", "a".repeat(65), "a\r\n", "direct:b:a", "direct:a:a", "direct:a"])(
    "refuses the room %j",
    (value) => {
      expect(refusedField(() => parsedRoomId(value))).toBe("room_id");
    },
  );

  it.each(["general", "table.1:live@eu-1", "direct:a:b"])("takes the room %j", (value) => {
    expect(parsedRoomId(value)).toBe(value);
  });

  it.each(["", "a:b", "a b", "*", "a".repeat(65)])("refuses the user %j", (value) => {
    expect(refusedField(() => parsedUid(value, "to_uid"))).toBe("to_uid");
  });

  it("takes the empty string for nothing given", () => {
    expect(optional("", parsedUid)).toBeUndefined();
    expect(optional("percy", parsedUid)).toBe("percy");
    expect(refusedField(() => optional("*", parsedUid))).toBe("uid");
  });

  it("wants what is required", () => {
    expect(required(0, "seq")).toBe(0);
    expect(refusedField(() => required(undefined, "room"))).toBe("room");
  });
});

describe("positions", () => {
  it("end at 2^53 - 1", () => {
    expect(parsedSeq(2n ** 53n - 1n, "seq")).toBe(2n ** 53n - 1n);
    expect(refusedField(() => parsedSeq(2n ** 53n, "before_seq"))).toBe("before_seq");
    expect(refusedField(() => parsedSeq(2n ** 64n - 1n, "seq"))).toBe("seq");
  });
});

describe("event data", () => {
  it.each<[JsonValue]>([[null], [true], ["é\u2028\n"], [1.5], [[1, [2, {}]]], [{ b: 1, a: { c: [] } }]])(
    "is the JSON it was: %j",
    (value) => {
      expect(jsonText(fromJson(ValueSchema, value), "data")).toBe(JSON.stringify(value));
    },
  );

  it("is null when absent", () => {
    expect(jsonText(undefined, "data")).toBe("null");
  });

  it("cannot be what JSON cannot say", () => {
    const notANumber = create(ValueSchema, { kind: { case: "numberValue", value: Number.NaN } });
    expect(refusedField(() => jsonText(notANumber, "data"))).toBe("data");
    expect(refusedField(() => jsonText(create(ValueSchema), "data"))).toBe("data");
  });
});
