import { jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Crowd, newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import { ProductProcess } from "../support/process.ts";
import { ROOMCTL, type RoomctlOptions, roomctl } from "../support/roomctl.ts";
import { RpcClient } from "../support/rpc.ts";
import { run } from "../support/run.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { NO_TRAFFIC_LIMITS, singleProcess } from "../support/topology.ts";

const SECRETS = { admin: "admin-secret-of-the-test", reader: "reader-secret-of-the-test" };
const TOKENS = `ops:admin:${SECRETS.admin},desk:read:${SECRETS.reader}`;
const topology = singleProcess({ ...NO_TRAFFIC_LIMITS, RPC_TOKENS: TOKENS });
beforeAll(() => topology.start());
afterAll(() => topology.stop());

/** What is read of `--json trace`. */
interface Traced {
  readonly store_time: string;
  readonly deliveries: readonly { readonly deliver_time: string }[];
  readonly event: { readonly sent: string };
}

const { invocation, ctl, says, json } = roomctl(() => ({ url: topology.rpcs[0] ?? "", token: SECRETS.admin }));
const rpc = () => new RpcClient(topology.rpcs[0] ?? "", SECRETS.admin);

describe("roomctl", { timeout: 120_000 }, () => {
  it("administers rooms", async () => {
    const room = newRoom("ctl");
    const settings = [
      "--title",
      "A room",
      "--capacity",
      "5",
      "--slow-mode",
      "0",
      "--metadata",
      "a=1",
      "--metadata",
      "b=2",
    ];
    const created = await json<object>(["rooms", "create", room, ...settings]);
    expect(created).toMatchObject({ room_id: room, title: "A room", capacity: 5, metadata: { a: "1", b: "2" } });
    expect(await ctl(["rooms", "create", room])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("already_exists"),
    });

    expect(await says(["rooms", "get", room])).toMatch(/title +A room\n/);
    const conflated = ["--overload-policy", "latest_only", "--conflation-interval", "250"];
    expect(await says(["rooms", "update", room, ...conflated])).toMatch(/overload +latest_only, every 250 ms\n/);
    // Only what is given changes, a value that is the default included.
    expect(await json(["rooms", "update", room, "--frozen", "true"])).toMatchObject({ frozen: true, capacity: 5 });
    expect(await json(["rooms", "update", room, "--frozen", "false", "--capacity", "0"])).toMatchObject({
      frozen: false,
      capacity: 0,
      title: "A room",
    });

    expect(await says(["rooms", "list", room])).toMatch(new RegExp(`^ROOM .*\n${room} +0 +- +latest_only +A room\n$`));
    expect(await json(["rooms", "list", room, "--limit", "1"])).toMatchObject([{ room_id: room }]);
    expect(await json(["rooms", "list", "no-such-prefix"])).toEqual([]);

    expect(await json(["rooms", "delete", room])).toEqual({ room_id: room });
    const gone = await ctl(["--json", "rooms", "get", room]);
    expect(gone).toMatchObject({ code: 1, stdout: "" });
    expect(JSON.parse(gone.stderr)).toMatchObject({ error: { code: "room_not_found" } });
  });

  it("deletes what a user wrote, once told so twice", async () => {
    await using crowd = new Crowd(topology);
    const room = newRoom("ctl");
    const eve = await crowd.join(room);
    for (const text of ["one", "two"]) await eve.say(room, text);
    expect(await ctl(["delete-user-messages", eve.uid])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching("--yes"),
    });
    expect(await json(["delete-user-messages", eve.uid, "--room", "other", "--yes"])).toEqual({ deleted: 0 });
    expect(await says(["delete-user-messages", eve.uid, "--yes"])).toBe(`2 messages of ${eve.uid} were deleted\n`);
    expect(await json(["history", room])).toEqual([]);
  });

  it("sends, publishes, reads, deletes and traces messages", async () => {
    await using crowd = new Crowd(topology);
    const room = newRoom("ctl");
    const ann = await crowd.join(room);
    const key = crypto.randomUUID();
    const sent = await json<{ message: { message_id: string; seq: string } }>(["send", room, "hello", "--key", key]);
    const { message_id, seq } = sent.message;
    await ann.next("new_message", (message) => message.message_id === message_id && message.message === "hello");
    expect(await says(["send", room, "hello", "--key", key])).toBe(`${message_id} (stored before)\n`);

    const shell = [...ROOMCTL, "send", room, "-"].map((word) => `'${word}'`).join(" ");
    await run({ ...invocation(["-c", `echo 'from stdin' | ${shell}`], {}), command: ["sh"] });
    await ann.next("new_message", (message) => message.message === "from stdin");
    await says(["send", ann.uid, "just you", "--direct"]);
    const direct = await ann.next("new_message", ({ to_uid, message }) => to_uid === ann.uid && message === "just you");
    expect(await says(["trace", direct.payload.message_id, "--room", direct.payload.room_id])).toMatch(
      /\nstored at +\S+Z \(\d+ ms\), seq(.*\n)*delivered +not known of direct conversations\n/,
    );
    await says(["send", room, "as percy", "--as", "percy"]);
    await ann.next("new_message", (message) => message.uid === "percy");
    await says(["publish", room, "table.result", '{"winner":"banker"}', "--snapshot-key", "result"]);
    const { snapshot } = await ann.request("join_room", { room_id: room });
    expect(snapshot).toMatchObject([{ payload: { data: { winner: "banker" } } }]);
    await eventually("the event", () => ann.frames.find((frame) => String(frame.type) === "table.result"));

    const [history, events, before, after, last] = await Promise.all([
      json<{ message: { message: string } }[]>(["history", room]),
      json<object[]>(["history", room, "--events"]),
      json<object[]>(["history", room, "--limit", "1", "--before", `${Number(seq) + 1}`]),
      json<object[]>(["history", room, "--limit", "1", "--after", seq]),
      says(["history", room, "--limit", "1"]),
    ]);
    expect(history.map((event) => event.message.message)).toEqual(["hello", "from stdin", "as percy"]);
    expect(events).toHaveLength(4);
    expect(before).toMatchObject([{ seq }]);
    expect(after).toMatchObject([{ message: { message: "from stdin" } }]);
    expect(last).toMatch(/^\d\d:\d\d:\d\d #\d+ percy: as percy\n$/);

    const edge = ann.welcome.edge_id;
    const traced = await json<Traced>(["trace", message_id]);
    expect(traced).toMatchObject({
      message_id,
      by: "service:ops",
      deliveries: [{ edge_id: edge, connections: 1 }],
      event: { room_id: room },
    });
    // One process, so one clock: accepted, then stored, then delivered.
    const times = [traced.event.sent, traced.store_time, traced.deliveries[0]?.deliver_time ?? ""].map((time) =>
      new Date(time).toISOString(),
    );
    expect(times.toSorted()).toEqual(times);
    expect(await says(["trace", message_id, "--room", room])).toMatch(
      new RegExp(
        [
          `room +${room}\n(.*\n)*accepted at +${times[0]}\nstored at +${times[1]} \\(\\d+ ms\\), seq ${seq} after .*\n(.*\n)*`,
          `delivered by ${edge} +${times[2]} \\(\\d+ ms\\), 1 connection now\n`,
        ].join(""),
      ),
    );
    await says(["delete-message", room, seq]);
    await ann.next("message_deleted", (deleted) => deleted.deleted_seq === Number(seq));
    for (const where of [[], ["--room", room]]) {
      expect(await ctl(["trace", message_id, ...where])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("deleted"),
      });
    }
    expect(await ctl(["trace", `elsewhere-${seq}`])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("epoch"),
    });
  });

  it("shows no control character that a user wrote", async () => {
    const room = newRoom("ctl");
    await rpc().call("RoomService/SendMessage", { room_id: room, message: "\u001b[2J\u202egnol" });
    const text = await says(["history", room]);
    expect(text).toContain("\\u001b[2J\\u202egnol");
    expect(text).not.toContain("\u001b");
  });

  it("follows a room across a reconnect, with nothing missing and nothing twice", async () => {
    const room = newRoom("ctl");
    const proxy = await TcpProxy.start(Number(new URL(topology.rpcs[0] ?? "").port));
    const say = (message: string) => rpc().call("RoomService/SendMessage", { room_id: room, message });
    await say("before");
    const url = `http://127.0.0.1:${proxy.port}`;
    const tail = new ProductProcess(invocation(["--json", "tail", room, "--history", "10", "--count", "4"], { url }));
    const heard = (): string[] => tail.logLines().map((line) => (line.message as { message: string }).message);
    await eventually("the history", () => heard().length === 1);
    await say("one");
    await eventually("a live message", () => heard().length === 2);
    proxy.reset();
    await say("while away");
    await eventually("what was missed", () => heard().length === 3);
    await say("after");
    expect(await tail.exit()).toEqual({ code: 0, signal: null });
    expect(heard()).toEqual(["before", "one", "while away", "after"]);
    await proxy.close();
  });

  it("follows rooms of a pattern from a position, ends at Ctrl-C, and minds a reader that leaves", async () => {
    const prefix = newRoom("ctl");
    const { epoch } = await json<{ epoch: string }>(["stats"]);
    const say = (room: string) =>
      rpc().call<{ message: { seq: string } }>("RoomService/SendMessage", { room_id: room, message: `in ${room}` });
    const first = await say(`${prefix}.a`);
    await say(`${prefix}.b`);
    const since = `${epoch}-${Number(first.message.seq) - 1}`;
    const coloured = { env: { FORCE_COLOR: "1" } };
    const text = await says(["tail", `${prefix}.*`, "--since", since, "--count", "2"], coloured);
    expect(text).toContain("\u001b[");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken away
    const plain = text.replace(/\u001b\[\d+m/g, "");
    expect(plain).toMatch(new RegExp(`${prefix}.a ops: in ${prefix}.a\n.*${prefix}.b ops: in ${prefix}.b\n`));

    const tail = new ProductProcess(invocation(["tail", `${prefix}.*`, "--since", since], {}));
    await eventually("both messages", () => tail.stdout.split("\n").length === 3);
    expect(tail.stdout).not.toContain("\u001b");
    tail.signal("SIGINT");
    expect(await tail.exit()).toEqual({ code: 0, signal: null });

    const words = [...ROOMCTL, "tail", `${prefix}.*`, "--since", since].map((word) => `'${word}'`).join(" ");
    const piped = new ProductProcess({
      ...invocation(["-c", `{ ${words}; echo "code $?" >&2; } | head -n 1`], {}),
      command: ["sh"],
    });
    // The pipe is broken when something more is written.
    await eventually("the first line", () => piped.stdout.includes("\n"));
    const more = setInterval(() => void say(`${prefix}.c`), 100);
    await piped.exit();
    clearInterval(more);
    expect(piped.stderr).toBe("code 0\n");
  });

  it("moderates", async () => {
    await using crowd = new Crowd(topology);
    const room = newRoom("ctl");
    const [ann, bob] = [await crowd.join(room), await crowd.join(room)];
    const members = await json<{ uid: string }[]>(["members", room]);
    expect(members.map(({ uid }) => uid)).toEqual([ann.uid, bob.uid].sort());
    expect(await says(["members", room])).toMatch(/^UID +NAME +JOINED\n/);
    expect(await says(["kick", room, bob.uid, "--reason", "be kind"])).toBe(`${bob.uid} is out of ${room}\n`);
    await bob.next("room_left");
    expect((await ctl(["kick", room, bob.uid])).code).toBe(1);

    expect(await json(["ban", room, bob.uid, "--for", "1h", "--reason", "spam"])).toMatchObject({
      uid: bob.uid,
      reason: "spam",
      by: "service:ops",
      expire_time: expect.any(String),
    });
    expect(await json(["bans", room])).toMatchObject([{ uid: bob.uid }]);
    expect(await bob.refused("join_room", { room_id: room })).toMatchObject({ code: "banned" });
    await says(["unban", room, bob.uid]);
    expect(await says(["bans", room])).toBe("");
    await bob.request("join_room", { room_id: room });

    expect(await says(["mute", room, bob.uid])).toContain("is muted");
    expect(await bob.refused("send_message", { room_id: room, message: "x" })).toMatchObject({ code: "muted" });
    await says(["unmute", room, bob.uid]);
    await bob.say(room, "thanks");
    expect(await json(["invite", room, "carol"])).toMatchObject({ uid: "carol" });
    await says(["uninvite", room, "carol"]);

    const audit = await json<{ action: string; actor: string }[]>(["audit", "--room", room]);
    expect(audit.map(({ action }) => action.replace("AUDIT_ACTION_", ""))).toEqual(
      ["UNINVITE", "INVITE", "UNMUTE", "MUTE", "UNBAN", "BAN", "KICK"].filter((action) =>
        audit.some((event) => event.action.endsWith(`_${action}`)),
      ),
    );
    expect(await says(["audit", "--user", bob.uid])).toMatch(/ban +service:ops/);
  });

  it("shows and ends connections, shows edges and numbers, and tells everybody", async () => {
    await using crowd = new Crowd(topology);
    const ann = await crowd.join(newRoom("ctl"));
    const clients = await json<{ client_id: string }[]>(["clients", "--user", ann.uid]);
    expect(clients).toMatchObject([{ client_id: ann.welcome.client_id, edge_id: ann.welcome.edge_id }]);
    expect(await says(["clients", "--user", ann.uid])).toContain(ann.welcome.client_id);
    expect(await says(["edges"])).toMatch(new RegExp(`\n${ann.welcome.edge_id} +\\d+ +serving`));
    expect(await json(["edges"])).toMatchObject([{ edge_id: ann.welcome.edge_id, draining: false }]);
    expect(await says(["stats"])).toMatch(/edges +1\nevents\/s +[\d.]+\n/);
    expect(await json(["notice", "back soon"])).toEqual({ message: "back soon" });
    await ann.next("notice", (notice) => notice.message === "back soon");
    expect((await ctl(["disconnect"])).code).toBe(2);
    expect(await json(["disconnect", "--user", ann.uid, "--reason", "out"])).toEqual({ disconnected: 1 });
    expect(await ann.closing()).toEqual({ code: 4503, reason: "out" });
    expect((await ctl(["revoke"])).code).toBe(2);
    expect(await json(["revoke", "--user", "percy"])).toMatchObject({ revoke_time: expect.any(String) });
  });

  it("signs tokens that the server would take, and shows no secret", async () => {
    const JWT_SECRET = "0123456789abcdef0123456789abcdef";
    const env = { JWT_SECRET, JWT_ISSUER: "https://issuer.example", JWT_AUDIENCE: "rooms" };
    const options = [
      "--name",
      "Percy",
      "--role",
      "moderator:table.*",
      "--room",
      "table.*",
      "--room",
      "lobby",
      "--expires",
      "5m",
    ];
    const token = (await says(["token", "percy", ...options], { env })).trim();
    const { payload } = await jwtVerify(token, Buffer.from(JWT_SECRET), { issuer: env.JWT_ISSUER, audience: "rooms" });
    expect(payload).toMatchObject({
      sub: "percy",
      name: "Percy",
      roles: ["moderator:table.*"],
      rooms: ["table.*", "lobby"],
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
    expect(await json(["token", "percy"], { env })).toMatchObject({ uid: "percy", expires_at: expect.any(String) });
    for (const [words, changed] of [
      [["token", "percy"], { JWT_SECRET: "" }],
      [["token", "percy"], { JWT_SECRET: "short-secret" }],
      [["token", "no uid"], env],
    ] as const) {
      const { code, stdout, stderr } = await ctl(words, { env: changed });
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).not.toContain(changed.JWT_SECRET || "nothing");
    }
  });

  it("measures", async () => {
    const edge = `${topology.edges[0]?.replace("http", "ws")}/ws`;
    const load = ["--edge", edge, "--clients", "5", "--messages", "200"];
    const result = await json(["bench", ...load]);
    expect(result).toMatchObject({ clients: 5, messages: 200, failed: 0, lost: 0, duplicated: 0 });
    const text = await says(["bench", ...load, "--rate", "1000"]);
    expect(text).toMatch(/^CLIENTS +MESSAGES/);
    expect(text).toMatch(/received after( +[\d.]+){4}\n/);
    const nobody = await ctl(["bench", "--edge", "http://127.0.0.1:1"]);
    expect(nobody).toMatchObject({ code: 2, stderr: expect.stringContaining("--edge") });
  });

  it("finds out what is wrong", async () => {
    const ops = topology.ops[0] ?? "";
    const edge = `${topology.edges[0]?.replace("http", "ws")}/ws`;
    const { ok, checks } = await json<{ ok: boolean; checks: { name: string; state: string }[] }>([
      "doctor",
      "--ops",
      ops,
      "--edge",
      edge,
    ]);
    expect(ok).toBe(true);
    expect(checks.map(({ name, state }) => `${name} ${state}`)).toEqual(
      ["configuration", "RPC", "readiness", "edge port", "clock", "edges"].map((name) => `${name} ok`),
    );
    expect(await says(["doctor", "--ops", ops, "--edge", edge])).toMatch(/^ok {3}configuration: /);

    const bad = await ctl(["doctor", "--ops", "http://127.0.0.1:1", "--edge", topology.rpcs[0] ?? ""], {
      env: { EDGE_HOTS: "x", NATS_URL: "" },
      url: "http://127.0.0.1:1",
    });
    expect(bad.code).toBe(1);
    expect(bad.stdout).toMatch(/FAIL configuration: EDGE_HOTS: .*EDGE_HOST/);
    expect(bad.stdout).toMatch(/FAIL RPC: .*ECONNREFUSED/);
    expect(bad.stdout).toMatch(/FAIL edge port: .*\/ws answers 404/);
    expect(bad.stdout).toMatch(/warn readiness: .*does not answer/);
    const noNats = await ctl(["doctor", "--ops", ops, "--edge", edge], { env: { NATS_URL: "nats://127.0.0.1:1" } });
    expect(noNats).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/FAIL NATS: 127\.0\.0\.1:1: .*ECONNREFUSED/),
    });
  });

  it("ends with the code that says why, and never shows the token", async () => {
    const cases: readonly (readonly [readonly string[], RoomctlOptions, number, string])[] = [
      [["stats"], { url: "http://127.0.0.1:1" }, 69, "doctor"],
      [["tail", "general"], { url: "http://127.0.0.1:1" }, 69, "doctor"],
      [["stats"], { token: "unknown-secret" }, 77, "ROOMCTL_TOKEN"],
      [["stats"], { token: "" }, 77, "ROOMCTL_TOKEN"],
      [["send", "general", "x"], { token: SECRETS.reader }, 77, "scope"],
      [["kick", "general", "percy"], { token: SECRETS.reader }, 77, "scope"],
      [["rooms", "get", "not a room"], {}, 2, "invalid_argument"],
      [["nothing"], {}, 2, "--help"],
      [["drain", "no-such-edge"], {}, 2, "invalid_argument"],
      [["history", "general", "--before", "1", "--after", "1"], {}, 2, "not both"],
    ];
    await Promise.all(
      cases.map(async ([args, options, code, hint]) => {
        const ran = await ctl(args, options);
        expect(ran, args.join(" ")).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(hint) });
        expect(ran.stderr).not.toMatch(/secret-of-the-test|unknown-secret/);
      }),
    );
    expect(await ctl(["stats"], { token: SECRETS.reader })).toMatchObject({ code: 0 });
    const given = await ctl(["--token", SECRETS.reader, "--url", topology.rpcs[0] ?? "", "stats"], {
      token: "",
      url: "http://127.0.0.1:1",
    });
    expect(given).toMatchObject({ code: 0, stderr: "" });
  });

  it("runs through npm", async () => {
    const ran = await run({
      ...invocation(["run", "--silent", "roomctl", "--", "--json", "stats"], {}),
      command: ["npm"],
    });
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ edges: 1 });
  });
});
