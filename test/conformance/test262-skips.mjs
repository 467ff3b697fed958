// What of test262 is not run, and why. A test is skipped for a feature, a flag, a text in it, or the folder it is in.

/** Features that scripts do not have on any engine: the reason is the contract's, or the proposal is newer than ES2023. */
const NO_ENGINE = {
  'no modules in scripts': [
    'import-attributes',
    'import-bytes',
    'import-defer',
    'import-text',
    'import.meta',
    'json-modules',
    'source-phase-imports',
    'source-phase-imports-module-source',
    'dynamic-import',
    'export-star-as-namespace-from-module',
  ],
  'no shared memory, and nothing that shows the garbage collector': [
    'Atomics',
    'Atomics.pause',
    'Atomics.waitAsync',
    'SharedArrayBuffer',
    'FinalizationRegistry',
    'WeakRef',
    'host-gc-required',
  ],
  'newer than ES2023': [
    'Temporal',
    'ShadowRealm',
    'decorators',
    'explicit-resource-management',
    'iterator-helpers',
    'iterator-sequencing',
    'joint-iteration',
    'Array.fromAsync',
    'arraybuffer-transfer',
    'resizable-arraybuffer',
    'Float16Array',
    'Math.sumPrecise',
    'Error.isError',
    'RegExp.escape',
    'regexp-duplicate-named-groups',
    'regexp-modifiers',
    'regexp-v-flag',
    'promise-try',
    'promise-with-resolvers',
    'json-parse-with-source',
    'uint8array-base64',
    'set-methods',
    'array-grouping',
    'String.prototype.isWellFormed',
    'String.prototype.toWellFormed',
    'symbols-as-weakmap-keys',
    'upsert',
    'immutable-arraybuffer',
    'await-dictionary',
    'legacy-regexp',
    'canonical-tz',
    'nonextensible-applies-to-private',
    'error-stack-accessor',
    'iterator-chunking',
    'iterator-includes',
    'import-sync',
  ],
  'needs a host with several realms, or document.all': ['cross-realm', 'IsHTMLDDA', 'tail-call-optimization', 'caller'],
};

/** Features that js-interpreter lacks besides. */
const NO_JS_INTERPRETER = {
  'no binary data in its library': [
    'ArrayBuffer',
    'TypedArray',
    'TypedArray.prototype.at',
    'Uint8Array',
    'Uint16Array',
    'Uint8ClampedArray',
    'Int8Array',
    'Int32Array',
    'Float32Array',
    'Float64Array',
    'BigInt64Array',
    'DataView',
    'DataView.prototype.getFloat32',
    'DataView.prototype.getFloat64',
    'DataView.prototype.getInt16',
    'DataView.prototype.getInt32',
    'DataView.prototype.getInt8',
    'DataView.prototype.getUint16',
    'DataView.prototype.getUint32',
    'DataView.prototype.setUint8',
  ],
};

/** Folders, where a feature does not tell. */
const FOLDERS = {
  'no modules in scripts': [
    'language/module-code',
    'language/import',
    'language/export',
    'language/expressions/dynamic-import',
    'language/expressions/import.meta',
  ],
  'no shared memory, and nothing that shows the garbage collector': [
    'built-ins/Atomics',
    'built-ins/SharedArrayBuffer',
    'built-ins/FinalizationRegistry',
    'built-ins/WeakRef',
  ],
  'newer than ES2023': [
    'built-ins/Temporal',
    'built-ins/ShadowRealm',
    'built-ins/Iterator',
    'built-ins/AsyncDisposableStack',
    'built-ins/DisposableStack',
    'built-ins/SuppressedError',
  ],
};
const FOLDERS_JS_INTERPRETER = {
  'no binary data in its library': [
    'built-ins/ArrayBuffer',
    'built-ins/TypedArray',
    'built-ins/TypedArrayConstructors',
    'built-ins/DataView',
  ],
};

/** Texts of tests that cannot work where a script is the body of a function. */
const TEXTS = [
  [/\$262\b|detachArrayBuffer\.js/, 'needs the $262 host object'],
  [
    /\bverifyProperty\(this\b|\bverifyProperty\(globalThis|fnGlobalObject/,
    "a script's variables are not properties of the global object",
  ],
];

/** Tests that need seconds on purpose. */
export const SLOW = [
  /decodeURI(Component)?\/S15\.1\.3\.[12]_A[12]\.\d+_T1/,
  /encodeURI.*_A2\.[345]/,
  /property-escapes\/generated/,
  /character-class-escape-non-whitespace/,
  /dotall/,
];

/** Why a test is not run on the engine; `undefined` where it is. */
export function skipReason(engine, path, { features, flags }, text) {
  for (const [reason, names] of Object.entries(NO_ENGINE))
    if (features.some((each) => names.includes(each))) return reason;
  for (const [reason, folders] of Object.entries(FOLDERS))
    if (folders.some((each) => path.includes(`/${each}/`))) return reason;
  if (engine === 'js-interpreter') {
    for (const [reason, names] of Object.entries(NO_JS_INTERPRETER))
      if (features.some((each) => names.includes(each))) return reason;
    for (const [reason, folders] of Object.entries(FOLDERS_JS_INTERPRETER))
      if (folders.some((each) => path.includes(`/${each}/`))) return reason;
  }
  if (flags.includes('module')) return 'no modules in scripts';
  if (flags.includes('raw')) return 'tests the text of whole files';
  if (flags.includes('CanBlockIsFalse')) return 'no shared memory, and nothing that shows the garbage collector';
  if (SLOW.some((pattern) => pattern.test(path))) return 'slow';
  return TEXTS.find(([pattern]) => pattern.test(text))?.[1];
}
