// What the explorer finds at boot, and what it refuses.
import { Injectable, Module, type Provider, Scope } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import {
  DuplicateBridgeServiceError,
  InvalidArgumentError,
  InvalidBridgeServiceError,
} from '../../errors/bridge.errors.js';
import { BridgeModule } from './bridge.module.js';
import type { BridgeRun } from './bridge-run.js';
import { BridgeMethod, BridgeService } from './bridge-service.decorator.js';
import { BridgeServices } from './bridge-services.js';

@Injectable()
class Stock {
  readonly left = 3;
}

@Injectable()
@BridgeService('inventory')
class Inventory {
  constructor(private readonly stock: Stock) {}

  @BridgeMethod({ input: z.object({ sku: z.string(), qty: z.coerce.number().int().positive() }) })
  reserve({ sku, qty }: { sku: string; qty: number }, { tenantId }: BridgeRun): string {
    return `${tenantId}: ${qty} of ${this.stock.left} ${sku}`;
  }

  @BridgeMethod({ pure: true })
  left(): number {
    return this.stock.left;
  }

  secret(): string {
    return 'not for scripts';
  }
}

@BridgeService('inventory')
class OtherInventory {
  @BridgeMethod()
  reserve(): void {}
}

@BridgeService('empty')
class Empty {}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {}

@Injectable()
@BridgeService('scoped')
class Scoped {
  constructor(readonly request: PerRequest) {}

  @BridgeMethod()
  act(): void {}
}

const run = { tenantId: 'acme' } as BridgeRun;

async function boot(...providers: Provider[]): Promise<BridgeServices> {
  const module = await Test.createTestingModule({ imports: [BridgeModule], providers }).compile();
  await module.init();
  return module.get(BridgeServices, { strict: false });
}

describe('bridge services', () => {
  it('are the methods of decorated providers, wherever they are provided', async () => {
    @Module({
      providers: [Stock, { provide: 'INVENTORY', inject: [Stock], useFactory: (stock: Stock) => new Inventory(stock) }],
    })
    class Elsewhere {}
    const module = await Test.createTestingModule({ imports: [BridgeModule, Elsewhere] }).compile();
    await module.init();
    const services = module.get(BridgeServices, { strict: false });
    expect(services.names()).toEqual(['inventory.reserve', 'inventory.left']);
    expect(services.pureNames()).toEqual(['inventory.left']);
    expect(services.get('inventory.secret')).toBeUndefined();
  });

  it('check and convert their argument', async () => {
    const reserve = (await boot(Stock, Inventory)).get('inventory.reserve')!;
    await expect(reserve.call({ sku: 'lamp', qty: '2' }, run)).resolves.toBe('acme: 2 of 3 lamp');
    const refused = reserve.call({ sku: 1, qty: -1 }, run);
    await expect(refused).rejects.toThrow(InvalidArgumentError);
    await expect(refused).rejects.toThrow(/inventory.reserve .* sku: .*; qty: /);
    await expect(reserve.call(undefined, run)).rejects.toThrow(InvalidArgumentError);
  });

  it('may be provided twice, but not share a name', async () => {
    expect((await boot(Stock, Inventory, { provide: 'again', useExisting: Inventory })).names()).toHaveLength(2);
    await expect(boot(Stock, Inventory, OtherInventory)).rejects.toThrow(DuplicateBridgeServiceError);
    await expect(boot(Stock, Inventory, OtherInventory)).rejects.toThrow(
      /"inventory" is declared by both Inventory and OtherInventory/,
    );
  });

  it('have methods, and do not depend on a request', async () => {
    await expect(boot(Empty)).rejects.toThrow(/@BridgeService\("empty"\) on Empty: it has no method/);
    await expect(boot(PerRequest, Scoped)).rejects.toThrow(InvalidBridgeServiceError);
    await expect(boot(PerRequest, Scoped)).rejects.toThrow(/request-scoped/);
  });

  it.each(['query', 'record', 'orgName', 'constructor', '__proto__', 'a-b', 'a.b', '1a', '', undefined])(
    'cannot be called %p',
    (name) => {
      expect(() => BridgeService(name as string)(class Named {})).toThrow(InvalidBridgeServiceError);
    },
  );

  it('refuse an input that is no schema, where it is written', () => {
    expect(() => {
      class Wrong {
        @BridgeMethod({ input: { type: 'string' } as never })
        act(): void {}
      }
      return Wrong;
    }).toThrow(/@BridgeMethod on Wrong.act: input is an object with type. Give a schema/);
  });
});
