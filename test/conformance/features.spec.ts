// Programs that use every feature of ES5 and ES2015 to ES2023, on both engines. The same check runs in CI everywhere;
// test262.mjs, which needs a checkout of test262, gives the rates of docs/conformance.md.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createScriptRunner, type ScriptRunner } from '../../libs/sandbox/src/processor/pool/script-runner.js';
import { type EngineId, ENGINES } from '../../libs/sandbox/src/protocol/script.js';

const folder = join(__dirname, 'features');
const features = readdirSync(folder).map((file) => file.replace(/\.script$/, ''));

/** `is` compares deeply, `throws` wants an error of the class; both only count, so that one fault does not hide another. */
const CHECKS = `
let checked = 0; const faults = [];
const shown = (v) => typeof v === 'bigint' ? v + 'n' : typeof v === 'symbol' ? 'symbol' : v === undefined ? 'undefined' : Object.is(v, -0) ? '-0'
  : v !== v ? 'NaN' : typeof v === 'function' ? 'function' : v && typeof v === 'object'
  ? Array.isArray(v) ? '[' + Array.from(v, shown).join() + ']' : '{' + Object.keys(v).sort().filter((k) => v[k] !== undefined).map((k) => k + ':' + shown(v[k])).join() + '}'
  : JSON.stringify(v) ?? String(v);
function is(actual, expected) { checked++; if (shown(actual) !== shown(expected)) faults.push('check ' + checked + ': ' + shown(actual) + ' instead of ' + shown(expected)); }
function throws(run, type) { checked++; try { run(); } catch (e) { if (!(e instanceof type)) faults.push('check ' + checked + ': threw ' + e); return; } faults.push('check ' + checked + ': threw nothing'); }
`;

/** Counts what a program checks, so that a program that ends early is no success. */
const countChecks = (source: string) => source.match(/\b(?:is|throws)\(/g)!.length;

/** What an engine lacks, and why; docs/conformance.md says the same. */
const LACKS: Readonly<Partial<Record<EngineId, Readonly<Record<string, string>>>>> = {
  'js-interpreter': {
    'es2015-super-in-objects': "TypeScript's ES5 transform has no super in objects, nor accessors through super",
    'es2022-private-in-optional-chain': 'TypeScript refuses it, and would lower it wrongly',
  },
};

describe.each(ENGINES)('the language on %s', (engine) => {
  let runner: ScriptRunner;
  beforeAll(async () => (runner = await createScriptRunner({ engine, threads: 1, limits: { cpuMs: 5_000 } })));
  afterAll(() => runner.close());

  it.each(features.filter((feature) => !LACKS[engine]?.[feature]))('%s works', async (feature) => {
    const program = readFileSync(join(folder, `${feature}.script`), 'utf8');
    const source = `${CHECKS}\n${program}\n;({ checked, faults })`;
    const { outcome, value, error } = await runner.run({ tenantId: 'acme', source });
    expect({ outcome, message: error?.message, ...(value as object) }).toEqual({
      outcome: 'ok',
      checked: expect.any(Number),
      faults: [],
    });
    expect((value as { checked: number }).checked).toBeGreaterThanOrEqual(countChecks(program) * 0.8);
  });
});
