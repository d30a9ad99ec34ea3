import { type Event, EventSchema } from "../gen/baccarat/v1/event_pb.ts";
import { plain, type Session } from "./session.ts";
import { clock, printable } from "./text.ts";

/** Colours of names, so that a reader can tell speakers apart. */
const NAME_COLOURS = ["cyan", "green", "magenta", "yellow", "blue"] as const;

/** Prints stored events: one line of JSON each with --json, else one line each for people. */
export function printEvent(session: Session, event: Event, withRoom: boolean): void {
  session.print(
    session.json ? "" : describeEvent(session, event, withRoom),
    session.json ? plain(EventSchema, event) : null,
  );
}

/** An event in one line. */
export function describeEvent(session: Session, { roomId, seq, sent, body }: Event, withRoom: boolean): string {
  const head = [session.style("dim", clock(sent)), session.style("dim", `#${seq}`)];
  if (withRoom) head.push(session.style("bold", printable(roomId)));
  return [...head, describeBody(session, body)].join(" ");
}

function describeBody(session: Session, body: Event["body"]): string {
  switch (body.case) {
    case "message": {
      const { uid, username, from, message, imageUrl } = body.value;
      const name = session.style(colourOf(uid), printable(from || username || uid));
      const image = imageUrl === "" ? "" : session.style("dim", ` [${printable(imageUrl)}]`);
      return `${name}: ${printable(message)}${image}`;
    }
    case "deletion":
      return session.style("red", `#${body.value.deletedSeq} was deleted by ${printable(body.value.byUid)}`);
    case "customEvent":
      return `${session.style("yellow", printable(body.value.type))} ${printable(body.value.dataJson)}`;
    default:
      return session.style("dim", "an event of a kind that this roomctl does not know");
  }
}

function colourOf(uid: string): (typeof NAME_COLOURS)[number] {
  let sum = 0;
  for (const character of uid) sum += character.codePointAt(0) ?? 0;
  return NAME_COLOURS[sum % NAME_COLOURS.length] ?? "cyan";
}
