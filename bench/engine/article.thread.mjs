// The article's way: stock js-interpreter, a new interpreter for every action, calls of the host through the port.
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';

const require = createRequire(import.meta.url);
// the package's minified build hangs its class onto the global object
const loaded = require('js-interpreter');
const Interpreter = loaded.default ?? loaded.Interpreter ?? loaded;

const PRELUDE = `
var context = {};
context.query = function (fetch) { return JSON.parse(__query(JSON.stringify(fetch))); };
context.execute = function (requests) { return JSON.parse(__execute(JSON.stringify(requests))); };
context.sendEmail = function (mail) { return JSON.parse(__sendEmail(JSON.stringify(mail))); };
var input = JSON.parse(action);
context.record = input.record;
context.prevRecord = input.prevRecord || {};
context.userId = input.userId;
`;

let answered;
let paused;

function ask(method) {
  return (argument, callback) => {
    paused = new Promise((resolve) => {
      answered = (text) => {
        callback(text);
        resolve();
      };
    });
    parentPort.postMessage({ method, argument });
  };
}

async function execute({ source, input }) {
  let result;
  const interpreter = new Interpreter(PRELUDE + source, (i, globals) => {
    i.setProperty(globals, '__query', i.createAsyncFunction(ask('query')));
    i.setProperty(globals, '__execute', i.createAsyncFunction(ask('execute')));
    i.setProperty(globals, '__sendEmail', i.createAsyncFunction(ask('sendEmail')));
    i.setProperty(globals, 'action', input);
    i.setProperty(
      globals,
      'setResult',
      i.createNativeFunction((value) => (result = value)),
    );
  });
  let steps = 0;
  let startedAt = performance.now();
  for (;;) {
    if (interpreter.paused_ && paused) {
      await paused;
      startedAt = performance.now();
    }
    if (!interpreter.step()) break;
    if ((++steps & 0xfff) === 0 && performance.now() - startedAt > 100) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      startedAt = performance.now();
    }
  }
  parentPort.postMessage({ result });
}

parentPort.on('message', (message) => {
  if (message.run) void execute(message.run);
  else answered(message.answer);
});
