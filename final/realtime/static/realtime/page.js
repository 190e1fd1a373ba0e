/**
 * What `{% realtime %}` adds to a page: it connects, and tells scripts of the page.
 *
 *     document.addEventListener("realtime:event", ({ detail }) => {
 *       console.log(detail.object, detail.message);
 *     });
 *
 * Style sheets may read the state: `[data-realtime="waiting"] .offline { … }`.
 */

import { Connection } from "./client.js";

const { url, token, tokenUrl } = document.getElementById("realtime").dataset;

new Connection({
  url,
  token,
  tokenUrl,
  onEvent: (detail) =>
    document.dispatchEvent(new CustomEvent("realtime:event", { detail })),
  onState: (state) => (document.documentElement.dataset.realtime = state),
}).start();
