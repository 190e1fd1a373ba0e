/** The page: it shows the state of the connection, and the events, newest first. */

import { Connection } from "./client.js";

const MOST = 100; // events

const page = document.getElementById("feed");
const state = document.getElementById("state");
const login = document.getElementById("login");
const events = document.getElementById("events");
const template = document.getElementById("event");
const gap = document.getElementById("gap");

const WORDS = {
  connecting: () => "Connecting …",
  live: () => "Live",
  waiting: (nextTry) => `Connection lost. Next try at ${nextTry.toLocaleTimeString()}.`,
  refused: () => "You are not allowed to see events any more.",
};

function showState(name, nextTry) {
  state.dataset.state = name;
  state.textContent = WORDS[name](nextTry);
  login.hidden = name !== "refused";
}

/** Add an event to the page. It may contain anything, so it is text, never HTML. */
function showEvent(event) {
  const item = template.content.cloneNode(true);
  const field = (name) => item.querySelector(`[data-field=${name}]`);
  for (const name of ["object", "model", "user"]) field(name).textContent = event[name];
  field("message").textContent = event.message || "Deleted."; // Django leaves it empty
  field("timestamp").textContent = new Date(event.timestamp).toLocaleTimeString();
  field("timestamp").dateTime = event.timestamp;
  add(item);
}

/** Say on the page that events may be missing here. */
function showGap() {
  add(gap.content.cloneNode(true));
}

function add(item) {
  events.prepend(item);
  if (events.children.length > MOST) events.lastElementChild.remove();
}

new Connection({
  url: page.dataset.url,
  token: page.dataset.token,
  after: page.dataset.after,
  tokenUrl: page.dataset.tokenUrl,
  onEvent: showEvent,
  onState: showState,
  onResync: showGap,
}).start();
