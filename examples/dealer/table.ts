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

/** What a table is doing: the shoe is being changed, guesses are taken, cards are dealt, a round is settled. */
export type Phase = "shuffling" | "betting" | "dealing" | "settled";

/** A hand as clients see it. */
export interface HandView {
  readonly cards: readonly Card[];
  readonly total: number;
}

/** What is published, by its frame type. Names are those of the JSON. */
export interface TableEvents {
  /** A new shoe; everything of the old one, roads included, is over. */
  readonly "table.shoe": {
    readonly shoe: number;
    readonly decks: number;
    readonly burn_card: Card;
    readonly burned: number;
    readonly cards_left: number;
    /** Round of the old shoe that was never settled, because the dealer was away; 0 for none. */
    readonly void_round: number;
  };
  /** Guesses are taken until `closes_at`. */
  readonly "table.round_opened": {
    readonly shoe: number;
    readonly round: number;
    readonly betting_ms: number;
    readonly closes_at: string;
    /** The round after which the shoe is changed. */
    readonly last_of_shoe: boolean;
  };
  /** No more guesses; cards follow. */
  readonly "table.round_closed": { readonly shoe: number; readonly round: number };
  /** A card was dealt. */
  readonly "table.card": {
    readonly shoe: number;
    readonly round: number;
    readonly hand: Hand;
    /** 0, 1, or 2 for the third card. */
    readonly index: number;
    readonly card: Card;
    /** Points of the hand with it. */
    readonly total: number;
    readonly cards_left: number;
    /** True once the cut card has come out. */
    readonly cut_card_out: boolean;
  };
  /** Who won. */
  readonly "table.result": {
    readonly shoe: number;
    readonly round: number;
    readonly winner: Winner;
    readonly natural: boolean;
    readonly player_pair: boolean;
    readonly banker_pair: boolean;
    readonly player: HandView;
    readonly banker: HandView;
  };
  /** Everything there is to know, for whoever comes late. */
  readonly "table.state": TableState;
}

/** An event of any type. */
export type TableEvent = {
  readonly [T in keyof TableEvents]: { readonly type: T; readonly data: TableEvents[T] };
}[keyof TableEvents];

/** A table at one moment. */
export interface TableState {
  readonly phase: Phase;
  readonly shoe: number;
  /** Round of this shoe, from 1; 0 before the first. */
  readonly round: number;
  readonly betting_ms: number;
  /** When guesses end, RFC 3339 by the dealer's clock; empty unless they are taken. */
  readonly closes_at: string;
  readonly cards_left: number;
  readonly cut_card_out: boolean;
  readonly player: HandView;
  readonly banker: HandView;
  /** Of this round; null until it is settled. */
  readonly result: TableEvents["table.result"] | null;
  /** Rounds of this shoe, by how they ended. */
  readonly counts: Readonly<Record<Winner, number>>;
  readonly bead_plate: readonly Bead[];
  readonly big_road: BigRoad;
}

/**
 * A table: what may happen next and what is then to be told. It knows neither time nor network; whoever runs it calls
 * changeShoe, then openRound, closeRound, dealCard until it gives nothing, settle, and so on until the shoe is finished.
 */
export class Table {
  readonly #random: Random;
  #shoe: Shoe | undefined;
  #shoeNumber: number;
  #voidRound: number;
  #round = 0;
  #phase: Phase = "shuffling";
  #betting = { betting_ms: 0, closes_at: "" };
  #cards: Cards = NO_CARDS;
  #result: TableEvents["table.result"] | null = null;
  #outcomes: Outcome[] = [];

  /** @param options.last the last state of an earlier run: shoes are counted on from it, and its unsettled round is void. */
  constructor(options: { random: Random; last?: Pick<TableState, "shoe" | "round" | "phase"> | undefined }) {
    const { random, last } = options;
    this.#random = random;
    this.#shoeNumber = last?.shoe ?? 0;
    this.#voidRound = last?.phase === "betting" || last?.phase === "dealing" ? last.round : 0;
  }

  /** True when the next round needs a new shoe. */
  get needsShoe(): boolean {
    return this.#shoe === undefined || this.#shoe.finished;
  }

  /** Shuffles and burns. @param shoe the one to take instead of eight decks, shuffled. */
  changeShoe(shoe: Shoe = Shoe.shuffled(this.#random)): TableEvent {
    this.#demand("shuffling", "settled");
    const { shown, burned } = shoe.burn();
    const voidRound = this.#voidRound;
    this.#voidRound = 0;
    this.#shoe = shoe;
    this.#shoeNumber += 1;
    this.#round = 0;
    this.#phase = "settled";
    this.#cards = NO_CARDS;
    this.#result = null;
    this.#outcomes = [];
    return {
      type: "table.shoe",
      data: {
        shoe: this.#shoeNumber,
        decks: DECKS,
        burn_card: shown,
        burned,
        cards_left: shoe.left,
        void_round: voidRound,
      },
    };
  }

  /** Opens a round. @param closesAtMs when guesses end, in ms since the epoch. @param bettingMs how long that is from now. */
  openRound(closesAtMs: number, bettingMs: number): TableEvent {
    this.#demand("settled");
    const shoe = this.#open();
    shoe.beginRound();
    this.#round += 1;
    this.#phase = "betting";
    this.#cards = NO_CARDS;
    this.#result = null;
    this.#betting = { betting_ms: bettingMs, closes_at: new Date(closesAtMs).toISOString() };
    return { type: "table.round_opened", data: { ...this.#place(), ...this.#betting, last_of_shoe: shoe.finished } };
  }

  /** Ends the guessing. */
  closeRound(): TableEvent {
    this.#demand("betting");
    this.#phase = "dealing";
    this.#betting = { ...this.#betting, closes_at: "" };
    return { type: "table.round_closed", data: this.#place() };
  }

  /** Deals the next card of the round; undefined when both hands have what the rules give them. */
  dealCard(): TableEvent | undefined {
    this.#demand("dealing");
    const hand = nextHand(this.#cards);
    if (hand === undefined) return undefined;
    const shoe = this.#open();
    const card = shoe.draw();
    this.#cards = withCard(this.#cards, hand, card);
    const cards = this.#cards[hand];
    return {
      type: "table.card",
      data: {
        ...this.#place(),
        hand,
        index: cards.length - 1,
        card,
        total: totalOf(cards),
        cards_left: shoe.left,
        cut_card_out: shoe.cutCardOut,
      },
    };
  }

  /** Settles the round. */
  settle(): TableEvent {
    this.#demand("dealing");
    const { winner, natural, playerPair, bankerPair }: Result = resultOf(this.#cards);
    this.#phase = "settled";
    this.#outcomes.push({ winner, player_pair: playerPair, banker_pair: bankerPair });
    this.#result = {
      ...this.#place(),
      winner,
      natural,
      player_pair: playerPair,
      banker_pair: bankerPair,
      player: view(this.#cards.player),
      banker: view(this.#cards.banker),
    };
    return { type: "table.result", data: this.#result };
  }

  /** Everything there is to know. */
  state(): TableState {
    const count = (winner: Winner): number => this.#outcomes.filter((outcome) => outcome.winner === winner).length;
    return {
      phase: this.#phase,
      ...this.#place(),
      ...this.#betting,
      cards_left: this.#shoe?.left ?? 0,
      cut_card_out: this.#shoe?.cutCardOut ?? false,
      player: view(this.#cards.player),
      banker: view(this.#cards.banker),
      result: this.#result,
      counts: { player: count("player"), banker: count("banker"), tie: count("tie") },
      bead_plate: beadPlate(this.#outcomes),
      big_road: bigRoad(this.#outcomes),
    };
  }

  #place(): { readonly shoe: number; readonly round: number } {
    return { shoe: this.#shoeNumber, round: this.#round };
  }

  #open(): Shoe {
    if (this.#shoe === undefined) throw new Error("the table has no shoe yet");
    return this.#shoe;
  }

  #demand(...phases: readonly Phase[]): void {
    if (!phases.includes(this.#phase)) throw new Error(`this cannot be done while ${this.#phase}`);
  }
}

function view(cards: readonly Card[]): HandView {
  return { cards, total: totalOf(cards) };
}
