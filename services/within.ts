import { RoomError } from "./errors.ts";

/** Settles as `promise` does. @throws RoomError unavailable when that takes longer than `ms`. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new RoomError("unavailable", "this takes too long")), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
