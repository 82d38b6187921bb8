import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  base: '/ui/',
  // What a page needs of its own is in the sources: nothing is copied.
  publicDir: false,
  // The API puts the nonce of each answer there.
  html: { cspNonce: 'NONCE_OF_THIS_ANSWER' },
  build: {
    outDir: here('../dist/console'),
    emptyOutDir: false,
    target: 'es2022',
    // The policy of the page allows no inlined file.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: {
      // Libraries mark what runs in browsers only; here everything does.
      onLog: (level, log, tell) => log.code === 'MODULE_LEVEL_DIRECTIVE' || tell(level, log),
    },
  },
});
