import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type Outcome, RoomLink, type Update } from "../../../edge/room-link.ts";
import { type Registration, Roster } from "../../../edge/roster.ts";
import { ErrorReason } from "../../../gen/baccarat/v1/errors_pb.ts";
import { eventually } from "../../support/eventually.ts";
import { quietLog } from "../services/room/replica.ts";
import { ScriptedService } from "./scripted-service.ts";
import { room } from "./stored.ts";

interface Bench {
  readonly link: RoomLink;
  readonly roster: Roster<Registration>;
  readonly updates: Update[];
  readonly changes: boolean[];
}

function openLink(...services: ScriptedService[]): Bench {
  return prepareLink(() => undefined, ...services);
}

/** `prepare` fills the roster before the link is started. */
function prepareLink(prepare: (roster: Roster<Registration>) => void, ...services: ScriptedService[]): Bench {
  const updates: Update[] = [];
  const changes: boolean[] = [];
  const roster = new Roster<Registration>({ describe: (who) => who, tell: (command) => link.tell(command) });
  const link = new RoomLink({
    transports: services.map(({ transport }) => transport),
    hello: () => ({ edgeId: "edge-1", incarnation: "inc-1" }),
    state: () => roster.commands(),
    directSeq: () => 7,
    onUpdate: (update) => updates.push(update),
    onChange: (attached) => changes.push(attached),
    log: quietLog().child({}, { level: "silent" }),
  });
  onTestFinished(async () => {
    await link.close();
    roster.close();
  });
  prepare(roster);
  link.start();
  return { link, roster, updates, changes };
}

const member = (clientId: string) => ({ client: { clientId, uid: clientId } });
const join = (clientId: string) => ({ case: "join", value: { clientId, roomId: "r" } }) as const;

describe("a link to the control plane", () => {
  it("says who it is and what it holds, and then that this is all", async () => {
    const service = new ScriptedService();
    const prepare = (roster: Roster<Registration>) => {
      roster.connected("c1", member("c1"));
      roster.joined("c1", room("r"));
    };
    const { link, changes } = prepareLink(prepare, service);
    const stream = await service.stream(0);
    await eventually("the link to be up", () => link.attached);
    expect(stream.hello).toMatchObject({ edgeId: "edge-1", incarnation: "inc-1" });
    expect(stream.kinds()).toEqual(["connect", "hold", "syncEnd"]);
    expect(changes).toEqual([true]);
  });

  it("says what happens in one turn in one request, and hands answers and updates out in their order", async () => {
    const service = new ScriptedService();
    const { link, updates } = openLink(service);
    const stream = await service.stream(0);
    const order: string[] = [];
    const note = (name: string) => (outcome: Outcome) =>
      order.push(`${name} after ${updates.length} updates: ${outcome.ok}`);
    link.request(join("c1"), note("first"));
    link.request(join("c2"), note("second"));
    link.tell({ case: "leave", value: { clientId: "c3", roomId: "r", reason: "left" } });
    await stream.command("leave");
    expect(stream.requests.at(-1)?.commands.map(({ command }) => command.case)).toEqual(["join", "join", "leave"]);
    const [first, second] = stream.commands.filter(({ command }) => command.case === "join");
    stream.send(
      { case: "reply", value: { requestId: second?.requestId ?? 0, result: { case: "joined", value: { count: 1 } } } },
      { case: "memberEntered", value: { roomId: "r", count: 2 } },
      { case: "reply", value: { requestId: first?.requestId ?? 0, result: { case: "done", value: {} } } },
    );
    await eventually("the answers", () => order.length === 2);
    expect(order).toEqual(["second after 1 updates: true", "first after 2 updates: true"]);
  });

  it("hands a refusal out as the error it is", async () => {
    const service = new ScriptedService();
    const { link } = openLink(service);
    const stream = await service.stream(0);
    const asked = link.ask(join("c1"));
    await stream.reply("join", {
      case: "failure",
      value: { reason: ErrorReason.BANNED, message: "no", retryAfterMs: 5 },
    });
    await expect(asked).rejects.toMatchObject({ reason: "banned", message: "no", retryAfterMs: 5 });
  });

  it("attaches to the next service when one fails, and asks again there what was not answered", async () => {
    const [first, second] = [new ScriptedService(), new ScriptedService()];
    const { link, roster, changes } = openLink(first, second);
    const before = await first.stream(0);
    roster.connected("c1", member("c1"));
    const asked = link.ask(join("c1"));
    await before.command("join");
    before.end();
    const after = await second.stream(0);
    await after.reply("join", { case: "joined", value: { count: 7 } });
    await expect(asked).resolves.toMatchObject({ case: "joined", value: { count: 7 } });
    expect(after.kinds()).toEqual(["connect", "syncEnd", "join"]);
    expect(changes).toEqual([true, false, true]);
  });

  it("keeps a request until it is attached", async () => {
    const service = new ScriptedService();
    service.down = true;
    const { link } = openLink(service);
    const asked = link.ask(join("c1"));
    service.down = false;
    await (await service.stream(0)).reply("join", { case: "joined", value: {} });
    await expect(asked).resolves.toMatchObject({ case: "joined" });
  });

  it("fails what is not answered in time, and gives a stream up on which nothing is heard", {
    timeout: 15_000,
  }, async () => {
    const [first, second] = [new ScriptedService(), new ScriptedService()];
    const { link } = openLink(first, second);
    await first.stream(0);
    const startedAt = performance.now();
    await expect(link.ask(join("c1"))).rejects.toMatchObject({ reason: "unavailable" });
    expect(performance.now() - startedAt).toBeLessThan(5_500);
    await second.stream(0);
  });

  it("lets nobody wait for a control plane that has been away for long", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const service = new ScriptedService();
    service.down = true;
    const { link } = openLink(service);
    const waiting = link.ask(join("c1"));
    vi.advanceTimersByTime(4_000);
    const alsoWaiting = link.ask(join("c2"));
    vi.advanceTimersByTime(2_000);
    await expect(link.ask(join("c3"))).rejects.toMatchObject({ reason: "unavailable" });
    await expect(waiting).rejects.toMatchObject({ reason: "unavailable" });
    service.down = false;
    await (await service.stream(0)).reply("join", { case: "joined", value: {} });
    await expect(alsoWaiting).resolves.toMatchObject({ case: "joined" });
    vi.useRealTimers();
  });

  it("says again what it holds when it is told to attach anew", async () => {
    const service = new ScriptedService();
    const { link, roster } = openLink(service);
    await service.stream(0);
    roster.connected("c1", member("c1"));
    roster.joined("c1", room("r"));
    roster.left("c1", room("r"), "left");
    roster.connected("c2", member("c2"));
    roster.disconnected("c2", "left", 0);
    link.reattach();
    expect((await service.stream(1)).kinds()).toEqual(["connect", "syncEnd"]);
  });

  it("splits what is too much for one request", async () => {
    const service = new ScriptedService();
    const { roster } = openLink(service);
    for (let n = 0; n < 2_000; n++) roster.connected(`c${n}`, { ...member(`c${n}`), rooms: ["x".repeat(200)] });
    const stream = await service.stream(0);
    await stream.command("syncEnd");
    expect(stream.commands).toHaveLength(2_001);
    expect(stream.requests.length).toBeGreaterThan(5);
  });

  it("fails everything when it is closed", async () => {
    const service = new ScriptedService();
    const { link } = openLink(service);
    await service.stream(0);
    const asked = link.ask(join("c1"));
    const failed = expect(asked).rejects.toMatchObject({ reason: "unavailable" });
    await link.close();
    await failed;
    await expect(link.ask(join("c1"))).rejects.toMatchObject({ reason: "unavailable" });
  });
});
