export { RoomClient, type RoomClientEvents, type RoomClientOptions } from "./client.ts";
export type { WebSocketConstructor, WebSocketLike } from "./link.ts";
export { Room, type RoomEvents } from "./room.ts";
export * from "./types.ts";
