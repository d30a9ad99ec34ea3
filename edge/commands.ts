import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { Span } from "../services/tracing.ts";
import { history, remove, send, typing } from "./command-messages.ts";
import { moderate } from "./command-moderation.ts";
import { change, join, leave, members } from "./command-rooms.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { block, conversations, latestConversations } from "./direct-commands.ts";
import { encodePong } from "./frame-encoders.ts";
import type { LoginFrame, ParsedFrame, PingFrame } from "./frames.ts";
import type { ModerateFrame } from "./moderation-frames.ts";

/**
 * Carries out one type of frame and sends its reply; `span` is what that is traced as.
 * @throws RoomError, or rejects with it: the frame's answer then.
 */
type Command<F> = (
  context: CommandContext,
  connection: Connection,
  frame: F,
  span: Span | undefined,
) => void | Promise<void>;

/** The frames a type is of: one interface may stand for several types. */
type FrameOf<T> = Extract<ParsedFrame, { type: T }> | (T extends ModerateFrame["type"] ? ModerateFrame : never);

/** One function for each type of frame a client may send. */
const COMMANDS: { readonly [T in ParsedFrame["type"]]: Command<FrameOf<T>> } = {
  login,
  join_room: join,
  change_room: change,
  leave_room: leave,
  send_message: send,
  delete_message: remove,
  get_history: history,
  get_members: members,
  get_conversations: conversations,
  block_user: block,
  unblock_user: block,
  typing,
  kick_member: moderate,
  ban_member: moderate,
  unban_member: moderate,
  mute_member: moderate,
  unmute_member: moderate,
  update_room: moderate,
  ping,
};

/** Carries a frame out. @throws RoomError, or rejects with it: the frame's answer then. */
export function execute(
  context: CommandContext,
  connection: Connection,
  frame: ParsedFrame,
  span?: Span,
): void | Promise<void> {
  // The table pairs each type with its own frame, which a lookup by a union cannot express.
  const command = COMMANDS[frame.type] as Command<ParsedFrame>;
  return command(context, connection, frame, span);
}

/** login after the first frame: the same user once more, with a newer token. */
async function login(context: CommandContext, connection: Connection, frame: LoginFrame): Promise<void> {
  const identity = await context.authenticator.login(frame, connection.identity, false);
  context.relogin(connection, identity);
  const direct = await latestConversations(context, connection);
  if (connection.isOpen) context.welcome(connection, frame.id, direct);
}

function ping(_context: CommandContext, connection: Connection, frame: PingFrame): void {
  connection.send(encodePong(timestampNow(), frame.id));
}
