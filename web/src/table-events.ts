/** What a dealer's events say, read with suspicion: they are another service's JSON. */

/** A card, rank then suit: `AS` is the ace of spades, `TD` the ten of diamonds. */
export type Card = string;

/** The two hands. */
export type HandName = "player" | "banker";
/** How a round ends. */
export type Winner = HandName | "tie";

/** A hand and its points. */
export interface Hand {
  readonly cards: readonly Card[];
  readonly total: number;
}

/** Both of them. */
export type Hands = Readonly<Record<HandName, Hand>>;

/** Which round it is. */
export interface Place {
  readonly shoe: number;
  /** Of this shoe, from 1; 0 before the first. */
  readonly round: number;
  /** The shoe is changed after it. */
  readonly lastOfShoe: boolean;
}

/** How a round ended. */
export interface Result {
  readonly winner: Winner;
  readonly natural: boolean;
}

/** A round on the bead plate. */
export interface Bead {
  readonly winner: Winner;
  readonly playerPair: boolean;
  readonly bankerPair: boolean;
}

/** A win on the big road, and how many ties followed it. */
export interface RoadMark {
  readonly column: number;
  readonly row: number;
  readonly winner: HandName;
  readonly ties: number;
}

/** How a shoe was made ready. */
export interface NewShoe {
  readonly shoe: number;
  readonly decks: number;
  readonly burnCard: Card;
  readonly burned: number;
  /** Round of the shoe before that was never settled; 0 for none. */
  readonly voidRound: number;
}

/** What is left in the shoe. */
export interface Left {
  readonly cardsLeft: number;
  readonly cutCardOut: boolean;
}

/** Wins and ties of a shoe, as they are drawn. */
export interface Roads {
  readonly beads: readonly Bead[];
  readonly marks: readonly RoadMark[];
}

/** An event of a table. */
export type TableEvent =
  | { readonly kind: "shoe"; readonly ready: NewShoe; readonly left: Left }
  | {
      readonly kind: "state";
      readonly ready: NewShoe;
      readonly left: Left;
      readonly place: Place;
      readonly settled: { readonly result: Result; readonly hands: Hands } | undefined;
      readonly roads: Roads;
    }
  | { readonly kind: "opened"; readonly place: Place; readonly bettingMs: number }
  | { readonly kind: "closed"; readonly place: Place }
  | { readonly kind: "card"; readonly place: Place; readonly hands: Hands; readonly left: Left }
  | {
      readonly kind: "result";
      readonly place: Place;
      readonly left: Left;
      readonly hands: Hands;
      readonly result: Result;
    };

/** Rows of every road. */
export const ROWS = 6;
/** More rounds than any shoe has, and longer than any window: beyond, it is no table of ours. */
const MOST_ROUNDS = 500;
const LONGEST_MS = 3_600_000;
const CARD = /^[A2-9TJQK][SHDC]$/;
const BEAD = /^([PBT])(p?)(b?)$/;
const WINNERS = { P: "player", B: "banker", T: "tie" } as const;

/** Reads a service's event; undefined when it is none of a table, or is not what a table's should be. */
export function readTableEvent(type: string, data: unknown): TableEvent | undefined {
  const read = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (read === undefined) return undefined;
  try {
    return read(new Fields(data));
  } catch (error) {
    if (error instanceof NotATable) return undefined;
    throw error;
  }
}

const READERS: Readonly<Record<string, (fields: Fields) => TableEvent>> = {
  "table.shoe": (fields) => ({ kind: "shoe", ready: newShoe(fields), left: left(fields, false) }),
  "table.state": (fields) => {
    const settled = fields.object("result");
    const place = { shoe: fields.count("shoe"), round: fields.count("round"), lastOfShoe: false };
    return {
      kind: "state",
      ready: newShoe(fields),
      left: left(fields),
      place: { ...place, lastOfShoe: settled?.truth("last_of_shoe") ?? false },
      settled: settled && { result: result(settled), hands: hands(settled) },
      roads: roads(fields),
    };
  },
  "table.round_opened": (fields) => ({
    kind: "opened",
    place: place(fields),
    bettingMs: fields.count("betting_ms", LONGEST_MS),
  }),
  "table.round_closed": (fields) => ({ kind: "closed", place: place(fields) }),
  "table.card": (fields) => ({ kind: "card", place: place(fields), hands: hands(fields), left: left(fields) }),
  "table.result": (fields) => ({
    kind: "result",
    place: place(fields),
    left: left(fields),
    hands: hands(fields),
    result: result(fields),
  }),
};

function place(fields: Fields): Place {
  return { shoe: fields.count("shoe"), round: fields.count("round"), lastOfShoe: fields.truth("last_of_shoe") };
}

function newShoe(fields: Fields): NewShoe {
  return {
    shoe: fields.count("shoe"),
    decks: fields.count("decks"),
    burnCard: fields.card("burn_card"),
    burned: fields.count("burned"),
    voidRound: fields.count("void_round"),
  };
}

function left(fields: Fields, cutCardOut = fields.truth("cut_card_out")): Left {
  return { cardsLeft: fields.count("cards_left"), cutCardOut };
}

function hands(fields: Fields): Hands {
  const hand = (name: HandName): Hand => {
    const view = fields.object(name) ?? refuse();
    return { cards: view.list("cards", 3).map(asCard), total: view.count("total", 9) };
  };
  return { player: hand("player"), banker: hand("banker") };
}

function result(fields: Fields): Result {
  const winner = fields.value("winner");
  if (winner !== "player" && winner !== "banker" && winner !== "tie") return refuse();
  return { winner, natural: fields.truth("natural") };
}

function roads(fields: Fields): Roads {
  const road = fields.object("big_road") ?? refuse();
  return { beads: fields.list("bead_plate", MOST_ROUNDS).map(bead), marks: road.list("marks", MOST_ROUNDS).map(mark) };
}

function bead(value: unknown): Bead {
  const [, winner, playerPair, bankerPair] = BEAD.exec(String(value)) ?? refuse();
  return { winner: WINNERS[winner as "P" | "B" | "T"], playerPair: playerPair !== "", bankerPair: bankerPair !== "" };
}

function mark(value: unknown): RoadMark {
  const fields = new Fields(value);
  const winner = fields.value("winner");
  if (winner !== "player" && winner !== "banker") return refuse();
  const at = { column: fields.count("column", MOST_ROUNDS), row: fields.count("row", ROWS - 1) };
  return { ...at, winner, ties: fields.count("ties") };
}

function asCard(value: unknown): Card {
  return typeof value === "string" && CARD.test(value) ? value : refuse();
}

/** Thrown while reading, and never out of this file. */
class NotATable extends Error {}

function refuse(): never {
  throw new NotATable();
}

/** A JSON object, field by field. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) refuse();
    this.#values = value as Readonly<Record<string, unknown>>;
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  /** A whole number from 0 on. */
  count(name: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.value(name);
    return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most ? value : refuse();
  }

  truth(name: string): boolean {
    const value = this.value(name);
    return typeof value === "boolean" ? value : refuse();
  }

  card(name: string): Card {
    return asCard(this.value(name));
  }

  list(name: string, most: number): readonly unknown[] {
    const value = this.value(name);
    return Array.isArray(value) && value.length <= most ? value : refuse();
  }

  /** Undefined for null. */
  object(name: string): Fields | undefined {
    const value = this.value(name);
    return value === null ? undefined : new Fields(value);
  }
}
