import { authorize } from "../services/auth.ts";
import type { Connection } from "./connection.ts";
import type { CommandContext } from "./context.ts";
import { encodeAck } from "./frame-encoders.ts";
import type { ModerateFrame } from "./moderation-frames.ts";

/** Every frame of moderators: decided and done by the control plane. Who may not at all is refused without asking it. */
export async function moderate(context: CommandContext, connection: Connection, frame: ModerateFrame): Promise<void> {
  const { room, act, id } = frame;
  authorize(connection.user, "moderate", { room, member: connection.rooms.has(room) });
  await context.link.ask({ case: "moderate", value: { clientId: connection.id, act } });
  if (id !== undefined) connection.send(encodeAck(room, id));
}
