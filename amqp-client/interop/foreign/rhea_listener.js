#!/usr/bin/env node
// A foreign AMQP listener on rhea for WebSocket clients, without TLS and, on the next port, in TLS: each node keeps what it gets for
// whoever receives from it.
'use strict';

const { readFileSync } = require('node:fs');
const https = require('node:https');
const rhea = require('rhea');
const { WebSocketServer } = require('ws');

const container = rhea.create_container({ id: 'rhea-listener' });
container.sasl_server_mechanisms.enable_anonymous();

const nodes = new Map();
function node(address) {
  if (!nodes.has(address)) nodes.set(address, []);
  return nodes.get(address);
}

container.on('receiver_open', ({ receiver }) => receiver.set_target({ address: receiver.remote.attach.target.address }));
container.on('sender_open', ({ sender }) => sender.set_source({ address: sender.remote.attach.source.address }));
container.on('message', ({ receiver, message }) => node(receiver.remote.attach.target.address).push(message));
container.on('sendable', ({ sender }) => {
  const waiting = node(sender.remote.attach.source.address);
  while (sender.sendable() && waiting.length > 0) sender.send(waiting.shift());
});
container.on('disconnected', () => {});

const [port, certificate, key] = process.argv.slice(2);
const handleProtocols = (offered) => (offered.has('amqp') ? 'amqp' : false);
const serve = (server) => server.on('connection', (socket) => container.websocket_accept(socket));
const secure = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) });
secure.on('tlsClientError', () => {});
serve(new WebSocketServer({ server: secure, handleProtocols }));
secure.listen(Number(port) + 1, '127.0.0.1', () => {
  const plain = serve(new WebSocketServer({ host: '127.0.0.1', port: Number(port), handleProtocols }));
  plain.on('listening', () => process.stdout.write('listening\n'));
});
