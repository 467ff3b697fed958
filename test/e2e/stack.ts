// One process with everything in it, for end-to-end specs: real PostgreSQL, real BullMQ on Redis or PostgreSQL, a real
// SMTP server, the shop's entities, one tenant database each.
import { randomBytes } from 'node:crypto';
import { MailerModule } from '@nestjs-modules/mailer';
import type { INestApplicationContext, Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ParsedMail, simpleParser } from 'mailparser';
import {
  ActionsService,
  databasePerTenant,
  SandboxModule,
  type SandboxModuleOptions,
  ScriptsService,
  TenantDataSources,
} from 'nestjs-sandbox';
import { Client } from 'pg';
import { Customer, Order, ensureTenantDatabase, tenantDataSourceOptions } from 'shop';
import { SMTPServer } from 'smtp-server';
import { until } from '../support/processes.mjs';

/** What a spec may choose. */
export interface StackOptions {
  readonly queue?: 'redis' | 'postgres';
  /** Providers of the host, such as bridge services. */
  readonly providers?: readonly Provider[];
  readonly module?: Partial<SandboxModuleOptions>;
}

/** The running stack. */
export interface Stack {
  readonly app: INestApplicationContext;
  readonly scripts: ScriptsService;
  readonly actions: ActionsService;
  /** Two tenants with databases of their own. */
  readonly acme: string;
  readonly globex: string;
  /** Mails that reached the SMTP server, to this address; waits until there is one and no row is unsent. */
  mailsTo(address: string): Promise<readonly ParsedMail[]>;
  createCustomer(tenantId: string, name?: string): Promise<Customer>;
  createOrder(tenantId: string, customer: Customer, amount: string): Promise<Order>;
  customer(tenantId: string, id: string): Promise<Customer>;
  /** Deploys a script, named `test` and listening to created orders unless said otherwise. */
  deploy(tenantId: string, source: string, more?: object): Promise<unknown>;
  /** Resolves once no action of the tenant is unfinished. */
  settled(tenantId: string): Promise<void>;
  close(): Promise<void>;
}

const server = process.env.TEST_DATABASE_URL as string;

/** Starts it; databases, queues and mail server belong to the spec alone. */
export async function startStack({ queue = 'redis', providers = [], module = {} }: StackOptions = {}): Promise<Stack> {
  const run = randomBytes(4).toString('hex');
  const [acme, globex] = [`acme-${run}`, `globex-${run}`];
  const mails: ParsedMail[] = [];
  const smtp = await startSmtp(mails);
  const app = await NestFactory.createApplicationContext(
    hostModule(smtp.url, providers, {
      tenancy: databasePerTenant({
        tenants: [acme, globex],
        dataSource: async (tenantId: string) => {
          await ensureTenantDatabase(server, tenantId);
          return tenantDataSourceOptions(server, tenantId);
        },
      }),
      queue:
        queue === 'redis'
          ? { connection: { url: process.env.TEST_REDIS_URL as string }, prefix: `e2e-${run}` }
          : { backend: 'postgres', connection: server, prefix: `e2e_${run}` },
      processing: { enabled: true, threads: 2 },
      ...module,
    }),
    { logger: ['error', 'warn'], abortOnError: false },
  );
  return {
    ...stackMethods(app, acme, globex, mails),
    async close() {
      await app.close();
      await smtp.close();
      await dropAll(run, [acme, globex]);
    },
  };
}

function hostModule(smtpUrl: string, providers: readonly Provider[], options: SandboxModuleOptions) {
  @Module({
    imports: [
      MailerModule.forRoot({ transport: smtpUrl, defaults: { from: 'shop@example.test' } as never }),
      SandboxModule.forRoot(options),
    ],
    providers: [...providers],
  })
  class HostModule {}
  return HostModule;
}

function stackMethods(app: INestApplicationContext, acme: string, globex: string, mails: readonly ParsedMail[]) {
  const tenants = app.get(TenantDataSources);
  const scripts = app.get(ScriptsService);
  const actions = app.get(ActionsService);
  return {
    app,
    scripts,
    actions,
    acme,
    globex,
    mailsTo: async (address: string) => {
      const to = () => mails.filter((mail) => [mail.to].flat().some((list) => list?.text.includes(address)));
      await until(() => to().length > 0, { what: `a mail to ${address}` });
      return to();
    },
    createCustomer: (tenantId: string, name = 'Ada') =>
      tenants.run(tenantId, { userId: 'ann' }, (source) =>
        source
          .getRepository(Customer)
          .save({ name, email: `${name.toLowerCase().replaceAll(' ', '.')}@example.test` } as Customer),
      ),
    createOrder: (tenantId: string, customer: Customer, amount: string) =>
      tenants.run(tenantId, { userId: 'ann' }, (source) =>
        source.getRepository(Order).save({ customerId: customer.id, amount } as Order),
      ),
    customer: (tenantId: string, id: string) =>
      tenants.run(tenantId, {}, (source) => source.getRepository(Customer).findOneByOrFail({ id })),
    deploy: (tenantId: string, source: string, more: object = {}) =>
      scripts.deploy(tenantId, { name: 'test', entity: 'order', on: ['create'], source, ...more }),
    settled: (tenantId: string) =>
      until(
        () =>
          tenants.run(tenantId, {}, async (source) => {
            const [{ open }] = (await source.query(
              'select count(*)::int as open from sandbox_action where finished_at is null',
            )) as [{ open: number }];
            return open === 0;
          }),
        { what: 'all actions to finish' },
      ) as Promise<void>,
  };
}

async function startSmtp(mails: ParsedMail[]) {
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData: (stream, _session, done) => {
      simpleParser(stream).then((mail) => (mails.push(mail), done()), done);
    },
  });
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', resolve));
  const { port } = smtp.server.address() as { port: number };
  return {
    url: `smtp://127.0.0.1:${port}`,
    close: () => new Promise<void>((resolve) => smtp.close(() => resolve())),
  };
}

async function dropAll(run: string, tenants: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    for (const tenantId of tenants) await client.query(`drop database if exists "shop_${tenantId}" with (force)`);
    await client.query(`drop schema if exists "e2e_${run}" cascade`);
  } finally {
    await client.end();
  }
}
