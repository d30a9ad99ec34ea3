import { argv, stdout } from "node:process";
import { EmbeddedStorage } from "./embedded-storage.ts";
import { message, room } from "./events.ts";

/**
 * Runs as a process of its own and is killed: publishes without end, and writes a line for every acknowledgement, at once:
 * `event <seq> <text>` or `control <revision> <key>`. Arguments: directory, prefix of all texts and keys.
 */
const [, , dataDir = "", prefix = ""] = argv;
const PUBLISHERS = 40;

const broker = await EmbeddedStorage.at(dataDir).open();
stdout.write("open\n");
await Promise.all(Array.from({ length: PUBLISHERS }, (_, index) => publishForEver(index)));

async function publishForEver(index: number): Promise<never> {
  const id = room(`room-${index % 7}`);
  for (let count = 0; ; count++) {
    const text = `${prefix}-${index}-${count}`;
    if (index === 0) stdout.write(`control ${await broker.control.put(text, new Uint8Array([1]))} ${text}\n`);
    const { seq } = await broker.publish(id, message(id, text), { dedupeId: text });
    stdout.write(`event ${seq} ${text}\n`);
  }
}
