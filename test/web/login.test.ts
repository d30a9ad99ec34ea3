import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { LEEWAY_MS } from "../../services/tokens.ts";
import { newRoom } from "../support/crowd.ts";
import { Stage } from "./visitor.ts";

const SECRET = "a secret of more than thirty-two bytes";

describe("on a server that wants tokens", { timeout: 60_000 }, () => {
  const stage = new Stage({ AUTH_MODE: "jwt", JWT_SECRET: SECRET });

  beforeAll(() => stage.start());
  afterEach(() => stage.clear());
  afterAll(() => stage.stop());

  it("the page asks for one, and lets in who has it under the name it says", async () => {
    const room = newRoom("login");
    const ann = await stage.visit({}, `/#${room}`);
    await ann.page.getByRole("textbox", { name: "Your name" }).fill("Ann");
    await ann.page.getByRole("button", { name: "Enter", exact: true }).click();
    await ann.page.getByText("This server wants a token.").waitFor();
    await logIn(ann.page, "not.a.token");
    await ann.page.getByText(/^The token was not accepted/).waitFor();
    await logIn(ann.page, await token("u-ann", "Ann Lee", "1h"));
    await ann.inRoom(room);
    await ann.members.getByText("Ann Lee").waitFor();
    await ann.say("in at last");
    await ann.page.reload();
    await ann.inRoom(room);
    await ann.sees("in at last");
    // The next tab of this device asks for a token at once.
    const tab = await ann.page.context().newPage();
    await tab.goto(stage.home);
    await tab.getByRole("textbox", { name: "Token" }).waitFor();
    expect(ann.complaints).toEqual([]);
  });

  it("the page asks again when the token has ended", async () => {
    const room = newRoom("ended");
    const ann = await stage.visit({}, `/#${room}`);
    await ann.page.getByRole("button", { name: "Log in with a token" }).click();
    // Ended a while ago, and let in for a moment longer, since clocks differ.
    await logIn(ann.page, await token("u-ann", "Ann Lee", new Date(Date.now() - LEEWAY_MS + 2_500)));
    await ann.inRoom(room);
    await ann.page.getByText(/^The token was not accepted/).waitFor();
    await logIn(ann.page, await token("u-ann", "Ann Lee", "1h"));
    await ann.inRoom(room);
    expect(ann.complaints).toEqual([]);
  });
});

async function logIn(page: Awaited<ReturnType<Stage["visit"]>>["page"], text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Token" }).fill(text);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
}

function token(uid: string, name: string, until: string | Date): Promise<string> {
  const claims = new SignJWT({ name }).setProtectedHeader({ alg: "HS256" }).setSubject(uid);
  return claims.setIssuedAt().setExpirationTime(until).sign(new TextEncoder().encode(SECRET));
}
