import { SandboxContext } from './sandbox-context.js';

describe('SandboxContext', () => {
  it('is empty outside of a run', () => {
    expect(SandboxContext.current()).toEqual({});
  });

  it('reaches everything that its function awaits, and keeps concurrent runs apart', async () => {
    const user = (userId: string) =>
      SandboxContext.run({ tenantId: 'acme', userId }, async () => {
        await new Promise(setImmediate);
        return SandboxContext.current().userId;
      });
    expect(await Promise.all([user('a'), user('b')])).toEqual(['a', 'b']);
  });

  it('inherits what is not given, unless the tenant changes', () => {
    SandboxContext.run({ tenantId: 'acme', userId: 'u' }, () => {
      SandboxContext.run({ userId: 'v' }, () =>
        expect(SandboxContext.current()).toEqual({ tenantId: 'acme', userId: 'v' }),
      );
      SandboxContext.run({ tenantId: 'acme' }, () => expect(SandboxContext.current().userId).toBe('u'));
      SandboxContext.run({ tenantId: 'globex' }, () =>
        expect(SandboxContext.current()).toEqual({ tenantId: 'globex' }),
      );
    });
  });

  it('refuses an id that cannot become part of keys', () => {
    expect(() => SandboxContext.run({ tenantId: 'a:b' }, () => 1)).toThrow(
      expect.objectContaining({ code: 'SANDBOX_INVALID_TENANT_ID' }),
    );
  });

  it('is left by exit', () => {
    SandboxContext.run({ tenantId: 'acme' }, () =>
      SandboxContext.exit(() => expect(SandboxContext.current()).toEqual({})),
    );
  });
});
