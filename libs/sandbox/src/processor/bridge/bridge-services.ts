import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import {
  DuplicateBridgeServiceError,
  InvalidArgumentError,
  InvalidBridgeServiceError,
} from '../../errors/bridge.errors.js';
import type { BridgeRun } from './bridge-run.js';
import { type BridgeMethodOptions, methodsOf, serviceNameOf } from './bridge-service.decorator.js';
import { describeIssue } from './standard-schema.js';

/** A method of the host that scripts may call. */
export interface HostMethod {
  /** `inventory.reserve`. */
  readonly name: string;
  readonly pure: boolean;
  /** Checks the argument (throws `InvalidArgumentError`) and calls the method. */
  readonly call: (args: unknown, run: BridgeRun) => Promise<unknown>;
}

/** What the explorer needs of Nest's wrapper around a provider. */
interface ProviderWrapper {
  readonly name: unknown;
  readonly metatype: unknown;
  readonly instance: unknown;
  isDependencyTreeStatic(): boolean;
}

/**
 * The host's own services for scripts: every provider with `@BridgeService`, found once at boot. Duplicate names,
 * services without methods and request-scoped ones are errors then, not at the first call.
 */
@Injectable()
export class BridgeServices {
  private methods: ReadonlyMap<string, HostMethod> = new Map();

  constructor(private readonly discovery: DiscoveryService) {}

  /** Nest calls it when every provider exists, before anything is served. */
  onModuleInit(): void {
    this.methods = exploreServices(this.discovery.getProviders() as unknown as ProviderWrapper[]);
  }

  /** Names of all methods: `inventory.reserve`. */
  names(): readonly string[] {
    return [...this.methods.keys()];
  }

  /** Names of the methods declared pure. */
  pureNames(): readonly string[] {
    return [...this.methods.values()].flatMap((method) => (method.pure ? [method.name] : []));
  }

  /** The method of that name. */
  get(name: string): HostMethod | undefined {
    return this.methods.get(name);
  }
}

function exploreServices(wrappers: readonly ProviderWrapper[]): ReadonlyMap<string, HostMethod> {
  const methods = new Map<string, HostMethod>();
  const owners = new Map<string, { name: string; type: object }>();
  for (const wrapper of wrappers) {
    const type = serviceClass(wrapper);
    const service = type && serviceNameOf(type);
    if (!type || service === undefined) continue;
    const owner = owners.get(service);
    // one class may be provided in several modules; that is one service
    if (owner?.type === type) continue;
    if (owner) throw new DuplicateBridgeServiceError(service, owner.name, type.name);
    owners.set(service, { name: type.name, type });
    for (const method of hostMethods(service, type, wrapper)) methods.set(method.name, method);
  }
  return methods;
}

/** The class of a provider, also of one made by a factory. */
function serviceClass({ metatype, instance }: ProviderWrapper): (Function & { name: string }) | undefined {
  if (typeof metatype === 'function' && serviceNameOf(metatype) !== undefined) return metatype;
  const made = instance !== null && typeof instance === 'object' ? (instance.constructor as unknown) : undefined;
  return typeof made === 'function' ? made : undefined;
}

function hostMethods(service: string, type: Function, wrapper: ProviderWrapper): HostMethod[] {
  const where = `@BridgeService("${service}") on ${type.name}`;
  if (!wrapper.isDependencyTreeStatic()) {
    const remedy = 'Make it and what it injects singletons; the run it is called for is its second argument';
    throw new InvalidBridgeServiceError(
      where,
      'the provider is request-scoped or transient by way of its dependencies',
      remedy,
    );
  }
  const declared = [...methodsOf(type)];
  if (declared.length === 0)
    throw new InvalidBridgeServiceError(where, 'it has no method', 'Put @BridgeMethod() on at least one');
  const instance = wrapper.instance as Record<string, (args: unknown, run: BridgeRun) => unknown>;
  return declared.map(([method, options]) =>
    hostMethod(`${service}.${method}`, options, (args, run) => instance[method]?.(args, run)),
  );
}

function hostMethod(
  name: string,
  { input, pure = false }: BridgeMethodOptions,
  method: (args: unknown, run: BridgeRun) => unknown,
): HostMethod {
  return {
    name,
    pure,
    async call(args, run) {
      if (!input) return await method(args, run);
      const checked = await input['~standard'].validate(args);
      if (checked.issues) throw new InvalidArgumentError(name, checked.issues.map(describeIssue));
      return await method(checked.value, run);
    },
  };
}
