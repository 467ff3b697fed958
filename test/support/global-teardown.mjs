export default async function globalTeardown() {
  await globalThis.__redis?.stop();
  await globalThis.__postgres?.stop();
}
