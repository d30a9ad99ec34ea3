/** Suits, as one letter each. */
export const SUITS = ["S", "H", "D", "C"] as const;
/** Ranks, as one letter each; T is ten. */
export const RANKS = ["A", "2", "3", "4", "5", "6", "7", "8", "9", "T", "J", "Q", "K"] as const;

/** Rank of a card. */
export type Rank = (typeof RANKS)[number];
/** Suit of a card. */
export type Suit = (typeof SUITS)[number];
/** A card, rank then suit: `AS` is the ace of spades, `TD` the ten of diamonds. */
export type Card = `${Rank}${Suit}`;

/** A whole number at random, 0 ≤ n < below, each as likely as the others. */
export type Random = (below: number) => number;

const POINTS: Readonly<Record<Rank, number>> = {
  A: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 5,
  6: 6,
  7: 7,
  8: 8,
  9: 9,
  T: 0,
  J: 0,
  Q: 0,
  K: 0,
};

/** Decks in a shoe. */
export const DECKS = 8;
/** Cards in a full shoe. */
export const SHOE_CARDS = DECKS * SUITS.length * RANKS.length;
/** How many cards lie behind the cut card. Two more rounds never need more than twelve, so the shoe cannot run dry. */
export const BEHIND_CUT = 14;

/** How a new shoe was made ready. */
export interface Burn {
  /** The first card, shown to all. */
  readonly shown: Card;
  /** How many cards were then laid away unseen: the value of the shown card, court cards and tens counting ten. */
  readonly burned: number;
}

/** Rank of a card. */
export function rankOf(card: Card): Rank {
  return card[0] as Rank;
}

/** Points of a card: an ace is 1, tens and court cards are 0. */
export function pointsOf(card: Card): number {
  return POINTS[rankOf(card)];
}

/** How many cards a first card burns. */
export function burnCount(card: Card): number {
  return pointsOf(card) || 10;
}

/** Eight decks in order. */
export function freshCards(): Card[] {
  const deck = SUITS.flatMap((suit) => RANKS.map((rank): Card => `${rank}${suit}`));
  return Array.from({ length: DECKS }, () => deck).flat();
}

/** Puts cards into an order of which each is as likely as any other (Fisher and Yates). Changes the array given. */
export function shuffle(cards: Card[], random: Random): Card[] {
  for (let last = cards.length - 1; last > 0; last -= 1) {
    const other = random(last + 1);
    const [a, b] = [cards[last], cards[other]];
    if (a === undefined || b === undefined) throw new RangeError(`random(${last + 1}) gave ${other}`);
    cards[last] = b;
    cards[other] = a;
  }
  return cards;
}

/** Cards that are dealt from the top, with a cut card near the end. */
export class Shoe {
  readonly #cards: readonly Card[];
  readonly #behindCut: number;
  #dealt = 0;
  #roundsAfterCut: number | undefined;

  /** @param cards top card first. @param behindCut cards behind the cut card. */
  constructor(cards: readonly Card[], behindCut: number = BEHIND_CUT) {
    this.#cards = cards;
    this.#behindCut = behindCut;
  }

  /** Eight decks, shuffled. */
  static shuffled(random: Random): Shoe {
    return new Shoe(shuffle(freshCards(), random));
  }

  /** Cards left. */
  get left(): number {
    return this.#cards.length - this.#dealt;
  }

  /** True once the cut card has come out. */
  get cutCardOut(): boolean {
    return this.left <= this.#behindCut;
  }

  /** True when no round may begin any more. */
  get finished(): boolean {
    return this.#roundsAfterCut === 0;
  }

  /** Takes the top card. @throws RangeError when there is none. */
  draw(): Card {
    const card = this.#cards[this.#dealt];
    if (card === undefined) throw new RangeError("the shoe is empty");
    this.#dealt += 1;
    return card;
  }

  /** Shows the first card and burns as many as it says. */
  burn(): Burn {
    const shown = this.draw();
    const burned = burnCount(shown);
    for (let count = 0; count < burned; count += 1) this.draw();
    return { shown, burned };
  }

  /**
   * Says that a round begins. The round in which the cut card comes out is followed by one more; when the cut card comes
   * out before the first card of a round, that round is the last.
   * @throws RangeError when the shoe is finished.
   */
  beginRound(): void {
    if (this.finished) throw new RangeError("the shoe is finished");
    if (this.cutCardOut) this.#roundsAfterCut = 0;
  }
}
