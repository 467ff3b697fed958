// The article's way: a table that one background thread polls, one action at a time, stock js-interpreter, every access to
// the data posted to the main thread, which does it through TypeORM. Polls every 100 ms when there is nothing to do.
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { DataSource } from 'typeorm';
import { serveBenchmark } from './child.mjs';
import { createEntities, SCRIPT } from './schema.mjs';

const PRELUDE = `
var context = {};
context.query = function (q) { return JSON.parse(__query(JSON.stringify(q))); };
context.execute = function (r) { return JSON.parse(__execute(JSON.stringify(r))); };
context.sendEmail = function (m) { __sendEmail(JSON.stringify(m)); return 1; };
context.action = JSON.parse(action);
context.record = context.action.record;
`;

async function main() {
  const config = JSON.parse(process.env.BENCH_CONFIG);
  const { Customer, Order } = createEntities();
  const [url] = Object.values(config.tenants);
  const source = await new DataSource({ type: 'postgres', url, entities: [Customer, Order], poolSize: 2 }).initialize();
  const customers = source.getRepository(Customer);
  const answers = {
    next: async () => (await source.query(`select * from article_action where status = 'new' order by id limit 1`))[0],
    update: ({ id, status, result }) =>
      source.query('update article_action set status = $2, result = $3 where id = $1', [id, status, result]),
    query: (query) => customers.findBy(query.where),
    execute: ([{ id, increment }]) => customers.increment({ id }, 'total', increment.total),
  };
  const worker = new Worker(new URL(import.meta.url));
  const effect = serveBenchmark({
    begin: () => worker.postMessage({ go: true }),
    halt: () => worker.postMessage({ go: false }),
    close: () => worker.terminate(),
  });
  worker.on('message', async ({ id, kind, data }) => {
    if (kind === 'done') return effect();
    worker.postMessage({ id, answer: (await answers[kind](data)) ?? null });
  });
}

function background() {
  const Interpreter = createRequire(import.meta.url)('js-interpreter');
  const waiting = new Map();
  let going = false;
  let next = 0;
  const ask = (kind, data) =>
    new Promise((resolve) => {
      waiting.set(++next, resolve);
      parentPort.postMessage({ id: next, kind, data });
    });
  parentPort.on('message', (message) => {
    if ('go' in message) going = message.go;
    else {
      waiting.get(message.id)(message.answer);
      waiting.delete(message.id);
    }
  });

  async function runAction(action) {
    let pending = Promise.resolve();
    let result;
    const bridge = (kind) => (text, callback) => {
      pending = ask(kind, JSON.parse(text)).then((answer) => callback(JSON.stringify(answer)));
    };
    const interpreter = new Interpreter(PRELUDE + SCRIPT, (i, scope) => {
      i.setProperty(scope, '__query', i.createAsyncFunction(bridge('query')));
      i.setProperty(scope, '__execute', i.createAsyncFunction(bridge('execute')));
      i.setProperty(
        scope,
        '__sendEmail',
        i.createNativeFunction(() => undefined),
      );
      i.setProperty(scope, 'action', JSON.stringify(action));
      i.setProperty(
        scope,
        'setResult',
        i.createNativeFunction((value) => (result = value)),
      );
    });
    for (;;) {
      if (interpreter.paused_) await pending;
      if (!interpreter.step()) break;
    }
    return String(result);
  }

  async function loop() {
    const action = going ? await ask('next') : undefined;
    if (!action) return void setTimeout(loop, 100);
    await ask('update', { id: action.id, status: 'done', result: null });
    const result = await runAction(action);
    await ask('update', { id: action.id, status: 'done', result });
    parentPort.postMessage({ kind: 'done' });
    setImmediate(loop);
  }
  void loop();
}

if (isMainThread) await main();
else background();
