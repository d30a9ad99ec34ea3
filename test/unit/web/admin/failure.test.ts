import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { describe, expect, it } from "vitest";
import { AdminService } from "../../../../gen/baccarat/v1/admin_service_pb.ts";
import { describeFailure, type Failure } from "../../../../web/src/admin/failure.ts";
import { startRpc, TOKENS } from "../../services/rpc/rpc-fixture.ts";

describe("what an operator is told of a failure", () => {
  async function failure(baseUrl: string, token?: string, timeoutMs?: number): Promise<Failure> {
    const client = createClient(AdminService, createConnectTransport({ baseUrl }));
    const headers = new Headers(token === undefined ? {} : { Authorization: `Bearer ${token}` });
    try {
      await client.broadcastNotice({ message: "x" }, { headers, ...(timeoutMs !== undefined && { timeoutMs }) });
    } catch (error) {
      return describeFailure(error);
    }
    throw new Error("it did not fail");
  }

  it("is the server's reason and words", async () => {
    await using rpc = await startRpc(
      (router) =>
        router.service(AdminService, {
          broadcastNotice: () => {
            throw new Error("a bug with a secret in it");
          },
        }),
      { tokens: TOKENS },
    );
    expect(await failure(rpc.url, "unknown")).toMatchObject({ reason: "unauthenticated", message: "Unknown token." });
    expect(await failure(rpc.url, TOKENS[0]?.secret)).toEqual({
      message: "The token lacks scope admin.",
      reason: "permission_denied",
      scope: "admin",
      correlationId: undefined,
      retryable: false,
    });
    const unexpected = await failure(rpc.url, TOKENS[2]?.secret);
    expect(unexpected).toMatchObject({ reason: "internal", scope: undefined, retryable: false });
    expect(rpc.logged.join("")).toContain(unexpected.correlationId ?? "no correlation id");
  });

  it("is that nobody answers", async () => {
    const rpc = await startRpc((router) => router.service(AdminService, {}));
    await rpc[Symbol.asyncDispose]();
    expect(await failure(rpc.url)).toMatchObject({ reason: "unreachable", retryable: true });
  });

  it("is that the answer takes too long", async () => {
    await using rpc = await startRpc((router) =>
      router.service(AdminService, { broadcastNotice: () => new Promise(() => undefined) }),
    );
    expect((await failure(rpc.url, undefined, 20)).retryable).toBe(true);
  });
});
