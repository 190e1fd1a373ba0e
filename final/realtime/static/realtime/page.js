/**
 * What `{% realtime %}` adds to a page: it connects, and tells scripts of the page.
 *
 *     document.addEventListener("realtime:event", ({ detail }) => {
 *       console.log(detail.object, detail.message);
 *     });
 *     document.addEventListener("realtime:resync", () => {
 *       setTimeout(() => location.reload(), 10_000 * Math.random()); // not all at once
 *     });
 *
 * Style sheets may read the state: `[data-realtime="waiting"] .offline { … }`.
 */

import { Connection } from "./client.js";

const { url, token, tokenUrl, after } = document.getElementById("realtime").dataset;

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`realtime:${name}`, { detail }));
}

new Connection({
  url,
  token,
  tokenUrl,
  after,
  onEvent: (event) => tell("event", event),
  onState: (state) => (document.documentElement.dataset.realtime = state),
  onResync: () => tell("resync"),
}).start();
