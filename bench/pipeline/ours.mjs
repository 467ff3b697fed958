// A processor of ours: the library as it is, or (`library`) a copy whose threads run the script as a native function.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { serveBenchmark } from './child.mjs';
import { createEntities } from './schema.mjs';

const config = JSON.parse(process.env.BENCH_CONFIG);
const library = await import(config.library);
const { SandboxModule, SandboxEvents, databasePerTenant } = library;
const entities = Object.values(createEntities(library));
const TURNS = Symbol.for('nestjs-sandbox:turns');

class Application {}
Module({
  imports: [
    SandboxModule.forRoot({
      tenancy: databasePerTenant({
        tenants: Object.keys(config.tenants),
        dataSource: (tenantId) => ({
          type: 'postgres',
          url: config.tenants[tenantId],
          entities,
          poolSize: config.poolSize,
        }),
      }),
      queue: { connection: { url: config.redisUrl }, prefix: config.prefix },
      capture: { enabled: false },
      processing: { enabled: true, ...config.processing },
    }),
  ],
})(Application);

const app = await NestFactory.createApplicationContext(Application, { logger: ['error', 'warn'] });
const turns = app.get(TURNS, { strict: false });
const events = app.get(SandboxEvents, { strict: false });
const all = (work) => Promise.all(Object.keys(config.tenants).map(work));
const effect = serveBenchmark({
  begin: () => all((tenantId) => turns.resume(tenantId)),
  halt: () => all((tenantId) => turns.pause(tenantId)),
  close: () => app.close(),
});
events.on('action.finished', ({ outcome }) => {
  if (outcome !== 'ok') process.send({ failed: outcome });
  effect();
});
events.on('background.error', ({ where, error }) => console.error('background.error', where, error));
events.on('action.retried', ({ error }) => console.error('action.retried', error));
