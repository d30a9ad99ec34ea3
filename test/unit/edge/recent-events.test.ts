import { describe, expect, it } from "vitest";
import { NOWHERE, type Place, RecentEvents } from "../../../edge/recent-events.ts";

const MEBIBYTE = 1024 * 1024;

function keep(recent: RecentEvents, seq: number, prev: Place, json: string): Place {
  return recent.append(
    { seq, prevSeq: seq - 1, sentMs: 1.5e12 + seq, heardAt: 1.6e12 + seq, ordinal: seq, json },
    prev,
  );
}

function jsonAt(recent: RecentEvents, place: Place): string | undefined {
  const entry = recent.get(place);
  return entry && recent.json(entry);
}

describe("recent events", () => {
  it("are what was kept, in any script", () => {
    const recent = new RecentEvents({ capacity: () => MEBIBYTE });
    const texts = ["", "a", "žluťoučký kůň", "百家樂", "🂡🂮", "\ud800", "x".repeat(1_000)];
    const places: Place[] = [];
    for (const [index, text] of texts.entries()) places.push(keep(recent, index, places.at(-1) ?? NOWHERE, text));
    expect(places.map((place) => jsonAt(recent, place))).toEqual(texts.map((text) => text.replace("\ud800", "\ufffd")));
    expect(recent.get(places[3] ?? NOWHERE)).toEqual({
      place: places[3],
      prev: places[2],
      seq: 3,
      prevSeq: 2,
      sentMs: 1.5e12 + 3,
      heardAt: 1.6e12 + 3,
      ordinal: 3,
      bytes: 9,
    });
    expect(recent.get(NOWHERE)).toBeUndefined();
  });

  it("forget the oldest of all rooms first, a mebibyte at a time, as many as there is space for then", () => {
    let capacity = 3 * MEBIBYTE;
    const recent = new RecentEvents({ capacity: () => capacity });
    const text = "x".repeat(30_000);
    const places: Place[] = [];
    const rooms: [Place, Place] = [NOWHERE, NOWHERE];
    const known = (): number => places.filter((place) => recent.get(place) !== undefined).length;
    for (let seq = 0; seq < 200; seq++) {
      const room = seq % 2 === 0 ? 0 : 1;
      rooms[room] = keep(recent, seq, rooms[room], text);
      places.push(rooms[room]);
      // In 90,000 bytes each: as if every character took three.
      expect(known()).toBeGreaterThanOrEqual(Math.min(seq + 1, 2 * 32));
      expect(known() * 30_000).toBeLessThanOrEqual(capacity);
      expect(places.slice(-known()).every((place) => jsonAt(recent, place) === text)).toBe(true);
    }
    capacity = 0;
    for (let seq = 200; seq < 240; seq++) places.push(keep(recent, seq, NOWHERE, text));
    expect(known() * 30_000).toBeLessThanOrEqual(MEBIBYTE);
    expect(jsonAt(recent, places.at(-1) ?? NOWHERE)).toBe(text);
  });

  it("keep nothing that is larger than a mebibyte might hold", () => {
    const recent = new RecentEvents({ capacity: () => MEBIBYTE });
    expect(keep(recent, 1, NOWHERE, "x".repeat(MEBIBYTE / 3))).toBe(NOWHERE);
    expect(keep(recent, 1, NOWHERE, "x".repeat(MEBIBYTE / 3 - 100))).not.toBe(NOWHERE);
  });
});
