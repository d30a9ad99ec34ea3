import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashOf, parseRoute, type Route } from "../../../../web/src/admin/routes.ts";

const id = fc.string({ minLength: 1, maxLength: 40 });
const text = fc.string({ maxLength: 40 });
const routes: fc.Arbitrary<Route> = fc.oneof(
  fc.record({ view: fc.constant("overview" as const) }),
  fc.record({ view: fc.constant("edges" as const) }),
  fc.record({ view: fc.constant("rooms" as const), prefix: text }),
  fc.record({ view: fc.constant("room" as const), room: id }),
  fc.record({ view: fc.constant("clients" as const), by: fc.constantFrom("uid", "room", "edge"), value: id }),
  fc.record({ view: fc.constant("audit" as const), room: text, uid: text, actor: text }),
);

describe("addresses of the console", () => {
  it("lead back to what they were made of", () => {
    fc.assert(
      fc.property(routes, (route) => {
        expect(parseRoute(hashOf(route))).toEqual(route);
      }),
    );
  });

  it.each(["", "#", "#/", "#/nothing", "#nothing/else?x=y"])("%j is the overview", (hash) => {
    expect(parseRoute(hash)).toEqual({ view: "overview" });
  });

  it("that are broken are those of a list", () => {
    expect(parseRoute("#/rooms/%E0%A4%A")).toEqual({ view: "rooms", prefix: "" });
  });
});
