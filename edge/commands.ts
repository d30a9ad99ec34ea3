import { timestampNow } from "@bufbuild/protobuf/wkt";
import { history, remove, send, typing } from "./command-messages.ts";
import { change, join, leave, members } from "./command-rooms.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { encodePong } from "./frame-encoders.ts";
import type { LoginFrame, ParsedFrame, PingFrame } from "./frames.ts";

/**
 * Carries out one type of frame and sends its reply.
 * @throws RoomError, or rejects with it: the frame's answer then.
 */
type Command<F> = (context: CommandContext, connection: Connection, frame: F) => void | Promise<void>;

/** One function for each type of frame a client may send. */
const COMMANDS: { readonly [T in ParsedFrame["type"]]: Command<Extract<ParsedFrame, { type: T }>> } = {
  login,
  join_room: join,
  change_room: change,
  leave_room: leave,
  send_message: send,
  delete_message: remove,
  get_history: history,
  get_members: members,
  typing,
  ping,
};

/** Carries a frame out. @throws RoomError, or rejects with it: the frame's answer then. */
export function execute(context: CommandContext, connection: Connection, frame: ParsedFrame): void | Promise<void> {
  // The table pairs each type with its own frame, which a lookup by a union cannot express.
  const command = COMMANDS[frame.type] as Command<ParsedFrame>;
  return command(context, connection, frame);
}

/** login after the first frame: the same user once more, with a newer token. */
async function login(context: CommandContext, connection: Connection, frame: LoginFrame): Promise<void> {
  const identity = await context.authenticator.login(frame, connection.identity, false);
  connection.relogin(identity);
  context.welcome(connection, identity, frame.id);
}

function ping(_context: CommandContext, connection: Connection, frame: PingFrame): void {
  connection.send(encodePong(timestampNow(), frame.id));
}
