import { EnvironmentError, readApiEnvironment, readEnvironment, readProcessorEnvironment } from './environment.js';

const good = {
  DATABASE_URL: 'postgres://shop:secret@localhost:5432/postgres',
  TENANTS: 'acme, globex',
  ADMIN_TOKEN: 'a-long-token',
};

describe('the environment', () => {
  it('is read with its defaults', () => {
    expect(readApiEnvironment(good)).toEqual({
      databaseUrl: good.DATABASE_URL,
      tenants: ['acme', 'globex'],
      redisUrl: undefined,
      port: 3000,
      adminToken: 'a-long-token',
    });
    expect(readProcessorEnvironment({ ...good, SMTP_URL: 'smtp://localhost:25' }).smtpUrl).toBe('smtp://localhost:25');
    expect(readProcessorEnvironment(good).healthPort).toBeUndefined();
    expect(readProcessorEnvironment({ ...good, HEALTH_PORT: '0' }).healthPort).toBe(0);
  });

  it.each([
    [{ DATABASE_URL: undefined }, /^DATABASE_URL is not set/],
    [{ DATABASE_URL: 'mysql://localhost' }, /^DATABASE_URL is not a URL of the form postgres:/],
    [{ DATABASE_URL: 'nonsense' }, /^DATABASE_URL is not a URL/],
    [{ TENANTS: ' , ' }, /^TENANTS is not set/],
    [{ TENANTS: 'acme,a:b' }, /^TENANTS holds "a:b"/],
    [{ TENANTS: 'x'.repeat(59) }, /^TENANTS holds/],
    [{ TENANTS: 'acme,acme' }, /^TENANTS names a tenant twice/],
    [{ REDIS_URL: 'localhost:6379' }, /^REDIS_URL is not a URL/],
    [{ PORT: 'http' }, /^PORT is "http"/],
    [{ PORT: '70000' }, /^PORT is "70000"/],
    [{ ADMIN_TOKEN: undefined }, /^ADMIN_TOKEN is not set/],
  ])('names the variable that is wrong: %j', (change, message) => {
    const read = () => readApiEnvironment({ ...good, ...change });
    expect(read).toThrow(EnvironmentError);
    expect(read).toThrow(message);
  });

  it('names SMTP_URL and HEALTH_PORT when they are wrong', () => {
    expect(() => readProcessorEnvironment({ ...good, HEALTH_PORT: 'x' })).toThrow(/^HEALTH_PORT is "x"/);
    expect(() => readProcessorEnvironment({ ...good, SMTP_URL: 'mail.example' })).toThrow(/^SMTP_URL is not a URL/);
  });

  it('never repeats a URL, which may hold a password', () => {
    expect(() => readEnvironment({ ...good, DATABASE_URL: 'mysql://root:secret@host' })).not.toThrow(/secret/);
  });
});
