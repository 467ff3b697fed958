// Deploying scripts: what is refused, what is written, and how soon it is in force, in this process and in others.
import { DRY_RUNNER, type DryRunRequest } from '../../libs/sandbox/src/scripts/dry-runner.js';
import { ScriptsService, type DryRun } from '../../libs/sandbox/src/scripts/scripts.service.js';
import type { DeployRequest } from '../../libs/sandbox/src/scripts/deploy-request.js';
import type { TenantLease } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { deployOf, Fixture, type Instance, loadIn, SalesOrder } from './scripts.fixture.js';

const fixture = new Fixture();
const dryRuns: DryRunRequest[] = [];
let first: Instance;
let second: Instance;
let scripts: ScriptsService;

beforeAll(async () => {
  await fixture.start();
  const report = {
    outcome: 'ok',
    logs: [],
    changes: [],
    emails: [],
    usage: { cpuMs: 1, wallMs: 1, waitMs: 0, calls: 0 },
  };
  const dryRunner = { dryRun: (request: DryRunRequest) => Promise.resolve((dryRuns.push(request), report)) };
  first = await fixture.instance({ providers: [{ provide: DRY_RUNNER, useValue: dryRunner }] });
  second = await fixture.instance();
  scripts = first.module.get(ScriptsService);
});
afterAll(() => fixture.stop());

async function withSql<T>(work: (lease: TenantLease) => Promise<T>, tenant = 'acme'): Promise<T> {
  const lease = await first.tenancy.lease(tenant);
  try {
    return await work(lease);
  } finally {
    lease.release();
  }
}

const revision = () =>
  withSql(async ({ sql }) =>
    Number((await sql.query({ text: 'select revision from sandbox_revision' })).rows[0]?.revision),
  );

describe('deploy', () => {
  it('writes the script, its first version and a new revision', async () => {
    const before = await revision();
    const request = deployOf({
      on: ['update', 'create', 'create'],
      when: { record: { amount: { gt: 10 } } },
      order: 'record',
      engine: 'js-interpreter',
      limits: { cpuMs: 2_000 },
      retries: 2,
      language: 'typescript',
      source: 'const n: number = 1; setResult(n)',
      createdBy: 'jo',
    });
    const deployed = await scripts.deploy('acme', request);
    expect(deployed).toMatchObject({
      ...request,
      on: ['create', 'update'],
      version: 1,
      enabled: true,
      newVersion: true,
    });
    expect(await revision()).toBe(before + 1);
    expect(await scripts.get('acme', request.name)).toEqual({ ...deployed, newVersion: undefined });
    expect((await scripts.list('acme')).map(({ name }) => name)).toContain(request.name);
    expect(await scripts.list('globex')).toEqual([]);
    const index = await loadIn(first);
    const script = index.script(deployed.id);
    expect(script).toMatchObject({ version: 1, compiled: { engine: 'js-interpreter' }, source: request.source });
  });

  it('makes a new version only of something new', async () => {
    const request = deployOf({ when: { changed: ['amount'], record: { status: 'open' } } });
    await scripts.deploy('acme', request);
    const before = await revision();
    const same = await scripts.deploy('acme', {
      ...request,
      when: { record: { status: 'open' }, changed: ['amount'] },
    });
    expect(same).toMatchObject({ version: 1, newVersion: false });
    expect(await revision()).toBe(before);
    const changed = await scripts.deploy('acme', { ...request, source: 'setResult(2)' });
    expect(changed).toMatchObject({ version: 2, newVersion: true });
    const redefined = await scripts.deploy('acme', { ...request, source: 'setResult(2)', retries: 1 });
    expect(redefined).toMatchObject({ version: 3, newVersion: true, retries: 1 });
    const versions = await scripts.versions('acme', request.name);
    expect(versions.map(({ version, current }) => [version, current])).toEqual([
      [3, true],
      [2, false],
      [1, false],
    ]);
  });

  it('loses no version and doubles none when one name is deployed from two processes at once', async () => {
    const { name } = deployOf();
    const others = second.module.get(ScriptsService);
    const deploys = Array.from({ length: 8 }, (_, index) =>
      (index % 2 ? scripts : others).deploy('acme', deployOf({ name, source: `setResult(${index})` })),
    );
    const deployed = await Promise.all(deploys);
    expect(deployed.map(({ version }) => version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const versions = await scripts.versions('acme', name);
    const sources = Object.fromEntries(versions.map(({ version, source }) => [version, source]));
    for (const { version, source } of deployed) expect(sources[version]).toBe(source);
  });

  it('keeps a script switched off when it is deployed again, unless told otherwise', async () => {
    const request = deployOf({ enabled: false });
    expect(await scripts.deploy('acme', request)).toMatchObject({ enabled: false });
    const again = { ...request, enabled: undefined, source: 'setResult(2)' };
    expect(await scripts.deploy('acme', again)).toMatchObject({ enabled: false, version: 2 });
    expect(await scripts.deploy('acme', { ...again, enabled: true })).toMatchObject({ enabled: true, version: 2 });
  });

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    [
      'an unknown entity',
      { entity: 'ordr' },
      'SANDBOX_UNKNOWN_TRIGGER_ENTITY',
      /"ordr" fires no scripts\. Entities that fire scripts: order \(did you mean "order"\?\)/,
    ],
    ['an entity that fires nothing', { entity: 'note' }, 'SANDBOX_UNKNOWN_TRIGGER_ENTITY', /"note" fires no scripts/],
    [
      'an unknown operation',
      { on: ['created'] },
      'SANDBOX_INVALID_SCRIPT',
      /^on: "created" never happens; order fires scripts on create, update$/,
    ],
    [
      'an operation that the entity does not fire',
      { on: ['delete'] },
      'SANDBOX_INVALID_SCRIPT',
      /^on: "delete" never happens/,
    ],
    ['no operation', { on: [] }, 'SANDBOX_INVALID_SCRIPT', /^on: expected an array of operations/],
    [
      'a name that fits no URL',
      { name: 'a/b' },
      'SANDBOX_INVALID_SCRIPT',
      /^name: expected 1 to 100 letters.*got "a\/b"$/,
    ],
    ['no name', { name: undefined }, 'SANDBOX_INVALID_SCRIPT', /^name: .*got undefined$/],
    [
      'a limit above the ceiling',
      { limits: { cpuMs: 300_001 } },
      'SANDBOX_LIMIT_ABOVE_CEILING',
      /^limits\.cpuMs: 300001 is above the ceiling of 300000/,
    ],
    [
      'a limit that does not exist',
      { limits: { cpu: 1 } },
      'SANDBOX_INVALID_SCRIPT',
      /^limits\.cpu: there is no such option; did you mean "cpuMs"\?/,
    ],
    [
      'a limit of the wrong type',
      { limits: { cpuMs: '1s' } },
      'SANDBOX_INVALID_SCRIPT',
      /^limits\.cpuMs: expected a positive number of milliseconds, got "1s"$/,
    ],
    [
      'an unknown engine',
      { engine: 'v8' },
      'SANDBOX_INVALID_SCRIPT',
      /^engine: expected one of "quickjs", "js-interpreter", got "v8"$/,
    ],
    ['an unknown language', { language: 'lua' }, 'SANDBOX_INVALID_SCRIPT', /^language: expected one of/],
    ['an unknown order', { order: 'fifo' }, 'SANDBOX_INVALID_SCRIPT', /^order: expected one of/],
    [
      'too many retries',
      { retries: 21 },
      'SANDBOX_INVALID_SCRIPT',
      /^retries: expected a whole number from 0 to 20, got 21$/,
    ],
    [
      'an unknown property',
      { sauce: '1' },
      'SANDBOX_INVALID_SCRIPT',
      /^sauce: there is no such property; did you mean "source"\?/,
    ],
    [
      'a condition that makes no sense',
      { when: { record: { amount: { gt: 'much' } } } },
      'SANDBOX_INVALID_SCRIPT',
      /^when\.record\.amount\.gt: /,
    ],
    ['no source', { source: undefined }, 'SANDBOX_INVALID_SCRIPT', /^source: expected a text, got undefined$/],
    ['a source with a NUL', { source: 'a\0b' }, 'SANDBOX_INVALID_SCRIPT', /^source: has a NUL character at offset 1/],
    ['half a surrogate pair', { source: '"\ud800"' }, 'SANDBOX_INVALID_SCRIPT', /^source: is not well-formed Unicode/],
    [
      'a source that is too long',
      { source: `//${'ä'.repeat(51_200)}` },
      'SANDBOX_SOURCE_TOO_LONG',
      /^source: 102402 bytes/,
    ],
    [
      'a text for enabled',
      { enabled: 'false' },
      'SANDBOX_INVALID_SCRIPT',
      /^enabled: expected true or false, got "false"$/,
    ],
  ])('refuses %s and writes nothing', async (_, wrong, code, message) => {
    const before = await revision();
    const request = { ...deployOf(), ...wrong } as DeployRequest;
    await expect(scripts.deploy('acme', request)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(await revision()).toBe(before);
  });

  it('refuses what does not parse, with line, column and frame', async () => {
    const request = deployOf({ source: 'const a = 1;\nconst b = ;\n' });
    await expect(scripts.deploy('acme', request)).rejects.toMatchObject({
      code: 'SANDBOX_SCRIPT_SYNTAX',
      message: expect.stringMatching(/does not parse at line 2, column 11: /),
      error: { name: 'SyntaxError', line: 2, column: 11, frame: expect.stringContaining('const b = ;') },
    });
    await expect(scripts.get('acme', request.name)).rejects.toMatchObject({ code: 'SANDBOX_SCRIPT_NOT_FOUND' });
  });

  it('refuses tenants that there are not', async () => {
    await expect(scripts.deploy('nobody', deployOf())).rejects.toMatchObject({ code: 'SANDBOX_UNKNOWN_TENANT' });
    await expect(scripts.list('a:b')).rejects.toMatchObject({ code: 'SANDBOX_INVALID_TENANT_ID' });
    await expect(scripts.check('nobody', { source: '' })).rejects.toMatchObject({ code: 'SANDBOX_UNKNOWN_TENANT' });
  });
});

describe('a deployed script', () => {
  it('is switched off and on, each time with a new revision, twice with none', async () => {
    const { name } = await scripts.deploy('acme', deployOf());
    const before = await revision();
    expect(await scripts.disable('acme', name)).toMatchObject({ enabled: false });
    expect(await scripts.disable('acme', name)).toMatchObject({ enabled: false });
    expect(await scripts.enable('acme', name)).toMatchObject({ enabled: true });
    expect(await revision()).toBe(before + 2);
  });

  it('is deleted softly and comes back by a deploy', async () => {
    const request = deployOf();
    const { id, name } = await scripts.deploy('acme', request);
    await scripts.remove('acme', name);
    await expect(scripts.get('acme', name)).rejects.toMatchObject({ code: 'SANDBOX_SCRIPT_NOT_FOUND' });
    await expect(scripts.remove('acme', name)).rejects.toMatchObject({ code: 'SANDBOX_SCRIPT_NOT_FOUND' });
    expect((await scripts.list('acme')).map((script) => script.name)).not.toContain(name);
    expect((await loadIn(first)).script(id)).toBeUndefined();
    expect(await scripts.versions('acme', name)).toMatchObject([{ version: 1, current: false }]);
    expect(await scripts.deploy('acme', request)).toMatchObject({ id, version: 1, enabled: true, newVersion: false });
    expect((await loadIn(first)).script(id)).toMatchObject({ version: 1 });
  });

  it('is rolled back to the version before, or to a given one, and goes on counting', async () => {
    const { name, id } = await scripts.deploy('acme', deployOf({ source: '1' }));
    await scripts.deploy('acme', deployOf({ name, source: '2' }));
    await scripts.deploy('acme', deployOf({ name, source: '3' }));
    expect(await scripts.rollback('acme', name)).toMatchObject({ version: 2, source: '2' });
    expect(await scripts.rollback('acme', name)).toMatchObject({ version: 1, source: '1' });
    expect((await loadIn(first)).script(id)).toMatchObject({ version: 1, source: '1' });
    await expect(scripts.rollback('acme', name)).rejects.toMatchObject({ code: 'SANDBOX_VERSION_NOT_FOUND' });
    await expect(scripts.rollback('acme', name, 9)).rejects.toThrow('has no version 9; it has 3, 2, 1.');
    expect(await scripts.rollback('acme', name, 3)).toMatchObject({ version: 3 });
    await scripts.rollback('acme', name, 1);
    expect(await scripts.deploy('acme', deployOf({ name, source: '4' }))).toMatchObject({ version: 4 });
  });
});

describe('check', () => {
  it('says whether a source parses, and where not', async () => {
    expect(await scripts.check('acme', { source: 'let x = 1' })).toEqual({ ok: true });
    expect(await scripts.check('acme', { source: 'let x: number = 1', language: 'typescript' })).toEqual({ ok: true });
    expect(await scripts.check('acme', { source: 'let x: number = 1' })).toMatchObject({
      ok: false,
      error: { line: 1 },
    });
    await expect(scripts.check('acme', { sorce: '' } as never)).rejects.toThrow('did you mean "source"?');
  });
});

describe('dryRun', () => {
  const dryRun = async (request: DryRun) => {
    await scripts.dryRun('acme', request);
    return dryRuns.at(-1) as DryRunRequest;
  };

  it('takes a deployed script and a record that exists', async () => {
    const order = await withSql(({ dataSource }) =>
      dataSource.getRepository(SalesOrder).save({ status: 'open', amount: '12.50' }),
    );
    const { name, id } = await scripts.deploy('acme', deployOf({ on: ['update'], limits: { cpuMs: 50 } }));
    const request = await dryRun({ name, recordId: order.id, record: { amount: '20' }, userId: 'jo' });
    expect(request).toMatchObject({ scriptId: id, scriptName: name, source: 'setResult(1)', userId: 'jo' });
    expect(request.limits).toMatchObject({ cpuMs: 50, wallMs: 300_000 });
    expect(request.change).toEqual({
      entity: 'order',
      operation: 'update',
      recordId: String(order.id),
      record: { id: order.id, status: 'open', amount: '20' },
      prevRecord: { id: order.id, status: 'open', amount: '12.50' },
      changed: ['amount'],
    });
  });

  it('takes a source that was never deployed, and a record that does not exist', async () => {
    const record = { id: 5, status: 'x' };
    const request = await dryRun({ source: '2 + 2', entity: 'order', operation: 'create', record });
    expect(request).toMatchObject({ scriptId: null, source: '2 + 2' });
    expect(request.change).toMatchObject({ recordId: '5', prevRecord: {}, changed: ['id', 'status'] });
  });

  it('takes a new source for a deployed script', async () => {
    const { name } = await scripts.deploy('acme', deployOf());
    expect(await dryRun({ name, source: 'setResult(9)' })).toMatchObject({
      source: 'setResult(9)',
      change: { entity: 'order', operation: 'create', record: {}, prevRecord: {} },
    });
  });

  it('refuses what makes no sense', async () => {
    const refused = (request: unknown, code: string) =>
      expect(scripts.dryRun('acme', request as DryRun)).rejects.toMatchObject({ code });
    const { name } = await scripts.deploy('acme', deployOf());
    await refused({ name: 'nothing', record: {} }, 'SANDBOX_SCRIPT_NOT_FOUND');
    await refused({ name, recordId: 999_999 }, 'SANDBOX_DRY_RUN_RECORD_NOT_FOUND');
    await refused({ name, recordId: 'seven' }, 'SANDBOX_DRY_RUN_RECORD_NOT_FOUND');
    await refused({ name, record: {}, operation: 'upsert' }, 'SANDBOX_INVALID_SCRIPT');
    await refused({ name, record: {}, source: 'let' + ' x =' }, 'SANDBOX_SCRIPT_SYNTAX');
    await refused({ source: '1', record: {} }, 'SANDBOX_UNKNOWN_TRIGGER_ENTITY');
    await refused({ name, record: {}, limits: { cpuMs: 1e9 } }, 'SANDBOX_LIMIT_ABOVE_CEILING');
    await expect(second.module.get(ScriptsService).dryRun('acme', { name, record: {} })).rejects.toMatchObject({
      code: 'SANDBOX_DRY_RUN_UNAVAILABLE',
    });
  });
});
