import { create } from "@bufbuild/protobuf";
import {
  type CatchUp as CatchUpCommand,
  DoneSchema,
  type ListConversations,
  type OpenConversation,
  type Reply,
  type SetBlock,
} from "../../gen/baccarat/v1/edge_service_pb.ts";
import { RoomError } from "../errors.ts";
import { parseUid, type Uid } from "../ids.ts";
import type { AttachSession } from "./attach-session.ts";
import type { Blocks } from "./blocks.ts";
import type { CatchUp } from "./catch-up.ts";
import type { ControlFold } from "./control-fold.ts";
import type { FoldedClient } from "./folded.ts";
import type { Recipients } from "./recipients.ts";

type Result = Reply["result"];

const DONE: Result = { case: "done", value: create(DoneSchema) };

/** What edges ask for about direct messages, on behalf of a client. All throw RoomError, which is answered. */
export class DirectCommands {
  readonly #fold: ControlFold;
  readonly #recipients: Recipients;
  readonly #catchUp: CatchUp;
  readonly #blocks: Blocks;

  constructor(options: { fold: ControlFold; recipients: Recipients; catchUp: CatchUp; blocks: Blocks }) {
    this.#fold = options.fold;
    this.#recipients = options.recipients;
    this.#catchUp = options.catchUp;
    this.#blocks = options.blocks;
  }

  async openConversation(session: AttachSession, { clientId, toUid }: OpenConversation): Promise<Result> {
    await this.#recipients.open(session.client(clientId).user.uid, parsedUid(toUid, "to_uid"));
    return DONE;
  }

  async catchUp(session: AttachSession, { clientId, since }: CatchUpCommand): Promise<Result> {
    const { user, isNew } = session.client(clientId);
    const predecessors = this.#predecessors(clientId);
    return { case: "caughtUp", value: await this.#catchUp.missed({ uid: user.uid, since, isNew, predecessors }) };
  }

  async listConversations(session: AttachSession, { clientId, ...asked }: ListConversations): Promise<Result> {
    const { uid } = session.client(clientId).user;
    return { case: "conversations", value: await this.#catchUp.list(uid, asked) };
  }

  async setBlock(session: AttachSession, { clientId, uid, blocked }: SetBlock): Promise<Result> {
    const { user } = session.client(clientId);
    const other = parsedUid(uid, "uid");
    await (blocked ? this.#blocks.block(user.uid, other) : this.#blocks.unblock(user.uid, other));
    return DONE;
  }

  /** Connections with the same session that were there before this one, which takes their place. */
  #predecessors(clientId: string): FoldedClient[] {
    const { connections } = this.#fold;
    const self = connections.clients.get(clientId);
    const sameSession = connections.ofSession(self?.value?.sessionHash ?? "");
    return [...sameSession].filter(({ since }) => since < (self?.since ?? 0));
  }
}

function parsedUid(value: string, field: string): Uid {
  const uid = parseUid(value);
  if (uid === undefined) throw new RoomError("invalid_argument", `${field} is malformed`, { metadata: { field } });
  return uid;
}
