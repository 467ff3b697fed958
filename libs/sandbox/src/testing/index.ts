// nestjs-sandbox/testing: for those who unit-test scripts, and for those who implement one of the library's contracts.

// Test scripts
export { ScriptTester, type RecordedCall, type ScriptTest, type ScriptTestResult } from './script-tester.js';

// Prove an implementation of a contract
export type { ContractCase } from './contract.js';
export { engineContract, type ContractCase as EngineContractCase, type EngineSubject } from './engine-contract.js';
export { queueBackendContract, type QueueBackendFixture } from './queue-contract.js';
export { tenancyContract, type TenancyContractSetup } from './tenancy-contract.js';
export { turnsContract } from './turns-contract.js';
export type { TurnsFixture } from './turns-fixture.js';
