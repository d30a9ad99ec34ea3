/** A piece of a text: words, or an address that may be followed. */
export interface TextPart {
  readonly text: string;
  /** Set when the text is an address. */
  readonly href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`]+/giu;
/** What ends a sentence rather than an address. */
const TRAILING: ReadonlySet<string> = new Set(".,;:!?)]}'\"…");

/** Splits a text into words and http(s) addresses. Joined together, the parts are the text. */
export function splitLinks(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimEnd(match[0]);
    if (!URL.canParse(address)) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index) });
    parts.push({ text: address, href: address });
    from = match.index + address.length;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return parts;
}

function trimEnd(address: string): string {
  // By hand: a pattern would look at a long row of dots once for each of them.
  let end = address.length;
  while (end > 0 && TRAILING.has(address.charAt(end - 1))) end--;
  const trimmed = address.slice(0, end);
  // A bracket that was opened inside belongs to the address, as in Wikipedia's.
  return trimmed.includes("(") && address[trimmed.length] === ")" ? `${trimmed})` : trimmed;
}
