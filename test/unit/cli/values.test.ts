import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { collect, httpUrl, integer, json, pairs, position, seconds, truth } from "../../../cli/values.ts";

const refuses = (read: (text: string) => unknown, texts: readonly string[]): void => {
  for (const text of texts) expect(() => read(text), JSON.stringify(text)).toThrow(InvalidArgumentError);
};

describe("what is typed", () => {
  it("is a whole number within bounds", () => {
    expect(integer(1, 10)("10")).toBe(10);
    refuses(integer(1, 10), ["0", "11", "-1", "1.5", "1e1", "", " 1", "abc"]);
  });

  it("is a time with a unit", () => {
    expect([seconds("45s"), seconds("30m"), seconds("12h"), seconds("7d")]).toEqual([45, 1_800, 43_200, 604_800]);
    refuses(seconds, ["0s", "5", "5w", "-5s", "", "1.5h"]);
  });

  it("is a URL", () => {
    expect(httpUrl("http://127.0.0.1:8080/")).toBe("http://127.0.0.1:8080");
    expect(httpUrl("https://rooms.example/rpc")).toBe("https://rooms.example/rpc");
    refuses(httpUrl, ["127.0.0.1:8080", "ftp://x", "", "localhost"]);
  });

  it("is a message id", () => {
    expect(position("427084052e32be37-4711")).toEqual({ epoch: "427084052e32be37", seq: 4711n });
    expect(position("a-b-1")).toEqual({ epoch: "a-b", seq: 1n });
    refuses(position, ["4711", "-1", "epoch-", "epoch-x", ""]);
  });

  it("is one of several", () => {
    expect(collect("b", collect("a"))).toEqual(["a", "b"]);
    expect(pairs("b=2=3", pairs("a="))).toEqual({ a: "", b: "2=3" });
    refuses(pairs, ["a", "=1", ""]);
  });

  it("is true, false or JSON", () => {
    expect([truth("true"), truth("false")]).toEqual([true, false]);
    refuses(truth, ["yes", "1", ""]);
    expect(json('{"a":[1]}')).toEqual({ a: [1] });
    refuses(json, ["{", "", "undefined"]);
  });
});
