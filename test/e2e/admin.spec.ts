// The admin API over HTTP: who is let in, every route, every kind of refusal.
import { type CanActivate, type ExecutionContext, Global, Inject, Injectable, Module } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import { SandboxAdminModule } from '../../libs/sandbox/src/admin/admin.module.js';
import type { SandboxAdminOptions } from '../../libs/sandbox/src/admin/admin-options.js';
import { MissingAdminGuardError } from '../../libs/sandbox/src/errors/admin.errors.js';
import { DRY_RUNNER } from '../../libs/sandbox/src/scripts/dry-runner.js';
import { HOST_METHODS } from '../../libs/sandbox/src/scripts/script-types.js';
import { Fixture, type Instance } from './scripts.fixture.js';

const KEY = Symbol('key');

@Global()
@Module({ providers: [{ provide: KEY, useValue: 'secret' }], exports: [KEY] })
class KeyModule {}

@Injectable()
class KeyGuard implements CanActivate {
  constructor(@Inject(KEY) private readonly key: string) {}

  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers.authorization === this.key;
  }
}

const fixture = new Fixture();
let instance: Instance;
let app: NestExpressApplication;

beforeAll(async () => {
  await fixture.start();
  const dryRunner = {
    dryRun: ({ source, change }: { source: string; change: unknown }) =>
      Promise.resolve({ outcome: 'ok', value: { source, change }, logs: [], changes: [], emails: [], usage: {} }),
  };
  instance = await fixture.instance({
    imports: [KeyModule, SandboxAdminModule.forRoot({ guard: KeyGuard })],
    providers: [
      { provide: DRY_RUNNER, useValue: dryRunner },
      { provide: HOST_METHODS, useValue: () => ['inventory.reserve'] },
    ],
  });
  app = instance.module.createNestApplication<NestExpressApplication>();
  app.useBodyParser('json', { limit: '1mb' });
  await app.init();
});
afterAll(async () => {
  await app?.close();
  await fixture.stop();
});

type Method = 'get' | 'post' | 'put' | 'delete';
const call = (method: Method, path: string, body?: object | string, tenant = 'acme') =>
  request(app.getHttpServer())
    [method](`/sandbox/${path}`)
    .set({
      authorization: 'secret',
      'x-tenant-id': tenant,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    })
    .send(body);

const definition = { entity: 'order', on: ['create'], source: 'setResult(1)' };

describe('who is let in', () => {
  it('asks the guard for every route', async () => {
    const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method as Method, path.replace(/\{.*?\}/, 'x')] as const),
    );
    expect(routes).toHaveLength(17);
    for (const [method, path] of routes) {
      const response = await request(app.getHttpServer())[method](path).set('x-tenant-id', 'acme');
      expect([path, response.status]).toEqual([path, 403]);
    }
  });

  it.each<[string, unknown]>([
    ['no guard', {}],
    ['no options', undefined],
    ['an empty list of guards', { guards: [] }],
    ['a guard that is none', { guard: 'AdminGuard' }],
    ['an undefined one', { guards: [undefined] }],
  ])('refuses to start with %s', (_, options) => {
    expect(() => SandboxAdminModule.forRoot(options as SandboxAdminOptions)).toThrow(MissingAdminGuardError);
    expect(() => SandboxAdminModule.register(options as SandboxAdminOptions)).toThrow(/SandboxAdminModule/);
    expect(() => SandboxAdminModule.forRootAsync(options as SandboxAdminOptions)).toThrow(MissingAdminGuardError);
  });

  it('refuses to start when it is imported without forRoot', async () => {
    const compiled = Test.createTestingModule({ imports: [SandboxAdminModule] }).compile();
    await expect(compiled).rejects.toMatchObject({ code: 'SANDBOX_MISSING_ADMIN_GUARD' });
  });

  it('asks for a tenant, and for one that there is', async () => {
    const without = await request(app.getHttpServer()).get('/sandbox/scripts').set('authorization', 'secret');
    expect([without.status, without.body.code]).toEqual([400, 'SANDBOX_MISSING_TENANT']);
    const unknown = await call('get', 'scripts', undefined, 'nobody');
    expect([unknown.status, unknown.body.code]).toEqual([404, 'SANDBOX_UNKNOWN_TENANT']);
    const invalid = await call('get', 'actions', undefined, 'a:b');
    expect([invalid.status, invalid.body.code]).toEqual([400, 'SANDBOX_INVALID_TENANT_ID']);
  });
});

describe('scripts', () => {
  it('are deployed, listed, shown, switched, rolled back and deleted', async () => {
    const put = await call('put', 'scripts/total', definition);
    expect([put.status, put.body]).toEqual([
      200,
      expect.objectContaining({ name: 'total', version: 1, newVersion: true }),
    ]);
    const post = await call('post', 'scripts', { ...definition, name: 'other', enabled: false });
    expect([post.status, post.body.enabled]).toEqual([201, false]);
    expect((await call('put', 'scripts/total', { ...definition, source: '2' })).body.version).toBe(2);
    const list = await call('get', 'scripts');
    expect(list.body.map(({ name, version }: never) => [name, version])).toEqual([
      ['other', 1],
      ['total', 2],
    ]);
    expect((await call('get', 'scripts', undefined, 'globex')).body).toEqual([]);
    expect((await call('get', 'scripts/total')).body).toMatchObject({ source: '2', entity: 'order', on: ['create'] });
    expect((await call('post', 'scripts/total/disable')).body).toMatchObject({ enabled: false });
    const enabled = await call('post', 'scripts/total/enable');
    expect([enabled.status, enabled.body.enabled]).toEqual([200, true]);
    expect((await call('post', 'scripts/total/rollback')).body).toMatchObject({ version: 1 });
    expect((await call('post', 'scripts/total/rollback', { version: 2 })).body).toMatchObject({ version: 2 });
    expect((await call('get', 'scripts/total/versions')).body).toMatchObject([
      { version: 2, current: true },
      { version: 1 },
    ]);
    expect((await call('delete', 'scripts/total')).status).toBe(204);
    expect((await call('get', 'scripts/total')).status).toBe(404);
  });

  it('are checked and tried', async () => {
    expect((await call('post', 'check', { source: '1 +' })).body).toMatchObject({ ok: false, error: { line: 1 } });
    expect((await call('post', 'check', { source: '1' })).body).toEqual({ ok: true });
    await call('put', 'scripts/tried', definition);
    const tried = await call('post', 'scripts/tried/dry-run', { record: { status: 'x' }, source: '7' });
    expect([tried.status, tried.body.value.source]).toEqual([200, '7']);
    expect((await call('post', 'scripts/tried/dry-run')).body.value.change).toMatchObject({ operation: 'create' });
  });

  it('are described to editors', async () => {
    const types = await call('get', 'types.d.ts');
    expect(types.headers['content-type']).toMatch(/^text\/plain/);
    expect(types.text).toContain('declare const context: Sandbox.Context');
    expect(types.text).toContain('readonly inventory: { readonly reserve: (args?: unknown) => any; };');
    expect((await call('get', 'types.d.ts?entity=nothing')).status).toBe(422);
  });

  it('may be as long as the limit', async () => {
    const source = `// ${'"'.repeat(100 * 1024 - 3)}`;
    expect((await call('put', 'scripts/long', { ...definition, source })).status).toBe(200);
    const longer = await call('put', 'scripts/long', { ...definition, source: `${source}"` });
    expect([longer.status, longer.body.code]).toEqual([422, 'SANDBOX_SOURCE_TOO_LONG']);
  });

  it.each<[string, Method, string, object | string | undefined, number, string]>([
    [
      'a script that does not parse',
      'put',
      'scripts/bad',
      { ...definition, source: 'let = 1;;' + '(' },
      422,
      'SANDBOX_SCRIPT_SYNTAX',
    ],
    ['an unknown entity', 'put', 'scripts/bad', { ...definition, entity: 'x' }, 422, 'SANDBOX_UNKNOWN_TRIGGER_ENTITY'],
    [
      'a limit above the ceiling',
      'put',
      'scripts/bad',
      { ...definition, limits: { emails: 99 } },
      422,
      'SANDBOX_LIMIT_ABOVE_CEILING',
    ],
    ['an unknown property', 'put', 'scripts/bad', { ...definition, sauce: 1 }, 400, 'SANDBOX_INVALID_SCRIPT'],
    ['another name in the body', 'put', 'scripts/bad', { ...definition, name: 'good' }, 400, 'SANDBOX_INVALID_SCRIPT'],
    ['an array', 'put', 'scripts/bad', [], 400, 'SANDBOX_INVALID_SCRIPT'],
    ['no body', 'put', 'scripts/bad', undefined, 422, 'SANDBOX_UNKNOWN_TRIGGER_ENTITY'],
    ['no name', 'post', 'scripts', definition, 400, 'SANDBOX_INVALID_SCRIPT'],
    ['an unknown script', 'post', 'scripts/none/enable', undefined, 404, 'SANDBOX_SCRIPT_NOT_FOUND'],
    ['an odd version', 'post', 'scripts/none/rollback', { version: '1' }, 400, 'SANDBOX_INVALID_SCRIPT'],
    ['an unknown action', 'get', 'actions/none', undefined, 404, 'SANDBOX_ACTION_NOT_FOUND'],
    ['an unknown status', 'get', 'actions?status=over', undefined, 400, 'SANDBOX_INVALID_ACTION_FILTER'],
    ['an unknown filter', 'get', 'actions?state=done', undefined, 400, 'SANDBOX_INVALID_ACTION_FILTER'],
    ['a filter given twice', 'get', 'actions?script=a&script=b', undefined, 400, 'SANDBOX_INVALID_ACTION_FILTER'],
    ['an odd limit', 'get', 'actions?limit=all', undefined, 400, 'SANDBOX_INVALID_ACTION_FILTER'],
  ])('refuse %s', async (_, method, path, body, status, code) => {
    const response = await call(method, path, body);
    expect(response.body).toEqual({ code, message: expect.any(String), details: expect.any(Object) });
    expect(response.status).toBe(status);
  });

  it('say where a script does not parse', async () => {
    const { body } = await call('put', 'scripts/bad', { ...definition, source: 'const a = 1;\nconst b = ;' });
    expect(body.details.error).toMatchObject({ line: 2, column: 11, frame: expect.stringContaining('^') });
  });
});

describe('actions', () => {
  const insert = async (columns: string, values: string) => {
    const lease = await instance.tenancy.lease('acme');
    const base = `id, script_id, script_name, script_version, entity, operation, record_id, change`;
    const { rows } = await lease.sql.query<{ id: string }>({
      text: `insert into sandbox_action (${base}, ${columns}) select gen_random_uuid(), id, name, 1, 'order', 'create', '1',
        '{"record":{},"prevRecord":{},"changed":[]}', ${values} from sandbox_script where name = 'acted' returning id`,
    });
    lease.release();
    return rows[0]!.id;
  };

  it('are listed, shown, retried, replayed and cancelled', async () => {
    await call('put', 'scripts/acted', definition);
    const failed = await insert('status, finished_at', `'failed', now()`);
    const waiting = await insert('queued_at', 'now()');
    const page = await call('get', 'actions?script=acted&limit=1&status=');
    expect(page.body).toMatchObject({ items: [{ id: waiting, status: 'queued' }], nextCursor: expect.any(String) });
    const next = await call('get', `actions?script=acted&cursor=${page.body.nextCursor}`);
    expect(next.body).toMatchObject({ items: [{ id: failed, status: 'failed' }], nextCursor: null });
    expect((await call('get', `actions/${failed}`)).body).toMatchObject({ id: failed, executions: [], emails: [] });
    const replayed = await call('post', `actions/${failed}/replay`);
    expect([replayed.status, replayed.body.status]).toEqual([200, 'pending']);
    expect((await call('post', `actions/${failed}/retry`)).body).toMatchObject({ id: failed, status: 'pending' });
    expect((await call('post', `actions/${waiting}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    const again = await call('post', `actions/${waiting}/cancel`);
    expect([again.status, again.body.code]).toEqual([409, 'SANDBOX_ACTION_STATE']);
    expect(instance.dispatched.map(({ id }) => id)).toEqual([replayed.body.id, failed]);
  });
});

describe('another mounting', () => {
  it('has a path, guards and a way to the tenant of its own', async () => {
    const allow: CanActivate = { canActivate: () => true };
    const other = await fixture.instance({
      imports: [
        SandboxAdminModule.forRootAsync({
          guards: [allow],
          path: 'admin/scripting',
          useFactory: () => ({ tenant: (incoming) => String(incoming.headers.host).split('.')[0] }),
        }),
      ],
    });
    const server = other.module.createNestApplication();
    await server.init();
    const response = await request(server.getHttpServer())
      .get('/admin/scripting/scripts')
      .set('host', 'globex.example');
    expect([response.status, response.body]).toEqual([200, []]);
    expect((await request(server.getHttpServer()).get('/sandbox/scripts')).status).toBe(404);
    await server.close();
  });
});

it('describes itself in OpenAPI', () => {
  const document = SwaggerModule.createDocument(
    app,
    new DocumentBuilder().addBearerAuth().addGlobalParameters({ name: 'x-tenant-id', in: 'header' }).build(),
  );
  const put = document.paths['/sandbox/scripts/{name}']!.put!;
  expect(put.summary).toMatch(/^Deploy a script/);
  expect(put.security).toEqual([{ bearer: [] }]);
  expect(put.requestBody).toMatchObject({
    content: { 'application/json': { schema: { required: ['entity', 'on', 'source'] } } },
  });
  const names = put.parameters!.map((parameter) => ('name' in parameter ? parameter.name : ''));
  expect(names.sort((a, b) => a.localeCompare(b))).toEqual(['name', 'x-tenant-id']);
});
