// The idiomatic broadcast of ws, fed by Redis. It knows no users.

import { createClient } from "redis";
import WebSocket, { WebSocketServer } from "ws";

const port = Number(process.argv[2]);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port,
  perMessageDeflate: false,
});

server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.once("message", () => socket.send('{"type": "ready"}'));
});

const redis = createClient({ url: process.env.REDIS_URL });
await redis.connect();
await redis.subscribe("events", (message) => {
  for (const client of server.clients) {
    if (client.readyState === WebSocket.OPEN) {
      client.send(message);
    }
  }
});
