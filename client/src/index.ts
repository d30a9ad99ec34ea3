export { RoomClient, type RoomClientEvents, type RoomClientOptions } from "./client.ts";
export type { WebSocketConstructor, WebSocketLike } from "./link.ts";
export { Room } from "./room.ts";
export type { RoomEvents } from "./room-events.ts";
export * from "./types.ts";
