import { type Bead, type BigRoad, beadPlate, bigRoad, type Outcome } from "./roads.ts";
import {
  type Cards,
  type Hand,
  NO_CARDS,
  nextHand,
  type Result,
  resultOf,
  totalOf,
  type Winner,
  withCard,
} from "./rules.ts";
import { type Card, DECKS, type Random, Shoe } from "./shoe.ts";

/** A hand as clients see it. */
export interface HandView {
  readonly cards: readonly Card[];
  readonly total: number;
}

/** Which round it is: every event of a round says so. */
export interface RoundPlace {
  readonly shoe: number;
  /** Of this shoe, from 1. */
  readonly round: number;
  /** The round after which the shoe is changed. */
  readonly last_of_shoe: boolean;
}

/** What is published, by its frame type. Names are those of the JSON. */
export interface TableEvents {
  /** A new shoe; everything of the old one, roads included, is over. */
  readonly "table.shoe": ShoeView;
  /** Guesses are taken until `closes_at`, RFC 3339 by the dealer's clock. */
  readonly "table.round_opened": RoundPlace & { readonly betting_ms: number; readonly closes_at: string };
  /** No more guesses; cards follow. */
  readonly "table.round_closed": RoundPlace;
  /** A card was dealt. */
  readonly "table.card": RoundPlace & {
    readonly hand: Hand;
    /** 0, 1, or 2 for the third card. */
    readonly index: number;
    readonly card: Card;
    readonly cards_left: number;
    /** True once the cut card has come out. */
    readonly cut_card_out: boolean;
    /** Both hands with it, so that this event is all a latecomer needs of the round. */
    readonly player: HandView;
    readonly banker: HandView;
  };
  /** Who won. */
  readonly "table.result": RoundResult;
  /** Everything there is to know between two rounds. */
  readonly "table.state": TableState;
}

/** What is left of the shoe. */
export interface ShoeLeft {
  readonly cards_left: number;
  /** True once the cut card has come out. */
  readonly cut_card_out: boolean;
}

/** How a round ended. */
export interface RoundResult extends RoundPlace, ShoeLeft {
  readonly winner: Winner;
  readonly natural: boolean;
  readonly player_pair: boolean;
  readonly banker_pair: boolean;
  readonly player: HandView;
  readonly banker: HandView;
}

/** How a shoe was made ready. */
export interface ShoeView {
  readonly shoe: number;
  readonly decks: number;
  readonly burn_card: Card;
  readonly burned: number;
  readonly cards_left: number;
  /** Round of the old shoe that was never settled, because the dealer was away; 0 for none. */
  readonly void_round: number;
}

/** An event, of any type unless one is named. */
export type TableEvent<Type extends keyof TableEvents = keyof TableEvents> = {
  readonly [T in Type]: { readonly type: T; readonly data: TableEvents[T] };
}[Type];

/** A table between two rounds; `cards_left` is as of then. */
export interface TableState extends ShoeView, ShoeLeft {
  /** Rounds played of this shoe. */
  readonly round: number;
  /** Of the round before; null in a new shoe. */
  readonly result: RoundResult | null;
  /** Rounds of this shoe, by how they ended. */
  readonly counts: Readonly<Record<Winner, number>>;
  readonly bead_plate: readonly Bead[];
  readonly big_road: BigRoad;
}

/** The last round of an earlier run. */
export interface EarlierRound {
  readonly shoe: number;
  readonly round: number;
  readonly settled: boolean;
}

/** A shoe being dealt from, and what was told of it. */
interface OpenShoe {
  readonly cards: Shoe;
  readonly view: Omit<ShoeView, "cards_left">;
}

type Phase = "shuffling" | "betting" | "dealing" | "settled";

/**
 * A table: what may happen next and what is then to be told. It knows neither time nor network; whoever runs it calls
 * changeShoe, then openRound, closeRound, dealCard until it gives nothing, settle, and so on until the shoe is finished.
 */
export class Table {
  readonly #random: Random;
  #shoe: OpenShoe | undefined;
  #shoeNumber: number;
  #voidRound: number;
  #round = 0;
  #lastOfShoe = false;
  #phase: Phase = "shuffling";
  #cards: Cards = NO_CARDS;
  #result: RoundResult | null = null;
  #outcomes: Outcome[] = [];

  /** @param options.last where an earlier run ended: shoes are counted on from it, and its unsettled round is void. */
  constructor(options: { random: Random; last?: EarlierRound | undefined }) {
    const { random, last } = options;
    this.#random = random;
    this.#shoeNumber = last?.shoe ?? 0;
    this.#voidRound = last === undefined || last.settled ? 0 : last.round;
  }

  /** True when the next round needs a new shoe. */
  get needsShoe(): boolean {
    return this.#shoe === undefined || this.#shoe.cards.finished;
  }

  /** Shuffles and burns. @param shoe the one to take instead of eight decks, shuffled. */
  changeShoe(shoe: Shoe = Shoe.shuffled(this.#random)): TableEvent<"table.shoe"> {
    this.#demand("shuffling", "settled");
    const { shown, burned } = shoe.burn();
    this.#shoeNumber += 1;
    const burn = { decks: DECKS, burn_card: shown, burned };
    const view = { shoe: this.#shoeNumber, ...burn, void_round: this.#voidRound };
    this.#voidRound = 0;
    this.#shoe = { cards: shoe, view };
    this.#round = 0;
    this.#phase = "settled";
    this.#cards = NO_CARDS;
    this.#result = null;
    this.#outcomes = [];
    return { type: "table.shoe", data: { ...view, cards_left: shoe.left } };
  }

  /** Opens a round. @param closesAtMs when guesses end, in ms since the epoch. @param bettingMs how long that is from now. */
  openRound(closesAtMs: number, bettingMs: number): TableEvent<"table.round_opened"> {
    this.#demand("settled");
    const { cards: shoe } = this.#open();
    shoe.beginRound();
    this.#round += 1;
    this.#lastOfShoe = shoe.finished;
    this.#phase = "betting";
    this.#cards = NO_CARDS;
    this.#result = null;
    const betting = { betting_ms: bettingMs, closes_at: new Date(closesAtMs).toISOString() };
    return { type: "table.round_opened", data: { ...this.#place(), ...betting } };
  }

  /** Ends the guessing. */
  closeRound(): TableEvent<"table.round_closed"> {
    this.#demand("betting");
    this.#phase = "dealing";
    return { type: "table.round_closed", data: this.#place() };
  }

  /** Deals the next card of the round; undefined when both hands have what the rules give them. */
  dealCard(): TableEvent<"table.card"> | undefined {
    this.#demand("dealing");
    const hand = nextHand(this.#cards);
    if (hand === undefined) return undefined;
    const card = this.#open().cards.draw();
    this.#cards = withCard(this.#cards, hand, card);
    const index = this.#cards[hand].length - 1;
    return { type: "table.card", data: { ...this.#place(), ...this.#left(), hand, index, card, ...this.#hands() } };
  }

  /** Settles the round. */
  settle(): TableEvent<"table.result"> {
    this.#demand("dealing");
    const { winner, natural, playerPair, bankerPair }: Result = resultOf(this.#cards);
    const pairs = { player_pair: playerPair, banker_pair: bankerPair };
    this.#phase = "settled";
    this.#outcomes.push({ winner, ...pairs });
    this.#result = { ...this.#place(), ...this.#left(), winner, natural, ...pairs, ...this.#hands() };
    return { type: "table.result", data: this.#result };
  }

  /** Everything there is to know between two rounds. */
  state(): TableEvent<"table.state"> {
    this.#demand("settled");
    const { view } = this.#open();
    const count = (winner: Winner): number => this.#outcomes.filter((outcome) => outcome.winner === winner).length;
    const data = {
      ...view,
      round: this.#round,
      ...this.#left(),
      result: this.#result,
      counts: { player: count("player"), banker: count("banker"), tie: count("tie") },
      bead_plate: beadPlate(this.#outcomes),
      big_road: bigRoad(this.#outcomes),
    };
    return { type: "table.state", data };
  }

  #place(): RoundPlace {
    return { shoe: this.#shoeNumber, round: this.#round, last_of_shoe: this.#lastOfShoe };
  }

  #left(): ShoeLeft {
    const { cards } = this.#open();
    return { cards_left: cards.left, cut_card_out: cards.cutCardOut };
  }

  #hands(): { readonly player: HandView; readonly banker: HandView } {
    return { player: handView(this.#cards.player), banker: handView(this.#cards.banker) };
  }

  #open(): OpenShoe {
    if (this.#shoe === undefined) throw new Error("the table has no shoe yet");
    return this.#shoe;
  }

  #demand(...phases: readonly Phase[]): void {
    if (!phases.includes(this.#phase)) throw new Error(`this cannot be done while ${this.#phase}`);
  }
}

function handView(cards: readonly Card[]): HandView {
  return { cards, total: totalOf(cards) };
}
