import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Complaints } from "../support/browser.ts";
import type { TestClient } from "../support/client.ts";
import { newRoom } from "../support/crowd.ts";
import { eventually } from "../support/eventually.ts";
import type { RpcClient } from "../support/rpc.ts";
import { audit, focused, tabTo } from "./operator.ts";

/** The console of a running server, and its ways in. */
export interface ConsoleUnderTest {
  rpc(): RpcClient;
  guest(username: string, room: string): Promise<TestClient>;
  /** Opens the console, logged in, at one of its places. */
  open(place: string): Promise<Page & Complaints>;
  /** Closes it, about which the browser had nothing to complain. */
  leave(page: Page & Complaints): Promise<void>;
}

/** What operators do in dialogs; what it does is asked of the server and of clients, not of the console. */
export function dialogTests(ops: ConsoleUnderTest): void {
  /** The room's own view, with these in it. */
  async function openRoom(...names: readonly string[]) {
    const room = newRoom("dialogs");
    const clients = await Promise.all(names.map((name) => ops.guest(name, room)));
    await Promise.all(clients.map((client) => client.next("room_joined")));
    const page = await ops.open("Rooms");
    await page.evaluate(`location.hash = "#/rooms/${room}"`);
    for (const name of names) await page.getByRole("button", { name: `Kick: ${name}` }).waitFor();
    return { room, page, clients, dialog: page.getByRole("dialog") };
  }

  it.concurrent("kicks by keyboard, and the focus is never lost", async () => {
    const { room, page, clients, dialog } = await openRoom("Ann", "Bert");
    const [ann, bert] = clients as [TestClient, TestClient];
    const { keyboard } = page;
    const kick = page.getByRole("button", { name: "Kick: Bert" });
    await kick.focus();
    await keyboard.press("Enter");
    expect(await focused(page)).toBe("Reason");
    await audit(page, "a dialog over a room", "dark");
    const isInside = "document.activeElement.closest('dialog') !== null || document.activeElement === document.body";
    for (let presses = 0; presses < 6; presses++) {
      await keyboard.press("Tab");
      expect(await page.evaluate<boolean>(isInside)).toBe(true);
    }
    // What the dialog was opened with stays, though the list around it changes.
    const carl = await ops.guest("Carl", room);
    await page.getByText("Carl", { exact: true }).waitFor();
    await keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await focused(page)).toBe("Kick: Bert");
    expect(await rpcUids(room)).toContain(bert.uid);

    await keyboard.press("Enter");
    await keyboard.type("be kind");
    await keyboard.press("Enter");
    await bert.next("room_left", ({ reason, by }) => reason === "be kind" && by === "service:ops");
    await kick.waitFor({ state: "detached" });
    expect((await rpcUids(room)).toSorted()).toEqual([ann.uid, carl.uid].toSorted());
    // At the row in its place, since the one it was at is gone.
    await eventually("the focus to be in the list", () =>
      page.evaluate<boolean>("document.activeElement.closest('.person') !== null"),
    );

    await page.getByRole("button", { name: "Settings" }).focus();
    await keyboard.press("Enter");
    await bert.request("join_room", { room_id: room });
    await page.locator(".room-facts").getByText("3 members").waitFor();
    await keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(await focused(page)).toBe("Settings");
    await Promise.all([ann, bert, carl].map((client) => client.close()));
    await ops.leave(page);
  });

  it.concurrent("mutes and bans for a time, and lifts both", async () => {
    const { room, page, clients, dialog } = await openRoom("Ann");
    const [ann] = clients as [TestClient];
    await page.getByRole("button", { name: "Mute: Ann" }).click();
    await dialog.getByLabel("For how long").selectOption("10 minutes");
    await dialog.getByLabel("Reason").fill("too loud");
    await dialog.getByRole("button", { name: "Mute", exact: true }).click();
    const { payload: muted } = await ann.next("member_muted", ({ uid }) => uid === ann.uid);
    expect(muted).toMatchObject({ by: "service:ops", reason: "too loud" });
    expect(minutesUntil(String(muted.until))).toBe(10);
    expect(await ann.refused("send_message", { room_id: room, message: "x" })).toMatchObject({ code: "muted" });
    await dialog.waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Mute: Ann" }).click();
    await dialog.getByLabel("Lift a mute instead").check();
    await dialog.getByRole("button", { name: "Lift the mute" }).click();
    await ann.next("member_unmuted", ({ uid }) => uid === ann.uid);
    await ann.say(room, "may I?");
    await dialog.waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Ban a user" }).click();
    await dialog.getByLabel("User id").fill(ann.uid);
    await dialog.getByLabel("For how long").selectOption("1 day");
    await dialog.getByLabel("Reason").fill("spam");
    await dialog.getByRole("button", { name: "Ban", exact: true }).click();
    await ann.next("room_left", ({ reason }) => reason === "banned");
    const [ban] = await rpcBans(room);
    expect(ban).toMatchObject({ uid: ann.uid, reason: "spam", by: "service:ops" });
    expect(minutesUntil(ban?.expire_time ?? "")).toBe(24 * 60);
    expect(await ann.refused("join_room", { room_id: room })).toMatchObject({ code: "banned" });

    await page.getByRole("button", { name: `Lift the ban: ${ann.uid}` }).click();
    await dialog.getByRole("button", { name: "Lift the ban" }).click();
    await page.getByText("Nobody is banned.").waitFor();
    expect(await rpcBans(room)).toEqual([]);
    await ann.request("join_room", { room_id: room });
    await ann.close();
    await ops.leave(page);
  });

  it.concurrent("sets what a room does under load, and changes nothing else", async () => {
    const { room, page, clients, dialog } = await openRoom("Ann");
    await page.getByRole("button", { name: "Settings" }).click();
    await ops.rpc().call("RoomService/CreateRoom", { room: { room_id: room, title: "Set meanwhile", frozen: true } });
    await dialog.getByLabel("When there is too much to give").selectOption("Only the latest of each snapshot key");
    await dialog.getByLabel("Least time between two of a key, in milliseconds").fill("250");
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("Latest only", { exact: true }).waitFor();
    expect(await ops.rpc().call("RoomService/GetRoom", { room_id: room })).toMatchObject({
      room: {
        overload_policy: "OVERLOAD_POLICY_LATEST_ONLY",
        conflation_interval_ms: 250,
        title: "Set meanwhile",
        frozen: true,
      },
    });
    await page.getByRole("button", { name: "Settings" }).click();
    expect(await dialog.getByLabel("Least time between two of a key, in milliseconds").inputValue()).toBe("250");
    await dialog.getByLabel("Least time between two of a key, in milliseconds").fill("1");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByRole("alert").getByText("invalid_argument").waitFor();
    await page.keyboard.press("Escape");
    await Promise.all(clients.map((client) => client.close()));
    await ops.leave(page);
  });

  it.concurrent("deletes what a user wrote, in one room or everywhere, and tells everybody something", async () => {
    const rooms = [newRoom("erase"), newRoom("erase")] as const;
    const [mallory, ann] = await Promise.all([ops.guest("Mallory", rooms[0]), ops.guest("Ann", rooms[0])]);
    await mallory.next("room_joined");
    await mallory.request("join_room", { room_id: rooms[1] });
    for (const room of rooms) await mallory.say(room, "buy now");
    await ann.say(rooms[0], "stay");
    const said = (room: string): Promise<string[]> => rpcSaid(room);

    const page = await ops.open("Clients");
    const dialog = page.getByRole("dialog");
    const erase = async (only: string): Promise<void> => {
      await page.getByRole("button", { name: "Manage Mallory" }).click();
      await dialog.getByRole("button", { name: "Delete messages" }).click();
      expect(await dialog.getByRole("button", { name: "Delete messages" }).isDisabled()).toBe(true);
      await dialog.getByLabel("Only in the room").fill(only);
      await dialog.getByLabel(`Type ${mallory.uid} to confirm`).fill(mallory.uid);
      await dialog.getByRole("button", { name: "Delete messages" }).click();
      await dialog.waitFor({ state: "detached" });
    };
    await page.getByRole("searchbox").fill(mallory.uid);
    await erase(rooms[0]);
    await ann.next("message_deleted", ({ by_uid }) => by_uid === "service:ops");
    expect([await said(rooms[0]), await said(rooms[1])]).toEqual([["stay"], ["buy now"]]);
    expect(await focused(page)).toBe("Manage Mallory");
    await erase("");
    expect([await said(rooms[0]), await said(rooms[1])]).toEqual([["stay"], []]);

    await page.evaluate("location.hash = '#/'");
    await page.getByRole("button", { name: "Send a notice" }).click();
    await tabTo(page, "Send to everybody");
    await page.keyboard.press("Enter");
    expect(await dialog.isVisible()).toBe(true); // there is nothing to send yet
    await dialog.getByLabel("Notice").fill("Back in <b>five</b> minutes");
    await dialog.getByRole("button", { name: "Send to everybody" }).click();
    const isTold = ({ message }: { readonly message: string }): boolean => message === "Back in <b>five</b> minutes";
    await Promise.all([ann, mallory].map((client) => client.next("notice", isTold)));
    await dialog.waitFor({ state: "detached" });
    expect(await focused(page)).toBe("Send a notice");
    await Promise.all([ann, mallory].map((client) => client.close()));
    await ops.leave(page);
  });

  async function rpcUids(room_id: string): Promise<string[]> {
    const answer = await ops
      .rpc()
      .call<{ members?: readonly { uid: string }[] }>("RoomService/ListMembers", { room_id });
    return (answer.members ?? []).map(({ uid }) => uid);
  }

  async function rpcBans(room_id: string) {
    interface Bans {
      readonly bans?: readonly { readonly uid: string; readonly expire_time?: string }[];
    }
    return (await ops.rpc().call<Bans>("RoomService/ListBans", { room_id })).bans ?? [];
  }

  async function rpcSaid(room_id: string): Promise<string[]> {
    interface Messages {
      readonly messages?: readonly { readonly message: string }[];
    }
    const { messages = [] } = await ops.rpc().call<Messages>("RoomService/ListMessages", { room_id });
    return messages.map(({ message }) => message);
  }
}

function minutesUntil(time: string): number {
  return Math.round((Date.parse(time) - Date.now()) / 60_000);
}
