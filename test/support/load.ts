import { RoomClient } from "../../client/src/index.ts";
import type { Room } from "../../client/src/room.ts";
import type { RoomClientError } from "../../client/src/types.ts";
import { eventually } from "./eventually.ts";
import { RpcClient } from "./rpc.ts";

/** What one client heard in one room. */
interface Transcript {
  readonly client: string;
  readonly room: string;
  /** Since the last reset. */
  readonly seqs: number[];
  resets: number;
}

interface Acked {
  readonly room: string;
  readonly text: string;
  readonly seq: number;
}

/** What went wrong, empty when nothing did. */
export interface Verdict {
  readonly stored: number;
  readonly acked: number;
  readonly lost: readonly string[];
  readonly duplicated: readonly string[];
  readonly disordered: readonly string[];
  readonly holes: readonly string[];
  readonly resets: number;
}

/**
 * Clients that talk all the time, and remember everything: what was acknowledged to them and what they heard. Afterwards
 * `verify` compares that with a full read of the rooms' logs.
 */
export class Load {
  readonly clients: RoomClient[] = [];
  readonly #rooms: readonly string[];
  readonly #transcripts: Transcript[] = [];
  readonly #acked: Acked[] = [];
  readonly #failures: RoomClientError[] = [];
  readonly #sending: Promise<void>[] = [];
  #stopped = false;
  /** When everything acknowledged was, by performance.now(), and how long it took, in milliseconds. */
  readonly latencies: { readonly at: number; readonly ms: number }[] = [];
  /** Longest time without any ack so far, in milliseconds. */
  worstGapMs = 0;
  #lastAckAt = performance.now();

  constructor(rooms: readonly string[]) {
    this.#rooms = rooms;
  }

  /** Acks so far. */
  get acks(): number {
    return this.#acked.length;
  }

  /** Refusals that were no retry's business. */
  get failures(): readonly RoomClientError[] {
    return this.#failures;
  }

  /** Connects `count` clients, each in one of the rooms, and lets each say one thing after the other. */
  async start(url: string, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      this.clients.push(new RoomClient(url, { username: `c${index}`, requestTimeoutMs: 4_000 }));
    }
    const joined = this.clients.map(async (client, index) => {
      const { room } = await client.join(this.#rooms[index % this.#rooms.length] ?? "");
      this.#listen(room, `c${index}`);
      return room;
    });
    const rooms = await Promise.all(joined);
    this.#lastAckAt = performance.now();
    for (const [index, room] of rooms.entries()) this.#sending.push(this.#talk(room, `c${index}`));
  }

  /** Waits for so many more acks. */
  async more(acks: number, what: string, withinMs: number): Promise<void> {
    const goal = this.acks + acks;
    await eventually(`${acks} more acks ${what}`, () => this.acks >= goal, {
      withinMs,
      state: () => ({ acks: this.acks, goal, states: this.clients.map((client) => client.state.name) }),
    });
  }

  /** Stops talking and waits until all that was said is settled. */
  async settle(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#sending);
  }

  /** Compares what every client knows with the logs, once everybody has heard the last event. */
  async verify(rpc: string): Promise<Verdict> {
    const logs = new Map<string, { seq: number; text: string }[]>();
    for (const room of this.#rooms) logs.set(room, await readAll(rpc, room));
    await eventually(
      "every client to hear the last event of its room",
      () => this.#transcripts.every((one) => one.seqs.at(-1) === logs.get(one.room)?.at(-1)?.seq),
      { withinMs: 20_000, state: () => this.#behind(logs) },
    );
    return this.#judge(logs);
  }

  close(): void {
    this.#stopped = true;
    for (const client of this.clients) client.close();
  }

  #listen(room: Room, client: string): void {
    const transcript: Transcript = { client, room: room.id, seqs: [], resets: 0 };
    this.#transcripts.push(transcript);
    room.on("event", (event) => transcript.seqs.push(event.seq));
    room.on("reset", ({ events }) => {
      transcript.resets++;
      transcript.seqs.splice(0, Number.POSITIVE_INFINITY, ...events.map((event) => event.seq));
    });
  }

  async #talk(room: Room, client: string): Promise<void> {
    for (let count = 0; !this.#stopped; count++) {
      const text = `${client} ${count}`;
      const from = performance.now();
      try {
        const { seq } = await room.send(text);
        const now = performance.now();
        this.latencies.push({ at: now, ms: now - from });
        this.worstGapMs = Math.max(this.worstGapMs, now - this.#lastAckAt);
        this.#lastAckAt = now;
        this.#acked.push({ room: room.id, text, seq });
      } catch (error) {
        this.#failures.push(error as RoomClientError);
        return;
      }
    }
  }

  #behind(logs: Map<string, { seq: number }[]>): unknown {
    return this.#transcripts
      .map((one) => ({
        client: one.client,
        room: one.room,
        last: one.seqs.at(-1),
        end: logs.get(one.room)?.at(-1)?.seq,
      }))
      .filter((one) => one.last !== one.end);
  }

  #judge(logs: Map<string, { seq: number; text: string }[]>): Verdict {
    const lost: string[] = [];
    const duplicated: string[] = [];
    const disordered: string[] = [];
    const holes: string[] = [];
    let stored = 0;
    for (const [room, events] of logs) {
      stored += events.length;
      const bySeq = new Map(events.map((event) => [event.seq, event.text]));
      const texts = events.map((event) => event.text);
      for (const text of new Set(texts.filter((one, index) => texts.indexOf(one) !== index)))
        duplicated.push(`${room} ${text}`);
      const mine = this.#acked.filter((one) => one.room === room);
      for (const { seq, text } of mine) if (bySeq.get(seq) !== text) lost.push(`${room} ${text} at ${seq}`);
      for (const client of new Set(mine.map((one) => one.text.split(" ")[0]))) {
        const said = texts.filter((text) => text.startsWith(`${client} `)).map((text) => Number(text.split(" ")[1]));
        if (said.some((count, index) => count !== index)) disordered.push(`${room} ${client}: ${said}`);
      }
      const seqs = events.map((event) => event.seq);
      for (const one of this.#transcripts.filter((candidate) => candidate.room === room)) {
        const expected = seqs.slice(seqs.indexOf(one.seqs[0] ?? -1));
        if (one.seqs.length > 0 && one.seqs.join() !== expected.join()) holes.push(`${one.client} in ${room}`);
      }
    }
    const resets = this.#transcripts.reduce((sum, one) => sum + one.resets, 0);
    return { stored, acked: this.#acked.length, lost, duplicated, disordered, holes, resets };
  }
}

async function readAll(rpc: string, room: string): Promise<{ seq: number; text: string }[]> {
  const events: { seq: number; text: string }[] = [];
  for (let pageToken = ""; ; ) {
    const page = await new RpcClient(rpc).call<{
      messages: { seq: string; message: string }[];
      next_page_token: string;
    }>("RoomService/ListMessages", { roomId: room, pageSize: 300, pageToken });
    // Pages go backward, each oldest first.
    events.unshift(...page.messages.map(({ seq, message }) => ({ seq: Number(seq), text: message })));
    if (page.next_page_token === "") return events;
    pageToken = page.next_page_token;
  }
}
