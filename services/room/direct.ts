import type { Broker } from "../../broker/broker.ts";
import type { Limits } from "../limits.ts";
import type { Audit } from "./audit.ts";
import { Blocks } from "./blocks.ts";
import { CatchUp } from "./catch-up.ts";
import type { ControlFold } from "./control-fold.ts";
import type { ControlWriter } from "./control-writer.ts";
import { Conversations } from "./conversations.ts";
import { Cursors } from "./cursors.ts";
import { DirectCommands } from "./direct-commands.ts";
import { Recipients } from "./recipients.ts";
import type { Users } from "./users.ts";
import type { SharedTail } from "./watch-tail.ts";

/** The part of a replica that is about direct messages. */
export interface Direct {
  readonly conversations: Conversations;
  readonly recipients: Recipients;
  readonly blocks: Blocks;
  readonly commands: DirectCommands;
}

/** Puts the part together; `conversations` is to be closed. */
export function createDirect(options: {
  broker: Broker;
  fold: ControlFold;
  writer: ControlWriter;
  users: Users;
  tail: SharedTail;
  limits: Limits;
  audit: Audit;
  now: () => number;
}): Direct {
  const { broker, fold, writer, users, tail, limits, audit, now } = options;
  const { control, epoch } = broker;
  const { newConversationsPerMinute } = limits;
  const conversations = new Conversations({ broker, tail });
  const blocks = new Blocks({ control, fold, writer, users, audit, now });
  const recipients = new Recipients({ broker, users, blocks, conversations, newConversationsPerMinute });
  const catchUp = new CatchUp({ broker, conversations, cursors: new Cursors({ control, fold, epoch }), users });
  const commands = new DirectCommands({ fold, recipients, catchUp, blocks });
  return { conversations, recipients, blocks, commands };
}
