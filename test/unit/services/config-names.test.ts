import { describe, expect, it } from "vitest";
import { findStrangeNames } from "../../../services/config-names.ts";
import { BY_NAME } from "../../../services/config-table.ts";
import { PLAIN_ENVIRONMENT, SERVICE_LINKS } from "./plain-environments.ts";

const complaints = (env: Record<string, string>): string[] =>
  findStrangeNames(env).map(({ name, text }) => `${name}: ${text}`);

describe("findStrangeNames", () => {
  it("minds its own business", () => {
    expect(complaints(PLAIN_ENVIRONMENT)).toEqual([]);
    expect(complaints(SERVICE_LINKS)).toEqual([]);
  });

  it("knows every variable", () => {
    expect(complaints(Object.fromEntries([...BY_NAME.keys()].map((name) => [name, "x"])))).toEqual([]);
  });

  it.each([
    ["EDGE_PROT", "EDGE_PORT"],
    ["EDGEPORT", "EDGE_PORT"],
    ["EDGE_PORTS", "EDGE_PORT"],
    ["EDGE-PORT", "EDGE_PORT"],
    ["RCP_PORT", "RPC_PORT"],
    ["GRPC_PORT", "RPC_PORT"],
    ["NATS_URI", "NATS_URL"],
    ["NATS_URLS", "NATS_URL"],
    ["DATADIR", "DATA_DIR"],
    ["LOGLEVEL", "LOG_LEVEL"],
    ["ALLOWED_ORIGIN", "ALLOWED_ORIGINS"],
    ["RPC_TOKEN", "RPC_TOKENS"],
    ["JWT_SECRETS", "JWT_SECRET"],
    ["MAX_FRAME_BYTE", "MAX_FRAME_BYTES"],
    ["MESSAGE_PER_SECOND", "MESSAGES_PER_SECOND"],
    ["NODE_EVN", "NODE_ENV"],
  ])("%s was meant to be %s", (name, meant) => {
    expect(complaints({ [name]: "1" })).toEqual([`${name}: is not known; did you mean ${meant}?`]);
  });

  it("finds every single slip in every name", () => {
    for (const known of BY_NAME.keys()) {
      for (let index = 0; index < known.length; index++) {
        const slip = `${known.slice(0, index)}${known.slice(index + 1)}`;
        expect(complaints({ [slip]: "1" }), slip).toHaveLength(1);
      }
    }
  });

  it("refuses a prefix it never had", () => {
    expect(complaints({ BACCARAT_EDGE_PORT: "1" })[0]).toContain("did you mean EDGE_PORT?");
    expect(complaints({ BACCARAT_EDGE_PROT: "" })[0]).toContain("did you mean EDGE_PORT?");
    expect(complaints({ BACCARAT_COLOUR: "red" })[0]).toContain("--help lists");
    expect(complaints({ BACCARAT_SERVICE_HOST: "10.0.0.1" })[0]).toContain("enableServiceLinks: false");
  });
});
