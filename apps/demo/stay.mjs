// Keeps the system up and says where everything is.
import { readFile } from 'node:fs/promises';
import { startMailPage } from './mail-page.mjs';
import { bold, cyan, dim, line, task } from './screen.mjs';
import { createStack, TENANTS } from './stack.mjs';

/** Starts everything, prints the addresses, and stays until the program is told to end. */
export async function stayUp({ onStop }) {
  line(bold('\nnestjs-sandbox: the demo shop\n'));
  const { stack, start, stop } = createStack({ port: process.env.PORT ?? '3000', task });
  let page;
  onStop(async () => {
    line(dim('\nStopping ...'));
    await page?.stop();
    await stop();
  });
  await start();
  page = await startMailPage(stack.mail.mails);
  const source = await readFile(new URL('order-total.js', import.meta.url), 'utf8');
  await stack.client.deploy('acme', 'order-total', { entity: 'order', on: ['create'], source });
  printAddresses(stack, page);
  await new Promise(() => {});
}

function printAddresses({ api, postgres, adminToken }, page) {
  const row = (name, value) => line(`   ${name.padEnd(14)}${cyan(value)}`);
  line();
  row('api', api.url);
  row('OpenAPI', `${api.url}/docs`);
  row('queues', `${api.url}/queues  (the password is the admin token)`);
  row('health', `${api.url}/health  (and /metrics)`);
  row('mails', page.url);
  row('database', `${postgres.url.replace(/\/[^/]*$/, '')}/shop_acme  (and shop_globex)`);
  row('tenants', TENANTS.join(', '));
  row('admin token', adminToken);
  line(`
   acme has the script apps/demo/order-total.js; globex has none. Try it:

   ${dim('$')} curl -s ${api.url}/customers -H 'x-tenant-id: acme' \\
        --json '{"name": "Ana", "email": "ana@example.com"}'
   ${dim('$')} curl -s ${api.url}/orders -H 'x-tenant-id: acme' \\
        --json '{"customerId": "<the id>", "amount": 1200}'
   ${dim('$')} curl -s ${api.url}/customers/<the id> -H 'x-tenant-id: acme'
   ${dim('$')} curl -s ${api.url}/sandbox/actions -H 'x-tenant-id: acme' \\
        -H 'authorization: Bearer ${adminToken}'

   Ctrl-C stops everything and removes its data.`);
}
