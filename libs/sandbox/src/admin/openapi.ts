import type { ApiBodyOptions } from '@nestjs/swagger';
import { OPERATIONS } from '../protocol/change.js';
import { DEFAULT_LIMITS } from '../protocol/limits.js';
import { ENGINES } from '../protocol/script.js';

const text = (description: string) => ({ type: 'string' as const, description });
const record = (description: string) => ({ type: 'object' as const, description, additionalProperties: true });

const SOURCE = text('JavaScript (ES2023) or TypeScript');
const LANGUAGE = { type: 'string' as const, enum: ['javascript', 'typescript'], default: 'javascript' };
const ENGINE = { type: 'string' as const, enum: [...ENGINES] };
const ENTITY = text('Trigger name of the entity, as in `order`');
const OPERATION = { type: 'string' as const, enum: [...OPERATIONS] };
const NAME = text('1 to 100 letters, digits, "-", "_" and ".", starting with a letter or digit');
const LIMITS = {
  type: 'object' as const,
  description: 'Limits of its own, none above the ceiling of the host',
  properties: Object.fromEntries(
    Object.entries(DEFAULT_LIMITS).map(([name, limit]) => [name, { type: 'number' as const, default: limit }]),
  ),
};

const KEY = {
  type: 'array' as const,
  items: { type: 'string' as const },
  minItems: 1,
  maxItems: 10,
  description: 'Fields of the record; default: its id',
};
const MS = { type: 'integer' as const, minimum: 1, description: 'Milliseconds, up to 30 days' };
const gate = (description: string, properties: object, required: readonly string[]) => ({
  type: 'object' as const,
  description: `${description}. One of dedupe, debounce and throttle`,
  properties: { ...properties },
  required: [...required],
});

const DEFINITION = {
  entity: ENTITY,
  on: { type: 'array' as const, items: OPERATION, minItems: 1 },
  when: record('A condition on the change: { changed: [names], record: where, prevRecord: where }'),
  order: { type: 'string' as const, enum: ['tenant', 'record', 'none'] },
  dedupe: gate('First wins within the window', { key: KEY, windowMs: MS }, ['windowMs']),
  debounce: gate('Last wins, after the delay', { key: KEY, delayMs: MS }, ['delayMs']),
  throttle: gate('So many begin in a window, the rest wait', { limit: { type: 'integer', minimum: 1 }, windowMs: MS }, [
    'limit',
    'windowMs',
  ]),
  engine: ENGINE,
  limits: LIMITS,
  retries: { type: 'integer' as const, minimum: 0, maximum: 20, default: 0 },
  language: LANGUAGE,
  source: SOURCE,
  enabled: { type: 'boolean' as const },
  createdBy: text('Who deploys it, for the history'),
};

const EXAMPLE = {
  entity: 'order',
  on: ['create'],
  when: { record: { amount: { gte: 100 } } },
  source: "log('a big order', context.record.id)",
};

const body = (properties: object, required: readonly string[], example?: unknown): ApiBodyOptions => ({
  schema: { type: 'object', properties: { ...properties }, required: [...required] },
  ...(example === undefined ? {} : { examples: { example: { value: example } } }),
});

/** Bodies of the routes, for OpenAPI. What they say is checked by `ScriptsService`. */
export const BODIES = {
  deploy: body(DEFINITION, ['entity', 'on', 'source'], EXAMPLE),
  deployNamed: body({ name: NAME, ...DEFINITION }, ['name', 'entity', 'on', 'source'], {
    name: 'big-order',
    ...EXAMPLE,
  }),
  rollback: body({ version: { type: 'integer', minimum: 1, description: 'Default: the one before' } }, []),
  check: body({ source: SOURCE, language: LANGUAGE, engine: ENGINE }, ['source'], { source: 'setResult(1 + 1)' }),
  dryRun: body(
    {
      recordId: text('A record that exists'),
      operation: OPERATION,
      record: record('Laid over the record that exists, or the whole of one that does not'),
      prevRecord: record('Laid over what the record was before'),
      source: text('Tried instead of the deployed source'),
      language: LANGUAGE,
      engine: ENGINE,
      limits: LIMITS,
      userId: text('On whose behalf'),
    },
    [],
  ),
} as const;
