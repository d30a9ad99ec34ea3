import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { NoticeRecordSchema } from "../../gen/baccarat/v1/control_pb.ts";
import { controlKeys } from "../control-keys.ts";
import { RoomError } from "../errors.ts";
import { characters, FIXED } from "../limits.ts";
import type { ControlWriter } from "./control-writer.ts";

/** An operator's words to every connection. */
export class Notices {
  readonly #writer: ControlWriter;
  readonly #now: () => number;

  constructor(options: { writer: ControlWriter; now: () => number }) {
    this.#writer = options.writer;
    this.#now = options.now;
  }

  /**
   * Has every attached edge push a notice.
   * @param message 1–4,000 characters.
   * @param before is called when everything was checked; nothing is written before it resolves.
   * @throws RoomError invalid_argument, unavailable.
   */
  async broadcast(message: string, before: () => Promise<void> = async () => undefined): Promise<void> {
    if (message === "" || characters(message) > FIXED.messageChars) {
      throw new RoomError("invalid_argument", `a notice has 1 to ${FIXED.messageChars} characters`);
    }
    await before();
    const record = create(NoticeRecordSchema, { message, sent: timestampFromMs(this.#now()) });
    await this.#writer.put(controlKeys.notice, NoticeRecordSchema, record);
  }
}
