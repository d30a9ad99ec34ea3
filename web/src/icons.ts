import { svg } from "./dom.ts";

/** Strokes of 20 × 20 icons. */
const STROKES = {
  alert: ["M10 6.5v4.2M10 13.6v.1", "M10 2.8 18 16.6H2z"],
  ban: ["M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14", "M5.2 5.2l9.6 9.6"],
  auto: ["M10 3v14", "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14", "M13 5.2v9.6"],
  forward: ["M8 4.5 13.5 10 8 15.5"],
  check: ["M4.5 10.5 8.2 14l7.3-8"],
  clock: ["M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14", "M10 6v4l2.5 2"],
  close: ["M5 5l10 10M15 5 5 15"],
  cut: [
    "M6.3 12.4a2.1 2.1 0 1 0 0 4.2a2.1 2.1 0 1 0 0-4.2M13.7 12.4a2.1 2.1 0 1 0 0 4.2a2.1 2.1 0 1 0 0-4.2",
    "M7.5 12.6 13.6 3M12.5 12.6 6.4 3",
  ],
  dice: [
    "M5.5 3.5h9a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2z",
    "M7.2 7.2v.1M12.8 7.2v.1M10 10v.1M7.2 12.8v.1M12.8 12.8v.1",
  ],
  down: ["M10 4v12M5 11l5 5 5-5"],
  fold: ["M5 7.5 10 12.5 15 7.5"],
  edit: ["M4 16l.8-3.6L13 4.2l2.8 2.8-8.2 8.2z", "M11.4 5.8l2.8 2.8"],
  eye: ["M2.5 10S5.2 5 10 5s7.5 5 7.5 5-2.7 5-7.5 5-7.5-5-7.5-5z", "M10 7.8a2.2 2.2 0 1 0 0 4.4a2.2 2.2 0 1 0 0-4.4"],
  gauge: ["M3.2 14.5a7.5 7.5 0 1 1 13.6 0", "M10 12l3.2-4.4", "M10 11a1.2 1.2 0 1 0 0 2.4a1.2 1.2 0 1 0 0-2.4"],
  hash: ["M7.6 3.5 6 16.5M14 3.5l-1.6 13M3.6 7.5h13M3.2 12.5h13"],
  image: [
    "M5 4h10a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 15 16H5a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 5 4z",
    "m4 14 4-4 3 3 2-2 3 3",
    "M12.6 7.6v.1",
  ],
  key: ["M7 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8", "M9.8 9.2 16 3M13.2 5.8l2.3 2.3"],
  leave: ["M8 3.5H5.5A1.5 1.5 0 0 0 4 5v10a1.5 1.5 0 0 0 1.5 1.5H8", "M8 10h8.5M13 6.5l3.5 3.5-3.5 3.5"],
  link: [
    "M8.5 11.5a3 3 0 0 0 4.2 0l3-3a3 3 0 0 0-4.2-4.2l-1 1",
    "M11.5 8.5a3 3 0 0 0-4.2 0l-3 3a3 3 0 0 0 4.2 4.2l1-1",
  ],
  list: ["M7 5.5h9.5M7 10h9.5M7 14.5h9.5", "M3.6 5.5v.1M3.6 10v.1M3.6 14.5v.1"],
  menu: ["M3.5 6h13M3.5 10h13M3.5 14h13"],
  mute: ["M4 8v4h2.5l5.5 3.5v-11L6.5 8z", "M14.5 8l3.5 4M18 8l-3.5 4"],
  moon: ["M16.5 11.6A6.8 6.8 0 1 1 8.4 3.5a5.4 5.4 0 0 0 8.1 8.1z"],
  notice: ["M4 8v4h2.5l5.5 3.5v-11L6.5 8z", "M15 7.5a4 4 0 0 1 0 5"],
  power: ["M10 3v6", "M6.2 5.4a6 6 0 1 0 7.6 0"],
  plus: ["M10 4v12M4 10h12"],
  restore: ["M4.2 11.5a6 6 0 1 0 .9-5.2", "M4.2 3.2v3.6h3.6"],
  search: ["M9 3.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11", "m13 13 3.5 3.5"],
  send: ["M17 3 9 11", "M17 3l-5 14-3-6-6-3z"],
  server: [
    "M4.5 4h11A1.5 1.5 0 0 1 17 5.5v2A1.5 1.5 0 0 1 15.5 9h-11A1.5 1.5 0 0 1 3 7.5v-2A1.5 1.5 0 0 1 4.5 4z",
    "M4.5 11h11a1.5 1.5 0 0 1 1.5 1.5v2a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5v-2A1.5 1.5 0 0 1 4.5 11z",
    "M6 6.5v.1M6 13.5v.1",
  ],
  snow: ["M10 2.8v14.4M3.8 6.4l12.4 7.2M16.2 6.4 3.8 13.6", "M8 4.6l2 1.8 2-1.8M8 15.4l2-1.8 2 1.8"],
  sun: [
    "M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7",
    "M10 2v1.6M10 16.4V18M2 10h1.6M16.4 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
  ],
  trash: ["M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10"],
  users: [
    "M7.5 4a3 3 0 1 0 0 6a3 3 0 1 0 0-6",
    "M2.5 16.5c.3-3 2.2-4.5 5-4.5s4.7 1.5 5 4.5",
    "M13 4.5a2.7 2.7 0 0 1 0 5.2M14.5 12.2c1.8.5 2.8 1.9 3 4.3",
  ],
} as const;

/** Name of an icon. */
export type IconName = keyof typeof STROKES;

/** Makes an icon; it is decoration, so whatever it stands in needs a name of its own. */
export function icon(name: IconName): SVGElement {
  const paths = STROKES[name].map((d) => svg("path", { d }));
  return svg("svg", { class: "icon", viewBox: "0 0 20 20", "aria-hidden": "true" }, ...paths);
}

/** Filled shapes of the pictures a guest may choose, 24 × 24. */
const SHAPES = {
  spade:
    "M12 3C9 7 4.5 9.5 4.5 13.5a3.7 3.7 0 0 0 6.3 2.6C10.6 18 9.9 19.5 9 20.5h6c-.9-1-1.6-2.5-1.8-4.4a3.7 3.7 0 0 0 6.3-2.6C19.5 9.5 15 7 12 3z",
  heart: "M12 20.5C6.5 16.5 3.5 13.3 3.5 9.5A4.5 4.5 0 0 1 12 7.2a4.5 4.5 0 0 1 8.5 2.3c0 3.8-3 7-8.5 11z",
  diamond: "M12 2.5 19 12l-7 9.5L5 12z",
  club: "M12 3a3.9 3.9 0 0 0-3.3 6a3.9 3.9 0 1 0 2.3 6.8C10.8 17.8 10 19.4 9 20.5h6c-1-1.1-1.8-2.7-2-4.7A3.9 3.9 0 1 0 15.3 9 3.9 3.9 0 0 0 12 3z",
  crown: "M4 18.5 2.8 7.5l5 4L12 4.5l4.2 7 5-4L20 18.5z",
  star: "m12 3 2.7 5.8 6.3.8-4.6 4.4 1.2 6.3L12 17.2l-5.6 3.1 1.2-6.3L3 9.6l6.3-.8z",
  moon: "M19.5 14.5A8.2 8.2 0 0 1 9.5 4.5a8.2 8.2 0 1 0 10 10z",
  bolt: "M13.5 2.5 5 13.5h5.5L9.5 21.5 19 10h-6z",
} as const;

/** A picture a guest may choose. */
export type ShapeName = keyof typeof SHAPES;

/** All of them, in the order in which they are offered. */
export const SHAPE_NAMES = Object.keys(SHAPES) as readonly ShapeName[];

/** True for the id of a picture this page has. */
export function isShapeName(id: string | undefined): id is ShapeName {
  return id !== undefined && Object.hasOwn(SHAPES, id);
}

/** Makes the picture. */
export function shape(name: ShapeName): SVGElement {
  return svg("svg", { class: "shape", viewBox: "0 0 24 24", "aria-hidden": "true" }, shapePath(name));
}

/** Makes its outline alone, 24 × 24, to be put into a larger picture. */
export function shapePath(name: ShapeName, transform?: string): SVGElement {
  return svg("path", { d: SHAPES[name], transform });
}
