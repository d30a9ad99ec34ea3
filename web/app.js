import { Connection } from "./connection.js";

const PAGE = 50;
/** Names shown; the count says how many there are. */
const MEMBERS_SHOWN = 100;

const element = (id) => document.getElementById(id);
const log = element("log");
const list = element("messages");
const composer = element("send");
const connection = new Connection();
const members = new Map();
let room = "";
/** Where this page stands in the room's log; epoch is empty before the first join. */
let position = { epoch: "", seq: 0 };
let oldestSeq = 0;
let loadingOlder = false;

element("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  event.target.elements.username.disabled = true; // a guest's name is set when connecting
  if (room !== "") {
    changeRoom(form.get("room"));
    return;
  }
  room = form.get("room");
  connection.open(form.get("username"));
});

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  element("login").hidden = true;
  connection.login(new FormData(event.target).get("token"));
});

composer.addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = composer.elements.message;
  const message = input.value;
  input.value = "";
  try {
    await connection.request("send_message", { room_id: room, message });
    showProblem("");
  } catch (error) {
    input.value ||= message;
    showProblem(error.message);
  }
});

element("older").addEventListener("click", loadOlder);
log.addEventListener("scroll", () => {
  if (log.scrollTop === 0) loadOlder();
});

connection.addEventListener("state", ({ detail }) => {
  element("state").textContent = detail;
  setComposerEnabled(false);
});
connection.addEventListener("login", () => {
  element("login").hidden = false;
});
connection.addEventListener("welcome", () => {
  element("login").hidden = true;
  enterRoom();
});
connection.addEventListener("frame", ({ detail }) => PUSHES.get(detail.type)?.(detail.payload, detail.type));

const PUSHES = new Map([
  ["new_message", (payload) => showEvent({ type: "new_message", payload })],
  ["message_deleted", (payload) => showEvent({ type: "message_deleted", payload })],
  ["member_joined", (payload) => changeMembers(payload, [payload], [])],
  ["member_left", (payload) => changeMembers(payload, [], [payload])],
  ["members_changed", (payload) => changeMembers(payload, payload.joined, payload.left)],
  ["room_left", (payload) => leave(payload)],
  ["reset", () => enterRoom(true)],
  ["notice", (payload) => showProblem(payload.message)],
]);

async function enterRoom(afresh = false) {
  if (afresh) position = { epoch: "", seq: 0 };
  const from = position.epoch === "" ? { history: PAGE } : { since: position };
  try {
    showRoom(await connection.request("join_room", { room_id: room, ...from }));
  } catch (error) {
    showProblem(error.message);
  }
}

/** The old room stays on the page, as it does at the server, until the new one has let the user in. */
async function changeRoom(next) {
  try {
    const joined = await connection.request("change_room", { room_id: next, history: PAGE });
    room = next;
    position = { epoch: "", seq: 0 };
    showRoom(joined);
  } catch (error) {
    showProblem(error.message);
  }
}

function showRoom(joined) {
  if (joined.reason !== undefined) {
    enterRoom(true); // what was missed cannot be had: start over with the latest
    return;
  }
  if (position.epoch === "") clearMessages();
  position.epoch = joined.epoch;
  for (const event of joined.events) showEvent(event);
  position.seq = Math.max(position.seq, joined.seq);
  members.clear();
  changeMembers(joined, joined.members, []);
  element("room").textContent = joined.room_id;
  setComposerEnabled(true);
  showProblem("");
}

function clearMessages() {
  list.replaceChildren();
  oldestSeq = 0;
  element("older").hidden = true;
}

function leave({ room_id, reason }) {
  if (room_id !== room) return;
  setComposerEnabled(false);
  showProblem(`you are no longer in ${room_id}: ${reason ?? ""}`);
}

function showEvent({ type, payload }) {
  if (payload.room_id !== room || payload.seq <= position.seq) return;
  position.seq = payload.seq;
  if (type === "message_deleted") markDeleted(payload.deleted_seq);
  if (type !== "new_message") return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  list.append(messageItem(payload));
  noteOldest(payload.seq);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

async function loadOlder() {
  if (loadingOlder || oldestSeq === 0 || element("older").hidden) return;
  loadingOlder = true;
  try {
    const page = await connection.request("get_history", { room_id: room, before_seq: oldestSeq, limit: PAGE });
    const height = log.scrollHeight;
    list.prepend(
      ...page.events.filter(({ type }) => type === "new_message").map(({ payload }) => messageItem(payload)),
    );
    log.scrollTop += log.scrollHeight - height; // what was being read stays where it was
    if (page.events.length > 0) oldestSeq = page.events[0].payload.seq;
    element("older").hidden = !page.has_more;
  } catch (error) {
    showProblem(error.message);
  } finally {
    loadingOlder = false;
  }
}

function noteOldest(seq) {
  if (oldestSeq !== 0) return;
  oldestSeq = seq;
  element("older").hidden = false;
}

/** Everything a user wrote goes in as text, never as markup. */
function messageItem(message) {
  const item = document.createElement("li");
  item.dataset.seq = message.seq;
  const sent = document.createElement("time");
  sent.dateTime = message.sent;
  sent.textContent = new Date(message.sent).toLocaleTimeString();
  const name = document.createElement("strong");
  name.textContent = message.from ?? message.username;
  const text = document.createElement("span");
  text.textContent = message.message;
  item.append(sent, " ", name, " ", text);
  if (message.image_url !== undefined) item.append(" ", imageLink(message.image_url));
  return item;
}

function imageLink(url) {
  const link = document.createElement("a");
  link.textContent = "picture";
  link.rel = "noreferrer noopener";
  link.target = "_blank";
  if (url.startsWith("https://")) link.href = url;
  return link;
}

function markDeleted(seq) {
  const item = list.querySelector(`[data-seq="${Number(seq)}"]`);
  if (item === null) return;
  item.className = "deleted";
  item.textContent = "message deleted";
}

function changeMembers({ room_id, count }, joined, left) {
  if (room_id !== room) return;
  for (const { uid } of left) members.delete(uid);
  for (const { uid, username } of joined) members.set(uid, username);
  const names = [...members.values()].slice(0, MEMBERS_SHOWN).sort();
  element("count").textContent = count;
  element("members").replaceChildren(
    ...names.map((name) => Object.assign(document.createElement("li"), { textContent: name })),
  );
}

function setComposerEnabled(enabled) {
  for (const control of composer.elements) control.disabled = !enabled;
}

function showProblem(text) {
  element("problem").textContent = text;
  element("problem").hidden = text === "";
}
