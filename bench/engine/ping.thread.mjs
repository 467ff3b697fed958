// A bare ping-pong: what a round trip between two threads costs with nothing in it.
import { parentPort } from 'node:worker_threads';

parentPort.on('message', (message) => parentPort.postMessage(message));
