import type { ContractCase } from './engine-contract/contract-case.js';
import { deferredCases } from './engine-contract/deferred.js';
import { endingCases } from './engine-contract/ending.js';
import { guestCases } from './engine-contract/guest.js';
import { isolationCases } from './engine-contract/isolation.js';
import { languageCases } from './engine-contract/language.js';

export type { ContractCase, EngineSubject } from './engine-contract/contract-case.js';

/**
 * What every engine keeps, as cases for any test runner: the language, what a script sees, how runs end, that nothing is
 * left behind, and that buffered writes cannot be told from immediate ones.
 */
export const engineContract: readonly ContractCase[] = [
  ...languageCases,
  ...guestCases,
  ...endingCases,
  ...isolationCases,
  ...deferredCases,
];
