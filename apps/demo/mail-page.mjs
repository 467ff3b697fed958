// A small page that lists the mails which were caught.
import { createServer } from 'node:http';

const escape = (text = '') => String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const row = (mail) => `<article>
  <h2>${escape(mail.subject)}</h2>
  <p>${escape(mail.receivedAt.toLocaleTimeString())}, from ${escape(mail.from)} to ${escape(mail.recipients.join(', '))}</p>
  <pre>${escape(mail.text ?? mail.html)}</pre>
</article>`;

const page = (mails) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Mails (${mails.length})</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
  article { border-top: 1px solid #ddd; padding: .5rem 0; } h2 { font-size: 1rem; margin: .5rem 0 0; }
  article p { color: #777; margin: 0; font-size: .85rem; } pre { white-space: pre-wrap; font: inherit; }
  @media (prefers-color-scheme: dark) { body { background: #16181c; color: #ddd; } article { border-color: #333; } }
</style></head>
<body><h1>Mails</h1>${
  mails.length === 0 ? '<p>None yet. This page looks again every three seconds.</p>' : mails.map(row).reverse().join('')
}</body></html>`;

/** Serves `/` for people and `/mails.json` for programs, on a free port of 127.0.0.1. Returns `{ url, stop() }`. */
export async function startMailPage(mails) {
  const server = createServer((request, response) => {
    const json = request.url === '/mails.json';
    response.writeHead(200, {
      'content-type': json ? 'application/json' : 'text/html; charset=utf-8',
      // Mails are somebody else's text: nothing in them may run or load.
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    });
    response.end(json ? JSON.stringify(mails) : page(mails));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}
