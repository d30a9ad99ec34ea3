const FIRST = [
  "Amber",
  "Brisk",
  "Calm",
  "Clever",
  "Ivory",
  "Jolly",
  "Lucky",
  "Quiet",
  "Silver",
  "Sunny",
  "Swift",
  "Velvet",
];
const SECOND = [
  "Badger",
  "Crane",
  "Finch",
  "Fox",
  "Heron",
  "Lynx",
  "Marten",
  "Otter",
  "Puffin",
  "Raven",
  "Seal",
  "Wren",
];

/** A friendly name for a guest in a hurry. */
export function randomName(): string {
  return `${pick(FIRST)} ${pick(SECOND)}`;
}

function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}
