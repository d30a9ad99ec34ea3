import { fromJsonString } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { h } from "../dom.ts";
import { icon } from "../icons.ts";
import { describeFailure } from "./failure.ts";
import type { ViewContext } from "./view.ts";

/** A line under the tail: a message, or an event of a type of one's own, sent as the service the token belongs to. */
export function sendForm({ api, toasts }: ViewContext, roomId: string): HTMLElement {
  const text = h("textarea", {
    rows: 1,
    "aria-label": "Message",
    placeholder: "Say as this service",
    maxlength: 4_000,
  });
  const type = h("input", {
    "aria-label": "Event type",
    placeholder: "table.result",
    hidden: true,
    maxlength: 64,
    autocomplete: "off",
    spellcheck: "false",
  });
  const kind = h(
    "select",
    {
      "aria-label": "What to send",
      onchange: () => {
        const event = kind.value === "event";
        type.hidden = !event;
        text.setAttribute("aria-label", event ? "Event data" : "Message");
        text.placeholder = event ? '{"any": "JSON"}' : "Say as this service";
      },
    },
    h("option", { value: "message" }, "Message"),
    h("option", { value: "event" }, "Event"),
  );
  // What failed and is sent again as it is keeps its key, so that it is stored once.
  let attempt = { content: "", key: "" };
  const send = async (): Promise<void> => {
    const content = `${kind.value} ${type.value} ${text.value}`;
    if (text.value.trim() === "" || button.disabled) return;
    if (attempt.content !== content) attempt = { content, key: randomKey() };
    const idempotencyKey = attempt.key;
    button.disabled = true;
    try {
      if (kind.value === "message") await api.rooms.sendMessage({ roomId, message: text.value, idempotencyKey });
      else {
        const data = readJson(text.value);
        if (data === undefined) return toasts.say("The event’s data is not JSON.", "bad");
        await api.rooms.publishEvent({ roomId, type: type.value, data, idempotencyKey });
      }
      text.value = "";
      attempt = { content: "", key: "" };
    } catch (error) {
      const { message, reason } = describeFailure(error);
      toasts.say(`Not sent: ${message} (${reason})`, "bad");
    } finally {
      button.disabled = false;
      text.focus();
    }
  };
  const button = h("button", { class: "send", "aria-label": "Send", title: "Send" }, icon("send"));
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    void send();
  });
  const onsubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    void send();
  };
  return h("form", { class: "send-form", onsubmit }, kind, type, text, button);
}

function readJson(text: string) {
  try {
    return fromJsonString(ValueSchema, text);
  } catch {
    return undefined; // said where it is sent
  }
}

/** Not randomUUID, which browsers have on safe origins only. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
